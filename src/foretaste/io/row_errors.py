"""Row errors: raised at once, or collected and logged (``on_error="skip"``)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from foretaste.errors import (
    DataError,
    Hint,
)
from foretaste.typing import AnyArray, BoolArray, Float32Array, Int64Array

ROW_ERROR_KINDS = {
    "ragged": "too many or too few fields",
    "missing_id": "an id is missing",
    "not_a_number": "a rating is not a finite number",
    "bad_time": "a timestamp cannot be parsed",
    "outside_scale": "a rating is outside the declared scale",
    "duplicate": "the user already rated the item",
}


@dataclass(frozen=True, eq=False)
class RowError:
    """Invalid rows with the same reason.

    Parameters
    ----------
    kind : str
        A key of ``ROW_ERROR_KINDS``.
    problem : str
        What is wrong with the first row: ``rating is "N/A", not a number``.
    where : str
        The first row as it is in the source.
    hint : Hint or str
        How to fix it: arguments of ``read_ratings``, or words.
    rows : int64 array, shape (n,)
        Row numbers, from 0, in source order.
    row_labels : tuple of str
        Labels of the first few rows: ``line 48,213``.
    n_conflicting : int
        Of repeated pairs: number of rows whose rating differs from the first.
    """

    kind: str
    problem: str
    where: str
    hint: Hint | str
    rows: Int64Array
    row_labels: tuple[str, ...]
    n_conflicting: int = 0

    def to_exception(self, name: str) -> DataError:
        """Return the exception to raise for the source of this name."""
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
    """A table whose rows have labels."""

    name: str
    error_collector: RowErrorCollector

    def make_row_error(self, kind: str, rows: AnyArray, problem: str, hint: Hint | str) -> RowError:
        """Return the error of some selected rows."""

    def row_label(self, row: int) -> str:
        """Return where a selected row is: ``line 48,213``."""


class Table(RowSource, Protocol):
    """An opened source: columns by position, and their cells parsed as ids, numbers or timestamps.

    ``decimal`` is the decimal separator of numbers in text, ``allow_positional`` says whether columns without
    usual names may be read by position, and ``empty_hint`` what may be wrong if there are no rows.
    """

    decimal: str
    header: list[str] | None
    width: int
    allow_positional: bool
    empty_hint: Hint | None

    @property
    def sample(self) -> Sequence[Sequence[str]]:
        """The first rows as text, without the header."""

    def default_names(self) -> list[str]:
        """Return the column names to use without a header."""

    def column(self, index: int) -> Any:
        """Return a column, before rows are filtered, in the form that is parsed."""

    def column_text(self, index: int) -> Any:
        """Return a column of the selected rows as a polars Series of text."""

    def to_frame(self) -> Any:
        """Return the whole table as a polars frame."""

    def column_titles(self) -> list[str] | None:
        """Return the names of the columns as in the source, None without a header."""

    def cell_label(self, row: int, column: int) -> str:
        """Return where a cell is: ``line 12, column "j7"``."""

    def filter(self, mask: BoolArray) -> None:
        """Keep only some of the selected rows; labels still refer to the source."""

    def make_data_error(self, rows: AnyArray, problem: str, hint: Hint | str) -> DataError:
        """Return the exception for some invalid rows."""

    def read_ids(self, index: int, role: str, column: str) -> Any:
        """Return a column as ids that are all there; records or raises missing ones."""

    def check_ids(self, cells: Any, role: str, column: str) -> None:
        """Record the rows without an id."""

    def parse_ids(self, cells: Any, role: str) -> Any:
        """Return ids: integers where all are, else as they are."""

    def parse_numbers(self, cells: Any, index: int, role: str, column: str) -> Float32Array:
        """Return numbers as float32; record what is not a finite number."""

    def parse_timestamps(self, cells: Any, column: str) -> Int64Array:
        """Return timestamps as integer seconds since 1970; record what is none."""


def format_cell_label(table: Table, row: int, column: int) -> str:
    """Return where a cell is, by the label of its row and its column's name or number."""
    titles = table.column_titles()
    title = f'"{titles[column]}"' if titles and titles[column] else f"{column + 1}"
    return f"{table.row_label(row)}, column {title}"


class RowErrorCollector:
    """Collects the errors of rows that are skipped, or raises the first one.

    Parameters
    ----------
    name : str
        Name of the source.
    skip : bool
        Whether invalid rows are skipped rather than raised.
    """

    def __init__(self, name: str, *, skip: bool) -> None:
        self.name = name
        self.skip = skip
        self.row_errors: list[RowError] = []
        self._invalid_rows: list[Int64Array] = []

    def record(self, row_error: RowError, rows: Int64Array | None = None) -> None:
        """Record an error, or raise it.

        Parameters
        ----------
        row_error : RowError
        rows : int64 array, optional
            Its rows among the selected ones, if they are still to be removed.

        Raises
        ------
        DataError
            If rows are not skipped.
        """
        if not self.skip:
            raise row_error.to_exception(self.name)
        self.row_errors.append(row_error)
        if rows is not None:
            self._invalid_rows.append(rows)

    def pop(self) -> None:
        """Remove the last error: its rows are valid again."""
        self.row_errors.pop()
        self._invalid_rows.pop()

    def valid_mask(self, n: int) -> BoolArray:
        """Return which of ``n`` selected rows are valid."""
        mask = np.ones(n, dtype=bool)
        for rows in self._invalid_rows:
            mask[rows] = False
        return mask

    def n_skipped(self) -> int:
        """Return the number of skipped rows."""
        return (
            len(np.unique(np.concatenate([row_error.rows for row_error in self.row_errors])))
            if self.row_errors
            else 0
        )
