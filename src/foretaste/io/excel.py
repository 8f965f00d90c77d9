"""Reads sheets of Excel and OpenDocument workbooks, keeping the sheet position of each row."""

from __future__ import annotations

import datetime
import io
import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from foretaste._utils.checks import check_choice
from foretaste.column_roles import column_role
from foretaste.errors import (
    DataError,
    Hint,
    InvalidParameterError,
    MissingDependencyError,
    NotFoundError,
)
from foretaste.io.archive import CorruptFileError, check_workbook_parts
from foretaste.io.column_mapping import deduplicate_names
from foretaste.io.excel_xls import EncryptedFileError, XlsWorkbook
from foretaste.io.excel_xlsx import check_extent, check_repeats, iter_error_cells, read_sheet_xml
from foretaste.typing import Int64Array

log = logging.getLogger("foretaste")

_MAX_EXACT_INTEGER = 2.0**53  # up to this, a float64 holds every integer exactly
_EXCEL_PRECISION = 1e15  # Excel keeps fifteen digits of a number and zeroes the rest
_SAMPLE_ROWS = 100
_MIN_NUMBERED_COLUMNS = 5  # at least so many numbers 1, 2, 3, ... in the first row are column names


@dataclass(frozen=True, eq=False)
class Sheet:
    """A sheet of a workbook.

    Parameters
    ----------
    frame : polars.DataFrame
        The cells below the header, without blank rows. A column is Int64, Float64, Boolean or Datetime if
        all its cells have that type, else String: the cells as displayed. A blank cell is null.
    name : str
        Name of the sheet.
    has_header : bool
        Whether the first row holds the column names; else they are ``column_1`` and so on.
    titles : tuple of str, one per column
        The header as in the sheet: names may be empty or repeated; in the frame they are unique. Empty
        without a header.
    row_numbers : int64 array, shape (n,)
        Sheet row, from 1, of each row of the frame.
    first_column : int
        Sheet column, from 0, of the first column of the frame.
    """

    frame: Any
    name: str
    has_header: bool
    titles: tuple[str, ...]
    row_numbers: Int64Array
    first_column: int

    def row_label(self, row: int) -> str:
        """Return the label of a row of the frame: ``sheet "Ratings", row 12``."""
        return f'sheet "{self.name}", row {self.row_numbers[row]:,}'

    def cell_label(self, row: int, column: int) -> str:
        """Return the label of a cell of the frame: ``sheet "Ratings", cell D12``."""
        return (
            f'sheet "{self.name}", cell {column_letters(self.first_column + column)}{self.row_numbers[row]}'
        )


def column_letters(index: int) -> str:
    """Return Excel's letters of a column: 0 is ``A``, 27 is ``AB``."""
    letters = ""
    while index >= 0:
        index, digit = divmod(index, 26)
        letters = chr(ord("A") + digit) + letters
        index -= 1
    return letters


def read_sheet(
    data: bytes, name: str, sheet: str | int | None = None, *, header: bool | None = None
) -> Sheet:
    """Read a sheet of a workbook: ``.xlsx``, ``.xlsm``, ``.xls`` or ``.ods``.

    Parameters
    ----------
    data : bytes
        The workbook.
    name : str
        Name for messages.
    sheet : str or int, optional
        Name of the sheet, or its position from 0; by default the first visible one, which is logged.
    header : bool, optional
        Whether the first row holds column names; detected and logged by default.

    Returns
    -------
    Sheet

    Raises
    ------
    DataError
        If the workbook is damaged or has a password, or the sheet is empty.
    NotFoundError
        If the sheet does not exist.
    NotEnoughMemoryError
        If the sheet would not fit into memory.
    MissingDependencyError
        If python-calamine is not installed.
    """
    import polars as pl

    check_choice("header", header, (None, True, False))
    workbook, xls_workbook = _open_workbook(data, name)
    sheet_name = _select_sheet(workbook, name, sheet)
    names = workbook.sheet_names
    index = names.index(sheet_name)
    error_cells = (
        _find_error_cells(data, name, index) if xls_workbook is None else xls_workbook.error_cells[index]
    )
    rows, first_row, first_column = _read_cells(workbook, name, sheet_name, error_cells)
    non_blank = np.array([any(cell != "" for cell in row) for row in rows], dtype=bool)
    if not non_blank.any():
        other_sheets = [candidate for candidate in names if candidate != sheet_name]
        raise DataError(
            f'{name}: sheet "{sheet_name}" is empty',
            hint=Hint({"sheet": other_sheets[0]}) if other_sheets else "another file",
        )
    row_indices = np.flatnonzero(non_blank)
    rows = [rows[row] for row in row_indices]
    has_header = _looks_like_header(rows[0], rows[1 : 1 + _SAMPLE_ROWS]) if header is None else header
    _log_guess(
        name,
        sheet_name,
        names,
        sheet_is_explicit=sheet is not None,
        header=has_header if header is None else None,
    )
    body = rows[int(has_header) :]
    titles = [(_cell_text(cell) or "").strip() for cell in rows[0]] if has_header else [""] * len(rows[0])
    columns = list(zip(*body, strict=True)) if body else [()] * len(titles)
    series = [
        _to_series(title, cells) for title, cells in zip(deduplicate_names(titles), columns, strict=True)
    ]
    used_columns = [
        index for index, cells in enumerate(series) if titles[index] or cells.null_count() < len(cells)
    ]
    first, last = (used_columns[0], used_columns[-1] + 1) if used_columns else (0, len(series))
    _warn_about_long_numbers(series, name)
    return Sheet(
        frame=pl.DataFrame(series[first:last]),
        name=sheet_name,
        has_header=has_header,
        titles=tuple(titles[first:last]) if has_header else (),
        row_numbers=first_row + row_indices[int(has_header) :] + 1,
        first_column=first_column + first,
    )


def _open_workbook(data: bytes, name: str) -> tuple[Any, XlsWorkbook | None]:
    """Return the checked workbook, and the records of an .xls."""
    try:
        import python_calamine as calamine
    except ImportError:
        raise MissingDependencyError(
            f"{name} is a workbook; reading it needs python-calamine", hint='pip install "foretaste[excel]"'
        ) from None
    with _translate_errors(name):
        xls_workbook = None
        if data.startswith(b"PK"):
            check_workbook_parts(data, name)
            check_repeats(data, name)
        else:
            xls_workbook = XlsWorkbook(data, name)
        return calamine.CalamineWorkbook.from_filelike(io.BytesIO(data)), xls_workbook


@contextmanager
def _translate_errors(name: str) -> Iterator[None]:
    """Translate calamine's errors; on some damaged files it panics, which is not an ``Exception``."""
    import python_calamine as calamine

    try:
        yield
    except (calamine.PasswordError, EncryptedFileError):
        raise DataError(
            f"{name} is a workbook with a password", hint="open it, remove the password, and save it again"
        ) from None
    except BaseException as error:
        if isinstance(error, calamine.CalamineError | CorruptFileError):
            raise _corrupt_file_error(name, error) from None
        if type(error).__name__ == "PanicException":
            raise _corrupt_file_error(name, CorruptFileError("the reader panicked")) from None
        raise


def _corrupt_file_error(name: str, error: BaseException) -> DataError:
    message = (str(error).splitlines() or ["unreadable"])[0][:200]
    return DataError(
        f"{name} is a workbook that is truncated or damaged ({message})",
        hint="download it again, or open it and save it again",
    )


def _select_sheet(workbook: Any, name: str, sheet: str | int | None) -> str:
    """Return the name of the requested sheet, or of the first visible one."""
    names: list[str] = workbook.sheet_names
    if not names:
        raise DataError(f"{name} is a workbook without sheets", hint="another file")
    listing = "sheets are: " + ", ".join(f'"{title}"' for title in names)
    if sheet is None:
        for metadata in workbook.sheets_metadata:
            if str(metadata.typ).endswith("WorkSheet") and str(metadata.visible).endswith(".Visible"):
                return str(metadata.name)
        return names[0]
    if isinstance(sheet, int) and not isinstance(sheet, bool):
        if 0 <= sheet < len(names):
            return names[sheet]
        raise NotFoundError(
            f"{name} has no sheet at position {sheet}", where=listing, hint=f"0 to {len(names) - 1}"
        )
    if not isinstance(sheet, str):
        raise InvalidParameterError(
            "it must be a name or a position from 0", argument=("sheet", sheet), hint=Hint({"sheet": 0})
        )
    if sheet not in names:
        raise NotFoundError(
            f'{name} has no sheet "{sheet}"',
            misspelled=(sheet, names),
            where=listing,
            hint=Hint({"sheet": names[0]}),
        )
    return sheet


def _read_cells(
    workbook: Any, name: str, sheet: str, error_cells: Sequence[tuple[int, int, str]]
) -> tuple[list[list[Any]], int, int]:
    """Return a sheet's cells by rows, and the sheet row and column, from 0, of the first cell."""
    with _translate_errors(name):
        worksheet = workbook.get_sheet_by_name(sheet)
        rows = worksheet.to_python(skip_empty_area=True)
    first_row, first_column = worksheet.start or (0, 0)
    for row, column, text in error_cells:
        # The library returns these as blank, and omits one that has no value.
        if not (0 <= row - first_row < len(rows) and 0 <= column - first_column < len(rows[0])):
            raise DataError(
                f'{name}: sheet "{sheet}", cell {column_letters(column)}{row + 1} holds the error {text}',
                hint="fix or empty that cell",
            )
        rows[row - first_row][column - first_column] = text
    return rows, first_row, first_column


def _find_error_cells(data: bytes, name: str, index: int) -> list[tuple[int, int, str]]:
    """Return the cells with errors of an .xlsx; raises if the sheet's extent is too large."""
    xml = read_sheet_xml(data, index)
    check_extent(xml, name)
    return list(iter_error_cells(xml, name))


def _looks_like_header(first: Sequence[Any], body: Sequence[Sequence[Any]]) -> bool:
    """Whether the first row is a header: known names, or 1, 2, 3, ..., or text above non-text cells."""
    texts = [cell for cell in first if isinstance(cell, str) and cell.strip()]
    if any(column_role(cell) for cell in texts):
        return True
    numbers = [cell for cell in first if isinstance(cell, int | float) and not isinstance(cell, bool)]
    sequence = [numbers[0] + index for index in range(len(numbers))] if numbers else []
    if len(numbers) >= _MIN_NUMBERED_COLUMNS and numbers[0] in (0, 1) and numbers == sequence:
        return True
    if not texts or any(not isinstance(cell, str) for cell in first):
        return False
    return any(cell != "" and not isinstance(cell, str) for row in body for cell in row)


def _log_guess(
    name: str, sheet: str, names: Sequence[str], *, sheet_is_explicit: bool, header: bool | None
) -> None:
    parts: list[str] = []
    arguments: list[str] = []
    if len(names) > 1 and not sheet_is_explicit:
        parts.append(f'sheet "{sheet}" of {", ".join(map(repr, names))}')
        arguments.append("sheet")
    if header is not None:
        parts.append("with a header" if header else "no header")
        arguments.append("header")
    if parts:
        log.info("%s: %s   (override: %s)", name, ", ".join(parts), Hint(dict.fromkeys(arguments, ...)))


def _to_series(title: str, cells: Sequence[Any]) -> Any:
    """Return a column in its own type if all its cells have that type, else as text."""
    import polars as pl

    types = set(map(type, cells))
    if str in types and not any(filter(None, (cell for cell in cells if type(cell) is str))):
        types.discard(str)
        cells = [None if cell == "" else cell for cell in cells]
    if types and types <= {int, float}:
        numbers = pl.Series(title, cells, dtype=pl.Float64, strict=False)
        is_integral = bool((numbers.drop_nulls().floor() == numbers.drop_nulls()).all())
        is_exact = bool((numbers.drop_nulls().abs() <= _MAX_EXACT_INTEGER).all())
        return numbers.cast(pl.Int64) if is_integral and is_exact else numbers
    if types == {bool}:
        return pl.Series(title, cells, dtype=pl.Boolean)
    if types and types <= {datetime.date, datetime.datetime}:
        datetimes = [
            None
            if cell is None
            else cell
            if isinstance(cell, datetime.datetime)
            else datetime.datetime.combine(cell, datetime.time())
            for cell in cells
        ]
        return pl.Series(title, datetimes, dtype=pl.Datetime("us"))
    return pl.Series(title, [_cell_text(cell) for cell in cells], dtype=pl.String)


def _cell_text(cell: Any) -> str | None:
    """Return a cell as displayed: 7, not 7.0; TRUE; a datetime in ISO format."""
    if cell is None or cell == "":
        return None
    if isinstance(cell, bool):
        return str(cell).upper()
    if isinstance(cell, float):
        return str(int(cell)) if cell.is_integer() and abs(cell) <= _MAX_EXACT_INTEGER else repr(cell)
    return str(cell)


def _warn_about_long_numbers(series: Sequence[Any], name: str) -> None:
    import polars as pl

    long_columns = [
        column.name
        for column in series
        if column.dtype in (pl.Int64, pl.Float64)
        and (column.cast(pl.Float64).abs().max() or 0) >= _EXCEL_PRECISION
    ]
    if long_columns:
        log.warning(
            "%s: numbers in column %s have more than fifteen digits, of which Excel keeps fifteen; "
            "format such ids as text", name, ", ".join(long_columns),
        )  # fmt: skip
