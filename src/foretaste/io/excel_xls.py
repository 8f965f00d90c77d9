"""Checks an .xls (BIFF) before calamine reads it, and finds its error cells.

Calamine returns cells with errors as blank, and crashes the process if a damaged file declares billions of
strings or cells. So the records of the file are scanned first. Format: [MS-XLS] and [MS-CFB] by Microsoft.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator

from foretaste._utils.memory import check_available
from foretaste.io.archive import CorruptFileError

_CELL_BYTES = 64  # of memory, in calamine and in Python
_MAX_ROWS, _MAX_COLUMNS = 65_536, 256
_FREE_SECTOR = 0xFFFFFFFA  # sector numbers from here on mean "no sector"
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


class EncryptedFileError(Exception):
    """The workbook has a password."""


class XlsWorkbook:
    """The validated records of an .xls.

    Parameters
    ----------
    data : bytes
        Content of the file.
    name : str
        Name for errors.

    Attributes
    ----------
    error_cells : list of lists
        For each sheet, the cells with an error: row and column, from 0, and the error.

    Raises
    ------
    Damaged
        If its structure is invalid, or it declares more than it can contain.
    Locked
        If it has a password.
    NotEnoughMemoryError
        If the cells of a sheet, including blank ones, would not fit into memory.
    """

    def __init__(self, data: bytes, name: str) -> None:
        try:
            self._stream = read_workbook_stream(data)
            self.error_cells = [self._scan_sheet(start, name) for start in list(self._iter_sheet_offsets())]
        except (struct.error, IndexError, UnicodeDecodeError) as error:
            raise CorruptFileError(str(error)) from None

    def _iter_sheet_offsets(self) -> Iterator[int]:
        """Yield the offset of each sheet, checking what calamine does not."""
        for kind, start, size in self._iter_records(0):
            if kind == _PASSWORD:
                raise EncryptedFileError
            if kind == _SHEET:
                yield struct.unpack_from("<I", self._stream, start)[0]
            if kind == _STRINGS and struct.unpack_from("<I", self._stream, start + 4)[0] * 3 > len(
                self._stream
            ):
                raise CorruptFileError(f"more strings than fit into its {size} bytes")

    def _iter_records(self, start: int) -> Iterator[tuple[int, int, int]]:
        """Yield kind, offset and size of each record from ``start`` to the end of its substream."""
        depth = 0
        while True:
            kind, size = struct.unpack_from("<HH", self._stream, start)
            if depth == 0 and kind != _BOF:
                raise CorruptFileError("a substream has no start")
            start += 4
            if start + size > len(self._stream):
                raise CorruptFileError("unexpected end of file")
            depth += (kind == _BOF) - (kind == _EOF)
            if depth == 0:
                return
            if depth == 1:  # charts in a sheet are deeper
                yield kind, start, size
            start += size

    def _scan_sheet(self, start: int, name: str) -> list[tuple[int, int, str]]:
        """Check the extent of a sheet, and return its cells with errors."""
        error_cells, rows, columns = [], 1, 1
        stream, unpack = self._stream, struct.Struct("<HH").unpack_from
        for kind, offset, size in self._iter_records(start):
            if kind == _EXTENT:
                layout = "<IIHH" if size >= 14 else "<4H"
                first_row, row, first_column, column = struct.unpack_from(layout, stream, offset)
                if (
                    first_row > row or first_column > column
                ):  # calamine's unsigned difference would be billions
                    raise CorruptFileError("a sheet that ends before it starts")
            elif kind in _CELLS:
                row, column = (number + 1 for number in unpack(stream, offset))
                if kind in (_NUMBERS, _BLANKS):
                    column = max(column, unpack(stream, offset + size - 4)[1] + 1)
                code = self._error_code(kind, offset)
                if code is not None:
                    error_cells.append((row - 1, column - 1, _ERRORS.get(code, "#ERROR")))
            else:
                continue
            rows, columns = max(rows, row), max(columns, column)
        if columns > _MAX_COLUMNS or rows > _MAX_ROWS:
            raise CorruptFileError(f"a sheet of {rows:,} rows and {columns:,} columns")
        check_available(
            rows * columns * _CELL_BYTES,
            f"{name}: a sheet of {rows:,} rows and {columns} columns, including blank ones,",
            "delete the rows and columns beyond the table, and save",
        )
        return error_cells

    def _error_code(self, kind: int, offset: int) -> int | None:
        """Return the error code of a cell, or None."""
        stream = self._stream
        if kind == _BOOLEAN_OR_ERROR and stream[offset + 7]:
            return stream[offset + 6]
        if kind == _FORMULA and stream[offset + 12 : offset + 14] == b"\xff\xff" and stream[offset + 6] == 2:
            return stream[offset + 8]
        return None


def read_workbook_stream(data: bytes) -> bytes:
    """Return the workbook stream of the compound file."""
    shift, mini_shift = struct.unpack_from("<HH", data, 30)
    if shift not in (9, 12) or mini_shift != 6:
        raise CorruptFileError("unsupported sector size")
    directory_start, mini_cutoff, mini_fat_start = (
        struct.unpack_from("<I", data, offset)[0] for offset in (48, 56, 60)
    )

    def read_sector(number: int) -> bytes:
        return data[(number + 1) << shift : (number + 2) << shift]

    def read_chain(first: int, fat: tuple[int, ...]) -> bytes:
        return b"".join(read_sector(number) for number in _iter_chain(first, fat))

    fat = _unpack_uint32(b"".join(read_sector(number) for number in _fat_sectors(data, read_sector)))
    entries = read_chain(directory_start, fat)
    streams = {}
    for offset in range(0, len(entries) - 127, 128):
        length, kind = struct.unpack_from("<HB", entries, offset + 64)
        if kind in (2, 5):
            title = entries[offset : offset + max(0, length - 2)].decode("utf-16-le")
            streams["root" if kind == 5 else title.lower()] = struct.unpack_from("<II", entries, offset + 116)
    if "encryptedpackage" in streams:
        raise EncryptedFileError
    first, size = streams.get("workbook") or streams.get("book") or (_FREE_SECTOR, 0)
    if size >= mini_cutoff:
        return read_chain(first, fat)[:size]
    if "root" not in streams or not size:
        raise CorruptFileError("no workbook stream")
    mini_stream, mini_fat = (
        read_chain(streams["root"][0], fat),
        _unpack_uint32(read_chain(mini_fat_start, fat)),
    )
    return b"".join(mini_stream[number << 6 : (number + 1) << 6] for number in _iter_chain(first, mini_fat))[
        :size
    ]


def _fat_sectors(data: bytes, read_sector: Callable[[int], bytes]) -> list[int]:
    """Return the numbers of the sectors of the file allocation table."""
    numbers = list(struct.unpack_from("<109I", data, 76))
    (next_sector,) = struct.unpack_from("<I", data, 68)
    seen = set()
    while next_sector < _FREE_SECTOR and next_sector not in seen:
        seen.add(next_sector)
        *entries, next_sector = _unpack_uint32(read_sector(next_sector)) or (_FREE_SECTOR,)
        numbers += entries
    return [number for number in numbers if number < _FREE_SECTOR]


def _unpack_uint32(data: bytes) -> tuple[int, ...]:
    return struct.unpack(f"<{len(data) // 4}I", data[: len(data) // 4 * 4])


def _iter_chain(first: int, fat: tuple[int, ...]) -> Iterator[int]:
    """Yield the sectors of a stream in order."""
    n_steps = 0
    while first < _FREE_SECTOR:
        yield first
        first = fat[first]
        n_steps += 1
        if n_steps > len(fat):
            raise CorruptFileError("a cycle of sectors")
