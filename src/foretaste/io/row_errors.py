"""Rows of a source that cannot be used: refused at once, or collected and left out, aloud."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from foretaste.errors import DataError
from foretaste.typing import AnyArray, BoolArray, Int64Array

ROW_ERROR_KINDS = {
    "ragged": "too many or too few fields",
    "missing_id": "an id is missing",
    "not_a_number": "a rating is no finite number",
    "bad_time": "a time cannot be understood",
    "outside_scale": "a rating lies outside the declared scale",
    "duplicate": "the user rated the item before",
}


@dataclass(frozen=True, eq=False)
class RowError:
    """Rows that cannot be used, all for the same reason.

    Parameters
    ----------
    kind : str
        A key of ``ROW_ERROR_KINDS``.
    problem : str
        What is wrong with the first of them: ``rating is "N/A", not a number``.
    where : str
        The first of them as it stands in the source.
    hint : str
        What mends it, as arguments of ``read_ratings``.
    rows : int64 array, shape (n,)
        The rows, from 0, in the order of the source.
    row_labels : tuple of str
        What the first few are called: ``line 48,213``.
    n_conflicting : int
        Of repeated pairs: how many rows have another rating than the first.
    """

    kind: str
    problem: str
    where: str
    hint: str
    rows: Int64Array
    row_labels: tuple[str, ...]
    n_conflicting: int = 0

    def to_exception(self, name: str) -> DataError:
        """Return the fault as the error that refuses the source of this name."""
        where = self.where
        if len(self.rows) > 1:
            unit = self.row_labels[0].split()[0] if self.row_labels else "row"
            first = ", ".join(label.split()[-1].replace(",", "") for label in self.row_labels)
            where += f"\n  {len(self.rows):,} {unit}s are like this (first: {first})"
        return DataError(f"{name}, {self.row_labels[0]}: {self.problem}", where=where, hint=self.hint)

    def __str__(self) -> str:
        more = ", ..." if len(self.rows) > len(self.row_labels) else ""
        return f"{len(self.rows):,} because {ROW_ERROR_KINDS[self.kind]} ({', '.join(self.row_labels)}{more})"


class RowSource(Protocol):
    """A table whose rows can be named."""

    name: str
    error_collector: RowErrorCollector

    def make_row_error(self, kind: str, rows: AnyArray, problem: str, hint: str) -> RowError:
        """Make the fault of some rows at hand."""

    def row_label(self, row: int) -> str:
        """Say where a row at hand stands."""


class TextRowSource(RowSource, Protocol):
    """A table of which columns can be had as texts."""

    decimal: str
    header: list[str] | None

    @property
    def sample(self) -> Sequence[Sequence[str]]:
        """The first rows as they stand, without the header."""

    def column_text(self, index: int) -> Any:
        """Return a column of the rows at hand as a polars series of text."""


class RowErrorCollector:
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
        self.row_errors: list[RowError] = []
        self._invalid_rows: list[Int64Array] = []

    def record(self, row_error: RowError, rows: Int64Array | None = None) -> None:
        """Take a fault.

        Parameters
        ----------
        row_error : Fault
        rows : int64 array, optional
            The places of its rows among those at hand, where these are still there to be left out.

        Raises
        ------
        DataError
            If rows are not to be skipped.
        """
        if not self.skip:
            raise row_error.to_exception(self.name)
        self.row_errors.append(row_error)
        if rows is not None:
            self._invalid_rows.append(rows)

    def pop(self) -> None:
        """Forget the fault met last: its rows count again."""
        self.row_errors.pop()
        self._invalid_rows.pop()

    def valid_mask(self, n: int) -> BoolArray:
        """Return which of ``n`` rows at hand can be used."""
        mask = np.ones(n, dtype=bool)
        for rows in self._invalid_rows:
            mask[rows] = False
        return mask

    def n_skipped(self) -> int:
        """Return how many rows of the source are left out."""
        return (
            len(np.unique(np.concatenate([row_error.rows for row_error in self.row_errors])))
            if self.row_errors
            else 0
        )
