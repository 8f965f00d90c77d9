"""What the reader of workbooks does not tell of an .xlsx: how far a sheet reaches, which cells are errors."""

from __future__ import annotations

import io
import posixpath
import re
import zipfile
from collections.abc import Iterator

from foretaste._utils.memory import require
from foretaste.errors import BadData
from foretaste.io.archive import DAMAGE

_BYTES = 64  # of memory a cell, in the reader and in Python, blank or not
_SMALL = 2_000_000_000  # bytes that need no closer look
_QUICK = 10  # of so many digits a number of a row is never looked at more closely: there is no such row
_REFERENCE = re.compile(rb"""\br\s*=\s*["']([A-Za-z]*)(\d+)["']""")  # of a cell, or without letters of a row
_CELL = re.compile(rb"<(?:\w+:)?c[\s/>]")
_ROW = re.compile(rb"<(?:\w+:)?row[\s/>]")
_REPEATED = re.compile(rb"""\bnumber-(columns|rows)-repeated\s*=\s*["'](\d+)["']""")
_MOST = {b"columns": 16_384, b"rows": 1_048_576}  # that a sheet can have
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
    TooLarge
        Naming the rows and columns.
    """
    rows, columns = _bounds(xml)
    if rows * columns * _BYTES < _SMALL:
        return
    rows, columns = _extent(xml, name)
    require(
        rows * columns * _BYTES,
        f"{name}: a sheet of {rows:,} rows and {columns:,} columns, blank cells among them,",
        "a stray cell far away is the usual cause: delete the rows and columns beyond the table, and save",
    )


def _bounds(xml: bytes) -> tuple[int, int]:
    """Return numbers of rows and columns that a sheet certainly keeps within, quickly."""
    digits = len(str(xml.count(b"row")))
    while digits < _QUICK and re.search(rb"""\br\s*=\s*["'][A-Za-z]*\d{%d}""" % (digits + 1), xml):
        digits += 1
    letters = 1
    while letters < _QUICK and re.search(rb"""\br\s*=\s*["'][A-Za-z]{%d,}\d""" % (letters + 1), xml):
        letters += 1
    columns = 26**letters * 27 // 26
    return 10**digits, columns if _all_placed(xml) else max(columns, _longest_row(xml))


def _all_placed(xml: bytes) -> bool:
    """Whether every cell says where it stands; those that do not stand behind the one before."""
    return len(_CELL.findall(xml)) == len(re.findall(rb"""\br\s*=\s*["'][A-Za-z]""", xml))


def _longest_row(xml: bytes) -> int:
    return max(len(_CELL.findall(row)) for row in _ROW.split(xml))


def _extent(xml: bytes, name: str) -> tuple[int, int]:
    """Return how many rows and columns lie between the outermost cells."""
    letters: set[bytes] = set()
    top, bottom = 1 << 62, 0
    placed = _all_placed(xml)
    for found in _REFERENCE.finditer(xml):
        if found[1] or not placed:
            letters.add(found[1].upper())
            top, bottom = min(top, int(found[2])), max(bottom, int(found[2]))
    if not placed:
        top, bottom = 1, max(bottom, 0) + len(_ROW.findall(xml))
    places = [_place_of(letter) for letter in letters if letter] or [0]
    if bottom > _MOST[b"rows"] or max(places) >= _MOST[b"columns"]:
        raise BadData(
            f"{name} is a workbook that is damaged: a cell in row {bottom:,}, column {max(places) + 1:,}",
            hint="open it and save it again",
        )
    columns = max(places) - min(places) + 1
    return max(bottom - top + 1, 0), columns if placed else max(places) + 1 + _longest_row(xml)


def _require_whole(xml: bytes, name: str) -> None:
    """Refuse XML that is cut off or no XML; the reader of OpenDocument looks for its end for ever."""
    from xml.parsers import expat

    try:
        expat.ParserCreate().Parse(xml, True)
    except (expat.ExpatError, LookupError, ValueError) as error:
        raise BadData(
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
    BadData
        If a cell or a row is repeated more often than a sheet is wide or long.
    TooLarge
        Naming the rows and columns.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            xml = archive.read("content.xml")
    except (KeyError, *DAMAGE):
        return  # its reader says what is wrong
    _require_whole(xml, name)
    for found in _REPEATED.finditer(xml):
        if int(found[2][:20]) > _MOST[found[1]]:
            times = f"{found[1].decode()} {found[2][:20].decode()} times"
            raise BadData(
                f"{name} is a workbook that is damaged: it repeats {times}",
                hint="open it and save it again",
            )
    rows = columns = 0
    for row in re.split(rb"<(?:\w+:)?table-row\b", xml)[1:]:
        if b":p" not in row and b"value" not in row:
            continue  # blank rows stand at the end of most sheets, repeated to the bottom
        repeats = [(found[1], int(found[2])) for found in _REPEATED.finditer(row)]
        rows += max((times for what, times in repeats if what == b"rows"), default=1)
        columns = max(
            columns, sum(times for what, times in repeats if what == b"columns") + row.count(b"-cell")
        )
    require(
        rows * columns * _BYTES if rows > 1000 else 0,
        f"{name}: a sheet of {rows:,} rows and up to {columns:,} columns, repeated cells among them,",
        "delete the rows and columns beyond the table, and save",
    )


def error_cells(xml: bytes, name: str) -> Iterator[tuple[int, int, str]]:
    """Yield the cells that hold an error such as ``#N/A``: row and column, from 0, and the error.

    Raises
    ------
    BadData
        If a cell with an error does not say where it stands.
    """
    if b't="e"' not in xml:
        return
    for found in _ERROR.finditer(xml):
        where = re.search(rb'\br="([A-Z]{1,3})(\d{1,7})"', found[1])
        value = re.search(rb"<v>([^<]*)</v>", found[2])
        text = value[1].decode(errors="replace") if value else "#ERROR"
        if where is None:
            raise BadData(f"{name}: a cell holds the error {text}", hint="mend or empty that cell")
        yield int(where[2]) - 1, _place_of(where[1]), text


def _place_of(letters: bytes) -> int:
    place = 0
    for letter in letters:
        place = place * 26 + letter - ord("A") + 1
    return place - 1


def sheet_xml(data: bytes, place: int) -> bytes:
    """Return the XML of a sheet, from 0; empty if this is no .xlsx, or one put together in some other way."""
    if not data.startswith(b"PK"):
        return b""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            sheets = re.findall(rb"<(?:\w+:)?sheet\s[^>]*>", archive.read("xl/workbook.xml"))
            relation = re.search(rb'\b\w+:id="([^"]+)"', sheets[place])
            if relation is None:
                return b""
            for found in re.findall(
                rb"<(?:\w+:)?Relationship\s[^>]*>", archive.read("xl/_rels/workbook.xml.rels")
            ):
                target = re.search(rb'\bTarget="([^"]+)"', found)
                if target and re.search(rb'\bId="' + re.escape(relation[1]) + rb'"', found):
                    return archive.read(posixpath.join("/xl", target[1].decode()).removeprefix("/"))
    except (KeyError, IndexError, *DAMAGE):
        return b""
    return b""
