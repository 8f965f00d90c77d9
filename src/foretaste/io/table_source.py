"""From what a caller names to a table that can be read: a text, or columns with types."""

from __future__ import annotations

import io
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from foretaste.column_roles import frame_columns, is_frame
from foretaste.errors import BadData, InvalidParameter
from foretaste.io.archive import FOREIGN, Unpacked, kind_of
from foretaste.io.column_mapping import open_table
from foretaste.io.columnar import LazyColumns
from foretaste.io.excel import read_sheet
from foretaste.io.frame_table import FrameTable
from foretaste.io.rdata import read_matrix
from foretaste.io.rdata_format import MAGIC as R_MAGIC
from foretaste.io.row_errors import Sieve
from foretaste.io.sql import is_database, read_table
from foretaste.io.text_source import Text, as_text, load
from foretaste.io.text_table import TextTable

_LARGE = 1 << 23  # bytes; a text of this size is read a part at a time
_UTF8 = ("utf-8", "utf8", "utf_8")

# Which of the arguments that are not for all sources fit a kind.
_FITS = {
    "xlsx": ("sheet",),
    "xls": ("sheet",),
    "ods": ("sheet",),
    "sqlite": ("table", "query"),
}

Opened = TextTable | FrameTable


@dataclass(frozen=True)
class Written:
    """How a source is written, as far as the caller said; None is found out.

    Parameters
    ----------
    separator, header, encoding
        Of a text; a worksheet has a header, too.
    decimal : {".", ","}
        What stands before the fraction of a number that is written as text.
    member : str, optional
        The file inside a zip archive.
    sheet : str or int, optional
        Of a workbook, by name or position from 0.
    table, query : str, optional
        Of a database.
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
        if self.decimal not in (".", ","):
            raise InvalidParameter(f"decimal={self.decimal!r} is not allowed", hint='decimal="." or ","')
        if self.header is not None and not isinstance(self.header, bool):
            raise InvalidParameter(
                f"header={self.header!r} is not allowed; it must be True, False or None (guess)"
            )


def open_source(
    source: Any,
    written: Written,
    *,
    least: int,
    known: Iterable[str] = (),
    skip: bool = False,
    wide: bool = False,
) -> Opened:
    """Open a source.

    Parameters
    ----------
    source
        As in ``read_ratings``.
    written : Written
    least : int
        The least number of columns.
    known : iterable of str
        Names that headers use beside those of the roles.
    skip : bool
        Whether rows that cannot be used are left out, aloud, instead of refused.
    wide : bool
        Whether a row is a user and a column an item.

    Raises
    ------
    BadData, NotFound, MissingExtra
        If it cannot be opened.
    InvalidParameter
        If it is nothing that can be read, or an argument does not fit it.
    """
    if is_database(source):
        return _open_database(source, written, skip=skip)
    if is_frame(source):
        _check_fit(written, "the frame", ())
        return FrameTable(frame_columns(source), "the frame", Sieve("the frame", skip=skip), in_memory=True)
    if not isinstance(source, str | Path) and not hasattr(source, "read"):
        raise InvalidParameter(
            f"source={type(source).__name__} is neither a path, an open file nor a data frame",
            hint='read_ratings("ratings.csv"), or a pandas, polars or Arrow table',
        )
    file = Path(source) if isinstance(source, str | Path) and str(source) != "-" else None
    kind = None if file is None else _kind_of_file(file)
    if file is not None and kind in ("parquet", "sqlite"):  # read where they lie
        if kind == "sqlite":
            return _open_database(file, written, skip=skip)
        _check_fit(written, file.name, ())
        return FrameTable(LazyColumns(file, file.name), file.name, Sieve(file.name, skip=skip))
    utf8 = written.encoding.lower() in _UTF8 and written.member is None
    if file is not None and kind == "text" and utf8 and _is_large(file):
        path = str(source)
        text = Text(file.name, lambda: as_text(load(file, None).data, path, written.encoding), file)
        return _open_text(text, file.name, written, Sieve(file.name, skip=skip), least, known, wide)
    found = load(source, written.member)
    sieve = Sieve(found.name, skip=skip)
    if found.kind == "text" and not found.data.startswith(R_MAGIC):
        same = isinstance(source, str | Path) and Path(source).name == found.name
        path = str(source) if same else found.name
        text = Text(found.name, lambda: as_text(found.data, path, written.encoding))
        return _open_text(text, found.name, written, sieve, least, known, wide)
    return _open_typed(found, written, sieve)


def _open_text(
    text: Text, name: str, written: Written, sieve: Sieve, least: int, known: Iterable[str], wide: bool
) -> TextTable:
    _check_fit(written, name, ())
    return open_table(
        text,
        name,
        separator=written.separator,
        header=written.header,
        least=least,
        known=known,
        sieve=sieve,
        decimal=written.decimal,
        wide=wide,
    )


def _check_fit(written: Written, name: str, fits: tuple[str, ...]) -> None:
    """Refuse an argument that is about another kind of source."""
    for option, what in (("sheet", "a workbook"), ("table", "a database"), ("query", "a database")):
        said = getattr(written, option)
        if said is not None and option not in fits:
            raise InvalidParameter(
                f"{option}={said!r} is for {what}, and {name} is none", hint=f"{option}=None"
            )


def _is_large(file: Path) -> bool:
    return file.is_file() and file.stat().st_size >= _LARGE


def _open_typed(found: Unpacked, written: Written, sieve: Sieve) -> FrameTable:
    """Open what is no text."""
    data, kind, name = found
    _check_fit(written, name, _FITS.get(kind, ()))
    if kind in ("xlsx", "xls", "ods"):
        sheet = read_sheet(data, name, written.sheet, header=written.header)
        table = FrameTable(
            dict(zip(sheet.frame.columns, sheet.frame.get_columns(), strict=True)),
            name,
            sieve,
            typed=False,
            by_position=True,
            header=sheet.header,
            place=sheet.place,
            decimal=written.decimal,
        )
        table.titles = sheet.titles or None
        table.cell = sheet.cell
        return table
    if kind in ("parquet", "arrow"):
        return FrameTable(LazyColumns(data, name), name, sieve)
    if kind == "sqlite":
        return _open_database(data, written, skip=sieve.skip, name=name)
    if kind == "numpy":
        columns = _array_columns(data, name)
        return FrameTable(columns, name, sieve, typed=False, by_position=True, header=False)
    if kind == "text":  # R's own, which no first bytes in the table of kinds tell apart
        return FrameTable(read_matrix(data, name), name, sieve)
    what, hint = FOREIGN[kind]
    raise BadData(f"{name} is {what}, which cannot be read as it is", hint=hint.format(name=name))


def _kind_of_file(path: Path) -> str:
    """Return the kind of a file by its first bytes; of one that cannot be read, text: reading it says why."""
    try:
        with path.open("rb") as file:
            start = file.read(4096)
            return "r" if start.startswith(R_MAGIC) else kind_of(start)
    except OSError:
        return "text"


def _frame_table(frame: Any, name: str, sieve: Sieve) -> FrameTable:
    return FrameTable(dict(zip(frame.columns, frame.get_columns(), strict=True)), name, sieve)


def _open_database(source: Any, written: Written, *, skip: bool, name: str | None = None) -> FrameTable:
    rows = read_table(source, table=written.table, query=written.query)
    called = name or rows.name
    table = _frame_table(rows.frame, called, Sieve(called, skip=skip))
    return table.with_place(rows.place)


def _array_columns(data: bytes, name: str) -> dict[str, Any]:
    """Return the columns of a two-dimensional array that numpy kept, alone or as the only one in an .npz."""
    import numpy as np

    try:
        kept = np.load(io.BytesIO(data), allow_pickle=False)
        arrays = [kept] if isinstance(kept, np.ndarray) else [kept[key] for key in kept.files]
    except (ValueError, OSError, EOFError, KeyError, SyntaxError, MemoryError, TypeError) as error:
        raise BadData(f"{name} is a damaged numpy file ({str(error).splitlines()[0]})") from None
    except Exception as error:  # zip damage of every kind
        raise BadData(f"{name} is a damaged numpy file ({type(error).__name__})") from None
    tables = [array for array in arrays if array.ndim == 2 and array.dtype.kind in "iuf"]
    if len(tables) != 1:
        raise BadData(
            f"{name} holds {len(tables) or 'no'} tables of numbers; one is needed",
            hint="Ratings.from_columns(user, item, value) on the arrays",
        )
    return {f"column_{place + 1}": column for place, column in enumerate(tables[0].T)}
