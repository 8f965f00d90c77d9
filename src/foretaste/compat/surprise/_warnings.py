"""Warnings where scikit-surprise goes on without a word, and gives numbers that nobody meant."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

_PACKAGE_FOLDER = str(Path(__file__).parent)


class SurpriseCompatWarning(UserWarning):
    """Something that scikit-surprise takes without a word, and that is rarely meant."""


def find_in_other_type(raw: Any, known: Mapping[Any, int]) -> Any:
    """Return the known id that says the same as an unknown one in another type, or None."""
    for kind in (str, int, float):
        try:
            converted = kind(raw)
        except (TypeError, ValueError, OverflowError):
            continue
        if converted in known:
            return converted
    return None


def warn(message: str, fix: str) -> None:
    """Warn of a trap, at the line of the program that stepped into it.

    Parameters
    ----------
    message : str
        What is there, and in which row.
    mend : str
        What to type.
    """
    level, frame = 2, sys._getframe(1)
    while frame.f_back is not None and frame.f_code.co_filename.startswith(_PACKAGE_FOLDER):
        level, frame = level + 1, frame.f_back
    warnings.warn(f"{message}\ntry: {fix}", SurpriseCompatWarning, stacklevel=level)


def warn_about_unknown_ids(entity: str, known: Mapping[Any, int], unknown: Iterable[tuple[int, Any]]) -> None:
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
        match = find_in_other_type(raw, known)
        if match is not None:
            warn(
                f"row {row}: {entity} {raw!r} is unknown, but {match!r} is not; the prediction is made as for a "
                f"stranger",
                f"{match!r}: raw ids are {type(match).__name__} here, not {type(raw).__name__}",
            )
            return


def warn_about_ratings(
    ratings: Sequence[tuple[Any, Any, float, Any]],
    scale: tuple[float, float],
    row_label: Callable[[int], str],
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
            f"{row_label(int(missing[0]))}: the rating is NaN, which makes the mean of all ratings and what is "
            f"learned from it NaN ({len(missing):,} such)",
            "leave these rows out before the ratings are loaded",
        )
    outside = np.flatnonzero((values < low) | (values > high))
    if len(outside):
        known = values[~np.isnan(values)]
        first = int(outside[0])
        warn(
            f"{row_label(first)}: the rating {values[first]:g} is outside the scale {low:g} to {high:g} of the "
            f"Reader, into which all predictions are brought ({len(outside):,} such)",
            f"Reader(rating_scale=({known.min():g}, {known.max():g}), ...)",
        )
    if len({(user, item) for user, item, _, _ in ratings}) < len(ratings):
        _warn_about_duplicates(ratings, row_label)


def _warn_about_duplicates(
    ratings: Sequence[tuple[Any, Any, float, Any]], row_label: Callable[[int], str]
) -> None:
    first: dict[tuple[Any, Any], int] = {}
    repeated = [
        (row, previous)
        for row, (user, item, _, _) in enumerate(ratings)
        if (previous := first.setdefault((user, item), row)) != row
    ]
    row, previous = repeated[0]
    user, item, _, _ = ratings[row]
    warn(
        f"{row_label(row)}: user {user!r} rates item {item!r} again, after {row_label(previous)}; both ratings count "
        f"({len(repeated):,} such)",
        "keep one of each pair before the ratings are loaded, the last for example",
    )
