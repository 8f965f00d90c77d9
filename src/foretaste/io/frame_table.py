"""Tables with typed columns: data frames, Parquet, Arrow, Excel, numpy, databases."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from foretaste.column_roles import as_numpy, check_timestamp_column, default_row_label
from foretaste.errors import (
    DataError,
    Hint,
    to_python,
)
from foretaste.ids import is_text_series
from foretaste.io import text_parser
from foretaste.io.row_errors import RowError, RowErrorCollector, format_cell_label
from foretaste.typing import AnyArray, BoolArray, Float32Array, Int64Array

_MAX_SHOWN_ROWS = 3


class FrameTable:
    """A table of typed columns, with the same interface as ``TextTable``.

    Parameters
    ----------
    columns : mapping of name to column
        Pandas or polars columns, or numpy arrays.
    name : str
        Name of the source, for errors.
    error_collector : RowErrorCollector
        Handles invalid rows.
    in_memory : bool
        Whether the caller passed it as a frame: then text is not parsed as numbers.
    has_typed_ids : bool
        Whether ids keep their type; in a worksheet or an array, text or floats may stand for integers.
    allow_positional : bool
        Whether columns without usual names may be read by position.
    header : bool
        Whether the columns have names.
    row_label : function of int
        Returns the label of a row for messages.
    decimal : str
        Decimal separator of numbers in text.
    titles : sequence of str, optional
        The names of the columns before deduplication.
    cell_label : function of int and int, optional
        Returns the label of a cell, by row and column.
    """

    empty_hint: Hint | None = None

    def __init__(
        self,
        columns: Mapping[str, Any],
        name: str,
        error_collector: RowErrorCollector,
        *,
        in_memory: bool = False,
        has_typed_ids: bool = True,
        allow_positional: bool = False,
        header: bool = True,
        row_label: Callable[[int], str] = default_row_label,
        decimal: str = ".",
        titles: Sequence[str] | None = None,
        cell_label: Callable[[int, int], str] | None = None,
    ) -> None:
        self.decimal = decimal
        self.columns = columns  # possibly lazy
        self.name = name
        self.error_collector = error_collector
        self.in_memory = in_memory
        self.has_typed_ids = has_typed_ids
        self.allow_positional = allow_positional
        self.header = list(self.columns) if header else None
        self.width = len(self.columns)
        self._titles = titles
        self._cell_label = cell_label
        self._row_label = row_label
        self._selection: Int64Array | None = None

    def __len__(self) -> int:
        return len(next(iter(self.columns.values()))) if self.columns else 0

    @property
    def sample(self) -> list[list[str]]:
        """The first rows, as text."""
        values = [column_values(column[:100]) for column in self.columns.values()]
        heads = [head.tolist() if isinstance(head, np.ndarray) else head.to_list() for head in values]
        return [["" if is_missing(cell) else str(cell) for cell in row] for row in zip(*heads, strict=True)]

    def default_names(self) -> list[str]:
        """Return the column names to use without a header."""
        return list(self.columns)

    def column(self, index: int) -> Any:
        """Return a column: text as a polars Series, all else as a numpy array."""
        return column_values(self.columns[list(self.columns)[index]])

    def column_text(self, index: int) -> Any:
        """Return a column of the selected rows as a polars Series of text."""
        texts = to_text_series(self.columns[list(self.columns)[index]])
        return texts if self._selection is None else texts.gather(self._selection)

    def to_frame(self) -> Any:
        """Return the whole table as a polars frame."""
        import polars as pl

        return pl.DataFrame({name: to_series(column) for name, column in self.columns.items()})

    def column_titles(self) -> list[str] | None:
        """Return the names of the columns as in the source, None without a header."""
        return self.header if self._titles is None else list(self._titles)

    def cell_label(self, row: int, column: int) -> str:
        """Return where a cell is: ``Sheet1, cell B7`` in a worksheet."""
        if self._cell_label is not None:
            return self._cell_label(row, column)
        return format_cell_label(self, row, column)

    def read_ids(self, index: int, role: str, column: str) -> Any:
        """Return a column as ids, with their type if that is certain."""
        ids = self.column(index)
        return ids if self.has_typed_ids else self.parse_ids(to_text_series(ids), role)

    def filter(self, mask: BoolArray) -> None:
        """Keep only some of the selected rows; labels still refer to the source."""
        self._selection = np.flatnonzero(mask) if self._selection is None else self._selection[mask]

    def _source_rows(self, rows: AnyArray) -> Int64Array:
        rows = np.asarray(rows, np.int64)
        return rows if self._selection is None else self._selection[rows]

    def row_label(self, row: int) -> str:
        """Return the label of a selected row."""
        return self._row_label(int(self._source_rows(np.array([row]))[0]))

    def make_row_error(self, kind: str, rows: AnyArray, problem: str, hint: Hint | str) -> RowError:
        """Return the error of some selected rows: text of the first, labels of a few, numbers of all."""
        source_rows = self._source_rows(rows)
        cells = [
            column_values(column[source_rows[0] : source_rows[0] + 1]) for column in self.columns.values()
        ]
        row_text = ", ".join("" if is_missing(cell[0]) else str(to_python(cell[0])) for cell in cells)[:200]
        row_labels = tuple(self._row_label(int(row)) for row in source_rows[:_MAX_SHOWN_ROWS])
        return RowError(kind, problem, f"{row_labels[0]}: {row_text}", hint, source_rows, row_labels)

    def make_data_error(self, rows: AnyArray, problem: str, hint: Hint | str) -> DataError:
        """Return the exception for some invalid rows."""
        return self.make_row_error("missing_id", rows, problem, hint).to_exception(self.name)

    def check_ids(self, values: Any, role: str, column: str) -> None:
        """Record the rows without an id."""
        missing = np.flatnonzero(_missing_mask(values))
        if len(missing):
            hint: Hint | str = f"fill or drop the rows without a {role} id first"
            if not self.in_memory:
                hint = _exclude_missing(column)
            self.error_collector.record(
                self.make_row_error("missing_id", missing, f"the {role} id is missing", hint), missing
            )

    def parse_ids(self, values: Any, role: str) -> Any:
        """Return ids with their type; text of a worksheet becomes integers as in a text file."""
        if is_text_series(values):
            return values if self.has_typed_ids else text_parser.parse_ids(self, values, role)
        if not isinstance(values, np.ndarray):
            values = values.to_numpy()
        is_integral = (
            values.dtype.kind == "f" and (values == np.floor(values)).all() and (abs(values) < 2**53).all()
        )
        # An integer column with gaps arrives as floats, and so does one in an array beside ratings.
        if is_integral and (self.error_collector.row_errors or not self.has_typed_ids):
            return values.astype(np.int64)
        return values

    def parse_numbers(self, values: Any, index: int, role: str, column: str) -> Float32Array:
        """Return numbers as float32; record what is not a finite number (see ``text_parser``)."""
        if is_text_series(values) and not self.in_memory:
            return text_parser.parse_numbers(self, values, index, role, column)
        array = values if isinstance(values, np.ndarray) else as_numpy(values)
        with np.errstate(over="ignore"):
            if array.dtype.kind in "iufb":
                numbers = array.astype(np.float32)
            else:
                numbers = np.fromiter(map(_as_float, array), np.float64, len(array)).astype(np.float32)
        invalid = np.flatnonzero(~np.isfinite(numbers))
        if len(invalid):
            first = array[invalid[0]]
            expected = "a finite number" if isinstance(first, int | float | np.number) else "a number"
            problem = f"{role} is {to_python(first)!r}, not {expected}"
            problem = f"the {role} is missing" if is_missing(first) else problem
            hint: Hint | str = "drop or fix such rows"
            if not self.in_memory and is_missing(first):
                hint = _exclude_missing(column)
            self.error_collector.record(self.make_row_error("not_a_number", invalid, problem, hint), invalid)
        return numbers

    def parse_timestamps(self, values: Any, column: str) -> Int64Array:
        """Return timestamps as integer seconds since 1970; record missing ones."""
        if is_text_series(values) and not self.in_memory:
            return text_parser.parse_timestamps(self, values, column)
        array = values if isinstance(values, np.ndarray) else as_numpy(values)
        missing = np.isnat(array) if array.dtype.kind == "M" else _missing_mask(array)
        rows = np.flatnonzero(missing)
        if len(rows):
            hint = "drop or fix such rows"
            self.error_collector.record(
                self.make_row_error("bad_time", rows, f"{column} is missing", hint), rows
            )
            present = np.flatnonzero(~missing)
            array = array.copy()
            array[rows] = array[present[0]] if len(present) else 0
        return check_timestamp_column(array)


def _missing_mask(values: Any) -> BoolArray:
    if not isinstance(values, np.ndarray):
        missing = values.is_null() | (values == "") if is_text_series(values) else values.is_null()
        return np.asarray(missing.to_numpy())
    if values.dtype == object:
        flags = (is_missing(value) or (isinstance(value, str) and not value) for value in values)
        return np.fromiter(flags, bool, len(values))
    return np.isnan(values) if values.dtype.kind == "f" else np.zeros(len(values), dtype=bool)


def _as_float(value: Any) -> float:
    if isinstance(value, str) or is_missing(value):
        return float("nan")
    try:
        return float(value)
    except (TypeError, ValueError):
        return float("nan")


def column_values(column: Any) -> Any:
    """Return a column in the form that is encoded: text as a polars Series, all else as a numpy array.

    Numbers without gaps are views, not copies.
    """
    if isinstance(column, np.ndarray) or is_text_series(column):
        return column
    kind = str(column.dtype)
    if hasattr(column, "iloc"):
        return (
            _pandas_text_to_polars(column) if kind.startswith(("str", "large_string")) else as_numpy(column)
        )
    if kind.startswith(("Categorical", "Enum")):
        return column.cast(str)
    is_integer_type = kind.startswith(("Int", "UInt"))
    # As a numpy array, integers with nulls would become floats.
    return column if is_integer_type and column.null_count() else as_numpy(column)


def _pandas_text_to_polars(column: Any) -> Any:
    """Convert a pandas text column through Arrow, which avoids one Python object per row."""
    import polars as pl

    try:
        return pl.Series(column, dtype=pl.String)
    except ImportError:  # pandas exports Arrow only if pyarrow is installed
        return as_numpy(column)


def to_series(column: Any) -> Any:
    """Return a column as a polars Series, null where a cell is missing."""
    import polars as pl

    if isinstance(column, pl.Series):
        return column.fill_nan(None) if column.dtype.is_float() else column
    values = column_values(column)
    if isinstance(values, np.ndarray) and values.dtype == object:
        return pl.Series([None if is_missing(cell) else cell for cell in values.tolist()], strict=False)
    return pl.Series(values, nan_to_null=True)


def to_text_series(column: Any) -> Any:
    """Return a column as a polars Series of text, null where a cell is missing."""
    import polars as pl

    values = column_values(column)
    if isinstance(values, np.ndarray):
        return pl.Series(
            [None if is_missing(value) else str(value) for value in values.tolist()], dtype=pl.String
        )
    return values.cast(pl.String)


def is_missing(value: Any) -> bool:
    """Whether a cell is None, NaN, or pandas' NA or NaT."""
    return value is None or type(value).__name__ in ("NAType", "NaTType") or bool(value != value)


def _exclude_missing(column: str) -> Hint:
    return Hint({"where": f"{text_parser.quote_name(column)} IS NOT NULL"}, "leaves such rows out")
