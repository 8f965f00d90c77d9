"""Bias: exact, alternating and stochastic solvers against plain numpy."""

from __future__ import annotations

import numpy as np

from foretaste.models import Bias


def residual_of(ratings):
    matrix = ratings.to_matrix(dtype=np.float64)
    return matrix - np.nanmean(matrix)


def test_fixed_alternations_start_with_items(ratings):
    left = residual_of(ratings)
    there = ~np.isnan(left)
    user, item = np.zeros(len(left)), np.zeros(left.shape[1])
    for _ in range(3):
        item = np.nansum(left - user[:, None], axis=0) / (there.sum(axis=0) + 2.0)
        user = np.nansum(left - item, axis=1) / (there.sum(axis=1) + 4.0)
    model = Bias(method="als", epochs=3, user_damping=4.0, item_damping=2.0).fit(ratings)
    np.testing.assert_allclose(model.user_bias_, user, rtol=0, atol=1e-5)
    np.testing.assert_allclose(model.item_bias_, item, rtol=0, atol=1e-5)
    exact = Bias(user_damping=4.0, item_damping=2.0).fit(ratings)
    assert np.abs(exact.user_bias_ - user).max() > 1e-3


def test_sgd_visits_ratings_by_user(ratings):
    left = ratings.value.astype(np.float64) - ratings.value.mean(dtype=np.float64)
    user, item = np.zeros(len(ratings.users)), np.zeros(len(ratings.items))
    for _ in range(4):
        for k in np.argsort(ratings.user, kind="stable"):
            error = left[k] - user[ratings.user[k]] - item[ratings.item[k]]
            user[ratings.user[k]] += 0.01 * (error - 0.1 * user[ratings.user[k]])
            item[ratings.item[k]] += 0.01 * (error - 0.1 * item[ratings.item[k]])
    model = Bias(method="sgd", epochs=4, learning_rate=0.01, regularization=0.1).fit(ratings)
    np.testing.assert_allclose(model.user_bias_, user, rtol=0, atol=1e-5)
    np.testing.assert_allclose(model.item_bias_, item, rtol=0, atol=1e-5)


def test_exact_biases_are_the_minimum_at_once(ratings):
    """Also where only damping identifies users and items: the solution of the linear equations."""
    for damping in ((5.0, 5.0), (0.5, 20.0), (0.001, 0.001)):
        model = Bias(user_damping=damping[0], item_damping=damping[1]).fit(ratings)
        users, items = len(ratings.users), len(ratings.items)
        design = np.zeros((len(ratings), users + items))
        design[np.arange(len(ratings)), ratings.user] = 1
        design[np.arange(len(ratings)), users + ratings.item] = 1
        ridge = np.diag(np.r_[np.full(users, damping[0]), np.full(items, damping[1])])
        left = ratings.value.astype(np.float64) - ratings.value.mean(dtype=np.float64)
        wanted = np.linalg.solve(design.T @ design + ridge, design.T @ left)
        np.testing.assert_allclose(np.r_[model.user_bias_, model.item_bias_], wanted, rtol=0, atol=1e-3)
