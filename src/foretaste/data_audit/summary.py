"""The figures of an audit: what there is, how it is spread, and what a split would leave unknown."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from foretaste.data_audit.row_checks import markers
from foretaste.data_audit.source import Case
from foretaste.errors import BadData
from foretaste.ratings import Ratings
from foretaste.splits import HoldOut, LeaveNOut

QUANTILES = (0, 10, 25, 50, 75, 90, 99, 100)  # per cent
BARS = 20  # of a histogram: as many as fit on a page beside the facts
TOP = (1, 10, 20)  # per cent of the items, most rated first
_STEPS = (0.5, 0.25, 0.2, 0.1, 0.05, 0.01)  # of scales in use; finer ones are continuous to a reader
_MINUTE, _HOUR, DAY = 60, 3600, 86_400
_MOST = 0.99  # times are coarse if so many of them are: a few odd ones do not make a log exact

Array = npt.NDArray[Any]


def facts_of(case: Case) -> dict[str, Any]:
    """Return all facts, as JSON can hold them."""
    ratings = case.ratings
    return {
        **ratings.describe(),
        "rows": case.rows,
        "unusable_rows": case.rows - len(ratings),
        "distinct": len(case.distinct[0]),
        "step": step_of(case.distinct[0]),
        "declared_scale": None if ratings.scale is None else [float(end) for end in ratings.scale],
        "user_ids": ratings.users.kind,
        "item_ids": ratings.items.kind,
        "histogram": histogram(*case.distinct),
        "quantiles": {
            "ratings_a_user": spread(case.user_counts),
            "ratings_an_item": spread(case.item_counts),
        },
        "single": {"users": one_only(case.user_counts), "items": one_only(case.item_counts)},
        "long_tail": long_tail(case.item_counts),
        "time": None if ratings.when is None or not len(ratings) else times(ratings.when),
        "cold": {"hold_out": _cold_hold_out(case), "leave_one_out": _cold_leave_one_out(case)},
    }


def step_of(values: Array) -> float | None:
    """Return what distinct ratings are multiples of (whole numbers: their greatest common step), or None."""
    if len(values) < 2 or np.abs(values).max() > 1e6:  # beyond that float32 tells no steps apart
        return None
    if (values == np.floor(values)).all():
        return float(np.gcd.reduce(np.diff(values).astype(np.int64)))
    for step in _STEPS:
        places = values / step
        if (np.abs(places - np.round(places)) <= 1e-6 * np.maximum(1, np.abs(places))).all():
            return step
    return None


def histogram(values: Array, counts: Array) -> list[dict[str, Any]]:
    """Return a bar for each distinct rating if they are few, else ``BARS`` of equal width.

    What looks like a mark for no rating has a bar of its own, so that the others keep their width.
    """
    alone = np.isin(values, markers(values)) if len(values) > BARS else np.ones(len(values), dtype=bool)
    pairs = zip(values[alone].tolist(), counts[alone].tolist(), strict=True)
    bars = [{"low": value, "high": value, "count": count} for value, count in pairs]
    if not alone.all():
        heights, edges = np.histogram(values[~alone], BARS, weights=counts[~alone].astype(np.float64))
        parts = zip(edges[:-1].tolist(), edges[1:].tolist(), heights.tolist(), strict=True)
        bars += [{"low": low, "high": high, "count": int(height)} for low, high, height in parts]
    return sorted(bars, key=lambda part: (part["low"], part["high"]))


def spread(counts: Array) -> dict[str, int]:
    """Return quantiles of counts, each a count that occurs: ``{"0": 1, ..., "100": 737}``."""
    if not len(counts):
        return {}
    ordered = np.sort(counts)
    places = [max(0, math.ceil(share * len(ordered) / 100) - 1) for share in QUANTILES]
    return {str(share): int(ordered[place]) for share, place in zip(QUANTILES, places, strict=True)}


def one_only(counts: Array) -> float | None:
    """Return the share of counts that are 1."""
    return float(np.mean(counts == 1)) if len(counts) else None


def long_tail(counts: Array) -> dict[str, float] | None:
    """Return the share of the ratings that the most rated items hold, and the Gini coefficient."""
    if not len(counts):
        return None
    ordered = np.sort(counts)[::-1].astype(np.float64)
    total, n = ordered.sum(), len(ordered)
    held = {f"top_{share}": float(ordered[: math.ceil(share * n / 100)].sum() / total) for share in TOP}
    ranks = np.arange(n, 0, -1)  # of the counts in increasing order, from 1
    return held | {"gini": float(2 * (ranks * ordered).sum() / (n * total) - (n + 1) / n)}


def times(when: Array) -> dict[str, Any]:
    """Return first and last moment, how many days lie between, the share of rows in order, how exact."""
    first, last = int(when.min()), int(when.max())
    return {
        "first": moment(first),
        "last": moment(last),
        "days": (last - first) / DAY,
        "in_order": float(np.mean(when[1:] >= when[:-1])) if len(when) > 1 else 1.0,
        "resolution": resolution(when),
    }


def resolution(when: Array) -> str:
    """Return how exact times are: ``"second"``, ``"minute"``, ``"hour"`` or ``"day"``."""
    for name, length in (("day", DAY), ("hour", _HOUR), ("minute", _MINUTE)):
        if np.mean(when % length == 0) >= _MOST:
            return name
    return "second"


def moment(seconds: int) -> str:
    """Write seconds since 1970 as a date and a time."""
    return str(np.datetime64(seconds, "s")).replace("T", " ")


def _cold_hold_out(case: Case) -> dict[str, float | int] | None:
    if len(case.ratings) < 2:
        return None
    ((train, test),) = HoldOut(0.2, case.seed).split(case.ratings)
    return unknown(case.ratings, train, test)


def _cold_leave_one_out(case: Case) -> dict[str, float | int] | None:
    try:
        ((train, test),) = LeaveNOut(1, case.seed).split(case.ratings)
    except BadData:  # nobody has two ratings
        return None
    return unknown(case.ratings, train, test)


def unknown(ratings: Ratings, train: Array, test: Array) -> dict[str, float | int]:
    """Return how many rows are judged, and the shares whose user, item, or both no row to learn from has."""
    user = ~_present(ratings.user, train, len(ratings.users))[ratings.user[test]]
    item = ~_present(ratings.item, train, len(ratings.items))[ratings.item[test]]
    return {
        "rows": len(test),
        "unknown_user": float(np.mean(user)),
        "unknown_item": float(np.mean(item)),
        "unknown_both": float(np.mean(user & item)),
        "unknown_any": float(np.mean(user | item)),
    }


def _present(codes: Array, rows: Array, n: int) -> npt.NDArray[np.bool_]:
    present = np.zeros(n, dtype=bool)
    present[codes[rows]] = True
    return present
