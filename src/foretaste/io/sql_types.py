"""Rows from a database, batch by batch, to a frame with a type a column."""

from __future__ import annotations

import datetime
import decimal
import re
import uuid
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from foretaste._utils.memory import require
from foretaste.errors import BadData

BATCH = 50_000  # rows; enough that the work a batch costs is lost in that of its rows

_TEXT = (str, uuid.UUID)
_NUMBER = (int, float, decimal.Decimal)
_MOMENT = (datetime.datetime, datetime.date)


class Columns:
    """Columns that grow by batches of rows.

    Parameters
    ----------
    names : sequence of str
        Of the columns.
    source : str
        What the rows come from, for errors.
    table : str, optional
        The table as SQL names it, if the rows are a whole table.

    Raises
    ------
    BadData
        If two columns have the same name.
    """

    def __init__(self, names: Sequence[str], source: str, table: str | None) -> None:
        twice = [name for name, count in Counter(names).items() if count > 1]
        if twice:
            raise BadData(
                f'{source}: two columns are called "{twice[0]}"', hint=f'in the query: ... AS "{twice[0]}_2"'
            )
        self._names = list(names)
        self._source = source
        self._table = table
        self._parts: list[list[Any]] = [[] for _ in names]
        self._seen: list[dict[str, tuple[int, Any]]] = [{} for _ in names]
        self._rows = 0
        self._bytes = 0

    def add(self, rows: Sequence[Sequence[Any]]) -> None:
        """Take up a batch of rows.

        Raises
        ------
        BadData
            If a column mixes numbers and text, or holds what is neither.
        TooLarge
            If the memory is running out.
        """
        for place, cells in enumerate(zip(*rows, strict=True)):
            part = self._part(place, cells)
            self._parts[place].append(part)
            self._bytes += part.estimated_size()
        self._rows += len(rows)
        require(self._bytes // 8, f"reading {self._source}", 'fewer columns or rows: query="SELECT ..."')

    def _part(self, place: int, cells: Sequence[Any]) -> Any:
        import polars as pl

        kinds = {kind: _family(kind) for kind in set(map(type, cells)) if kind is not type(None)}
        seen = self._seen[place]
        for kind, family in kinds.items():
            if family not in seen:
                at = next(row for row, cell in enumerate(cells) if type(cell) is kind)
                seen[family] = (self._rows + at, cells[at])
        if len(seen) > 1 or "" in seen:
            raise self._mixed(place)
        try:
            if not kinds:
                return pl.Series(cells, dtype=pl.Null)
            if "text" in seen:
                return pl.Series(cells if set(kinds) == {str} else _texts(cells), dtype=pl.String)
            if "numbers" in seen:
                return _numbers(cells, set(kinds))
            if "times" in seen:
                return pl.Series(_moments(cells), dtype=pl.Datetime("us"))
            return pl.Series(cells, dtype=pl.Boolean)
        except (OverflowError, TypeError, pl.exceptions.PolarsError):
            name, first = self._names[place], next(cell for cell in cells if _is_large(cell))
            raise BadData(
                f'{self._source}: column "{name}" holds numbers beyond 64 bits (first: {first!r})',
                hint=self._cast(place),
            ) from None

    def _mixed(self, place: int) -> BadData:
        seen = dict(sorted(self._seen[place].items(), key=lambda one: one[1][0]))
        shown = [f"{value!r:.60} in row {row + 1:,}" for row, value in seen.values()]
        name = self._names[place]
        if "" in seen:
            kind = type(seen[""][1]).__name__
            return BadData(
                f'{self._source}: column "{name}" holds {kind}, neither numbers, text nor times',
                where=shown[list(seen).index("")],
                hint='leave it out: query="SELECT ..." of the other columns',
            )
        return BadData(
            f'{self._source}: column "{name}" mixes {" and ".join(seen)}',
            where=", ".join(shown),
            hint=self._cast(place),
        )

    def _cast(self, place: int) -> str:
        """Say the query that makes text of a column."""
        cast = f"CAST({_plain(self._names[place])} AS TEXT) AS {_plain(self._names[place])}"
        table = re.sub(r'"([a-z_][a-z0-9_]*)"', r"\1", self._table or "")
        if not table or len(self._names) > 8 or '"' in cast + table:
            return f"in the query: {cast}"
        names = [cast if at == place else _plain(name) for at, name in enumerate(self._names)]
        return f'query="SELECT {", ".join(names)} FROM {table}"'  # noqa: S608 - for a person to type

    def frame(self) -> Any:
        """Return all rows as a polars frame; a column is Int64, Float64, String, Datetime or Boolean."""
        import polars as pl

        series = []
        for name, parts in zip(self._names, self._parts, strict=True):
            types = {part.dtype for part in parts} - {pl.Null}
            one = types.pop() if len(types) == 1 else pl.Float64 if types else pl.String
            whole = [part if part.dtype == one else part.cast(one) for part in parts]
            parts.clear()
            series.append(pl.concat(whole).alias(name) if whole else pl.Series(name, [], dtype=pl.String))
        return pl.DataFrame(series)


def collect(names: Sequence[str], batches: Iterable[Sequence[Any]], source: str, table: str | None) -> Any:
    """Return the rows of all batches as a frame; see ``Columns``."""
    columns = Columns(names, source, table)
    for rows in batches:
        columns.add(rows)
    return columns.frame()


def batches_of(fetch: Callable[[int], Sequence[Any]]) -> Iterable[Sequence[Any]]:
    """Yield what a cursor's ``fetchmany`` gives, until there is nothing left."""
    while rows := fetch(BATCH):
        yield rows


def _family(kind: type) -> str:
    if issubclass(kind, bool):
        return "truth values"
    for name, kinds in (("numbers", _NUMBER), ("text", _TEXT), ("times", _MOMENT)):
        if issubclass(kind, kinds):
            return name
    return ""


def _texts(cells: Sequence[Any]) -> list[str | None]:
    return [None if cell is None else str(cell) for cell in cells]


def _is_large(cell: Any) -> bool:
    return cell is not None and abs(cell) >= 1 << 63


def _all_whole(cells: Sequence[Any]) -> bool:
    """Whether decimals are whole numbers, which some databases give for ids."""
    return all(
        cell is None or isinstance(cell, int) or (cell.is_finite() and cell == cell.to_integral_value())
        for cell in cells
    )


def _numbers(cells: Sequence[Any], kinds: set[type]) -> Any:
    import polars as pl

    if kinds == {int}:
        return pl.Series(cells, dtype=pl.Int64)
    if kinds <= {int, float}:
        return pl.Series(cells, dtype=pl.Float64, strict=False)
    if float not in kinds and _all_whole(cells):
        return pl.Series([None if cell is None else int(cell) for cell in cells], dtype=pl.Int64)
    return pl.Series([None if cell is None else float(cell) for cell in cells], dtype=pl.Float64)


def _moments(cells: Sequence[Any]) -> list[datetime.datetime | None]:
    """Return times without a zone, in UTC if they had one."""
    result: list[datetime.datetime | None] = []
    for cell in cells:
        moment = cell
        if cell is not None and not isinstance(cell, datetime.datetime):
            moment = datetime.datetime.combine(cell, datetime.time())
        elif cell is not None and cell.tzinfo is not None:
            moment = cell.astimezone(datetime.UTC).replace(tzinfo=None)
        result.append(moment)
    return result


def _plain(name: str) -> str:
    """Return a column's name as SQL takes it."""
    return name if re.fullmatch(r"[a-z_][a-z0-9_]*", name) and name != "user" else f'"{name}"'
