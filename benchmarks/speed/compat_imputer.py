"""foretaste.compat.sklearn.KNNImputer against scikit-learn's, parameter for parameter."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import numpy as np

from benchmarks.speed.rows import Row, main, row
from benchmarks.timing import is_missing, peer_label, time_in_turns

# Rows fitted, rows filled (0 = the same), columns, share that is missing, parameters, the ratio aimed at.
SIZES: list[tuple[int, int, int, float, dict[str, Any], float | None]] = [
    (2_000, 0, 20, 0.1, {}, 10),
    (5_000, 0, 50, 0.3, {}, 20),
    (5_000, 0, 50, 0.3, {"weights": "distance"}, 20),
    (5_000, 1, 50, 0.3, {}, None),
    (20_000, 2_000, 100, 0.5, {}, 20),
]
QUICK: list[tuple[int, int, int, float, dict[str, Any], float | None]] = [
    (300, 0, 10, 0.3, {"weights": "distance"}, None),
    (300, 20, 10, 0.3, {}, None),
]


def rows(quick: bool, repeats: int) -> Iterator[Row]:
    if is_missing("compat_imputer", "scikit-learn"):
        return
    for size in QUICK if quick else SIZES:
        yield measure_size(*size, repeats=max(1, repeats // 2))


def measure_size(
    fitted: int,
    filled: int,
    columns: int,
    share: float,
    parameters: dict[str, Any],
    min_ratio: float | None,
    repeats: int,
) -> Row:
    """Fit both on the same rows and impute the same rows, with two threads each (BLAS for scikit-learn)."""
    from sklearn.impute import KNNImputer as Theirs
    from threadpoolctl import threadpool_limits

    from foretaste.compat.sklearn import KNNImputer as Ours

    rng = np.random.default_rng(fitted + columns)
    tastes = rng.normal(size=(fitted + filled, 5)) @ rng.normal(size=(5, columns))
    cells = tastes + 0.3 * rng.normal(size=tastes.shape)
    cells[rng.random(cells.shape) < share] = np.nan
    train, query = cells[:fitted], cells[fitted:] if filled else cells[:fitted]
    threads, ours, theirs = os.environ.get("FORETASTE_THREADS"), Ours(**parameters), Theirs(**parameters)
    os.environ["FORETASTE_THREADS"] = "2"
    try:
        with threadpool_limits(2):
            seconds = time_in_turns(
                {
                    "scikit-learn": lambda: theirs.fit(train).transform(query),
                    "foretaste": lambda: ours.fit(train).transform(query),
                },
                repeats,
            )
            differs = np.abs(ours.transform(query) - theirs.transform(query)) > 1e-9
    finally:
        del os.environ["FORETASTE_THREADS"]
        if threads is not None:
            os.environ["FORETASTE_THREADS"] = threads
    what = f"{filled:,} rows from {fitted:,}" if filled else f"{fitted:,} rows from themselves"
    parameters_text = "".join(f", {name}={value!r}" for name, value in parameters.items())
    return row(
        f"KNNImputer: {what}, {columns} columns, {share:.0%} missing, k = 5{parameters_text}, float64, "
        "2 threads",
        seconds["foretaste"],
        peer=peer_label("scikit-learn", "KNNImputer"),
        peer_seconds=seconds["scikit-learn"],
        equality={"share_of_cells_further_than_1e-9": float(differs.mean())},
        min_ratio=min_ratio,
    )


if __name__ == "__main__":
    main("compat_imputer", rows, __doc__)
