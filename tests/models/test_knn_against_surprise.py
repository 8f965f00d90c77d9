"""Neighbors, Slope One and biases against scikit-surprise, with its formulas.

scikit-surprise breaks ties between neighbors by their first appearance in the ratings, foretaste by id. So
pairs whose k-th and next neighbor are equally similar (as it computes them) are excluded - and counted, so
that little can hide there.
"""

from __future__ import annotations

import contextlib
import io

import numpy as np
import pytest
from real_data import data_file
from synthetic import planted

from foretaste.metrics.rating import rmse
from foretaste.models import Bias, ItemKNN, SlopeOne, UserKNN
from foretaste.ratings import Ratings

pytestmark = pytest.mark.peer
surprise = pytest.importorskip("surprise", reason='needs a peer: pip install "foretaste[peers]"')

CENTERING = {"KNNBasic": "none", "KNNWithMeans": "mean", "KNNWithZScore": "z_score", "KNNBaseline": "bias"}
MAX_TIES = {"cosine": 0.05, "msd": 0.2, "pearson": 0.02, "pearson_baseline": 0.001}  # at most, on MovieLens
AS_SURPRISE = {
    "standardize": False, "norm_over": "common", "max_stored_neighbors": None, "damping": 0.0,
    "bias_epochs": 10, "user_damping": 15.0, "item_damping": 10.0,
}  # fmt: skip


@pytest.fixture(scope="module")
def generated():
    """Ratings 1 to 5 of 120 users for 80 items, with a bit of chance, so that equal similarities are rare."""
    ratings = planted(seed=7, users=120, items=80, rows=3500)
    stars = np.clip(np.round(3 + ratings.value / 3 + 2 * np.random.default_rng(1).random(3500) - 1, 2), 1, 5)
    ratings = Ratings.from_columns(ratings.user_ids, ratings.item_ids, stars)
    rows = np.random.default_rng(0).permutation(3500)
    return ratings[np.sort(rows[:2800])], ratings[np.sort(rows[2800:])]


@pytest.fixture(scope="module")
def movielens():
    return tuple(
        Ratings.from_columns(*np.loadtxt(data_file(f"ml-100k/{name}"), dtype=int, usecols=(0, 1, 2)).T)
        for name in ("u1.base", "u1.test")
    )


def fit_surprise(algorithm, train):
    data = surprise.Dataset(surprise.Reader(rating_scale=(1, 5)))
    by_user = np.argsort(train.user, kind="stable")  # the order in which it goes through them, too
    rows = zip(
        train.user_ids[by_user], train.item_ids[by_user], train.value[by_user].astype(float), strict=True
    )
    with contextlib.redirect_stdout(io.StringIO()):
        return algorithm.fit(data.construct_trainset([(*row, None) for row in rows]))


def predict_with_surprise(fitted, test):
    found = [fitted.predict(u, i) for u, i in zip(test.user_ids, test.item_ids, strict=True)]
    return np.array([one.est for one in found])


def untied_rows(fitted, test, known, items):
    """Return which of the known pairs have a k-th neighbor that is more similar than the next."""
    clear = known.copy()
    for n in np.flatnonzero(known):
        user = fitted.trainset.to_inner_uid(test.user_ids[n])
        item = fitted.trainset.to_inner_iid(test.item_ids[n])
        row, rated = (item, fitted.trainset.ur[user]) if items else (user, fitted.trainset.ir[item])
        alike = np.sort(fitted.sim[row, [other for other, _ in rated]])[::-1]
        if len(alike) > fitted.k and alike[fitted.k - 1] > 0:
            clear[n] = alike[fitted.k - 1] - alike[fitted.k] > 1e-7
    return clear


def check_neighbors(parts, algorithm, similarity, items, k, min_support, most_ties):
    train, test = parts
    options = {"name": similarity, "user_based": not items, "min_support": min_support}
    theirs = fit_surprise(
        getattr(surprise, algorithm)(k=k, min_k=2, sim_options=options, verbose=False), train
    )
    cls = ItemKNN if items else UserKNN
    baseline = similarity == "pearson_baseline"
    model = cls(
        centering=CENTERING[algorithm], similarity="pearson_bias" if baseline else similarity, neighbors=k,
        min_neighbors=2, min_support=max(2, min_support) if baseline else min_support,
        shrinkage=100.0 if baseline else 0.0, **AS_SURPRISE,
    ).fit(train)  # fmt: skip
    ours = model.predict_details(test)
    known = ours.fallback == 0
    clear = untied_rows(theirs, test, known, items)
    wanted = predict_with_surprise(theirs, test)
    compared = clear if algorithm != "KNNBaseline" else clear | ~known  # else it knows the mean of all only
    np.testing.assert_allclose(ours.value[compared], wanted[compared], rtol=0, atol=1e-3)
    ties = 1 - clear.sum() / known.sum()
    print(f"{algorithm} {similarity} items={items}: {ties:.2%} of the pairs are tied at the last neighbour")
    assert ties <= most_ties
    assert known.mean() > 0.9
    assert abs(rmse(test.value[known], ours.value[known]) - rmse(test.value[known], wanted[known])) < 2e-3


@pytest.mark.parametrize("items", [True, False], ids=["items", "users"])
@pytest.mark.parametrize("similarity", MAX_TIES)
@pytest.mark.parametrize("algorithm", CENTERING)
def test_neighbors_equal_surprise(generated, algorithm, similarity, items):
    for k, min_support in ((4, 3), (40, 1)):
        check_neighbors(generated, algorithm, similarity, items, k, min_support, 0.02)


@pytest.mark.nightly
@pytest.mark.dataset
@pytest.mark.parametrize("items", [True, False], ids=["items", "users"])
@pytest.mark.parametrize("similarity", MAX_TIES)
@pytest.mark.parametrize("algorithm", CENTERING)
def test_movielens_neighbors_equal_surprise(movielens, algorithm, similarity, items):
    check_neighbors(movielens, algorithm, similarity, items, 40, 1, MAX_TIES[similarity])


@pytest.mark.parametrize("parts", ["generated", pytest.param("movielens", marks=pytest.mark.dataset)])
def test_slope_one_equals_surprise(request, parts):
    train, test = request.getfixturevalue(parts)
    train = train.replace(value=np.floor(train.value))  # it truncates ratings to integers silently
    wanted = predict_with_surprise(fit_surprise(surprise.SlopeOne(), train), test)
    ours = SlopeOne(scheme="plain").fit(train).predict_details(test)
    known = ours.fallback == 0
    np.testing.assert_allclose(ours.value[known], wanted[known], rtol=0, atol=1e-3)


@pytest.mark.parametrize("parts", ["generated", pytest.param("movielens", marks=pytest.mark.dataset)])
@pytest.mark.parametrize("method", ["als", "sgd"])
def test_biases_equal_surprise(request, parts, method):
    train, test = request.getfixturevalue(parts)
    theirs = surprise.BaselineOnly(bsl_options={"method": method}, verbose=False)
    wanted = predict_with_surprise(fit_surprise(theirs, train), test)
    if method == "als":
        model = Bias(method="als", epochs=10, user_damping=15, item_damping=10)
    else:
        model = Bias(method="sgd", epochs=20, learning_rate=0.005, regularization=0.02)
    np.testing.assert_allclose(model.fit(train).predict(test), wanted, rtol=0, atol=1e-3)
