"""``read_pairs``: reads user-item pairs to predict, to be encoded by a fitted model's ids."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from foretaste.errors import (
    DataError,
    Hint,
)
from foretaste.ids import IdIndex, factorize_text
from foretaste.io.column_mapping import map_columns
from foretaste.io.row_errors import Table
from foretaste.io.table_source import open_source
from foretaste.ratings import Pairs
from foretaste.read_options import PairsOptions, document_options
from foretaste.typing import IndexArray, Int64Array

log = logging.getLogger("foretaste")

_SAMPLE_IDS = 10_000  # ids of a column that are looked up to guess whether it holds the model's ids


@dataclass(frozen=True, eq=False)
class FilePairs:
    """Pairs as read from a file, not yet encoded.

    Parameters
    ----------
    frame : polars.DataFrame
        All columns as text, in row order.
    user_column, item_column : str
        Names of the id columns.
    timestamp_column : str or None
        Name of the timestamp column, if any.
    name : str
        Name of the source, for errors.
    timestamps : int64 array, shape (n,), or None
        Seconds since 1970.
    source_table : Table
        The rows as read, for errors.
    """

    frame: Any
    user_column: str
    item_column: str
    timestamp_column: str | None
    name: str
    timestamps: Int64Array | None
    source_table: Table = field(repr=False)

    def __len__(self) -> int:
        return len(self.frame)


@document_options(PairsOptions)
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
    """Read user-item pairs to predict.

    Parameters
    ----------
    source : str, Path, open binary file, or data frame
        A source as in ``read_ratings``; additional columns are kept.
    {options}

    Raises
    ------
    DataError
        If a row or a column is invalid.
    NotFoundError
        If the file does not exist.
    """
    arguments = dict(locals())
    import polars as pl

    del arguments["source"]
    options = PairsOptions(**arguments)
    source_table = open_source(source, options, min_columns=2)
    mapping = map_columns(source_table, options.requested_columns() | {"timestamp": None}, ("user", "item"))
    columns = {name: source_table.column_text(index) for index, name in enumerate(mapping.names)}
    timestamp_column = mapping.column_name("timestamp") if "timestamp" in mapping.positions else None
    timestamps = None
    if timestamp_column is not None and len(columns[timestamp_column]):
        try:
            cells = source_table.column(mapping.positions["timestamp"])
            timestamps = source_table.parse_timestamps(cells, timestamp_column)
        except DataError as error:
            log.warning("%s   (timestamps ignored)", error.message)
            timestamp_column = None
    frame = pl.DataFrame(columns)
    return FilePairs(
        frame,
        mapping.column_name("user"),
        mapping.column_name("item"),
        timestamp_column,
        source_table.name,
        timestamps,
        source_table,
    )


def encode_file_pairs(pairs: FilePairs, users: IdIndex, items: IdIndex) -> Pairs:
    """Encode pairs by a fitted model's ids: ``"7"`` is 7 if the model's ids are integers.

    Parameters
    ----------
    pairs : FilePairs
    users, items : IdIndex
        The model's ids.

    Returns
    -------
    Pairs
        -1 = unknown.

    Raises
    ------
    DataError
        If an id is missing, or no user and no item is known, which means another dataset or wrong
        columns.
    """
    user, item = (
        _encode_ids(pairs, pairs.user_column, "user", users),
        _encode_ids(pairs, pairs.item_column, "item", items),
    )
    if len(pairs) and (user < 0).all() and (item < 0).all():
        likely_columns = {
            "user": _guess_id_column(pairs.frame, users, pairs.item_column),
            "item": _guess_id_column(pairs.frame, items, pairs.user_column),
        }
        known_columns = {role: column for role, column in likely_columns.items() if column is not None}
        used_columns = {"user": pairs.user_column, "item": pairs.item_column}
        raise DataError(
            f"{pairs.name}: no user and no item is known to the model",
            where=f"the first is user {pairs.frame[pairs.user_column][0]!r}, "
            f"item {pairs.frame[pairs.item_column][0]!r}; "
            f"known users are e.g. {_format_examples(users)}, known items e.g. {_format_examples(items)}",
            hint=Hint(known_columns, "holds ids that the model knows")
            if known_columns
            else Hint(used_columns, "were used", lead="other columns"),
        )
    return Pairs(user, item, pairs.timestamps)


def _guess_id_column(frame: Any, index: IdIndex, preferred: str) -> str | None:
    """Return the column with the most known ids, if any; ``preferred`` wins ties."""
    known_counts = {}
    for column in sorted(frame.columns, key=lambda name: name != preferred):
        cells = frame.get_column(column).drop_nulls().head(_SAMPLE_IDS)
        known_counts[column] = int((index.indices_of(index.parse(cells.to_list())) >= 0).sum())
    best = max(known_counts, key=lambda column: known_counts[column])
    return best if known_counts[best] else None


def _encode_ids(pairs: FilePairs, column: str, role: str, index: IdIndex) -> IndexArray:
    cells = pairs.frame.get_column(column)
    missing = np.flatnonzero((cells.is_null() | (cells == "")).to_numpy())
    if len(missing):
        raise pairs.source_table.make_data_error(
            missing, f"the {role} id is missing", "fill or drop such rows"
        )
    texts, codes = factorize_text(cells)
    return index.indices_of(index.parse(texts.tolist()))[codes]


def _format_examples(index: IdIndex) -> str:
    return ", ".join(repr(id_) for id_ in index.ids[:2].tolist())
