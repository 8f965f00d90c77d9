"""What the reader of workbooks does not tell of an .xlsx: how far a sheet reaches, which cells are errors."""

from __future__ import annotations

import io
import posixpath
import re
import zipfile
from collections.abc import Iterator

from foretaste._utils.memory import check_available
from foretaste.errors import DataError
from foretaste.io.archive import ARCHIVE_ERRORS

_BYTES_PER_CELL = 64  # of memory a cell, in the reader and in Python, blank or not
_SMALL_SIZE = 2_000_000_000  # bytes that need no closer look
_MAX_DIGITS = 10  # of so many digits a number of a row is never looked at more closely: there is no such row
_REFERENCE = re.compile(rb"""\br\s*=\s*["']([A-Za-z]*)(\d+)["']""")  # of a cell, or without letters of a row
_CELL = re.compile(rb"<(?:\w+:)?c[\s/>]")
_ROW = re.compile(rb"<(?:\w+:)?row[\s/>]")
_REPEATED = re.compile(rb"""\bnumber-(columns|rows)-repeated\s*=\s*["'](\d+)["']""")
_SHEET_LIMITS = {b"columns": 16_384, b"rows": 1_048_576}  # that a sheet can have
_ERROR = re.compile(rb'<c\s([^>]*\bt="e"[^>]*)(?<!/)>(.*?)</c>', re.DOTALL)


def check_extent(xml: bytes, name: str) -> None:
    """Refuse a sheet that reaches so far that its cells, most of them blank, would not fit into memory.

    Parameters
    ----------
    xml : bytes
        Of the sheet.
    name : str
        Of the workbook, for the error.

    Raises
    ------
    NotEnoughMemoryError
        Naming the rows and columns.
    """
    rows, columns = _upper_bounds(xml)
    if rows * columns * _BYTES_PER_CELL < _SMALL_SIZE:
        return
    rows, columns = _extent(xml, name)
    check_available(
        rows * columns * _BYTES_PER_CELL,
        f"{name}: a sheet of {rows:,} rows and {columns:,} columns, blank cells among them,",
        "a stray cell far away is the usual cause: delete the rows and columns beyond the table, and save",
    )


def _upper_bounds(xml: bytes) -> tuple[int, int]:
    """Return numbers of rows and columns that a sheet certainly keeps within, quickly."""
    digits = len(str(xml.count(b"row")))
    while digits < _MAX_DIGITS and re.search(rb"""\br\s*=\s*["'][A-Za-z]*\d{%d}""" % (digits + 1), xml):
        digits += 1
    letters = 1
    while letters < _MAX_DIGITS and re.search(rb"""\br\s*=\s*["'][A-Za-z]{%d,}\d""" % (letters + 1), xml):
        letters += 1
    columns = 26**letters * 27 // 26
    return 10**digits, columns if _all_cells_have_reference(xml) else max(columns, _longest_row(xml))


def _all_cells_have_reference(xml: bytes) -> bool:
    """Whether every cell says where it stands; those that do not stand behind the one before."""
    return len(_CELL.findall(xml)) == len(re.findall(rb"""\br\s*=\s*["'][A-Za-z]""", xml))


def _longest_row(xml: bytes) -> int:
    return max(len(_CELL.findall(row)) for row in _ROW.split(xml))


def _extent(xml: bytes, name: str) -> tuple[int, int]:
    """Return how many rows and columns lie between the outermost cells."""
    letters: set[bytes] = set()
    top, bottom = 1 << 62, 0
    has_references = _all_cells_have_reference(xml)
    for match in _REFERENCE.finditer(xml):
        if match[1] or not has_references:
            letters.add(match[1].upper())
            top, bottom = min(top, int(match[2])), max(bottom, int(match[2]))
    if not has_references:
        top, bottom = 1, max(bottom, 0) + len(_ROW.findall(xml))
    column_indices = [_column_index(letter) for letter in letters if letter] or [0]
    if bottom > _SHEET_LIMITS[b"rows"] or max(column_indices) >= _SHEET_LIMITS[b"columns"]:
        raise DataError(
            f"{name} is a workbook that is damaged: a cell in row {bottom:,}, column {max(column_indices) + 1:,}",
            hint="open it and save it again",
        )
    columns = max(column_indices) - min(column_indices) + 1
    return max(bottom - top + 1, 0), columns if has_references else max(column_indices) + 1 + _longest_row(
        xml
    )


def _require_complete_xml(xml: bytes, name: str) -> None:
    """Refuse XML that is cut off or no XML; the reader of OpenDocument looks for its end for ever."""
    from xml.parsers import expat

    try:
        expat.ParserCreate().Parse(xml, True)
    except (expat.ExpatError, LookupError, ValueError) as error:
        raise DataError(
            f"{name} is a workbook that is damaged ({error})", hint="open it and save it again"
        ) from None


def check_repeats(data: bytes, name: str) -> None:
    """Refuse an OpenDocument sheet that is cut off, or whose repeated cells would not fit into memory.

    Parameters
    ----------
    data : bytes
        The workbook.
    name : str
        What it is called, for the error.

    Raises
    ------
    DataError
        If a cell or a row is repeated more often than a sheet is wide or long.
    NotEnoughMemoryError
        Naming the rows and columns.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            xml = archive.read("content.xml")
    except (KeyError, *ARCHIVE_ERRORS):
        return  # its reader says what is wrong
    _require_complete_xml(xml, name)
    for match in _REPEATED.finditer(xml):
        if int(match[2][:20]) > _SHEET_LIMITS[match[1]]:
            count = f"{match[1].decode()} {match[2][:20].decode()} times"
            raise DataError(
                f"{name} is a workbook that is damaged: it repeats {count}",
                hint="open it and save it again",
            )
    rows = columns = 0
    for row in re.split(rb"<(?:\w+:)?table-row\b", xml)[1:]:
        if b":p" not in row and b"value" not in row:
            continue  # blank rows stand at the end of most sheets, repeated to the bottom
        repeats = [(match[1], int(match[2])) for match in _REPEATED.finditer(row)]
        rows += max((count for axis, count in repeats if axis == b"rows"), default=1)
        columns = max(
            columns, sum(count for axis, count in repeats if axis == b"columns") + row.count(b"-cell")
        )
    check_available(
        rows * columns * _BYTES_PER_CELL if rows > 1000 else 0,
        f"{name}: a sheet of {rows:,} rows and up to {columns:,} columns, repeated cells among them,",
        "delete the rows and columns beyond the table, and save",
    )


def error_cells(xml: bytes, name: str) -> Iterator[tuple[int, int, str]]:
    """Yield the cells that hold an error such as ``#N/A``: row and column, from 0, and the error.

    Raises
    ------
    DataError
        If a cell with an error does not say where it stands.
    """
    if b't="e"' not in xml:
        return
    for match in _ERROR.finditer(xml):
        reference = re.search(rb'\br="([A-Z]{1,3})(\d{1,7})"', match[1])
        value = re.search(rb"<v>([^<]*)</v>", match[2])
        text = value[1].decode(errors="replace") if value else "#ERROR"
        if reference is None:
            raise DataError(f"{name}: a cell holds the error {text}", hint="mend or empty that cell")
        yield int(reference[2]) - 1, _column_index(reference[1]), text


def _column_index(letters: bytes) -> int:
    index = 0
    for letter in letters:
        index = index * 26 + letter - ord("A") + 1
    return index - 1


def read_sheet_xml(data: bytes, index: int) -> bytes:
    """Return the XML of a sheet, from 0; empty if this is no .xlsx, or one put together in some other way."""
    if not data.startswith(b"PK"):
        return b""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            sheets = re.findall(rb"<(?:\w+:)?sheet\s[^>]*>", archive.read("xl/workbook.xml"))
            relation = re.search(rb'\b\w+:id="([^"]+)"', sheets[index])
            if relation is None:
                return b""
            for match in re.findall(
                rb"<(?:\w+:)?Relationship\s[^>]*>", archive.read("xl/_rels/workbook.xml.rels")
            ):
                target = re.search(rb'\bTarget="([^"]+)"', match)
                if target and re.search(rb'\bId="' + re.escape(relation[1]) + rb'"', match):
                    return archive.read(posixpath.join("/xl", target[1].decode()).removeprefix("/"))
    except (KeyError, IndexError, *ARCHIVE_ERRORS):
        return b""
    return b""
