"""Encodes parsed columns as ``Ratings``, and records rows out of scale and repeated pairs."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from foretaste.column_roles import scale_hint
from foretaste.errors import DataError, to_python
from foretaste.ids import EncodedIds
from foretaste.io.row_errors import RowErrorCollector, RowSource
from foretaste.ratings import DUPLICATES_HINT, Ratings
from foretaste.read_options import ReadOptions
from foretaste.typing import Float32Array


def encode_ratings(
    table: RowSource, users: Any, items: Any, parsed_columns: dict[str, Any], options: ReadOptions
) -> Ratings:
    """Encode parsed columns; with ``on_error="skip"`` a repeated pair is recorded as a row error.

    Parameters
    ----------
    table : RowSource
        Gives row labels and the error collector.
    users, items : array, polars Series or EncodedIds, shape (n,)
        Parsed ids.
    parsed_columns : dict of role to array or None
        ``rating``, ``timestamp``, ``weight``.
    options : ReadOptions
    """
    error_collector: RowErrorCollector = table.error_collector
    use_first = error_collector.skip and options.duplicates == "raise"
    try:
        ratings = Ratings.from_columns(
            users,
            items,
            parsed_columns["rating"],
            timestamp=parsed_columns.get("timestamp"),
            weight=parsed_columns.get("weight"),
            scale=options.scale,
            duplicates="first" if use_first else options.duplicates,
            row_label=table.row_label,
        )
    except DataError as error:
        raise DataError(
            f"{table.name}: {error.message}", where=error.where, hint=error.fix or error.hint
        ) from None
    if use_first and len(ratings) < len(parsed_columns["rating"]):
        _record_duplicates(table, users, items, parsed_columns["rating"])
    return ratings


def _record_duplicates(table: RowSource, users: Any, items: Any, values: Float32Array) -> None:
    import polars as pl

    keys = [ids.codes if isinstance(ids, EncodedIds) else ids for ids in (users, items)]
    frame = pl.DataFrame({"user": keys[0], "item": keys[1], "rating": values})
    pairs = frame.select("user", "item").to_struct()
    rows = np.flatnonzero(~pairs.is_first_distinct().to_numpy())
    user, item = (to_python(_id_of_row(ids, int(rows[0]))) for ids in (users, items))
    problem = f"user {user!r} already rated item {item!r}"
    row_error = table.make_row_error("duplicate", rows, problem, DUPLICATES_HINT)
    differs = frame.select(pl.col("rating") != pl.col("rating").first().over("user", "item")).to_series()
    table.error_collector.record(dataclasses.replace(row_error, n_conflicting=int(differs.sum())), rows)


def _id_of_row(ids: Any, row: int) -> object:
    return ids.index.ids[ids.codes[row]] if isinstance(ids, EncodedIds) else ids[row]


def record_out_of_scale(table: RowSource, values: Float32Array, scale: tuple[float, float] | None) -> None:
    """Record ratings outside the declared scale if rows are skipped; else the encoding raises."""
    if scale is None or not table.error_collector.skip:
        return
    low, high = (float(end) for end in scale)
    rows = np.flatnonzero(np.isfinite(values) & ((values < low) | (values > high)))
    if len(rows):
        problem = f"the rating {values[rows[0]]:g} is outside the declared scale {low:g} to {high:g}"
        finite = values[np.isfinite(values)]
        hint = scale_hint(finite)
        table.error_collector.record(table.make_row_error("outside_scale", rows, problem, hint), rows)
