"""Trainset: ids, ratings and their order as in scikit-surprise; row arrays follow edits of its lists."""

from __future__ import annotations

import copy
import inspect
import pickle

import numpy as np
import pytest

from foretaste.compat.surprise import Dataset, Reader, Trainset
from foretaste.compat.surprise.utils import get_rng


@pytest.fixture
def trainset(raw_ratings):
    return Dataset(Reader()).construct_trainset(raw_ratings)


@pytest.fixture
def theirs(peer, raw_ratings):
    return peer.Dataset(peer.Reader()).construct_trainset(raw_ratings)


@pytest.mark.peer
def test_public_attributes_equal_the_peer(trainset, theirs):
    for name in ("n_users", "n_items", "n_ratings", "rating_scale", "global_mean", "ur", "ir"):
        assert getattr(trainset, name) == getattr(theirs, name), name
    assert list(trainset.ur) == list(theirs.ur)
    assert list(trainset.ir) == list(theirs.ir)
    assert trainset.all_users() == theirs.all_users()
    assert trainset.all_items() == theirs.all_items()
    assert trainset.build_testset() == theirs.build_testset()
    assert trainset.build_anti_testset() == theirs.build_anti_testset()
    assert trainset.build_anti_testset(fill=2) == theirs.build_anti_testset(fill=2)
    for raw in ("u3", "u7"):
        assert trainset.to_inner_uid(raw) == theirs.to_inner_uid(raw)
    assert [trainset.to_raw_iid(i) for i in range(20)] == [theirs.to_raw_iid(i) for i in range(20)]
    public = {name for name in dir(theirs) if not name.startswith("_")}
    assert public <= {name for name in dir(trainset) if not name.startswith("_")}


@pytest.mark.peer
@pytest.mark.parametrize("lists_first", [False, True])
def test_ratings_are_in_the_order_of_the_peer(trainset, theirs, lists_first):
    if lists_first:
        assert len(trainset.ur) == 30
    assert list(trainset.all_ratings()) == list(theirs.all_ratings())


@pytest.mark.peer
@pytest.mark.parametrize("inner", [0, 29, 30, 10**12, -1, "UKN__u", 3.0, 3.5, True, np.int64(4), None])
@pytest.mark.parametrize("lists_first", [False, True])
def test_known_ids_equal_the_peer(trainset, theirs, inner, lists_first):
    if lists_first:
        assert len(trainset.ur) == len(trainset.ir) + 10
    assert trainset.knows_user(inner) == theirs.knows_user(inner)
    assert trainset.knows_item(inner) == theirs.knows_item(inner)


@pytest.mark.peer
@pytest.mark.parametrize("method", ["to_inner_uid", "to_inner_iid", "to_raw_uid", "to_raw_iid"])
def test_unknown_id_raises_the_error_of_the_peer(trainset, theirs, method):
    with pytest.raises(ValueError, match="999") as wanted:
        getattr(theirs, method)(999)
    with pytest.raises(ValueError, match="999") as found:
        getattr(trainset, method)(999)
    assert str(found.value).splitlines()[0] == str(wanted.value)


def test_id_of_another_type_is_named():
    trainset = Dataset(Reader()).construct_trainset([("1", "2", 3.0, None)])
    with pytest.raises(ValueError, match="raw ids are str here, not int"):
        trainset.to_inner_uid(1)


def test_rows_are_grouped_by_users_and_by_items(trainset):
    for rows, groups in ((trainset.by_user(), "users"), (trainset.by_item(), "items")):
        assert (rows.users.dtype, rows.items.dtype) == (np.int32, np.int32)
        assert (rows.values.dtype, rows.starts.dtype) == (np.float64, np.int64)
        column = getattr(rows, groups)
        for group in range(len(rows.starts) - 1):
            assert (column[rows.starts[group] : rows.starts[group + 1]] == group).all()
    rows = trainset.by_item()
    pairs = [(i, u, r) for i, ratings in trainset.ir.items() for u, r in ratings]
    assert pairs == list(zip(rows.items.tolist(), rows.users.tolist(), rows.values.tolist(), strict=True))


def test_rows_follow_edits_of_the_lists(trainset):
    before = trainset.by_user()
    trainset.ur[3][0] = (trainset.ur[3][0][0], 4.5)
    trainset.ur[5].append((1, 2.5))
    after = trainset.by_user()
    assert after.values[after.starts[3]] == 4.5
    assert after.values[after.starts[6] - 1] == 2.5
    assert len(after.values) == len(before.values) + 1
    assert trainset.by_user() is after  # nothing was edited since
    assert len(trainset.by_item().values) == len(before.values)
    trainset.ir = {0: [(0, 1.0)]}
    assert trainset.by_item().values.tolist() == [1.0]


def test_unknown_id_lookup_changes_no_rows(trainset):
    before = trainset.by_user().starts
    assert trainset.ur[77] == []
    assert (trainset.by_user().starts == before).all()


@pytest.mark.peer
def test_constructor_accepts_the_arguments_of_the_peer(peer, trainset, theirs):
    ours = Trainset(
        theirs.ur, theirs.ir, theirs.n_users, theirs.n_items, theirs.n_ratings, theirs.rating_scale,
        theirs._raw2inner_id_users, theirs._raw2inner_id_items,
    )  # fmt: skip
    names = list(inspect.signature(peer.Trainset.__init__).parameters)
    assert list(inspect.signature(Trainset.__init__).parameters) == names
    for one, other in ((ours.by_user(), trainset.by_user()), (ours.by_item(), trainset.by_item())):
        for name in ("users", "items", "values", "starts"):
            assert (getattr(one, name) == getattr(other, name)).all()
    assert ours.build_testset() == theirs.build_testset()
    assert ours.build_anti_testset() == theirs.build_anti_testset()


@pytest.mark.parametrize("again", [copy.deepcopy, lambda one: pickle.loads(pickle.dumps(one))])  # noqa: S301 - our own
def test_copy_is_equal(trainset, again):
    assert len(trainset.ur) == 30
    other = again(trainset)
    assert other.ur == trainset.ur
    assert (other.by_user().values == trainset.by_user().values).all()


@pytest.mark.peer
def test_random_states_equal_the_peer(peer):
    for state in (3, np.int64(3)):
        assert get_rng(state).rand() == peer.utils.get_rng(state).rand()
    state = np.random.RandomState(1)
    assert get_rng(state) is state
    assert get_rng(None) is peer.utils.get_rng(None)
    with pytest.raises(ValueError, match="Wrong random state"):
        get_rng("3")
