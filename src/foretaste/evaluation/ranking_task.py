"""Whom ranked lists are judged for and by what: fixed once for all models, and in words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from foretaste._native import count_repeats, group_rows
from foretaste._utils.formatting import plural
from foretaste._utils.threads import thread_count
from foretaste.errors import BadData, InvalidParameter, did_you_mean
from foretaste.ids import IdArray, IdIndex, Indices
from foretaste.ratings import Ratings

Doubles = npt.NDArray[np.float64]

GAINS = ("binary", "linear", "exponential")
_WORDS = ("all", "above_user_mean")


@dataclass(frozen=True, eq=False)
class Question:
    """What lists are to answer: for each judged user, which items are relevant.

    Parameters
    ----------
    train, test : Ratings
    users : array of int64 or of str, shape (judged,)
        Those with a relevant item, increasing.
    place : int32 array, shape (judged,)
        The index of each of them in ``train.users``; -1 = not there.
    own : int32 array, shape (judged,)
        The same in ``test.users``.
    items : IdIndex
        The items of both parts: the numbers by which lists are compared.
    user, item : int32 array, shape (pairs,)
        The relevant pairs: a number of ``users``, grouped, and one of ``items``.
    gain : float64 array, shape (pairs,), or None
    words : str
        What is relevant.
    left_out : int
        How many users of ``test`` have no relevant item.
    """

    train: Ratings
    test: Ratings
    users: IdArray
    place: Indices
    own: Indices
    items: IdIndex
    user: Indices
    item: Indices
    gain: Doubles | None
    words: str
    left_out: int

    def train_rows(self) -> tuple[npt.NDArray[np.int64], Indices]:
        """Return starts, shape (judged + 1,), and items (of ``train.items``) that each user has rated."""
        return _rows_of(self.train, self.place)

    def test_rows(self) -> tuple[npt.NDArray[np.int64], Indices]:
        """Return the same of ``test``, in items of ``test.items``."""
        return _rows_of(self.test, self.own)

    @property
    def unreachable(self) -> int:
        """How many relevant pairs have an item that nobody rated in ``train``."""
        known = self.train.items.remap(self.items.ids) >= 0
        return int(np.count_nonzero(~known[self.item]))

    def notes(self) -> list[str]:
        """Return what there is to say about who and what is judged."""
        notes = []
        if self.left_out:
            notes.append(f"left out, because nothing is relevant for them: {plural(self.left_out, 'user')}")
        new = int(np.count_nonzero(self.place < 0))
        if new:
            notes.append(
                f"judged by what models fall back to, as they rated nothing in train: {plural(new, 'user')}"
            )
        if self.unreachable:
            what = plural(self.unreachable, "relevant rating")
            notes.append(f"{what} of {len(self.item):,} out of reach: nobody rated the item in train")
        return notes


def ask(train: Ratings, test: Ratings, relevant: Any, gain: str) -> Question:
    """Decide who is judged, and by what.

    Raises
    ------
    InvalidParameter
        If ``relevant`` or ``gain`` is not allowed.
    BadData
        If a pair stands in both parts, or nothing is relevant.
    """
    if gain not in GAINS:
        raise InvalidParameter(
            f"gain={gain!r} is not allowed{did_you_mean(gain, GAINS)}",
            hint=" or ".join(f'gain="{word}"' for word in GAINS),
        )
    chosen, words = _relevant(train, test, relevant)
    items = IdIndex(np.union1d(train.items.ids, test.items.ids))
    _check_apart(train, test, items)
    rows = np.flatnonzero(chosen)
    starts, order = group_rows(test.user[rows], len(test.users))
    own = np.flatnonzero(np.diff(starts)).astype(np.int32)
    rows = rows[order]
    user = np.repeat(np.arange(len(own), dtype=np.int32), np.diff(starts)[own])
    users = test.users.ids[own]
    return Question(
        train=train, test=test, users=users, place=train.users.remap(users), own=own, items=items,
        user=user, item=items.remap(test.items.ids)[test.item[rows]],
        gain=_gain(test.value[rows], train, test, gain), words=words, left_out=len(test.users) - len(own),
    )  # fmt: skip


def _relevant(train: Ratings, test: Ratings, relevant: Any) -> tuple[npt.NDArray[np.bool_], str]:
    """Return which rows of ``test`` are relevant, and what that means."""
    if isinstance(relevant, str) and relevant in _WORDS:
        if relevant == "all":
            return np.ones(len(test), np.bool_), "every rating is relevant"
        mean = train.value.mean(dtype=np.float64)
        counts = np.bincount(train.user, minlength=len(train.users))
        own = np.bincount(train.user, train.value, len(train.users)) / np.maximum(counts, 1)
        place = train.users.remap(test.users.ids)
        bar = np.where(place >= 0, own[place], mean)[test.user]
        words = "relevant is what was rated above the user's mean in train"
        chosen = np.asarray(test.value > bar)
    elif isinstance(relevant, int | float) and not isinstance(relevant, bool) and np.isfinite(relevant):
        words = f"relevant is what was rated at least {float(relevant):g}"
        chosen = np.asarray(test.value >= relevant)
    else:
        raise InvalidParameter(
            f"relevant={relevant!r} is not allowed; it must be a rating"
            + (", " + ", ".join(f'"{word}"' for word in _WORDS) + did_you_mean(relevant, _WORDS)),
            hint='relevant=4.0, relevant="all" or relevant="above_user_mean"',
        )
    if not chosen.any():
        raise BadData(
            f"nothing is relevant: {words}, and test has ratings from {test.value.min():g} to "
            f"{test.value.max():g}",
            hint='relevant="above_user_mean"',
        )
    return chosen, words


def _check_apart(train: Ratings, test: Ratings, items: IdIndex) -> None:
    """Refuse parts that share pairs: lists leave out what was rated in train."""
    known = train.users.remap(test.users.ids)[test.user]
    rows = known >= 0
    item = np.r_[items.remap(train.items.ids)[train.item], items.remap(test.items.ids)[test.item[rows]]]
    user = np.r_[train.user, known[rows]]
    shared = count_repeats(user, item, len(train.users), len(items), thread_count())
    if shared:
        raise BadData(
            f"{plural(shared, 'rating')} of test is of a user and an item that train has a rating of, too; "
            "what is learned from must not be judged by",
            hint="rows of test that are not in train",
        )


def _gain(value: Any, train: Ratings, test: Ratings, gain: str) -> Doubles | None:
    """Return the gain of each relevant row: ratings, moved up where some are below 0."""
    if gain == "binary":
        return None
    low = min(0.0, float(train.value.min()), float(test.value.min()), *(train.scale or ())[:1])
    gains = value.astype(np.float64) - low
    if gain == "linear":
        return np.asarray(gains)
    if gains.max() > 1000:
        raise BadData(f"a gain of 2**{gains.max():g} is no number to count with", hint='gain="linear"')
    return np.asarray(np.exp2(gains) - 1)


def _rows_of(ratings: Ratings, place: Indices) -> tuple[npt.NDArray[np.int64], Indices]:
    starts, order = ratings.by_user()
    starts = np.r_[starts, starts[-1]]  # a last row that is empty, for those who are not there
    rows = np.where(place < 0, len(ratings.users), place)
    length = np.diff(starts)[rows]
    ends = np.r_[0, np.cumsum(length)].astype(np.int64)
    places = np.arange(ends[-1]) + np.repeat(starts[rows] - ends[:-1], length)
    return ends, ratings.item[order[places]]
