"""Where an audit gets its ratings from: the one place that knows how sources are read leniently."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from foretaste.columns import check_scale, row_place
from foretaste.errors import InvalidParameter
from foretaste.io.faults import Fault
from foretaste.ratings import Ratings

_SHOWN = 3


@dataclass(frozen=True, eq=False)
class Case:
    """What is audited.

    Parameters
    ----------
    ratings : Ratings
        The rows that can be used.
    faults : tuple of Fault
        The rows that cannot.
    rows : int
        Of the source, all of them.
    name : str
        What the source is called.
    seed : int
        Of the splits that are tried.
    duplicates : str
        What the caller wants of repeated pairs.
    conflicting : int or None
        How many repeated rows have another rating than the row that is kept; None if that is not known.
    """

    ratings: Ratings
    faults: tuple[Fault, ...]
    rows: int
    name: str
    seed: int = 0
    duplicates: str = "refuse"
    conflicting: int | None = None

    def fault(self, kind: str) -> Fault | None:
        """Return the fault of a kind, if there is one."""
        return next((fault for fault in self.faults if fault.kind == kind), None)

    @cached_property
    def user_counts(self) -> npt.NDArray[np.int64]:
        """How many ratings each user gave."""
        return np.bincount(self.ratings.user, minlength=len(self.ratings.users))

    @cached_property
    def item_counts(self) -> npt.NDArray[np.int64]:
        """How many ratings each item has."""
        return np.bincount(self.ratings.item, minlength=len(self.ratings.items))

    @cached_property
    def distinct(self) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]:
        """The distinct ratings, in order, and how often each was given."""
        values, counts = np.unique(self.ratings.value, return_counts=True)
        return values.astype(np.float64), counts

    def rating_quantile(self, share: float) -> float:
        """Return the rating below which a share of all lies."""
        values, counts = self.distinct
        return float(values[np.searchsorted(np.cumsum(counts), share * len(self.ratings))])


def opened(source: Any, scale: Any, seed: int, reading: dict[str, Any]) -> Case:
    """Read what is to be audited, so that rows that cannot be used are counted rather than refused.

    Parameters
    ----------
    source : Ratings, str, Path, or pandas, polars or Arrow table
    scale : (low, high) or None
    seed : int
    reading : dict
        The other arguments of ``read_ratings``.
    """
    if isinstance(source, Ratings):
        if reading:
            raise InvalidParameter(
                f"{next(iter(reading))}= says how to read a source; these ratings are read already",
                hint="audit(ratings), or audit(PATH, ...)",
            )
        return _of_ratings(source, scale, seed)
    from foretaste.io import survey

    duplicates = reading.pop("duplicates", "refuse")
    found = survey(source, scale=scale, **reading)
    conflicting = _conflicting(found.ratings, getattr(found, "repeats", None))
    return Case(found.ratings, tuple(found.faults), found.rows, found.name, seed, duplicates, conflicting)


def _of_ratings(ratings: Ratings, scale: Any, seed: int) -> Case:
    """Take ratings in memory, without those outside a scale that is declared only now."""
    faults: tuple[Fault, ...] = ()
    rows = len(ratings)
    if scale is not None:
        check_scale(scale)
        low, high = (float(end) for end in scale)
        outside = (ratings.value < low) | (ratings.value > high)
        if outside.any():
            faults = (_outside(ratings, np.flatnonzero(outside), low, high),)
        ratings = ratings[~outside].replace(scale=(low, high))
    return Case(ratings, faults, rows, "the ratings", seed)


def _outside(ratings: Ratings, rows: npt.NDArray[np.int64], low: float, high: float) -> Fault:
    place: Callable[[int], str] = row_place
    first = int(rows[0])
    return Fault(
        kind="outside_scale",
        problem=f"rating is {ratings.value[first]:g}, outside the declared scale {low:g} to {high:g}",
        where=place(first),
        hint=f'where="rating BETWEEN {low:g} AND {high:g}" leaves such rows out',
        rows=rows,
        places=tuple(place(int(row)) for row in rows[:_SHOWN]),
    )


def _conflicting(ratings: Ratings, repeats: Ratings | None) -> int | None:
    """Count the repeated rows whose rating differs from that of the row that was kept."""
    if repeats is None:
        return None
    user = ratings.users.remap(repeats.users.ids)[repeats.user].astype(np.int64)
    item = ratings.items.remap(repeats.items.ids)[repeats.item]
    kept = ratings.user.astype(np.int64) * len(ratings.items) + ratings.item
    order = np.argsort(kept)
    place = order[np.searchsorted(kept, user * len(ratings.items) + item, sorter=order)]
    return int(np.count_nonzero(ratings.value[place] != repeats.value))
