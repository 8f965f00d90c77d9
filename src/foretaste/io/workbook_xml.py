"""What the reader of workbooks does not tell of an .xlsx: how far a sheet reaches, which cells are errors."""

from __future__ import annotations

import io
import posixpath
import re
import zipfile
from collections.abc import Iterator

from foretaste.errors import BadData
from foretaste.memory import require

_BYTES = 64  # of memory a cell, in the reader and in Python, blank or not
_SMALL = 2_000_000_000  # bytes that need no closer look
_REFERENCE = re.compile(rb'<c\s[^>]*?\br="([A-Z]{1,3})(\d{1,7})"')
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
    last = xml.rfind(b"<row ")
    number = re.match(rb'<row [^>]*?\br="(\d+)"', xml[last : last + 1000]) if last >= 0 else None
    rows = max(int(number[1]) if number else 0, xml.count(b"<row"))
    columns = 26**3 if re.search(rb' r="[A-Z]{3}\d', xml) else 26 * 27
    if rows * columns * _BYTES < _SMALL:
        return
    letters: set[bytes] = set()
    top, bottom = 1 << 30, 0
    for found in _REFERENCE.finditer(xml):
        letters.add(found[1])
        top, bottom = min(top, int(found[2])), max(bottom, int(found[2]))
    if not letters:
        return
    places = [_place_of(letter) for letter in letters]
    rows, columns = bottom - top + 1, max(places) - min(places) + 1
    require(
        rows * columns * _BYTES,
        f"{name}: a sheet of {rows:,} rows and {columns:,} columns, blank cells among them,",
        "a stray cell far away is the usual cause: delete the rows and columns beyond the table, and save",
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
    except (KeyError, IndexError, UnicodeDecodeError):
        return b""
    return b""
