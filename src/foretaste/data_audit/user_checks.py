"""Findings about users and items: who tells nothing, who tells too much, and what no path connects."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from foretaste._utils.formatting import format_count
from foretaste.data_audit.findings import NOTE, WARNING, Finding
from foretaste.data_audit.source import AuditInput
from foretaste.data_audit.sql_conditions import MAX_EXAMPLES, exclude_ids_hint, format_id
from foretaste.typing import Float64Array, Int64Array

MIN_CONSTANT_RATINGS = 10  # ratings after which giving one and the same is no chance
NEARLY_CONSTANT_STD = (
    0.02  # of the range that 90 % of all ratings are in: a deviation that is a trembling hand
)
WARNING_SHARE = 0.05  # of all ratings: so many that tell nothing change what models learn
HEAVY_USER_FACTOR = 10  # times as many ratings as 99 % of the users gave
ALL_ITEMS_SHARE = 0.9  # of the items, where they are many and others rated few: a crawler or a test account
MIN_HEAVY_ITEMS = 100  # items that nobody rates by hand one and all
COLD_START_SHARE = (
    0.01  # of the rows that are judged: from here on the error tells of guesses, not of the model
)


def check_users(data: AuditInput) -> Iterator[Finding]:
    """Yield what is odd about users and items."""
    if len(data.ratings) < 2:
        return
    yield from _check_constant_users(data)
    yield from _check_heavy_users(data)
    yield from _check_single_ratings(data, "user", data.user_counts)
    yield from _check_single_ratings(data, "item", data.item_counts)
    yield from _check_disconnected_parts(data)


def user_stds(data: AuditInput) -> Float64Array:
    """Return the standard deviation of each user's ratings, shape (users,)."""
    ratings, n = data.ratings, data.user_counts
    value = ratings.value.astype(np.float64)
    mean = np.bincount(ratings.user, value, len(n)) / n
    sum_of_squares = np.bincount(ratings.user, (value - mean[ratings.user]) ** 2, len(n))
    std: Float64Array = np.sqrt(sum_of_squares / n)
    return std


def _check_constant_users(data: AuditInput) -> Iterator[Finding]:
    """Find users who gave the same rating again and again."""
    if len(data.value_counts[0]) < 2:  # one_value says it of all of them
        return
    width = data.rating_quantile(0.95) - data.rating_quantile(0.05)
    std = user_stds(data)
    has_min_ratings = data.user_counts >= MIN_CONSTANT_RATINGS
    is_exact = has_min_ratings & (std == 0)  # sums of equal float32 are exact in float64
    codes = np.flatnonzero(has_min_ratings & (std <= NEARLY_CONSTANT_STD * width))
    if not len(codes):
        return
    rows = int(data.user_counts[codes].sum())
    severity = WARNING if rows >= WARNING_SHARE * len(data.ratings) else NOTE
    message = f"{format_count(len(codes), 'user')} gave (nearly) the same rating {MIN_CONSTANT_RATINGS} times or more "
    message += (
        f"({format_count(int(is_exact.sum()), 'user')} exactly), {format_count(rows, 'rating')} in all."
    )
    impact = "They tell a model nothing about items, and make its error look smaller than it is for others."
    means = np.bincount(data.ratings.user, data.ratings.value, len(has_min_ratings)) / data.user_counts
    examples = [
        f"user {format_id(data.ratings.users, code)}: {means[code]:.4g}, {data.user_counts[code]:,} times"
        for code in codes[np.argsort(-data.user_counts[codes], kind="stable")][:MAX_EXAMPLES]
    ]
    ellipsis = ("...",) if len(codes) > MAX_EXAMPLES else ()
    fix = exclude_ids_hint(data, "user", codes.tolist())
    yield Finding("constant_users", severity, message, len(codes), impact, fix, (*examples, *ellipsis))


def _check_heavy_users(data: AuditInput) -> Iterator[Finding]:
    """Find users with far more ratings than the others, or with nearly every item."""
    counts, n_items = data.user_counts, len(data.ratings.items)
    typical = np.quantile(counts, 0.99, method="lower") if len(counts) >= 100 else np.median(counts)
    is_heavy = (counts > HEAVY_USER_FACTOR * typical) & (counts >= MIN_HEAVY_ITEMS)
    is_heavy |= (
        (counts >= ALL_ITEMS_SHARE * n_items)
        & (n_items >= MIN_HEAVY_ITEMS)
        & (counts > HEAVY_USER_FACTOR * np.median(counts))
    )
    is_heavy &= np.mean(is_heavy) <= 0.01  # where one in a hundred does, it is a way of using the place
    codes = np.flatnonzero(is_heavy)
    if not len(codes):
        return
    rows = int(counts[codes].sum())
    message = f"{format_count(len(codes), 'user')} gave far more ratings than the others: {format_count(rows, 'rating')}, "
    message += (
        f"{100 * rows / len(data.ratings):.2g} % of all; most users gave {int(np.median(counts)):,} or fewer."
    )
    impact = "Their taste, or that of a program, weighs in every item's mean and in every similarity."
    examples = [
        f"user {format_id(data.ratings.users, code)}: {counts[code]:,} of {n_items:,} items"
        for code in codes[np.argsort(-counts[codes], kind="stable")][:MAX_EXAMPLES]
    ]
    ellipsis = ("...",) if len(codes) > MAX_EXAMPLES else ()
    fix = exclude_ids_hint(data, "user", codes.tolist())
    yield Finding("heavy_users", NOTE, message, len(codes), impact, fix, (*examples, *ellipsis))


def _check_single_ratings(data: AuditInput, entity: str, counts: Int64Array) -> Iterator[Finding]:
    """Find users or items with one rating."""
    index = data.ratings.users if entity == "user" else data.ratings.items
    codes = np.flatnonzero(counts == 1)
    if not len(codes):
        return
    clause = "gave one rating only" if entity == "user" else "known by one rating only"
    verb = "" if entity == "user" else "is " if len(codes) == 1 else "are "
    message = f"{format_count(len(codes), entity)} of {len(index):,} ({100 * len(codes) / len(index):.2g} %) {verb}{clause}."
    impact = "Held out, that rating is predicted without knowing its user."
    if entity == "item":
        impact = (
            "Held out, that rating is predicted without knowing its item; learned from, it is one opinion."
        )
    examples = tuple(format_id(index, code) for code in codes[:MAX_EXAMPLES]) + (
        ("...",) if len(codes) > MAX_EXAMPLES else ()
    )
    fix = f"ratings.k_core(min_{entity}_ratings=2) keeps the ratings of the others"
    yield Finding(f"one_rating_{entity}s", NOTE, message, len(codes), impact, fix, examples)


def _check_disconnected_parts(data: AuditInput) -> Iterator[Finding]:
    """Find users and items that no chain of ratings connects with most of the others."""
    from scipy.sparse.csgraph import connected_components

    n, label = connected_components(_rating_graph(data.ratings), directed=False)
    if n == 1:
        return
    n_users = len(data.ratings.users)
    rows = np.bincount(label[data.ratings.user], minlength=n)
    is_outside = label != rows.argmax()
    codes = np.flatnonzero(is_outside[:n_users])
    n_ratings = len(data.ratings) - int(rows.max())
    message = f"{format_count(n - 1, 'part')} of the data {'has' if n == 2 else 'have'} no user and no item in common "
    message += f"with the rest: {format_count(len(codes), 'user')}, {format_count(int(is_outside[n_users:].sum()), 'item')}, "
    message += f"{format_count(n_ratings, 'rating')}."
    impact = "What is learned there says nothing about the rest; only means can be compared between parts."
    examples = tuple(f"user {format_id(data.ratings.users, code)}" for code in codes[:MAX_EXAMPLES])
    ellipsis = ("...",) if len(codes) > MAX_EXAMPLES else ()
    fix = exclude_ids_hint(data, "user", codes.tolist())
    yield Finding("parts", NOTE, message, n - 1, impact, fix, examples + ellipsis)


def _rating_graph(ratings: Any) -> Any:
    """Return who rated what as a graph: users first, then items."""
    from scipy.sparse import csr_array

    starts, rows = ratings.group_by_user()
    size = len(ratings.users) + len(ratings.items)
    starts = np.concatenate([starts, np.full(len(ratings.items), starts[-1])])
    ends = ratings.item[rows] + np.int32(len(ratings.users))
    return csr_array((np.ones(len(rows), np.int8), ends, starts), shape=(size, size))


def check_cold_start(data: AuditInput, cold_start: dict[str, dict[str, Any] | None]) -> Iterator[Finding]:
    """Find that a split leaves many rows to be judged whose user or item is unknown.

    Parameters
    ----------
    data : Case
    cold_start : dict
        Of the facts: the shares by split.
    """
    names = {
        "hold_out": (f"HoldOut(0.2, seed={data.seed})", "20 % of the rows"),
        "leave_one_out": (f"LeaveNOut(1, seed={data.seed})", "one rating of each user"),
    }
    for key, (split, description) in names.items():
        shares = cold_start[key]
        if shares is None or shares["unknown_any"] < COLD_START_SHARE:
            continue
        n = round(shares["unknown_any"] * shares["rows"])
        message = f"Of {shares['rows']:,} rows held out by {split} ({description}), {n:,} "
        message += f"({100 * shares['unknown_any']:.2g} %) have an unknown user "
        message += f"({100 * shares['unknown_user']:.2g} %) or item ({100 * shares['unknown_item']:.2g} %)."
        impact = "No model can know them; all answer with what is left, and the error says little about them."
        fix = "ratings.k_core(min_user_ratings=5, min_item_ratings=5) keeps what can be judged"
        yield Finding(f"cold_{key}", NOTE, message, n, impact, fix)
