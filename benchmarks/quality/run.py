"""Error of every model by its defaults on real ratings; needs FORETASTE_DATA.

Prints a table, writes it to ``quality/README.md`` and dated JSON to ``results/``.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

from benchmarks.data import real
from benchmarks.timing import machine, record
from foretaste import HoldOut, KFold, compare, read_ratings

README = Path(__file__).parent / "README.md"
MODELS = ["GlobalMean", "UserMean", "ItemMean", "UserItemMean", "Bias", "KNNImputation", "SVD"]


def main() -> None:
    folder = os.environ.get("FORETASTE_DATA")
    if not folder:
        sys.exit("needs real ratings: set FORETASTE_DATA to the folder that holds them")
    about, tables = machine(), []
    first = [read_ratings(Path(folder) / "ml-100k" / name) for name in ("u1.base", "u1.test")]
    tables.append(table("MovieLens 100K, u1.base / u1.test", compare(MODELS, first[0], test=first[1])))
    folds = KFold(5, seed=0)
    lecture = real("jester-2 lecture")
    tables.append(table("Jester 2, users to 4000", compare(MODELS, lecture, split=HoldOut(0.2, seed=42))))
    for name, label in (
        ("ml-100k", "MovieLens 100K"),
        ("jester-2", "Jester 2, 385,494 rows"),
        ("ml-1m", "MovieLens 1M"),
    ):
        models = MODELS if name != "ml-1m" else [m for m in MODELS if m != "KNNImputation"]
        tables.append(table(label, compare(models, real(name), split=folds)))
    path = record("quality", {"machine": about, "tables": tables})
    README.write_text(page(about, tables, path.name))
    print(README.read_text())


def table(label: str, results: Any) -> dict[str, Any]:
    return {"ratings": label, **results.to_dict()}


def page(about: dict[str, Any], tables: list[dict[str, Any]], source: str) -> str:
    text = [
        "# Quality",
        "",
        f"Written by `python benchmarks/quality/run.py` from `results/{source}`: every model by its "
        "defaults, which were chosen on other ratings (`docs/decisions/0004-defaults.md`). RMSE and MAE in "
        "rating units, mean of the folds; seconds of one fit.",
        f"{about['processor']}, {about['cores']} cores; foretaste {about['foretaste']}.",
    ]
    for one in tables:
        text += ["", f"## {one['ratings']}", "", f"Protocol: {one['protocol']}.", ""]
        text += ["| model | train RMSE | RMSE | MAE | fit s |", "|---|--:|--:|--:|--:|"]
        text += [
            f"| {row['model']} | {row['train_rmse']:.4f} | **{row['rmse']:.4f}** | {row['mae']:.4f} | "
            f"{row['fit_seconds']:.2f} |"
            for row in one["results"]
            if row.get("rmse") is not None
        ]
    return "\n".join(text) + "\n"


if __name__ == "__main__":
    main()
