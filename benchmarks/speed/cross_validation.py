"""Cross-validation of a factor model, as a user calls it, against scikit-surprise's own."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from benchmarks.data import movielens_1m
from benchmarks.speed.rows import Row, main, row
from benchmarks.speed.sgd import peer_dataset, standardize
from benchmarks.timing import is_missing, peer_label, time_in_turns
from foretaste import SVD, cross_validate

SETTINGS = {"factors": 100, "epochs": 20, "learning_rate": 0.005, "regularization": 0.02, "init_std": 0.1}


def rows(quick: bool, repeats: int) -> Iterator[Row]:
    """Five folds, 20 epochs, 100 factors: encoding, fits, predictions and errors, all that the call does."""
    if is_missing("cross-validation against scikit-surprise", "scikit-surprise"):
        return
    ratings, name = movielens_1m(100_000 if quick else 1_000_000)
    standard, std = standardize(ratings)  # so both solve one problem
    data = peer_dataset(standard)
    found: dict[str, float] = {}

    def ours(threads: int) -> None:
        model = SVD(**SETTINGS, schedule="constant")
        result = cross_validate(model, ratings, 5, ["rmse", "mae"], seed=0, threads=threads)
        found["foretaste_rmse"] = result.mean["rmse"]

    def theirs(jobs: int) -> None:
        found["peer_rmse"] = std * _peer(data, jobs)

    seconds = time_in_turns(
        {
            "surprise 1": lambda: theirs(1),
            "surprise 2": lambda: theirs(2),
            "foretaste 1": lambda: ours(1),
            "foretaste 2": lambda: ours(2),
        },
        min(repeats, 3),
    )
    what = f"cross-validation of SVD, {len(ratings):,} ratings ({name}), 5 folds, 20 epochs, 100 factors"
    for threads, jobs, aim in ((2, 1, 25), (2, 2, None), (1, 1, None)):
        yield row(
            f"{what}, {threads} thread{'s' * (threads > 1)}",
            seconds[f"foretaste {threads}"],
            peer=peer_label("scikit-surprise", f"cross_validate, n_jobs={jobs}"),
            peer_seconds=seconds[f"surprise {jobs}"],
            equality=dict(found),
            min_ratio=aim,
        )


def _peer(data: Any, jobs: int) -> float:
    from surprise import SVD as Peer  # noqa: N811 - ours has the same name
    from surprise.model_selection import KFold, cross_validate

    peer = Peer(n_factors=100, n_epochs=20, lr_all=0.005, reg_all=0.02, random_state=0)
    result = cross_validate(peer, data, ["rmse", "mae"], KFold(5, random_state=0), n_jobs=jobs)
    return float(np.mean(result["test_rmse"]))


if __name__ == "__main__":
    main("cross_validation", rows, __doc__)
