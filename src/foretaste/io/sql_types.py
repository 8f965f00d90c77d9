"""Builds a typed frame from batches of database rows."""

from __future__ import annotations

import datetime
import decimal
import re
import uuid
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from foretaste._utils.memory import check_available
from foretaste.errors import (
    DataError,
    Hint,
)

BATCH_SIZE = 50_000  # rows; large enough that the overhead per batch is negligible

_TEXT_TYPES = (str, uuid.UUID)
_NUMBER_TYPES = (int, float, decimal.Decimal)
_DATETIME_TYPES = (datetime.datetime, datetime.date)


class ColumnBuilder:
    """Collects batches of rows as typed columns.

    Parameters
    ----------
    names : sequence of str
        Column names.
    source : str
        Name of the source, for errors.
    table : str, optional
        Quoted SQL name of the table, if the rows are a whole table.

    Raises
    ------
    DataError
        If two columns have the same name.
    """

    def __init__(self, names: Sequence[str], source: str, table: str | None) -> None:
        duplicates = [name for name, count in Counter(names).items() if count > 1]
        if duplicates:
            raise DataError(
                f'{source}: two columns are called "{duplicates[0]}"',
                hint=f'in the query: ... AS "{duplicates[0]}_2"',
            )
        self._names = list(names)
        self._source = source
        self._table = table
        self._chunks: list[list[Any]] = [[] for _ in names]
        self._first_values: list[dict[str, tuple[int, Any]]] = [{} for _ in names]
        self._n_rows = 0
        self._n_bytes = 0

    def add_batch(self, rows: Sequence[Sequence[Any]]) -> None:
        """Add a batch of rows.

        Raises
        ------
        DataError
            If a column mixes types, or holds an unsupported one.
        NotEnoughMemoryError
            If memory runs out.
        """
        for index, cells in enumerate(zip(*rows, strict=True)):
            chunk = self._make_chunk(index, cells)
            self._chunks[index].append(chunk)
            self._n_bytes += chunk.estimated_size()
        self._n_rows += len(rows)
        check_available(
            self._n_bytes // 8, f"reading {self._source}", 'fewer columns or rows: query="SELECT ..."'
        )

    def _make_chunk(self, index: int, cells: Sequence[Any]) -> Any:
        import polars as pl

        kinds = {kind: _type_family(kind) for kind in set(map(type, cells)) if kind is not type(None)}
        first_values = self._first_values[index]
        for kind, family in kinds.items():
            if family not in first_values:
                position = next(row for row, cell in enumerate(cells) if type(cell) is kind)
                first_values[family] = (self._n_rows + position, cells[position])
        if len(first_values) > 1 or "" in first_values:
            raise self._mixed_types_error(index)
        try:
            if not kinds:
                return pl.Series(cells, dtype=pl.Null)
            if "text" in first_values:
                return pl.Series(cells if set(kinds) == {str} else _to_strings(cells), dtype=pl.String)
            if "numbers" in first_values:
                return _to_numeric_series(cells, set(kinds))
            if "times" in first_values:
                return pl.Series(_to_naive_datetimes(cells), dtype=pl.Datetime("us"))
            return pl.Series(cells, dtype=pl.Boolean)
        except (OverflowError, TypeError, pl.exceptions.PolarsError):
            name, first = self._names[index], next(cell for cell in cells if _overflows_int64(cell))
            raise DataError(
                f'{self._source}: column "{name}" holds numbers beyond 64 bits (first: {first!r})',
                hint=self._cast_hint(index),
            ) from None

    def _mixed_types_error(self, index: int) -> DataError:
        first_values = dict(sorted(self._first_values[index].items(), key=lambda entry: entry[1][0]))
        examples = [f"{value!r:.60} in row {row + 1:,}" for row, value in first_values.values()]
        name = self._names[index]
        if "" in first_values:
            kind = type(first_values[""][1]).__name__
            return DataError(
                f'{self._source}: column "{name}" holds {kind}; only numbers, text and times can be read',
                where=examples[list(first_values).index("")],
                hint=Hint({"query": ...}, "of the other columns, without it"),
            )
        return DataError(
            f'{self._source}: column "{name}" mixes {" and ".join(first_values)}',
            where=", ".join(examples),
            hint=self._cast_hint(index),
        )

    def _cast_hint(self, index: int) -> Hint | str:
        """Return the query that casts a column to text."""
        cast = (
            f"CAST({_quote_if_needed(self._names[index])} AS TEXT) AS {_quote_if_needed(self._names[index])}"
        )
        table = re.sub(r'"([a-z_][a-z0-9_]*)"', r"\1", self._table or "")
        if not table or len(self._names) > 8 or '"' in cast + table:
            return f"in the query: {cast}"
        names = [
            cast if position == index else _quote_if_needed(name) for position, name in enumerate(self._names)
        ]
        return Hint({"query": f"SELECT {', '.join(names)} FROM {table}"})  # noqa: S608 - a hint for the user

    def to_frame(self) -> Any:
        """Return all rows as a polars frame of Int64, Float64, String, Datetime and Boolean columns."""
        import polars as pl

        series = []
        for name, chunks in zip(self._names, self._chunks, strict=True):
            types = {chunk.dtype for chunk in chunks} - {pl.Null}
            dtype = types.pop() if len(types) == 1 else pl.Float64 if types else pl.String
            cast_chunks = [chunk if chunk.dtype == dtype else chunk.cast(dtype) for chunk in chunks]
            chunks.clear()
            series.append(
                pl.concat(cast_chunks).alias(name) if cast_chunks else pl.Series(name, [], dtype=pl.String)
            )
        return pl.DataFrame(series)


def collect_frame(
    names: Sequence[str], batches: Iterable[Sequence[Any]], source: str, table: str | None
) -> Any:
    """Return the rows of all batches as a frame; see ``ColumnBuilder``."""
    builder = ColumnBuilder(names, source, table)
    for rows in batches:
        builder.add_batch(rows)
    return builder.to_frame()


def iter_batches(fetch: Callable[[int], Sequence[Any]]) -> Iterable[Sequence[Any]]:
    """Yield the batches of a cursor's ``fetchmany``."""
    while rows := fetch(BATCH_SIZE):
        yield rows


def _type_family(kind: type) -> str:
    if issubclass(kind, bool):
        return "truth values"
    for name, kinds in (("numbers", _NUMBER_TYPES), ("text", _TEXT_TYPES), ("times", _DATETIME_TYPES)):
        if issubclass(kind, kinds):
            return name
    return ""


def _to_strings(cells: Sequence[Any]) -> list[str | None]:
    return [None if cell is None else str(cell) for cell in cells]


def _overflows_int64(cell: Any) -> bool:
    return cell is not None and abs(cell) >= 1 << 63


def _all_integers(cells: Sequence[Any]) -> bool:
    """Whether decimals are integers, which some databases return for ids."""
    return all(
        cell is None or isinstance(cell, int) or (cell.is_finite() and cell == cell.to_integral_value())
        for cell in cells
    )


def _to_numeric_series(cells: Sequence[Any], kinds: set[type]) -> Any:
    import polars as pl

    if kinds == {int}:
        return pl.Series(cells, dtype=pl.Int64)
    if kinds <= {int, float}:
        return pl.Series(cells, dtype=pl.Float64, strict=False)
    if float not in kinds and _all_integers(cells):
        return pl.Series([None if cell is None else int(cell) for cell in cells], dtype=pl.Int64)
    return pl.Series([None if cell is None else float(cell) for cell in cells], dtype=pl.Float64)


def _to_naive_datetimes(cells: Sequence[Any]) -> list[datetime.datetime | None]:
    """Return datetimes without time zone, converted to UTC if they had one."""
    result: list[datetime.datetime | None] = []
    for cell in cells:
        value = cell
        if cell is not None and not isinstance(cell, datetime.datetime):
            value = datetime.datetime.combine(cell, datetime.time())
        elif cell is not None and cell.tzinfo is not None:
            value = cell.astimezone(datetime.UTC).replace(tzinfo=None)
        result.append(value)
    return result


def _quote_if_needed(name: str) -> str:
    """Return a column name, quoted for SQL if needed."""
    return name if re.fullmatch(r"[a-z_][a-z0-9_]*", name) and name != "user" else f'"{name}"'
