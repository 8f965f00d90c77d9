"""Which rows to learn from and which to judge by: every split yields (train_rows, test_rows).

All of them can be given to scikit-learn as ``cv=``.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from foretaste.errors import BadData, InvalidParameter
from foretaste.ratings import Ratings
from foretaste.validation import as_ratings

Rows = npt.NDArray[np.intp]


class Split:
    """Base of the splits: ``split(ratings)`` yields row numbers, ``get_n_splits()`` says how many."""

    def split(self, X: Any, y: Any = None, groups: Any = None) -> Iterator[tuple[Rows, Rows]]:
        """Yield the rows to learn from and the rows to judge by (scikit-learn's protocol).

        Parameters
        ----------
        X : Ratings, frame or pairs
            Splits by time need times; others only the pairs.
        y, groups : ignored, but that y may carry the ratings
        """
        raise NotImplementedError

    def get_n_splits(self, X: Any = None, y: Any = None, groups: Any = None) -> int:
        """Return the number of splits."""
        return 1


def check_share(name: str, value: float) -> None:
    """Refuse what is no fraction between 0 and 1."""
    if not isinstance(value, float) or not 0 < value < 1:
        share = value / 100 if isinstance(value, int | float) and 1 < value < 100 else 0.2
        raise InvalidParameter(
            f"{name}={value!r} is not allowed; it must be a fraction between 0 and 1",
            hint=f"{name}={share:g}",
        )


def _as_seen(X: Any, y: Any) -> Ratings:
    """Encode whatever scikit-learn hands over; without ratings, zeros stand in."""
    return X if isinstance(X, Ratings) else as_ratings(X, np.zeros(len(X)) if y is None else y)


def _parts(test: npt.NDArray[np.bool_], what: str) -> tuple[Rows, Rows]:
    train_rows, test_rows = np.flatnonzero(~test), np.flatnonzero(test)
    if len(train_rows) == 0 or len(test_rows) == 0:
        raise BadData(f"{what} leaves {len(train_rows)} rows to learn from and {len(test_rows)} to judge by")
    return train_rows, test_rows


@dataclass(frozen=True)
class HoldOut(Split):
    """One random part: the same rows as scikit-learn's ``train_test_split(random_state=seed)``.

    Parameters
    ----------
    test_size : float
        The share of the rows that are judged, between 0 and 1.
    seed : int
        Chooses the rows.
    """

    test_size: float = 0.2
    seed: int = 0

    def split(self, X: Any, y: Any = None, groups: Any = None) -> Iterator[tuple[Rows, Rows]]:
        """Yield one pair of row numbers."""
        check_share("test_size", self.test_size)
        n = len(X)
        n_test = math.ceil(self.test_size * n)
        if n - n_test < 1 or n_test < 1:
            raise BadData(f"{n} ratings are too few to hold out {self.test_size:g} of them")
        order = np.random.RandomState(self.seed).permutation(n)
        yield order[n_test:], order[:n_test]


@dataclass(frozen=True)
class KFold(Split):
    """Each row judged once: the same folds as scikit-learn's ``KFold(shuffle=True, random_state=seed)``.

    Parameters
    ----------
    folds : int
        How many parts the rows are cut into, at least 2.
    seed : int
        Chooses the folds.
    """

    folds: int = 5
    seed: int = 0

    def split(self, X: Any, y: Any = None, groups: Any = None) -> Iterator[tuple[Rows, Rows]]:
        """Yield ``folds`` pairs of row numbers."""
        n = len(X)
        if not isinstance(self.folds, int) or not 2 <= self.folds <= n:
            raise InvalidParameter(
                f"folds={self.folds!r} is not allowed; it must be 2 to {n}, the number of ratings",
                hint=f"folds={min(5, n)}" if n > 1 else None,
            )
        order = np.arange(n)
        np.random.RandomState(self.seed).shuffle(order)
        for part in np.array_split(order, self.folds):
            test = np.zeros(n, dtype=bool)
            test[part] = True
            yield np.flatnonzero(~test), np.flatnonzero(test)

    def get_n_splits(self, X: Any = None, y: Any = None, groups: Any = None) -> int:
        """Return the number of folds."""
        return self.folds


@dataclass(frozen=True)
class LeaveNOut(Split):
    """n random ratings of each user who has more than n; the others are only learned from.

    Parameters
    ----------
    n : int
        How many ratings of each user are judged.
    seed : int
        Chooses the ratings.
    """

    n: int = 1
    seed: int = 0

    def split(self, X: Any, y: Any = None, groups: Any = None) -> Iterator[tuple[Rows, Rows]]:
        """Yield one pair of row numbers."""
        if not isinstance(self.n, int) or self.n < 1:
            raise InvalidParameter(f"n={self.n!r} is not allowed; it must be a whole number, at least 1")
        ratings = _as_seen(X, y)
        shuffled = np.random.default_rng(self.seed).permutation(len(ratings))
        order = shuffled[np.argsort(ratings.user[shuffled], kind="stable")]
        counts = np.bincount(ratings.user, minlength=len(ratings.users))
        place = np.arange(len(order)) - np.repeat(np.cumsum(counts) - counts, counts)
        test = np.zeros(len(ratings), dtype=bool)
        test[order[(place < self.n) & np.repeat(counts > self.n, counts)]] = True
        yield _parts(test, f"leaving {self.n} out a user")


@dataclass(frozen=True)
class ByTime(Split):
    """The latest ratings are judged, the earlier ones learned from; equal times stay together.

    Parameters
    ----------
    test_size : float
        The share of the rows that are judged, between 0 and 1; more where times are equal.
    """

    test_size: float = 0.2

    def split(self, X: Any, y: Any = None, groups: Any = None) -> Iterator[tuple[Rows, Rows]]:
        """Yield one pair of row numbers."""
        check_share("test_size", self.test_size)
        ratings = _as_seen(X, y)
        if ratings.when is None:
            raise BadData(
                "a split by time needs the time of each rating", hint="read_ratings(..., timestamp=COLUMN)"
            )
        wanted = math.ceil(self.test_size * len(ratings))
        border = np.sort(ratings.when)[len(ratings) - wanted]
        yield _parts(ratings.when >= border, "the split by time")


@dataclass(frozen=True)
class ColdUsers(Split):
    """A share of the users is judged and never learned from.

    Parameters
    ----------
    share : float
        Of the users, between 0 and 1.
    seed : int
        Chooses the users.
    """

    share: float = 0.2
    seed: int = 0

    def split(self, X: Any, y: Any = None, groups: Any = None) -> Iterator[tuple[Rows, Rows]]:
        """Yield one pair of row numbers."""
        ratings = _as_seen(X, y)
        yield _cold(ratings.user, len(ratings.users), self.share, self.seed, "users")


@dataclass(frozen=True)
class ColdItems(Split):
    """A share of the items is judged and never learned from.

    Parameters
    ----------
    share : float
        Of the items, between 0 and 1.
    seed : int
        Chooses the items.
    """

    share: float = 0.2
    seed: int = 0

    def split(self, X: Any, y: Any = None, groups: Any = None) -> Iterator[tuple[Rows, Rows]]:
        """Yield one pair of row numbers."""
        ratings = _as_seen(X, y)
        yield _cold(ratings.item, len(ratings.items), self.share, self.seed, "items")


def _cold(codes: npt.NDArray[np.int32], n: int, share: float, seed: int, what: str) -> tuple[Rows, Rows]:
    check_share("share", share)
    cold = np.zeros(n, dtype=bool)
    cold[np.random.default_rng(seed).permutation(n)[: math.ceil(share * n)]] = True
    return _parts(cold[codes], f"holding out {share:g} of the {what}")


@dataclass(frozen=True)
class WarmOnly(Split):
    """The rows of another split, without those judged whose user or item is not learned from.

    Parameters
    ----------
    base : Split
        ``WarmOnly(ByTime(0.2))``: the latest rows, of people and things known by then.
    """

    base: Any

    def split(self, X: Any, y: Any = None, groups: Any = None) -> Iterator[tuple[Rows, Rows]]:
        """Yield the pairs of row numbers of the other split, fewer of them judged."""
        ratings = _as_seen(X, y)
        for train_rows, test_rows in self.base.split(ratings, y, groups):
            kept = test_rows[_occurs(ratings.user, train_rows, test_rows)]
            kept = kept[_occurs(ratings.item, train_rows, kept)]
            if len(kept) == 0:
                raise BadData(
                    f"WarmOnly leaves no rows to judge by: of {self.base!r}, none has a user and an item "
                    "that are learned from",
                    hint="HoldOut(0.2) or KFold(5), which mix all users and items",
                )
            yield train_rows, kept

    def get_n_splits(self, X: Any = None, y: Any = None, groups: Any = None) -> int:
        """Return the number of splits of the other split."""
        return int(self.base.get_n_splits(X, y, groups))


def _occurs(codes: npt.NDArray[np.int32], train_rows: Rows, test_rows: Rows) -> npt.NDArray[np.bool_]:
    """Whether the user (or item) of each row judged is among those learned from."""
    known = np.zeros(int(codes.max(initial=-1)) + 1, dtype=bool)
    known[codes[train_rows]] = True
    return known[codes[test_rows]]
