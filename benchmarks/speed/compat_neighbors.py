"""Neighbors and Slope One of foretaste.compat.surprise against scikit-surprise: fit, and test on a fifth."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import numpy as np

from benchmarks.speed.compat import raw_ratings, trainsets
from benchmarks.speed.rows import Row, main, row
from benchmarks.timing import is_missing, peer_label, time_in_turns

CASES = (
    ("KNNBasic", {"name": "msd", "user_based": True}),
    ("KNNBasic", {"name": "cosine", "user_based": False}),
    ("KNNWithMeans", {"name": "pearson", "user_based": True}),
    ("KNNWithZScore", {"name": "msd", "user_based": True}),
    ("KNNBaseline", {"name": "pearson_baseline", "user_based": False}),
    ("SlopeOne", None),
)


def rows(quick: bool, repeats: int) -> Iterator[Row]:
    if is_missing("the neighbors of scikit-surprise", "scikit-surprise"):
        return
    raw, what = raw_ratings(quick, 10_000)
    raw = [raw[row] for row in np.random.default_rng(0).permutation(len(raw)).tolist()]
    cut = len(raw) * 4 // 5
    parts = trainsets(raw[:cut])
    testset = [line[:3] for line in raw[cut:]]
    before = os.environ.get("FORETASTE_THREADS")
    os.environ["FORETASTE_THREADS"] = "1"  # the peer has one
    try:
        for algorithm, options in CASES:
            yield _compare(algorithm, options, parts, testset, what, repeats)
    finally:
        if before is None:
            del os.environ["FORETASTE_THREADS"]
        else:
            os.environ["FORETASTE_THREADS"] = before


def _compare(
    algorithm: str,
    options: dict[str, Any] | None,
    parts: list[tuple[Any, Any]],
    testset: Any,
    what: str,
    repeats: int,
) -> Row:
    predictions: dict[int, Any] = {}

    def work(index: int) -> None:
        library, trainset = parts[index]
        arguments = {} if options is None else {"sim_options": dict(options), "verbose": False}
        algo = getattr(library, algorithm)(**arguments).fit(trainset)
        predictions[index] = np.array([one.est for one in algo.test(testset)])

    seconds = time_in_turns({"theirs": lambda: work(0), "ours": lambda: work(1)}, repeats)
    gap = float(np.abs(predictions[0] - predictions[1]).max())
    kind = "" if options is None else f"({options['name']}, {'users' if options['user_based'] else 'items'})"
    return row(
        f"{algorithm}{kind}, fit and test, {what}, 1 thread",
        seconds["ours"],
        peer=peer_label("scikit-surprise", f"{algorithm} (one thread)"),
        peer_seconds=seconds["theirs"],
        equality={"largest_difference": gap},
    )


if __name__ == "__main__":
    main("compat_neighbors", rows, __doc__)
