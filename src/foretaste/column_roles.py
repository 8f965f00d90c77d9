"""Column roles (user, item, rating, timestamp) inferred by name, SQL conditions, and checks of columns."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np

from foretaste.errors import (
    DataError,
    Hint,
    InvalidParameterError,
    as_plain_number,
    closest_word,
    to_python,
)
from foretaste.typing import AnyArray, BoolArray, Float32Array, Int64Array

ROLES = ("user", "item", "rating", "timestamp")

# Lower-case letters only; earlier names are preferred when several columns match.
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
_ROLE_BY_NAME = {name: role for role, names in _NAMES.items() for name in names.split()}


def column_role(name: str) -> str | None:
    """Return the role of a column by its name, or None: ``userId`` is ``user``."""
    return _ROLE_BY_NAME.get(re.sub(r"[^a-z]", "", name.lower()))


def infer_roles(names: Iterable[str], explicit: Mapping[str, str | None]) -> dict[str, str]:
    """Match the columns of a table to roles.

    Parameters
    ----------
    names : iterable of str
        The table's column names.
    explicit : mapping of role to column name or None
        Roles that the caller set; None leaves a role to be inferred.

    Returns
    -------
    dict of role to column name
        Only the roles that have a column.

    Raises
    ------
    DataError
        If an explicit column does not exist.
    """
    names = list(names)
    mapping: dict[str, str] = {}
    for role, name in explicit.items():
        if name is None:
            continue
        if name not in names:
            closest = closest_word(name, names)
            raise DataError(
                f'no column "{name}" (requested as {role})',
                misspelled=(name, names),
                where="columns are: " + ", ".join(names),
                hint=Hint({role: closest}) if closest else Hint({role: ...}, lead="name the column"),
            )
        mapping[role] = name
    used = set(mapping.values())
    order = list(_ROLE_BY_NAME)
    for role in explicit:
        matching = [n for n in names if column_role(n) == role and n not in used]
        if role not in mapping and matching:
            mapping[role] = min(matching, key=lambda n: order.index(re.sub(r"[^a-z]", "", n.lower())))
    return mapping


def require_roles(mapping: Mapping[str, str], names: Iterable[str], required: Iterable[str]) -> None:
    """Raise if a required role has no column, with a hint on how to name it."""
    names = list(names)
    missing = [role for role in required if role not in mapping]
    if not missing:
        return
    misread_role = next((role for role, name in mapping.items() if column_role(name) in missing), None)
    if misread_role is not None:
        raise DataError(
            f'the column "{mapping[misread_role]}" is taken for the {misread_role}, '
            f"and no other was recognized for the {column_role(mapping[misread_role])}",
            where="columns are: " + ", ".join(names),
            hint=Hint({misread_role: next((n for n in names if column_role(n) == misread_role), None)}),
        )
    unused = [name for name in names if name not in mapping.values()]
    other_roles = ", ".join(f"nor for the {role}" for role in missing[1:])
    suggestions: dict[str, object] = dict(zip(missing, unused, strict=False))
    raise DataError(
        f"no column for the {missing[0]} was recognized{f' ({other_roles})' if other_roles else ''}",
        where="columns are: " + ", ".join(names),
        hint=Hint(suggestions or {missing[0]: ...}, lead="name the column"),
    )


def is_frame(table: Any) -> bool:
    """Whether an object is a data frame or Arrow table rather than an array."""
    return hasattr(table, "__arrow_c_stream__") or (hasattr(table, "columns") and hasattr(table, "iloc"))


def frame_columns(frame: Any) -> dict[str, Any]:
    """Return the columns of a pandas, polars or Arrow table by name, without copying where possible."""
    if hasattr(frame, "iloc"):  # pandas supports the Arrow stream protocol only with pyarrow
        return {str(name): frame[name] for name in frame.columns}
    import polars as pl

    table = frame if isinstance(frame, pl.DataFrame) else pl.DataFrame(frame)
    return {name: table.get_column(name) for name in table.columns}


def as_numpy(column: Any) -> AnyArray:
    """Convert one column of a frame to a numpy array; strings become an object array of str."""
    dtype_name = str(getattr(column, "dtype", ""))
    if dtype_name in ("category", "Categorical", "Enum") or dtype_name.startswith(("Categorical", "Enum")):
        column = column.astype(object) if hasattr(column, "iloc") else column.cast(str)
    array = column.to_numpy()
    return np.asarray(array, dtype=object) if array.dtype.kind in "UT" else np.asarray(array)


def referenced_columns(expression: str) -> list[str]:
    """Return the columns that an SQL condition references; none if it cannot be parsed."""
    import polars as pl

    try:
        return list(pl.sql_expr(_quote_user_column(expression)).meta.root_names())
    except Exception:  # filter_rows reports the error
        return []


def _quote_user_column(expression: str) -> str:
    """Quote a column named user, which is a function in SQL; quoted strings are unchanged."""
    return re.sub(
        r"""'[^']*'|"[^"]*"|`[^`]*`|\buser\b""",
        lambda match: f'"{match.group()}"' if match.group().lower() == "user" else match.group(),
        expression,
        flags=re.IGNORECASE,
    )


def filter_rows(frame: Any, expression: str) -> BoolArray:
    """Return the mask of the rows that satisfy an SQL condition; common column names are accepted."""
    import polars as pl

    try:
        condition = pl.sql_expr(_quote_user_column(expression))
        names = condition.meta.root_names()
    except Exception as error:
        raise InvalidParameterError(
            f"the condition {expression!r} cannot be parsed: {error}", hint=_example_condition(frame)
        ) from None
    for name in names:
        if name not in frame.columns:
            role = column_role(name)
            if role is None or role not in frame.columns:
                closest = closest_word(name, frame.columns)
                fixed = re.sub(rf"\b{re.escape(name)}\b", closest, expression) if closest else None
                raise InvalidParameterError(
                    f'no column "{name}" in the condition {expression!r}',
                    misspelled=(name, frame.columns),
                    where="columns are: " + ", ".join(frame.columns),
                    hint=Hint({"where": fixed}) if fixed else _example_condition(frame),
                )
            frame = frame.with_columns(pl.col(role).alias(name))
    try:
        mask = frame.select(condition.alias("mask")).get_column("mask")
    except pl.exceptions.PolarsError as error:
        raise InvalidParameterError(
            f"the condition {expression!r} cannot be applied: {str(error).splitlines()[0]}",
            hint=_fix_quotes(frame, expression) or "compare numbers with numbers and text with 'text'",
        ) from None
    if mask.dtype != pl.Boolean or len(mask) != len(frame):
        raise InvalidParameterError(
            f"the condition {expression!r} is not true or false for each row", hint=_example_condition(frame)
        )
    return np.asarray(mask.fill_null(value=False).to_numpy(), dtype=bool)


def _example_condition(frame: Any) -> Hint:
    """Return an example of a condition that at least one row of the frame satisfies."""
    import polars as pl

    name = "rating" if "rating" in frame.columns else frame.columns[0]
    cells = frame.get_column(name).drop_nulls()
    first = None
    if len(cells):
        number = cells.head(1).cast(pl.Float64, strict=False)[0]
        first = number if number is not None and np.isfinite(number) else None
    quoted_name = name if re.fullmatch(r"[A-Za-z_]\w*", name, re.ASCII) else f"`{name}`"
    comparison = "IS NOT NULL" if first is None else f">= {first:g}"
    return Hint({"where": f"{quoted_name} {comparison}"}, lead="for example")


def _fix_quotes(frame: Any, expression: str) -> Hint | None:
    """Return the condition with numbers unquoted, or quoted, if it can be applied then."""
    import polars as pl

    for pattern, replacement in (
        (r"'(-?\d+(?:\.\d+)?)'", r"\1"),
        (r"(?<![\w.'\"`])(-?\d+(?:\.\d+)?)(?![\w.'\"`])", r"'\1'"),
    ):
        candidate = re.sub(pattern, replacement, expression)
        try:
            frame.select(pl.sql_expr(_quote_user_column(candidate)))
        except Exception:  # noqa: S112 - any error means that it is not a fix
            continue
        if candidate != expression:
            return Hint({"where": candidate})
    return None


def default_row_label(row: int) -> str:
    """Return the label of a row in error messages."""
    return f"row {row}"


def check_scale(
    scale: Any, values: Float32Array | None = None, row_label: Callable[[int], str] = default_row_label
) -> None:
    """Validate a declared scale, and that all ratings lie within it.

    Raises
    ------
    InvalidParameterError
        If the scale is not a pair of increasing numbers.
    DataError
        If a rating lies outside it.
    """
    if scale is None:
        return
    try:
        low, high = (math.nan if isinstance(end, str) else float(end) for end in scale)
        if math.isnan(low) or math.isnan(high):
            raise ValueError("no number")
    except (TypeError, ValueError, OverflowError):
        raise InvalidParameterError(
            "it must be a pair of numbers", argument=("scale", scale), hint=Hint({"scale": (1, 5)})
        ) from None
    if not np.isfinite([low, high]).all() or low >= high:
        raise InvalidParameterError(
            "the low end must be below the high end",
            argument=("scale", scale),
            hint=Hint({"scale": (as_plain_number(high), as_plain_number(low)) if low > high else (1, 5)}),
        )
    if values is None:
        return
    outside = np.flatnonzero((values < low) | (values > high))
    if len(outside):
        raise DataError(
            f"{len(outside)} ratings lie outside the declared scale {low:g} to {high:g} "
            f"(first: {values[outside[0]]:g} in {row_label(int(outside[0]))})",
            hint=scale_hint(values),
        )


def scale_hint(values: Float32Array) -> Hint:
    """Return the hint that declares a scale which holds all of some ratings."""
    return Hint(
        {"scale": (as_plain_number(values.min()), as_plain_number(values.max()))}, "(or fix these rows)"
    )


def check_finite_column(column: Any, name: str) -> Float32Array:
    """Return a column as float32.

    Raises
    ------
    DataError
        Naming the first row that is not a finite number.
    """
    array = np.asarray(column)
    if array.ndim != 1:
        raise DataError(f"{name} must be one column; its shape is {array.shape}")
    if array.dtype.kind not in "iufb":
        for row, value in enumerate(array):
            if isinstance(value, str) or not isinstance(value, int | float | np.number):
                raise DataError(
                    f"{name} in row {row} is {to_python(value)!r}, not a number", hint="drop or fix that row"
                )
    with np.errstate(over="ignore"):
        numbers = array.astype(np.float32)
    invalid = np.flatnonzero(~np.isfinite(numbers))
    if len(invalid):
        raise DataError(
            f"{name} in row {invalid[0]} is {array[invalid[0]]}; {name}s must be finite numbers "
            f"({len(invalid)} such rows)",
            hint="drop or fix these rows",
        )
    return numbers


def check_weight_column(column: Any, row_label: Callable[[int], str] = default_row_label) -> Float32Array:
    """Return a column of sample weights as float32.

    Raises
    ------
    DataError
        Naming the first row that is not a finite number of at least 0.
    """
    weights = check_finite_column(column, "weight")
    if (weights < 0).any():
        row = int(np.flatnonzero(weights < 0)[0])
        raise DataError(f"weight in {row_label(row)} is {weights[row]:g}; weights must be at least 0")
    return weights


def check_timestamp_column(column: Any) -> Int64Array:
    """Return a column of timestamps or datetimes as seconds since 1970.

    Raises
    ------
    DataError
        If a value is missing or the column is neither integer nor datetime.
    """
    array = as_numpy(column) if hasattr(column, "to_numpy") else np.asarray(column)
    if array.dtype.kind == "M":
        if np.isnat(array).any():
            raise DataError(f"timestamp in row {int(np.flatnonzero(np.isnat(array))[0])} is missing")
        return array.astype("datetime64[s]").astype(np.int64)
    if array.dtype.kind == "f" and np.isfinite(array).all() and (array == np.floor(array)).all():
        return array.astype(np.int64)
    if array.dtype.kind not in "iu":
        raise DataError(
            f"timestamp is of type {array.dtype}; it must be integer seconds since 1970 or datetimes",
            hint="convert the column with pandas.to_datetime",
        )
    return array.astype(np.int64)
