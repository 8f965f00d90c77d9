"""Warnings about input that scikit-surprise accepts silently and that is rarely intended."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

_PACKAGE_FOLDER = str(Path(__file__).parent)


class SurpriseCompatWarning(UserWarning):
    """Input that scikit-surprise accepts silently and that is rarely intended."""


def find_in_other_type(raw: Any, known: Mapping[Any, int]) -> Any:
    """Return the known id that equals an unknown one converted to another type, or None."""
    for kind in (str, int, float):
        try:
            converted = kind(raw)
        except (TypeError, ValueError, OverflowError):
            continue
        if converted in known:
            return converted
    return None


def warn(message: str, fix: str) -> None:
    """Warn at the line of the program that called this package.

    Parameters
    ----------
    message : str
        The problem and its row.
    fix : str
        How to fix it.
    """
    level, frame = 2, sys._getframe(1)
    while frame.f_back is not None and frame.f_code.co_filename.startswith(_PACKAGE_FOLDER):
        level, frame = level + 1, frame.f_back
    warnings.warn(f"{message}\ntry: {fix}", SurpriseCompatWarning, stacklevel=level)


def warn_about_unknown_ids(entity: str, known: Mapping[Any, int], unknown: Iterable[tuple[int, Any]]) -> None:
    """Warn about the first id that is unknown only because of its type.

    Parameters
    ----------
    entity : str
        ``"user"`` or ``"item"``.
    known : mapping
        The raw ids of the trainset.
    unknown : iterable of (int, object)
        Rows, from 0, and the raw ids in them.
    """
    for row, raw in unknown:
        match = find_in_other_type(raw, known)
        if match is not None:
            warn(
                f"row {row}: {entity} {raw!r} is unknown, but {match!r} is not; the prediction is made "
                "as for an unknown id",
                f"{match!r}: raw ids are {type(match).__name__} here, not {type(raw).__name__}",
            )
            return


def warn_about_ratings(
    ratings: Sequence[tuple[Any, Any, float, Any]],
    scale: tuple[float, float],
    row_label: Callable[[int], str],
) -> None:
    """Warn about ratings that are NaN, outside the scale, or repeated.

    Parameters
    ----------
    ratings : list of (user, item, rating, time)
    scale : (low, high)
    row_label : function of int
        Returns the label of a row, from 0.
    """
    values = np.fromiter((rating for _, _, rating, _ in ratings), np.float64, len(ratings))
    low, high = scale
    missing = np.flatnonzero(np.isnan(values))
    if len(missing):
        warn(
            f"{row_label(int(missing[0]))}: the rating is NaN, "
            f"which makes the global mean and "
            f"the fitted parameters NaN ({len(missing):,} such)",
            "leave these rows out before the ratings are loaded",
        )
    outside = np.flatnonzero((values < low) | (values > high))
    if len(outside):
        known = values[~np.isnan(values)]
        first = int(outside[0])
        warn(
            f"{row_label(first)}: the rating {values[first]:g} is outside the scale {low:g} to {high:g} "
            f"of the "
            f"Reader, to which all predictions are clipped ({len(outside):,} such)",
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
        f"{row_label(row)}: user {user!r} rates item {item!r} again, after "
        f"{row_label(previous)}; both ratings count "
        f"({len(repeated):,} such)",
        "keep one of each pair before the ratings are loaded, the last for example",
    )
