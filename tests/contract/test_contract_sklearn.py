"""Contract: models satisfy scikit-learn's estimator protocol."""

from __future__ import annotations

import numpy as np
import pytest
from contract_table import assert_same_state, each_model, make, unvalidated_pairs
from sklearn.base import clone, is_regressor
from sklearn.ensemble import StackingRegressor
from sklearn.exceptions import NotFittedError
from sklearn.experimental import enable_halving_search_cv  # noqa: F401 - its import allows HalvingGridSearchCV
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import (
    GridSearchCV,
    HalvingGridSearchCV,
    KFold,
    RandomizedSearchCV,
    cross_val_score,
    cross_validate,
    learning_curve,
)
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from foretaste import evaluation, splits
from foretaste.metrics import scorer
from foretaste.models import SVD

FOLDS = KFold(3, shuffle=True, random_state=0)


@each_model()
def test_clone_is_unfitted_and_equal(name, ratings):
    model = make(name, clip=False).fit(ratings)
    copied = clone(model)
    assert copied is not model
    assert copied.get_params() == model.get_params()
    with pytest.raises(NotFittedError):
        check_is_fitted(copied)
    check_is_fitted(model)
    assert is_regressor(model)
    assert_same_state(copied.fit(ratings), model)


@each_model()
def test_cross_val_score_on_pairs_equals_that_on_ratings(name, ratings):
    pairs = unvalidated_pairs(name, ratings)
    for scoring in (None, "neg_root_mean_squared_error", scorer("mae")):
        on_pairs = cross_val_score(make(name), pairs, ratings.value, cv=FOLDS, scoring=scoring)
        on_ratings = cross_val_score(make(name), ratings, ratings.value, cv=FOLDS, scoring=scoring)
        assert np.isfinite(on_pairs).all()
        np.testing.assert_array_equal(on_ratings, on_pairs)


@each_model()
def test_grid_search_inside_and_around_a_pipeline_agree(name, ratings):
    pairs = unvalidated_pairs(name, ratings)
    inside = Pipeline([("search", GridSearchCV(make(name), {"clip": [True, False]}, cv=FOLDS))])
    around = GridSearchCV(Pipeline([("model", make(name))]), {"model__clip": [True, False]}, cv=FOLDS)
    inside.fit(pairs, ratings.value)
    around.fit(pairs, ratings.value)
    search = inside.named_steps["search"]
    np.testing.assert_array_equal(
        search.cv_results_["mean_test_score"], around.cv_results_["mean_test_score"]
    )
    plain = make(name, **search.best_params_).fit(pairs, ratings.value)
    np.testing.assert_array_equal(inside.predict(pairs), plain.predict(pairs))
    np.testing.assert_array_equal(around.predict(pairs), plain.predict(pairs))


@each_model()
def test_stacking_regressor_combines_two_models(name, ratings):
    pairs = unvalidated_pairs(name, ratings)
    members = [("one", make(name)), ("mean", make("UserItemMean"))]
    stack = StackingRegressor(members, LinearRegression(), cv=FOLDS).fit(pairs, ratings.value)
    predicted = stack.predict(pairs)
    assert predicted.shape == (len(ratings),)
    members = np.column_stack([m.fit(pairs, ratings.value).predict(pairs) for _, m in members])
    np.testing.assert_allclose(predicted, stack.final_estimator_.predict(members), rtol=1e-5, atol=1e-5)


@each_model()
def test_get_and_set_params_round_trip(name):
    model = make(name)
    params = model.get_params()
    assert list(params) == list(model.param_specs())
    assert model.set_params(**params) is model
    assert model.set_params(clip=False).get_params() == params | {"clip": False}


# Searches and learning curves of scikit-learn, on SVD: pairs as X --- -------------------------------------

QUICK = SVD(factors=2, epochs=3)
RMSE = scorer("rmse")


@pytest.fixture(params=["ratings", "pairs"])
def X(request, ratings):
    return ratings if request.param == "ratings" else unvalidated_pairs("SVD", ratings)


def test_cross_validate_equals_ours(ratings, X):
    scoring = {"rmse": RMSE, "mae": scorer("mae")}
    theirs = cross_validate(QUICK, X, ratings.value, cv=splits.KFold(4), scoring=scoring)
    ours = evaluation.cross_validate(QUICK, ratings, 4)
    for name in scoring:
        assert (-theirs[f"test_{name}"]).tolist() == [fold[name] for fold in ours.folds]


@pytest.mark.parametrize("jobs", [1, pytest.param(2, marks=pytest.mark.nightly)])
def test_grid_search_selects_the_best_of_cross_validate(ratings, X, jobs):
    grid = {"factors": [1, 4], "epochs": [1, 20]}
    search = GridSearchCV(SVD(), grid, cv=splits.KFold(3), scoring=RMSE, n_jobs=jobs)
    search.fit(X, ratings.value)
    ours = [
        evaluation.cross_validate(SVD(**params), ratings, 3).mean["rmse"]
        for params in search.cv_results_["params"]
    ]
    np.testing.assert_allclose(-search.cv_results_["mean_test_score"], ours, rtol=1e-12)
    assert search.best_params_ == search.cv_results_["params"][int(np.argmin(ours))]
    plain = SVD(**search.best_params_).fit(ratings)
    np.testing.assert_array_equal(search.predict(X), plain.predict(ratings))


def test_randomized_search_samples_from_a_distribution(ratings, X):
    from scipy.stats import loguniform

    draws = {"regularization": loguniform(1e-3, 1.0)}
    search = RandomizedSearchCV(QUICK, draws, n_iter=4, cv=FOLDS, scoring=RMSE, random_state=0)
    search.fit(X, ratings.value)
    assert len(set(search.cv_results_["param_regularization"])) == 4
    assert search.best_score_ == max(search.cv_results_["mean_test_score"])


def test_halving_search_allocates_rows_or_epochs(ratings, X):
    grid = {"factors": [1, 2, 4, 8]}
    options = {"factor": 2, "cv": 3, "scoring": RMSE, "random_state": 0}
    by_rows = HalvingGridSearchCV(QUICK, grid, min_resources=200, **options).fit(X, ratings.value)
    assert by_rows.n_resources_[:2] == [200, 400]
    assert by_rows.n_candidates_[:2] == [4, 2]
    by_epochs = HalvingGridSearchCV(
        SVD(), grid, resource="epochs", min_resources=2, max_resources=8, **options
    ).fit(X, ratings.value)
    assert by_epochs.n_resources_ == [2, 4, 8]
    assert by_epochs.best_estimator_.epochs == 8


def test_learning_curve_falls_with_more_ratings(ratings, X):
    sizes, _, scores = learning_curve(
        SVD(), X, ratings.value, train_sizes=[60, 600], cv=FOLDS, scoring=RMSE, shuffle=True, random_state=0
    )
    assert sizes.tolist() == [60, 600]
    assert -scores[1].mean() < -scores[0].mean() - 0.1
