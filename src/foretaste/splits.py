"""Splitters: each yields ``(train_rows, test_rows)``, and can be passed to scikit-learn as ``cv=``."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from foretaste._utils.checks import check_fraction, check_int
from foretaste.errors import DataError, Hint
from foretaste.ratings import Ratings
from foretaste.typing import BoolArray, Entity, IndexArray, IntpArray
from foretaste.validation import as_ratings


class Splitter:
    """Base class of the splitters (scikit-learn's protocol)."""

    def split(self, X: Any, y: Any = None, groups: Any = None) -> Iterator[tuple[IntpArray, IntpArray]]:
        """Yield the row numbers of the training and the test set, fold by fold.

        Parameters
        ----------
        X : Ratings, frame or pairs
            Only ``TimeSplit`` requires timestamps.
        y, groups : ignored, except that y may hold the ratings
        """
        raise NotImplementedError

    def get_n_splits(self, X: Any = None, y: Any = None, groups: Any = None) -> int:
        """Return the number of folds."""
        return 1


def _to_ratings(X: Any, y: Any) -> Ratings:
    """Encode the X that scikit-learn passes; without y, ratings are set to 0."""
    return X if isinstance(X, Ratings) else as_ratings(X, np.zeros(len(X)) if y is None else y)


def _train_test_rows(test: BoolArray, description: str) -> tuple[IntpArray, IntpArray]:
    train_rows, test_rows = np.flatnonzero(~test), np.flatnonzero(test)
    if len(train_rows) == 0 or len(test_rows) == 0:
        raise DataError(f"{description} gives {len(train_rows)} training and {len(test_rows)} test rows")
    return train_rows, test_rows


@dataclass(frozen=True)
class HoldOut(Splitter):
    """A random train/test split, of the same rows as scikit-learn's ``train_test_split(random_state=seed)``.

    Parameters
    ----------
    test_size : float
        Fraction of the rows in the test set, between 0 and 1.
    seed : int
        Random seed.
    """

    test_size: float = 0.2
    seed: int = 0

    def split(self, X: Any, y: Any = None, groups: Any = None) -> Iterator[tuple[IntpArray, IntpArray]]:
        """Yield the row numbers of the training and the test set."""
        check_fraction("test_size", self.test_size)
        n = len(X)
        n_test = math.ceil(self.test_size * n)
        if n - n_test < 1 or n_test < 1:
            raise DataError(
                f"{n} ratings are too few for {{test_size}}", arguments={"test_size": self.test_size}
            )
        order = np.random.RandomState(self.seed).permutation(n)
        yield order[n_test:], order[:n_test]


@dataclass(frozen=True)
class KFold(Splitter):
    """k folds, each the test set once: the same as scikit-learn's ``KFold(shuffle=True, random_state=seed)``.

    Parameters
    ----------
    folds : int
        Number of folds, at least 2.
    seed : int
        Random seed.
    """

    folds: int = 5
    seed: int = 0

    def split(self, X: Any, y: Any = None, groups: Any = None) -> Iterator[tuple[IntpArray, IntpArray]]:
        """Yield the row numbers of the training and the test set, fold by fold."""
        n = len(X)
        check_int("folds", self.folds, low=2, high=n, suggestion=min(5, n))
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
class LeaveNOut(Splitter):
    """Leave-n-out: n random ratings of each user who has more than n; other users are in training only.

    Parameters
    ----------
    n : int
        Number of test ratings per user.
    seed : int
        Random seed.
    """

    n: int = 1
    seed: int = 0

    def split(self, X: Any, y: Any = None, groups: Any = None) -> Iterator[tuple[IntpArray, IntpArray]]:
        """Yield the row numbers of the training and the test set."""
        check_int("n", self.n, low=1)
        ratings = _to_ratings(X, y)
        shuffled = np.random.default_rng(self.seed).permutation(len(ratings))
        order = shuffled[np.argsort(ratings.user[shuffled], kind="stable")]
        counts = np.bincount(ratings.user, minlength=len(ratings.users))
        position_in_user = np.arange(len(order)) - np.repeat(np.cumsum(counts) - counts, counts)
        test = np.zeros(len(ratings), dtype=bool)
        test[order[(position_in_user < self.n) & np.repeat(counts > self.n, counts)]] = True
        yield _train_test_rows(test, f"leaving out {self.n} per user")


@dataclass(frozen=True)
class TimeSplit(Splitter):
    """Temporal split: the latest ratings are the test set; equal timestamps stay together.

    Parameters
    ----------
    test_size : float
        Fraction of the rows in the test set, between 0 and 1; more where timestamps are equal.
    """

    test_size: float = 0.2

    def split(self, X: Any, y: Any = None, groups: Any = None) -> Iterator[tuple[IntpArray, IntpArray]]:
        """Yield the row numbers of the training and the test set."""
        check_fraction("test_size", self.test_size)
        ratings = _to_ratings(X, y)
        if ratings.timestamp is None:
            raise DataError(
                "TimeSplit requires the timestamp of each rating",
                hint=Hint({"timestamp": ...}, lead="read_ratings with"),
            )
        n_test = math.ceil(self.test_size * len(ratings))
        cutoff = np.sort(ratings.timestamp)[len(ratings) - n_test]
        yield _train_test_rows(ratings.timestamp >= cutoff, "TimeSplit")


@dataclass(frozen=True)
class _ColdSplit(Splitter):
    """Base of the cold-start splits."""

    test_size: float = 0.2
    seed: int = 0

    entity: ClassVar[Entity]

    def split(self, X: Any, y: Any = None, groups: Any = None) -> Iterator[tuple[IntpArray, IntpArray]]:
        """Yield the row numbers of the training and the test set."""
        check_fraction("test_size", self.test_size)
        axis = _to_ratings(X, y).axis(self.entity)
        n = len(axis.ids)
        cold = np.zeros(n, dtype=bool)
        cold[np.random.default_rng(self.seed).permutation(n)[: math.ceil(self.test_size * n)]] = True
        yield _train_test_rows(cold[axis.codes], f"holding out {self.test_size:g} of the {self.entity}s")


class ColdUsers(_ColdSplit):
    """Cold-start split: a random fraction of the users occurs in the test set only.

    Parameters
    ----------
    test_size : float
        Fraction of the users, between 0 and 1.
    seed : int
        Random seed.
    """

    entity = Entity.USER


class ColdItems(_ColdSplit):
    """Cold-start split: a random fraction of the items occurs in the test set only.

    Parameters
    ----------
    test_size : float
        Fraction of the items, between 0 and 1.
    seed : int
        Random seed.
    """

    entity = Entity.ITEM


@dataclass(frozen=True)
class WarmOnly(Splitter):
    """Another split without the test rows whose user or item does not occur in training.

    Parameters
    ----------
    splitter : Split
        Such as ``TimeSplit(0.2)``: the latest ratings of users and items known by then.
    """

    splitter: Any

    def split(self, X: Any, y: Any = None, groups: Any = None) -> Iterator[tuple[IntpArray, IntpArray]]:
        """Yield the row numbers of the other split, with fewer test rows."""
        ratings = _to_ratings(X, y)
        for train_rows, test_rows in self.splitter.split(ratings, y, groups):
            warm_rows = test_rows[_is_known(ratings.user, train_rows, test_rows)]
            warm_rows = warm_rows[_is_known(ratings.item, train_rows, warm_rows)]
            if len(warm_rows) == 0:
                raise DataError(
                    f"WarmOnly leaves no test rows: in {self.splitter!r}, none has a user and an item "
                    "that occur in training",
                    hint="HoldOut(0.2) or KFold(5), which split at random",
                )
            yield train_rows, warm_rows

    def get_n_splits(self, X: Any = None, y: Any = None, groups: Any = None) -> int:
        """Return the number of folds of the other split."""
        return int(self.splitter.get_n_splits(X, y, groups))


def _is_known(codes: IndexArray, train_rows: IntpArray, test_rows: IntpArray) -> BoolArray:
    """Return whether the user (or item) of each test row occurs in training."""
    known = np.zeros(int(codes.max(initial=-1)) + 1, dtype=bool)
    known[codes[train_rows]] = True
    return known[codes[test_rows]]
