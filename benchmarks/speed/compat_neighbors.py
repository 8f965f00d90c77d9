"""Neighbours and Slope One of foretaste.compat.surprise: fit, and test of a fifth, beside scikit-surprise."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import numpy as np

from benchmarks.speed.compat import raw_ratings, trainsets
from benchmarks.speed.rows import Row, main, row
from benchmarks.timing import interleaved, missing, named

CASES = (
    ("KNNBasic", {"name": "msd", "user_based": True}),
    ("KNNBasic", {"name": "cosine", "user_based": False}),
    ("KNNWithMeans", {"name": "pearson", "user_based": True}),
    ("KNNWithZScore", {"name": "msd", "user_based": True}),
    ("KNNBaseline", {"name": "pearson_baseline", "user_based": False}),
    ("SlopeOne", None),
)


def rows(quick: bool, repeats: int) -> Iterator[Row]:
    if missing("the neighbours of scikit-surprise", "scikit-surprise"):
        return
    raw, what = raw_ratings(quick, 10_000)
    raw = [raw[row] for row in np.random.default_rng(0).permutation(len(raw)).tolist()]
    cut = len(raw) * 4 // 5
    parts = trainsets(raw[:cut])
    testset = [line[:3] for line in raw[cut:]]
    before = os.environ.get("FORETASTE_THREADS")
    os.environ["FORETASTE_THREADS"] = "1"  # the peer has one
    try:
        for form, options in CASES:
            yield _compared(form, options, parts, testset, what, repeats)
    finally:
        if before is None:
            del os.environ["FORETASTE_THREADS"]
        else:
            os.environ["FORETASTE_THREADS"] = before


def _compared(
    form: str,
    options: dict[str, Any] | None,
    parts: list[tuple[Any, Any]],
    testset: Any,
    what: str,
    repeats: int,
) -> Row:
    found: dict[int, Any] = {}

    def work(place: int) -> None:
        library, trainset = parts[place]
        given = {} if options is None else {"sim_options": dict(options), "verbose": False}
        algo = getattr(library, form)(**given).fit(trainset)
        found[place] = np.array([one.est for one in algo.test(testset)])

    seconds = interleaved({"theirs": lambda: work(0), "ours": lambda: work(1)}, repeats)
    gap = float(np.abs(found[0] - found[1]).max())
    kind = "" if options is None else f"({options['name']}, {'users' if options['user_based'] else 'items'})"
    return row(
        f"{form}{kind}, fit and test, {what}, 1 thread",
        seconds["ours"],
        peer=named("scikit-surprise", f"{form} (one thread)"),
        peer_seconds=seconds["theirs"],
        equality={"largest_difference": gap},
    )


if __name__ == "__main__":
    main("compat_neighbors", rows, __doc__)
