"""Summary of ratings: sizes, distributions, times, and the cold-start rows of two splits."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from foretaste.data_audit.source import AuditInput
from foretaste.errors import DataError
from foretaste.ratings import Ratings
from foretaste.splits import HoldOut, LeaveNOut
from foretaste.typing import AnyArray, BoolArray, Float64Array

QUANTILES = (0, 10, 25, 50, 75, 90, 99, 100)  # percent
N_BARS = 20  # bars of a histogram
TOP_SHARES = (1, 10, 20)  # percent of the items, most rated first
_RATING_STEPS = (0.5, 0.25, 0.2, 0.1, 0.05, 0.01)  # of rating scales in use
_MINUTE, _HOUR, DAY = 60, 3600, 86_400
_COARSE_SHARE = 0.99  # share of coarse timestamps from which all count as coarse

# Common codes for "no answer"; 9 and 77 are omitted, as some rating scales contain them.
MISSING_MARKERS = (-99999.0, -9999.0, -999.0, -99.0, 99.0, 255.0, 999.0, 9999.0, 99999.0)
MARKER_DISTANCE = 2.0  # in ranges of the other ratings: 99 is a marker on 1 to 10, not on 0 to 100
ZERO_GAP_STEPS = 2.0  # steps between 0 and the next rating from which 0 is a marker
MIN_SCALE_POINTS = 4  # distinct other ratings needed to call -1 or 0 a marker


def summarize(data: AuditInput) -> dict[str, Any]:
    """Return the summary of ratings as JSON types."""
    ratings = data.ratings
    return {
        **ratings.describe(),
        "rows": data.n_rows,
        "unusable_rows": data.n_rows - len(ratings),
        "distinct": len(data.value_counts[0]),
        "step": rating_step(data.value_counts[0]),
        "declared_scale": None if ratings.scale is None else [float(end) for end in ratings.scale],
        "user_ids": ratings.users.dtype,
        "item_ids": ratings.items.dtype,
        "histogram": histogram(*data.value_counts),
        "quantiles": {
            "ratings_per_user": count_quantiles(data.user_counts),
            "ratings_per_item": count_quantiles(data.item_counts),
        },
        "single": {"users": single_share(data.user_counts), "items": single_share(data.item_counts)},
        "long_tail": long_tail(data.item_counts),
        "time": None if ratings.timestamp is None or not len(ratings) else time_summary(ratings.timestamp),
        "cold_start": {
            "hold_out": _cold_start_hold_out(data),
            "leave_one_out": _cold_start_leave_one_out(data),
        },
    }


def rating_step(values: AnyArray) -> float | None:
    """Return the step of a rating scale (for integers the greatest common divisor), or None."""
    if len(values) < 2 or np.abs(values).max() > 1e6:  # beyond the resolution of float32
        return None
    if (values == np.floor(values)).all():
        return float(np.gcd.reduce(np.diff(values).astype(np.int64)))
    for step in _RATING_STEPS:
        multiples = values / step
        if (np.abs(multiples - np.round(multiples)) <= 1e-6 * np.maximum(1, np.abs(multiples))).all():
            return step
    return None


def histogram(values: AnyArray, counts: AnyArray) -> list[dict[str, Any]]:
    """Return one bar per distinct rating, or ``N_BARS`` of equal width if there are more.

    A value that looks like a missing-value marker has its own bar, so that it does not widen the others.
    """
    has_own_bar = (
        np.isin(values, find_missing_markers(values))
        if len(values) > N_BARS
        else np.ones(len(values), dtype=bool)
    )
    pairs = zip(values[has_own_bar].tolist(), counts[has_own_bar].tolist(), strict=True)
    bars = [{"low": value, "high": value, "count": count} for value, count in pairs]
    if not has_own_bar.all():
        heights, edges = np.histogram(
            values[~has_own_bar], N_BARS, weights=counts[~has_own_bar].astype(np.float64)
        )
        parts = zip(edges[:-1].tolist(), edges[1:].tolist(), heights.tolist(), strict=True)
        bars += [{"low": low, "high": high, "count": int(height)} for low, high, height in parts]
    return sorted(bars, key=lambda part: (part["low"], part["high"]))


def find_missing_markers(values: Float64Array) -> list[float]:
    """Return those of the distinct sorted ratings that look like missing-value markers.

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


def count_quantiles(counts: AnyArray) -> dict[str, int]:
    """Return quantiles of counts, each a count that occurs: ``{"0": 1, ..., "100": 737}``."""
    if not len(counts):
        return {}
    ordered = np.sort(counts)
    positions = [max(0, math.ceil(share * len(ordered) / 100) - 1) for share in QUANTILES]
    return {str(share): int(ordered[position]) for share, position in zip(QUANTILES, positions, strict=True)}


def single_share(counts: AnyArray) -> float | None:
    """Return the fraction of counts that are 1, or None without counts."""
    return float(np.mean(counts == 1)) if len(counts) else None


def long_tail(counts: AnyArray) -> dict[str, float] | None:
    """Return the share of the ratings of the most rated items, and the Gini coefficient."""
    if not len(counts):
        return None
    ordered = np.sort(counts)[::-1].astype(np.float64)
    total, n = ordered.sum(), len(ordered)
    shares = {
        f"top_{share}": float(ordered[: math.ceil(share * n / 100)].sum() / total) for share in TOP_SHARES
    }
    ranks = np.arange(n, 0, -1)  # of the counts in increasing order, from 1
    return shares | {"gini": float(2 * (ranks * ordered).sum() / (n * total) - (n + 1) / n)}


def time_summary(timestamps: AnyArray) -> dict[str, Any]:
    """Return first and last time, days between, fraction of rows in order, and resolution."""
    first, last = int(timestamps.min()), int(timestamps.max())
    return {
        "first": format_timestamp(first),
        "last": format_timestamp(last),
        "days": (last - first) / DAY,
        "in_order": float(np.mean(timestamps[1:] >= timestamps[:-1])) if len(timestamps) > 1 else 1.0,
        "resolution": resolution(timestamps),
    }


def resolution(timestamps: AnyArray) -> str:
    """Return the resolution of timestamps: ``"second"``, ``"minute"``, ``"hour"`` or ``"day"``."""
    for name, length in (("day", DAY), ("hour", _HOUR), ("minute", _MINUTE)):
        if np.mean(timestamps % length == 0) >= _COARSE_SHARE:
            return name
    return "second"


def format_timestamp(seconds: int) -> str:
    """Format seconds since 1970 as date and time (UTC)."""
    return str(np.datetime64(seconds, "s")).replace("T", " ")


def _cold_start_hold_out(data: AuditInput) -> dict[str, float | int] | None:
    if len(data.ratings) < 2:
        return None
    ((train, test),) = HoldOut(0.2, data.seed).split(data.ratings)
    return cold_start_shares(data.ratings, train, test)


def _cold_start_leave_one_out(data: AuditInput) -> dict[str, float | int] | None:
    try:
        ((train, test),) = LeaveNOut(1, data.seed).split(data.ratings)
    except DataError:  # no user has two ratings
        return None
    return cold_start_shares(data.ratings, train, test)


def cold_start_shares(ratings: Ratings, train: AnyArray, test: AnyArray) -> dict[str, float | int]:
    """Return the number of test rows, and the fractions whose user, item, or both are not in training."""
    user = ~_presence_mask(ratings.user, train, len(ratings.users))[ratings.user[test]]
    item = ~_presence_mask(ratings.item, train, len(ratings.items))[ratings.item[test]]
    return {
        "rows": len(test),
        "unknown_user": float(np.mean(user)),
        "unknown_item": float(np.mean(item)),
        "unknown_both": float(np.mean(user & item)),
        "unknown_any": float(np.mean(user | item)),
    }


def _presence_mask(codes: AnyArray, rows: AnyArray, n: int) -> BoolArray:
    mask = np.zeros(n, dtype=bool)
    mask[codes[rows]] = True
    return mask
