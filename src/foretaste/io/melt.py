"""Ratings out of a table in the wide layout: one row a user, one column an item."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from foretaste.column_roles import filter_rows
from foretaste.errors import BadData, InvalidParameter
from foretaste.io.frame_table import FrameTable, column_values, series_of
from foretaste.io.read_options import Wanted, finished, meet_scale
from foretaste.io.row_errors import Fault
from foretaste.io.table_source import Opened
from foretaste.io.wide import Long, melt
from foretaste.ratings import Ratings

_SHOWN = 3


class Cells:
    """The cells of a wide table as rows that can be named; their numbers go along the rows of the table.

    Parameters
    ----------
    opened : TextTable or FrameTable
        The wide table.
    row, column : int64 arrays, shape (n,)
        Where each rating stands.
    """

    def __init__(self, opened: Opened, row: npt.NDArray[np.int64], column: npt.NDArray[np.int64]) -> None:
        self.name = opened.name
        self.sieve = opened.sieve
        self._opened = opened
        self._row, self._column = row, column

    def place(self, row: int) -> str:
        """Say where a rating stands: ``line 12, column "j7"``."""
        line, column = int(self._row[row]), int(self._column[row])
        if isinstance(self._opened, FrameTable) and self._opened.cell is not None:
            return self._opened.cell(line, column)
        header = self._opened.header
        title = f'"{header[column]}"' if header and header[column] else f"{column + 1}"
        return f"{self._opened.place(line)}, column {title}"

    def fault(self, kind: str, rows: npt.NDArray[Any], problem: str, hint: str) -> Fault:
        """Make the fault of some ratings."""
        numbers = self._row[rows] * self._opened.width + self._column[rows]
        places = tuple(self.place(int(row)) for row in rows[:_SHOWN])
        return Fault(kind, problem, places[0], hint, numbers, places)

    def filter(self, kept: npt.NDArray[np.bool_]) -> None:
        """Let only some count from now on."""
        self._row, self._column = self._row[kept], self._column[kept]


def read_wide(opened: Opened, wanted: Wanted) -> Ratings:
    """Read a wide table.

    Raises
    ------
    BadData
        Naming the row and the column of what cannot be used.
    InvalidParameter
        If a column is asked for that a wide table has not.
    """
    for role, column in wanted.columns.items():
        if column is not None and role != "user":
            raise InvalidParameter(
                f'{role}={column!r} is not allowed with layout="wide": the columns are the items',
                hint='layout="long"',
            )
    long = melt(
        _frame(opened), name=opened.name, header=opened.header is not None, titles=_titles(opened),
        missing=wanted.missing, user=wanted.columns.get("user"), counts=wanted.counts, place=opened.place,
    )  # fmt: skip
    _meet_bad_cells(opened, long)
    cells = Cells(opened, long.row, long.column)
    users, items, values = long.user, long.item, long.value
    gone = users.is_null().to_numpy()
    if gone.any():
        rows = np.flatnonzero(gone)
        problem = "the user id is missing"
        opened.sieve.meet(cells.fault("missing_id", rows, problem, "fill or drop such rows"))
    meet_scale(cells, values, wanted.scale)
    good = opened.sieve.good(len(values)) & ~gone
    if wanted.where is not None:
        import polars as pl

        frame = pl.DataFrame({"user": users, "item": items, "rating": values})
        good &= filter_rows(frame, wanted.where)
    if not good.any():
        if wanted.where is not None:
            raise BadData(
                f"{opened.name}: no rating fulfils where={wanted.where!r}",
                hint="where=None reads all of them; or a wider condition",
            )
        raise BadData(f"{opened.name} has no ratings", hint='missing=... says what means "no rating"')
    if not good.all():
        import polars as pl

        users, items, values = users.filter(pl.Series(good)), items.filter(pl.Series(good)), values[good]
        cells.filter(good)
    return finished(cells, _ids(users), _ids(items), {"rating": values}, wanted)


def _ids(series: Any) -> Any:
    return column_values(series)


def _titles(opened: Opened) -> list[str] | None:
    if isinstance(opened, FrameTable) and opened.titles is not None:
        return list(opened.titles)
    return None if opened.header is None else list(opened.header)


def _frame(opened: Opened) -> Any:
    """Return the whole table as a polars frame."""
    import polars as pl

    if not isinstance(opened, FrameTable):
        frame = opened.texts()
        if opened.decimal != ".":
            frame = frame.with_columns(pl.all().str.replace(opened.decimal, ".", literal=True))
        return frame
    return pl.DataFrame({name: series_of(column) for name, column in opened.columns.items()})


def _meet_bad_cells(opened: Opened, long: Long) -> None:
    if not len(long.bad_row):
        return
    first = long.bad_text[0]
    others = long.bad_text.unique(maintain_order=True).head(5).to_list()
    hint = 'on_error="skip" leaves such cells out'
    if len(others) == 1:
        hint = f'missing="{first}" if that means no rating; on_error="skip" leaves such cells out'
    bad = Cells(opened, long.bad_row, long.bad_column)
    rows = np.arange(len(long.bad_row))
    opened.sieve.meet(bad.fault("not_a_number", rows, f'the rating is "{first}", not a number', hint))
