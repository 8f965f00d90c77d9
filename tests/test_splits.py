"""Splits: scikit-learn's rows where promised, and each splitter's own rules."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import model_selection as theirs

from foretaste.errors import DataError, InvalidParameterError
from foretaste.models import Bias
from foretaste.ratings import Ratings
from foretaste.splits import ColdItems, ColdUsers, HoldOut, KFold, LeaveNOut, TimeSplit, WarmOnly


@pytest.fixture(scope="session")
def timed(ratings) -> Ratings:
    return ratings.replace(timestamp=np.random.default_rng(0).integers(0, 300, len(ratings)))


def only(split, ratings):
    (parts,) = list(split.split(ratings))
    return parts


def assert_parts(train, test, n):
    assert sorted([*train, *test]) == list(range(n))
    assert len(train) > 0
    assert len(test) > 0


@given(n=st.integers(2, 300), percent=st.integers(1, 99), seed=st.integers(0, 2**32 - 1))
def test_hold_out_rows_equal_sklearn(ratings, n, percent, seed):
    part, size = ratings[:n], percent / 100
    if n - np.ceil(size * n) < 1:
        with pytest.raises(DataError, match=f"{n} ratings are too few for test_size="):
            only(HoldOut(size, seed), part)
        return
    train, test = only(HoldOut(size, seed), part)
    wanted = theirs.train_test_split(np.arange(n), test_size=size, random_state=seed)
    np.testing.assert_array_equal(train, wanted[0])
    np.testing.assert_array_equal(test, wanted[1])


@given(n=st.integers(2, 300), folds=st.integers(2, 12), seed=st.integers(0, 2**32 - 1))
def test_folds_equal_sklearn(ratings, n, folds, seed):
    part = ratings[:n]
    if folds > n:
        with pytest.raises(
            InvalidParameterError, match=f"folds={folds} is not allowed; it must be an integer, 2 to {n}"
        ):
            list(KFold(folds, seed).split(part))
        return
    ours = list(KFold(folds, seed).split(part))
    wanted = list(theirs.KFold(folds, shuffle=True, random_state=seed).split(part))
    assert len(ours) == len(wanted) == KFold(folds).get_n_splits()
    for (train, test), (their_train, their_test) in zip(ours, wanted, strict=True):
        np.testing.assert_array_equal(train, their_train)
        np.testing.assert_array_equal(test, their_test)


@given(n=st.integers(1, 20), seed=st.integers(0, 99))
def test_leave_n_out_takes_n_of_each_user_who_has_more(ratings, n, seed):
    train, test = only(LeaveNOut(n, seed), ratings)
    assert_parts(train, test, len(ratings))
    had = np.bincount(ratings.user)
    np.testing.assert_array_equal(
        np.bincount(ratings.user[test], minlength=len(had)), np.where(had > n, n, 0)
    )


def test_leave_n_out_depends_on_its_seed_and_reaches_all_rows(ratings):
    found = [only(LeaveNOut(1, seed), ratings)[1] for seed in range(150)]
    np.testing.assert_array_equal(only(LeaveNOut(1, 0), ratings)[1], found[0])
    assert not np.array_equal(found[0], found[1])
    often = np.bincount(np.concatenate(found), minlength=len(ratings))
    several = (np.bincount(ratings.user) > 1)[ratings.user]
    few = several & (np.bincount(ratings.user) < 15)[ratings.user]
    assert few.sum() > 50
    assert (often[few] > 0).all()
    assert (often[~several] == 0).all()


@pytest.mark.parametrize("size", [0.05, 0.2, 0.5, 0.9])
def test_time_split_tests_the_latest(timed, size):
    train, test = only(TimeSplit(size), timed)
    assert_parts(train, test, len(timed))
    assert timed.timestamp[train].max() < timed.timestamp[test].min()  # equal times stay together
    assert len(test) >= size * len(timed)
    border = timed.timestamp[test].min()
    assert (timed.timestamp[test] > border).sum() < size * len(timed)  # no more than needed


def test_time_split_needs_distinct_timestamps(ratings):
    with pytest.raises(DataError, match="TimeSplit requires the timestamp of each rating"):
        only(TimeSplit(), ratings)
    with pytest.raises(DataError, match="gives 0 training and 900 test rows"):
        only(TimeSplit(), ratings.replace(timestamp=np.zeros(len(ratings), np.int64)))


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("share", [0.1, 0.2, 0.5])
def test_cold_users_and_items_are_never_in_training(ratings, share, seed):
    for split, codes, n in (
        (ColdUsers(share, seed), ratings.user, len(ratings.users)),
        (ColdItems(share, seed), ratings.item, len(ratings.items)),
    ):
        train, test = only(split, ratings)
        assert_parts(train, test, len(ratings))
        assert not set(codes[train]) & set(codes[test])
        assert len(set(codes[test])) == np.ceil(share * n)
    other = only(ColdUsers(share, seed + 7), ratings)[1]
    assert not np.array_equal(other, only(ColdUsers(share, seed), ratings)[1])


SPLITS = [HoldOut(0.25), KFold(3), LeaveNOut(2), ColdUsers(), ColdItems()]


@pytest.mark.parametrize("split", [*SPLITS, TimeSplit()], ids=lambda s: type(s).__name__)
def test_every_splitter_works_as_sklearn_cv(timed, split):
    scores = theirs.cross_val_score(Bias(), timed, timed.value, cv=split)
    wanted = [
        Bias().fit(timed[train]).score(timed[test], timed.value[test]) for train, test in split.split(timed)
    ]
    assert len(scores) == split.get_n_splits(timed)
    np.testing.assert_array_equal(scores, wanted)


@pytest.mark.parametrize("split", SPLITS, ids=lambda s: type(s).__name__)
def test_pairs_and_frames_are_split_as_their_ratings(ratings, split):
    frame = pd.DataFrame({"user": ratings.user_ids, "item": ratings.item_ids})
    for X, y in ((frame, ratings.value), (frame.to_numpy(), ratings.value), (frame.to_numpy(), None)):
        for ours, wanted in zip(split.split(X, y), split.split(ratings), strict=True):
            np.testing.assert_array_equal(ours[0], wanted[0])
            np.testing.assert_array_equal(ours[1], wanted[1])


def test_time_split_accepts_frames_with_timestamps(timed):
    frame = pd.DataFrame({"user": timed.user_ids, "item": timed.item_ids, "timestamp": timed.timestamp})
    (ours,), (wanted,) = list(TimeSplit().split(frame, timed.value)), list(TimeSplit().split(timed))
    np.testing.assert_array_equal(ours[1], wanted[1])


@pytest.mark.parametrize("size", [0.0, 1.0, -0.5, 2.0, 1, "0.2", None, float("nan")])
def test_test_size_must_be_a_fraction(timed, size):
    for split in (HoldOut(size), TimeSplit(size), ColdUsers(size), ColdItems(size)):
        with pytest.raises(InvalidParameterError, match=r"must be a fraction between 0 and 1"):
            only(split, timed)


def test_counts_must_be_integers(ratings):
    for folds in (1, 0, -1, 2.5, "5", None):
        with pytest.raises(InvalidParameterError, match="folds="):
            list(KFold(folds).split(ratings))
    for n in (0, -1, 1.5, "1", None):
        with pytest.raises(InvalidParameterError, match="n="):
            only(LeaveNOut(n), ratings)
    with pytest.raises(DataError, match="leaving out 900 per user gives 900 training and 0 test rows"):
        only(LeaveNOut(900), ratings)


@pytest.mark.parametrize("base", [HoldOut(0.4), KFold(3), TimeSplit(0.5), LeaveNOut(1)])
def test_warm_only_drops_exactly_the_cold_rows(timed, base):
    split = WarmOnly(base)
    assert split.get_n_splits(timed) == base.get_n_splits(timed)
    dropped = 0
    for (train, test), (train_rows, test_rows) in zip(split.split(timed), base.split(timed), strict=True):
        np.testing.assert_array_equal(train, train_rows)
        users, items = set(timed.user_ids[train].tolist()), set(timed.item_ids[train].tolist())
        warm = [row for row in test_rows if timed.user_ids[row] in users and timed.item_ids[row] in items]
        assert test.tolist() == warm
        dropped += len(test_rows) - len(warm)
    assert dropped > 0 or isinstance(base, LeaveNOut)


@pytest.mark.parametrize("base", [ColdUsers(0.2), ColdItems(0.2)])
def test_warm_only_without_rows_raises(ratings, base):
    with pytest.raises(DataError, match="leaves no test rows"):
        list(WarmOnly(base).split(ratings))
