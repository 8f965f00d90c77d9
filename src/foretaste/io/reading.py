"""``read_ratings``: a file or a frame becomes checked and encoded ratings."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np
import numpy.typing as npt

from foretaste.columns import (
    ROLES,
    as_numpy,
    filter_rows,
    frame_columns,
    guess_roles,
    names_in,
    require_roles,
)
from foretaste.errors import BadData
from foretaste.ids import is_text_series
from foretaste.io.cells import id_column, number_column, time_column, typed
from foretaste.io.choosing import Choice, choose_columns, open_table
from foretaste.io.source import path_of
from foretaste.io.table import TextTable, column_name
from foretaste.ratings import Ratings

log = logging.getLogger("foretaste")

_NEEDED = ("user", "item", "rating")


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
    scale: tuple[float, float] | None = None,
    duplicates: str = "refuse",
    where: str | None = None,
) -> Ratings:
    """Read ratings from a text file or a data frame.

    Parameters
    ----------
    source : str, Path, or pandas, polars or Arrow table
        A text file, plain or packed with gzip (whatever its name), or a frame.
    user, item, rating, timestamp, weight : str or int, optional
        The column's name, or its position from 0. What is not said is guessed from the usual names, and
        the guess is said aloud; a table without usual names is read by position: user, item, rating,
        timestamp. A weight is never guessed.
    separator : str, optional
        What stands between fields: a comma, tab, ``::``, ``|``, ``;``, ``"whitespace"`` or anything else;
        guessed from the first lines.
    header : bool, optional
        Whether the first line holds names; guessed.
    encoding : str
    scale : (low, high), optional
        The declared scale, in rating units; a rating outside it is refused.
    duplicates : {"refuse", "last", "first", "mean"}
        What to do when a user rated an item twice.
    where : str, optional
        An SQL condition over all columns of the source; rows that do not fulfil it are left out before
        anything else: ``"userId <= 4000"``.

    Returns
    -------
    Ratings
        In the order of the rows. Ids are numbers if every cell is a plain whole number, else text.

    Raises
    ------
    BadData
        Naming the line, the value and how to mend it.
    NotFound
        If there is no such file.
    InvalidParameter
        If an argument is not allowed.
    """
    chosen = {"user": user, "item": item, "rating": rating, "timestamp": timestamp}
    chosen |= {} if weight is None else {"weight": weight}
    path = path_of(source)
    if path is None:
        return _from_frame(source, chosen, scale, duplicates, where)
    table = open_table(path, separator=separator, header=header, encoding=encoding, least=len(_NEEDED))
    choice = choose_columns(table, chosen, _NEEDED)
    columns = _columns(table, choice, where)
    if len(columns["rating"]) == 0:
        if where is not None:
            raise BadData(f"{path.name}: no row fulfils where={where!r}", hint="a wider condition")
        raise BadData(
            f"{path.name} has a header but no ratings", hint="header=False if its first line is a rating"
        )
    values = {
        role: number_column(table, columns[role], choice.places[role], role, choice.name(role))
        for role in ("rating", "weight")
        if role in columns
    }
    users, items = (id_column(table, columns[role], role, choice.name(role)) for role in ("user", "item"))
    when = _times(table, columns, choice, guessed=timestamp is None)
    try:
        return Ratings.from_columns(
            users, items, values["rating"], when=when, weight=values.get("weight"),
            scale=scale, duplicates=duplicates, place=table.place,
        )  # fmt: skip
    except BadData as error:
        raise BadData(f"{path.name}: {error.message}", where=error.where, hint=error.hint) from None


def _columns(table: TextTable, choice: Choice, where: str | None) -> dict[str, Any]:
    """Read the columns that have a role, and only the rows that fulfil a condition."""
    import polars as pl

    if where is None:
        types: dict[int, Any] = {
            choice.places[role]: pl.Float32 for role in ("rating", "weight") if role in choice.places
        }
        if "timestamp" in choice.places:
            place = choice.places["timestamp"]
            if all(record[place].isdigit() for record in table.sample if len(record) == table.width):
                types[place] = pl.Int64
        read = table.read(sorted(set(choice.places.values())), types)
        return {role: read[place] for role, place in choice.places.items()}
    texts = table.texts()
    columns = dict(zip(choice.names, texts.get_columns(), strict=True))
    mask = filter_rows(_conditional(columns, choice.places, where), where)
    table.filter(mask)
    return {
        role: texts.get_column(column_name(place)).filter(pl.Series(mask))
        for role, place in choice.places.items()
    }


def _conditional(columns: dict[str, Any], places: dict[str, int], where: str) -> Any:
    """Return the frame that a condition is about: numbers as numbers, roles beside the file's own names."""
    import polars as pl

    names = list(columns)
    columns = columns | {role: columns[names[place]] for role, place in places.items() if role not in columns}
    asked = set(names_in(where))
    asked |= {role for role in places if not asked <= set(columns)}
    return pl.DataFrame({name: typed(cells) if name in asked else cells for name, cells in columns.items()})


def _times(
    table: TextTable, columns: dict[str, Any], choice: Choice, *, guessed: bool
) -> npt.NDArray[np.int64] | None:
    """Return the times; a column that was only guessed to hold them is left out, aloud, if it does not."""
    if "timestamp" not in columns:
        return None
    try:
        return time_column(table, columns["timestamp"], choice.name("timestamp"))
    except BadData as error:
        if not guessed:
            raise
        log.warning(
            "%s   (column left out; to insist on it: timestamp=%r)", error.message, choice.name("timestamp")
        )
        return None


def _from_frame(
    frame: Any, chosen: dict[str, str | int | None], scale: Any, duplicates: str, where: str | None
) -> Ratings:
    """Read the columns of a pandas, polars or Arrow table; in memory ids keep the type that they have."""
    columns = frame_columns(frame)
    found = frame_roles(columns, chosen, _NEEDED)
    if where is not None:
        kept = np.flatnonzero(filter_rows(_polars_frame(columns, found), where))
        columns = {name: column_values(columns[name])[kept] for name in set(found.values())}
    parts = {role: column_values(columns[name]) for role, name in found.items()}
    if len(parts["rating"]) == 0:
        raise BadData("the frame has no ratings" if where is None else f"no row fulfils where={where!r}")
    return Ratings.from_columns(
        parts["user"], parts["item"], parts["rating"], when=parts.get("timestamp"),
        weight=parts.get("weight"), scale=scale, duplicates=duplicates,
    )  # fmt: skip


def frame_roles(
    columns: dict[str, Any], chosen: dict[str, str | int | None], needed: tuple[str, ...]
) -> dict[str, str]:
    """Match a frame's columns to roles by name, and say so."""
    names = list(columns)
    said = {
        role: names[column] if isinstance(column, int) and 0 <= column < len(names) else column
        for role, column in chosen.items()
    }
    found = guess_roles(names, said)  # type: ignore[arg-type]
    require_roles(found, names, needed)
    if any(chosen[role] is None for role in found):
        roles = [role for role in chosen if role in found]
        listed = " ".join(f"{role}={found[role]}" for role in roles)
        log.info("columns: %s   (say otherwise: %s)", listed, ", ".join(f"{role}=..." for role in roles))
    return found


def column_values(column: Any) -> Any:
    """Return a frame's column as it is encoded: polars text as it is, everything else as numpy."""
    return column if isinstance(column, np.ndarray) or is_text_series(column) else as_numpy(column)


def text_cells(column: Any) -> Any:
    """Return a frame's column as a polars series of text, null where a cell is missing."""
    import polars as pl

    values = column_values(column)
    if isinstance(values, np.ndarray):
        values = pl.Series([None if is_missing(v) else str(v) for v in values.tolist()], dtype=pl.String)
    return values


def is_missing(value: Any) -> bool:
    """Whether a cell is None, NaN, or what pandas writes for them."""
    return value is None or type(value).__name__ in ("NAType", "NaTType") or bool(value != value)


def _polars_frame(columns: dict[str, Any], found: dict[str, str]) -> Any:
    import polars as pl

    series = {}
    for name, column in columns.items():
        values = column_values(column)
        series[name] = (
            pl.Series(values.tolist(), strict=False) if values.dtype == object else pl.Series(values)
        )
    series |= {role: series[name] for role, name in found.items() if role not in series and role in ROLES}
    return pl.DataFrame(series)
