"""The wide layout, one row a user and one column an item, to one row a rating."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from foretaste._utils.formatting import plural
from foretaste._utils.memory import require
from foretaste.column_roles import role_of, row_place
from foretaste.errors import BadData, InvalidParameter, did_you_mean
from foretaste.io.text_parser import whole_numbers

log = logging.getLogger("foretaste")

# What sheets are filled with where there is no rating; guessed only if it stands far away from all else.
_MARKERS = (99.0, -99.0, 999.0, -999.0, 9999.0, -9999.0)
_OFTEN = 0.05  # of all cells; a marker that is rarer is asked about, not guessed
_COUNTS_ROWS = 5  # so many rows must agree before a first column is taken for counts
_NEARLY = 0.9  # of the rows; a column of ratings does not come near that by chance

Missing = float | str | Sequence[float | str] | None


@dataclass(frozen=True, eq=False)
class Long:
    """Ratings out of a wide table, row by row.

    Parameters
    ----------
    user, item : polars Series, shape (n,)
        Int64 or String; null where a row has no user id.
    value : float32 array, shape (n,)
    row, column : int64 arrays, shape (n,)
        Where each rating stands in the frame, from 0.
    bad_row, bad_column : int64 arrays, shape (m,)
        Cells that are neither a finite number nor missing, in the order of the rows.
    bad_text : polars Series of text, shape (m,)
        What stands in them.
    """

    user: Any
    item: Any
    value: npt.NDArray[np.float32]
    row: npt.NDArray[np.int64]
    column: npt.NDArray[np.int64]
    bad_row: npt.NDArray[np.int64]
    bad_column: npt.NDArray[np.int64]
    bad_text: Any


def melt(
    frame: Any,
    *,
    name: str,
    header: bool,
    titles: Sequence[str] | None = None,
    missing: Missing = None,
    user: str | int | None = None,
    counts: bool | None = None,
    place: Callable[[int], str] = row_place,
) -> Long:
    """Turn a wide table into ratings.

    Parameters
    ----------
    frame : polars.DataFrame
        One row a user, one column an item; numbers, or text as a file has it. Null, NaN and blank text are
        never ratings.
    name : str
        Of the source, for messages.
    header : bool
        Whether the columns have names of their own: they are the item ids. Without, items are numbered
        from 1.
    titles : sequence of str, optional
        The names as they stand in the source, if the frame had to tell some apart.
    missing : number, str or a sequence of them, optional
        What else means that there is no rating: ``99``, ``"NA"``; an empty sequence for nothing else.
        Unsaid, a marker such as 99 is taken for that if it stands far outside of everything else, aloud.
    user : str or int, optional
        The column with the user ids, by name or position from 0. Unsaid, it is recognised by its name, or
        by being the first and the only one without a name; without one, users are numbered from 1.
    counts : bool, optional
        Whether the first other column holds the number of ratings in the row. Unsaid, it does if that is
        true of every row, aloud.
    place : callable
        What a row is called in messages.

    Returns
    -------
    Long

    Raises
    ------
    BadData
        If columns have no name or the same, no such column exists, or a column nearly holds counts.
    InvalidParameter
        If ``missing`` or ``user`` is neither of these.
    TooLarge
        If the table would not fit into memory.
    """
    names = list(frame.columns if titles is None else titles)
    markers = _markers(missing)
    user_place = _user_place(frame, names, user, header=header)
    places = [column for column in range(frame.width) if column != user_place]
    if not places or not len(frame):
        raise BadData(f"{name} has no {'columns of items' if len(frame) else 'rows'}", hint="another table")
    require(len(frame) * len(places) * 6, f"{name} in the wide layout", "a long table: user, item, rating")
    values, bad, texts = _matrix(frame, places, markers)
    counted = missing is None and _guess_marker(values[:, 1:], name, aloud=False)
    if _is_counts(values, bad, counted, name, place, counts):
        places, values, bad = places[1:], values[:, 1:], bad[:, 1:]
        texts = {column: cells for column, cells in texts.items() if column in places}
    if missing is None:
        marker = _guess_marker(values, name, aloud=True)
        if marker is not None:
            values[values == np.float32(marker)] = np.nan
    _check_user(frame, names, places, bad, user_place, name)
    return _long(frame, values, bad, texts, places, user_place, _item_ids(names, places, header, name))


def _markers(missing: Missing) -> tuple[list[float], list[str]]:
    """Return what means that there is no rating, numbers and texts apart."""
    if missing is None:
        return [], []
    said = [missing] if isinstance(missing, str | int | float) else list(missing)
    wrong = [
        one for one in said if isinstance(one, bool) or not isinstance(one, str | int | float | np.number)
    ]
    if wrong:
        raise InvalidParameter(f"missing={wrong[0]!r} is neither a number nor text", hint="missing=99")
    texts = [one.strip() for one in said if isinstance(one, str)]
    numbers = [float(one) for one in said if not isinstance(one, str)]
    for text in texts:  # the command line has only texts
        try:
            numbers.append(float(text))
        except ValueError:
            continue
    return numbers, texts


def _user_place(frame: Any, names: Sequence[str], user: str | int | None, *, header: bool) -> int | None:
    if user is None:
        if not header:
            return None
        known = [place for place, title in enumerate(names) if role_of(title) == "user"]
        if not known and frame.width > 1 and names[0] in ("", "column_1") and all(names[1:]):
            known = [0]
        if known:
            log.info('user ids: column "%s"   (say otherwise: user=...)', frame.columns[known[0]])
        return known[0] if known else None
    if isinstance(user, int) and not isinstance(user, bool):
        if not 0 <= user < frame.width:
            raise BadData(
                f"there is no column at position {user} (asked for as user)", hint=f"0 to {frame.width - 1}"
            )
        return user
    if not isinstance(user, str):
        raise InvalidParameter(f"user={user!r} is neither a column name nor a position", hint="user=0")
    if not header or user not in names:
        raise BadData(
            f'no column "{user}" (asked for as user){did_you_mean(user, names if header else [])}',
            where="columns are: " + ", ".join(names[:20]) + (", ..." if len(names) > 20 else "")
            if header
            else "the table is read without a header",
            hint="a position from 0: user=0",
        )
    return names.index(user)


def _matrix(
    frame: Any, places: Sequence[int], markers: tuple[list[float], list[str]]
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.bool_], dict[int, Any]]:
    """Return the cells as numbers, NaN where there is none, which are bad, and the texts beside bad ones."""
    import polars as pl

    values = np.full((len(frame), len(places)), np.nan, dtype=np.float32)
    bad = np.zeros(values.shape, dtype=bool)
    texts = {}
    for index, column in enumerate(places):
        cells = frame.to_series(column)
        if cells.dtype.is_numeric():
            numbers, blank = cells.cast(pl.Float64), cells.is_null()
        else:
            cells = cells.cast(pl.String).str.strip_chars()
            numbers = (
                cells.cast(pl.Float64, strict=False)
                if frame.dtypes[column] == pl.String
                else cells.clear(len(cells)).cast(pl.Float64)
            )
            blank = cells.is_null() | (cells == "") | cells.is_in(markers[1])
        array = numbers.to_numpy()
        empty = blank.fill_null(value=True).to_numpy() | np.isin(array, markers[0])
        if cells.dtype != pl.String:
            empty = empty | np.isnan(array)
        with np.errstate(over="ignore"):
            single = array.astype(np.float32)
        wrong = ~empty & ~np.isfinite(single)
        if wrong.any():
            bad[:, index] = wrong
            texts[column] = cells.cast(pl.String)
        single[empty | wrong] = np.nan
        values[:, index] = single
    return values, bad, texts


def _guess_marker(values: npt.NDArray[np.float32], name: str, *, aloud: bool) -> float | None:
    """Return the value that means "not rated": it is far outside of all others, and frequent."""
    for marker in _MARKERS:
        here = values == np.float32(marker)
        count = int(np.count_nonzero(here))
        if not count:
            continue
        others = values[~here & ~np.isnan(values)]
        if not len(others):
            continue
        low, high = float(others.min()), float(others.max())
        gap = max(low - marker, marker - high)
        if gap <= max(1.0, (high - low) / 2):
            continue
        if count < _OFTEN * values.size:
            if aloud:
                log.warning(
                    "%s: %s hold %g, the others %g to %g; if that means no rating, say missing=%g",
                    name, plural(count, "cell"), marker, low, high, marker,
                )  # fmt: skip
            continue
        if aloud:
            log.info(
                "%s: missing=%g in %s of %s cells, the others are %g to %g   (say otherwise: missing=...)",
                name, marker, f"{count:,}", f"{values.size:,}", low, high,
            )  # fmt: skip
        return marker
    return None


def _is_counts(
    values: npt.NDArray[np.float32],
    bad: npt.NDArray[np.bool_],
    marker: float | bool | None,
    name: str,
    place: Callable[[int], str],
    said: bool | None,
) -> bool:
    """Whether the first column holds the number of ratings in its row; refuses one that nearly does."""
    if said is not None:
        return said
    first, others = values[:, 0], values[:, 1:]
    if len(first) < _COUNTS_ROWS or others.shape[1] < 2:
        return False
    rated = ~np.isnan(others) | bad[:, 1:]
    if isinstance(marker, float):
        rated &= others != np.float32(marker)
    number = np.count_nonzero(rated, axis=1)
    right = first == number
    share = np.count_nonzero(right) / len(first)
    known = others[rated & ~np.isnan(others)]
    if (number == number[0]).all() and len(known) and known.min() <= number[0] <= known.max():
        return False  # ratings that are all alike in a table without gaps look the same
    if share == 1:
        log.info(
            "%s: the first column counts the ratings of its row; left out   (say otherwise: counts=False)",
            name,
        )
        return True
    if share >= _NEARLY:
        row = int(np.argmin(right))
        raise BadData(
            f"{name}: the first column counts the ratings of its row, but not in "
            f"{plural(len(first) - int(right.sum()), 'row')} of {len(first):,}",
            where=f"{place(row)}: it says {first[row]:g}, and {plural(int(number[row]), 'rating')} follow",
            hint="counts=True leaves it out, counts=False reads it as ratings",
        )
    return False


def _check_user(
    frame: Any,
    names: Sequence[str],
    places: Sequence[int],
    bad: npt.NDArray[np.bool_],
    user_place: int | None,
    name: str,
) -> None:
    """Refuse a first column without any number where no column is the users': it is probably theirs."""
    if user_place is not None or not places:
        return
    if int(np.count_nonzero(bad[:, 0])) == len(frame):
        title = f'"{names[places[0]]}"' if names[places[0]] else "at the left"
        raise BadData(
            f"{name}: the column {title} holds no number, and no column was recognised for the user",
            hint=f"if these are the user ids: user={places[0]}",
        )


def _item_ids(names: Sequence[str], places: Sequence[int], header: bool, name: str) -> Any:
    """Return the ids of the items: the names of their columns, or their numbers from 1."""
    import polars as pl

    if not header:
        return pl.Series("item", range(1, len(places) + 1), dtype=pl.Int64)
    titles = [names[column] for column in places]
    if "" in titles:
        raise BadData(
            f"{name}: the column at position {places[titles.index('')]} (from 0) has no name, and the names "
            "are the item ids",
            hint="name or remove it, or header=False",
        )
    twice = [title for title, count in Counter(titles).items() if count > 1]
    if twice:
        same = [place for place in places if names[place] == twice[0]]
        raise BadData(
            f'{name}: {len(same)} columns are called "{twice[0]}", and the names are the item ids',
            where=f"they are at the positions {', '.join(map(str, same[:5]))} (from 0)",
            hint="rename or remove all but one",
        )
    return _ids(pl.Series("item", titles, dtype=pl.String))


def _ids(texts: Any) -> Any:
    """Return ids as whole numbers if all are, else as they are."""
    numbers = whole_numbers(texts)
    return numbers if numbers.null_count() == texts.null_count() else texts


def _user_ids(frame: Any, place: int | None) -> Any:
    import polars as pl

    if place is None:
        return pl.Series("user", range(1, len(frame) + 1), dtype=pl.Int64)
    cells = frame.to_series(place)
    if cells.dtype == pl.String:
        return _ids(cells.set(cells == "", None))
    if cells.dtype.is_integer():
        numbers = cells.cast(pl.Int64, strict=False)
        if numbers.null_count() > cells.null_count():
            raise BadData(
                f'column "{frame.columns[place]}": user ids above 2**63 - 1 do not fit',
                hint="give them as text",
            )
        return numbers
    numbers = cells.fill_nan(None) if cells.dtype.is_float() else cells
    if numbers.dtype.is_float() and bool((numbers.drop_nulls().floor() == numbers.drop_nulls()).all()):
        return numbers.cast(pl.Int64)  # whole numbers, which some missing one made floats of
    raise BadData(
        f'column "{frame.columns[place]}" (taken for the user ids) is of type {cells.dtype}; '
        "ids must be whole numbers or text",
        hint="user=... names another column",
    )


def _long(
    frame: Any,
    values: npt.NDArray[np.float32],
    bad: npt.NDArray[np.bool_],
    texts: dict[int, Any],
    places: Sequence[int],
    user_place: int | None,
    items: Any,
) -> Long:
    import polars as pl

    row, index = np.nonzero(~np.isnan(values))
    bad_row, bad_index = np.nonzero(bad)
    column = np.asarray(places, dtype=np.int64)
    wrong = [texts[places[where]][at] for at, where in zip(bad_row.tolist(), bad_index.tolist(), strict=True)]
    return Long(
        user=_user_ids(frame, user_place).gather(row),
        item=items.gather(index),
        value=values[row, index],
        row=row,
        column=column[index],
        bad_row=bad_row,
        bad_column=column[bad_index],
        bad_text=pl.Series("text", wrong, dtype=pl.String),
    )
