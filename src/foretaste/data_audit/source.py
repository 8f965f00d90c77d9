"""Where an audit gets its ratings from: the one place that knows how sources are read leniently."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from foretaste.column_roles import check_scale, row_place
from foretaste.errors import ForetasteError, InvalidParameter, did_you_mean
from foretaste.io.row_errors import Fault
from foretaste.ratings import Ratings

if TYPE_CHECKING:
    from foretaste.io import Survey

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
    skip : bool
        Whether the caller wants unusable rows to be left out, and so knows of them.
    where : str or None
        The condition that the rows of a source were chosen by.
    source
        What was read, if it was not ratings.
    reading : dict
        How it was read.
    """

    ratings: Ratings
    faults: tuple[Fault, ...]
    rows: int
    name: str
    seed: int = 0
    skip: bool = False
    where: str | None = None
    source: Any = None
    reading: dict[str, Any] = field(default_factory=dict)

    def has_fault(self, kind: str) -> bool:
        """Whether rows could not be used for a reason."""
        return any(fault.kind == kind for fault in self.faults)

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

    def left_by(self, condition: str) -> int | None:
        """Return how many ratings are left under a condition; None if it does not fit the source.

        A source is read anew, and in silence: what it guesses was said before. One that can be read only
        once, as a stream, is not tried: then the ratings themselves are.
        """
        try:
            if not _can_be_read_again(self.source):
                return len(self.ratings.where(condition))
            with _silence():
                return len(_survey(self.source, self.reading | {"where": condition}).ratings)
        except ForetasteError:
            return None

    def rating_quantile(self, share: float) -> float:
        """Return the rating below which a share of all lies."""
        values, counts = self.distinct
        return float(values[np.searchsorted(np.cumsum(counts), share * len(self.ratings))])


def opened(source: Any, scale: Any, seed: int, reading: dict[str, Any]) -> Case:
    """Read what is to be audited, so that rows that cannot be used are counted rather than refused.

    Parameters
    ----------
    source : Ratings, or a file, frame or database
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
    on_error = reading.pop("on_error", "raise")
    if on_error not in ("raise", "skip"):
        raise InvalidParameter(
            f"on_error={on_error!r} is not allowed{did_you_mean(on_error, ['raise', 'skip'])}",
            hint='on_error="skip" lists unusable rows as notes; "raise" as warnings',
        )
    reading |= {"scale": scale}
    found = _survey(source, reading)
    return Case(
        found.ratings, found.faults, found.rows, found.name, seed,
        skip=on_error == "skip", where=reading.get("where"), source=source, reading=reading,
    )  # fmt: skip


def _survey(source: Any, reading: dict[str, Any]) -> Survey:
    from foretaste.io import survey

    return survey(source, **reading)


def _can_be_read_again(source: Any) -> bool:
    if isinstance(source, str | Path):
        return Path(source).is_file()
    return type(source).__module__.partition(".")[0] in ("pandas", "polars")


@contextmanager
def _silence() -> Iterator[None]:
    log = logging.getLogger("foretaste")
    before = log.disabled
    log.disabled = True
    try:
        yield
    finally:
        log.disabled = before


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
