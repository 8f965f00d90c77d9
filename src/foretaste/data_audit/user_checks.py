"""Findings about users and items: who tells nothing, who tells too much, and what no path connects."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from foretaste._utils.formatting import plural
from foretaste.data_audit.findings import NOTE, WARNING, Finding
from foretaste.data_audit.source import Case
from foretaste.data_audit.sql_conditions import SHOWN, example, without_ids

ENOUGH = 10  # ratings after which giving one and the same is no chance
NEARLY = 0.02  # of the range that 90 % of all ratings are in: a deviation that is a trembling hand
WEIGHTY = 0.05  # of all ratings: so many that tell nothing change what models learn
HEAVY = 10  # times as many ratings as 99 % of the users gave
ALL_ITEMS = 0.9  # of the items, where they are many and others rated few: a crawler or a test account
MANY_ITEMS = 100  # items that nobody rates by hand one and all
COLD = 0.01  # of the rows that are judged: from here on the error tells of guesses, not of the model


def odd_people(case: Case) -> Iterator[Finding]:
    """Yield what is odd about users and items."""
    if len(case.ratings) < 2:
        return
    yield from _constant_users(case)
    yield from _heavy_users(case)
    yield from _single(case, "user", case.user_counts)
    yield from _single(case, "item", case.item_counts)
    yield from _apart(case)


def deviations(case: Case) -> npt.NDArray[np.float64]:
    """Return the standard deviation of each user's ratings, shape (users,)."""
    ratings, n = case.ratings, case.user_counts
    value = ratings.value.astype(np.float64)
    mean = np.bincount(ratings.user, value, len(n)) / n
    square = np.bincount(ratings.user, (value - mean[ratings.user]) ** 2, len(n))
    deviation: npt.NDArray[np.float64] = np.sqrt(square / n)
    return deviation


def _constant_users(case: Case) -> Iterator[Finding]:
    """Find users who gave the same rating again and again."""
    if len(case.distinct[0]) < 2:  # one_value says it of all of them
        return
    width = case.rating_quantile(0.95) - case.rating_quantile(0.05)
    deviation = deviations(case)
    enough = case.user_counts >= ENOUGH
    exact = enough & (deviation == 0)  # sums of equal float32 are exact in float64
    who = np.flatnonzero(enough & (deviation <= NEARLY * width))
    if not len(who):
        return
    rows = int(case.user_counts[who].sum())
    severity = WARNING if rows >= WEIGHTY * len(case.ratings) else NOTE
    what = f"{plural(len(who), 'user')} gave (nearly) the same rating {ENOUGH} times or more "
    what += f"({plural(int(exact.sum()), 'user')} exactly), {plural(rows, 'rating')} in all."
    effect = "They tell a model nothing about items, and make its error look smaller than it is for others."
    means = np.bincount(case.ratings.user, case.ratings.value, len(enough)) / case.user_counts
    shown = [
        f"user {example(case.ratings.users, code)}: {means[code]:.4g}, {case.user_counts[code]:,} times"
        for code in who[np.argsort(-case.user_counts[who], kind="stable")][:SHOWN]
    ]
    dots = ("...",) if len(who) > SHOWN else ()
    mend = without_ids(case, "user", who.tolist())
    yield Finding("constant_users", severity, what, len(who), effect, mend, (*shown, *dots))


def _heavy_users(case: Case) -> Iterator[Finding]:
    """Find users with far more ratings than the others, or with nearly every item."""
    counts, items = case.user_counts, len(case.ratings.items)
    usual = np.quantile(counts, 0.99, method="lower") if len(counts) >= 100 else np.median(counts)
    heavy = (counts > HEAVY * usual) & (counts >= MANY_ITEMS)
    heavy |= (counts >= ALL_ITEMS * items) & (items >= MANY_ITEMS) & (counts > HEAVY * np.median(counts))
    heavy &= np.mean(heavy) <= 0.01  # where one in a hundred does, it is a way of using the place
    who = np.flatnonzero(heavy)
    if not len(who):
        return
    rows = int(counts[who].sum())
    what = f"{plural(len(who), 'user')} gave far more ratings than the others: {plural(rows, 'rating')}, "
    what += (
        f"{100 * rows / len(case.ratings):.2g} % of all; most users gave {int(np.median(counts)):,} or fewer."
    )
    effect = "Their taste, or that of a program, weighs in every item's mean and in every similarity."
    shown = [
        f"user {example(case.ratings.users, code)}: {counts[code]:,} of {items:,} items"
        for code in who[np.argsort(-counts[who], kind="stable")][:SHOWN]
    ]
    dots = ("...",) if len(who) > SHOWN else ()
    mend = without_ids(case, "user", who.tolist())
    yield Finding("heavy_users", NOTE, what, len(who), effect, mend, (*shown, *dots))


def _single(case: Case, role: str, counts: npt.NDArray[np.int64]) -> Iterator[Finding]:
    """Find users or items with one rating."""
    index = case.ratings.users if role == "user" else case.ratings.items
    who = np.flatnonzero(counts == 1)
    if not len(who):
        return
    whom = "gave one rating only" if role == "user" else "known by one rating only"
    verb = "" if role == "user" else "is " if len(who) == 1 else "are "
    what = f"{plural(len(who), role)} of {len(index):,} ({100 * len(who) / len(index):.2g} %) {verb}{whom}."
    effect = "Held out, that rating is predicted without knowing its user."
    if role == "item":
        effect = (
            "Held out, that rating is predicted without knowing its item; learned from, it is one opinion."
        )
    shown = tuple(example(index, code) for code in who[:SHOWN]) + (("...",) if len(who) > SHOWN else ())
    mend = f"ratings.at_least({role}=2) keeps the ratings of the others"
    yield Finding(f"one_rating_{role}s", NOTE, what, len(who), effect, mend, shown)


def _apart(case: Case) -> Iterator[Finding]:
    """Find users and items that no chain of ratings connects with most of the others."""
    from scipy.sparse.csgraph import connected_components

    n, label = connected_components(_graph(case.ratings), directed=False)
    if n == 1:
        return
    users = len(case.ratings.users)
    rows = np.bincount(label[case.ratings.user], minlength=n)
    outside = label != rows.argmax()
    who = np.flatnonzero(outside[:users])
    ratings = len(case.ratings) - int(rows.max())
    what = f"{plural(n - 1, 'part')} of the data {'has' if n == 2 else 'have'} no user and no item in common "
    what += f"with the rest: {plural(len(who), 'user')}, {plural(int(outside[users:].sum()), 'item')}, "
    what += f"{plural(ratings, 'rating')}."
    effect = "What is learned there says nothing about the rest; only means can be compared between parts."
    shown = tuple(f"user {example(case.ratings.users, code)}" for code in who[:SHOWN])
    dots = ("...",) if len(who) > SHOWN else ()
    mend = without_ids(case, "user", who.tolist())
    yield Finding("parts", NOTE, what, n - 1, effect, mend, shown + dots)


def _graph(ratings: Any) -> Any:
    """Return who rated what as a graph: users first, then items."""
    from scipy.sparse import csr_array

    starts, rows = ratings.by_user()
    size = len(ratings.users) + len(ratings.items)
    starts = np.concatenate([starts, np.full(len(ratings.items), starts[-1])])
    ends = ratings.item[rows] + np.int32(len(ratings.users))
    return csr_array((np.ones(len(rows), np.int8), ends, starts), shape=(size, size))


def left_unknown(case: Case, cold: dict[str, dict[str, Any] | None]) -> Iterator[Finding]:
    """Find that a split leaves many rows to be judged whose user or item is unknown.

    Parameters
    ----------
    case : Case
    cold : dict
        Of the facts: the shares by split.
    """
    names = {
        "hold_out": (f"HoldOut(0.2, seed={case.seed})", "20 % of the rows"),
        "leave_one_out": (f"LeaveNOut(1, seed={case.seed})", "one rating of each user"),
    }
    for key, (split, held) in names.items():
        found = cold[key]
        if found is None or found["unknown_any"] < COLD:
            continue
        n = round(found["unknown_any"] * found["rows"])
        what = f"Of {found['rows']:,} rows held out by {split} ({held}), {n:,} "
        what += f"({100 * found['unknown_any']:.2g} %) have an unknown user "
        what += f"({100 * found['unknown_user']:.2g} %) or item ({100 * found['unknown_item']:.2g} %)."
        effect = "No model can know them; all answer with what is left, and the error says little about them."
        mend = "ratings.at_least(user=5, item=5) keeps what can be judged"
        yield Finding(f"cold_{key}", NOTE, what, n, effect, mend)
