"""Findings about single rows: those that cannot be used, and ratings that are hardly ratings."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from foretaste._utils.formatting import plural
from foretaste.data_audit.findings import NOTE, WARNING, Finding
from foretaste.data_audit.source import Case
from foretaste.data_audit.sql_conditions import SHOWN, leaving_out, pair, rating_column, those
from foretaste.io.row_errors import KINDS, Fault

# Codes for "no answer" in common use; 9 and 77 are left out, as they are ratings on scales in use.
MARKERS = (-99999.0, -9999.0, -999.0, -99.0, 99.0, 255.0, 999.0, 9999.0, 99999.0)
FAR = 2.0  # ranges of the others that a marker is away: 99 on 1 to 10 is, 99 on 0 to 100 is not
HOLE = 2.0  # steps between 0 and the lowest other rating that make 0 no rating of the scale
SCALE_POINTS = 4  # distinct other ratings that make a scale, beside which -1 or 0 can be odd
TAIL = 0.005  # of the ratings at each end that are set aside to see the range that the others hold
BEYOND = 0.5  # of that range: a rating so far outside is no strong opinion but another scale or a slip

_EFFECTS = {
    "ragged": "The row is not read: its rating is lost, and fields may stand in wrong columns around it.",
    "missing_id": "Nobody knows whose rating it is, or of what; no model can learn from it.",
    "not_a_number": "There is no rating to learn from; taken as a number it would be a wrong one.",
    "bad_time": "The rating cannot be placed in time, so that a split by time is not possible.",
    "outside_scale": "One such rating pulls the means of its user and of its item out of the scale, and its "
    "square dominates the error.",
    "duplicate": "A pair that counts twice weighs twice, and may be learned from and judged by at once: the "
    "error looks smaller than it is.",
}


def unusable_rows(case: Case) -> Iterator[Finding]:
    """Yield a finding for each reason for which rows cannot be used."""
    for fault in sorted(case.faults, key=lambda fault: list(KINDS).index(fault.kind)):
        yield _of_fault(case, fault)


def _of_fault(case: Case, fault: Fault) -> Finding:
    n = len(fault.rows)
    what = (
        f"{plural(n, 'row')} of {case.rows:,} cannot be used: {KINDS[fault.kind]} (first: {fault.problem})."
    )
    if fault.kind == "duplicate":
        what = (
            f"{plural(n, 'row')} of {case.rows:,}: {KINDS['duplicate']}, {n - fault.conflicting:,} with the "
        )
        what += f"same rating and {fault.conflicting:,} with another (first: {fault.problem})."
    where = tuple(fault.places) + (("...",) if n > len(fault.places) else ())
    severity = NOTE if case.skip else WARNING
    return Finding(fault.kind, severity, what, n, _EFFECTS[fault.kind], _mend(case, fault), where)


def _mend(case: Case, fault: Fault) -> str:
    """Return the fault's own hint, but conditions beside the one that holds already."""
    condition = re.match(r'where="([^"]*)" leaves', fault.hint)
    if fault.kind == "outside_scale" and case.ratings.scale is not None:
        low, high = case.ratings.scale
        return leaving_out(
            case, f"{rating_column(case)} BETWEEN {low:g} AND {high:g}", those(len(fault.rows))
        )
    return fault.hint if condition is None else leaving_out(case, condition[1], those(len(fault.rows)))


def odd_ratings(case: Case) -> Iterator[Finding]:
    """Yield what is hardly a rating, where no scale was declared that would tell."""
    values, counts = case.distinct
    if len(values) == 1 and len(case.ratings) > 1:
        effect = "There is nothing to predict: every model that answers with this number is right."
        yield Finding("one_value", WARNING, f"All ratings are {values[0]:g}.", len(case.ratings), effect)
    if case.ratings.scale is not None:
        return
    marked = markers(values)
    for value in marked:
        yield _marker(case, value, int(counts[values == value][0]), others=values[~np.isin(values, marked)])
    yield from _far(case, ~np.isin(values, marked))


def markers(values: npt.NDArray[np.float64]) -> list[float]:
    """Return the ratings, of distinct ones in order, that look like a mark for none.

    Numbers like 99 far outside the range of all others; -1 as the only negative number; 0 where the scale
    starts clearly above it.
    """
    core = values[~np.isin(values, MARKERS)]
    if len(core) < 2:
        return []
    low, high = core[0], core[-1]
    found = [v for v in values.tolist() if v in MARKERS and max(low - v, v - high) >= FAR * (high - low)]
    core = values[~np.isin(values, found)]
    for odd in (-1.0, 0.0):
        rest = core[1:]
        if len(rest) < SCALE_POINTS or core[0] != odd or rest[0] < 0:
            continue
        # Beside 0, 1, 2, ... a lone -1 is odd; a 0 only if the scale starts two steps above it or more.
        step = float(np.diff(rest).min())
        if rest[0] - odd >= HOLE * step or (odd < 0 and rest[-1] >= SCALE_POINTS):
            found.append(odd)
            core = rest
    return sorted(found)


def _marker(case: Case, value: float, n: int, others: Any) -> Finding:
    what = (
        f"{plural(n, 'rating')} of {len(case.ratings):,} {'is' if n == 1 else 'are'} {value:g}, far from "
        f"the others ({others[0]:g} to {others[-1]:g}): probably a mark for no rating."
    )
    effect = "Every model takes it for an opinion and learns that the item was rated so."
    mend = leaving_out(case, f"{rating_column(case)} <> {value:g}", those(n))
    where = _pairs(case, np.flatnonzero(case.ratings.value == np.float32(value)))
    return Finding("missing_marker", WARNING, what, n, effect, mend, where)


def _far(case: Case, kept: npt.NDArray[np.bool_]) -> Iterator[Finding]:
    """Find ratings far outside the range that nearly all others are in."""
    values, counts = (part[kept] for part in case.distinct)
    if len(values) < 2:
        return
    below = np.cumsum(counts)
    low, high = (float(values[np.searchsorted(below, share * below[-1])]) for share in (TAIL, 1 - TAIL))
    margin = BEYOND * (high - low)
    far = (values < low - margin) | (values > high + margin)
    n = int(counts[far].sum())
    if n == 0 or margin == 0:
        return
    what = (
        f"{plural(n, 'rating')} of {len(case.ratings):,} {'is' if n == 1 else 'are'} far from the others "
        f"({values[far].min():g} to {values[far].max():g}; 99 % are {low:g} to {high:g})."
    )
    effect = "The square of such an error outweighs hundreds of usual ones in learning and in RMSE."
    column = rating_column(case)
    mend = leaving_out(case, f"{column} BETWEEN {low - margin:g} AND {high + margin:g}", those(n))
    rows = np.flatnonzero(np.isin(case.ratings.value, values[far].astype(np.float32)))
    yield Finding("far_rating", NOTE, what, n, effect, mend, _pairs(case, rows))


def _pairs(case: Case, rows: npt.NDArray[Any]) -> tuple[str, ...]:
    """Name the first few rows by their pairs."""
    ratings = case.ratings
    named = tuple(f"{pair(ratings, row)}: {ratings.value[row]:g}" for row in rows[:SHOWN])
    return named + (("...",) if len(rows) > SHOWN else ())
