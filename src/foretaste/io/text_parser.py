"""Parses text columns into ids, numbers and timestamps; strict, and errors name the line."""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from foretaste.column_roles import column_role
from foretaste.errors import Hint
from foretaste.ids import EncodedIds, is_plain_integer, is_text_series
from foretaste.io.dialect import is_number
from foretaste.io.row_errors import RowSource, Table
from foretaste.typing import BoolArray, Float32Array, Int64Array

log = logging.getLogger("foretaste")

_DECIMAL_COMMA = re.compile(r"\s*[-+]?\d+,\d+\s*")
_TIME_FORMATS = ("%Y-%m-%d", "%Y-%m-%d %H:%M", "%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f%#z")
_MILLISECONDS = 100_000_000_000  # as seconds this is the year 5138; as milliseconds, 1973


def check_ids(table: RowSource, cells: Any, role: str, column: str, hint: Hint | str | None = None) -> None:
    """Record the rows without an id.

    Parameters
    ----------
    table : RowSource
    cells : polars Series of text, or EncodedIds
    role, column : str
        Role and name of the column.
    hint : Hint or str, optional
        How to fix a missing id, where no condition can exclude its row.
    """
    if isinstance(cells, EncodedIds):
        return
    empty = np.flatnonzero(((cells == "") | cells.is_null()).to_numpy())
    if len(empty):
        hint = hint or Hint({"where": f"{quote_name(column)} IS NOT NULL"}, "leaves such lines out")
        table.error_collector.record(
            table.make_row_error("missing_id", empty, f"the {role} id is missing", hint), empty
        )


def parse_ids(table: RowSource, cells: Any, role: str) -> Any:
    """Return ids: an int64 array if every cell is a plain integer, else the text."""
    if isinstance(cells, EncodedIds):
        _log_encoded_text_ids(table, cells, role)
        return cells
    numbers = parse_integers(cells)
    is_integer = ~numbers.is_null().to_numpy()
    if is_integer.all():
        return numbers.to_numpy()
    if is_integer.any():
        _log_text_ids(table, is_integer, cells[int(np.argmin(is_integer))], role)
    return cells


def _log_encoded_text_ids(table: RowSource, cells: EncodedIds, role: str) -> None:
    if cells.index.ids.dtype == object:
        is_integer = np.fromiter(map(is_plain_integer, cells.index.ids.tolist()), bool, len(cells.index))
        if is_integer.any():
            rows = is_integer[cells.codes]
            _log_text_ids(table, rows, cells.index.ids[cells.codes[int(np.argmin(rows))]], role)


def _log_text_ids(table: RowSource, is_integer: BoolArray, first: str, role: str) -> None:
    n_text = len(is_integer) - int(is_integer.sum())
    log.info(
        "%s ids are read as text: %s of %s are not plain integers (first: %r in %s)",
        role, f"{n_text:,}", f"{len(is_integer):,}", first, table.row_label(int(np.argmin(is_integer))),
    )  # fmt: skip


def parse_integers(cells: Any) -> Any:
    """Return text as int64, null where it is not a plain integer (see ``ids.is_plain_integer``)."""
    import polars as pl

    numbers = cells.cast(pl.Int64, strict=False)
    if numbers.null_count() == len(numbers):
        return numbers
    # A number of so many digits is at least this large; one written with a zero, sign or blank more is not.
    min_values = np.array([0, 0] + [10**digits for digits in range(1, 18)], dtype=np.int64)
    digits = cells.str.len_bytes().fill_null(0).to_numpy()
    value = numbers.fill_null(-1).to_numpy()
    canonical = (digits < len(min_values)) & (value >= min_values[np.minimum(digits, len(min_values) - 1)])
    if canonical.all():
        return numbers
    return numbers.set(pl.Series(~canonical), None)


def parse_numbers(table: Table, cells: Any, index: int, role: str, column: str) -> Float32Array:
    """Return numbers as float32; record what is not a finite number.

    Parameters
    ----------
    table : Table
    cells : polars Series, or float32 array of the native reader
        Float32, or text if polars could not parse all cells.
    index : int
        Position of the column in the table, from 0.
    role, column : str
        Role and name of the column.
    """
    import polars as pl

    if isinstance(cells, np.ndarray):  # from the native reader, all valid
        return cells
    numbers = cells
    if cells.dtype != pl.Float32:
        stripped = cells.str.strip_chars()
        if table.decimal != ".":
            stripped = stripped.set(stripped.str.contains(".", literal=True), None)
            stripped = stripped.str.replace(table.decimal, ".", literal=True)
        numbers = stripped.cast(pl.Float32, strict=False)
    invalid = np.flatnonzero(~np.isfinite(numbers.to_numpy()))  # null is NaN here
    if not len(invalid):
        return np.asarray(numbers.to_numpy())
    if cells.dtype == pl.Float32:
        cells = table.column_text(index)
    texts = cells.gather(invalid)
    first = texts[0]
    hint = _exclude_hint(texts, quote_name(column))
    if table.header is None and invalid[0] == 0 and _looks_like_header(table.sample[0], index, first, role):
        hint = Hint({"header": True})
    if first is None or first == "":
        problem = f"the {role} is missing"
    elif _DECIMAL_COMMA.fullmatch(first) and table.decimal == ".":
        problem = f'{role} is "{first}", with a decimal comma; expected a decimal point'
        hint = Hint({"decimal": ","})
    else:
        reason = "not a finite number" if numbers[int(invalid[0])] is not None else "not a number"
        problem = f'{role} is "{first}", {reason}'
    table.error_collector.record(table.make_row_error("not_a_number", invalid, problem, hint), invalid)
    return np.asarray(numbers.to_numpy())


def _looks_like_header(record: Sequence[str], index: int, cell: str | None, role: str) -> bool:
    """Whether a first row is a header that was read as data: no number in it, or the name of the column."""
    if len(record) <= index or record[index] != cell:
        return False
    return column_role(cell) == role or not any(map(is_number, record))


def _exclude_hint(texts: Any, column: str) -> Hint:
    """Return the ``where`` that excludes invalid cells; a comparison excludes missing ones, too."""
    values = [text for text in texts.unique(maintain_order=True).head(7).to_list() if text]
    if len(values) > 5:
        return Hint({"on_error": "skip"}, "leaves such lines out")
    quoted = ", ".join("'" + value.replace("'", "''") + "'" for value in values)
    condition = f"NOT IN ({quoted})" if len(values) > 1 else f"<> {quoted}" if values else "IS NOT NULL"
    return Hint({"where": f"{column} {condition}"}, "leaves such lines out")


def quote_name(column: str) -> str:
    """Return a column name, quoted for SQL if needed."""
    return column if re.fullmatch(r"[A-Za-z_]\w*", column, re.ASCII) else f"`{column}`"


def parse_timestamps(table: RowSource, cells: Any, column: str) -> Int64Array:
    """Return timestamps as integer seconds since 1970, from seconds or ISO dates; record all else."""
    if isinstance(cells, np.ndarray):  # from the native reader, all integers
        return _warn_if_milliseconds(table, cells, column)
    seconds = cells if not is_text_series(cells) else _parse_seconds(cells.str.strip_chars())
    invalid = np.flatnonzero(seconds.is_null().to_numpy())
    if len(invalid):
        problem = (
            f'{column} is "{cells[int(invalid[0])] or ""}", neither integer seconds since 1970 nor a date'
        )
        hint = Hint({"on_error": "skip"}, "leaves such lines out; or convert the column to one of them")
        table.error_collector.record(
            table.make_row_error("bad_time", invalid, f"{problem} like 2026-11-24", hint), invalid
        )
    return _warn_if_milliseconds(table, np.asarray(seconds.fill_null(0).to_numpy()), column)


def _warn_if_milliseconds(table: RowSource, values: Int64Array, column: str) -> Int64Array:
    """Return the values, with a warning if they look like milliseconds."""
    if len(values) and values.max() >= _MILLISECONDS:
        log.warning("%s: %s is read as seconds since 1970, but looks like milliseconds", table.name, column)
    return values


def _parse_seconds(texts: Any) -> Any:
    """Return seconds parsed by the first format that fits all cells, else by the one that fits most."""
    import polars as pl

    integers = texts.cast(pl.Int64, strict=False)
    if integers.null_count() == 0:
        return integers
    numbers = texts.cast(pl.Float64, strict=False)
    candidates = [
        integers,
        numbers.set(numbers.is_nan() | (numbers != numbers.floor()), None).cast(pl.Int64, strict=False),
    ]
    dates = texts.str.replace(r"^([0-9]{4}-[0-9]{2}-[0-9]{2})T", "$1 ").str.replace("Z$", "")
    for time_format in _TIME_FORMATS:
        if candidates[-1].null_count() == 0:
            break
        datetimes = dates.str.to_datetime(time_format, time_unit="us", strict=False)
        candidates.append(datetimes.dt.epoch("s"))
    return min(candidates, key=lambda column: column.null_count())


def infer_numeric(cells: Any) -> Any:
    """Return a text column as numbers if every cell is a number or empty, for SQL conditions.

    A number with a leading zero is an id and stays text: 007.
    """
    import polars as pl

    cells = cells.set(cells == "", None)
    integers = parse_integers(cells)
    if integers.null_count() == cells.null_count():
        return integers
    is_numeric = cells.str.contains(r"^\s*-?((0|[1-9][0-9]*)(\.[0-9]*)?|\.[0-9]+)([eE][-+]?[0-9]+)?\s*$")
    return cells.str.strip_chars().cast(pl.Float64) if is_numeric.all() else cells
