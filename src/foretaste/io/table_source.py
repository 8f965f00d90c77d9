"""Opens any source (path, file object, data frame, database) as a text table or a typed table."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

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
from foretaste.io.row_errors import RowErrorCollector, Table
from foretaste.io.sql import is_database, read_table
from foretaste.io.text_source import DEFAULT_SIZES, TextSizes, TextSource, load_source, normalize_text
from foretaste.io.text_table import TextTable
from foretaste.read_options import SourceOptions

_UTF8_NAMES = ("utf-8", "utf8", "utf_8")

# Format-specific options by format.
_ALLOWED_OPTIONS = {
    "xlsx": ("sheet",),
    "xls": ("sheet",),
    "ods": ("sheet",),
    "sqlite": ("table", "query"),
}

_DAMAGED_HINT = "write it again with numpy.save"


def open_source(
    source: Any,
    options: SourceOptions,
    *,
    min_columns: int,
    known_names: Iterable[str] = (),
    decimal: str = ".",
    skip: bool = False,
    wide: bool = False,
    sizes: TextSizes = DEFAULT_SIZES,
) -> Table:
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
    decimal : str
        Decimal separator of numbers in text.
    skip : bool
        Whether invalid rows are skipped and logged instead of raised.
    wide : bool
        Whether rows are users and columns are items.
    sizes : TextSizes
        How text is read in batches.

    Raises
    ------
    DataError, NotFoundError, MissingDependencyError
        If it cannot be opened.
    InvalidParameterError
        If the source has an unsupported type, or an option does not apply to it.
    """
    opener = _SourceOpener(options, min_columns, frozenset(known_names), decimal, skip, wide, sizes)
    return opener.open_any(source)


@dataclass(frozen=True)
class _SourceOpener:
    options: SourceOptions
    min_columns: int
    known_names: frozenset[str]
    decimal: str
    skip: bool
    wide: bool
    sizes: TextSizes

    def open_any(self, source: Any) -> Table:
        if is_database(source):
            return self._open_database(source)
        if is_frame(source):
            _check_options(self.options, "the frame", ())
            collector = self._error_collector("the frame")
            return FrameTable(frame_columns(source), "the frame", collector, in_memory=True)
        if not isinstance(source, str | Path) and not hasattr(source, "read"):
            raise InvalidParameterError(
                f"source={type(source).__name__} is not a path, an open file or a data frame",
                hint='read_ratings("ratings.csv"), or a pandas, polars or Arrow table',
            )
        if isinstance(source, str | Path) and str(source) != "-":
            table = self._open_without_loading(Path(source), str(source))
            if table is not None:
                return table
        content = load_source(source, self.options.member)
        if content.kind == "text" and not content.data.startswith(R_MAGIC):
            is_unpacked_file = isinstance(source, str | Path) and Path(source).name == content.name
            path = str(source) if is_unpacked_file else content.name
            return self._open_text(content.name, lambda: self._normalize(content.data, path))
        return self._open_binary(content)

    def _open_without_loading(self, file: Path, path: str) -> Table | None:
        """Open a file of a kind that need not be loaded as a whole; None if it is of another kind."""
        kind = _detect_file_kind(file)
        if kind == "sqlite":
            return self._open_database(file)
        if kind == "parquet":
            _check_options(self.options, file.name, ())
            return FrameTable(LazyColumns(file, file.name), file.name, self._error_collector(file.name))
        is_utf8 = self.options.encoding.lower() in _UTF8_NAMES and self.options.member is None
        if kind == "text" and is_utf8 and file.is_file() and file.stat().st_size >= self.sizes.large_file:
            return self._open_text(
                file.name, lambda: self._normalize(load_source(file, None).data, path), file
            )
        return None

    def _error_collector(self, name: str) -> RowErrorCollector:
        return RowErrorCollector(name, skip=self.skip)

    def _normalize(self, data: bytes, path: str) -> bytes:
        return normalize_text(data, path, self.options.encoding)

    def _open_text(self, name: str, read_all: Callable[[], bytes], file: Path | None = None) -> TextTable:
        text = TextSource(name, read_all, file, self.sizes)
        _check_options(self.options, name, ())
        return open_table(
            text,
            name,
            separator=self.options.separator,
            header=self.options.header,
            min_columns=self.min_columns,
            known_names=self.known_names,
            error_collector=self._error_collector(name),
            decimal=self.decimal,
            wide=self.wide,
        )

    def _open_binary(self, content: SourceBytes) -> FrameTable:
        data, kind, name = content
        collector = self._error_collector(name)
        _check_options(self.options, name, _ALLOWED_OPTIONS.get(kind, ()))
        if kind in ("xlsx", "xls", "ods"):
            return self._open_workbook(data, name)
        if kind in ("parquet", "arrow"):
            return FrameTable(LazyColumns(data, name), name, collector)
        if kind == "sqlite":
            return self._open_database(data, name)
        if kind == "numpy":
            columns = _array_columns(data, name)
            return FrameTable(
                columns, name, collector, has_typed_ids=False, allow_positional=True, header=False
            )
        if kind == "text":  # R serialization, which has no entry among the magic bytes
            return FrameTable(read_matrix(data, name), name, collector)
        description, hint = FILE_FORMATS[kind]
        raise DataError(
            f"{name} is {description}, which cannot be read directly", hint=hint.format(name=name)
        )

    def _open_workbook(self, data: bytes, name: str) -> FrameTable:
        sheet = read_sheet(data, name, self.options.sheet, header=self.options.header)
        return FrameTable(
            dict(zip(sheet.frame.columns, sheet.frame.get_columns(), strict=True)),
            name,
            self._error_collector(name),
            has_typed_ids=False,
            allow_positional=True,
            header=sheet.has_header,
            row_label=sheet.row_label,
            decimal=self.decimal,
            titles=sheet.titles or None,
            cell_label=sheet.cell_label,
        )

    def _open_database(self, source: Any, name: str | None = None) -> FrameTable:
        result = read_table(source, table=self.options.table, query=self.options.query)
        label = name or result.name
        columns = dict(zip(result.frame.columns, result.frame.get_columns(), strict=True))
        return FrameTable(columns, label, self._error_collector(label), row_label=result.row_label)


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


def _detect_file_kind(path: Path) -> str:
    """Return the format of a file by its magic bytes; text if it cannot be opened (reading it raises)."""
    try:
        with path.open("rb") as file:
            start = file.read(4096)
            return "r" if start.startswith(R_MAGIC) else detect_kind(start)
    except OSError:
        return "text"


def _array_columns(data: bytes, name: str) -> dict[str, Any]:
    """Return the columns of the two-dimensional array of an .npy file, or the only one of an .npz."""
    import numpy as np

    try:
        loaded = np.load(io.BytesIO(data), allow_pickle=False)
        arrays = [loaded] if isinstance(loaded, np.ndarray) else [loaded[key] for key in loaded.files]
    except (ValueError, OSError, EOFError, KeyError, SyntaxError, MemoryError, TypeError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise DataError(f"{name} is a damaged numpy file ({reason})", hint=_DAMAGED_HINT) from None
    except Exception as error:  # any kind of zip damage
        reason = type(error).__name__
        raise DataError(f"{name} is a damaged numpy file ({reason})", hint=_DAMAGED_HINT) from None
    tables = [array for array in arrays if array.ndim == 2 and array.dtype.kind in "iuf"]
    if len(tables) != 1:
        raise DataError(
            f"{name} contains {len(tables) or 'no'} numeric tables; expected one",
            hint="Ratings.from_columns(user, item, value) on the arrays",
        )
    return {f"column_{index + 1}": column for index, column in enumerate(tables[0].T)}
