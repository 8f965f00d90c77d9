"""SVD without biases (PMF), SVD++, and fold-in of new users."""

from __future__ import annotations

import numpy as np
import pytest
from real_data import data_file

from foretaste.errors import DataError
from foretaste.metrics.rating import rmse
from foretaste.models import SVD, SVDpp
from foretaste.ratings import Ratings
from foretaste.splits import HoldOut, KFold

SMALL = {"factors": 4, "epochs": 15}


def ratings_of_liked_items(seed=0, users=300, items=120, rows=9000):
    """Ratings in which the choice of items is more informative than the few rating values."""
    rng = np.random.default_rng(seed)
    taste, kind = rng.normal(size=(users, 2)), rng.normal(size=(items, 2))
    liking = taste @ kind.T
    chosen = rng.choice(
        users * items, rows, replace=False, p=(np.exp(2 * liking) / np.exp(2 * liking).sum()).ravel()
    )
    value = liking.ravel()[chosen] + rng.normal(0, 1.5, rows)
    return Ratings.from_columns(chosen // items, chosen % items, value)


# Without biases ------------------------------------------------------------------------------------


def test_pmf_prediction_is_mean_plus_factors(ratings, other_ratings):
    model = SVD(biased=False, clip=False, factors=4, init_std=0.1).fit(ratings)
    assert not model.user_bias_.any()
    assert not model.item_bias_.any()
    dot = np.einsum("nf,nf->n", model.user_factors_[ratings.user], model.item_factors_[ratings.item])
    wanted = model.mean_ + model.std_ * dot
    np.testing.assert_allclose(model.predict(ratings), wanted, rtol=0, atol=1e-5)
    assert rmse(ratings.value, model.predict(ratings)) < 0.8 * ratings.value.std()
    details = model.predict_details(other_ratings)
    unknown = details.fallback > 0
    assert unknown.sum() > 50
    np.testing.assert_allclose(details.value[unknown], model.mean_, rtol=0, atol=1e-6)


def test_pmf_stuck_at_the_mean_warns(ratings, larger_ratings, caplog):
    model = SVD(biased=False, **SMALL).fit(ratings)
    assert model.train_rmse_[-1] > 0.98 * model.std_
    assert "hardly improves on the mean" in caplog.text
    assert "init_std" in caplog.text
    caplog.clear()
    SVD(biased=False).fit(larger_ratings)
    SVD(biased=False).fit(ratings.replace(value=np.full(len(ratings), 2.5, np.float32)))
    SVD(**SMALL).fit(ratings)
    assert caplog.text == ""


def test_pmf_supports_early_stopping(larger_ratings):
    model = SVD(biased=False, validation_fraction=0.2, patience=2, factors=4, learning_rate=0.1).fit(
        larger_ratings
    )
    assert 1 < model.epochs_ <= model.epochs
    assert not model.user_bias_.any()


# SVD++ ---------------------------------------------------------------------------------------------


def test_svdpp_prediction_equals_its_formula(ratings):
    model = SVDpp(clip=False, init_std=0.1, **SMALL).fit(ratings)
    starts, rows = ratings.group_by_user()
    for u in range(len(ratings.users)):
        rated = ratings.item[rows[starts[u] : starts[u + 1]]]
        shared = model.implicit_factors_[rated].sum(axis=0) / np.sqrt(len(rated))
        own = model.user_factors_[u] - shared
        # what is left is the user's own: small for who rated once, as the first factors were
        assert np.isfinite(own).all()
        if u == 0:
            everyone = model.user_bias_[u] + model.item_bias_ + (own + shared) @ model.item_factors_.T
            wanted = model.mean_ + model.std_ * everyone
    np.testing.assert_allclose(model.predict_matrix()[0], wanted, rtol=0, atol=1e-4)
    assert len(model.train_rmse_) == 15
    assert model.train_rmse_[-1] < model.train_rmse_[0]


def test_implicit_feedback_ignores_rating_values():
    ratings = ratings_of_liked_items()
    ((train_rows, test_rows),) = HoldOut(0.3).split(ratings)
    train, test = ratings[train_rows], ratings[test_rows]
    plain = rmse(test.value, SVD(factors=8).fit(train).predict(test))
    implicit = SVDpp(factors=8, implicit_learning_rate=1.0, implicit_regularization=0.01).fit(train)
    deaf = SVDpp(factors=8, implicit_learning_rate=0.0, init_std=0.001).fit(train)
    assert rmse(test.value, implicit.predict(test)) < plain - 0.01
    assert rmse(test.value, implicit.predict(test)) < rmse(test.value, deaf.predict(test)) - 0.01


def test_rows_of_weight_0_do_not_count_as_rated(ratings):
    weight = (np.random.default_rng(3).random(len(ratings)) < 0.7).astype(np.float32)
    kept = ratings[weight > 0]
    some = ratings.replace(weight=weight)
    weighted = SVDpp(clip=False, **SMALL).fit(some)
    assert set(kept.users.ids) < set(ratings.users.ids)  # some users have rows of weight 0 only
    count = np.bincount(ratings.user, weight, len(ratings.users))
    rated = np.zeros((len(ratings.users), 4))
    np.add.at(rated, some.user[weight > 0], weighted.implicit_factors_[some.item[weight > 0]])
    none = count == 0
    assert none.any()
    assert not weighted.user_bias_[none].any()
    assert np.abs(weighted.user_factors_[none]).max() < 0.01  # as they were drawn


def test_rows_of_weight_0_change_nothing(larger_ratings):
    weight = np.ones(len(larger_ratings), np.float32)
    weight[:: len(larger_ratings) // 40] = 0
    kept = larger_ratings[weight > 0]
    assert kept.users == larger_ratings.users  # so that the random numbers are the same
    assert kept.items == larger_ratings.items
    one = SVDpp(**SMALL).fit(larger_ratings.replace(weight=weight))
    other = SVDpp(**SMALL).fit(kept)
    np.testing.assert_allclose(one.predict_matrix(), other.predict_matrix(), rtol=0, atol=1e-5)


def test_every_user_is_trained_whatever_the_size_of_the_last_batch(larger_ratings):
    """The last round is shorter than the others; nobody is left out."""
    for users in (1, 7, 8, 9):
        part = larger_ratings.where(f"user <= {sorted(larger_ratings.users.ids)[users - 1]}")
        model = SVDpp(init_std=0.0, **SMALL).fit(part)
        assert np.all(model.user_bias_ != 0)


# New users -----------------------------------------------------------------------------------------


def ridge_by_hand(model, new, rated, biased=True):
    """Return bias and own factors of each user of ``new`` by numpy, in standard deviations."""
    own = model.own_factors if isinstance(model, SVDpp) else model.user_factors_
    learned = np.hstack([model.user_bias_[:, None], own]).astype(float)[:, 0 if biased else 1 :]
    learned = learned[np.any(learned != 0, axis=1)]
    spread = learned.T @ learned / len(learned)
    spread += 1e-6 * np.trace(spread) / len(spread) * np.eye(len(spread))
    penalty = (model.train_rmse_[-1] / model.std_) ** 2 * np.linalg.inv(spread)
    found = []
    for u in range(len(new.users)):
        rows = new.user == u
        item = model.items_.indices_of(new.items.ids)[new.item[rows]]
        known = item >= 0
        item, weight = item[known], (np.ones(len(new)) if new.weight is None else new.weight)[rows][known]
        q = model.item_factors_[item].astype(float)
        x = np.hstack([np.ones((len(q), int(biased))), q])
        target = (
            (new.value[rows][known] - model.mean_) / model.std_ - model.item_bias_[item] - q @ rated(item)
        )
        gram = x.T @ (x * weight[:, None]) + penalty
        solved = np.linalg.solve(gram, x.T @ (weight * target)) if len(item) else np.zeros(x.shape[1])
        bias, own = (solved[0], solved[1:]) if biased else (0.0, solved)
        found.append((bias, own + rated(item)))
    return np.array([b for b, _ in found]), np.array([f for _, f in found])


def implicit(model):
    return lambda item: model.implicit_factors_[item].sum(axis=0) / np.sqrt(max(len(item), 1))


@pytest.mark.parametrize(
    ("model", "biased", "rated"),
    [
        (SVD(factors=4), True, lambda model: lambda item: np.zeros(4)),
        (SVD(factors=4, biased=False), False, lambda model: lambda item: np.zeros(4)),
        (SVDpp(factors=4, implicit_learning_rate=1.0), True, implicit),
    ],
)
def test_fold_in_equals_one_ridge_regression(model, biased, rated, ratings, other_ratings):
    model.fit(ratings)
    if isinstance(model, SVDpp):
        rows = [
            model.items_.indices_of(ratings.items.ids)[ratings.item[ratings.user == u]]
            for u in range(len(ratings.users))
        ]
        model.own_factors = model.user_factors_ - np.array([implicit(model)(item) for item in rows])
    before = {name: np.copy(value) for name, value in vars(model).items() if isinstance(value, np.ndarray)}
    for new in (
        other_ratings,
        other_ratings.replace(weight=np.arange(1, len(other_ratings) + 1, dtype=np.float32) / 250),
    ):
        folded = model.fold_in(new)
        assert type(folded) is type(model)
        assert folded.users_ is new.users
        assert folded.items_ is model.items_
        bias, factors = ridge_by_hand(model, new, rated(model), biased)
        np.testing.assert_allclose(folded.user_bias_, bias, rtol=0, atol=1e-4)
        np.testing.assert_allclose(folded.user_factors_, factors, rtol=0, atol=1e-4)
        assert folded.set_state(folded.get_state()) is folded
        assert folded.predict_matrix().shape == (len(new.users), len(model.items_))
    assert all(np.array_equal(getattr(model, name), value) for name, value in before.items())


@pytest.mark.parametrize("model", [SVD(factors=8), SVDpp(factors=8)])
def test_fold_in_of_training_users_predicts_about_the_same(model, larger_ratings):
    ((train_rows, test_rows),) = HoldOut(0.2).split(larger_ratings)
    train, test = larger_ratings[train_rows], larger_ratings[test_rows]
    model.fit(train)
    again = model.fold_in(train)
    assert rmse(test.value, again.predict(test)) < rmse(test.value, model.predict(test)) + 0.05


@pytest.mark.parametrize("model", [SVD(**SMALL), SVDpp(**SMALL)])
def test_folded_in_users_without_known_items_get_the_fallback(model, ratings):
    model.set_params(clip=False).fit(ratings)
    strangers = Ratings.from_columns([1, 1, 2], [100_001, 100_003, int(ratings.items.ids[0])], [3, 4, 5])
    folded = model.fold_in(strangers)
    item = int(ratings.items.ids[1])
    np.testing.assert_allclose(folded.predict([(1, item)]), model.predict([(-1, item)]), rtol=0, atol=1e-5)
    assert folded.predict([(2, item)]) != folded.predict([(1, item)])
    texts = Ratings.from_columns(["a"], ["b"], [1])
    with pytest.raises(DataError, match="ids are given as str"):
        model.fold_in(texts)


def test_zero_regularization_has_a_unique_solution(ratings, other_ratings):
    folded = SVDpp(factors=30, epochs=3, regularization=0.0).fit(ratings).fold_in(other_ratings)
    assert np.isfinite(folded.user_factors_).all()


# Beside scikit-surprise ----------------------------------------------------------------------------


@pytest.mark.peer
@pytest.mark.dataset
@pytest.mark.nightly
def test_svdpp_is_as_accurate_as_surprise():
    """Its own settings, MovieLens 100K, first fold; means over seeds, whose spread is .0018."""
    surprise = pytest.importorskip("surprise", reason='needs a peer: pip install "foretaste[peers]"')
    table = np.loadtxt(data_file("ml-100k/u.data"))
    ratings = Ratings.from_columns(table[:, 0].astype(int), table[:, 1].astype(int), table[:, 2])
    train_rows, test_rows = next(iter(KFold(5, seed=0).split(ratings)))
    train, test = ratings[train_rows], ratings[test_rows]
    settings = {
        "factors": 20, "epochs": 20, "learning_rate": 0.007, "regularization": 0.02, "init_std": 0.1,
        "implicit_learning_rate": 1.0, "implicit_regularization": 0.02, "schedule": "constant",
    }  # fmt: skip
    ours = [rmse(test.value, SVDpp(**settings, seed=seed).fit(train).predict(test)) for seed in range(20)]
    rows = list(
        zip(train.user_ids, train.item_ids, train.value.astype(float), [None] * len(train), strict=True)
    )
    theirs = []
    trainset = surprise.Dataset(surprise.Reader()).construct_trainset(rows)
    for seed in range(3):
        fitted = surprise.SVDpp(random_state=seed).fit(trainset)
        pairs = zip(test.user_ids, test.item_ids, strict=True)
        theirs.append(rmse(test.value, np.array([fitted.predict(u, i).est for u, i in pairs])))
    print(f"RMSE: {np.mean(ours):.4f}, of scikit-surprise {np.mean(theirs):.4f}")
    assert abs(np.mean(ours) - np.mean(theirs)) <= 0.002
