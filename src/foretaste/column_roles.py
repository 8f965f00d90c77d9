"""Columns of tables: which is which, and whether the numbers in them can be used."""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from foretaste.errors import BadData, InvalidParameter, did_you_mean, plain

ROLES = ("user", "item", "rating", "timestamp")

# Squeezed to lower-case letters; the first in each list is preferred when several columns match.
_NAMES = {
    "user": "user userid uid users person personid customer customerid reviewer reviewerid member "
    "memberid profile profileid visitorid rater raterid consumer consumerid",
    "item": "item itemid iid items movie movieid film filmid joke jokeid book bookid isbn product "
    "productid asin song songid track trackid artist artistid anime animeid game gameid business "
    "businessid restaurant restaurantid place placeid recipe recipeid article articleid",
    "rating": "rating ratings score stars star value overall grade vote mark preference bookrating "
    "userrating ratingvalue",
    "timestamp": "timestamp timestamps time date datetime ts when unixreviewtime ratedat createdat "
    "reviewtime tstamp unixtime",
}
_ROLE_OF = {name: role for role, names in _NAMES.items() for name in names.split()}


def role_of(name: str) -> str | None:
    """Return the role that a column name stands for, or None: ``userId`` is ``user``."""
    return _ROLE_OF.get(re.sub(r"[^a-z]", "", name.lower()))


def guess_roles(names: Iterable[str], chosen: Mapping[str, str | None]) -> dict[str, str]:
    """Match the columns of a table to roles.

    Parameters
    ----------
    names : iterable of str
        The table's column names.
    chosen : mapping of role to column name or None
        What the caller said; None leaves a role to be guessed.

    Returns
    -------
    dict of role to column name
        Only the roles that were found.

    Raises
    ------
    BadData
        If a chosen column does not exist.
    """
    names = list(names)
    found: dict[str, str] = {}
    for role, name in chosen.items():
        if name is None:
            continue
        if name not in names:
            near = difflib.get_close_matches(name, names, n=1)
            raise BadData(
                f'no column "{name}" (asked for as {role}){did_you_mean(name, names)}',
                where="columns are: " + ", ".join(names),
                hint=f'{role}="{near[0]}"' if near else f"say which one it is: {role}=...",
            )
        found[role] = name
    taken = set(found.values())
    order = list(_ROLE_OF)
    for role in chosen:
        fits = [n for n in names if role_of(n) == role and n not in taken]
        if role not in found and fits:
            found[role] = min(fits, key=lambda n: order.index(re.sub(r"[^a-z]", "", n.lower())))
    return found


def require_roles(found: Mapping[str, str], names: Iterable[str], roles: Iterable[str]) -> None:
    """Refuse a table that lacks a needed column, naming it and how to say which one it is."""
    names = list(names)
    missing = [role for role in roles if role not in found]
    if not missing:
        return
    taken = next((role for role, name in found.items() if role_of(name) in missing), None)
    if taken is not None:
        raise BadData(
            f'the column "{found[taken]}" is taken for the {taken}, '
            f"and no other was recognised for the {role_of(found[taken])}",
            where="columns are: " + ", ".join(names),
            hint=next((f'{taken}="{name}"' for name in names if role_of(name) == taken), f"{taken}=None"),
        )
    free = [name for name in names if name not in found.values()]
    more = ", ".join(f"nor for the {role}" for role in missing[1:])
    guessed = [f'{role}="{name}"' for role, name in zip(missing, free, strict=False)]
    raise BadData(
        f"no column for the {missing[0]} was recognised{f' ({more})' if more else ''}",
        where="columns are: " + ", ".join(names),
        hint="say which one it is: " + ", ".join(guessed or [f"{missing[0]}=..."]),
    )


def is_frame(table: Any) -> bool:
    """Whether an object is a data frame or Arrow table rather than an array."""
    return hasattr(table, "__arrow_c_stream__") or (hasattr(table, "columns") and hasattr(table, "iloc"))


def frame_columns(frame: Any) -> dict[str, Any]:
    """Return the columns of a pandas, polars or Arrow table by name, without copying where it can."""
    if hasattr(frame, "iloc"):  # pandas, which needs pyarrow to speak Arrow itself
        return {str(name): frame[name] for name in frame.columns}
    import polars as pl

    table = frame if isinstance(frame, pl.DataFrame) else pl.DataFrame(frame)
    return {name: table.get_column(name) for name in table.columns}


def as_numpy(column: Any) -> npt.NDArray[Any]:
    """Turn one column of a frame into a numpy array; text becomes an object array of str."""
    kind = str(getattr(column, "dtype", ""))
    if kind in ("category", "Categorical", "Enum") or kind.startswith(("Categorical", "Enum")):
        column = column.astype(object) if hasattr(column, "iloc") else column.cast(str)
    array = column.to_numpy()
    return np.asarray(array, dtype=object) if array.dtype.kind in "UT" else np.asarray(array)


def names_in(expression: str) -> list[str]:
    """Return the columns that an SQL condition is about; none if it cannot be understood."""
    import polars as pl

    try:
        return list(pl.sql_expr(_plain_sql(expression)).meta.root_names())
    except Exception:  # filter_rows says what is wrong with it
        return []


def _plain_sql(expression: str) -> str:
    """Put quotes around a column called user, which is a function in SQL; texts in quotes stay."""
    return re.sub(
        r"""'[^']*'|"[^"]*"|`[^`]*`|\buser\b""",
        lambda found: f'"{found.group()}"' if found.group().lower() == "user" else found.group(),
        expression,
        flags=re.IGNORECASE,
    )


def filter_rows(frame: Any, expression: str) -> npt.NDArray[np.bool_]:
    """Return which rows of a polars frame satisfy an SQL condition; usual column names are understood."""
    import polars as pl

    try:
        condition = pl.sql_expr(_plain_sql(expression))
        names = condition.meta.root_names()
    except Exception as error:
        raise InvalidParameter(
            f"the condition {expression!r} cannot be understood: {error}", hint=_example(frame)
        ) from None
    for name in names:
        if name not in frame.columns:
            role = role_of(name)
            if role is None or role not in frame.columns:
                near = difflib.get_close_matches(name, frame.columns, n=1)
                mended = re.sub(rf"\b{re.escape(name)}\b", near[0], expression) if near else None
                raise InvalidParameter(
                    f'no column "{name}" in the condition {expression!r}{did_you_mean(name, frame.columns)}',
                    where="columns are: " + ", ".join(frame.columns),
                    hint=_as_argument(mended) if mended else _example(frame),
                )
            frame = frame.with_columns(pl.col(role).alias(name))
    try:
        mask = frame.select(condition.alias("mask")).get_column("mask")
    except pl.exceptions.PolarsError as error:
        raise InvalidParameter(
            f"the condition {expression!r} cannot be applied: {str(error).splitlines()[0]}",
            hint=_requoted(frame, expression) or "compare numbers with numbers and text with 'text'",
        ) from None
    if mask.dtype != pl.Boolean or len(mask) != len(frame):
        raise InvalidParameter(
            f"the condition {expression!r} is not true or false for each row", hint=_example(frame)
        )
    return np.asarray(mask.fill_null(value=False).to_numpy(), dtype=bool)


def _as_argument(expression: str) -> str | None:
    """Return a condition as an argument, where it can stand in quotes of one kind."""
    quote = "'" if '"' in expression else '"'
    return None if quote in expression else f"where={quote}{expression}{quote}"


def _example(frame: Any) -> str:
    """Return a condition that some row of a frame fulfils, as an example of how one is written."""
    import polars as pl

    name = "rating" if "rating" in frame.columns else frame.columns[0]
    cells = frame.get_column(name).drop_nulls()
    first = None
    if len(cells):
        number = cells.head(1).cast(pl.Float64, strict=False)[0]
        first = number if number is not None and np.isfinite(number) else None
    plain_name = name if re.fullmatch(r"[A-Za-z_]\w*", name, re.ASCII) else f"`{name}`"
    return f'for example: where="{plain_name} {f">= {first:g}" if first is not None else "IS NOT NULL"}"'


def _requoted(frame: Any, expression: str) -> str | None:
    """Return a condition with numbers taken out of quotes, or put into them, if it can be applied then."""
    import polars as pl

    for pattern, replacement in (
        (r"'(-?\d+(?:\.\d+)?)'", r"\1"),
        (r"(?<![\w.'\"`])(-?\d+(?:\.\d+)?)(?![\w.'\"`])", r"'\1'"),
    ):
        other = re.sub(pattern, replacement, expression)
        try:
            frame.select(pl.sql_expr(_plain_sql(other)))
        except Exception:  # noqa: S112 - whatever is wrong with it, it is no mend
            continue
        if other != expression:
            return _as_argument(other)
    return None


def row_place(row: int) -> str:
    """Say where a row of a table in memory stands."""
    return f"row {row}"


def check_scale(
    scale: Any, values: npt.NDArray[np.float32] | None = None, place: Callable[[int], str] = row_place
) -> None:
    """Check a declared scale, and that the ratings lie inside it."""
    if scale is None:
        return
    try:
        low, high = (math.nan if isinstance(end, str) else float(end) for end in scale)
        if math.isnan(low) or math.isnan(high):
            raise ValueError("no number")
    except (TypeError, ValueError, OverflowError):
        raise InvalidParameter(f"scale={scale!r} is not a pair of numbers", hint="scale=(1, 5)") from None
    if not np.isfinite([low, high]).all() or low >= high:
        hint = f"scale=({high:g}, {low:g})" if low > high else "scale=(1, 5)"
        raise InvalidParameter(f"scale={scale!r}: the low end must be below the high end", hint=hint)
    if values is None:
        return
    outside = np.flatnonzero((values < low) | (values > high))
    if len(outside):
        raise BadData(
            f"{len(outside)} ratings lie outside the declared scale {low:g} to {high:g} "
            f"(first: {values[outside[0]]:g} in {place(int(outside[0]))})",
            hint=f"scale=({values.min():g}, {values.max():g}), or mend these rows",
        )


def finite_column(column: Any, name: str) -> npt.NDArray[np.float32]:
    """Return a column of numbers as float32, refusing what is no finite number, by its row."""
    array = np.asarray(column)
    if array.ndim != 1:
        raise BadData(f"{name} must be one column; its shape is {array.shape}")
    if array.dtype.kind not in "iufb":
        for row, value in enumerate(array):
            if isinstance(value, str) or not isinstance(value, int | float | np.number):
                raise BadData(
                    f"{name} in row {row} is {plain(value)!r}, not a number", hint="drop or mend that row"
                )
    with np.errstate(over="ignore"):
        numbers = array.astype(np.float32)
    bad = np.flatnonzero(~np.isfinite(numbers))
    if len(bad):
        raise BadData(
            f"{name} in row {bad[0]} is {array[bad[0]]}; {name}s must be finite numbers "
            f"({len(bad)} such rows)",
            hint="drop or mend these rows",
        )
    return numbers


def weight_column(column: Any, place: Callable[[int], str] = row_place) -> npt.NDArray[np.float32]:
    """Return a column of sample weights, refusing what is no number of at least 0, by its row."""
    weights = finite_column(column, "weight")
    if (weights < 0).any():
        row = int(np.flatnonzero(weights < 0)[0])
        raise BadData(f"weight in {place(row)} is {weights[row]:g}; weights must be at least 0")
    return weights


def time_column(column: Any) -> npt.NDArray[np.int64]:
    """Return a column of times as whole seconds since 1970."""
    array = as_numpy(column) if hasattr(column, "to_numpy") else np.asarray(column)
    if array.dtype.kind == "M":
        if np.isnat(array).any():
            raise BadData(f"when in row {int(np.flatnonzero(np.isnat(array))[0])} is missing")
        return array.astype("datetime64[s]").astype(np.int64)
    if array.dtype.kind == "f" and np.isfinite(array).all() and (array == np.floor(array)).all():
        return array.astype(np.int64)
    if array.dtype.kind not in "iu":
        raise BadData(
            f"when is of type {array.dtype}; times must be whole seconds since 1970 or datetimes",
            hint="convert the column with pandas.to_datetime",
        )
    return array.astype(np.int64)
