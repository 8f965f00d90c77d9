"""Contract: models are scikit-learn estimators, by protocol."""

from __future__ import annotations

import numpy as np
import pytest
from contract_table import assert_same_learned, each_model, make, plain_input
from sklearn.base import clone, is_regressor
from sklearn.ensemble import StackingRegressor
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import GridSearchCV, KFold, cross_val_score
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from foretaste.metrics import scorer

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
    assert_same_learned(copied.fit(ratings), model)


@each_model()
def test_cross_val_score_on_pairs_equals_that_on_ratings(name, ratings):
    pairs = plain_input(name, ratings)
    for scoring in (None, "neg_root_mean_squared_error", scorer("mae")):
        on_pairs = cross_val_score(make(name), pairs, ratings.value, cv=FOLDS, scoring=scoring)
        on_ratings = cross_val_score(make(name), ratings, ratings.value, cv=FOLDS, scoring=scoring)
        assert np.isfinite(on_pairs).all()
        np.testing.assert_array_equal(on_ratings, on_pairs)


@each_model()
def test_grid_search_and_pipeline(name, ratings):
    pairs = plain_input(name, ratings)
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
def test_stacking_with_another_model(name, ratings):
    pairs = plain_input(name, ratings)
    members = [("one", make(name)), ("mean", make("UserItemMean"))]
    stack = StackingRegressor(members, LinearRegression(), cv=FOLDS).fit(pairs, ratings.value)
    predicted = stack.predict(pairs)
    assert predicted.shape == (len(ratings),)
    members = np.column_stack([m.fit(pairs, ratings.value).predict(pairs) for _, m in members])
    np.testing.assert_allclose(predicted, stack.final_estimator_.predict(members), rtol=1e-5, atol=1e-5)


@each_model()
def test_parameters_go_in_and_come_out(name):
    model = make(name)
    params = model.get_params()
    assert list(params) == list(model.declarations())
    assert model.set_params(**params) is model
    assert model.set_params(clip=False).get_params() == params | {"clip": False}
