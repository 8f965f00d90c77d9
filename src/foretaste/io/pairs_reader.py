"""``read_pairs``: who and what to predict, from a file or a frame, for a model that knows its ids already."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from foretaste.errors import BadData
from foretaste.ids import IdIndex, Indices, distinct_text_series
from foretaste.io.column_mapping import Choice, choose_columns
from foretaste.io.frame_table import FrameTable
from foretaste.io.frame_table import time_column as frame_times
from foretaste.io.items_reader import texts_of
from foretaste.io.table_source import Opened, Written, open_source
from foretaste.io.text_parser import time_column as text_times
from foretaste.ratings import Pairs

log = logging.getLogger("foretaste")

_TRIED = 10_000  # ids of a column that are looked up to find out whether it holds what the model knows


@dataclass(frozen=True, eq=False)
class FilePairs:
    """Pairs as they stand in a file, not encoded yet.

    Parameters
    ----------
    table : polars.DataFrame
        All columns, text as read, in the order of the rows.
    user, item : str
        The columns of ids.
    timestamp : str or None
        The column of times, if there is one.
    name : str
        What the source is called, for errors.
    when : int64 array, shape (n,), or None
        The times in seconds since 1970.
    source : TextTable or FrameTable
        The rows as they stand, for errors.
    """

    table: Any
    user: str
    item: str
    timestamp: str | None
    name: str
    when: npt.NDArray[np.int64] | None
    source: Opened = field(repr=False)

    def __len__(self) -> int:
        return len(self.table)


def read_pairs(
    source: Any,
    *,
    user: str | int | None = None,
    item: str | int | None = None,
    separator: str | None = None,
    header: bool | None = None,
    encoding: str = "utf-8",
    member: str | None = None,
    sheet: str | int | None = None,
    table: str | None = None,
    query: str | None = None,
) -> FilePairs:
    """Read pairs of a user and an item, to be predicted.

    Parameters
    ----------
    source : str, Path, open binary file, or data frame
        A file or frame as ``read_ratings`` takes it; more columns are kept beside the pairs.
    user, item : str or int, optional
        The column's name, or its position from 0; guessed and said as in ``read_ratings``.
    separator, header, encoding, member, sheet, table, query
        As in ``read_ratings``.

    Raises
    ------
    BadData
        If a line or a column cannot be used.
    NotFound
        If there is no such file.
    """
    import polars as pl

    opened = open_source(
        source, Written(separator, header, encoding, ".", member, sheet, table, query), least=2
    )
    choice = choose_columns(opened, {"user": user, "item": item, "timestamp": None}, ("user", "item"))
    columns = dict(zip(choice.names, texts_of(opened), strict=True))
    timestamp = choice.name("timestamp") if "timestamp" in choice.places else None
    when = None
    if timestamp is not None and len(columns[timestamp]):
        try:
            when = _times(opened, columns[timestamp], timestamp, choice)
        except BadData as error:
            log.warning("%s   (times left out)", error.message)
            timestamp = None
    frame = pl.DataFrame(columns)
    return FilePairs(frame, choice.name("user"), choice.name("item"), timestamp, opened.name, when, opened)


def _times(opened: Opened, cells: Any, column: str, choice: Choice) -> npt.NDArray[np.int64]:
    if not isinstance(opened, FrameTable):
        return text_times(opened, cells, column)
    values = opened.read({"timestamp": choice.places["timestamp"]})["timestamp"]
    return frame_times(opened, values, column)


def encode_file_pairs(pairs: FilePairs, users: IdIndex, items: IdIndex) -> Pairs:
    """Encode pairs as ids of a fitted model's types: ``"7"`` is 7 where the model's ids are numbers.

    Parameters
    ----------
    pairs : FilePairs
    users, items : IdIndex
        The model's id maps.

    Returns
    -------
    Pairs
        -1 = unknown.

    Raises
    ------
    BadData
        If an id is missing, or not one user and not one item is known, which means another data set or
        the wrong columns.
    """
    user, item = _encoded(pairs, pairs.user, "user", users), _encoded(pairs, pairs.item, "item", items)
    if len(pairs) and (user < 0).all() and (item < 0).all():
        found = {
            "user": _likeliest(pairs.table, users, pairs.item),
            "item": _likeliest(pairs.table, items, pairs.user),
        }
        better = ", ".join(f'{role}="{column}"' for role, column in found.items() if column is not None)
        raise BadData(
            f"{pairs.name}: not one user and not one item is known to the model",
            where=f"the first is user {pairs.table[pairs.user][0]!r}, item {pairs.table[pairs.item][0]!r}; "
            f"known are users such as {_such(users)} and items such as {_such(items)}",
            hint=f"{better} holds ids that the model knows"
            if better
            else f'are the columns right? user="{pairs.user}", item="{pairs.item}" were taken',
        )
    return Pairs(user, item, pairs.when)


def _likeliest(table: Any, index: IdIndex, first: str) -> str | None:
    """Return the column with the most ids that the model knows, if any has one; ``first`` where two have."""
    known = {}
    for column in sorted(table.columns, key=lambda name: name != first):
        cells = table.get_column(column).drop_nulls().head(_TRIED)
        known[column] = int((index.remap(index.parse(cells.to_list())) >= 0).sum())
    best = max(known, key=lambda column: known[column])
    return best if known[best] else None


def _encoded(pairs: FilePairs, column: str, role: str, index: IdIndex) -> Indices:
    cells = pairs.table.get_column(column)
    missing = np.flatnonzero((cells.is_null() | (cells == "")).to_numpy())
    if len(missing):
        raise pairs.source.refusal(missing, f"the {role} id is missing", "fill or drop such rows")
    texts, codes = distinct_text_series(cells)
    return index.remap(index.parse(texts.tolist()))[codes]


def _such(index: IdIndex) -> str:
    return ", ".join(repr(id_) for id_ in index.ids[:2].tolist())
