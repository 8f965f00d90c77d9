"""Factor models of foretaste.compat.surprise against scikit-surprise: whole fits with equal results."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from benchmarks.speed.compat import raw_ratings, trainsets
from benchmarks.speed.rows import Row, main, row
from benchmarks.timing import is_missing, peer_label, time_in_turns

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
    if is_missing("the factor models of scikit-surprise", "scikit-surprise"):
        return
    raw, what = raw_ratings(quick, 20_000)
    parts = trainsets(raw)
    for algorithm, options, min_ratio in FITS:
        yield _compare(algorithm, options, min_ratio, parts, what, repeats)


def _compare(
    name: str,
    options: dict[str, Any],
    min_ratio: float | None,
    parts: list[tuple[Any, Any]],
    what: str,
    repeats: int,
) -> Row:
    seed = {} if name == "BaselineOnly" else {"random_state": 0}
    (peer, theirs), (own, ours) = [
        (getattr(library, name)(**options, **seed), trainset) for library, trainset in parts
    ]
    seconds = time_in_turns({"theirs": lambda: peer.fit(theirs), "ours": lambda: own.fit(ours)}, repeats)
    attribute = "avg_cocltr" if name == "CoClustering" else "bi" if name == "BaselineOnly" else "qi"
    difference = float(np.abs(getattr(peer, attribute) - getattr(own, attribute)).max())
    options_text = ", ".join(f"{key}={value!r}" for key, value in options.items() if key != "verbose")
    return row(
        f"{name}({options_text}).fit, {what}, 1 thread",
        seconds["ours"],
        peer=peer_label("scikit-surprise", f"{name} (one thread)"),
        peer_seconds=seconds["theirs"],
        equality={f"largest_difference_of_{attribute}": difference},
        min_ratio=min_ratio,
    )


if __name__ == "__main__":
    main("compat_factors", rows, __doc__)
