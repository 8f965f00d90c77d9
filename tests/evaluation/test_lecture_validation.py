"""The lecture's cross-validation and grid search on its ratings: our API and scikit-learn's."""

from __future__ import annotations

import re

import numpy as np
import pytest
from real_data import data_file
from sklearn.model_selection import GridSearchCV
from sklearn.model_selection import KFold as SklearnKFold
from sklearn.model_selection import cross_validate as sklearn_cross_validate

from foretaste import SVD, KFold, Ratings, cross_validate, read_ratings, rmse, scorer

pytestmark = pytest.mark.dataset


@pytest.fixture(scope="module")
def ratings() -> Ratings:
    return read_ratings(data_file("jester2/jester_ratings_users_1_to_4000.csv.gz"))


def test_cross_validation_in_the_layout_of_the_lecture(ratings: Ratings) -> None:
    found = cross_validate(SVD(), ratings, folds=5, metrics=["rmse", "mae"])
    lines = str(found).splitlines()
    assert lines[0] == "Evaluating RMSE, MAE of algorithm SVD on 5 split(s)."
    assert lines[2].split() == [
        *(f"{word}" for fold in range(1, 6) for word in ("Fold", str(fold))),
        "Mean",
        "Std",
    ]
    for line, name in zip(lines[3:7], ("RMSE", "MAE", "Fit time", "Test time"), strict=True):
        assert re.fullmatch(rf"{name}( \(testset\))? +(\d+\.\d+ +){{7}}", line + " ")
    # The lecture has 5.2892 and 4.2055, of ratings cut to 1..5.
    assert found.mean["rmse"] <= 4.44
    assert found.mean["mae"] <= 3.38
    assert found.std["rmse"] < 0.03


def test_scikit_learn_gives_the_same_scores(ratings: Ratings) -> None:
    model = SVD(epochs=20)
    ours = cross_validate(model, ratings, folds=5)
    theirs = sklearn_cross_validate(
        model,
        ratings,
        ratings.value,
        cv=SklearnKFold(5, shuffle=True, random_state=0),
        scoring=scorer("rmse"),
    )
    assert [fold["rmse"] for fold in ours.folds] == pytest.approx((-theirs["test_score"]).tolist(), rel=1e-6)


def test_grid_search_equals_an_exhaustive_loop(ratings: Ratings) -> None:
    grid = {"epochs": [20, 80], "learning_rate": [0.005, 0.02], "regularization": [0.04, 0.4]}
    folds = KFold(3)
    search = GridSearchCV(SVD(factors=10), grid, cv=folds, scoring=scorer("rmse")).fit(ratings, ratings.value)
    errors = {}
    for params in search.cv_results_["params"]:
        parts = [
            rmse(ratings.value[test], SVD(factors=10, **params).fit(ratings[train]).predict(ratings[test]))
            for train, test in folds.split(ratings)
        ]
        errors[tuple(params.values())] = float(np.mean(parts))
    assert tuple(search.best_params_.values()) == min(errors, key=errors.__getitem__)
    assert -search.cv_results_["mean_test_score"] == pytest.approx(np.array(list(errors.values())), rel=1e-6)
    assert -search.best_score_ < 4.6
