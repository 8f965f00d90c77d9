"""Reads ratings from a table in the wide layout: one row per user, one column per item."""

from __future__ import annotations

import numpy as np

from foretaste.column_roles import filter_rows
from foretaste.errors import (
    DataError,
    Hint,
    InvalidParameterError,
)
from foretaste.io.encoding import encode_ratings, record_out_of_scale
from foretaste.io.frame_table import column_values
from foretaste.io.row_errors import RowError, Table
from foretaste.io.wide import MeltedRatings, melt
from foretaste.ratings import Ratings
from foretaste.read_options import ReadOptions
from foretaste.typing import AnyArray, BoolArray, Int64Array

_MAX_SHOWN = 3


class WideCells:
    """The ratings of a wide table as a ``RowSource``; cells are numbered row by row.

    Parameters
    ----------
    table : Table
        The wide table.
    row, column : int64 arrays, shape (n,)
        Position of each rating.
    """

    def __init__(self, table: Table, row: Int64Array, column: Int64Array) -> None:
        self.name = table.name
        self.error_collector = table.error_collector
        self._table = table
        self._row, self._column = row, column

    def row_label(self, row: int) -> str:
        """Return the label of a rating: ``line 12, column "j7"``."""
        line, column = int(self._row[row]), int(self._column[row])
        return self._table.cell_label(line, column)

    def make_row_error(self, kind: str, rows: AnyArray, problem: str, hint: Hint | str) -> RowError:
        """Return the error of some ratings."""
        cell_numbers = self._row[rows] * self._table.width + self._column[rows]
        row_labels = tuple(self.row_label(int(row)) for row in rows[:_MAX_SHOWN])
        return RowError(kind, problem, row_labels[0], hint, cell_numbers, row_labels)

    def filter(self, mask: BoolArray) -> None:
        """Keep only some of the ratings."""
        self._row, self._column = self._row[mask], self._column[mask]


def read_wide(table: Table, options: ReadOptions) -> Ratings:
    """Read a wide table.

    Raises
    ------
    DataError
        If a cell is invalid; names its row and column.
    InvalidParameterError
        If a column is requested that a wide table does not have.
    """
    for role, column in options.requested_columns().items():
        if column is not None and role != "user":
            raise InvalidParameterError(
                "the columns are the items if {layout}",
                argument=(role, column),
                arguments={"layout": "wide"},
                hint=Hint({"layout": "long"}),
            )
    melted = melt(
        table.to_frame(),
        name=table.name,
        header=table.header is not None,
        titles=table.column_titles(),
        missing=options.missing,
        user=options.user,
        first_column_is_count=options.first_column_is_count,
        row_label=table.row_label,
    )
    _record_invalid_cells(table, melted)
    cells = WideCells(table, melted.row, melted.column)
    users, items, values = melted.user, melted.item, melted.value
    missing_user = users.is_null().to_numpy()
    if missing_user.any():
        rows = np.flatnonzero(missing_user)
        problem = "the user id is missing"
        table.error_collector.record(
            cells.make_row_error("missing_id", rows, problem, "fill or drop such rows")
        )
    record_out_of_scale(cells, values, options.scale)
    valid = table.error_collector.valid_mask(len(values)) & ~missing_user
    if options.where is not None:
        import polars as pl

        frame = pl.DataFrame({"user": users, "item": items, "rating": values})
        valid &= filter_rows(frame, options.where)
    if not valid.any():
        if options.where is not None:
            raise DataError(
                f"{table.name}: no rating satisfies the condition {options.where!r}",
                hint=Hint({"where": None}, "reads all rows; or use a wider condition"),
            )
        raise DataError(
            f"{table.name} has no ratings",
            hint=Hint({"missing": ...}, 'sets the values that mean "no rating"'),
        )
    if not valid.all():
        import polars as pl

        users, items, values = users.filter(pl.Series(valid)), items.filter(pl.Series(valid)), values[valid]
        cells.filter(valid)
    return encode_ratings(cells, column_values(users), column_values(items), {"rating": values}, options)


def _record_invalid_cells(table: Table, melted: MeltedRatings) -> None:
    if not len(melted.bad_row):
        return
    first = melted.bad_text[0]
    distinct = melted.bad_text.unique(maintain_order=True).head(5).to_list()
    hint = Hint({"on_error": "skip"}, "leaves such cells out")
    if len(distinct) == 1:
        hint = Hint({"missing": first}, f"if that means no rating; else {hint}")
    invalid_cells = WideCells(table, melted.bad_row, melted.bad_column)
    rows = np.arange(len(melted.bad_row))
    table.error_collector.record(
        invalid_cells.make_row_error("not_a_number", rows, f'the rating is "{first}", not a number', hint)
    )
