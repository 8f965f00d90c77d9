"""Reads members of zip archives in memory, found by file name; nothing is extracted to disk."""

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

from foretaste._utils import memory
from foretaste.errors import DataError
from foretaste.ratings import Ratings
from foretaste.typing import Float64Array


def read_member_ratings(archive: Path, member: str, **options: Any) -> Ratings:
    """Read a text member of an archive by ``read_ratings``.

    Parameters
    ----------
    archive : Path
    member : str
        File name, without folders.
    **how
        Arguments of ``read_ratings``.
    """
    from foretaste.io import read_ratings

    with _open_member(archive, member) as stream:  # raises the errors of a damaged download
        stream.read(1)
    return read_ratings(archive, member=member, **options)


def read_text(archive: Path, member: str, encoding: str = "utf-8") -> str:
    """Return a member of an archive as text.

    Raises
    ------
    DataError
        If it is missing, damaged, or not of this encoding.
    """
    data = read_bytes(archive, member)
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        raise DataError(f"{member} in {archive} is not {encoding} text (byte {error.start:,})") from None


def read_records(
    archive: Path, member: str, separator: str, n_fields: int, encoding: str = "utf-8"
) -> list[list[str]]:
    """Return the lines of a small text member, split into fields; CSV quoting applies to commas only.

    Parameters
    ----------
    archive, member, encoding
        As in ``read_text``.
    separator : str
    n_fields : int
        Number of fields of each line.

    Raises
    ------
    DataError
        If a line has another number of fields.
    """
    text = read_text(archive, member, encoding).replace("\r\n", "\n").rstrip("\n")
    if separator == ",":
        records = list(csv.reader(io.StringIO(text, newline="")))
    else:  # not splitlines: it would break Latin-1 lines at 0x85
        records = [line.split(separator) for line in text.split("\n")] if text else []
    for line_number, record in enumerate(records, 1):
        if len(record) != n_fields:
            raise DataError(
                f"{member} in {archive.name}: line {line_number} has {len(record)} fields, not {n_fields}",
                hint=f"rm {archive}, and download it again",
            )
    return records


def read_sheet_rows(archive: Path, member: str | None = None) -> list[list[Any]]:
    """Return all rows of the first sheet of a workbook in an archive.

    Parameters
    ----------
    archive : Path
    member : str, optional
        Name of the workbook; default: the only one.
    """
    return [list(row) for row in _read_sheet(archive, member).rows()]


def read_sheet_numbers(archive: Path, member: str | None = None) -> Float64Array:
    """Return the first sheet of a workbook as numbers, NaN for empty cells.

    Parameters
    ----------
    archive, member
        As in ``read_sheet_rows``.

    Returns
    -------
    float64 array, shape (rows, columns)

    Raises
    ------
    DataError
        If a cell is neither empty nor a number.
    """
    import polars as pl

    frame = _read_sheet(archive, member)
    for position, column in enumerate(frame.get_columns(), 1):
        if not (column.dtype.is_numeric() or column.dtype == pl.Null):
            raise DataError(f"the workbook in {archive.name} has text in column {position}, not ratings")
    return np.asarray(frame.cast(pl.Float64).to_numpy(), dtype=np.float64)


def _read_sheet(archive: Path, member: str | None) -> Any:
    """Return the first sheet of a workbook as a polars frame."""
    from foretaste.io.excel import read_sheet

    name = member or _find_workbook(archive)
    return read_sheet(read_bytes(archive, name), f"{archive.name}: {name}", 0, header=False).frame


def _find_workbook(archive: Path) -> str:
    names = [name for name in list_members(archive) if name.lower().endswith((".xls", ".xlsx"))]
    if len(names) != 1:
        raise DataError(f"{archive} contains {len(names)} workbooks, not one", where=", ".join(names))
    return names[0]


def list_members(archive: Path) -> list[str]:
    """Return the file names in an archive, without folders and without macOS metadata."""
    with _open_zip(archive) as file:
        return [name for name in map(_base_name, file.namelist()) if name and not name.startswith("._")]


def read_bytes(archive: Path, member: str) -> bytes:
    """Return a member of an archive.

    Raises
    ------
    DataError
        If it is missing or damaged.
    NotEnoughMemoryError
        If it does not fit into memory.
    """
    with _open_member(archive, member) as stream:
        data: bytes = stream.read()
        return data


@contextmanager
def _open_zip(archive: Path) -> Iterator[zipfile.ZipFile]:
    hint = f"rm {archive}, and download it again"
    try:
        with zipfile.ZipFile(archive) as file:
            yield file
    except (zipfile.BadZipFile, zlib.error, EOFError) as error:
        raise DataError(f"{archive} is damaged or not a zip archive: {error}", hint=hint) from None
    except (NotImplementedError, RuntimeError) as error:  # unknown compression; a password
        raise DataError(
            f"{archive} uses an unsupported compression or a password: {error}", hint=hint
        ) from None


@contextmanager
def _open_member(archive: Path, member: str) -> Iterator[Any]:
    """Open the only member of this file name, in any folder."""
    with _open_zip(archive) as file:
        matches = [info for info in file.infolist() if _base_name(info.filename) == member]
        if len(matches) != 1:
            count_text = "more than one" if matches else "no"
            raise DataError(
                f"{archive} has {count_text} {member}",
                where="it contains " + ", ".join(filter(None, map(_base_name, file.namelist()[:20]))),
                hint=f"rm {archive}, and download it again",
            )
        size = matches[0].file_size
        memory.check_available(size, f"{member}, {memory.format_bytes(size)} unpacked,", "a smaller data set")
        with file.open(matches[0]) as stream:
            yield stream


def _base_name(path: str) -> str:
    return path.rpartition("/")[2]
