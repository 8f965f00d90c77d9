"""Checks timestamps: impossible times, rows out of order, and bursts of ratings."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import numpy as np

from foretaste._utils.formatting import format_count
from foretaste.data_audit.findings import NOTE, WARNING, Finding
from foretaste.data_audit.source import AuditInput
from foretaste.data_audit.sql_conditions import (
    MAX_EXAMPLES,
    exclude_ids_hint,
    format_id,
    format_pair,
    timestamp_range_hint,
)
from foretaste.data_audit.summary import DAY, format_timestamp, resolution
from foretaste.errors import Hint
from foretaste.typing import BoolArray, Int64Array

SMALL_TIMESTAMP = 100_000_000  # 1973: if all are smaller, they are not seconds since 1970
MIN_MILLISECONDS = 100_000_000_000  # the year 5138 in seconds, 1973 in milliseconds
MAX_CLOCK_SKEW = DAY  # seconds that other time zones may be ahead
BURST_RATINGS = 10  # ratings by one user in one second: one form may send them
SCRIPT_RATINGS = 40  # ratings by one user in one second: an import or a script
MAX_DISORDER_SHARE = 0.01  # fraction of rows out of order up to which the order was intended


def check_timestamps(data: AuditInput) -> Iterator[Finding]:
    """Yield findings about the timestamps."""
    timestamps = data.ratings.timestamp
    if timestamps is None or len(timestamps) < 2:
        return
    if timestamps.min() == timestamps.max():
        impact = "A split by time has nothing to go by."
        yield Finding(
            "one_time",
            NOTE,
            f"All times are {format_timestamp(int(timestamps[0]))}.",
            len(timestamps),
            impact,
        )
        return
    if timestamps.min() >= 0 and timestamps.max() < SMALL_TIMESTAMP:
        message = f"Times are small numbers (up to {timestamps.max():,}): "
        message += "as seconds since 1970 they lie before 1974."
        yield Finding(
            "small_times",
            NOTE,
            message,
            len(timestamps),
            "Their order can be used, as dates they mean nothing.",
        )
        return
    yield from _check_impossible_timestamps(data, timestamps)
    yield from _check_order(data, timestamps)
    if resolution(timestamps) == "second":
        yield from _check_bursts(data, timestamps)


def _check_impossible_timestamps(data: AuditInput, timestamps: Int64Array) -> Iterator[Finding]:
    """Find times in milliseconds, times up to the first day of 1970, and future times."""
    now = int(time.time())
    is_milliseconds = timestamps >= MIN_MILLISECONDS
    n = int(np.count_nonzero(is_milliseconds))
    if n:
        verb = "looks" if n == 1 else "look"
        message = f"{format_count(n, 'time')} of {len(timestamps):,} {verb} like milliseconds."
        impact = "Taken as seconds they lie thousands of years ahead; spans and splits by time are wrong."
        fix: Hint | str = "ratings.replace(timestamp=ratings.timestamp // 1000)"
        if n < len(timestamps):
            fix = f"ratings.replace(timestamp=numpy.where(ratings.timestamp >= {MIN_MILLISECONDS}, "
            fix += "ratings.timestamp // 1000, ratings.timestamp))"
        yield Finding(
            "milliseconds", WARNING, message, n, impact, fix, _timestamp_examples(data, is_milliseconds)
        )
    is_zero = timestamps < DAY
    n = int(np.count_nonzero(is_zero))
    if n:
        message = f"{format_count(n, 'time')} of {len(timestamps):,} {'is' if n == 1 else 'are'} 0, "
        message += "or on the first day of 1970, or before."
        impact = "That stands for no time: a split by time puts such rows first, whenever they were given."
        fix = timestamp_range_hint(data, f">= {DAY}", ~is_zero)
        yield Finding("zero_time", WARNING, message, n, impact, fix, _timestamp_examples(data, is_zero))
    is_future = (timestamps > now + MAX_CLOCK_SKEW) & ~is_milliseconds
    n = int(np.count_nonzero(is_future))
    if n:
        message = f"{format_count(n, 'time')} of {len(timestamps):,} {'is' if n == 1 else 'are'} yet to come."
        impact = "A split by time takes such rows for the latest and tests on them."
        fix = timestamp_range_hint(data, f"<= {now + MAX_CLOCK_SKEW}", timestamps <= now + MAX_CLOCK_SKEW)
        yield Finding("future_time", WARNING, message, n, impact, fix, _timestamp_examples(data, is_future))


def _check_order(data: AuditInput, timestamps: Int64Array) -> Iterator[Finding]:
    """Find the few rows that are earlier than the row before, if the others are in order.

    Rows that are grouped by user start again with each user; there only steps within a user count.
    """
    user = data.ratings.user
    is_earlier = timestamps[1:] < timestamps[:-1]
    if np.count_nonzero(user[1:] != user[:-1]) < 2 * len(data.ratings.users):
        is_earlier &= user[1:] == user[:-1]
    n = int(np.count_nonzero(is_earlier))
    if not 0 < n <= MAX_DISORDER_SHARE * len(timestamps):
        return
    message = f"{format_count(n, 'row')} of {len(timestamps):,} {'is' if n == 1 else 'are'} "
    message += "earlier than the row before; the others are in order of time."
    impact = (
        "A split by the order of rows is not quite one by time; TimeSplit() goes by the times themselves."
    )
    rows = np.append(False, is_earlier)
    yield Finding("disorder", NOTE, message, n, impact, "", _timestamp_examples(data, rows))


def _check_bursts(data: AuditInput, timestamps: Int64Array) -> Iterator[Finding]:
    """Find users with many ratings in the same second."""
    users, starts, counts = _count_per_second(data.ratings.user, timestamps, len(data.ratings.users))
    is_burst = counts >= BURST_RATINGS
    if not is_burst.any():
        return
    worst = int(np.argmax(counts))
    is_script = counts >= SCRIPT_RATINGS
    selected = is_script if is_script.any() else is_burst
    n, codes = int(counts[selected].sum()), np.unique(users[selected])
    threshold = SCRIPT_RATINGS if is_script.any() else BURST_RATINGS
    burst_time = format_timestamp(int(starts[worst]))
    user_id = format_id(data.ratings.users, users[worst])
    message = f"{format_count(n, 'rating')} ({100 * n / len(timestamps):.2g} %) by "
    message += f"{format_count(len(codes), 'user')} came {threshold} or more in one second; "
    message += f"at most {counts[worst]:,}, by user {user_id} at {burst_time}."
    impact = "They have no order in time, so what came first cannot be learned from them."
    if is_script.any():
        impact = "Nobody gives so many: an import or a script did, and it counts like opinions."
    order = np.argsort(-counts[selected], kind="stable")[:MAX_EXAMPLES]
    examples = [
        f"user {format_id(data.ratings.users, users[selected][position])}: {counts[selected][position]:,} at "
        f"{format_timestamp(int(starts[selected][position]))}"
        for position in order
    ]
    fix = exclude_ids_hint(data, "user", codes.tolist()) if is_script.any() else ""
    ellipsis = ("...",) if int(selected.sum()) > MAX_EXAMPLES else ()
    yield Finding(
        "burst", WARNING if is_script.any() else NOTE, message, n, impact, fix, (*examples, *ellipsis)
    )


def _count_per_second(user: Any, timestamps: Int64Array, n_users: int) -> tuple[Any, Any, Any]:
    """Return users, times and counts of the ratings grouped by user and second."""
    first, span = int(timestamps.min()), int(timestamps.max()) - int(timestamps.min()) + 1
    if n_users * span < 2**63:
        key, counts = np.unique(user * np.int64(span) + (timestamps - first), return_counts=True)
        return key // span, key % span + first, counts
    order = np.lexsort((timestamps, user))
    starts = np.flatnonzero(
        np.r_[True, (user[order][1:] != user[order][:-1]) | (timestamps[order][1:] != timestamps[order][:-1])]
    )
    return user[order[starts]], timestamps[order[starts]], np.diff(np.r_[starts, len(order)])


def _timestamp_examples(data: AuditInput, mask: BoolArray) -> tuple[str, ...]:
    """Return the first few rows, by user, item and time."""
    ratings = data.ratings
    rows = np.flatnonzero(mask)
    timestamps = np.zeros(len(ratings), np.int64) if ratings.timestamp is None else ratings.timestamp
    examples = tuple(f"{format_pair(ratings, row)}: {timestamps[row]}" for row in rows[:MAX_EXAMPLES])
    return examples + (("...",) if len(rows) > MAX_EXAMPLES else ())
