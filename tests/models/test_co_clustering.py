"""CoClustering against plain numpy and scikit-surprise."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from real_data import data_file
from synthetic import shuffled

from foretaste.errors import ModelFileError
from foretaste.metrics.rating import rmse
from foretaste.models import Bias, CoClustering
from foretaste.ratings import Ratings


def co_clustering_by_hand(r, clusters, epochs, seed):
    """Follow George and Merugu, rating by rating."""
    rng = np.random.default_rng(seed)
    k, width = clusters
    c = rng.integers(k, size=(1, len(r.users)), dtype=np.int32)[0]
    d = rng.integers(width, size=(1, len(r.items)), dtype=np.int32)[0]
    value = r.value.astype(float)
    user_mean = np.bincount(r.user, value) / np.bincount(r.user)
    item_mean = np.bincount(r.item, value) / np.bincount(r.item)

    def averages():
        own = lambda rows: value[rows].mean() if rows.any() else value.mean()  # noqa: E731 - used here only
        users = np.array([own(c[r.user] == one) for one in range(k)])
        items = np.array([own(d[r.item] == one) for one in range(width)])
        both = [[own((c[r.user] == one) & (d[r.item] == two)) for two in range(width)] for one in range(k)]
        return np.array(both), users, items

    for _ in range(epochs):
        both, users, items = averages()
        for one in range(len(c)):
            rows = r.user == one
            guess = both[:, d[r.item[rows]]] + user_mean[one] - users[:, None] + item_mean[r.item[rows]]
            c[one] = ((value[rows] - guess + items[d[r.item[rows]]]) ** 2).sum(axis=1).argmin()
        for one in range(len(d)):
            rows = r.item == one
            guess = both[c[r.user[rows]]].T + item_mean[one] - items[:, None] + user_mean[r.user[rows]]
            d[one] = ((value[rows] - guess + users[c[r.user[rows]]]) ** 2).sum(axis=1).argmin()
    both, users, items = averages()
    return both[c][:, d] + (user_mean - users[c])[:, None] + item_mean - items[d]


PUBLISHED = {"n_init": 1, "base": "means", "user_damping": 0, "item_damping": 0, "damping": 0}


@pytest.mark.parametrize("clusters", [(1, 1), (2, 3), (3, 2)])
def test_co_clustering_equals_george_and_merugu(ratings, clusters):
    model = CoClustering(
        user_clusters=clusters[0], item_clusters=clusters[1], epochs=7, seed=5, clip=False, **PUBLISHED
    ).fit(ratings)
    by_hand = co_clustering_by_hand(ratings, clusters, 7, 5)
    np.testing.assert_allclose(model.predict_matrix(), by_hand, rtol=0, atol=1e-4)


def test_block_effects_are_damped_mean_residuals(ratings):
    model = CoClustering(user_clusters=3, item_clusters=2, n_init=2, damping=4, clip=False).fit(ratings)
    left = ratings.value - Bias(clip=False).fit(ratings).predict(ratings).astype(np.float64)
    for s in range(2):
        for c, d in itertools.product(range(3), range(2)):
            rows = (model.user_cluster_[s][ratings.user] == c) & (model.item_cluster_[s][ratings.item] == d)
            assert model.block_[s, c, d] == pytest.approx(left[rows].sum() / (rows.sum() + 4), abs=1e-4)


def test_folded_in_clusters_equal_trained_clusters(ratings):
    model = CoClustering(user_clusters=3, item_clusters=3, n_init=4, epochs=200).fit(ratings)
    folded = model.fold_in(shuffled(ratings))
    assert (folded.user_cluster_ == model.user_cluster_).mean() > 0.99
    np.testing.assert_allclose(folded.user_bias_, model.user_bias_, rtol=0, atol=1e-4)
    published = CoClustering(user_clusters=3, item_clusters=2, epochs=200, **PUBLISHED).fit(ratings)
    np.testing.assert_allclose(
        published.fold_in(shuffled(ratings)).predict_matrix(),
        published.predict_matrix(),
        rtol=0,
        atol=1e-4,
    )


def test_cluster_index_out_of_range_raises(ratings):
    model = CoClustering(user_clusters=2, item_clusters=2, n_init=1).fit(ratings)
    for name, value in (("user_cluster_", 2), ("item_cluster_", 2), ("item_cluster_", -1)):
        state = model.get_state()
        state[name] = state[name].copy()
        state[name][0, 3] = value
        with pytest.raises(ModelFileError, match="a cluster that does not exist"):
            CoClustering().set_state(state)


class GivenRandomState(np.random.RandomState):
    """A generator that returns given values in turn."""

    def randint(self, low, size):
        return self.values.pop(0)


@pytest.mark.dataset
@pytest.mark.peer
def test_co_clustering_equals_surprise_from_the_same_init():
    surprise = pytest.importorskip("surprise", reason='needs a peer: pip install "foretaste[peers]"')
    train, test = (
        Ratings.from_columns(*np.loadtxt(data_file(f"ml-100k/{name}"), dtype=int, usecols=(0, 1, 2)).T)
        for name in ("u1.base", "u1.test")
    )
    rows = zip(train.user_ids, train.item_ids, train.value.astype(float), strict=True)
    data = surprise.Dataset(surprise.Reader(rating_scale=(1, 5)))
    known = data.construct_trainset([(*row, None) for row in rows])
    theirs, ours = [], []
    for seed in range(2):
        random, start = np.random.default_rng(seed), GivenRandomState()
        user = random.integers(3, size=(1, len(train.users)), dtype=np.int32)[0]
        item = random.integers(3, size=(1, len(train.items)), dtype=np.int32)[0]
        inner = (
            [known.to_raw_uid(u) for u in known.all_users()],
            [known.to_raw_iid(i) for i in known.all_items()],
        )
        start.values = [
            user[train.users.indices_of(np.array(inner[0]))],
            item[train.items.indices_of(np.array(inner[1]))],
        ]
        fitted = surprise.CoClustering(random_state=start).fit(known)
        model = CoClustering(user_clusters=3, item_clusters=3, epochs=20, seed=seed, **PUBLISHED).fit(train)
        asked = [(u, i) for u, i in zip(test.user_ids, test.item_ids, strict=True)]
        theirs.append(np.array([fitted.predict(u, i).est for u, i in asked]))
        ours.append(model.predict_details(test))
    known_pairs = ours[0].fallback == 0  # others get the mean of all ratings
    for one, other in zip(theirs, ours, strict=True):
        np.testing.assert_allclose(other.value[known_pairs], one[known_pairs], rtol=0, atol=1e-4)
        assert rmse(test.value, other.value) <= rmse(test.value, one) + 1e-4
