"""Maps columns to roles (user, item, rating, timestamp): as requested, by name, else by position."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from foretaste.column_roles import ROLES, column_role, infer_roles, require_roles
from foretaste.errors import (
    DataError,
    Hint,
    InvalidParameterError,
)
from foretaste.io.dialect import guess_dialect, is_number, is_time
from foretaste.io.row_errors import RowErrorCollector, Table
from foretaste.io.text_source import TextSource
from foretaste.io.text_table import TextTable
from foretaste.read_options import ColumnRequest

log = logging.getLogger("foretaste")

_MIN_WIDE_COLUMNS = 12  # with so many columns and no usual name, a table is not in the long layout

RequestedColumns = Mapping[str, ColumnRequest]


@dataclass(frozen=True)
class ColumnMapping:
    """Positions of the columns with a role.

    Parameters
    ----------
    names : list of str
        Names of all columns.
    positions : dict of role to int
        From 0; only for roles that have a column.
    """

    names: list[str]
    positions: dict[str, int]

    def column_name(self, role: str) -> str:
        """Return the name of the column with a role."""
        return self.names[self.positions[role]]


def open_table(
    source: TextSource,
    name: str,
    *,
    separator: str | None,
    header: bool | None,
    min_columns: int,
    known_names: Iterable[str] = (),
    error_collector: RowErrorCollector,
    decimal: str = ".",
    wide: bool = False,
) -> TextTable:
    """Open a text table; detect its dialect and log it.

    Parameters
    ----------
    source : TextSource
    name : str
        Name of the source.
    separator : str or None
    header : bool or None
        None to detect them.
    min_columns : int
        Minimum number of columns.
    known_names : iterable of str
        Normalized names that headers use besides those of roles.
    error_collector : RowErrorCollector
        Handles invalid lines.
    decimal : str
        Decimal separator.
    wide : bool
        Whether rows are users and columns are items.
    """
    extra_names = frozenset(known_names)
    dialect, sample = guess_dialect(
        source.start,
        name,
        separator=separator,
        header=header,
        is_known_name=lambda name: column_role(name) is not None or normalize_name(name) in extra_names,
        min_columns=min_columns,
        wide=wide,
        is_complete=source.is_complete(),
    )
    if dialect.guessed_options:
        log.info(
            "%s: %s   (override: %s)",
            name,
            dialect,
            Hint(dict.fromkeys(dialect.guessed_options, ...)),
        )
    if dialect.has_header and not any(map(str.strip, sample[0])):
        raise DataError(f"{name}: the header is empty", hint=Hint({"header": False}))
    table = TextTable(source, name, dialect, sample, error_collector, decimal)
    table.check_first_record()
    return table


def normalize_name(name: str) -> str:
    """Return the letters of a name in lower case."""
    return "".join(filter(str.isalpha, name.lower()))


def map_columns(table: Table, requested: RequestedColumns, required: Sequence[str]) -> ColumnMapping:
    """Map the columns of a table to roles, and log what was guessed.

    Parameters
    ----------
    table : Table
    requested : mapping of role to name, position or None
        Columns by the caller; None to recognize them.
    required : sequence of str
        Roles that must have a column.

    Raises
    ------
    DataError
        If a requested column does not exist or a required one is not recognized.
    InvalidParameterError
        If a requested column is neither a name nor a position.
    """
    if table.header is None:
        mapping = _map_by_position(table, requested, required)
    else:
        mapping = _map_by_name(table, table.header, requested, required)
    _check_distinct(mapping, table.name)
    return mapping


def _check_distinct(mapping: ColumnMapping, name: str) -> None:
    """Raise if a column has two roles."""
    role_by_position: dict[int, str] = {}
    for role, position in mapping.positions.items():
        if position in role_by_position:
            other_role, column = role_by_position[position], mapping.names[position]
            wrong_role = other_role if column_role(column) == role else role
            raise DataError(
                f'{name}: the column "{column}" cannot be both {other_role} and {role}',
                where="columns are: " + ", ".join(mapping.names),
                hint=f"{wrong_role}=None",
            )
        role_by_position[position] = role


def _map_by_name(
    table: Table, header: Sequence[str], requested: RequestedColumns, required: Sequence[str]
) -> ColumnMapping:
    """Map columns by the names in the header."""
    names = deduplicate_names(header)
    name_by_role = infer_roles(
        names, {role: resolve_column(names, role, column) for role, column in requested.items()}
    )
    for role, name in name_by_role.items():
        if header.count(name) > 1 and not isinstance(requested[role], int):
            duplicates = [position for position, title in enumerate(header) if title == name]
            raise DataError(
                f'{table.name}: {len(duplicates)} columns are called "{name}"',
                where=f"at positions {', '.join(map(str, duplicates))} (from 0)",
                hint=f"{role}={duplicates[0]}",
            )
    positions = {role: names.index(name_by_role[role]) for role in requested if role in name_by_role}
    unmatched = [role for role in required if role not in positions]
    _reject_wide(table, unmatched, required)
    if unmatched and (len(names) > 4 or not table.allow_positional):
        require_roles(name_by_role, names, required)
    if any(column_role(name_by_role[role]) in unmatched for role in name_by_role):
        require_roles(name_by_role, names, required)
    _reject_numeric_header(table, header, unmatched)
    _assign_by_position(table, positions, requested, unmatched)
    positions = {role: positions[role] for role in requested if role in positions}
    override = Hint(dict.fromkeys(positions, ...))
    if unmatched:
        require_roles(_role_names(names, positions), names, required)
        log.warning(
            "%s: no usual column name for %s; read by position: %s   (override: %s)",
            table.name, ", ".join(unmatched), _format_mapping(names, positions), override,
        )  # fmt: skip
    elif any(requested[role] is None for role in positions):
        log.info(
            "columns: %s   (override: %s)",
            _format_mapping(names, positions),
            Hint(dict.fromkeys(positions, ...)),
        )
    return ColumnMapping(names, positions)


def _reject_numeric_header(table: Table, header: Sequence[str], unmatched: Sequence[str]) -> None:
    """Raise if the header consists of numbers: it is a rating, which would be lost."""
    if unmatched and header and all(map(is_number, header)):
        raise DataError(
            f"{table.name}, line 1: this is not a header, but a rating: {', '.join(header[:8])}",
            hint=Hint({"header": False}),
        )


def _reject_wide(table: Table, unmatched: Sequence[str], required: Sequence[str]) -> None:
    """Raise for a table of many columns without roles: it is most likely in the wide layout."""
    if table.width < _MIN_WIDE_COLUMNS or len(unmatched) < len(required):
        return
    raise DataError(
        f"{table.name} has {table.width:,} columns, none of them recognized as the {', '.join(unmatched)}",
        where=_format_start(table.header or next(iter(table.sample), [])),
        hint=Hint(
            {"layout": "wide"} | ({"user": 0} if _first_column_is_ids(table) else {}),
            "if rows are users and columns are items; if not, name the columns of user, item and rating",
        ),
    )


def _first_column_is_ids(table: Table) -> bool:
    """Whether the first column of a table without a header looks like ids: unique integers."""
    first = [record[0].strip() for record in table.sample if record]
    return (
        table.header is None
        and len(set(first)) == len(first) >= _MIN_WIDE_COLUMNS
        and all(map(str.isdigit, first))
    )


def _format_start(cells: Sequence[str]) -> str:
    return "it starts with: " + ", ".join(cells[:8]) + (", ..." if len(cells) > 8 else "")


def _map_by_position(table: Table, requested: RequestedColumns, required: Sequence[str]) -> ColumnMapping:
    """Map the columns of a table without a header by position."""
    positions: dict[str, int] = {}
    for role, column in requested.items():
        if isinstance(column, str) and column != role:
            raise DataError(
                f'{table.name} is read without a header: no column "{column}" (requested as {role})',
                hint=Hint({"header": True}, f"(or a position from 0, such as {list(requested).index(role)})"),
            )
        if column is not None and not isinstance(column, str):
            positions[role] = _check_position(column, role, table.width)
    explicit = dict(positions)
    _reject_wide(table, [role for role in required if role not in positions], required)
    _assign_by_position(table, positions, requested, required)
    positions = {role: positions[role] for role in requested if role in positions}
    names = table.default_names()
    for role, position in positions.items():
        names[position] = role
    require_roles(_role_names(names, positions), names, required)
    if explicit != positions:
        mapping_text = " ".join(
            f"{role}={_format_ordinal(position + 1)}" for role, position in positions.items()
        )
        log.warning(
            "%s: no header; columns are read by position: %s   (override: %s, or %s)",
            table.name, mapping_text, Hint(positions), Hint({"header": True}),
        )  # fmt: skip
    return ColumnMapping(names, positions)


def _assign_by_position(
    table: Table,
    positions: dict[str, int],
    requested: RequestedColumns,
    unmatched: Sequence[str],
) -> None:
    """Assign free columns to the remaining roles in order; a timestamp only if it looks like one."""
    if not unmatched:
        return
    free = [position for position in range(table.width) if position not in positions.values()]
    for role in ROLES:
        if role in positions or not free:
            continue
        holds_times = _is_time_column(table, free[0])
        if role in unmatched or (
            role == "timestamp" and holds_times and requested.get(role, "not requested") is None
        ):
            positions[role] = free.pop(0)
        elif role == "rating" and role not in requested and not holds_times:
            free.pop(0)  # a table of pairs may include ratings: skip its third column


def _is_time_column(table: Table, position: int) -> bool:
    cells = [record[position] for record in table.sample if len(record) == table.width]
    return bool(cells) and all(map(is_time, cells))


def resolve_column(names: Sequence[str], role: str, column: str | int | None) -> str | None:
    """Return the name of a requested column, which may be a position."""
    return (
        column
        if column is None or isinstance(column, str)
        else names[_check_position(column, role, len(names))]
    )


def _check_position(column: object, role: str, width: int) -> int:
    if not isinstance(column, int) or isinstance(column, bool):
        raise InvalidParameterError(
            f"{role}={column!r} is neither a column name nor a position", hint=f"{role}=0"
        )
    if not 0 <= column < width:
        raise DataError(f"no column at position {column} (requested as {role})", hint=f"0 to {width - 1}")
    return column


def deduplicate_names(names: Sequence[str]) -> list[str]:
    """Make names unique: repeated and empty ones get their position, from 1, as a suffix."""
    seen: set[str] = set()
    result = []
    for position, name in enumerate(names):
        unique = name if name and name not in seen else f"{name or 'column'}_{position + 1}"
        seen.add(unique)
        result.append(unique)
    return result


def _role_names(names: Sequence[str], positions: Mapping[str, int]) -> dict[str, str]:
    return {role: names[position] for role, position in positions.items()}


def _format_mapping(names: Sequence[str], positions: Mapping[str, int]) -> str:
    return " ".join(f"{role}={names[position]}" for role, position in positions.items())


def _format_ordinal(number: int) -> str:
    ending = {1: "st", 2: "nd", 3: "rd"}.get(number % 10 if number % 100 not in (11, 12, 13) else 0, "th")
    return f"{number}{ending}"
