"""SQL conditions that leave rows out, as ``read_ratings(where=...)`` takes them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from foretaste._utils.formatting import plural
from foretaste.data_audit.source import Case
from foretaste.ratings import Ratings

LISTED = 20  # ids in one condition: more make a line that nobody reads
SHOWN = 5  # examples of a finding


def rating_column(case: Case) -> str:
    """Return what a condition calls the rating: a column with texts in it, or once in it, has to be cast."""
    return "TRY_CAST(rating AS DOUBLE)" if case.has_fault("not_a_number") or case.where else "rating"


def time_column(case: Case) -> str:
    """Return what a condition calls the time."""
    return "TRY_CAST(timestamp AS BIGINT)" if case.has_fault("bad_time") or case.where else "timestamp"


def leaving_out(case: Case, condition: str, rows: str) -> str:
    """Write a condition as an argument, beside the one that holds already, and say what it leaves out."""
    return f'where="{_beside(case, condition)}" leaves {rows} out'


def _beside(case: Case, condition: str) -> str:
    return condition if case.where is None or '"' in case.where else f"({case.where}) AND {condition}"


def only_times(case: Case, comparison: str, kept: npt.NDArray[np.bool_]) -> str:
    """Write the argument that keeps only times in some range, which are those of ``kept``.

    A source may hold dates where a condition compares numbers: it is tried, and if it does not leave out
    just these rows, Python is given instead.
    """
    condition = f"{time_column(case)} {comparison}"
    n = int(np.count_nonzero(kept))
    rows = len(kept) - n
    if case.left_by(_beside(case, condition)) == n:
        return leaving_out(case, condition, those(rows))
    return f"ratings[ratings.when {comparison}] leaves {those(rows)} out"


def those(rows: int) -> str:
    """Say how many rows: ``those 7 rows``."""
    return "that row" if rows == 1 else f"those {plural(rows, 'row')}"


def without_ids(case: Case, role: str, codes: Sequence[int]) -> str:
    """Write the argument that leaves some users or items out; empty if they are too many to be listed."""
    index, counts = (
        (case.ratings.users, case.user_counts) if role == "user" else (case.ratings.items, case.item_counts)
    )
    ids = [index.ids[code] for code in codes]
    if not ids or len(ids) > LISTED or not all(map(_can_be_printed, ids)):
        return ""
    listed = [_sql(id_) for id_ in ids]
    condition = f"{role} <> {listed[0]}" if len(listed) == 1 else f"{role} NOT IN ({', '.join(listed)})"
    return leaving_out(case, condition, those(int(counts[list(codes)].sum())))


def _can_be_printed(id_: Any) -> bool:
    """Whether an id can stand in a condition between double quotes on one line."""
    return not isinstance(id_, str) or not any(
        c == '"' or c < " " or c in "\\\x7f\x85\u2028\u2029" for c in id_
    )


def _sql(id_: Any) -> str:
    return "'" + id_.replace("'", "''") + "'" if isinstance(id_, str) else str(int(id_))


def example(index: Any, code: int) -> str:
    """Return an id as it stands in the source, text in quotes with what cannot be seen spelt out."""
    id_ = index.ids[code]
    return quoted(id_) if isinstance(id_, str) else str(int(id_))


def quoted(text: str) -> str:
    """Return a text in quotes, what is not printable ASCII spelt out."""
    return '"' + "".join(c if " " <= c <= "~" else c if c.isalpha() else ascii(c)[1:-1] for c in text) + '"'


def pair(ratings: Ratings, row: int) -> str:
    """Name a row by its pair, as it stands in the source."""
    user, item = example(ratings.users, ratings.user[row]), example(ratings.items, ratings.item[row])
    return f"user {user}, item {item}"
