"""Which rows are learned from and which are judged by, fixed once for all models, and in words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from foretaste._utils.formatting import plural
from foretaste.errors import BadData, InvalidParameter
from foretaste.evaluation.leakage import SHARED_WORDS, checked_rows, without_shared
from foretaste.ratings import Ratings
from foretaste.splits import ByTime, ColdItems, ColdUsers, HoldOut, KFold, LeaveNOut, Rows, WarmOnly
from foretaste.validation import check_kinds


@dataclass(frozen=True, eq=False)
class Protocol:
    """The folds of one comparison.

    Parameters
    ----------
    ratings : Ratings
        All ratings; with ``test``, only those learned from.
    test : Ratings, optional
        Judged by instead of a part of ``ratings``.
    rows : tuple of (train_rows, test_rows)
        One pair a fold; empty with ``test``.
    words : str
        The protocol as a sentence.
    """

    ratings: Ratings
    test: Ratings | None
    rows: tuple[tuple[Rows, Rows], ...]
    words: str

    def __len__(self) -> int:
        return len(self.rows) or 1

    def parts(self, fold: int) -> tuple[Ratings, Ratings]:
        """Return the ratings to learn from and those to judge by; ids of one part stay in that part."""
        if self.test is not None:
            return self.ratings, self.test
        train_rows, test_rows = self.rows[fold]
        return self.ratings[train_rows], self.ratings[test_rows]

    def judged(self, fold: int) -> Ratings:
        """Return the ratings to judge by."""
        return self.ratings[self.rows[fold][1]] if self.test is None else self.test

    def judged_users(self, fold: int) -> npt.NDArray[np.int32]:
        """Return the user of each row judged, as one number in all folds, shape (n,)."""
        return self.ratings.user[self.rows[fold][1]] if self.test is None else self.test.user

    def judged_values(self, fold: int) -> npt.NDArray[np.float32]:
        """Return the rating of each row judged, shape (n,)."""
        return self.ratings.value[self.rows[fold][1]] if self.test is None else self.test.value


def make_protocol(
    ratings: Ratings,
    split: Any,
    test: Ratings | None,
    *,
    warm_only: bool = False,
    shared_rows: str = "refuse",
) -> Protocol:
    """Fix the folds of a comparison.

    Parameters
    ----------
    ratings : Ratings
    split : Split, optional
        Default: ``HoldOut(0.2, seed=0)``.
    test : Ratings, optional
        Instead of a split.
    warm_only : bool
        Judge only rows whose user and item are learned from.
    shared_rows : {"refuse", "judge", "learn"}
        What to do with pairs that stand in ``ratings`` and in ``test``.

    Raises
    ------
    InvalidParameter
        If both are given, or the split is none.
    BadData
        If a part is empty, a row stands in both parts, or no id of ``test`` occurs in ``ratings``.
    """
    if test is not None:
        if split is not None:
            raise InvalidParameter(
                "split and test are both given; rows are either split or given apart", hint="test="
            )
        return _apart(ratings, test, warm_only, shared_rows)
    split = HoldOut(0.2, seed=0) if split is None else split
    if not hasattr(split, "split"):
        raise InvalidParameter(
            f"split={split!r} is no split", hint="HoldOut(0.2, seed=0), KFold(5), ByTime(0.2), ..."
        )
    split = WarmOnly(split) if warm_only and not isinstance(split, WarmOnly) else split
    rows = tuple(checked_rows(split, part, ratings) for part in split.split(ratings))
    if not rows:
        raise BadData(f"{split!r} yields no rows to learn from and to judge by")
    return Protocol(ratings, None, rows, f"{_words(split)}: {_counts(rows, len(ratings))}")


def _apart(ratings: Ratings, test: Ratings, warm_only: bool, shared_rows: str) -> Protocol:
    """Return the protocol of rows given apart."""
    _check_apart(ratings, test)
    ratings, test, said = without_shared(ratings, test, shared_rows)
    if warm_only:
        user, item = (
            known.remap(given.ids)[codes] >= 0
            for known, given, codes in (
                (ratings.users, test.users, test.user),
                (ratings.items, test.items, test.item),
            )
        )
        if not (user & item).any():
            raise BadData("no row to judge by has a user and an item that are learned from")
        test = test[user & item]
    kind = "rows given apart" + said + (_WARM if warm_only else "")
    words = f"{kind}: {len(ratings):,} to learn from, {len(test):,} to judge by"
    return Protocol(ratings, test, (), words)


_WARM = ", judged only where user and item are known"


def apart_arguments(words: str) -> list[str]:
    """Return the arguments of ``compare`` that the words of a protocol of rows given apart tell of.

    Parameters
    ----------
    words : str
        Of a ``Protocol``.
    """
    told = [f'shared_rows="{how}"' for how, said in SHARED_WORDS.items() if said in words]
    return told + ["warm_only=True"] * (_WARM in words)


def _check_apart(ratings: Ratings, test: Ratings) -> None:
    for part, name in ((ratings, "learn from"), (test, "judge by")):
        if len(part) == 0:
            raise BadData(f"there are no ratings to {name}")
    check_kinds(test.users, ratings.users, "user")
    check_kinds(test.items, ratings.items, "item")
    known = (ratings.users.remap(test.users.ids) >= 0).any() or (
        ratings.items.remap(test.items.ids) >= 0
    ).any()
    if not known:
        raise BadData(
            "no user and no item to judge by occurs in the ratings to learn from; are both of one data set?"
        )


def _words(split: Any) -> str:
    """Say in words what a split does, without its counts."""
    match split:
        case HoldOut():
            return f"hold-out, {_percent(split.test_size)} of the rows, seed {split.seed}"
        case KFold():
            return f"{split.folds}-fold cross-validation, seed {split.seed}"
        case WarmOnly():
            return _words(split.base) + _WARM
        case LeaveNOut(n=1):
            return f"leave one out: 1 rating of each user who has more held out, seed {split.seed}"
        case LeaveNOut():
            return f"{plural(split.n, 'rating')} of each user who has more held out, seed {split.seed}"
        case ByTime():
            return f"the latest {_percent(split.test_size)} of the rows held out"
        case ColdUsers():
            return f"{_percent(split.share)} of the users never learned from, seed {split.seed}"
        case ColdItems():
            return f"{_percent(split.share)} of the items never learned from, seed {split.seed}"
    return f"split by {split!r}"


def _percent(share: float) -> str:
    return f"{100 * share:.4g} %"


def _counts(rows: tuple[tuple[Rows, Rows], ...], total: int) -> str:
    if len(rows) == 1:
        return f"{len(rows[0][0]):,} to learn from, {len(rows[0][1]):,} to judge by"
    judged = sum(len(test_rows) for _, test_rows in rows)
    if judged == total:
        return (
            f"each of the {total:,} rows judged once; means of {len(rows)} folds, +- their standard deviation"
        )
    return f"{judged:,} rows judged in {len(rows)} folds; their means, +- their standard deviation"
