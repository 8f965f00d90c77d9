"""Splitters: training and test rows of each fold.

The same ``random_state`` gives the folds, and the order within them, that scikit-surprise gives. Folds are
generated lazily, each sampling its random numbers then.
"""

from __future__ import annotations

import numbers
from collections.abc import Iterator
from math import ceil, floor
from typing import Any

import numpy as np

from foretaste.compat.surprise.model_selection.encoded_dataset import EncodedRatings, Fold
from foretaste.compat.surprise.utils import get_rng
from foretaste.errors import Hint, InvalidParameterError


def get_cv(cv: Any) -> Any:
    """Return the splitter for ``cv``."""
    if cv is None:
        return KFold(n_splits=5)
    if isinstance(cv, numbers.Integral):
        return KFold(n_splits=int(cv))
    if hasattr(cv, "split") and not isinstance(cv, str):
        return cv
    raise InvalidParameterError(
        f"Wrong CV object: cv={cv!r} is a {type(cv).__name__}; it must be None, a whole number or an object "
        "with split(data) and get_n_folds()",
        hint="cv=KFold(n_splits=5, random_state=0)",
    )


class _Splits:
    """Base of splitters with ``n_splits`` folds; ``PredefinedKFold`` knows it once ``split`` has started."""

    n_splits: int

    def get_n_folds(self) -> int:
        """Return the number of folds that ``split`` yields."""
        return self.n_splits


class KFold(_Splits):
    """K-fold cross-validation: every rating is in one test set."""

    def __init__(self, n_splits: int = 5, random_state: Any = None, shuffle: bool = True) -> None:
        self.n_splits = n_splits
        self.shuffle = shuffle
        self.random_state = random_state

    def split(self, data: Any) -> Iterator[Fold]:
        """Yield a trainset and a testset for each fold."""
        ratings = EncodedRatings(data)
        if not 2 <= self.n_splits <= len(ratings):
            raise InvalidParameterError(
                f"Incorrect value for n_splits={self.n_splits}: it must be from 2 to the number of ratings, "
                f"{len(ratings)}",
                hint=Hint({"n_splits": 5}) if len(ratings) >= 5 else "more ratings",
            )
        rows = np.arange(len(ratings))
        if self.shuffle:
            get_rng(self.random_state).shuffle(rows)
        sizes = np.full(self.n_splits, len(rows) // self.n_splits)
        sizes[: len(rows) % self.n_splits] += 1
        stop = 0
        for size in sizes.tolist():
            start, stop = stop, stop + size
            yield ratings.make_fold(np.concatenate([rows[:start], rows[stop:]]), rows[start:stop])


class RepeatedKFold:
    """``KFold``, repeated with different shuffles."""

    def __init__(self, n_splits: int = 5, n_repeats: int = 10, random_state: Any = None) -> None:
        self.n_repeats = n_repeats
        self.random_state = random_state
        self.n_splits = n_splits

    def split(self, data: Any) -> Iterator[Fold]:
        """Yield a trainset and a testset for each fold of each repetition."""
        rng = get_rng(self.random_state)
        for _ in range(self.n_repeats):
            yield from KFold(n_splits=self.n_splits, random_state=rng).split(data)

    def get_n_folds(self) -> int:
        """Return the number of folds that ``split`` yields: ``n_repeats * n_splits``."""
        return self.n_repeats * self.n_splits


class ShuffleSplit(_Splits):
    """Random training and test sets; those of different folds may overlap."""

    def __init__(
        self,
        n_splits: int = 5,
        test_size: Any = 0.2,
        train_size: Any = None,
        random_state: Any = None,
        shuffle: bool = True,
    ) -> None:
        for name, value in (("n_splits", n_splits), ("test_size", test_size), ("train_size", train_size)):
            if value is not None and not value > 0:
                hint = Hint({name: 5}) if name == "n_splits" else Hint({name: 0.2}, "a fifth of the ratings")
                raise InvalidParameterError(
                    "it should be strictly greater than 0", argument=(name, value), hint=hint
                )
        self.n_splits = n_splits
        self.test_size = test_size
        self.train_size = train_size
        self.random_state = random_state
        self.shuffle = shuffle

    def validate_train_test_sizes(self, test_size: Any, train_size: Any, n_ratings: int) -> tuple[int, int]:
        """Return the number of training and of test ratings."""
        for name, size in (("test_size", test_size), ("train_size", train_size)):
            if size is not None and size >= (limit := _size_limit(size, n_ratings)):
                raise InvalidParameterError(
                    f"{name}={size!r} should be less than the number of ratings {limit}"
                    if limit == n_ratings
                    else f"{name}={size!r} is a share of the ratings; it must not be above 1",
                    hint=Hint({name: 0.2}, "a fifth of the ratings"),
                )
        if test_size is None and train_size is None:
            raise InvalidParameterError(
                "test_size and train_size are both None", hint=Hint({"test_size": 0.2})
            )
        test = None if test_size is None else _to_n_rows(test_size, n_ratings, ceil)
        train = n_ratings - (test or 0) if train_size is None else _to_n_rows(train_size, n_ratings, floor)
        test = n_ratings - train if test is None else test
        if train + test > n_ratings:
            raise InvalidParameterError(
                f"The sum of train_size and test_size ({train + test}) should be smaller than the number of "
                f"ratings {n_ratings}",
                hint=Hint({"train_size": None}, "all that is not tested with"),
            )
        return train, test

    def split(self, data: Any) -> Iterator[Fold]:
        """Yield a trainset and a testset for each fold."""
        ratings = EncodedRatings(data)
        train, test = self.validate_train_test_sizes(self.test_size, self.train_size, len(ratings))
        rng = get_rng(self.random_state)
        for _ in range(self.n_splits):
            rows = rng.permutation(len(ratings)) if self.shuffle else np.arange(len(ratings))
            yield ratings.make_fold(rows[:train], rows[train : train + test])


def _is_fraction(size: Any) -> bool:
    return np.asarray(size).dtype.kind == "f"


def _size_limit(size: Any, n_ratings: int) -> float:
    """Return the upper limit of a size: 1 for a fraction, the number of ratings for a count."""
    return np.nextafter(1.0, 2.0) if _is_fraction(size) and size < n_ratings else n_ratings


def _to_n_rows(size: Any, n_ratings: int, rounding: Any) -> int:
    return int(rounding(size * n_ratings) if _is_fraction(size) else size)


def train_test_split(
    data: Any,
    test_size: Any = 0.2,
    train_size: Any = None,
    random_state: Any = None,
    shuffle: bool = True,
) -> Fold:
    """Divide ratings into a trainset and a testset."""
    return next(ShuffleSplit(1, test_size, train_size, random_state, shuffle).split(data))


class LeaveOneOut(_Splits):
    """Leave one random rating of each user out for testing."""

    def __init__(self, n_splits: int = 5, random_state: Any = None, min_n_ratings: int = 0) -> None:
        self.n_splits = n_splits
        self.random_state = random_state
        self.min_n_ratings = min_n_ratings

    def split(self, data: Any) -> Iterator[Fold]:
        """Yield a trainset and a testset for each fold; ratings are ordered by user."""
        ratings = EncodedRatings(data)
        rows = np.argsort(ratings.users, kind="stable")
        counts = np.bincount(ratings.users)
        rows = rows[counts[ratings.users[rows]] > self.min_n_ratings]
        counts = counts[counts > self.min_n_ratings]
        starts = np.cumsum(counts) - counts
        rng = get_rng(self.random_state)
        for _ in range(self.n_splits):
            # one by one: an array of limits would sample different numbers
            test_positions = starts + np.array([rng.randint(0, count) for count in counts.tolist()], np.int64)
            if len(rows) == len(test_positions):
                raise InvalidParameterError(
                    f"Could not build any trainset: with min_n_ratings={self.min_n_ratings} no user has "
                    "ratings left to learn from",
                    hint=Hint({"min_n_ratings": 1}, "if some users have two ratings"),
                )
            yield ratings.make_fold(np.delete(rows, test_positions), rows[test_positions])


class PredefinedKFold(_Splits):
    """The folds of a dataset that was loaded by ``Dataset.load_from_folds``."""

    def split(self, data: Any) -> Iterator[Fold]:
        """Read the files of each fold; yield its trainset and testset."""
        if not hasattr(data, "folds_files"):
            raise InvalidParameterError(
                f"a {type(data).__name__} has no files of folds",
                hint="data = Dataset.load_from_folds([(train_file, test_file)], reader), or cv=KFold(5)",
            )
        self.n_splits = len(data.folds_files)
        for train_file, test_file in data.folds_files:
            train, test = data.read_ratings(train_file), data.read_ratings(test_file)
            yield data.construct_trainset(train), data.construct_testset(test)
