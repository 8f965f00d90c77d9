"""Which column is which, guessed from names, then from places; and saying aloud what was guessed."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from foretaste.column_roles import ROLES, guess_roles, require_roles, role_of
from foretaste.errors import BadData, InvalidParameter
from foretaste.io.dialect import guess_dialect, is_number, is_time
from foretaste.io.frame_table import FrameTable
from foretaste.io.row_errors import Sieve
from foretaste.io.text_source import Text
from foretaste.io.text_table import TextTable

log = logging.getLogger("foretaste")

_WIDE = 12  # so many columns without a usual name are no list of ratings

Chosen = Mapping[str, "str | int | None"]


@dataclass(frozen=True)
class Choice:
    """The columns of a table and what they are for.

    Parameters
    ----------
    names : list of str
        Of all columns.
    places : dict of role to place
        From 0; only the roles that were found.
    """

    names: list[str]
    places: dict[str, int]

    def name(self, role: str) -> str:
        """Return the name of a role's column."""
        return self.names[self.places[role]]


def open_table(
    text: Text,
    name: str,
    *,
    separator: str | None,
    header: bool | None,
    least: int,
    known: Iterable[str] = (),
    sieve: Sieve,
    decimal: str = ".",
    wide: bool = False,
) -> TextTable:
    """Open a text table, finding out how it is written and saying so.

    Parameters
    ----------
    text : Text
    name : str
        What it is called.
    separator, header
        What the caller said.
    least : int
        The least number of columns.
    known : iterable of str
        Names, squeezed to lower-case letters, that headers use beside those of the roles.
    sieve : Sieve
        What happens to lines that cannot be used.
    decimal : str
        What stands before the fraction of a number.
    wide : bool
        Whether a row is a user and a column an item.
    """
    others = frozenset(known)
    dialect, sample = guess_dialect(
        text.start,
        name,
        separator=separator,
        header=header,
        known=lambda name: role_of(name) is not None or squeezed(name) in others,
        least=least,
        wide=wide,
        whole=text.is_whole(),
    )
    if dialect.guessed:
        log.info(
            "%s: %s   (say otherwise: %s)",
            name,
            dialect,
            ", ".join(f"{name}=..." for name in dialect.guessed),
        )
    if dialect.header and not any(map(str.strip, sample[0])):
        raise BadData(f"{name}: the header is empty", hint="header=False")
    table = TextTable(text, name, dialect, sample, sieve, decimal)
    table.check_first()
    return table


def squeezed(name: str) -> str:
    """Return the letters of a name, in lower case."""
    return "".join(filter(str.isalpha, name.lower()))


def choose_columns(table: TextTable | FrameTable, chosen: Chosen, needed: Sequence[str]) -> Choice:
    """Decide which column of a table is which, and say so.

    Parameters
    ----------
    table : TextTable or FrameTable
    chosen : mapping of role to name, place or None
        What the caller said.
    needed : sequence of str
        The roles that must be found.

    Raises
    ------
    BadData
        If a chosen column does not exist or a needed one is not recognised.
    InvalidParameter
        If a choice is neither a name nor a place.
    """
    if table.header is None:
        choice = _by_place(table, chosen, needed)
    else:
        choice = _by_name(table, table.header, chosen, needed)
    _require_apart(choice, table.name)
    return choice


def _require_apart(choice: Choice, name: str) -> None:
    """Refuse a column that was chosen for two roles."""
    role_at: dict[int, str] = {}
    for role, place in choice.places.items():
        if place in role_at:
            other, column = role_at[place], choice.names[place]
            wrong = other if role_of(column) == role else role
            raise BadData(
                f'{name}: the column "{column}" cannot be both {other} and {role}',
                where="columns are: " + ", ".join(choice.names),
                hint=f"{wrong}=None",
            )
        role_at[place] = role


def _by_name(
    table: TextTable | FrameTable, header: Sequence[str], chosen: Chosen, needed: Sequence[str]
) -> Choice:
    """Find the columns of a table by what its header says, and say so."""
    names = unique_names(header)
    found = guess_roles(names, {role: named_column(names, role, column) for role, column in chosen.items()})
    for role, name in found.items():
        if header.count(name) > 1 and not isinstance(chosen[role], int):
            same = [place for place, other in enumerate(header) if other == name]
            raise BadData(
                f'{table.name}: {len(same)} columns are called "{name}"',
                where=f"they are at the positions {', '.join(map(str, same))} (from 0)",
                hint=f"{role}={same[0]}",
            )
    places = {role: names.index(found[role]) for role in chosen if role in found}
    unnamed = [role for role in needed if role not in places]
    _refuse_wide(table, unnamed, needed)
    if unnamed and (len(names) > 4 or not table.by_position):
        require_roles(found, names, needed)
    if any(role_of(found[role]) in unnamed for role in found):
        require_roles(found, names, needed)
    _refuse_numbers_as_names(table, header, unnamed)
    _fill(table, places, chosen, unnamed)
    places = {role: places[role] for role in chosen if role in places}
    if unnamed:
        require_roles(_names_of(names, places), names, needed)
        log.warning(
            "%s: no usual column name for %s; read by position: %s   (say otherwise: %s)",
            table.name, ", ".join(unnamed), _listed(names, places), _otherwise(places),
        )  # fmt: skip
    elif any(chosen[role] is None for role in places):
        log.info("columns: %s   (say otherwise: %s)", _listed(names, places), _otherwise(places))
    return Choice(names, places)


def _refuse_numbers_as_names(
    table: TextTable | FrameTable, header: Sequence[str], unnamed: Sequence[str]
) -> None:
    """Refuse a first line of numbers as a header: it is a rating, which would be lost."""
    if unnamed and header and all(map(is_number, header)):
        raise BadData(
            f"{table.name}, line 1: this is no header, but a rating: {', '.join(header[:8])}",
            hint="header=False",
        )


def _refuse_wide(table: TextTable | FrameTable, unnamed: Sequence[str], needed: Sequence[str]) -> None:
    """Refuse a table of many columns none of which has a role: it is in the wide layout, mostly."""
    if table.width < _WIDE or len(unnamed) < len(needed):
        return
    raise BadData(
        f"{table.name} has {table.width:,} columns, none of them recognised as the {', '.join(unnamed)}",
        where=_head(table.header or next(iter(table.sample), [])),
        hint=f'layout="wide"{", user=0" if _first_are_ids(table) else ""} if a row is a user and a column an '
        "item (if not, say which columns: user=..., item=..., rating=...)",
    )


def _first_are_ids(table: TextTable | FrameTable) -> bool:
    """Whether the first column of a table without names looks like ids: whole numbers, each once."""
    first = [record[0].strip() for record in table.sample if record]
    return table.header is None and len(set(first)) == len(first) >= _WIDE and all(map(str.isdigit, first))


def _head(cells: Sequence[str]) -> str:
    return "it begins: " + ", ".join(cells[:8]) + (", ..." if len(cells) > 8 else "")


def _by_place(table: TextTable | FrameTable, chosen: Chosen, needed: Sequence[str]) -> Choice:
    """Read a table without a header by position, and say so."""
    places: dict[str, int] = {}
    for role, column in chosen.items():
        if isinstance(column, str) and column != role:
            raise BadData(
                f'{table.name} is read without a header: no column "{column}" (asked for as {role})',
                hint=f"header=True, or a position from 0: {role}={list(chosen).index(role)}",
            )
        if column is not None and not isinstance(column, str):
            places[role] = _checked_place(column, role, table.width)
    told = dict(places)
    _refuse_wide(table, [role for role in needed if role not in places], needed)
    _fill(table, places, chosen, needed)
    places = {role: places[role] for role in chosen if role in places}
    names = table.numbered()
    for role, place in places.items():
        names[place] = role
    require_roles(_names_of(names, places), names, needed)
    if told != places:
        listed = " ".join(f"{role}={_ordinal(place + 1)}" for role, place in places.items())
        otherwise = ", ".join(f"{role}={place}" for role, place in places.items())
        log.warning(
            "%s: no header; columns are read by position: %s   (say otherwise: %s, or header=True)",
            table.name, listed, otherwise,
        )  # fmt: skip
    return Choice(names, places)


def _fill(
    table: TextTable | FrameTable, places: dict[str, int], chosen: Chosen, unnamed: Sequence[str]
) -> None:
    """Give the roles not found yet the columns not taken yet, in order; a time only where times stand."""
    if not unnamed:
        return
    free = [place for place in range(table.width) if place not in places.values()]
    for role in ROLES:
        if role in places or not free:
            continue
        times = _holds_times(table, free[0])
        if role in unnamed or (role == "timestamp" and times and chosen.get(role, "not wanted") is None):
            places[role] = free.pop(0)
        elif role == "rating" and role not in chosen and not times:
            free.pop(
                0
            )  # a table of pairs may carry its ratings: the third column is taken for them, and left


def _holds_times(table: TextTable | FrameTable, place: int) -> bool:
    cells = [record[place] for record in table.sample if len(record) == table.width]
    return bool(cells) and all(map(is_time, cells))


def named_column(names: Sequence[str], role: str, column: str | int | None) -> str | None:
    """Return the name that a choice stands for: itself, or that of the column at a position."""
    return (
        column
        if column is None or isinstance(column, str)
        else names[_checked_place(column, role, len(names))]
    )


def _checked_place(column: object, role: str, width: int) -> int:
    if not isinstance(column, int) or isinstance(column, bool):
        raise InvalidParameter(f"{role}={column!r} is neither a column name nor a position", hint=f"{role}=0")
    if not 0 <= column < width:
        raise BadData(
            f"there is no column at position {column} (asked for as {role})", hint=f"0 to {width - 1}"
        )
    return column


def unique_names(names: Sequence[str]) -> list[str]:
    """Return the names, those that stand twice with their place, those that are empty by their place."""
    seen: set[str] = set()
    result = []
    for place, name in enumerate(names):
        distinct = name if name and name not in seen else f"{name or 'column'}_{place + 1}"
        seen.add(distinct)
        result.append(distinct)
    return result


def _names_of(names: Sequence[str], places: Mapping[str, int]) -> dict[str, str]:
    return {role: names[place] for role, place in places.items()}


def _listed(names: Sequence[str], places: Mapping[str, int]) -> str:
    return " ".join(f"{role}={names[place]}" for role, place in places.items())


def _otherwise(places: Iterable[str]) -> str:
    return ", ".join(f"{role}=..." for role in places)


def _ordinal(number: int) -> str:
    ending = {1: "st", 2: "nd", 3: "rd"}.get(number % 10 if number % 100 not in (11, 12, 13) else 0, "th")
    return f"{number}{ending}"
