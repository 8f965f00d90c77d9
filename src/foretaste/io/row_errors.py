"""Rows of a source that cannot be used: refused at once, or collected and left out, aloud."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from foretaste.errors import BadData

KINDS = {
    "ragged": "too many or too few fields",
    "missing_id": "an id is missing",
    "not_a_number": "a rating is no finite number",
    "bad_time": "a time cannot be understood",
    "outside_scale": "a rating lies outside the declared scale",
    "duplicate": "the user rated the item before",
}


@dataclass(frozen=True, eq=False)
class Fault:
    """Rows that cannot be used, all for the same reason.

    Parameters
    ----------
    kind : str
        A key of ``KINDS``.
    problem : str
        What is wrong with the first of them: ``rating is "N/A", not a number``.
    where : str
        The first of them as it stands in the source.
    hint : str
        What mends it, as arguments of ``read_ratings``.
    rows : int64 array, shape (n,)
        The rows, from 0, in the order of the source.
    places : tuple of str
        What the first few are called: ``line 48,213``.
    conflicting : int
        Of repeated pairs: how many rows have another rating than the first.
    """

    kind: str
    problem: str
    where: str
    hint: str
    rows: npt.NDArray[np.int64]
    places: tuple[str, ...]
    conflicting: int = 0

    def error(self, name: str) -> BadData:
        """Return the fault as the error that refuses the source of this name."""
        where = self.where
        if len(self.rows) > 1:
            word = self.places[0].split()[0] if self.places else "row"
            first = ", ".join(place.split()[-1].replace(",", "") for place in self.places)
            where += f"\n  {len(self.rows):,} {word}s are like this (first: {first})"
        return BadData(f"{name}, {self.places[0]}: {self.problem}", where=where, hint=self.hint)

    def __str__(self) -> str:
        more = ", ..." if len(self.rows) > len(self.places) else ""
        return f"{len(self.rows):,} because {KINDS[self.kind]} ({', '.join(self.places)}{more})"


class Rows(Protocol):
    """A table whose rows can be named."""

    name: str
    sieve: Sieve

    def fault(self, kind: str, rows: npt.NDArray[Any], problem: str, hint: str) -> Fault:
        """Make the fault of some rows at hand."""

    def place(self, row: int) -> str:
        """Say where a row at hand stands."""


class Texts(Rows, Protocol):
    """A table of which columns can be had as texts."""

    decimal: str
    header: list[str] | None

    @property
    def sample(self) -> Sequence[Sequence[str]]:
        """The first rows as they stand, without the header."""

    def cells(self, place: int) -> Any:
        """Return a column of the rows at hand as a polars series of text."""


class Sieve:
    """What happens to rows that cannot be used: they are refused at once, or left out and kept account of.

    Parameters
    ----------
    name : str
        What the source is called.
    skip : bool
        Whether such rows are left out rather than refused.
    """

    def __init__(self, name: str, *, skip: bool) -> None:
        self.name = name
        self.skip = skip
        self.faults: list[Fault] = []
        self._bad: list[npt.NDArray[np.int64]] = []

    def meet(self, fault: Fault, rows: npt.NDArray[np.int64] | None = None) -> None:
        """Take a fault.

        Parameters
        ----------
        fault : Fault
        rows : int64 array, optional
            The places of its rows among those at hand, where these are still there to be left out.

        Raises
        ------
        BadData
            If rows are not to be skipped.
        """
        if not self.skip:
            raise fault.error(self.name)
        self.faults.append(fault)
        if rows is not None:
            self._bad.append(rows)

    def forget(self) -> None:
        """Forget the fault met last: its rows count again."""
        self.faults.pop()
        self._bad.pop()

    def good(self, n: int) -> npt.NDArray[np.bool_]:
        """Return which of ``n`` rows at hand can be used."""
        good = np.ones(n, dtype=bool)
        for rows in self._bad:
            good[rows] = False
        return good

    def lost(self) -> int:
        """Return how many rows of the source are left out."""
        return len(np.unique(np.concatenate([fault.rows for fault in self.faults]))) if self.faults else 0
