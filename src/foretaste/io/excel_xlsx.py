"""Checks the extent of .xlsx and .ods sheets before calamine reads them, and finds error cells."""

from __future__ import annotations

import io
import posixpath
import re
import zipfile
from collections.abc import Iterator

from foretaste._utils.memory import check_available
from foretaste.errors import DataError
from foretaste.io.archive import ARCHIVE_ERRORS

_BYTES_PER_CELL = 64  # of memory, in calamine and in Python, blank cells included
_SMALL_SIZE = 2_000_000_000  # bytes; smaller sheets need no exact extent
_MAX_DIGITS = 10  # of a row number in the upper bound
_REFERENCE = re.compile(rb"""\br\s*=\s*["']([A-Za-z]*)(\d+)["']""")  # of a cell; without letters, of a row
_CELL = re.compile(rb"<(?:\w+:)?c[\s/>]")
_ROW = re.compile(rb"<(?:\w+:)?row[\s/>]")
_REPEATED = re.compile(rb"""\bnumber-(columns|rows)-repeated\s*=\s*["'](\d+)["']""")
_SHEET_LIMITS = {b"columns": 16_384, b"rows": 1_048_576}  # of the formats
_ERROR = re.compile(rb'<c\s([^>]*\bt="e"[^>]*)(?<!/)>(.*?)</c>', re.DOTALL)


def check_extent(xml: bytes, name: str) -> None:
    """Raise if the cells of a sheet, most of them blank, would not fit into memory.

    Parameters
    ----------
    xml : bytes
        XML of the sheet.
    name : str
        Name of the workbook, for the error.

    Raises
    ------
    NotEnoughMemoryError
        With the numbers of rows and columns.
    """
    rows, columns = _upper_bounds(xml)
    if rows * columns * _BYTES_PER_CELL < _SMALL_SIZE:
        return
    rows, columns = _extent(xml, name)
    check_available(
        rows * columns * _BYTES_PER_CELL,
        f"{name}: a sheet of {rows:,} rows and {columns:,} columns, including blank cells,",
        "usually caused by a stray cell: delete the rows and columns beyond the table, and save",
    )


def _upper_bounds(xml: bytes) -> tuple[int, int]:
    """Return quick upper bounds of the numbers of rows and columns."""
    digits = len(str(xml.count(b"row")))
    while digits < _MAX_DIGITS and re.search(rb"""\br\s*=\s*["'][A-Za-z]*\d{%d}""" % (digits + 1), xml):
        digits += 1
    letters = 1
    while letters < _MAX_DIGITS and re.search(rb"""\br\s*=\s*["'][A-Za-z]{%d,}\d""" % (letters + 1), xml):
        letters += 1
    columns = 26**letters * 27 // 26
    return 10**digits, columns if _all_cells_have_reference(xml) else max(columns, _longest_row(xml))


def _all_cells_have_reference(xml: bytes) -> bool:
    """Whether every cell has a reference; one without follows the cell before it."""
    return len(_CELL.findall(xml)) == len(re.findall(rb"""\br\s*=\s*["'][A-Za-z]""", xml))


def _longest_row(xml: bytes) -> int:
    return max(len(_CELL.findall(row)) for row in _ROW.split(xml))


def _extent(xml: bytes, name: str) -> tuple[int, int]:
    """Return the numbers of rows and columns between the outermost cells."""
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
            f"{name} is a workbook that is damaged: it has a cell in row {bottom:,}, "
            f"column {max(column_indices) + 1:,}",
            hint="open it and save it again",
        )
    columns = max(column_indices) - min(column_indices) + 1
    return max(bottom - top + 1, 0), columns if has_references else max(column_indices) + 1 + _longest_row(
        xml
    )


def _require_complete_xml(xml: bytes, name: str) -> None:
    """Raise for truncated or invalid XML, on which calamine's OpenDocument reader never returns."""
    from xml.parsers import expat

    try:
        expat.ParserCreate().Parse(xml, True)
    except (expat.ExpatError, LookupError, ValueError) as error:
        raise DataError(
            f"{name} is a workbook that is damaged ({error})", hint="open it and save it again"
        ) from None


def check_repeats(data: bytes, name: str) -> None:
    """Raise if an OpenDocument sheet is truncated, or its repeated cells would not fit into memory.

    Parameters
    ----------
    data : bytes
        Content of the workbook.
    name : str
        Name for the error.

    Raises
    ------
    DataError
        If a cell or row is repeated more often than a sheet has columns or rows.
    NotEnoughMemoryError
        With the numbers of rows and columns.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            xml = archive.read("content.xml")
    except (KeyError, *ARCHIVE_ERRORS):
        return  # calamine raises the error
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
            continue  # most sheets end with a blank row, repeated to the bottom
        repeats = [(match[1], int(match[2])) for match in _REPEATED.finditer(row)]
        rows += max((count for axis, count in repeats if axis == b"rows"), default=1)
        columns = max(
            columns, sum(count for axis, count in repeats if axis == b"columns") + row.count(b"-cell")
        )
    check_available(
        rows * columns * _BYTES_PER_CELL if rows > 1000 else 0,
        f"{name}: a sheet of {rows:,} rows and up to {columns:,} columns, including repeated cells,",
        "delete the rows and columns beyond the table, and save",
    )


def iter_error_cells(xml: bytes, name: str) -> Iterator[tuple[int, int, str]]:
    """Yield the cells with an error such as ``#N/A``: row and column, from 0, and the error.

    Raises
    ------
    DataError
        If a cell with an error has no reference.
    """
    if b't="e"' not in xml:
        return
    for match in _ERROR.finditer(xml):
        reference = re.search(rb'\br="([A-Z]{1,3})(\d{1,7})"', match[1])
        value = re.search(rb"<v>([^<]*)</v>", match[2])
        text = value[1].decode(errors="replace") if value else "#ERROR"
        if reference is None:
            raise DataError(f"{name}: a cell holds the error {text}", hint="fix or empty that cell")
        yield int(reference[2]) - 1, _column_index(reference[1]), text


def _column_index(letters: bytes) -> int:
    index = 0
    for letter in letters:
        index = index * 26 + letter - ord("A") + 1
    return index - 1


def read_sheet_xml(data: bytes, index: int) -> bytes:
    """Return the XML of the sheet at a position, from 0; empty if the file is not a usual .xlsx."""
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
