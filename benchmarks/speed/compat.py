"""Shared by the benchmarks of foretaste.compat.surprise: the same ratings for both libraries."""

from __future__ import annotations

from typing import Any

from benchmarks.data import generate_ratings, load_real, shape_of

Raw = list[tuple[str, str, float, None]]


def raw_ratings(quick: bool, few: int) -> tuple[Raw, str]:
    """Return MovieLens 100K, or generated ratings where it is not available (``few`` of them if quick)."""
    ratings = None if quick else load_real("ml-100k")
    name = "generated like MovieLens" if ratings is None else "ml-100k"
    if ratings is None:
        size = few if quick else 100_000
        ratings = generate_ratings(*shape_of(size), size)
    columns = ratings.user.tolist(), ratings.item.tolist(), ratings.value.tolist()
    raw: Raw = [
        (str(user), str(item), float(value), None) for user, item, value in zip(*columns, strict=True)
    ]
    return raw, f"{len(raw):,} ratings ({name})"


def trainsets(raw: Raw) -> list[tuple[Any, Any]]:
    """Return pairs (library, its trainset) of scikit-surprise and of foretaste."""
    import surprise

    from foretaste.compat import surprise as compat

    return [
        (library, library.Dataset(library.Reader(rating_scale=(1, 5))).construct_trainset(raw))
        for library in (surprise, compat)
    ]
