"""Opens any source (path, file object, data frame, database) as a text table or a typed table."""

from __future__ import annotations

import io
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from foretaste._utils.checks import check_choice
from foretaste.column_roles import frame_columns, is_frame
from foretaste.errors import (
    DataError,
    Hint,
    InvalidParameterError,
)
from foretaste.io.archive import FILE_FORMATS, SourceBytes, detect_kind
from foretaste.io.column_mapping import open_table
from foretaste.io.columnar import LazyColumns
from foretaste.io.excel import read_sheet
from foretaste.io.frame_table import FrameTable
from foretaste.io.rdata import read_matrix
from foretaste.io.rdata_format import MAGIC as R_MAGIC
from foretaste.io.row_errors import RowErrorCollector
from foretaste.io.sql import is_database, read_table
from foretaste.io.text_source import TextSource, load_source, normalize_text
from foretaste.io.text_table import TextTable

_LARGE_FILE_SIZE = 1 << 23  # bytes; text of at least this size is read in batches
_UTF8_NAMES = ("utf-8", "utf8", "utf_8")

# Format-specific options by format.
_ALLOWED_OPTIONS = {
    "xlsx": ("sheet",),
    "xls": ("sheet",),
    "ods": ("sheet",),
    "sqlite": ("table", "query"),
}

SourceTable = TextTable | FrameTable


@dataclass(frozen=True)
class SourceOptions:
    """Options that describe the format of a source; None to detect it.

    Parameters
    ----------
    separator, header, encoding
        For text; ``header`` also for worksheets.
    decimal : {".", ","}
        Decimal separator of numbers in text.
    member : str, optional
        File in a zip archive.
    sheet : str or int, optional
        Sheet of a workbook, by name or position from 0.
    table, query : str, optional
        Table or query of a database.
    """

    separator: str | None = None
    header: bool | None = None
    encoding: str = "utf-8"
    decimal: str = "."
    member: str | None = None
    sheet: str | int | None = None
    table: str | None = None
    query: str | None = None

    def __post_init__(self) -> None:
        check_choice("decimal", self.decimal, (".", ","))
        check_choice("header", self.header, (None, True, False))


def open_source(
    source: Any,
    options: SourceOptions,
    *,
    min_columns: int,
    known_names: Iterable[str] = (),
    skip: bool = False,
    wide: bool = False,
) -> SourceTable:
    """Open a source.

    Parameters
    ----------
    source
        As in ``read_ratings``.
    options : SourceOptions
    min_columns : int
        Minimum number of columns.
    known_names : iterable of str
        Normalized names that headers use besides those of roles.
    skip : bool
        Whether invalid rows are skipped and logged instead of raised.
    wide : bool
        Whether rows are users and columns are items.

    Raises
    ------
    DataError, NotFoundError, MissingDependencyError
        If it cannot be opened.
    InvalidParameterError
        If the source has an unsupported type, or an option does not apply to it.
    """
    if is_database(source):
        return _open_database(source, options, skip=skip)
    if is_frame(source):
        _check_options(options, "the frame", ())
        return FrameTable(
            frame_columns(source), "the frame", RowErrorCollector("the frame", skip=skip), in_memory=True
        )
    if not isinstance(source, str | Path) and not hasattr(source, "read"):
        raise InvalidParameterError(
            f"source={type(source).__name__} is not a path, an open file or a data frame",
            hint='read_ratings("ratings.csv"), or a pandas, polars or Arrow table',
        )
    file = Path(source) if isinstance(source, str | Path) and str(source) != "-" else None
    kind = None if file is None else _detect_file_kind(file)
    if file is not None and kind in ("parquet", "sqlite"):  # read in place
        if kind == "sqlite":
            return _open_database(file, options, skip=skip)
        _check_options(options, file.name, ())
        return FrameTable(LazyColumns(file, file.name), file.name, RowErrorCollector(file.name, skip=skip))
    utf8 = options.encoding.lower() in _UTF8_NAMES and options.member is None
    if file is not None and kind == "text" and utf8 and _is_large_file(file):
        path = str(source)
        text = TextSource(
            file.name, lambda: normalize_text(load_source(file, None).data, path, options.encoding), file
        )
        return _open_text(
            text, file.name, options, RowErrorCollector(file.name, skip=skip), min_columns, known_names, wide
        )
    content = load_source(source, options.member)
    error_collector = RowErrorCollector(content.name, skip=skip)
    if content.kind == "text" and not content.data.startswith(R_MAGIC):
        is_unpacked_file = isinstance(source, str | Path) and Path(source).name == content.name
        path = str(source) if is_unpacked_file else content.name
        text = TextSource(content.name, lambda: normalize_text(content.data, path, options.encoding))
        return _open_text(text, content.name, options, error_collector, min_columns, known_names, wide)
    return _open_binary(content, options, error_collector)


def _open_text(
    text: TextSource,
    name: str,
    options: SourceOptions,
    error_collector: RowErrorCollector,
    min_columns: int,
    known_names: Iterable[str],
    wide: bool,
) -> TextTable:
    _check_options(options, name, ())
    return open_table(
        text,
        name,
        separator=options.separator,
        header=options.header,
        min_columns=min_columns,
        known_names=known_names,
        error_collector=error_collector,
        decimal=options.decimal,
        wide=wide,
    )


def _check_options(options: SourceOptions, name: str, allowed: tuple[str, ...]) -> None:
    """Raise for an option that is for another kind of source."""
    for option, target in (("sheet", "a workbook"), ("table", "a database"), ("query", "a database")):
        value = getattr(options, option)
        if value is not None and option not in allowed:
            raise InvalidParameterError(
                f"{{{option}}} is for {target}, and {name} is not one",
                arguments={option: value},
                hint=Hint({option: None}),
            )


def _is_large_file(file: Path) -> bool:
    return file.is_file() and file.stat().st_size >= _LARGE_FILE_SIZE


def _open_binary(
    content: SourceBytes, options: SourceOptions, error_collector: RowErrorCollector
) -> FrameTable:
    """Open a binary format."""
    data, kind, name = content
    _check_options(options, name, _ALLOWED_OPTIONS.get(kind, ()))
    if kind in ("xlsx", "xls", "ods"):
        sheet = read_sheet(data, name, options.sheet, header=options.header)
        table = FrameTable(
            dict(zip(sheet.frame.columns, sheet.frame.get_columns(), strict=True)),
            name,
            error_collector,
            has_typed_ids=False,
            allow_positional=True,
            header=sheet.has_header,
            row_label=sheet.row_label,
            decimal=options.decimal,
        )
        table.titles = sheet.titles or None
        table.cell_label = sheet.cell_label
        return table
    if kind in ("parquet", "arrow"):
        return FrameTable(LazyColumns(data, name), name, error_collector)
    if kind == "sqlite":
        return _open_database(data, options, skip=error_collector.skip, name=name)
    if kind == "numpy":
        columns = _array_columns(data, name)
        return FrameTable(
            columns, name, error_collector, has_typed_ids=False, allow_positional=True, header=False
        )
    if kind == "text":  # R serialization, which has no entry among the magic bytes
        return FrameTable(read_matrix(data, name), name, error_collector)
    description, hint = FILE_FORMATS[kind]
    raise DataError(f"{name} is {description}, which cannot be read directly", hint=hint.format(name=name))


def _detect_file_kind(path: Path) -> str:
    """Return the format of a file by its magic bytes; text if it cannot be opened (reading it raises)."""
    try:
        with path.open("rb") as file:
            start = file.read(4096)
            return "r" if start.startswith(R_MAGIC) else detect_kind(start)
    except OSError:
        return "text"


def _make_frame_table(frame: Any, name: str, error_collector: RowErrorCollector) -> FrameTable:
    return FrameTable(dict(zip(frame.columns, frame.get_columns(), strict=True)), name, error_collector)


def _open_database(source: Any, options: SourceOptions, *, skip: bool, name: str | None = None) -> FrameTable:
    result = read_table(source, table=options.table, query=options.query)
    label = name or result.name
    table = _make_frame_table(result.frame, label, RowErrorCollector(label, skip=skip))
    return table.set_row_label(result.row_label)


def _array_columns(data: bytes, name: str) -> dict[str, Any]:
    """Return the columns of the two-dimensional array of an .npy file, or the only one of an .npz."""
    import numpy as np

    try:
        loaded = np.load(io.BytesIO(data), allow_pickle=False)
        arrays = [loaded] if isinstance(loaded, np.ndarray) else [loaded[key] for key in loaded.files]
    except (ValueError, OSError, EOFError, KeyError, SyntaxError, MemoryError, TypeError) as error:
        raise DataError(f"{name} is a damaged numpy file ({str(error).splitlines()[0]})") from None
    except Exception as error:  # any kind of zip damage
        raise DataError(f"{name} is a damaged numpy file ({type(error).__name__})") from None
    tables = [array for array in arrays if array.ndim == 2 and array.dtype.kind in "iuf"]
    if len(tables) != 1:
        raise DataError(
            f"{name} contains {len(tables) or 'no'} numeric tables; expected one",
            hint="Ratings.from_columns(user, item, value) on the arrays",
        )
    return {f"column_{index + 1}": column for index, column in enumerate(tables[0].T)}
