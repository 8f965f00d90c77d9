"""Findings about single rows: those that cannot be used, and ratings that are hardly ratings."""

from __future__ import annotations

import re
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
from foretaste.io.row_errors import ROW_ERROR_KINDS, RowError
from foretaste.typing import AnyArray, BoolArray, Float64Array

# Codes for "no answer" in common use; 9 and 77 are left out, as they are ratings on scales in use.
MISSING_MARKERS = (-99999.0, -9999.0, -999.0, -99.0, 99.0, 255.0, 999.0, 9999.0, 99999.0)
MARKER_DISTANCE = 2.0  # ranges of the others that a marker is away: 99 on 1 to 10 is, 99 on 0 to 100 is not
ZERO_GAP_STEPS = 2.0  # steps between 0 and the lowest other rating that make 0 no rating of the scale
MIN_SCALE_POINTS = 4  # distinct other ratings that make a scale, beside which -1 or 0 can be odd
TAIL_SHARE = 0.005  # of the ratings at each end that are set aside to see the range that the others hold
FAR_MARGIN = 0.5  # of that range: a rating so far outside is no strong opinion but another scale or a slip

_IMPACTS = {
    "ragged": "The row is not read: its rating is lost, and fields may stand in wrong columns around it.",
    "missing_id": "Nobody knows whose rating it is, or of what; no model can learn from it.",
    "not_a_number": "There is no rating to learn from; taken as a number it would be a wrong one.",
    "bad_time": "The rating cannot be placed in time, so that a split by time is not possible.",
    "outside_scale": "One such rating pulls the means of its user and of its item out of the scale, and its "
    "square dominates the error.",
    "duplicate": "A pair that counts twice weighs twice, and may be learned from and judged by at once: the "
    "error looks smaller than it is.",
}


def check_rows(data: AuditInput) -> Iterator[Finding]:
    """Yield a finding for each reason for which rows cannot be used."""
    for row_error in sorted(
        data.row_errors, key=lambda row_error: list(ROW_ERROR_KINDS).index(row_error.kind)
    ):
        yield _row_error_finding(data, row_error)


def _row_error_finding(data: AuditInput, row_error: RowError) -> Finding:
    n = len(row_error.rows)
    message = f"{format_count(n, 'row')} of {data.n_rows:,} cannot be used: {ROW_ERROR_KINDS[row_error.kind]} (first: {row_error.problem})."
    if row_error.kind == "duplicate":
        message = f"{format_count(n, 'row')} of {data.n_rows:,}: {ROW_ERROR_KINDS['duplicate']}, {n - row_error.n_conflicting:,} with the "
        message += f"same rating and {row_error.n_conflicting:,} with another (first: {row_error.problem})."
    where = tuple(row_error.row_labels) + (("...",) if n > len(row_error.row_labels) else ())
    severity = NOTE if data.skip_errors else WARNING
    return Finding(
        row_error.kind, severity, message, n, _IMPACTS[row_error.kind], _row_error_fix(data, row_error), where
    )


def _row_error_fix(data: AuditInput, row_error: RowError) -> str:
    """Return the fault's own hint, but conditions beside the one that holds already."""
    condition = re.match(r'where="([^"]*)" leaves', row_error.hint)
    if row_error.kind == "outside_scale" and data.ratings.scale is not None:
        low, high = data.ratings.scale
        return where_hint(
            data,
            f"{rating_expression(data)} BETWEEN {low:g} AND {high:g}",
            format_row_count(len(row_error.rows)),
        )
    return (
        row_error.hint
        if condition is None
        else where_hint(data, condition[1], format_row_count(len(row_error.rows)))
    )


def check_ratings(data: AuditInput) -> Iterator[Finding]:
    """Yield what is hardly a rating, where no scale was declared that would tell."""
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


def find_missing_markers(values: Float64Array) -> list[float]:
    """Return the ratings, of distinct ones in order, that look like a mark for none.

    Numbers like 99 far outside the range of all others; -1 as the only negative number; 0 where the scale
    starts clearly above it.
    """
    core = values[~np.isin(values, MISSING_MARKERS)]
    if len(core) < 2:
        return []
    low, high = core[0], core[-1]
    markers = [
        v
        for v in values.tolist()
        if v in MISSING_MARKERS and max(low - v, v - high) >= MARKER_DISTANCE * (high - low)
    ]
    core = values[~np.isin(values, markers)]
    for candidate in (-1.0, 0.0):
        other_values = core[1:]
        if len(other_values) < MIN_SCALE_POINTS or core[0] != candidate or other_values[0] < 0:
            continue
        # Beside 0, 1, 2, ... a lone -1 is odd; a 0 only if the scale starts two steps above it or more.
        step = float(np.diff(other_values).min())
        if other_values[0] - candidate >= ZERO_GAP_STEPS * step or (
            candidate < 0 and other_values[-1] >= MIN_SCALE_POINTS
        ):
            markers.append(candidate)
            core = other_values
    return sorted(markers)


def _marker_finding(data: AuditInput, value: float, n: int, other_values: Any) -> Finding:
    message = (
        f"{format_count(n, 'rating')} of {len(data.ratings):,} {'is' if n == 1 else 'are'} {value:g}, far from "
        f"the others ({other_values[0]:g} to {other_values[-1]:g}): probably a mark for no rating."
    )
    impact = "Every model takes it for an opinion and learns that the item was rated so."
    fix = where_hint(data, f"{rating_expression(data)} <> {value:g}", format_row_count(n))
    where = _pair_examples(data, np.flatnonzero(data.ratings.value == np.float32(value)))
    return Finding("missing_marker", WARNING, message, n, impact, fix, where)


def _check_far_ratings(data: AuditInput, mask: BoolArray) -> Iterator[Finding]:
    """Find ratings far outside the range that nearly all others are in."""
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
        f"{format_count(n, 'rating')} of {len(data.ratings):,} {'is' if n == 1 else 'are'} far from the others "
        f"({values[is_far].min():g} to {values[is_far].max():g}; 99 % are {low:g} to {high:g})."
    )
    impact = "The square of such an error outweighs hundreds of usual ones in learning and in RMSE."
    column = rating_expression(data)
    fix = where_hint(data, f"{column} BETWEEN {low - margin:g} AND {high + margin:g}", format_row_count(n))
    rows = np.flatnonzero(np.isin(data.ratings.value, values[is_far].astype(np.float32)))
    yield Finding("far_rating", NOTE, message, n, impact, fix, _pair_examples(data, rows))


def _pair_examples(data: AuditInput, rows: AnyArray) -> tuple[str, ...]:
    """Name the first few rows by their pairs."""
    ratings = data.ratings
    examples = tuple(f"{format_pair(ratings, row)}: {ratings.value[row]:g}" for row in rows[:MAX_EXAMPLES])
    return examples + (("...",) if len(rows) > MAX_EXAMPLES else ())
