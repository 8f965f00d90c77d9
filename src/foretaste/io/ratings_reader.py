"""``read_ratings``: reads, validates and encodes the ratings of a source."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any

import numpy as np

from foretaste.column_roles import check_scale, filter_rows, referenced_columns
from foretaste.errors import (
    DataError,
    Hint,
)
from foretaste.ids import EncodedIds
from foretaste.io.column_mapping import ColumnMapping, map_columns
from foretaste.io.encoding import encode_ratings, record_out_of_scale
from foretaste.io.frame_table import to_series
from foretaste.io.melt import read_wide
from foretaste.io.row_errors import RowError, Table
from foretaste.io.table_source import open_source
from foretaste.io.text_parser import infer_numeric
from foretaste.io.text_source import DEFAULT_SIZES, TextSizes
from foretaste.io.text_table import TextTable, default_column_name
from foretaste.ratings import Ratings
from foretaste.read_options import MissingValues, ReadOptions, document_options
from foretaste.typing import BoolArray, Int64Array

log = logging.getLogger("foretaste")

_REQUIRED_ROLES = ("user", "item", "rating")
_COLUMN_KINDS = {"user": "id", "item": "id", "rating": "real", "weight": "real", "timestamp": "whole"}


@dataclass(frozen=True, eq=False)
class ReadReport:
    """The ratings of a source and the rows that were skipped.

    Parameters
    ----------
    ratings : Ratings
    row_errors : tuple of RowError
        The skipped rows, grouped by reason.
    n_rows : int
        Rows of the source that satisfy ``where``, valid or not.
    name : str
        Name of the source.
    """

    ratings: Ratings
    row_errors: tuple[RowError, ...]
    n_rows: int
    name: str


@document_options(ReadOptions)
def read_ratings(
    source: Any,
    *,
    user: str | int | None = None,
    item: str | int | None = None,
    rating: str | int | None = None,
    timestamp: str | int | None = None,
    weight: str | int | None = None,
    separator: str | None = None,
    header: bool | None = None,
    encoding: str = "utf-8",
    decimal: str = ".",
    layout: str = "long",
    missing: MissingValues = None,
    first_column_is_count: bool | None = None,
    member: str | None = None,
    sheet: str | int | None = None,
    table: str | None = None,
    query: str | None = None,
    scale: tuple[float, float] | None = None,
    duplicates: str = "raise",
    on_error: str = "raise",
    where: str | None = None,
) -> Ratings:
    """Read ratings from a file, a data frame or a database.

    Parameters
    ----------
    source : str, Path, open binary file, data frame, or connection
        A file, whose format is detected from its content, not its name: delimited text, Parquet, Arrow, an
        Excel workbook, a numpy array, a ``realRatingMatrix`` of R's recommenderlab; optionally compressed
        with gzip or in a zip archive. ``"-"`` is standard input. Or a data frame: pandas, polars, pyarrow, a
        duckdb relation, any Arrow stream. Or a database: an SQLite file, an open connection, an SQLAlchemy
        URL, engine or connection.
    {options}

    Returns
    -------
    Ratings
        In row order. Ids are integers if every cell is a plain integer, else text.

    Raises
    ------
    DataError
        If a row cannot be read; names the line, the value and a fix.
    NotFoundError
        If the file does not exist.
    InvalidParameterError
        If an argument is invalid.

    Notes
    -----
    Columns are recognized by their usual names; a table without usual names is read by position: user, item,
    rating, timestamp. The choice is logged.

    With ``on_error="skip"`` a warning with the number of invalid rows, the reasons and the first lines is
    logged; ``read_ratings_with_report`` returns all of them. A repeated pair keeps its first row, unless
    ``duplicates`` is given. ``where`` is applied before anything else and may name any column of the source.
    """
    arguments = dict(locals())
    del arguments["source"]
    report = read_source(source, ReadOptions(**arguments))
    if report.row_errors:
        n_skipped = report.n_rows - len(report.ratings)
        log.warning(
            "%s: %s of %s rows are invalid and were skipped: %s",
            report.name, f"{n_skipped:,}", f"{report.n_rows:,}", "; ".join(map(str, report.row_errors)),
        )  # fmt: skip
    return report.ratings


def read_ratings_with_report(source: Any, **options: Any) -> ReadReport:
    """Read ratings like ``read_ratings(on_error="skip")``, and return the skipped rows, too.

    Parameters
    ----------
    source
        As in ``read_ratings``.
    **options
        Other arguments of ``read_ratings``, except ``on_error``.
    """
    return read_source(source, ReadOptions(**options, on_error="skip"))


def read_source(source: Any, options: ReadOptions, sizes: TextSizes = DEFAULT_SIZES) -> ReadReport:
    """Read ratings like ``read_ratings``, without logging the skipped rows.

    Parameters
    ----------
    source
        As in ``read_ratings``.
    options : ReadOptions
    sizes : TextSizes
        How text is read in batches.
    """
    check_scale(options.scale)
    wide = options.layout == "wide"
    table = open_source(
        source,
        options,
        min_columns=2 if wide else len(_REQUIRED_ROLES),
        decimal=options.decimal,
        skip=options.skip_errors,
        wide=wide,
        sizes=sizes,
    )
    ratings = read_wide(table, options) if wide else _read_long(table, options)
    row_errors = tuple(table.error_collector.row_errors)
    return ReadReport(ratings, row_errors, len(ratings) + table.error_collector.n_skipped(), table.name)


def _read_long(table: Table, options: ReadOptions) -> Ratings:
    """Read a table with one rating per row."""
    mapping = map_columns(table, options.requested_columns(), _REQUIRED_ROLES)
    columns = _read_columns(table, mapping, options.where)
    n = len(columns["rating"])
    if n == 0:
        raise _no_ratings_error(table, options)
    parsed_columns: dict[str, Any] = {
        role: table.parse_numbers(columns[role], mapping.positions[role], role, mapping.column_name(role))
        for role in ("rating", "weight")
        if role in columns
    }
    for role in ("user", "item"):
        table.check_ids(columns[role], role, mapping.column_name(role))
    parsed_columns["timestamp"] = _parse_timestamps(
        table, columns, mapping, is_guessed=options.timestamp is None
    )
    ids = {role: columns[role] for role in ("user", "item")}
    record_out_of_scale(table, parsed_columns["rating"], options.scale)
    if table.error_collector.row_errors:
        valid = table.error_collector.valid_mask(n)
        if not valid.any():
            first = table.error_collector.row_errors[0]
            raise DataError(
                f"{table.name}: no valid row: {first.problem}", where=first.where, hint=first.hint
            )
        table.filter(valid)
        parsed_columns = {
            role: None if values is None else values[valid] for role, values in parsed_columns.items()
        }
        ids = {role: _select_rows(values, valid) for role, values in ids.items()}
    users, items = (table.parse_ids(ids[role], role) for role in ("user", "item"))
    return encode_ratings(table, users, items, parsed_columns, options)


def _no_ratings_error(table: Table, options: ReadOptions) -> DataError:
    if options.where is not None:
        return DataError(
            f"{table.name}: no row satisfies the condition {options.where!r}",
            hint=Hint({"where": None}, "reads all rows; or use a wider condition"),
        )
    return DataError(f"{table.name} has a header but no ratings", hint=table.empty_hint)


def _select_rows(values: Any, mask: BoolArray) -> Any:
    if isinstance(values, np.ndarray | EncodedIds):
        return values[mask]
    import polars as pl

    return values.filter(pl.Series(mask))


def _read_columns(table: Table, mapping: ColumnMapping, where: str | None) -> dict[str, Any]:
    """Read the columns that have a role, and the rows that satisfy a condition."""
    if isinstance(table, TextTable):  # read as a whole, in the quickest of three ways
        return _read_text_columns(table, mapping, where)
    columns = {role: table.column(index) for role, index in mapping.positions.items()}
    if where is None:
        return columns
    mask = filter_rows(_typed_condition_frame(table, mapping, where), where)
    table.filter(mask)
    return {role: _select_rows(values, mask) for role, values in columns.items()}


def _read_text_columns(table: TextTable, mapping: ColumnMapping, where: str | None) -> dict[str, Any]:
    import polars as pl

    if where is None:
        native_columns = _read_native_columns(table, mapping)
        if native_columns is not None:
            return native_columns
        types: dict[int, Any] = {
            mapping.positions[role]: pl.Float32
            for role in ("rating", "weight")
            if role in mapping.positions and table.decimal == "."
        }
        if "timestamp" in mapping.positions:
            index = mapping.positions["timestamp"]
            if all(record[index].isdigit() for record in table.sample if len(record) == table.width):
                types[index] = pl.Int64
        columns_by_index = table.read_columns(sorted(set(mapping.positions.values())), types)
        return {role: columns_by_index[index] for role, index in mapping.positions.items()}
    texts = table.as_text_frame()
    columns = dict(zip(mapping.names, texts.get_columns(), strict=True))
    mask = filter_rows(_text_condition_frame(columns, mapping.positions, where), where)
    table.filter(mask)
    return {
        role: texts.get_column(default_column_name(index)).filter(pl.Series(mask))
        for role, index in mapping.positions.items()
    }


def _read_native_columns(table: TextTable, mapping: ColumnMapping) -> dict[str, Any] | None:
    """Read the columns by the native reader; None if it cannot read them."""
    kinds = {index: _COLUMN_KINDS[role] for role, index in mapping.positions.items()}
    if len(kinds) < len(mapping.positions) or table.decimal != ".":
        return None
    columns_by_index = table.read_native(kinds)
    return (
        None
        if columns_by_index is None
        else {role: columns_by_index[index] for role, index in mapping.positions.items()}
    )


def _text_condition_frame(columns: dict[str, Any], positions: dict[str, int], where: str) -> Any:
    """Return the frame to evaluate a condition on: numeric columns as numbers, roles as extra names."""
    import polars as pl

    names = list(columns)
    columns = columns | {
        role: columns[names[index]] for role, index in positions.items() if role not in columns
    }
    used_names = set(referenced_columns(where))
    used_names |= {role for role in positions if not used_names <= set(columns)}
    return pl.DataFrame(
        {name: infer_numeric(cells) if name in used_names else cells for name, cells in columns.items()}
    )


def _typed_condition_frame(table: Table, mapping: ColumnMapping, where: str) -> Any:
    """Return the columns that a condition refers to, with roles as extra names."""
    import polars as pl

    # The mapping names the columns of a table without a header by their roles.
    names = table.default_names()
    roles = {names[index]: role for role, index in mapping.positions.items()}
    used_names = set(referenced_columns(where))
    series = {}
    for index, name in enumerate(names):
        if name in used_names or name in roles or not used_names <= set(names):
            series[name] = to_series(table.column(index))
    for name, role in roles.items():
        series.setdefault(role, series[name])
    return pl.DataFrame(series)


def _parse_timestamps(
    table: Table, columns: dict[str, Any], mapping: ColumnMapping, *, is_guessed: bool
) -> Int64Array | None:
    """Return the timestamps; a guessed timestamp column that cannot be parsed is dropped with a warning.

    With ``on_error="skip"`` it is dropped only if most of its cells cannot be parsed.
    """
    if "timestamp" not in columns:
        return None
    n_before = len(table.error_collector.row_errors)
    try:
        timestamps: Int64Array = table.parse_timestamps(
            columns["timestamp"], mapping.column_name("timestamp")
        )
    except DataError as error:
        if not is_guessed:
            raise
        problem = error.message
    else:
        row_error = (
            table.error_collector.row_errors[-1] if len(table.error_collector.row_errors) > n_before else None
        )
        if row_error is None or not is_guessed or 2 * len(row_error.rows) < len(timestamps):
            return timestamps
        table.error_collector.pop()
        problem = f"{table.name}, {row_error.row_labels[0]}: {row_error.problem}"
    log.warning(
        "%s   (column ignored; to require it: timestamp=%r)", problem, mapping.column_name("timestamp")
    )
    return None
