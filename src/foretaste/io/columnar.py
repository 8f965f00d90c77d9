"""Reads Parquet and Arrow files into polars."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from foretaste.errors import (
    DataError,
)
from foretaste.io.archive import FILE_FORMATS, detect_kind, read_bytes

_HEAD_SIZE = 1 << 12


def read_columnar(
    source: bytes | Path, name: str, columns: Sequence[str] | None = None, rows: int | None = None
) -> Any:
    """Read a Parquet file, or an Arrow file or stream (IPC, also called Feather).

    Parameters
    ----------
    source : bytes or Path
        With a path, only the requested columns of a Parquet file are read.
    name : str
        Name for messages.
    columns : sequence of str, optional
        Columns to read; all by default.
    rows : int, optional
        Number of rows to read; all by default.

    Returns
    -------
    polars.DataFrame
        In the order of ``columns``.

    Raises
    ------
    DataError
        If the file is damaged, of another format, or lacks a column.
    NotFoundError
        If the file does not exist.
    """
    import polars as pl

    head = _read_head(source)
    kind = detect_kind(head)
    if kind not in ("parquet", "arrow"):
        description = FILE_FORMATS[kind][0] if kind in FILE_FORMATS else "not a Parquet or Arrow file"
        raise DataError(f"{name} is {description}", hint="read it by the reader of its format")
    file = io.BytesIO(source) if isinstance(source, bytes) else source
    try:
        if columns is not None:
            _check_columns(_read_column_names(file, kind, head), columns, name)
        selected = None if columns is None else list(columns)
        if kind == "parquet":
            frame = pl.read_parquet(file, columns=selected, n_rows=rows)
        elif head.startswith(b"ARROW1"):
            frame = pl.read_ipc(file, columns=selected, n_rows=rows)
        else:
            frame = pl.read_ipc_stream(file, columns=selected, n_rows=rows)
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError, ValueError) as error:
        if isinstance(error, DataError):
            raise
        description = "a Parquet file" if kind == "parquet" else "an Arrow file"
        message = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise DataError(
            f"{name} is {description} that is truncated or damaged ({message[:200]})",
            hint="download or write it again",
        ) from None
    return frame if selected is None else frame.select(selected)


class LazyColumns(Mapping[str, Any]):
    """The columns of a Parquet or Arrow file, each read on first access.

    Parameters
    ----------
    source : bytes or Path
    name : str
        Name for messages.
    """

    def __init__(self, source: bytes | Path, name: str) -> None:
        self._source, self._name = source, name
        self._names = list(read_columnar(source, name, rows=0).columns)
        self._cache: dict[str, Any] = {}

    def __getitem__(self, column: str) -> Any:
        if column not in self._names:
            raise KeyError(column)
        if column not in self._cache:
            self._cache[column] = read_columnar(self._source, self._name, [column]).to_series()
        return self._cache[column]

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


def _read_head(source: bytes | Path) -> bytes:
    if isinstance(source, bytes):
        return source[:_HEAD_SIZE]
    try:
        with source.open("rb") as file:
            return file.read(_HEAD_SIZE)
    except OSError:
        return read_bytes(source)[:_HEAD_SIZE]  # raises the error


def _read_column_names(file: Any, kind: str, head: bytes) -> list[str]:
    """Return the column names, reading only the file's metadata."""
    import polars as pl

    if kind == "parquet":
        names = list(pl.read_parquet_schema(file))
    elif head.startswith(b"ARROW1"):
        names = list(pl.read_ipc_schema(file))
    else:
        names = pl.read_ipc_stream(file, n_rows=0).columns
    if isinstance(file, io.BytesIO):
        file.seek(0)
    return names


def _check_columns(names: Sequence[str], columns: Sequence[str], name: str) -> None:
    for column in columns:
        if column not in names:
            raise DataError(
                f'{name}: no column "{column}"',
                misspelled=(column, names),
                where="columns are: " + ", ".join(names),
            )
