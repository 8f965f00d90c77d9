"""Tables whose columns have types: frames in memory, Parquet, Excel, databases."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from foretaste.column_roles import as_numpy, row_place
from foretaste.column_roles import time_column as frame_times
from foretaste.errors import BadData, plain
from foretaste.ids import is_text_series
from foretaste.io import text_parser as text_columns
from foretaste.io.row_errors import Fault, Sieve

_ROWS_SHOWN = 3


class FrameTable:
    """A table of typed columns, read by the same steps as a text.

    Parameters
    ----------
    columns : mapping of name to column
        Of pandas or polars, or numpy arrays.
    name : str
        What the source is called, for errors.
    sieve : Sieve
        What happens to rows that cannot be used.
    in_memory : bool
        Whether the caller holds it: then texts are not read as numbers, and ids keep the type they have.
    typed : bool
        Whether ids keep the type they have; in a worksheet or an array they may be whole numbers in disguise.
    by_position : bool
        Whether columns without usual names may be read by position.
    header : bool
        Whether the columns have names of their own.
    place : function of int
        How a row is called.
    decimal : str
        What stands before the fraction of a number that is written as text.
    """

    def __init__(
        self,
        columns: Mapping[str, Any],
        name: str,
        sieve: Sieve,
        *,
        in_memory: bool = False,
        typed: bool = True,
        by_position: bool = False,
        header: bool = True,
        place: Callable[[int], str] = row_place,
        decimal: str = ".",
    ) -> None:
        self.decimal = decimal
        self.columns = columns  # which may be read only when they are asked for
        self.name = name
        self.sieve = sieve
        self.in_memory = in_memory
        self.typed = typed
        self.by_position = by_position
        self.header = list(self.columns) if header else None
        self.width = len(self.columns)
        self.titles: Sequence[str] | None = None  # as a worksheet has them, where names had to be told apart
        self.cell: Callable[[int, int], str] | None = None  # how a worksheet calls a cell
        self._place = place
        self._at_hand: npt.NDArray[np.int64] | None = None

    def with_place(self, place: Callable[[int], str]) -> FrameTable:
        """Say how a row is called; returns the table itself."""
        self._place = place
        return self

    def __len__(self) -> int:
        return len(next(iter(self.columns.values()))) if self.columns else 0

    @property
    def sample(self) -> list[list[str]]:
        """The first rows, as text."""
        values = [column_values(column[:100]) for column in self.columns.values()]
        heads = [head.tolist() if isinstance(head, np.ndarray) else head.to_list() for head in values]
        return [["" if is_missing(cell) else str(cell) for cell in row] for row in zip(*heads, strict=True)]

    def numbered(self) -> list[str]:
        """Return names for the columns of a table without a header."""
        return list(self.columns)

    def read(self, places: Mapping[str, int]) -> dict[str, Any]:
        """Return the columns of some roles."""
        names = list(self.columns)
        return {role: column_values(self.columns[names[place]]) for role, place in places.items()}

    def cells(self, place: int) -> Any:
        """Return a column of the rows at hand as a polars series of text."""
        texts = text_cells(self.columns[list(self.columns)[place]])
        return texts if self._at_hand is None else texts.gather(self._at_hand)

    def filter(self, kept: npt.NDArray[np.bool_]) -> None:
        """Let only some of the rows at hand count from now on; places stay those of the source."""
        self._at_hand = np.flatnonzero(kept) if self._at_hand is None else self._at_hand[kept]

    def _original(self, rows: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
        rows = np.asarray(rows, np.int64)
        return rows if self._at_hand is None else self._at_hand[rows]

    def place(self, row: int) -> str:
        """Say where a row stands."""
        return self._place(int(self._original(np.array([row]))[0]))

    def fault(self, kind: str, rows: npt.NDArray[Any], problem: str, hint: str) -> Fault:
        """Make the fault of some rows at hand: the first shown, a few named, all kept."""
        original = self._original(rows)
        cells = [column_values(column[original[0] : original[0] + 1]) for column in self.columns.values()]
        shown = ", ".join("" if is_missing(cell[0]) else str(plain(cell[0])) for cell in cells)[:200]
        places = tuple(self._place(int(row)) for row in original[:_ROWS_SHOWN])
        return Fault(kind, problem, f"{places[0]}: {shown}", hint, original, places)

    def refusal(self, rows: npt.NDArray[Any], problem: str, hint: str) -> BadData:
        """Make the error for some rows that cannot be used."""
        return self.fault("missing_id", rows, problem, hint).error(self.name)


def check_ids(table: FrameTable, values: Any, role: str, column: str) -> None:
    """Meet the rows whose id is missing."""
    missing = np.flatnonzero(_missing(values))
    if len(missing):
        hint = f"fill or drop the rows without a {role} id first"
        if not table.in_memory:
            hint = f'where="{text_columns.quoted_name(column)} IS NOT NULL" leaves such rows out'
        table.sieve.meet(table.fault("missing_id", missing, f"the {role} id is missing", hint), missing)


def _missing(values: Any) -> npt.NDArray[np.bool_]:
    if not isinstance(values, np.ndarray):
        missing = values.is_null() | (values == "") if is_text_series(values) else values.is_null()
        return np.asarray(missing.to_numpy())
    if values.dtype == object:
        found = (is_missing(value) or (isinstance(value, str) and not value) for value in values)
        return np.fromiter(found, bool, len(values))
    return np.isnan(values) if values.dtype.kind == "f" else np.zeros(len(values), dtype=bool)


def typed_ids(table: FrameTable, values: Any, role: str) -> Any:
    """Return ids with the type they have; texts of a worksheet become numbers as those of a text file do."""
    if is_text_series(values):
        return values if table.typed else text_columns.typed_ids(table, values, role)
    if not isinstance(values, np.ndarray):
        values = values.to_numpy()
    whole = values.dtype.kind == "f" and (values == np.floor(values)).all() and (abs(values) < 2**53).all()
    # A column of whole numbers with gaps comes as floats, and so does one in an array beside ratings.
    if whole and (table.sieve.faults or not table.typed):
        return values.astype(np.int64)
    return values


def number_column(
    table: FrameTable, values: Any, place: int, role: str, column: str
) -> npt.NDArray[np.float32]:
    """Return numbers as float32, meeting what is no finite number; see ``cells.number_column``."""
    if is_text_series(values) and not table.in_memory:
        return text_columns.number_column(table, values, place, role, column)
    array = values if isinstance(values, np.ndarray) else as_numpy(values)
    with np.errstate(over="ignore"):
        if array.dtype.kind in "iufb":
            numbers = array.astype(np.float32)
        else:
            numbers = np.fromiter(map(_as_float, array), np.float64, len(array)).astype(np.float32)
    bad = np.flatnonzero(~np.isfinite(numbers))
    if len(bad):
        first = array[bad[0]]
        what = "a finite number" if isinstance(first, int | float | np.number) else "a number"
        problem = f"{role} is {plain(first)!r}, not {what}"
        problem = f"the {role} is missing" if is_missing(first) else problem
        hint = "drop or mend such rows"
        if not table.in_memory and is_missing(first):
            hint = f'where="{text_columns.quoted_name(column)} IS NOT NULL" leaves such rows out'
        table.sieve.meet(table.fault("not_a_number", bad, problem, hint), bad)
    return numbers


def _as_float(value: Any) -> float:
    if isinstance(value, str) or is_missing(value):
        return float("nan")
    try:
        return float(value)
    except (TypeError, ValueError):
        return float("nan")


def time_column(table: FrameTable, values: Any, column: str) -> npt.NDArray[np.int64]:
    """Return times as whole seconds since 1970, meeting what is missing."""
    if is_text_series(values) and not table.in_memory:
        return text_columns.time_column(table, values, column)
    array = values if isinstance(values, np.ndarray) else as_numpy(values)
    missing = np.isnat(array) if array.dtype.kind == "M" else _missing(array)
    rows = np.flatnonzero(missing)
    if len(rows):
        hint = "drop or mend such rows"
        table.sieve.meet(table.fault("bad_time", rows, f"{column} is missing", hint), rows)
        present = np.flatnonzero(~missing)
        array = array.copy()
        array[rows] = array[present[0]] if len(present) else 0
    return frame_times(array)


def column_values(column: Any) -> Any:
    """Return a frame's column as it is encoded: text as a polars series, everything else as numpy.

    Numbers without gaps are seen where they stand in memory, not copied.
    """
    if isinstance(column, np.ndarray) or is_text_series(column):
        return column
    kind = str(column.dtype)
    if hasattr(column, "iloc"):
        return _pandas_text(column) if kind.startswith(("str", "large_string")) else as_numpy(column)
    if kind.startswith(("Categorical", "Enum")):
        return column.cast(str)
    whole = kind.startswith(("Int", "UInt"))
    return column if whole and column.null_count() else as_numpy(column)  # numpy would make floats of it


def _pandas_text(column: Any) -> Any:
    """Return a pandas column of text through Arrow, without a Python object a row where pyarrow is there."""
    import polars as pl

    try:
        return pl.Series(column, dtype=pl.String)
    except ImportError:  # pandas speaks Arrow through pyarrow alone
        return as_numpy(column)


def series_of(column: Any) -> Any:
    """Return a frame's column as a polars series, null where a cell is missing."""
    import polars as pl

    if isinstance(column, pl.Series):
        return column.fill_nan(None) if column.dtype.is_float() else column
    values = column_values(column)
    if isinstance(values, np.ndarray) and values.dtype == object:
        return pl.Series([None if is_missing(cell) else cell for cell in values.tolist()], strict=False)
    return pl.Series(values, nan_to_null=True)


def text_cells(column: Any) -> Any:
    """Return a frame's column as a polars series of text, null where a cell is missing."""
    import polars as pl

    values = column_values(column)
    if isinstance(values, np.ndarray):
        return pl.Series([None if is_missing(v) else str(v) for v in values.tolist()], dtype=pl.String)
    return values.cast(pl.String)


def is_missing(value: Any) -> bool:
    """Whether a cell is None, NaN, or what pandas writes for them."""
    return value is None or type(value).__name__ in ("NAType", "NaTType") or bool(value != value)
