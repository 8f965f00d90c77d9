"""The factor models of foretaste.compat.surprise against scikit-surprise: whole fits, the same numbers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from benchmarks.data import generated, real, shape_of
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
    ratings = None if quick else real("ml-100k")
    name = "generated like MovieLens" if ratings is None else "ml-100k"
    if ratings is None:
        size = 20_000 if quick else 100_000
        ratings = generated(*shape_of(size), size)
    raw = [
        (str(user), str(item), float(value), None)
        for user, item, value in zip(
            ratings.user.tolist(), ratings.item.tolist(), ratings.value.tolist(), strict=True
        )
    ]
    theirs, ours = _trainsets(raw)
    for algorithm, options, least in FITS:
        yield _compared(algorithm, options, least, theirs, ours, f"{len(raw):,} ratings ({name})", repeats)


def _trainsets(raw: list[tuple[str, str, float, None]]) -> tuple[Any, Any]:
    import surprise

    from foretaste.compat import surprise as compat

    found = []
    for library in (surprise, compat):
        data = library.Dataset(library.Reader(rating_scale=(1, 5)))
        found.append(data.construct_trainset(raw))
    return found[0], found[1]


def _compared(
    name: str, options: dict[str, Any], least: float | None, theirs: Any, ours: Any, what: str, repeats: int
) -> Row:
    import surprise

    from foretaste.compat.surprise import prediction_algorithms as compat

    seed = {} if name == "BaselineOnly" else {"random_state": 0}
    peer = getattr(surprise, name)(**options, **seed)
    own = getattr(compat, name)(**options, **seed)
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
        at_least=least,
    )


if __name__ == "__main__":
    main("compat_factors", rows, __doc__)
