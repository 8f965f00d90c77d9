"""Cells of a text table to ids, numbers and times; strict, and with the line of what does not fit."""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from foretaste.column_roles import role_of
from foretaste.ids import EncodedIds, is_canonical, is_text_series
from foretaste.io.dialect import is_number
from foretaste.io.row_errors import Rows, Texts

log = logging.getLogger("foretaste")

_DECIMAL_COMMA = re.compile(r"\s*[-+]?\d+,\d+\s*")
_TIME_FORMATS = ("%Y-%m-%d", "%Y-%m-%d %H:%M", "%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f%#z")
_MILLISECONDS = 100_000_000_000  # as seconds this is the year 5138; as milliseconds, 1973


def check_ids(table: Rows, cells: Any, role: str, column: str, hint: str | None = None) -> None:
    """Meet the rows whose id is missing.

    Parameters
    ----------
    table : Rows
    cells : polars Series of text
    role, column : str
        What the column is for, and what it is called.
    hint : str, optional
        How a missing id is mended, where no condition can leave its row out.
    """
    if isinstance(cells, EncodedIds):
        return
    empty = np.flatnonzero(((cells == "") | cells.is_null()).to_numpy())
    if len(empty):
        hint = hint or f'where="{quoted_name(column)} IS NOT NULL" leaves such lines out'
        table.sieve.meet(table.fault("missing_id", empty, f"the {role} id is missing", hint), empty)


def typed_ids(table: Rows, cells: Any, role: str) -> Any:
    """Return ids: an int64 array if every cell is a canonical whole number, else the texts themselves."""
    if isinstance(cells, EncodedIds):
        _say_texts(table, cells, role)
        return cells
    numbers = whole_numbers(cells)
    plain = ~numbers.is_null().to_numpy()
    if plain.all():
        return numbers.to_numpy()
    if plain.any():
        _say_as_texts(table, plain, cells[int(np.argmin(plain))], role)
    return cells


def _say_texts(table: Rows, cells: EncodedIds, role: str) -> None:
    if cells.index.kind == "text":
        plain = np.fromiter(map(is_canonical, cells.index.ids.tolist()), bool, len(cells.index))
        if plain.any():
            rows = plain[cells.codes]
            _say_as_texts(table, rows, cells.index.ids[cells.codes[int(np.argmin(rows))]], role)


def _say_as_texts(table: Rows, plain: npt.NDArray[np.bool_], first: str, role: str) -> None:
    others = len(plain) - int(plain.sum())
    log.info(
        "%s ids are read as text: %s of %s are no plain whole numbers (first: %r in %s)",
        role, f"{others:,}", f"{len(plain):,}", first, table.place(int(np.argmin(plain))),
    )  # fmt: skip


def whole_numbers(cells: Any) -> Any:
    """Return texts as int64, null where one is no canonical whole number (see ``ids.is_canonical``)."""
    import polars as pl

    numbers = cells.cast(pl.Int64, strict=False)
    if numbers.null_count() == len(numbers):
        return numbers
    # A number of so many digits is at least this large; one written with a zero, sign or blank more is not.
    least = np.array([0, 0] + [10**digits for digits in range(1, 18)], dtype=np.int64)
    digits = cells.str.len_bytes().fill_null(0).to_numpy()
    value = numbers.fill_null(-1).to_numpy()
    canonical = (digits < len(least)) & (value >= least[np.minimum(digits, len(least) - 1)])
    if canonical.all():
        return numbers
    return numbers.set(pl.Series(~canonical), None)


def number_column(table: Texts, cells: Any, place: int, role: str, column: str) -> npt.NDArray[np.float32]:
    """Return numbers as float32, meeting what is no finite number.

    Parameters
    ----------
    table : Texts
    cells : polars Series
        Float32, or text where the fast reader found something else.
    place : int
        Which column of the table it is, from 0.
    role, column : str
        What the column is for, and what it is called.
    """
    import polars as pl

    if isinstance(cells, np.ndarray):  # read natively, all of them plain
        return cells
    numbers = cells
    if cells.dtype != pl.Float32:
        written = cells.str.strip_chars()
        if table.decimal != ".":
            written = written.set(written.str.contains(".", literal=True), None)
            written = written.str.replace(table.decimal, ".", literal=True)
        numbers = written.cast(pl.Float32, strict=False)
    bad = np.flatnonzero(~np.isfinite(numbers.to_numpy()))  # null is NaN here
    if not len(bad):
        return np.asarray(numbers.to_numpy())
    if cells.dtype == pl.Float32:
        cells = table.cells(place)
    texts = cells.gather(bad)
    first = texts[0]
    hint = _leave_out(texts, quoted_name(column))
    if table.header is None and bad[0] == 0 and _are_names(table.sample[0], place, first, role):
        hint = "header=True"
    if first is None or first == "":
        problem = f"the {role} is missing"
    elif _DECIMAL_COMMA.fullmatch(first) and table.decimal == ".":
        problem = f'{role} is "{first}", with a decimal comma; a decimal point is expected'
        hint = 'decimal=","'
    else:
        what = "not a finite number" if numbers[int(bad[0])] is not None else "not a number"
        problem = f'{role} is "{first}", {what}'
    table.sieve.meet(table.fault("not_a_number", bad, problem, hint), bad)
    return np.asarray(numbers.to_numpy())


def _are_names(record: Sequence[str], place: int, cell: str | None, role: str) -> bool:
    """Whether a first row is a header that is read as a row: no number in it, or the name of the column."""
    if len(record) <= place or record[place] != cell:
        return False
    return role_of(cell) == role or not any(map(is_number, record))


def _leave_out(texts: Any, column: str) -> str:
    """Say which ``where`` would leave bad cells out; a comparison leaves missing ones out by itself."""
    values = [text for text in texts.unique(maintain_order=True).head(7).to_list() if text]
    if len(values) > 5:
        return 'on_error="skip" leaves such lines out'
    quoted = ", ".join("'" + value.replace("'", "''") + "'" for value in values)
    condition = f"NOT IN ({quoted})" if len(values) > 1 else f"<> {quoted}" if values else "IS NOT NULL"
    return f'where="{column} {condition}" leaves such lines out'


def quoted_name(column: str) -> str:
    """Return a column name as SQL takes it."""
    return column if re.fullmatch(r"[A-Za-z_]\w*", column, re.ASCII) else f"`{column}`"


def time_column(table: Rows, cells: Any, column: str) -> npt.NDArray[np.int64]:
    """Return times as whole seconds since 1970, from seconds or ISO dates, meeting what is neither."""
    if isinstance(cells, np.ndarray):  # read natively, all of them whole numbers
        return _plausible(table, cells, column)
    seconds = cells if not is_text_series(cells) else _seconds(cells.str.strip_chars())
    bad = np.flatnonzero(seconds.is_null().to_numpy())
    if len(bad):
        problem = f'{column} is "{cells[int(bad[0])] or ""}", neither whole seconds since 1970 nor a date'
        hint = 'on_error="skip" leaves such lines out; or convert the column to one of these'
        table.sieve.meet(table.fault("bad_time", bad, f"{problem} like 2026-11-24", hint), bad)
    return _plausible(table, np.asarray(seconds.fill_null(0).to_numpy()), column)


def _plausible(table: Rows, values: npt.NDArray[np.int64], column: str) -> npt.NDArray[np.int64]:
    """Return seconds, with a warning if they look like milliseconds."""
    if len(values) and values.max() >= _MILLISECONDS:
        log.warning("%s: %s is taken as seconds since 1970, but looks like milliseconds", table.name, column)
    return values


def _seconds(texts: Any) -> Any:
    """Return the seconds of texts by the first way of writing that fits all, else the one that fits most."""
    import polars as pl

    whole = texts.cast(pl.Int64, strict=False)
    if whole.null_count() == 0:
        return whole
    number = texts.cast(pl.Float64, strict=False)
    tried = [
        whole,
        number.set(number.is_nan() | (number != number.floor()), None).cast(pl.Int64, strict=False),
    ]
    dates = texts.str.replace(r"^([0-9]{4}-[0-9]{2}-[0-9]{2})T", "$1 ").str.replace("Z$", "")
    for written in _TIME_FORMATS:
        if tried[-1].null_count() == 0:
            break
        moments = dates.str.to_datetime(written, time_unit="us", strict=False)
        tried.append(moments.dt.epoch("s"))
    return min(tried, key=lambda column: column.null_count())


def typed(cells: Any) -> Any:
    """Return a column of text as numbers where every cell is one or empty, for conditions on it.

    With a zero before it, a number is an id and stays text, as ids do: 007.
    """
    import polars as pl

    cells = cells.set(cells == "", None)
    whole = whole_numbers(cells)
    if whole.null_count() == cells.null_count():
        return whole
    number = cells.str.contains(r"^\s*-?((0|[1-9][0-9]*)(\.[0-9]*)?|\.[0-9]+)([eE][-+]?[0-9]+)?\s*$")
    return cells.str.strip_chars().cast(pl.Float64) if number.all() else cells
