"""EASE against plain numpy, loop by loop."""

from __future__ import annotations

import numpy as np
import pytest
from contract.contract_table import every_pair
from synthetic import shuffled

from foretaste._utils import memory
from foretaste.errors import InvalidParameterError, ModelFileError, NotEnoughMemoryError
from foretaste.models import EASE, Bias, CoClustering, GlobalEffects, Popularity
from foretaste.ratings import Pairs, Ratings


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
        model.fold_in(shuffled(ratings)).predict_matrix(), model.predict_matrix(), rtol=0, atol=2e-4
    )


def test_predictions_are_independent_of_the_row_order(ratings):
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
def test_malformed_rated_items_in_an_ease_file_raise(ratings, name, change):
    state = EASE().fit(ratings).get_state()
    with pytest.raises(ModelFileError, match="do not fit its users and items"):
        EASE().set_state(state | {name: change(state[name])})


def test_ease_contributions_sum_to_the_prediction(ratings):
    model = EASE(clip=False).fit(ratings)
    asked = every_pair(ratings)
    pairs = Pairs(model.users_.encode(asked[:, 0], "user"), model.items_.encode(asked[:, 1], "item"))
    contributions = model.contributions(pairs)
    assert contributions.parts == ("mean", "user", "item", "other ratings")
    assert np.abs(contributions.values[:, 3]).max() > 0.1
    unknown = (pairs.user < 0) | (pairs.item < 0)
    assert not contributions.values[unknown, 3].any()
