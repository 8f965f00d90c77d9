"""``read_ratings``: a source becomes checked and encoded ratings."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt

from foretaste.column_roles import ROLES, check_scale, filter_rows, names_in
from foretaste.errors import BadData, InvalidParameter, did_you_mean
from foretaste.ids import EncodedIds
from foretaste.io import frame_table as frame_columns
from foretaste.io import text_parser as text_columns
from foretaste.io.column_mapping import Choice, choose_columns
from foretaste.io.frame_table import FrameTable, series_of
from foretaste.io.melt import read_wide
from foretaste.io.read_options import Wanted, finished, meet_scale
from foretaste.io.row_errors import Fault
from foretaste.io.table_source import Opened, Written, open_source
from foretaste.io.text_table import TextTable, column_name
from foretaste.io.wide import Missing
from foretaste.ratings import Ratings

log = logging.getLogger("foretaste")

_NEEDED = ("user", "item", "rating")
_KINDS = {"user": "id", "item": "id", "rating": "real", "weight": "real", "timestamp": "whole"}


@dataclass(frozen=True, eq=False)
class Survey:
    """What a source holds: the ratings that can be used, and the rows that cannot.

    Parameters
    ----------
    ratings : Ratings
    faults : tuple of Fault
        The rows that were left out, by reason.
    rows : int
        Rows in the source (of those that fulfil ``where``), used or not.
    name : str
        What the source is called.
    """

    ratings: Ratings
    faults: tuple[Fault, ...]
    rows: int
    name: str


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
    missing: Missing = None,
    counts: bool | None = None,
    member: str | None = None,
    sheet: str | int | None = None,
    table: str | None = None,
    query: str | None = None,
    scale: tuple[float, float] | None = None,
    duplicates: str = "refuse",
    on_error: str = "raise",
    where: str | None = None,
) -> Ratings:
    """Read ratings from a file, a data frame or a database.

    Parameters
    ----------
    source : str, Path, open binary file, data frame, or connection
        A file, known by what is in it and not by its name: text, Parquet, Arrow, a workbook of Excel, a
        table of numpy, ratings kept by R's recommenderlab; plain, packed with gzip, or in a zip archive.
        ``"-"`` is standard input. Or a frame: pandas, polars, pyarrow, a duckdb relation, any Arrow stream.
        Or a database: a file of SQLite, an open connection, a URL, engine or connection of SQLAlchemy.
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
    decimal : {".", ","}
        What stands before the fraction of a rating in a text.
    layout : {"long", "wide"}
        One row a rating, or one row a user and one column an item, whose names are the item ids.
    missing : number, str, or several, optional
        What means "no rating" in the wide layout, beside blank cells; a far-off 99 is recognised, aloud.
    counts : bool, optional
        Whether the first column of a wide table counts the ratings of its row; found out.
    member : str, optional
        Which file of a zip archive.
    sheet : str or int, optional
        Which sheet of a workbook, by name or position from 0; the first.
    table, query : str, optional
        Which table of a database, or a ``SELECT`` to be answered; not needed where there is one table.
    scale : (low, high), optional
        The declared scale, in rating units; a rating outside it is refused.
    duplicates : {"refuse", "last", "first", "mean"}
        What to do when a user rated an item twice.
    on_error : {"raise", "skip"}
        What to do with a row that cannot be used. ``"skip"`` leaves such rows out and says, as a warning,
        how many there are, why, and where the first stand; ``survey`` gives all of them. A repeated pair
        keeps its first row then, unless ``duplicates`` says otherwise.
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
    if on_error not in ("raise", "skip"):
        raise InvalidParameter(
            f"on_error={on_error!r} is not allowed{did_you_mean(on_error, ['raise', 'skip'])}",
            hint='on_error="skip" leaves out what cannot be used; "raise" refuses it',
        )
    columns = {"user": user, "item": item, "rating": rating, "timestamp": timestamp}
    columns |= {} if weight is None else {"weight": weight}
    written = Written(separator, header, encoding, decimal, member, sheet, table, query)
    wanted = Wanted(columns, scale, duplicates, where, layout, missing, counts, written)
    found = _surveyed(source, wanted, skip=on_error == "skip")
    if found.faults:
        lost = found.rows - len(found.ratings)
        log.warning(
            "%s: %s of %s rows cannot be used and are left out: %s",
            found.name, f"{lost:,}", f"{found.rows:,}", "; ".join(map(str, found.faults)),
        )  # fmt: skip
    return found.ratings


def survey(source: Any, **reading: Any) -> Survey:
    """Read ratings as ``read_ratings(on_error="skip")`` does, and return the rows left out beside them.

    Parameters
    ----------
    source
        As in ``read_ratings``.
    **reading
        The other arguments of ``read_ratings``, but for ``on_error``.
    """
    columns = {role: reading.pop(role, None) for role in ROLES}
    columns |= {role: reading.pop(role) for role in ("weight",) if reading.get(role) is not None}
    names = ("scale", "duplicates", "where", "layout", "missing", "counts")
    checks = {name: reading.pop(name) for name in names if name in reading}
    return _surveyed(source, Wanted(columns, **checks, written=Written(**reading)), skip=True)


def _surveyed(source: Any, wanted: Wanted, *, skip: bool) -> Survey:
    check_scale(wanted.scale)
    wide = wanted.layout == "wide"
    opened = open_source(source, wanted.written, least=2 if wide else len(_NEEDED), skip=skip, wide=wide)
    ratings = read_wide(opened, wanted) if wide else _read_long(opened, wanted)
    faults = tuple(opened.sieve.faults)
    return Survey(ratings, faults, len(ratings) + opened.sieve.lost(), opened.name)


def _read_long(opened: Opened, wanted: Wanted) -> Ratings:
    """Read a table of one rating a row."""
    choice = choose_columns(opened, wanted.columns, _NEEDED)
    columns = _columns(opened, choice, wanted.where)
    n = len(columns["rating"])
    if n == 0:
        raise _nothing(opened, wanted)
    parse: Any = _parser(opened)
    parsed: dict[str, Any] = {
        role: parse.number_column(opened, columns[role], choice.places[role], role, choice.name(role))
        for role in ("rating", "weight")
        if role in columns
    }
    for role in ("user", "item"):
        parse.check_ids(opened, columns[role], role, choice.name(role))
    parsed["timestamp"] = _times(opened, columns, choice, guessed=wanted.columns["timestamp"] is None)
    ids = {role: columns[role] for role in ("user", "item")}
    meet_scale(opened, parsed["rating"], wanted.scale)
    if opened.sieve.faults:
        good = opened.sieve.good(n)
        if not good.any():
            first = opened.sieve.faults[0]
            raise BadData(
                f"{opened.name}: not one row can be used: {first.problem}", where=first.where, hint=first.hint
            )
        opened.filter(good)
        parsed = {role: None if values is None else values[good] for role, values in parsed.items()}
        ids = {role: _picked(values, good) for role, values in ids.items()}
    users, items = (parse.typed_ids(opened, ids[role], role) for role in ("user", "item"))
    return finished(opened, users, items, parsed, wanted)


def _parser(opened: Opened) -> ModuleType:
    return frame_columns if isinstance(opened, FrameTable) else text_columns


def _nothing(opened: Opened, wanted: Wanted) -> BadData:
    if wanted.where is not None:
        return BadData(
            f"{opened.name}: no row fulfils where={wanted.where!r}",
            hint="where=None reads all of them; or a wider condition",
        )
    hint = None if isinstance(opened, FrameTable) else "header=False if its first line is a rating"
    return BadData(f"{opened.name} has a header but no ratings", hint=hint)


def _picked(values: Any, good: npt.NDArray[np.bool_]) -> Any:
    if isinstance(values, np.ndarray | EncodedIds):
        return values[good]
    import polars as pl

    return values.filter(pl.Series(good))


def _columns(opened: Opened, choice: Choice, where: str | None) -> dict[str, Any]:
    """Read the columns that have a role, and only the rows that fulfil a condition."""
    if isinstance(opened, FrameTable):
        columns = opened.read(choice.places)
        if where is None:
            return columns
        mask = filter_rows(_typed_frame(opened, choice, where), where)
        opened.filter(mask)
        return {role: _picked(values, mask) for role, values in columns.items()}
    return _text_columns(opened, choice, where)


def _text_columns(table: TextTable, choice: Choice, where: str | None) -> dict[str, Any]:
    import polars as pl

    if where is None:
        plain = _plain_columns(table, choice)
        if plain is not None:
            return plain
        types: dict[int, Any] = {
            choice.places[role]: pl.Float32
            for role in ("rating", "weight")
            if role in choice.places and table.decimal == "."
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


def _plain_columns(table: TextTable, choice: Choice) -> dict[str, Any] | None:
    """Read the columns natively if the table is plainly written, which most are."""
    kinds = {place: _KINDS[role] for role, place in choice.places.items()}
    if len(kinds) < len(choice.places) or table.decimal != ".":
        return None
    read = table.plain(kinds)
    return None if read is None else {role: read[place] for role, place in choice.places.items()}


def _conditional(columns: dict[str, Any], places: dict[str, int], where: str) -> Any:
    """Return the frame that a condition is about: numbers as numbers, roles beside the file's own names."""
    import polars as pl

    names = list(columns)
    columns = columns | {role: columns[names[place]] for role, place in places.items() if role not in columns}
    asked = set(names_in(where))
    asked |= {role for role in places if not asked <= set(columns)}
    return pl.DataFrame(
        {name: text_columns.typed(cells) if name in asked else cells for name, cells in columns.items()}
    )


def _typed_frame(table: FrameTable, choice: Choice, where: str) -> Any:
    """Return the columns that a condition is about, the roles beside the frame's own names."""
    import polars as pl

    # The choice calls the columns of a table without a header by their roles.
    roles = {list(table.columns)[place]: role for role, place in choice.places.items()}
    asked = set(names_in(where))
    series = {}
    for name in table.columns:
        if name in asked or name in roles or not asked <= set(table.columns):
            series[name] = series_of(table.columns[name])
    for name, role in roles.items():
        series.setdefault(role, series[name])
    return pl.DataFrame(series)


def _times(
    opened: Opened, columns: dict[str, Any], choice: Choice, *, guessed: bool
) -> npt.NDArray[np.int64] | None:
    """Return the times; a column that was only guessed to hold them is left out, aloud, if it does not.

    Where rows are skipped, it is left out only if most of its cells are no times.
    """
    if "timestamp" not in columns:
        return None
    before = len(opened.sieve.faults)
    try:
        times: npt.NDArray[np.int64] = _parser(opened).time_column(
            opened, columns["timestamp"], choice.name("timestamp")
        )
    except BadData as error:
        if not guessed:
            raise
        problem = error.message
    else:
        fault = opened.sieve.faults[-1] if len(opened.sieve.faults) > before else None
        if fault is None or not guessed or 2 * len(fault.rows) < len(times):
            return times
        opened.sieve.forget()
        problem = f"{opened.name}, {fault.places[0]}: {fault.problem}"
    log.warning("%s   (column left out; to insist on it: timestamp=%r)", problem, choice.name("timestamp"))
    return None
