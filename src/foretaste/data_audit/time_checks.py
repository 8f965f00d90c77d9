"""Findings about times: what no clock shows, and more ratings at once than a person gives."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from foretaste._utils.formatting import plural
from foretaste.data_audit.findings import NOTE, WARNING, Finding
from foretaste.data_audit.source import Case
from foretaste.data_audit.sql_conditions import SHOWN, example, only_times, pair, without_ids
from foretaste.data_audit.summary import DAY, moment, resolution

NUMBERED = 100_000_000  # 1973: times that all are less count something other than seconds since 1970
MILLISECONDS = 100_000_000_000  # as seconds this is the year 5138; as milliseconds, 1973
TOMORROW = DAY  # clocks of other time zones may be ahead by so much
BURST = 10  # ratings by one user in one second: more than are clicked, as many as one form sends
FORM = 40  # ratings in one second that no form of one page holds: an import or a script
MISPLACED = 0.01  # of the rows: if fewer are out of order, the rows were meant to be in order


def odd_times(case: Case) -> Iterator[Finding]:
    """Yield what is odd about the times."""
    when = case.ratings.when
    if when is None or len(when) < 2:
        return
    if when.min() == when.max():
        effect = "A split by time has nothing to go by."
        yield Finding("one_time", NOTE, f"All times are {moment(int(when[0]))}.", len(when), effect)
        return
    if when.min() >= 0 and when.max() < NUMBERED:
        what = f"Times are small numbers (up to {when.max():,}): as seconds since 1970 they lie before 1974."
        yield Finding(
            "small_times", NOTE, what, len(when), "Their order can be used, as dates they mean nothing."
        )
        return
    yield from _impossible(case, when)
    yield from _disorder(case, when)
    if resolution(when) == "second":
        yield from _bursts(case, when)


def _impossible(case: Case, when: npt.NDArray[np.int64]) -> Iterator[Finding]:
    """Find times in milliseconds, times at the start of 1970 and before, and times to come."""
    now = int(time.time())
    milli = when >= MILLISECONDS
    n = int(np.count_nonzero(milli))
    if n:
        what = f"{plural(n, 'time')} of {len(when):,} {'looks' if n == 1 else 'look'} like milliseconds."
        effect = "Taken as seconds they lie thousands of years ahead; spans and splits by time are wrong."
        mend = "ratings.replace(when=ratings.when // 1000)"
        if n < len(when):
            mend = f"ratings.replace(when=numpy.where(ratings.when >= {MILLISECONDS}, ratings.when // 1000, "
            mend += "ratings.when))"
        yield Finding("milliseconds", WARNING, what, n, effect, mend, _when(case, milli))
    zero = when < DAY
    n = int(np.count_nonzero(zero))
    if n:
        what = f"{plural(n, 'time')} of {len(when):,} {'is' if n == 1 else 'are'} 0, or on the first day of "
        what += "1970, or before."
        effect = "That stands for no time: a split by time puts such rows first, whenever they were given."
        mend = only_times(case, f">= {DAY}", ~zero)
        yield Finding("zero_time", WARNING, what, n, effect, mend, _when(case, zero))
    future = (when > now + TOMORROW) & ~milli
    n = int(np.count_nonzero(future))
    if n:
        what = f"{plural(n, 'time')} of {len(when):,} {'is' if n == 1 else 'are'} yet to come."
        effect = "A split by time takes such rows for the latest and judges by them."
        mend = only_times(case, f"<= {now + TOMORROW}", when <= now + TOMORROW)
        yield Finding("future_time", WARNING, what, n, effect, mend, _when(case, future))


def _disorder(case: Case, when: npt.NDArray[np.int64]) -> Iterator[Finding]:
    """Find the few rows that are earlier than the one before, where rows were meant to be in order.

    Rows that are grouped by user start anew with each user; there only steps within a user count.
    """
    user = case.ratings.user
    back = when[1:] < when[:-1]
    if np.count_nonzero(user[1:] != user[:-1]) < 2 * len(case.ratings.users):
        back &= user[1:] == user[:-1]
    n = int(np.count_nonzero(back))
    if not 0 < n <= MISPLACED * len(when):
        return
    what = f"{plural(n, 'row')} of {len(when):,} {'is' if n == 1 else 'are'} earlier than the row before; "
    what += "the others are in order of time."
    effect = "A split by the order of rows is not quite one by time; ByTime() goes by the times themselves."
    rows = np.append(False, back)
    yield Finding("disorder", NOTE, what, n, effect, "", _when(case, rows))


def _bursts(case: Case, when: npt.NDArray[np.int64]) -> Iterator[Finding]:
    """Find users who gave many ratings in the same second."""
    users, starts, counts = _same_second(case.ratings.user, when, len(case.ratings.users))
    many = counts >= BURST
    if not many.any():
        return
    worst = int(np.argmax(counts))
    severe = counts >= FORM
    chosen = severe if severe.any() else many
    n, who = int(counts[chosen].sum()), np.unique(users[chosen])
    least = FORM if severe.any() else BURST
    at = moment(int(starts[worst]))
    name = example(case.ratings.users, users[worst])
    what = (
        f"{plural(n, 'rating')} ({100 * n / len(when):.2g} %) by {plural(len(who), 'user')} came {least} or "
    )
    what += f"more in one second; at most {counts[worst]:,}, by user {name} at {at}."
    effect = "They have no order in time, so what came first cannot be learned from them."
    if severe.any():
        effect = "Nobody gives so many: an import or a script did, and it counts like opinions."
    order = np.argsort(-counts[chosen], kind="stable")[:SHOWN]
    shown = [
        f"user {example(case.ratings.users, users[chosen][place])}: {counts[chosen][place]:,} at "
        f"{moment(int(starts[chosen][place]))}"
        for place in order
    ]
    mend = without_ids(case, "user", who.tolist()) if severe.any() else ""
    dots = ("...",) if int(chosen.sum()) > SHOWN else ()
    yield Finding("burst", WARNING if severe.any() else NOTE, what, n, effect, mend, (*shown, *dots))


def _same_second(user: Any, when: npt.NDArray[np.int64], users: int) -> tuple[Any, Any, Any]:
    """Return user, time and number of ratings of each user and second."""
    first, span = int(when.min()), int(when.max()) - int(when.min()) + 1
    if users * span < 2**63:
        key, counts = np.unique(user * np.int64(span) + (when - first), return_counts=True)
        return key // span, key % span + first, counts
    order = np.lexsort((when, user))
    starts = np.flatnonzero(
        np.r_[True, (user[order][1:] != user[order][:-1]) | (when[order][1:] != when[order][:-1])]
    )
    return user[order[starts]], when[order[starts]], np.diff(np.r_[starts, len(order)])


def _when(case: Case, chosen: npt.NDArray[np.bool_]) -> tuple[str, ...]:
    """Name the first few rows by their pairs and times."""
    ratings = case.ratings
    rows = np.flatnonzero(chosen)
    times = np.zeros(len(ratings), np.int64) if ratings.when is None else ratings.when
    shown = tuple(f"{pair(ratings, row)}: {times[row]}" for row in rows[:SHOWN])
    return shown + (("...",) if len(rows) > SHOWN else ())
