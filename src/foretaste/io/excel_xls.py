"""What the reader of workbooks does not tell of an .xls, and what it must not be given.

It leaves cells with errors blank, and takes the whole process down with it where a damaged file announces
billions of strings or cells. So the records of the file are walked through first.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator

from foretaste._utils.memory import require

_CELL_BYTES = 64  # of memory, in the reader and in Python
_MOST_ROWS, _MOST_COLUMNS = 65_536, 256
_FREE = 0xFFFFFFFA  # from here on a number of a sector means that there is none
_BOF, _EOF, _SHEET, _STRINGS, _PASSWORD, _EXTENT = 0x0809, 0x000A, 0x0085, 0x00FC, 0x002F, 0x0200
_FORMULA, _BOOLEAN_OR_ERROR, _NUMBERS, _BLANKS = 0x0006, 0x0205, 0x00BD, 0x00BE
_CELLS = frozenset(
    (_FORMULA, _BOOLEAN_OR_ERROR, _NUMBERS, _BLANKS, 0x0201, 0x0203, 0x0204, 0x027E, 0x00D6, 0x00FD)
)
_ERRORS = {
    0x00: "#NULL!",
    0x07: "#DIV/0!",
    0x0F: "#VALUE!",
    0x17: "#REF!",
    0x1D: "#NAME?",
    0x24: "#NUM!",
    0x2A: "#N/A",
}


class Damaged(Exception):
    """The file is not put together as it should be."""


class Locked(Exception):
    """The file is encrypted."""


class OldWorkbook:
    """The records of an .xls, walked through and found possible.

    Parameters
    ----------
    data : bytes
        The file.
    name : str
        What it is called, for errors.

    Attributes
    ----------
    errors : list of lists
        For each sheet, the cells that hold an error: row and column, from 0, and the error.

    Raises
    ------
    Damaged
        If it is not put together as it should be, or announces more than it can hold.
    Locked
        If it has a password.
    TooLarge
        If the cells of a sheet, blank ones among them, would not fit into memory.
    """

    def __init__(self, data: bytes, name: str) -> None:
        try:
            self._stream = _workbook_stream(data)
            self.errors = [self._walk(start, name) for start in list(self._globals())]
        except (struct.error, IndexError, UnicodeDecodeError) as error:
            raise Damaged(str(error)) from None

    def _globals(self) -> Iterator[int]:
        """Yield where each sheet starts, checking what the reader trusts."""
        for kind, start, size in self._records(0):
            if kind == _PASSWORD:
                raise Locked
            if kind == _SHEET:
                yield struct.unpack_from("<I", self._stream, start)[0]
            if kind == _STRINGS and struct.unpack_from("<I", self._stream, start + 4)[0] * 3 > len(
                self._stream
            ):
                raise Damaged(f"more strings than would fit into its {size} bytes")

    def _records(self, start: int) -> Iterator[tuple[int, int, int]]:
        """Yield the kind, the start and the size of each record from a place on, to the end of its part."""
        depth = 0
        while True:
            kind, size = struct.unpack_from("<HH", self._stream, start)
            if depth == 0 and kind != _BOF:
                raise Damaged("a part of it has no start")
            start += 4
            if start + size > len(self._stream):
                raise Damaged("it ends too early")
            depth += (kind == _BOF) - (kind == _EOF)
            if depth == 0:
                return
            if depth == 1:  # charts within a sheet are deeper
                yield kind, start, size
            start += size

    def _walk(self, start: int, name: str) -> list[tuple[int, int, str]]:
        """Return the cells of a sheet that hold an error, having found out how far the sheet reaches."""
        found, rows, columns = [], 1, 1
        stream, unpack = self._stream, struct.Struct("<HH").unpack_from
        for kind, at, size in self._records(start):
            if kind == _EXTENT:
                layout = "<IIHH" if size >= 14 else "<4H"
                top, row, left, column = struct.unpack_from(layout, stream, at)
                if top > row or left > column:  # their difference, without a sign, is in the billions
                    raise Damaged("a sheet that ends before it starts")
            elif kind in _CELLS:
                row, column = (number + 1 for number in unpack(stream, at))
                if kind in (_NUMBERS, _BLANKS):
                    column = max(column, unpack(stream, at + size - 4)[1] + 1)
                code = self._error_in(kind, at)
                if code is not None:
                    found.append((row - 1, column - 1, _ERRORS.get(code, "#ERROR")))
            else:
                continue
            rows, columns = max(rows, row), max(columns, column)
        if columns > _MOST_COLUMNS or rows > _MOST_ROWS:
            raise Damaged(f"a sheet of {rows:,} rows and {columns:,} columns")
        require(
            rows * columns * _CELL_BYTES,
            f"{name}: a sheet of {rows:,} rows and {columns} columns, blank ones among them,",
            "delete the rows and columns beyond the table, and save",
        )
        return found

    def _error_in(self, kind: int, at: int) -> int | None:
        """Return the code of the error in a cell, if there is one."""
        stream = self._stream
        if kind == _BOOLEAN_OR_ERROR and stream[at + 7]:
            return stream[at + 6]
        if kind == _FORMULA and stream[at + 12 : at + 14] == b"\xff\xff" and stream[at + 6] == 2:
            return stream[at + 8]
        return None


def _workbook_stream(data: bytes) -> bytes:
    """Return the stream of the workbook out of the file system inside the file."""
    shift, small_shift = struct.unpack_from("<HH", data, 30)
    if shift not in (9, 12) or small_shift != 6:
        raise Damaged("sectors of an odd size")
    first_folder, cutoff, first_small = (struct.unpack_from("<I", data, at)[0] for at in (48, 56, 60))

    def sector(number: int) -> bytes:
        return data[(number + 1) << shift : (number + 2) << shift]

    def whole(first: int, table: tuple[int, ...]) -> bytes:
        return b"".join(sector(number) for number in _chain(first, table))

    table = _integers(b"".join(sector(number) for number in _table_sectors(data, sector)))
    entries = whole(first_folder, table)
    streams = {}
    for at in range(0, len(entries) - 127, 128):
        length, kind = struct.unpack_from("<HB", entries, at + 64)
        if kind in (2, 5):
            title = entries[at : at + max(0, length - 2)].decode("utf-16-le")
            streams["root" if kind == 5 else title.lower()] = struct.unpack_from("<II", entries, at + 116)
    if "encryptedpackage" in streams:
        raise Locked
    first, size = streams.get("workbook") or streams.get("book") or (_FREE, 0)
    if size >= cutoff:
        return whole(first, table)[:size]
    if "root" not in streams or not size:
        raise Damaged("no workbook in it")
    small, small_table = whole(streams["root"][0], table), _integers(whole(first_small, table))
    return b"".join(small[number << 6 : (number + 1) << 6] for number in _chain(first, small_table))[:size]


def _table_sectors(data: bytes, sector: Callable[[int], bytes]) -> list[int]:
    """Return which sectors hold the table that says which sector follows which."""
    numbers = list(struct.unpack_from("<109I", data, 76))
    (more,) = struct.unpack_from("<I", data, 68)
    seen = set()
    while more < _FREE and more not in seen:
        seen.add(more)
        *listed, more = _integers(sector(more)) or (_FREE,)
        numbers += listed
    return [number for number in numbers if number < _FREE]


def _integers(data: bytes) -> tuple[int, ...]:
    return struct.unpack(f"<{len(data) // 4}I", data[: len(data) // 4 * 4])


def _chain(first: int, table: tuple[int, ...]) -> Iterator[int]:
    """Yield the sectors of a stream one after the other."""
    steps = 0
    while first < _FREE:
        yield first
        first = table[first]
        steps += 1
        if steps > len(table):
            raise Damaged("a ring of sectors")
