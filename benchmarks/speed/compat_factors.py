"""The factor models of foretaste.compat.surprise against scikit-surprise: whole fits, the same numbers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from benchmarks.speed.compat import raw_ratings, trainsets
from benchmarks.speed.rows import Row, main, row
from benchmarks.timing import interleaved, missing, named

# Of each: the algorithm, its options, and how many times faster it should be.
FITS: tuple[tuple[str, dict[str, Any], float | None], ...] = (
    ("SVD", {"n_factors": 20, "n_epochs": 10}, 8),
    ("SVD", {"n_factors": 64, "n_epochs": 10}, 8),
    ("SVD", {"n_factors": 100, "n_epochs": 10}, 8),
    ("SVDpp", {"n_factors": 20, "n_epochs": 1}, None),
    ("NMF", {"n_factors": 15, "n_epochs": 10}, None),
    ("BaselineOnly", {"bsl_options": {"method": "als"}, "verbose": False}, None),
    ("BaselineOnly", {"bsl_options": {"method": "sgd"}, "verbose": False}, None),
    ("CoClustering", {"n_epochs": 3}, None),
)


def rows(quick: bool, repeats: int) -> Iterator[Row]:
    if missing("the factor models of scikit-surprise", "scikit-surprise"):
        return
    raw, what = raw_ratings(quick, 20_000)
    parts = trainsets(raw)
    for algorithm, options, least in FITS:
        yield _compared(algorithm, options, least, parts, what, repeats)


def _compared(
    name: str,
    options: dict[str, Any],
    least: float | None,
    parts: list[tuple[Any, Any]],
    what: str,
    repeats: int,
) -> Row:
    seed = {} if name == "BaselineOnly" else {"random_state": 0}
    (peer, theirs), (own, ours) = [
        (getattr(library, name)(**options, **seed), trainset) for library, trainset in parts
    ]
    seconds = interleaved({"theirs": lambda: peer.fit(theirs), "ours": lambda: own.fit(ours)}, repeats)
    learned = "avg_cocltr" if name == "CoClustering" else "bi" if name == "BaselineOnly" else "qi"
    difference = float(np.abs(getattr(peer, learned) - getattr(own, learned)).max())
    said = ", ".join(f"{key}={value!r}" for key, value in options.items() if key != "verbose")
    return row(
        f"{name}({said}).fit, {what}, 1 thread",
        seconds["ours"],
        peer=named("scikit-surprise", f"{name} (one thread)"),
        peer_seconds=seconds["theirs"],
        equality={f"largest_difference_of_{learned}": difference},
        k_core=least,
    )


if __name__ == "__main__":
    main("compat_factors", rows, __doc__)
