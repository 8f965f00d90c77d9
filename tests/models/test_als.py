"""ALS and NMF: the objective decreases, non-negativity holds, fold-in is the optimum."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from real_data import data_file
from synthetic import planted

from foretaste.errors import InvalidParameterError
from foretaste.metrics.rating import rmse
from foretaste.models import ALS, NMF, Bias
from foretaste.ratings import Ratings
from foretaste.splits import HoldOut, KFold


def objective(model, ratings):
    """Return the model's objective at its fitted parameters, in float64, by numpy."""
    z = (ratings.value.astype(np.float64) - model.origin_) / model.std_
    bu, bi = model.user_bias_.astype(np.float64), model.item_bias_.astype(np.float64)
    p, q = model.user_factors_.astype(np.float64), model.item_factors_.astype(np.float64)
    u, i = ratings.user, ratings.item
    error = z - bu[u] - bi[i] - (p[u] * q[i]).sum(axis=1)
    growth = np.arange(1.0, p.shape[1] + 1) ** getattr(model, "growth", 0.0)
    total = float(error @ error)
    for codes, factors, bias in ((u, p, bu), (i, q, bi)):
        ridge = model.regularization * np.bincount(codes, minlength=len(factors)) + model.damping
        total += float(ridge @ (factors**2 @ growth)) + model.bias_damping * float(bias @ bias)
    return total


SETTINGS = [
    ALS(factors=5, solver="cholesky"),
    ALS(factors=5, solver="cg", cg_steps=4),
    ALS(factors=5, growth=0),
    ALS(factors=5, non_negative=True),
    ALS(factors=5, biased=False),
    NMF(factors=5),
    NMF(factors=5, biased=False, margin=0.1),
]


@pytest.mark.parametrize("model", SETTINGS, ids=repr)
def test_objective_decreases_every_epoch(model, ratings):
    values = []
    for epochs in (1, 2, 3, 5, 9, 20):
        fitted = type(model)(**(model.get_params() | {"epochs": epochs})).fit(ratings)
        values.append(objective(fitted, ratings))
    assert all(later <= earlier * (1 + 1e-5) for earlier, later in pairwise(values))
    assert values[-1] < 0.98 * values[0]


def test_exact_solution_has_zero_gradient(larger_ratings):
    """At the end of an epoch each user is at the best; the slope of the objective there is 0."""
    model = ALS(factors=6, solver="cholesky", epochs=3).fit(larger_ratings)
    z = (larger_ratings.value.astype(np.float64) - model.mean_) / model.std_
    p, q = model.user_factors_.astype(np.float64), model.item_factors_.astype(np.float64)
    u, i = larger_ratings.user, larger_ratings.item
    error = z - model.user_bias_[u] - model.item_bias_[i] - (p[u] * q[i]).sum(axis=1)
    growth = np.arange(1.0, 7) ** model.growth
    count = np.bincount(u, minlength=len(p))
    slope = np.zeros_like(p)
    np.add.at(slope, u, error[:, None] * q[i])
    slope -= (model.regularization * count + model.damping)[:, None] * growth * p
    scale = np.zeros_like(p)
    np.add.at(scale, u, np.abs(error[:, None] * q[i]))
    assert np.abs(slope).max() < 1e-4 * scale.max()
    of_bias = np.bincount(u, error) - model.bias_damping * model.user_bias_
    np.testing.assert_allclose(of_bias, 0, atol=2e-4)


@pytest.mark.parametrize(
    "model", [ALS(factors=4), ALS(factors=4, non_negative=True), ALS(factors=4, biased=False)]
)
def test_fold_in_equals_the_last_half_epoch(model, ratings):
    fitted = model.fit(ratings)
    folded = fitted.fold_in(ratings)
    np.testing.assert_allclose(folded.user_factors_, fitted.user_factors_, atol=2e-3)
    np.testing.assert_allclose(folded.user_bias_, fitted.user_bias_, atol=2e-3)
    np.testing.assert_allclose(folded.predict(ratings), fitted.predict(ratings), atol=5e-3)


def test_fold_in_improves_predictions_for_new_users(larger_ratings):
    """Ratings of unseen users: half of each user's are folded in, the other half is predicted."""
    users = np.random.default_rng(0).permutation(len(larger_ratings.users))
    new = np.isin(larger_ratings.user, users[:60])
    known, asked = larger_ratings[~new], larger_ratings[new]
    folded_rows, test_rows = next(iter(HoldOut(0.5, seed=1).split(asked)))
    for model in (ALS(factors=4), NMF(factors=4)):
        fitted = model.fit(known)
        folded = fitted.fold_in(asked[folded_rows])
        rest = asked[test_rows]
        assert rmse(rest.value, folded.predict(rest)) < 0.9 * rmse(rest.value, fitted.predict(rest))


@pytest.mark.parametrize(
    "model", [ALS(factors=8, non_negative=True), NMF(factors=8), NMF(factors=8, biased=False)]
)
def test_factors_are_non_negative(model, ratings):
    fitted = model.fit(ratings)
    assert fitted.user_factors_.min() >= 0
    assert fitted.item_factors_.min() >= 0
    assert fitted.user_factors_.max() > 0.05


def test_non_negative_with_cg_raises(ratings):
    with pytest.raises(InvalidParameterError, match="does not support non_negative=True") as caught:
        ALS(non_negative=True, solver="cg").fit(ratings)
    assert caught.value.hint == 'solver="auto"'


def test_auto_is_exact_up_to_64_factors(larger_ratings):
    few = [
        ALS(factors=16, epochs=3, solver=s).fit(larger_ratings).user_factors_
        for s in ("auto", "cholesky", "cg")
    ]
    assert few[0].tobytes() == few[1].tobytes()
    assert few[0].tobytes() != few[2].tobytes()
    many = [
        ALS(factors=65, epochs=2, solver=s).fit(larger_ratings).user_factors_
        for s in ("auto", "cholesky", "cg")
    ]
    assert many[0].tobytes() == many[2].tobytes()
    assert many[0].tobytes() != many[1].tobytes()


@pytest.mark.parametrize("model", [ALS(factors=4), NMF(factors=4)])
def test_unknown_users_and_items_get_the_fallback(model, ratings):
    fitted = model.fit(ratings)
    user, item = int(ratings.users.ids[0]), int(ratings.items.ids[0])
    both, of_item, of_user = fitted.predict([(99_999, 99_999), (99_999, item), (user, 99_999)])
    assert both == pytest.approx(fitted.mean_, abs=1e-5)
    assert of_item == pytest.approx(fitted.mean_ + fitted.std_ * fitted.item_bias_[0], abs=1e-4)
    assert of_user == pytest.approx(fitted.mean_ + fitted.std_ * fitted.user_bias_[0], abs=1e-4)


def test_unknown_ids_without_biases_get_the_mean(ratings):
    for model in (ALS(factors=4, non_negative=True, biased=False), NMF(factors=4, biased=False)):
        fitted = model.fit(ratings)
        user, item = int(ratings.users.ids[0]), int(ratings.items.ids[0])
        np.testing.assert_allclose(
            fitted.predict([(99_999, 99_999), (99_999, item), (user, 99_999)]), fitted.mean_, atol=1e-5
        )
        assert fitted.origin_ < fitted.mean_


def test_planted_factors_are_recovered():
    ratings = planted(users=240, items=120, rows=12_000)
    ((train_rows, test_rows),) = HoldOut(0.2, seed=0).split(ratings)
    train, test = ratings[train_rows], ratings[test_rows]
    by_bias = rmse(test.value, Bias().fit(train).predict(test))
    for model in (ALS(factors=8), ALS(factors=8, non_negative=True), NMF(factors=8)):
        assert rmse(test.value, model.fit(train).predict(test)) < 0.8 * by_bias


# Real ratings --------------------------------------------------------------------------------------


def movielens(part: str):
    table = np.loadtxt(data_file(f"ml-100k/{part}"))
    return Ratings.from_columns(table[:, 0].astype(int), table[:, 1].astype(int), table[:, 2])


@pytest.mark.dataset
@pytest.mark.parametrize("factors", [32, 64])
def test_conjugate_gradients_are_as_accurate_as_cholesky(factors):
    ratings = movielens("u.data")
    train_rows, test_rows = next(iter(KFold(5, seed=0).split(ratings)))
    train, test = ratings[train_rows], ratings[test_rows]
    by = {
        s: rmse(test.value, ALS(factors=factors, solver=s).fit(train).predict(test))
        for s in ("cholesky", "cg")
    }
    print(by)
    assert by["cg"] == pytest.approx(by["cholesky"], abs=2e-4)


@pytest.mark.dataset
@pytest.mark.peer
@pytest.mark.parametrize("seed", [0, 1])
def test_nmf_equals_surprise_from_the_same_init(seed, monkeypatch):
    """Its settings (15 factors, 50 epochs, .06 a rating, no biases), MovieLens 100K, u1.

    Ratings there are counted from 0 in rating units: a margin of a quarter of the range from 1 to 5 puts 0 at
    the same place. From starts of their own, both vary by about .003 in RMSE from seed to seed.
    """
    surprise = pytest.importorskip("surprise", reason='needs a peer: pip install "foretaste[peers]"')
    train, test = movielens("u1.base"), movielens("u1.test")
    columns = train.user_ids, train.item_ids, train.value.astype(float), [None] * len(train)
    trainset = surprise.Dataset(surprise.Reader()).construct_trainset(list(zip(*columns, strict=True)))
    theirs = surprise.NMF(random_state=seed).fit(trainset)
    guess = np.array([theirs.predict(u, i).est for u, i in zip(test.user_ids, test.item_ids, strict=True)])

    std = train.mean_std()[1]
    users = [trainset.to_inner_uid(u) for u in train.users.ids]
    items = [trainset.to_inner_iid(i) for i in train.items.ids]
    random = np.random.RandomState(seed)
    start = [random.uniform(0, 1, (len(ids), 15))[ids] / np.sqrt(std) for ids in (users, items)]

    class NMFFromStart(NMF):
        def _init_factors(self, random, users, items):
            for entity_factors, values in zip((users, items), start, strict=True):
                entity_factors.init_factors(lambda n, values=values: values)

    ours = NMFFromStart(
        factors=15, epochs=50, biased=False, margin=0.25, update_order="simultaneous",
        regularization=0.06 / std, damping=0,
    ).fit(train)  # fmt: skip
    np.testing.assert_allclose(ours.user_factors_ * np.sqrt(std), theirs.pu[users], atol=1e-3)
    np.testing.assert_allclose(ours.item_factors_ * np.sqrt(std), theirs.qi[items], atol=1e-3)
    np.testing.assert_allclose(ours.predict(test), guess, atol=1e-3)
    assert rmse(test.value, ours.predict(test)) == pytest.approx(rmse(test.value, guess), abs=1e-4)
