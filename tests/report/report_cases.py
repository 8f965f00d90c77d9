"""Results for reports: planted, synthetic, and loaded from a file."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from foretaste import HoldOut, Ratings, Results, compare, write_report
from foretaste.models import SVD
from foretaste.report.saved_results import SavedResults

SPLIT = HoldOut(0.25, seed=3)
MODELS = ["UserMean", "ItemMean", "Bias", "EASE", SVD(factors=4, epochs=30), SVD(factors=2, epochs=5)]


def parts(ratings: Ratings) -> tuple[Ratings, Ratings]:
    ((train, test),) = SPLIT.split(ratings)
    return ratings[train], ratings[test]


def planted_results(ratings: Ratings) -> Results:
    return compare(ratings, MODELS, split=SPLIT, name="planted.csv", metrics=("rmse", "mae", "fcp"))


def planted_report(results: Results, ratings: Ratings, folder: Path) -> Path:
    return write_report(
        results,
        folder / "report.html",
        ratings=ratings,
        split=SPLIT,
        command="foretaste compare planted.csv --html report.html",
        origin='read_ratings("planted.csv")',
    )


def without_date(page: bytes) -> bytes:
    dated, n = re.subn(rb"<time[^>]*>[^<]*</time>", b"", page)
    assert n == 1
    return dated


def kept(results: Results) -> SavedResults:
    """Return results as a file holds them: without predictions, intervals and sentences."""
    rows = tuple(
        {k: v for k, v in row.items() if k not in ("rmse_interval", "gap_to_best")} for row in results.rows
    )
    return SavedResults(results.dataset, results.protocol, rows)


def made_up(errors: dict[str, list[float]]) -> SavedResults:
    """Return results of some errors a fold."""
    rows = [
        {
            "model": model,
            "params": {},
            "repr": f"{model}()",
            "train_rmse": 1.0,
            "rmse": float(np.mean(folds)),
            "rmse_std": float(np.std(folds)),
            "mae": 1.0,
            "fit_seconds": 0.1 + place,
            "predict_seconds": 0.0,
            "fallback_rows": 0,
            "folds": [{"rmse": error} for error in folds],
        }
        for place, (model, folds) in enumerate(errors.items())
    ]
    facts = {"name": "made up", "ratings": 9, "users": 3, "items": 3, "density": 1.0, "mean": 3.0}
    return SavedResults(facts, "3 folds", tuple(rows))
