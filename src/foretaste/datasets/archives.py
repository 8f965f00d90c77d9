"""Members of zip archives: read in memory, found by their names alone, never unpacked by their paths."""

from __future__ import annotations

import csv
import io
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from foretaste._utils import memory
from foretaste.errors import BadData
from foretaste.ratings import Ratings


def ratings_in(archive: Path, member: str, **how: Any) -> Ratings:
    """Read a text member of an archive as ``read_ratings`` reads a file.

    Parameters
    ----------
    archive : Path
    member : str
        Its name, without folders.
    **how
        Arguments of ``read_ratings``.
    """
    from foretaste.io import read_ratings

    with _opened(archive, member) as stream:  # which says what is wrong with what was fetched
        stream.read(1)
    return read_ratings(archive, member=member, **how)


def text_in(archive: Path, member: str, encoding: str = "utf-8") -> str:
    """Return a member of an archive as text.

    Raises
    ------
    BadData
        If it is not there, damaged, or not of this encoding.
    """
    data = bytes_in(archive, member)
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        raise BadData(f"{member} in {archive} is no text in {encoding} (byte {error.start:,})") from None


def records_in(
    archive: Path, member: str, separator: str, width: int, encoding: str = "utf-8"
) -> list[list[str]]:
    """Return the lines of a small text member, split into fields; quotes count where commas separate.

    Parameters
    ----------
    archive, member, encoding
        As in ``text_in``.
    separator : str
    width : int
        How many fields each line must have.

    Raises
    ------
    BadData
        If a line has another number of fields, by its number.
    """
    text = text_in(archive, member, encoding).replace("\r\n", "\n").rstrip("\n")
    if separator == ",":
        records = list(csv.reader(io.StringIO(text, newline="")))
    else:  # not splitlines: in Latin-1 it takes the byte 0x85 for the end of a line
        records = [line.split(separator) for line in text.split("\n")] if text else []
    for number, record in enumerate(records, 1):
        if len(record) != width:
            raise BadData(
                f"{member} in {archive.name}: line {number} has {len(record)} fields, not {width}",
                hint=f"rm {archive}, and fetch it again",
            )
    return records


def sheet_in(archive: Path, member: str | None = None) -> list[list[Any]]:
    """Return the rows of the first sheet of a workbook in an archive, its first row among them.

    Parameters
    ----------
    archive : Path
    member : str, optional
        The name of the workbook; else the only one that there is.
    """
    return [list(row) for row in _sheet(archive, member).rows()]


def numbers_in(archive: Path, member: str | None = None) -> npt.NDArray[np.float64]:
    """Return the first sheet of a workbook as numbers, NaN where a cell is empty.

    Raises
    ------
    BadData
        If a cell is neither empty nor a number.
    """
    import polars as pl

    frame = _sheet(archive, member)
    for place, column in enumerate(frame.get_columns(), 1):
        if not (column.dtype.is_numeric() or column.dtype == pl.Null):
            raise BadData(
                f"the workbook in {archive.name} has text in column {place}, where ratings should be"
            )
    return np.asarray(frame.cast(pl.Float64).to_numpy(), dtype=np.float64)


def _sheet(archive: Path, member: str | None) -> Any:
    """Return the first sheet of a workbook as a polars frame."""
    from foretaste.io.excel import read_sheet

    name = member or _workbook(archive)
    return read_sheet(bytes_in(archive, name), f"{archive.name}: {name}", 0, header=False).frame


def _workbook(archive: Path) -> str:
    names = [name for name in members(archive) if name.lower().endswith((".xls", ".xlsx"))]
    if len(names) != 1:
        raise BadData(f"{archive} holds {len(names)} workbooks, not one", where=", ".join(names))
    return names[0]


def members(archive: Path) -> list[str]:
    """Return the names of the files in an archive, without folders and without what macOS adds."""
    with _unzipped(archive) as file:
        return [name for name in map(_plain, file.namelist()) if name and not name.startswith("._")]


def bytes_in(archive: Path, member: str) -> bytes:
    """Return a member of an archive.

    Raises
    ------
    BadData
        If it is not there, or damaged.
    TooLarge
        If it would not fit into memory.
    """
    with _opened(archive, member) as stream:
        data: bytes = stream.read()
        return data


@contextmanager
def _unzipped(archive: Path) -> Iterator[zipfile.ZipFile]:
    damaged = f"rm {archive}, and fetch it again"
    try:
        with zipfile.ZipFile(archive) as file:
            yield file
    except (zipfile.BadZipFile, zlib.error, EOFError) as error:
        raise BadData(f"{archive} is a damaged zip archive, or none: {error}", hint=damaged) from None
    except (NotImplementedError, RuntimeError) as error:  # an unknown packing; a password
        raise BadData(f"{archive} is packed in a way that cannot be read: {error}", hint=damaged) from None


@contextmanager
def _opened(archive: Path, member: str) -> Iterator[Any]:
    """Open the one member that has this name, in whichever folder it is."""
    with _unzipped(archive) as file:
        found = [info for info in file.infolist() if _plain(info.filename) == member]
        if len(found) != 1:
            there = "more than one" if found else "no"
            raise BadData(
                f"{archive} has {there} {member}",
                where="it holds " + ", ".join(filter(None, map(_plain, file.namelist()[:20]))),
                hint=f"rm {archive}, and fetch it again",
            )
        size = found[0].file_size
        memory.require(size, f"{member}, {memory.readable(size)} unpacked,", "a smaller data set")
        with file.open(found[0]) as stream:
            yield stream


def _plain(path: str) -> str:
    return path.rpartition("/")[2]
