"""Sheets of Excel and OpenDocument workbooks as frames, cell for cell, with the place of each row."""

from __future__ import annotations

import datetime
import io
import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from foretaste.column_roles import role_of
from foretaste.errors import BadData, InvalidParameter, MissingExtra, NotFound, did_you_mean
from foretaste.io.archive import check_parts
from foretaste.io.column_mapping import unique_names
from foretaste.io.excel_xls import Damaged, Locked, OldWorkbook
from foretaste.io.excel_xlsx import check_extent, check_repeats, error_cells, sheet_xml

log = logging.getLogger("foretaste")

_EXACT = 2.0**53  # up to here a float64 holds every whole number
_DIGITS = 1e15  # Excel keeps fifteen digits of a number, and makes the rest zeros
_SAMPLE = 100
_COUNTING = 5  # so many numbers 1, 2, 3, ... in the first row are the names of columns, not ratings


@dataclass(frozen=True, eq=False)
class Sheet:
    """A sheet of a workbook.

    Parameters
    ----------
    frame : polars.DataFrame
        The cells below the header, without rows that are blank all over. A column is Int64, Float64,
        Boolean or Datetime if all its cells are of that kind, else String: what a person sees in each cell.
        A blank cell is null.
    name : str
        Of the sheet.
    header : bool
        Whether the first row gave the names of the columns; without, they are ``column_1`` and so on.
    titles : tuple of str, one a column
        What the header says, as it stands: names may be empty or stand twice; in the frame they are told
        apart. Empty without a header.
    rows : int64 array, shape (n,)
        The row of the sheet, from 1, that each row of the frame stands in.
    first_column : int
        The column of the sheet, from 0, that the first column of the frame stands in.
    """

    frame: Any
    name: str
    header: bool
    titles: tuple[str, ...]
    rows: npt.NDArray[np.int64]
    first_column: int

    def place(self, row: int) -> str:
        """Say where a row of the frame stands: ``sheet "Ratings", row 12``."""
        return f'sheet "{self.name}", row {self.rows[row]:,}'

    def cell(self, row: int, column: int) -> str:
        """Say where a cell of the frame stands: ``sheet "Ratings", cell D12``."""
        return f'sheet "{self.name}", cell {column_letters(self.first_column + column)}{self.rows[row]}'


def column_letters(place: int) -> str:
    """Return what Excel calls a column: 0 is ``A``, 27 is ``AB``."""
    letters = ""
    while place >= 0:
        place, digit = divmod(place, 26)
        letters = chr(ord("A") + digit) + letters
        place -= 1
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
        What it is called, for messages.
    sheet : str or int, optional
        The sheet's name, or its position from 0; the first that is visible, and that is said aloud.
    header : bool, optional
        Whether the first row holds names; guessed, and the guess is said aloud.

    Returns
    -------
    Sheet

    Raises
    ------
    BadData
        If the workbook is damaged or has a password, or the sheet is empty.
    NotFound
        If there is no such sheet.
    TooLarge
        If the sheet would not fit into memory.
    MissingExtra
        If python-calamine is not installed.
    """
    import polars as pl

    if header is not None and not isinstance(header, bool):
        raise InvalidParameter(f"header={header!r} is not allowed; it must be True, False or None (guess)")
    workbook, old = _opened(data, name)
    chosen = _chosen(workbook, name, sheet)
    names = workbook.sheet_names
    place = names.index(chosen)
    errors = _errors(data, name, place) if old is None else old.errors[place]
    rows, top, left = _cells(workbook, name, chosen, errors)
    filled = np.array([any(cell != "" for cell in row) for row in rows], dtype=bool)
    if not filled.any():
        others = [other for other in names if other != chosen]
        raise BadData(
            f'{name}: sheet "{chosen}" is empty', hint=f'sheet="{others[0]}"' if others else "another file"
        )
    kept = np.flatnonzero(filled)
    rows = [rows[row] for row in kept]
    guessed = _looks_like_header(rows[0], rows[1 : 1 + _SAMPLE]) if header is None else header
    _say(name, chosen, names, said=sheet is not None, header=guessed if header is None else None)
    body = rows[int(guessed) :]
    titles = [(_text(cell) or "").strip() for cell in rows[0]] if guessed else [""] * len(rows[0])
    columns = list(zip(*body, strict=True)) if body else [()] * len(titles)
    series = [_series(title, cells) for title, cells in zip(unique_names(titles), columns, strict=True)]
    wide = [place for place, cells in enumerate(series) if titles[place] or cells.null_count() < len(cells)]
    first, last = (wide[0], wide[-1] + 1) if wide else (0, len(series))
    _warn_of_long_numbers(series, name)
    return Sheet(
        frame=pl.DataFrame(series[first:last]),
        name=chosen,
        header=guessed,
        titles=tuple(titles[first:last]) if guessed else (),
        rows=top + kept[int(guessed) :] + 1,
        first_column=left + first,
    )


def _opened(data: bytes, name: str) -> tuple[Any, OldWorkbook | None]:
    """Return the workbook, its parts checked, and the records of an .xls."""
    try:
        import python_calamine as calamine
    except ImportError:
        raise MissingExtra(
            f"{name} is a workbook; reading it needs python-calamine", hint='pip install "foretaste[excel]"'
        ) from None
    with _reading(name):
        old = None
        if data.startswith(b"PK"):
            check_parts(data, name)
            check_repeats(data, name)
        else:
            old = OldWorkbook(data, name)
        return calamine.CalamineWorkbook.from_filelike(io.BytesIO(data)), old


@contextmanager
def _reading(name: str) -> Iterator[None]:
    """Turn the reader's errors into ours; on some damaged files it panics, which is no Exception."""
    import python_calamine as calamine

    try:
        yield
    except (calamine.PasswordError, Locked):
        raise BadData(
            f"{name} is a workbook with a password", hint="open it, take the password off, and save it again"
        ) from None
    except BaseException as error:
        if isinstance(error, calamine.CalamineError | Damaged):
            raise _damaged(name, error) from None
        if type(error).__name__ == "PanicException":
            raise _damaged(name, Damaged("its reader gave up")) from None
        raise


def _damaged(name: str, error: BaseException) -> BadData:
    said = (str(error).splitlines() or ["unreadable"])[0][:200]
    return BadData(
        f"{name} is a workbook that is cut off or damaged ({said})",
        hint="fetch it again, or open it and save it again",
    )


def _chosen(workbook: Any, name: str, sheet: str | int | None) -> str:
    """Return the name of the sheet that is meant."""
    names: list[str] = workbook.sheet_names
    if not names:
        raise BadData(f"{name} is a workbook without a sheet", hint="another file")
    listed = "sheets are: " + ", ".join(f'"{other}"' for other in names)
    if sheet is None:
        for about in workbook.sheets_metadata:
            if str(about.typ).endswith("WorkSheet") and str(about.visible).endswith(".Visible"):
                return str(about.name)
        return names[0]
    if isinstance(sheet, int) and not isinstance(sheet, bool):
        if 0 <= sheet < len(names):
            return names[sheet]
        raise NotFound(
            f"{name} has no sheet at position {sheet}", where=listed, hint=f"0 to {len(names) - 1}"
        )
    if not isinstance(sheet, str):
        raise InvalidParameter(f"sheet={sheet!r} is neither a name nor a position", hint="sheet=0")
    if sheet not in names:
        raise NotFound(
            f'{name} has no sheet "{sheet}"{did_you_mean(sheet, names)}',
            where=listed,
            hint=f'sheet="{names[0]}"',
        )
    return sheet


def _cells(
    workbook: Any, name: str, sheet: str, errors: Sequence[tuple[int, int, str]]
) -> tuple[list[list[Any]], int, int]:
    """Return a sheet's cells by rows, and the row and column of the sheet, from 0, of the first."""
    with _reading(name):
        opened = workbook.get_sheet_by_name(sheet)
        rows = opened.to_python(skip_empty_area=True)
    top, left = opened.start or (0, 0)
    for row, column, text in errors:
        # The library gives these as blank, and leaves one out that has no value.
        if not (0 <= row - top < len(rows) and 0 <= column - left < len(rows[0])):
            raise BadData(
                f'{name}: sheet "{sheet}", cell {column_letters(column)}{row + 1} holds the error {text}',
                hint="mend or empty that cell",
            )
        rows[row - top][column - left] = text
    return rows, top, left


def _errors(data: bytes, name: str, place: int) -> list[tuple[int, int, str]]:
    """Return the cells of a newer workbook with errors; refuses a sheet that reaches too far."""
    xml = sheet_xml(data, place)
    check_extent(xml, name)
    return list(error_cells(xml, name))


def _looks_like_header(first: Sequence[Any], body: Sequence[Sequence[Any]]) -> bool:
    """Whether the first row holds names: known ones, or 1, 2, 3, ..., or text above what is no text."""
    texts = [cell for cell in first if isinstance(cell, str) and cell.strip()]
    if any(role_of(cell) for cell in texts):
        return True
    numbers = [cell for cell in first if isinstance(cell, int | float) and not isinstance(cell, bool)]
    counted = [numbers[0] + place for place in range(len(numbers))] if numbers else []
    if len(numbers) >= _COUNTING and numbers[0] in (0, 1) and numbers == counted:
        return True
    if not texts or any(not isinstance(cell, str) for cell in first):
        return False
    return any(cell != "" and not isinstance(cell, str) for row in body for cell in row)


def _say(name: str, sheet: str, names: Sequence[str], *, said: bool, header: bool | None) -> None:
    parts, arguments = [], []
    if len(names) > 1 and not said:
        parts.append(f'sheet "{sheet}" of {", ".join(map(repr, names))}')
        arguments.append("sheet=...")
    if header is not None:
        parts.append("with a header" if header else "no header")
        arguments.append("header=...")
    if parts:
        log.info("%s: %s   (say otherwise: %s)", name, ", ".join(parts), ", ".join(arguments))


def _series(title: str, cells: Sequence[Any]) -> Any:
    """Return a column in its own type if all its cells are of one kind, else as text."""
    import polars as pl

    kinds = set(map(type, cells))
    if str in kinds and not any(filter(None, (cell for cell in cells if type(cell) is str))):
        kinds.discard(str)
        cells = [None if cell == "" else cell for cell in cells]
    if kinds and kinds <= {int, float}:
        numbers = pl.Series(title, cells, dtype=pl.Float64, strict=False)
        whole = bool((numbers.drop_nulls().floor() == numbers.drop_nulls()).all())
        exact = bool((numbers.drop_nulls().abs() <= _EXACT).all())
        return numbers.cast(pl.Int64) if whole and exact else numbers
    if kinds == {bool}:
        return pl.Series(title, cells, dtype=pl.Boolean)
    if kinds and kinds <= {datetime.date, datetime.datetime}:
        moments = [
            None
            if cell is None
            else cell
            if isinstance(cell, datetime.datetime)
            else datetime.datetime.combine(cell, datetime.time())
            for cell in cells
        ]
        return pl.Series(title, moments, dtype=pl.Datetime("us"))
    return pl.Series(title, [_text(cell) for cell in cells], dtype=pl.String)


def _text(cell: Any) -> str | None:
    """Return what a person sees in a cell: 7, not 7.0; TRUE; a time as ISO writes it."""
    if cell is None or cell == "":
        return None
    if isinstance(cell, bool):
        return str(cell).upper()
    if isinstance(cell, float):
        return str(int(cell)) if cell.is_integer() and abs(cell) <= _EXACT else repr(cell)
    return str(cell)


def _warn_of_long_numbers(series: Sequence[Any], name: str) -> None:
    import polars as pl

    long = [
        column.name
        for column in series
        if column.dtype in (pl.Int64, pl.Float64) and (column.cast(pl.Float64).abs().max() or 0) >= _DIGITS
    ]
    if long:
        log.warning(
            "%s: numbers in column %s have more than fifteen digits, of which Excel keeps fifteen; "
            "ids like that belong in cells formatted as text", name, ", ".join(long),
        )  # fmt: skip
