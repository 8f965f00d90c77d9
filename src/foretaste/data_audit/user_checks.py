"""Checks users and items: constant and heavy users, single ratings, disconnected parts, cold start."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from foretaste._utils.formatting import format_count
from foretaste._utils.groupby import group_mean
from foretaste.data_audit.findings import NOTE, WARNING, Finding
from foretaste.data_audit.source import AuditInput
from foretaste.data_audit.sql_conditions import MAX_EXAMPLES, exclude_ids_hint, format_id
from foretaste.typing import Float64Array, Int64Array

MIN_CONSTANT_RATINGS = 10  # ratings of a user from which equal ones are no coincidence
NEARLY_CONSTANT_STD = 0.02  # standard deviation, as a fraction of the central 90 % range of all ratings
WARNING_SHARE = 0.05  # fraction of all ratings from which constant users are a warning
HEAVY_USER_FACTOR = 10  # times the 99 % quantile of ratings per user
ALL_ITEMS_SHARE = 0.9  # fraction of the items: a crawler or a test account
MIN_HEAVY_ITEMS = 100  # ratings of a heavy user, at least
COLD_START_SHARE = 0.01  # fraction of cold-start rows in the test set from which it is noted


def check_users(data: AuditInput) -> Iterator[Finding]:
    """Yield findings about users and items."""
    if len(data.ratings) < 2:
        return
    yield from _check_constant_users(data)
    yield from _check_heavy_users(data)
    yield from _check_single_ratings(data, "user", data.user_counts)
    yield from _check_single_ratings(data, "item", data.item_counts)
    yield from _check_disconnected_parts(data)


def user_stds(data: AuditInput) -> Float64Array:
    """Return the standard deviation of each user's ratings, shape (users,)."""
    ratings, n = data.ratings, len(data.ratings.users)
    value = ratings.value.astype(np.float64)
    mean = group_mean(ratings.user, value, n)
    return np.asarray(np.sqrt(group_mean(ratings.user, (value - mean[ratings.user]) ** 2, n)))


def _check_constant_users(data: AuditInput) -> Iterator[Finding]:
    """Find users whose ratings are all (nearly) equal."""
    if len(data.value_counts[0]) < 2:  # reported as one_value
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
    message = f"{format_count(len(codes), 'user')} gave (nearly) the same rating "
    message += f"{MIN_CONSTANT_RATINGS} times or more "
    message += (
        f"({format_count(int(is_exact.sum()), 'user')} exactly), {format_count(rows, 'rating')} in all."
    )
    impact = "They tell a model nothing about items, and make its error look smaller than it is for others."
    means = group_mean(data.ratings.user, data.ratings.value, len(has_min_ratings))
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
    is_heavy &= np.mean(is_heavy) <= 0.01  # if more than 1 % do, it is normal use
    codes = np.flatnonzero(is_heavy)
    if not len(codes):
        return
    rows = int(counts[codes].sum())
    message = f"{format_count(len(codes), 'user')} gave far more ratings than the others: "
    message += f"{format_count(rows, 'rating')}, "
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
    """Find users or items with a single rating."""
    index = data.ratings.users if entity == "user" else data.ratings.items
    codes = np.flatnonzero(counts == 1)
    if not len(codes):
        return
    clause = "gave one rating only" if entity == "user" else "known by one rating only"
    verb = "" if entity == "user" else "is " if len(codes) == 1 else "are "
    share = 100 * len(codes) / len(index)
    message = f"{format_count(len(codes), entity)} of {len(index):,} ({share:.2g} %) {verb}{clause}."
    impact = "Held out, that rating is predicted without knowing its user."
    if entity == "item":
        impact = (
            "Held out, that rating is predicted without knowing its item; in training, it is one opinion."
        )
    examples = tuple(format_id(index, code) for code in codes[:MAX_EXAMPLES]) + (
        ("...",) if len(codes) > MAX_EXAMPLES else ()
    )
    fix = f"ratings.k_core(min_{entity}_ratings=2) keeps the ratings of the others"
    yield Finding(f"one_rating_{entity}s", NOTE, message, len(codes), impact, fix, examples)


def _check_disconnected_parts(data: AuditInput) -> Iterator[Finding]:
    """Find users and items outside the largest connected component of the rating graph."""
    from scipy.sparse.csgraph import connected_components

    n, label = connected_components(_rating_graph(data.ratings), directed=False)
    if n == 1:
        return
    n_users = len(data.ratings.users)
    rows = np.bincount(label[data.ratings.user], minlength=n)
    is_outside = label != rows.argmax()
    codes = np.flatnonzero(is_outside[:n_users])
    n_ratings = len(data.ratings) - int(rows.max())
    n_items = int(is_outside[n_users:].sum())
    message = f"{format_count(n - 1, 'part')} of the data {'has' if n == 2 else 'have'} "
    message += "no user and no item in common with the rest: "
    message += f"{format_count(len(codes), 'user')}, {format_count(n_items, 'item')}, "
    message += f"{format_count(n_ratings, 'rating')}."
    impact = (
        "What a model learns there says nothing about the rest; only means can be compared between parts."
    )
    examples = tuple(f"user {format_id(data.ratings.users, code)}" for code in codes[:MAX_EXAMPLES])
    ellipsis = ("...",) if len(codes) > MAX_EXAMPLES else ()
    fix = exclude_ids_hint(data, "user", codes.tolist())
    yield Finding("parts", NOTE, message, n - 1, impact, fix, examples + ellipsis)


def _rating_graph(ratings: Any) -> Any:
    """Return the rating graph: users first, then items."""
    from scipy.sparse import csr_array

    starts, rows = ratings.group_by_user()
    size = len(ratings.users) + len(ratings.items)
    starts = np.concatenate([starts, np.full(len(ratings.items), starts[-1])])
    ends = ratings.item[rows] + np.int32(len(ratings.users))
    return csr_array((np.ones(len(rows), np.int8), ends, starts), shape=(size, size))


def check_cold_start(data: AuditInput, cold_start: dict[str, dict[str, Any] | None]) -> Iterator[Finding]:
    """Find splits with many cold-start rows in the test set.

    Parameters
    ----------
    data : Case
    cold_start : dict
        The cold-start fractions of the summary, by split.
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
        fix = "ratings.k_core(min_user_ratings=5, min_item_ratings=5) keeps what can be predicted"
        yield Finding(f"cold_{key}", NOTE, message, n, impact, fix)
