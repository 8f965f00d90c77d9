"""foretaste.compat.sklearn.KNNImputer against scikit-learn's, parameter for parameter."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import numpy as np

from benchmarks.speed.rows import Row, main, row
from benchmarks.timing import interleaved, missing, named

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
    if missing("compat_imputer", "scikit-learn"):
        return
    for size in QUICK if quick else SIZES:
        yield one(*size, repeats=max(1, repeats // 2))


def one(
    fitted: int,
    filled: int,
    columns: int,
    share: float,
    parameters: dict[str, Any],
    at_least: float | None,
    repeats: int,
) -> Row:
    """Fit both on the same rows and fill the same rows, with two threads of ours and of its BLAS."""
    from sklearn.impute import KNNImputer as Theirs
    from threadpoolctl import threadpool_limits

    from foretaste.compat.sklearn import KNNImputer as Ours

    rng = np.random.default_rng(fitted + columns)
    tastes = rng.normal(size=(fitted + filled, 5)) @ rng.normal(size=(5, columns))
    cells = tastes + 0.3 * rng.normal(size=tastes.shape)
    cells[rng.random(cells.shape) < share] = np.nan
    before, asked = cells[:fitted], cells[fitted:] if filled else cells[:fitted]
    threads, ours, theirs = os.environ.get("FORETASTE_THREADS"), Ours(**parameters), Theirs(**parameters)
    os.environ["FORETASTE_THREADS"] = "2"
    try:
        with threadpool_limits(2):
            seconds = interleaved(
                {
                    "scikit-learn": lambda: theirs.fit(before).transform(asked),
                    "foretaste": lambda: ours.fit(before).transform(asked),
                },
                repeats,
            )
            far = np.abs(ours.transform(asked) - theirs.transform(asked)) > 1e-9
    finally:
        del os.environ["FORETASTE_THREADS"]
        if threads is not None:
            os.environ["FORETASTE_THREADS"] = threads
    what = f"{filled:,} rows from {fitted:,}" if filled else f"{fitted:,} rows from themselves"
    chosen = "".join(f", {name}={value!r}" for name, value in parameters.items())
    return row(
        f"KNNImputer: {what}, {columns} columns, {share:.0%} missing, k = 5{chosen}, float64, 2 threads",
        seconds["foretaste"],
        peer=named("scikit-learn", "KNNImputer"),
        peer_seconds=seconds["scikit-learn"],
        equality={"share_of_cells_further_than_1e-9": float(far.mean())},
        k_core=at_least,
    )


if __name__ == "__main__":
    main("compat_imputer", rows, __doc__)
