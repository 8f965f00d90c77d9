"""Fuzzing: invariants of everything that a reader returns."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np

from foretaste.ids import IdIndex


class InvariantError(AssertionError):
    """A result that no reader may give."""


def must(true: bool, what: str) -> None:
    """Raise InvariantError unless something is true."""
    if not true:
        raise InvariantError(what)


def sound_index(index: IdIndex) -> None:
    """Raise InvariantError if an index is invalid: expected."""
    ids = index.ids.tolist()
    must(all(a < b for a, b in pairwise(ids)), "ids are not sorted and distinct")
    kind = str if index.dtype == "str" else int
    must(all(type(id_) is kind for id_ in ids), "ids of a wrong type")
    must("" not in ids, "an empty id")


def sound(ratings: Any) -> None:
    """Raise InvariantError if ratings are not what ``Ratings`` promises."""
    n = len(ratings)
    must(n > 0 and len(ratings.item) == len(ratings.value) == n, "columns of different lengths")
    must(
        ratings.value.dtype == np.float32 and bool(np.isfinite(ratings.value).all()), "a value is not finite"
    )
    for codes, index in ((ratings.user, ratings.users), (ratings.item, ratings.items)):
        sound_index(index)
        must(codes.dtype == np.int32, "codes are no int32")
        must(np.array_equal(np.unique(codes), np.arange(len(index))), "codes and ids do not match")
    pairs = ratings.user.astype(np.int64) * len(ratings.items) + ratings.item
    must(len(np.unique(pairs)) == n, "a pair stands twice")
    if ratings.timestamp is not None:
        must(
            ratings.timestamp.dtype == np.int64 and len(ratings.timestamp) == n, "times are not whole seconds"
        )
    if ratings.weight is not None:
        must(len(ratings.weight) == n and bool((ratings.weight >= 0).all()), "a weight is not sound")
    if ratings.scale is not None:
        low, high = ratings.scale
        must(bool(((ratings.value >= low) & (ratings.value <= high)).all()), "a rating outside the scale")


def same(one: Any, other: Any) -> bool:
    """Whether two ratings are the same rows under the same ids."""
    columns = (
        (one.user, other.user),
        (one.item, other.item),
        (one.value, other.value),
        (one.timestamp, other.timestamp),
    )
    return (
        one.users == other.users
        and one.items == other.items
        and all(map(_equal, *zip(*columns, strict=True)))
    )


def _equal(a: Any, b: Any) -> bool:
    return (a is None) == (b is None) and (a is None or np.array_equal(a, b))
