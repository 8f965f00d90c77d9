"""Checks single rows: unusable rows, missing-value markers, ratings far from the others."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from foretaste._utils.formatting import format_count
from foretaste.data_audit.findings import NOTE, WARNING, Finding
from foretaste.data_audit.source import AuditInput
from foretaste.data_audit.sql_conditions import (
    MAX_EXAMPLES,
    format_pair,
    format_row_count,
    rating_expression,
    where_hint,
)
from foretaste.data_audit.summary import find_missing_markers
from foretaste.errors import Hint
from foretaste.io.row_errors import ROW_ERROR_KINDS, RowError
from foretaste.typing import AnyArray, BoolArray

TAIL_SHARE = 0.005  # fraction of the ratings trimmed at each end to find the range of the others
FAR_MARGIN = 0.5  # fraction of that range beyond which a rating is an error or of another scale

_IMPACTS = {
    "ragged": "The row is not read: its rating is lost, and fields may stand in wrong columns around it.",
    "missing_id": "Nobody knows whose rating it is, or of what; no model can learn from it.",
    "not_a_number": "There is no rating; read as a number it would be a wrong one.",
    "bad_time": "The rating cannot be placed in time, so that a split by time is not possible.",
    "outside_scale": "One such rating pulls the means of its user and of its item out of the scale, and its "
    "square dominates the error.",
    "duplicate": "A pair that counts twice weighs twice, and may be in training and test rows at once: the "
    "error looks smaller than it is.",
}


def check_rows(data: AuditInput) -> Iterator[Finding]:
    """Yield one finding per kind of unusable rows."""
    for row_error in sorted(
        data.row_errors, key=lambda row_error: list(ROW_ERROR_KINDS).index(row_error.kind)
    ):
        yield _row_error_finding(data, row_error)


def _row_error_finding(data: AuditInput, row_error: RowError) -> Finding:
    n = len(row_error.rows)
    message = f"{format_count(n, 'row')} of {data.n_rows:,} cannot be used: "
    message += f"{ROW_ERROR_KINDS[row_error.kind]} (first: {row_error.problem})."
    if row_error.kind == "duplicate":
        message = f"{format_count(n, 'row')} of {data.n_rows:,}: {ROW_ERROR_KINDS['duplicate']}, "
        message += f"{n - row_error.n_conflicting:,} with the "
        message += f"same rating and {row_error.n_conflicting:,} with another (first: {row_error.problem})."
    where = tuple(row_error.row_labels) + (("...",) if n > len(row_error.row_labels) else ())
    severity = NOTE if data.skip_errors else WARNING
    return Finding(
        row_error.kind, severity, message, n, _IMPACTS[row_error.kind], _row_error_fix(data, row_error), where
    )


def _row_error_fix(data: AuditInput, row_error: RowError) -> Hint | str:
    """Return the hint of the row error; a condition is combined with the one in effect."""
    if row_error.kind == "outside_scale" and data.ratings.scale is not None:
        low, high = data.ratings.scale
        return where_hint(
            data,
            f"{rating_expression(data)} BETWEEN {low:g} AND {high:g}",
            format_row_count(len(row_error.rows)),
        )
    if isinstance(row_error.hint, Hint) and "where" in row_error.hint.arguments:
        condition = str(row_error.hint.arguments["where"])
        return where_hint(data, condition, format_row_count(len(row_error.rows)))
    return row_error.hint


def check_ratings(data: AuditInput) -> Iterator[Finding]:
    """Yield suspicious ratings; a declared scale makes most of these checks needless."""
    values, counts = data.value_counts
    if len(values) == 1 and len(data.ratings) > 1:
        impact = "There is nothing to predict: every model that answers with this number is right."
        yield Finding("one_value", WARNING, f"All ratings are {values[0]:g}.", len(data.ratings), impact)
    if data.ratings.scale is not None:
        return
    marker_values = find_missing_markers(values)
    for value in marker_values:
        yield _marker_finding(
            data, value, int(counts[values == value][0]), other_values=values[~np.isin(values, marker_values)]
        )
    yield from _check_far_ratings(data, ~np.isin(values, marker_values))


def _marker_finding(data: AuditInput, value: float, n: int, other_values: Any) -> Finding:
    message = (
        f"{format_count(n, 'rating')} of {len(data.ratings):,} {'is' if n == 1 else 'are'} {value:g}, far "
        f"from the others ({other_values[0]:g} to {other_values[-1]:g}): probably a mark for no rating."
    )
    impact = "Every model takes it for an opinion and learns that the item was rated so."
    fix = where_hint(data, f"{rating_expression(data)} <> {value:g}", format_row_count(n))
    where = _pair_examples(data, np.flatnonzero(data.ratings.value == np.float32(value)))
    return Finding("missing_marker", WARNING, message, n, impact, fix, where)


def _check_far_ratings(data: AuditInput, mask: BoolArray) -> Iterator[Finding]:
    """Find ratings far outside the range of nearly all others."""
    values, counts = (part[mask] for part in data.value_counts)
    if len(values) < 2:
        return
    cumulative_counts = np.cumsum(counts)
    low, high = (
        float(values[np.searchsorted(cumulative_counts, share * cumulative_counts[-1])])
        for share in (TAIL_SHARE, 1 - TAIL_SHARE)
    )
    margin = FAR_MARGIN * (high - low)
    is_far = (values < low - margin) | (values > high + margin)
    n = int(counts[is_far].sum())
    if n == 0 or margin == 0:
        return
    message = (
        f"{format_count(n, 'rating')} of {len(data.ratings):,} {'is' if n == 1 else 'are'} far from "
        f"the others ({values[is_far].min():g} to {values[is_far].max():g}; 99 % are {low:g} to {high:g})."
    )
    impact = "The square of such an error outweighs hundreds of usual ones in training and in RMSE."
    column = rating_expression(data)
    fix = where_hint(data, f"{column} BETWEEN {low - margin:g} AND {high + margin:g}", format_row_count(n))
    rows = np.flatnonzero(np.isin(data.ratings.value, values[is_far].astype(np.float32)))
    yield Finding("far_rating", NOTE, message, n, impact, fix, _pair_examples(data, rows))


def _pair_examples(data: AuditInput, rows: AnyArray) -> tuple[str, ...]:
    """Return the first few rows, by user and item."""
    ratings = data.ratings
    examples = tuple(f"{format_pair(ratings, row)}: {ratings.value[row]:g}" for row in rows[:MAX_EXAMPLES])
    return examples + (("...",) if len(rows) > MAX_EXAMPLES else ())
