"""Melts the wide layout (one row per user, one column per item) into one row per rating."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from foretaste._utils.formatting import format_count
from foretaste._utils.memory import check_available
from foretaste.column_roles import column_role, default_row_label
from foretaste.errors import (
    DataError,
    Hint,
    InvalidParameterError,
)
from foretaste.io.text_parser import parse_integers
from foretaste.read_options import MissingValues
from foretaste.typing import BoolArray, Float32Array, Int64Array

log = logging.getLogger("foretaste")

# Usual markers of "no rating"; recognized only if far outside of all other values.
_MARKERS = (99.0, -99.0, 999.0, -999.0, 9999.0, -9999.0)
_MIN_MARKER_SHARE = 0.05  # of all cells; a rarer marker only causes a warning
_MIN_COUNT_ROWS = 5  # minimum number of rows to recognize a column of counts
_MIN_COUNT_SHARE = 0.9  # of the rows; no column of ratings reaches that by chance


@dataclass(frozen=True, eq=False)
class MeltedRatings:
    """Ratings of a wide table, row by row.

    Parameters
    ----------
    user, item : polars Series, shape (n,)
        Int64 or String; null where a row has no user id.
    value : float32 array, shape (n,)
    row, column : int64 arrays, shape (n,)
        Position of each rating in the frame, from 0.
    bad_row, bad_column : int64 arrays, shape (m,)
        Positions of cells that are neither a finite number nor missing, in row order.
    bad_text : polars Series of text, shape (m,)
        The text of these cells.
    """

    user: Any
    item: Any
    value: Float32Array
    row: Int64Array
    column: Int64Array
    bad_row: Int64Array
    bad_column: Int64Array
    bad_text: Any


def melt(
    frame: Any,
    *,
    name: str,
    header: bool,
    titles: Sequence[str] | None = None,
    missing: MissingValues = None,
    user: str | int | None = None,
    first_column_is_count: bool | None = None,
    row_label: Callable[[int], str] = default_row_label,
) -> MeltedRatings:
    """Convert a wide table to ratings.

    Parameters
    ----------
    frame : polars.DataFrame
        One row per user, one column per item; numbers, or text. Null, NaN and blank text are not ratings.
    name : str
        Name of the source, for messages.
    header : bool
        Whether the columns have names, which are the item ids; else items are numbered from 1.
    titles : sequence of str, optional
        Original column names, if the frame had to make them unique.
    missing : number, str or a sequence of them, optional
        Other values that mean "no rating": ``99``, ``"NA"``; an empty sequence for none. By default a
        marker such as 99 is recognized if it is far outside of all other values, which is logged.
    user : str or int, optional
        Column of user ids, by name or position from 0. By default it is recognized by its name, or as the
        first and only one without a name; without one, users are numbered from 1.
    first_column_is_count : bool, optional
        Whether the first other column is the number of ratings in the row. By default it is if that holds
        for every row, which is logged.
    row_label : callable
        Returns the label of a row for messages.

    Returns
    -------
    MeltedRatings

    Raises
    ------
    DataError
        If column names are empty or repeated, a column does not exist, or one nearly holds counts.
    InvalidParameterError
        If ``missing`` or ``user`` is invalid.
    NotEnoughMemoryError
        If the table would not fit into memory.
    """
    names = list(frame.columns if titles is None else titles)
    markers = _parse_missing(missing)
    user_index = _find_user_column(frame, names, user, header=header)
    positions = [column for column in range(frame.width) if column != user_index]
    if not positions or not len(frame):
        raise DataError(f"{name} has no {'columns of items' if len(frame) else 'rows'}", hint="another table")
    check_available(
        len(frame) * len(positions) * 6, f"{name} in the wide layout", "a long table: user, item, rating"
    )
    values, bad, texts = _to_matrix(frame, positions, markers)
    tentative_marker = missing is None and _guess_marker(values[:, 1:], name, log_guess=False)
    if _is_count_column(values, bad, tentative_marker, name, row_label, first_column_is_count):
        positions, values, bad = positions[1:], values[:, 1:], bad[:, 1:]
        texts = {column: cells for column, cells in texts.items() if column in positions}
    if missing is None:
        marker = _guess_marker(values, name, log_guess=True)
        if marker is not None:
            values[values == np.float32(marker)] = np.nan
    _check_user_column(frame, names, positions, bad, user_index, name)
    return _build_ratings(
        frame, values, bad, texts, positions, user_index, _item_ids(names, positions, header, name)
    )


def _parse_missing(missing: MissingValues) -> tuple[list[float], list[str]]:
    """Return the markers of "no rating": numbers, and text."""
    if missing is None:
        return [], []
    markers = [missing] if isinstance(missing, str | int | float) else list(missing)
    invalid = [
        marker
        for marker in markers
        if isinstance(marker, bool) or not isinstance(marker, str | int | float | np.number)
    ]
    if invalid:
        raise InvalidParameterError(
            "it must be a number or text", argument=("missing", invalid[0]), hint=Hint({"missing": 99})
        )
    texts = [marker.strip() for marker in markers if isinstance(marker, str)]
    numbers = [float(marker) for marker in markers if not isinstance(marker, str)]
    for text in texts:  # on the command line, numbers are text, too
        try:
            numbers.append(float(text))
        except ValueError:
            continue
    return numbers, texts


def _find_user_column(
    frame: Any, names: Sequence[str], user: str | int | None, *, header: bool
) -> int | None:
    if user is None:
        if not header:
            return None
        known = [index for index, title in enumerate(names) if column_role(title) == "user"]
        if not known and frame.width > 1 and names[0] in ("", "column_1") and all(names[1:]):
            known = [0]
        if known:
            log.info('user ids: column "%s"   (override: %s)', frame.columns[known[0]], Hint({"user": ...}))
        return known[0] if known else None
    if isinstance(user, int) and not isinstance(user, bool):
        if not 0 <= user < frame.width:
            raise DataError(
                f"no column at position {user} (requested as user)", hint=f"0 to {frame.width - 1}"
            )
        return user
    if not isinstance(user, str):
        raise InvalidParameterError(
            "it must be a column name or a position from 0", argument=("user", user), hint=Hint({"user": 0})
        )
    if not header or user not in names:
        raise DataError(
            f'no column "{user}" (requested as user)',
            misspelled=(user, names if header else []),
            where="columns are: " + ", ".join(names[:20]) + (", ..." if len(names) > 20 else "")
            if header
            else "the table is read without a header",
            hint=Hint({"user": 0}, lead="a position from 0"),
        )
    return names.index(user)


def _to_matrix(
    frame: Any, positions: Sequence[int], markers: tuple[list[float], list[str]]
) -> tuple[Float32Array, BoolArray, dict[int, Any]]:
    """Return the cells as numbers (NaN if missing), a mask of invalid ones, and the text of their columns."""
    import polars as pl

    values = np.full((len(frame), len(positions)), np.nan, dtype=np.float32)
    bad = np.zeros(values.shape, dtype=bool)
    texts = {}
    for index, column in enumerate(positions):
        cells = frame.to_series(column)
        if cells.dtype.is_numeric():
            numbers, is_blank = cells.cast(pl.Float64), cells.is_null()
        else:
            cells = cells.cast(pl.String).str.strip_chars()
            numbers = (
                cells.cast(pl.Float64, strict=False)
                if frame.dtypes[column] == pl.String
                else cells.clear(len(cells)).cast(pl.Float64)
            )
            is_blank = cells.is_null() | (cells == "") | cells.is_in(markers[1])
        array = numbers.to_numpy()
        is_empty = is_blank.fill_null(value=True).to_numpy() | np.isin(array, markers[0])
        if cells.dtype != pl.String:
            is_empty = is_empty | np.isnan(array)
        with np.errstate(over="ignore"):
            float32 = array.astype(np.float32)
        invalid = ~is_empty & ~np.isfinite(float32)
        if invalid.any():
            bad[:, index] = invalid
            texts[column] = cells.cast(pl.String)
        float32[is_empty | invalid] = np.nan
        values[:, index] = float32
    return values, bad, texts


def _guess_marker(values: Float32Array, name: str, *, log_guess: bool) -> float | None:
    """Return the value that means "not rated": frequent, and far outside of all others."""
    for marker in _MARKERS:
        is_marker = values == np.float32(marker)
        count = int(np.count_nonzero(is_marker))
        if not count:
            continue
        rest = values[~is_marker & ~np.isnan(values)]
        if not len(rest):
            continue
        low, high = float(rest.min()), float(rest.max())
        gap = max(low - marker, marker - high)
        if gap <= max(1.0, (high - low) / 2):
            continue
        if count < _MIN_MARKER_SHARE * values.size:
            if log_guess:
                log.warning(
                    "%s: %s hold %g, the others %g to %g; if that means no rating, set missing=%g",
                    name, format_count(count, "cell"), marker, low, high, marker,
                )  # fmt: skip
            continue
        if log_guess:
            log.info(
                "%s: missing=%g in %s of %s cells, the others are %g to %g   (override: %s)",
                name, marker, f"{count:,}", f"{values.size:,}", low, high, Hint({"missing": ...}),
            )  # fmt: skip
        return marker
    return None


def _is_count_column(
    values: Float32Array,
    bad: BoolArray,
    marker: float | bool | None,
    name: str,
    row_label: Callable[[int], str],
    explicit: bool | None,
) -> bool:
    """Whether the first column is the number of ratings in its row; raises if it nearly is."""
    if explicit is not None:
        return explicit
    first, rest = values[:, 0], values[:, 1:]
    if len(first) < _MIN_COUNT_ROWS or rest.shape[1] < 2:
        return False
    rated = ~np.isnan(rest) | bad[:, 1:]
    if isinstance(marker, float):
        rated &= rest != np.float32(marker)
    n_ratings = np.count_nonzero(rated, axis=1)
    matches = first == n_ratings
    fraction = np.count_nonzero(matches) / len(first)
    known = rest[rated & ~np.isnan(rest)]
    if (n_ratings == n_ratings[0]).all() and len(known) and known.min() <= n_ratings[0] <= known.max():
        return False  # equal ratings in a table without gaps look the same
    if fraction == 1:
        log.info(
            "%s: the first column counts the ratings of its row; dropped   (override: %s)",
            name,
            Hint({"first_column_is_count": False}),
        )
        return True
    if fraction >= _MIN_COUNT_SHARE:
        row = int(np.argmin(matches))
        raise DataError(
            f"{name}: the first column counts the ratings of its row, but not in "
            f"{format_count(len(first) - int(matches.sum()), 'row')} of {len(first):,}",
            where=f"{row_label(row)}: it holds {first[row]:g}, and "
            f"{format_count(int(n_ratings[row]), 'rating')} follow",
            hint=Hint({"first_column_is_count": True}, "drops it; False reads it as ratings"),
        )
    return False


def _check_user_column(
    frame: Any,
    names: Sequence[str],
    positions: Sequence[int],
    bad: BoolArray,
    user_index: int | None,
    name: str,
) -> None:
    """Raise if the first column has no number and there is no user column: it probably is one."""
    if user_index is not None or not positions:
        return
    if int(np.count_nonzero(bad[:, 0])) == len(frame):
        title = f'"{names[positions[0]]}"' if names[positions[0]] else "at the left"
        raise DataError(
            f"{name}: the column {title} holds no number, and no column was recognized for the user",
            hint=Hint({"user": positions[0]}, lead="if these are the user ids"),
        )


def _item_ids(names: Sequence[str], positions: Sequence[int], header: bool, name: str) -> Any:
    """Return the item ids: the column names, or numbers from 1."""
    import polars as pl

    if not header:
        return pl.Series("item", range(1, len(positions) + 1), dtype=pl.Int64)
    titles = [names[column] for column in positions]
    if "" in titles:
        raise DataError(
            f"{name}: the column at position {positions[titles.index('')]} (from 0) has no name, "
            "and the names are the item ids",
            hint=Hint({"header": False}, "(or name that column, or remove it)"),
        )
    duplicates = [title for title, count in Counter(titles).items() if count > 1]
    if duplicates:
        indices = [index for index in positions if names[index] == duplicates[0]]
        raise DataError(
            f'{name}: {len(indices)} columns are called "{duplicates[0]}", and the names are the item ids',
            where=f"at positions {', '.join(map(str, indices[:5]))} (from 0)",
            hint="rename or remove all but one",
        )
    return _parse_ids(pl.Series("item", titles, dtype=pl.String))


def _parse_ids(texts: Any) -> Any:
    """Return ids as integers if all are plain integers, else unchanged."""
    numbers = parse_integers(texts)
    return numbers if numbers.null_count() == texts.null_count() else texts


def _user_ids(frame: Any, index: int | None) -> Any:
    import polars as pl

    if index is None:
        return pl.Series("user", range(1, len(frame) + 1), dtype=pl.Int64)
    cells = frame.to_series(index)
    if cells.dtype == pl.String:
        return _parse_ids(cells.set(cells == "", None))
    if cells.dtype.is_integer():
        numbers = cells.cast(pl.Int64, strict=False)
        if numbers.null_count() > cells.null_count():
            raise DataError(
                f'column "{frame.columns[index]}": user ids above 2**63 - 1 do not fit',
                hint="pass them as text",
            )
        return numbers
    numbers = cells.fill_nan(None) if cells.dtype.is_float() else cells
    if numbers.dtype.is_float() and bool((numbers.drop_nulls().floor() == numbers.drop_nulls()).all()):
        return numbers.cast(pl.Int64)  # integers that a missing one made floats
    raise DataError(
        f'column "{frame.columns[index]}" (taken for the user ids) is of type {cells.dtype}; '
        "ids must be integers or strings",
        hint=Hint({"user": ...}, "names another column"),
    )


def _build_ratings(
    frame: Any,
    values: Float32Array,
    bad: BoolArray,
    texts: dict[int, Any],
    positions: Sequence[int],
    user_index: int | None,
    items: Any,
) -> MeltedRatings:
    import polars as pl

    row, index = np.nonzero(~np.isnan(values))
    bad_row, bad_index = np.nonzero(bad)
    column = np.asarray(positions, dtype=np.int64)
    bad_texts = [texts[positions[j]][i] for i, j in zip(bad_row.tolist(), bad_index.tolist(), strict=True)]
    return MeltedRatings(
        user=_user_ids(frame, user_index).gather(row),
        item=items.gather(index),
        value=values[row, index],
        row=row,
        column=column[index],
        bad_row=bad_row,
        bad_column=column[bad_index],
        bad_text=pl.Series("text", bad_texts, dtype=pl.String),
    )
