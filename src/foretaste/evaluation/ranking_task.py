"""The task that ranked lists are evaluated on: test users and their relevant items."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from foretaste._native import count_repeats, group_rows
from foretaste._utils.checks import check_choice, closest_choice
from foretaste._utils.formatting import format_count
from foretaste._utils.groupby import group_mean
from foretaste._utils.threads import resolve_threads
from foretaste.errors import DataError, Hint, InvalidParameterError
from foretaste.ids import IdIndex
from foretaste.ratings import Ratings
from foretaste.typing import BoolArray, Float64Array, IdArray, IndexArray, Int64Array

GAINS = ("binary", "linear", "exponential")
_RELEVANCE_RULES = ("all", "above_user_mean")


@dataclass(frozen=True, eq=False)
class RankingTask:
    """Relevant items of each test user.

    Parameters
    ----------
    train, test : Ratings
    users : array of int64 or of str, shape (n_users,)
        Ids of the test users with a relevant item, increasing.
    train_indices : int32 array, shape (n_users,)
        Their indices in ``train.users``; -1 = unknown.
    test_indices : int32 array, shape (n_users,)
        Their indices in ``test.users``.
    items : IdIndex
        The items of both parts; lists hold indices into it.
    user, item : int32 array, shape (pairs,)
        The relevant pairs as indices into ``users`` (grouped) and ``items``.
    gain : float64 array, shape (pairs,), or None
        Gain of each pair in nDCG; None = 1.
    description : str
        The definition of relevance.
    n_without_relevant : int
        Number of users of ``test`` without a relevant item.
    """

    train: Ratings
    test: Ratings
    users: IdArray
    train_indices: IndexArray
    test_indices: IndexArray
    items: IdIndex
    user: IndexArray
    item: IndexArray
    gain: Float64Array | None
    description: str
    n_without_relevant: int

    def rated_in_train(self) -> tuple[Int64Array, IndexArray]:
        """Return starts, shape (n_users + 1,), and the items of ``train.items`` that each user rated."""
        return _rated_items(self.train, self.train_indices)

    def rated_in_test(self) -> tuple[Int64Array, IndexArray]:
        """Return the same for ``test``, in items of ``test.items``."""
        return _rated_items(self.test, self.test_indices)

    @property
    def n_unreachable(self) -> int:
        """Number of relevant pairs whose item has no rating in ``train``."""
        known = self.train.items.indices_of(self.items.ids) >= 0
        return int(np.count_nonzero(~known[self.item]))

    def notes(self) -> list[str]:
        """Return notes about excluded users and unreachable items."""
        notes = []
        if self.n_without_relevant:
            notes.append(
                f"excluded, without a relevant test item: {format_count(self.n_without_relevant, 'user')}"
            )
        n_new = int(np.count_nonzero(self.train_indices < 0))
        if n_new:
            notes.append(f"new users, ranked by the fallback of each model: {n_new:,}")
        if self.n_unreachable:
            subject = format_count(self.n_unreachable, "relevant rating")
            notes.append(f"{subject} of {len(self.item):,} out of reach: the item has no training ratings")
        return notes


def make_ranking_task(train: Ratings, test: Ratings, relevant: Any, gain: str) -> RankingTask:
    """Determine the test users and their relevant items.

    Raises
    ------
    InvalidParameterError
        If ``relevant`` or ``gain`` is not allowed.
    DataError
        If a pair is in both parts, or no item is relevant.
    """
    check_choice("gain", gain, GAINS)
    mask, description = _relevant_rows(train, test, relevant)
    items = IdIndex(np.union1d(train.items.ids, test.items.ids))
    _check_disjoint(train, test, items)
    rows = np.flatnonzero(mask)
    starts, order = group_rows(test.user[rows], len(test.users))
    test_indices = np.flatnonzero(np.diff(starts)).astype(np.int32)
    rows = rows[order]
    user = np.repeat(np.arange(len(test_indices), dtype=np.int32), np.diff(starts)[test_indices])
    users = test.users.ids[test_indices]
    return RankingTask(
        train=train,
        test=test,
        users=users,
        train_indices=train.users.indices_of(users),
        test_indices=test_indices,
        items=items,
        user=user,
        item=items.indices_of(test.items.ids)[test.item[rows]],
        gain=_compute_gains(test.value[rows], train, test, gain),
        description=description,
        n_without_relevant=len(test.users) - len(test_indices),
    )


def _relevant_rows(train: Ratings, test: Ratings, relevant: Any) -> tuple[BoolArray, str]:
    """Return a mask of the relevant rows of ``test``, and the definition of relevance in words."""
    if isinstance(relevant, str) and relevant in _RELEVANCE_RULES:
        if relevant == "all":
            return np.ones(len(test), np.bool_), "every test item is relevant"
        mean = train.value.mean(dtype=np.float64)
        user_mean = group_mean(train.user, train.value, len(train.users))
        indices = train.users.indices_of(test.users.ids)
        threshold = np.where(indices >= 0, user_mean[indices], mean)[test.user]
        description = "items rated above the user's training mean are relevant"
        mask = np.asarray(test.value > threshold)
    elif isinstance(relevant, int | float) and not isinstance(relevant, bool) and np.isfinite(relevant):
        description = f"items rated at least {float(relevant):g} are relevant"
        mask = np.asarray(test.value >= relevant)
    else:
        raise InvalidParameterError(
            'it must be a rating, "all" or "above_user_mean"',
            argument=("relevant", relevant),
            hint=Hint({"relevant": closest_choice(relevant, (4.0, *_RELEVANCE_RULES))}),
        )
    if not mask.any():
        raise DataError(
            f"no test item is relevant: {description}, and test has ratings from {test.value.min():g} to "
            f"{test.value.max():g}",
            hint=Hint({"relevant": "above_user_mean"}),
        )
    return mask, description


def _check_disjoint(train: Ratings, test: Ratings, items: IdIndex) -> None:
    """Raise if the parts share pairs: items rated in ``train`` are excluded from lists."""
    indices = train.users.indices_of(test.users.ids)[test.user]
    rows = indices >= 0
    item = np.r_[
        items.indices_of(train.items.ids)[train.item], items.indices_of(test.items.ids)[test.item[rows]]
    ]
    user = np.r_[train.user, indices[rows]]
    n_shared = count_repeats(user, item, len(train.users), len(items), resolve_threads())
    if n_shared:
        raise DataError(
            f"{n_shared:,} of {format_count(len(test), 'test rating')} also occur in the training data "
            "(leakage)",
            hint="pass a test set without the pairs of ratings",
        )


def _compute_gains(value: Any, train: Ratings, test: Ratings, gain: str) -> Float64Array | None:
    """Return the gain of each relevant row: ratings, shifted if some are negative."""
    if gain == "binary":
        return None
    low = min(0.0, float(train.value.min()), float(test.value.min()), *(train.scale or ())[:1])
    gains = value.astype(np.float64) - low
    if gain == "linear":
        return np.asarray(gains)
    if gains.max() > 1000:
        raise DataError(f"a gain of 2**{gains.max():g} is too large", hint=Hint({"gain": "linear"}))
    return np.asarray(np.exp2(gains) - 1)


def _rated_items(ratings: Ratings, indices: IndexArray) -> tuple[Int64Array, IndexArray]:
    starts, order = ratings.group_by_user()
    starts = np.r_[starts, starts[-1]]  # an empty last row, for unknown users
    rows = np.where(indices < 0, len(ratings.users), indices)
    length = np.diff(starts)[rows]
    ends = np.r_[0, np.cumsum(length)].astype(np.int64)
    positions = np.arange(ends[-1]) + np.repeat(starts[rows] - ends[:-1], length)
    return ends, ratings.item[order[positions]]
