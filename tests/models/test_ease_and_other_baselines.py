"""Popularity, global effects, co-clustering and EASE against plain numpy, loop by loop."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from contract.contract_table import every_pair
from real_data import data_file

from foretaste._utils import memory
from foretaste.errors import DataError, InvalidParameterError, ModelFileError, NotEnoughMemoryError
from foretaste.metrics.rating import rmse
from foretaste.models import EASE, Bias, CoClustering, GlobalEffects, ItemMean, Popularity
from foretaste.models.global_effects import EFFECTS
from foretaste.ratings import Pairs, Ratings


def with_times(ratings, seed=0):
    rng = np.random.default_rng(seed)
    return ratings.replace(timestamp=rng.integers(0, 400 * 86_400, len(ratings)))


def folded_back(model, ratings):
    """Return the predictions of a model whose users are folded in from their training ratings."""
    order = np.random.default_rng(3).permutation(len(ratings))
    return model.fold_in(ratings[order])


# Popularity ----------------------------------------------------------------------------------------------


def test_popularity_ranks_by_rating_count(ratings):
    count = np.bincount(ratings.item)
    for value in (ratings.value, -ratings.value, count[ratings.item], -count[ratings.item].astype(float)):
        given = ratings.replace(value=value.astype(np.float32))
        predicted = Popularity().fit(given).predict_matrix()
        assert (predicted == predicted[0]).all()
        for one, other in itertools.pairwise(np.argsort(count, kind="stable")):
            assert (predicted[0, other] > predicted[0, one]) == (count[other] > count[one])


def test_popularity_is_the_least_squares_line_if_increasing(ratings):
    score = np.log1p(np.bincount(ratings.item))[ratings.item]
    liked = ratings.replace(value=(0.3 * score + 0.1 * ratings.value).astype(np.float32))
    slope, intercept = np.polyfit(score, liked.value.astype(np.float64), 1)
    assert slope > 0.1
    predicted = Popularity(clip=False).fit(liked).predict(liked)
    np.testing.assert_allclose(predicted, intercept + slope * score, rtol=0, atol=1e-5)


def test_popularity_has_a_minimum_slope(ratings):
    score = np.log1p(np.bincount(ratings.item))[ratings.item]
    model = Popularity(clip=False).fit(ratings.replace(value=(-score).astype(np.float32)))
    assert np.ptp(model.item_bias_) == pytest.approx(0.1 * score.std(), rel=1e-5)
    unknown = model.predict([(1, -1)])[0]
    assert unknown < model.predict_matrix().min()  # an unknown item is less popular than any


def test_popularity_ranked_by_mean_is_the_damped_mean(ratings):
    model = Popularity(rank_by="mean", damping=0, clip=False).fit(ratings)
    np.testing.assert_allclose(model.predict(ratings), ItemMean().fit(ratings).predict(ratings), atol=1e-5)
    mean = ratings.value.mean(dtype=np.float64)
    own = ratings.value[ratings.item == 3].astype(np.float64)
    damped = Popularity(rank_by="mean", damping=2.5).fit(ratings)
    assert damped.item_bias_[3] == pytest.approx((own - mean).sum() / (len(own) + 2.5), rel=1e-5)


def test_popularity_folds_in_new_users(ratings, others):
    model = Popularity().fit(ratings)
    folded = model.fold_in(others)
    assert folded.users_ == others.users
    np.testing.assert_array_equal(folded.predict_matrix()[0], model.predict_matrix()[0])


# Global effects ------------------------------------------------------------------------------------------


def ladder_by_hand(r, user_damping, item_damping, slope_damping):
    """Climb the ladder once, rating by rating and in dictionaries of Python's own numbers."""
    weight = np.ones(len(r)) if r.weight is None else r.weight.astype(float)
    value = r.value.astype(float)
    mean = float(np.average(value, weights=weight))
    of = {"user": r.user.tolist(), "item": r.item.tolist()}
    rows = range(len(r))
    damping = {"user": user_damping, "item": item_damping}
    facts = {}
    for side, codes in of.items():
        for one in set(codes):
            own = [n for n in rows if codes[n] == one]
            count = sum(weight[n] for n in own)
            above = sum(weight[n] * (value[n] - mean) for n in own)
            facts[side, "average", one] = mean + above / (count + damping[side])
            facts[side, "support", one] = count**0.5
            facts[side, "time", one] = min(r.timestamp[n] for n in own)
    left = {n: value[n] - mean for n in rows}
    for step in EFFECTS:
        codes, x = of[step.entity], dict.fromkeys(rows, 1.0)
        if step.statistic != "constant":
            side, what = step.statistic_entity, step.statistic
            for n in rows:
                fact = facts[side, what, of[side][n]]
                x[n] = ((r.timestamp[n] - fact) / 86_400) ** 0.5 if what == "time" else fact
            for one in set(codes):
                own = [n for n in rows if codes[n] == one]
                centre = sum(weight[n] * x[n] for n in own) / sum(weight[n] for n in own)
                x |= {n: x[n] - centre for n in own}
        spread = sum(weight[n] * x[n] ** 2 for n in rows) / sum(weight)
        damped = slope_damping if step.statistic != "constant" else damping[step.entity]
        for one in set(codes):
            own = [n for n in rows if codes[n] == one]
            along = sum(weight[n] * x[n] * left[n] for n in own)
            power = sum(weight[n] * x[n] ** 2 for n in own) + damped * spread
            left |= {n: left[n] - along / power * x[n] for n in own}
    return value - np.array([left[n] for n in rows])


@pytest.mark.parametrize("weighted", [False, True])
def test_one_sweep_equals_sequential_effects_by_hand(ratings, weighted):
    given = with_times(ratings)
    if weighted:
        weight = np.random.default_rng(1).choice([0.5, 1, 3], len(given)).astype(np.float32)
        given = given.replace(weight=weight)
    model = GlobalEffects(sweeps=1, user_damping=3, item_damping=7, slope_damping=11, clip=False).fit(given)
    by_hand = ladder_by_hand(given, 3, 7, 11)
    np.testing.assert_allclose(model.predict(given), by_hand, rtol=0, atol=2e-5)


def test_sweeps_converge_to_a_stationary_point(ratings):
    given = with_times(ratings)
    model = GlobalEffects(sweeps=400, user_damping=4, item_damping=6, slope_damping=70, clip=False).fit(given)
    residual = given.value - model.predict(given).astype(np.float64)
    contributions = model.contributions(given)
    for effect in EFFECTS:
        codes = given.axis(effect.entity).codes
        coefficient = model.entity_array(effect.entity, "effect")[:, effect.column].astype(np.float64)
        assert (coefficient != 0).mean() > 0.9  # it is 0 where all ratings have the same x
        part = contributions.values[:, contributions.parts.index(effect.name)].astype(np.float64)
        x = np.divide(part, coefficient[codes], out=np.zeros(len(given)), where=coefficient[codes] != 0)
        pull = np.bincount(codes, x * residual)
        mean_square = model.entity_array(effect.entity, "mean_square")[effect.column]
        damping = 70 if effect.statistic != "constant" else {"user": 4, "item": 6}[effect.entity]
        wanted = damping * mean_square * coefficient
        np.testing.assert_allclose(pull, wanted, rtol=0, atol=2e-3 * mean_square**0.5)


def test_planted_time_drift_is_recovered(ratings):
    given = with_times(ratings)
    first = np.full(len(given.users), 1 << 60)
    np.minimum.at(first, given.user, given.timestamp)
    drift = np.random.default_rng(4).normal(0, 0.6, len(given.users))
    moved = drift[given.user] * np.sqrt((given.timestamp - first[given.user]) / 86_400)
    given = given.replace(value=(given.value + moved).astype(np.float32))
    timed, timeless = GlobalEffects().fit(given), GlobalEffects().fit(given.replace(timestamp=None))
    assert (timed.has_timestamps_, timeless.has_timestamps_) == (1, 0)
    assert rmse(given.value, timed.predict(given)) < 0.9 * rmse(given.value, timeless.predict(given))
    place = next(
        step.column
        for step in EFFECTS
        if (step.statistic, step.statistic_entity, step.entity) == ("time", "user", "user")
    )
    assert np.corrcoef(timed.user_effect_[:, place], drift)[0, 1] > 0.5
    untimed = timed.predict_details(given.replace(timestamp=None))
    assert np.isfinite(untimed.value).all()
    told = timed.contributions(Pairs(given.user, given.item))
    timely = [place for place, name in enumerate(told.parts) if "time" in name]
    assert len(timely) == 4
    assert not told.values[:, timely].any()


def test_folded_in_effects_equal_trained_effects(ratings):
    for given in (ratings, with_times(ratings)):
        model = GlobalEffects(sweeps=300).fit(given)
        folded = folded_back(model, given)
        np.testing.assert_allclose(folded.predict(given), model.predict(given), rtol=0, atol=2e-3)


def test_folded_in_users_may_rate_unknown_items(ratings, others):
    for model in (GlobalEffects(), CoClustering(), EASE()):
        folded = model.fit(ratings).fold_in(others)
        assert folded.users_ == others.users
        assert folded.items_ == ratings.items
        known = np.isin(others.item_ids, ratings.items.ids)
        assert 0 < known.sum() < len(others)
        again = model.fold_in(others[known])
        same = again.predict(others[known])
        np.testing.assert_array_equal(folded.predict(others[known]), same)
        texts = Ratings.from_columns(["a"], ["b"], [1])
        with pytest.raises(DataError, match="item ids are given as str"):
            model.fold_in(texts)


# Co-clustering -------------------------------------------------------------------------------------------


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
    folded = folded_back(model, ratings)
    assert (folded.user_cluster_ == model.user_cluster_).mean() > 0.99
    np.testing.assert_allclose(folded.user_bias_, model.user_bias_, rtol=0, atol=1e-4)
    published = CoClustering(user_clusters=3, item_clusters=2, epochs=200, **PUBLISHED).fit(ratings)
    np.testing.assert_allclose(
        folded_back(published, ratings).predict_matrix(), published.predict_matrix(), rtol=0, atol=1e-4
    )


def test_cluster_index_out_of_range_raises(ratings):
    model = CoClustering(user_clusters=2, item_clusters=2, n_init=1).fit(ratings)
    for name, value in (("user_cluster_", 2), ("item_cluster_", 2), ("item_cluster_", -1)):
        state = model.get_state()
        state[name] = state[name].copy()
        state[name][0, 3] = value
        with pytest.raises(ModelFileError, match="a cluster that does not exist"):
            CoClustering().set_state(state)


class Told(np.random.RandomState):
    """A generator that returns given values in turn."""

    def randint(self, low, size):
        return self.told.pop(0)


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
        random, start = np.random.default_rng(seed), Told()
        user = random.integers(3, size=(1, len(train.users)), dtype=np.int32)[0]
        item = random.integers(3, size=(1, len(train.items)), dtype=np.int32)[0]
        inner = (
            [known.to_raw_uid(u) for u in known.all_users()],
            [known.to_raw_iid(i) for i in known.all_items()],
        )
        start.told = [
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


# EASE ----------------------------------------------------------------------------------------------------


def left_of(model, ratings):
    """Return the training matrix of EASE, 0 where there is no rating, shape (users, items)."""
    matrix = np.zeros((len(ratings.users), len(ratings.items)))
    if model.target == "binary":
        matrix[ratings.user, ratings.item] = 1
        return matrix
    base = Bias(clip=False).fit(ratings).predict(ratings).astype(np.float64)
    matrix[ratings.user, ratings.item] = (ratings.value - base) / ratings.value.astype(np.float64).std()
    return matrix


def regressions(x, regularization):
    """Return the weights of each item (columns) by a ridge regression on all others, one after another."""
    n = x.shape[1]
    weights = np.zeros((n, n))
    for item in range(n):
        others = np.delete(np.arange(n), item)
        gram = x[:, others].T @ x[:, others] + regularization * np.eye(n - 1)
        weights[others, item] = np.linalg.solve(gram, x[:, others].T @ x[:, item])
    return weights


@pytest.mark.parametrize("target", ["centered", "binary"])
def test_ease_weights_equal_ridge_regressions(ratings, target):
    model = EASE(target=target, regularization=7.0).fit(ratings)
    expected = regressions(left_of(model, ratings), 7.0)
    np.testing.assert_allclose(model.weight_.T, expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("target", ["centered", "binary"])
def test_ease_slope_is_fitted_to_leave_one_user_out_sums(ratings, target):
    """Each user left out and the weights found again, one after another."""
    model = EASE(target=target, regularization=7.0, clip=False).fit(ratings)
    x = left_of(model, ratings)
    apart = np.zeros(len(ratings))
    for user in range(len(ratings.users)):
        rows = ratings.user == user
        apart[rows] = (x[user] @ regressions(np.delete(x, user, axis=0), 7.0))[ratings.item[rows]]
    value = ratings.value.astype(np.float64)
    if target == "binary":
        slope, _ = np.polyfit(apart, value, 1)
        slope = max(slope, 0.1 * value.std() / np.ptp(apart))
        assert model.mean_ == pytest.approx(value.mean() - slope * apart.mean(), rel=1e-3)
    else:
        own = x[ratings.user, ratings.item]
        slope = value.std() * (apart @ own) / (apart @ apart)
        assert slope > 0.1
    assert model.slope_ == pytest.approx(slope, rel=1e-3)
    if target == "centered":
        sums = (x @ regressions(x, 7.0))[ratings.user, ratings.item]
        base = Bias(clip=False).fit(ratings).predict(ratings)
        np.testing.assert_allclose(model.predict(ratings), base + slope * sums, rtol=0, atol=2e-3)


def test_binary_ease_ranks_by_its_sums(ratings):
    model = EASE(target="binary", regularization=7.0, clip=False).fit(ratings)
    x = left_of(model, ratings)
    sums = x @ regressions(x, 7.0)
    predicted = model.predict_matrix()
    for user in range(len(x)):
        gaps = np.subtract.outer(sums[user], sums[user])
        clear = gaps > 1e-3
        assert (np.subtract.outer(predicted[user], predicted[user])[clear] > 0).all()


@pytest.mark.parametrize("target", ["centered", "binary"])
def test_ease_folded_in_users_equal_trained_users(ratings, target):
    model = EASE(target=target, regularization=20.0).fit(ratings)
    np.testing.assert_allclose(
        folded_back(model, ratings).predict_matrix(), model.predict_matrix(), rtol=0, atol=2e-4
    )


def test_the_order_of_the_rows_does_not_matter(ratings):
    order = np.random.default_rng(8).permutation(len(ratings))
    for model in (EASE(), Popularity(), GlobalEffects(), CoClustering()):
        one, other = model.fit(ratings).predict_matrix(), model.fit(ratings[order]).predict_matrix()
        np.testing.assert_allclose(other, one, rtol=0, atol=1e-3)


def test_ease_beyond_memory_raises(ratings, monkeypatch):
    monkeypatch.setattr(memory, "available_bytes", lambda: 20_000)
    with pytest.raises(
        NotEnoughMemoryError, match=r"EASE of 40 items needs .* of memory; 20\.0 kB are available"
    ) as refused:
        EASE().fit(ratings)
    assert "GlobalEffects()" in refused.value.hint


def test_ease_with_too_little_regularization_raises():
    twins = Ratings.from_columns([1, 1, 2], [1, 2, 3], [1, 2, 4])
    with pytest.raises(InvalidParameterError, match="regularization=1e-300 is too small") as refused:
        EASE(target="binary", regularization=1e-300).fit(twins)
    assert "regularization=" in refused.value.hint


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("count_", lambda a: np.r_[a[:-1], a[-1] + 1].astype(np.int32)),
        ("count_", lambda a: np.r_[-1, a[1] + a[0] + 1, a[2:]].astype(np.int32)),
        ("rated_", lambda a: np.r_[a[:-1], 40].astype(np.int32)),
        ("rated_", lambda a: np.r_[a[:-1], -1].astype(np.int32)),
    ],
)
def test_malformed_rated_items_raise(ratings, name, change):
    state = EASE().fit(ratings).get_state()
    with pytest.raises(ModelFileError, match="do not fit its users and items"):
        EASE().set_state(state | {name: change(state[name])})


def test_ease_explanation_is_complete(ratings):
    model = EASE(clip=False).fit(ratings)
    asked = every_pair(ratings)
    pairs = Pairs(model.users_.encode(asked[:, 0], "user"), model.items_.encode(asked[:, 1], "item"))
    told = model.contributions(pairs)
    assert told.parts == ("mean", "user", "item", "other ratings")
    assert np.abs(told.values[:, 3]).max() > 0.1
    unknown = (pairs.user < 0) | (pairs.item < 0)
    assert not told.values[unknown, 3].any()
