"""Warnings where scikit-surprise goes on without a word, and gives numbers that nobody meant."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

_HERE = str(Path(__file__).parent)


class SurpriseTrap(UserWarning):
    """Something that scikit-surprise takes without a word, and that is rarely meant."""


def other_type(raw: Any, known: Mapping[Any, int]) -> Any:
    """Return the known id that says the same as an unknown one in another type, or None."""
    for kind in (str, int, float):
        try:
            same = kind(raw)
        except (TypeError, ValueError, OverflowError):
            continue
        if same in known:
            return same
    return None


def warn(message: str, mend: str) -> None:
    """Warn of a trap, at the line of the program that stepped into it.

    Parameters
    ----------
    message : str
        What is there, and in which row.
    mend : str
        What to type.
    """
    level, frame = 2, sys._getframe(1)
    while frame.f_back is not None and frame.f_code.co_filename.startswith(_HERE):
        level, frame = level + 1, frame.f_back
    warnings.warn(f"{message}\ntry: {mend}", SurpriseTrap, stacklevel=level)


def unknown_ids(what: str, known: Mapping[Any, int], unknown: Iterable[tuple[int, Any]]) -> None:
    """Warn of the first id that is unknown only because it has another type.

    Parameters
    ----------
    what : str
        ``"user"`` or ``"item"``.
    known : mapping
        The raw ids that the trainset knows.
    unknown : iterable of (int, object)
        Rows, from 0, and the raw ids in them.
    """
    for row, raw in unknown:
        near = other_type(raw, known)
        if near is not None:
            warn(
                f"row {row}: {what} {raw!r} is unknown, but {near!r} is not; the prediction is made as for a "
                f"stranger",
                f"{near!r}: raw ids are {type(near).__name__} here, not {type(raw).__name__}",
            )
            return


def odd_ratings(
    ratings: Sequence[tuple[Any, Any, float, Any]], scale: tuple[float, float], place: Callable[[int], str]
) -> None:
    """Warn of ratings that are NaN, outside the scale, or the second of one user for one item.

    Parameters
    ----------
    ratings : list of (user, item, rating, time)
    scale : (low, high)
    place : function of int
        How a row, counted from 0, is called.
    """
    values = np.fromiter((rating for _, _, rating, _ in ratings), np.float64, len(ratings))
    low, high = scale
    missing = np.flatnonzero(np.isnan(values))
    if len(missing):
        warn(
            f"{place(int(missing[0]))}: the rating is NaN, which makes the mean of all ratings and what is "
            f"learned from it NaN ({len(missing):,} such)",
            "leave these rows out before the ratings are loaded",
        )
    outside = np.flatnonzero((values < low) | (values > high))
    if len(outside):
        inside = values[~np.isnan(values)]
        first = int(outside[0])
        warn(
            f"{place(first)}: the rating {values[first]:g} is outside the scale {low:g} to {high:g} of the "
            f"Reader, into which all predictions are brought ({len(outside):,} such)",
            f"Reader(rating_scale=({inside.min():g}, {inside.max():g}), ...)",
        )
    if len({(user, item) for user, item, _, _ in ratings}) < len(ratings):
        _warn_of_duplicates(ratings, place)


def _warn_of_duplicates(ratings: Sequence[tuple[Any, Any, float, Any]], place: Callable[[int], str]) -> None:
    first: dict[tuple[Any, Any], int] = {}
    again = [
        (row, before)
        for row, (user, item, _, _) in enumerate(ratings)
        if (before := first.setdefault((user, item), row)) != row
    ]
    row, before = again[0]
    user, item, _, _ = ratings[row]
    warn(
        f"{place(row)}: user {user!r} rates item {item!r} again, after {place(before)}; both ratings count "
        f"({len(again):,} such)",
        "keep one of each pair before the ratings are loaded, the last for example",
    )
