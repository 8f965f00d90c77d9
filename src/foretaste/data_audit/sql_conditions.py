"""SQL conditions for ``read_ratings(where=...)`` that exclude rows, as fixes of findings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from foretaste._utils.formatting import format_count
from foretaste.data_audit.source import AuditInput
from foretaste.errors import Hint
from foretaste.ratings import Ratings
from foretaste.typing import BoolArray

MAX_LISTED_IDS = 20  # ids in one condition
MAX_EXAMPLES = 5  # examples per finding


def rating_expression(data: AuditInput) -> str:
    """Return the rating in a condition: cast if the column has, or had, text in it."""
    return "TRY_CAST(rating AS DOUBLE)" if data.has_error("not_a_number") or data.where else "rating"


def timestamp_expression(data: AuditInput) -> str:
    """Return the timestamp in a condition."""
    return "TRY_CAST(timestamp AS BIGINT)" if data.has_error("bad_time") or data.where else "timestamp"


def where_hint(data: AuditInput, condition: str, rows: str) -> Hint:
    """Return a condition as an argument, combined with the one in effect, and what it leaves out."""
    return Hint({"where": _combine_conditions(data, condition)}, f"leaves {rows} out")


def _combine_conditions(data: AuditInput, condition: str) -> str:
    return condition if data.where is None or '"' in data.where else f"({data.where}) AND {condition}"


def timestamp_range_hint(data: AuditInput, comparison: str, mask: BoolArray) -> Hint | str:
    """Return the argument that selects a range of times, which are the rows of ``mask``.

    A source may hold dates where a condition compares numbers: it is tried, and if it does not leave out
    just these rows, Python is given instead.
    """
    condition = f"{timestamp_expression(data)} {comparison}"
    n = int(np.count_nonzero(mask))
    rows = len(mask) - n
    if data.count_where(_combine_conditions(data, condition)) == n:
        return where_hint(data, condition, format_row_count(rows))
    return f"ratings[ratings.timestamp {comparison}] leaves {format_row_count(rows)} out"


def format_row_count(rows: int) -> str:
    """Return ``those 7 rows``."""
    return "that row" if rows == 1 else f"those {format_count(rows, 'row')}"


def exclude_ids_hint(data: AuditInput, entity: str, codes: Sequence[int]) -> Hint | str:
    """Return the argument that excludes some users or items; empty if there are too many to list."""
    index, counts = (
        (data.ratings.users, data.user_counts) if entity == "user" else (data.ratings.items, data.item_counts)
    )
    ids = [index.ids[code] for code in codes]
    if not ids or len(ids) > MAX_LISTED_IDS or not all(map(_is_printable, ids)):
        return ""
    literals = [_sql_literal(id_) for id_ in ids]
    condition = (
        f"{entity} <> {literals[0]}" if len(literals) == 1 else f"{entity} NOT IN ({', '.join(literals)})"
    )
    return where_hint(data, condition, format_row_count(int(counts[list(codes)].sum())))


def _is_printable(id_: Any) -> bool:
    """Whether an id can be part of a one-line condition in double quotes."""
    return not isinstance(id_, str) or not any(
        c == '"' or c < " " or c in "\\\x7f\x85\u2028\u2029" for c in id_
    )


def _sql_literal(id_: Any) -> str:
    return "'" + id_.replace("'", "''") + "'" if isinstance(id_, str) else str(int(id_))


def format_id(index: Any, code: int) -> str:
    """Return an id as in the source; text in quotes, with invisible characters escaped."""
    id_ = index.ids[code]
    return quote(id_) if isinstance(id_, str) else str(int(id_))


def quote(text: str) -> str:
    """Return a text in quotes, with escapes for what is neither printable ASCII nor a letter."""
    return '"' + "".join(c if " " <= c <= "~" else c if c.isalpha() else ascii(c)[1:-1] for c in text) + '"'


def format_pair(ratings: Ratings, row: int) -> str:
    """Return user and item of a row, as in the source."""
    user, item = format_id(ratings.users, ratings.user[row]), format_id(ratings.items, ratings.item[row])
    return f"user {user}, item {item}"
