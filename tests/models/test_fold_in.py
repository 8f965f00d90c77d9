"""Fold-in of new users and items: exact solutions, and errors that say what to do."""

from __future__ import annotations

import logging

import numpy as np
import pandas as pd
import pytest
from synthetic import shuffled

from foretaste.errors import (
    DataError,
    InvalidParameterError,
    ModelFileError,
    NotFittedError,
    NotSupportedError,
)
from foretaste.metrics.rating import rmse
from foretaste.models import (
    ALS,
    EASE,
    NMF,
    SVD,
    Bias,
    Blend,
    CoClustering,
    GlobalEffects,
    ItemKNN,
    ItemMean,
    NormalRandom,
    SlopeOne,
    SVDpp,
    TimeSVDpp,
    UserItemMean,
    UserKNN,
    UserMean,
)
from foretaste.ratings import Ratings
from foretaste.recommendation import fold_in, recommend


def ridge(vectors, target, weight, penalty):
    """Solve one ridge regression in float64."""
    gram = vectors.T @ (weight[:, None] * vectors) + penalty
    return np.linalg.solve(gram, vectors.T @ (weight * target))


def rated(model, ratings, item):
    """Return users of the model, ratings in standard deviations and weights of one item."""
    rows = np.flatnonzero(ratings.item_ids == item)
    user = model.users_.indices_of(ratings.user_ids[rows])
    weight = np.ones(len(rows)) if ratings.weight is None else ratings.weight[rows].astype(np.float64)
    known = user >= 0
    return user[known], ratings.value[rows][known].astype(np.float64), weight[known]


@pytest.mark.parametrize("weighted", [False, True])
def test_svd_new_items_equal_ridge_regression_on_user_factors(ratings, other_ratings, weighted):
    model = SVD(factors=5, epochs=20, clip=False).fit(ratings)
    if weighted:
        other_ratings = other_ratings.replace(
            weight=(1 + np.arange(len(other_ratings)) % 3).astype(np.float32)
        )
    folded = fold_in(model, items=other_ratings)
    learned = np.column_stack([model.item_bias_, model.item_factors_]).astype(np.float64)
    spread = learned.T @ learned / len(learned)
    penalty = (model.train_rmse_[-1] / model.std_) ** 2 * np.linalg.inv(spread)
    for place, item in enumerate(other_ratings.items.ids):
        user, value, weight = rated(model, other_ratings, item)
        if len(user) == 0:
            assert folded.item_bias_[place] == 0
            continue
        vectors = np.hstack([np.ones((len(user), 1)), model.user_factors_[user].astype(np.float64)])
        target = (value - model.mean_) / model.std_ - model.user_bias_[user]
        found = ridge(vectors, target, weight, penalty)
        np.testing.assert_allclose(folded.item_bias_[place], found[0], atol=2e-5)
        np.testing.assert_allclose(folded.item_factors_[place], found[1:], atol=2e-5)


def test_als_new_items_equal_a_training_step(ratings, other_ratings):
    model = ALS(factors=4, epochs=8, clip=False).fit(ratings)
    folded = fold_in(model, items=other_ratings)
    growth = np.arange(1.0, 5.0) ** model.growth
    for place, item in enumerate(other_ratings.items.ids):
        user, value, weight = rated(model, other_ratings, item)
        if len(user) == 0:
            continue
        vectors = np.hstack([np.ones((len(user), 1)), model.user_factors_[user].astype(np.float64)])
        target = (value - model.mean_) / model.std_ - model.user_bias_[user]
        penalty = np.r_[model.bias_damping, (model.regularization * len(user) + model.damping) * growth]
        found = ridge(vectors, target, weight, np.diag(penalty))
        np.testing.assert_allclose(folded.item_bias_[place], found[0], atol=1e-4)
        np.testing.assert_allclose(folded.item_factors_[place], found[1:], atol=1e-4)


@pytest.mark.parametrize("side", ["user", "item"])
def test_fold_in_fits_ratings_less_the_time_effects(ratings, side):
    """The residual is the rating less the prediction of the other entity at that time."""
    timed = ratings.replace(timestamp=1_700_000_000 + np.arange(len(ratings)) * 40_000)
    quick = {"session_damping": 0.5, "bins": 5, "bin_damping": 0.5, "drift_damping": 0.5}
    model = TimeSVDpp(factors=3, epochs=20, implicit_learning_rate=0.0, clip=False, **quick).fit(timed)
    model.implicit_factors_[:] = 0
    folded = fold_in(model, **{f"{side}s": timed})
    other, nobody = "item" if side == "user" else "user", np.full(len(timed), 999_999)
    ids = {"user": timed.user_ids, "item": timed.item_ids, side: nobody}
    said = model.predict(
        pd.DataFrame({"userId": ids["user"], "itemId": ids["item"], "timestamp": timed.timestamp})
    )
    bias, factors = getattr(model, f"{other}_bias_"), getattr(model, f"{other}_factors_").astype(np.float64)
    of_time = (said - model.mean_) / model.std_ - bias[getattr(timed, other)]
    assert np.abs(of_time).max() > 0.05
    left = (timed.value.astype(np.float64) - said) / model.std_
    for place in range(0, len(getattr(timed, f"{side}s")), 7):
        rows = getattr(timed, side) == place
        vectors = np.hstack([np.ones((rows.sum(), 1)), factors[getattr(timed, other)[rows]]])
        found = ridge(vectors, left[rows], np.ones(rows.sum()), getattr(model, f"{side}_penalty_"))
        np.testing.assert_allclose(getattr(folded, f"{side}_bias_")[place], found[0], atol=1e-4)
        np.testing.assert_allclose(getattr(folded, f"{side}_factors_")[place], found[1:], atol=1e-4)


def test_item_of_weight_0_does_not_count_as_rated(ratings, other_ratings):
    model = SVDpp(factors=4, epochs=30, init_std=0.2, implicit_learning_rate=1.0, clip=False).fit(ratings)
    weight = (np.arange(len(other_ratings)) % 2).astype(np.float32)
    folded = fold_in(model, users=other_ratings.replace(weight=weight))
    alone = fold_in(model, users=other_ratings[weight > 0])
    whole = fold_in(model, users=other_ratings).predict_matrix(users=alone.users_)
    found = folded.predict_matrix(users=alone.users_)
    np.testing.assert_allclose(found, alone.predict_matrix(), rtol=0, atol=1e-4)
    assert np.abs(found - whole).max() > 0.1


def test_nmf_new_items_are_non_negative(ratings, other_ratings):
    folded = fold_in(NMF(factors=4, epochs=20).fit(ratings), items=other_ratings)
    assert folded.item_factors_.min() == 0
    assert folded.item_factors_.max() > 0


@pytest.mark.parametrize("side", ["user", "item"])
def test_folded_in_biases_are_damped_means(ratings, other_ratings, side):
    weighted = other_ratings.replace(weight=(1 + np.arange(len(other_ratings)) % 3).astype(np.float32))
    model = Bias(user_damping=2, item_damping=7).fit(ratings)
    folded = fold_in(model, **{f"{side}s": weighted})
    other, damping = ("item", 2) if side == "user" else ("user", 7)
    places = getattr(model, f"{other}s_").indices_of(getattr(weighted, f"{other}_ids"))
    left = weighted.value - model.mean_ - getattr(model, f"{other}_bias_")[places]
    for place in range(len(getattr(weighted, f"{side}s"))):
        rows = (getattr(weighted, side) == place) & (places >= 0)
        weight = weighted.weight[rows].astype(np.float64)
        expected = (weight * left[rows]).sum() / (weight.sum() + damping)
        assert getattr(folded, f"{side}_bias_")[place] == pytest.approx(expected, abs=1e-5)


OF_BOTH = [
    (Bias(), 1e-4),
    (UserMean(), 1e-6),
    (ItemMean(), 1e-6),
    (UserItemMean(), 1e-6),
    (GlobalEffects(sweeps=300), 2e-3),
    (Blend(models=["Bias", "UserItemMean"], folds=2), 1e-4),
]
OF_USERS = [
    *(ItemKNN(centering=word) for word in ("bias", "mean", "z_score", "none")),
    *(SlopeOne(scheme=word) for word in ("weighted", "plain", "bi_polar")),
]
OF_ITEMS = [UserKNN(centering=word) for word in ("bias", "mean", "z_score", "none")]


@pytest.mark.parametrize(
    ("side", "model", "tolerance"),
    [
        *((side, model, tolerance) for side in ("user", "item") for model, tolerance in OF_BOTH),
        *(("user", model, 2e-5) for model in OF_USERS),
        *(("item", model, 2e-5) for model in OF_ITEMS),
    ],
    ids=repr,
)
def test_fold_in_of_training_rows_reproduces_training(ratings, side, model, tolerance):
    model.set_params(clip=False).fit(ratings)
    folded = fold_in(model, **{f"{side}s": shuffled(ratings)})
    assert type(folded) is type(model)
    assert (folded.users_, folded.items_) == (ratings.users, ratings.items)
    np.testing.assert_allclose(folded.predict_matrix(), model.predict_matrix(), rtol=0, atol=tolerance)


@pytest.mark.parametrize("name", [SVD, ALS, SVDpp, CoClustering], ids=lambda cls: cls.__name__)
@pytest.mark.parametrize("side", ["user", "item"])
def test_fold_in_is_nearly_as_accurate_as_training(larger_ratings, name, side):
    """A third of one entity is folded in from three quarters of its ratings; the rest is the test set."""
    new = getattr(larger_ratings, side) % 3 == 0
    rng = np.random.default_rng(1)
    judged = new & (rng.random(len(larger_ratings)) < 0.25)
    model = name(seed=0).fit(larger_ratings[~new])
    folded = fold_in(model, **{f"{side}s": larger_ratings[new & ~judged]})
    whole = name(seed=0).fit(larger_ratings[~judged])
    rows = larger_ratings[judged]
    errors = [rmse(rows.value, m.predict(rows)) for m in (model, folded, whole)]
    assert errors[1] < 0.8 * errors[0]  # what the fallback of the unknown is worth
    assert errors[1] < 1.12 * errors[2]


def test_fold_in_accepts_frames_and_lists(ratings):
    import polars as pl

    texts = Ratings.from_columns(
        [f"u{u}" for u in ratings.user_ids], [f"i{i}" for i in ratings.item_ids], ratings.value
    )
    model = SVD(factors=3, epochs=5).fit(texts)
    me = pl.DataFrame({"userId": ["me", "me"], "itemId": ["i5", "i9"], "rating": [3.0, -2.0]})
    folded = fold_in(model, users=me)
    assert folded.users_.ids.tolist() == ["me"]
    assert len(recommend(folded, "me", 4)) == 4


def test_ignored_ratings_are_logged(ratings, other_ratings, caplog):
    with caplog.at_level(logging.INFO, logger="foretaste"):
        fold_in(Bias().fit(ratings), users=other_ratings)
    unknown = int((~np.isin(other_ratings.item_ids, ratings.items.ids)).sum())
    assert f"{unknown} of {len(other_ratings)} ratings are of unknown items and ignored" in caplog.text


def test_invalid_fold_in_arguments_raise(ratings, other_ratings):
    model = SVD(factors=3, epochs=3).fit(ratings)
    with pytest.raises(InvalidParameterError, match="new users or new items, one of them"):
        fold_in(model)
    with pytest.raises(InvalidParameterError, match="not both"):
        fold_in(model, users=other_ratings, items=other_ratings)
    with pytest.raises(InvalidParameterError, match="not Ratings"):
        fold_in(ratings, users=other_ratings)
    with pytest.raises(
        InvalidParameterError, match='entity="users" is not allowed; it must be "user"'
    ) as refused:
        model.fold_in(other_ratings, "users")
    assert refused.value.hint == 'entity="user"'
    with pytest.raises(NotFittedError):
        fold_in(SVD(), users=other_ratings)
    with pytest.raises(DataError, match="item ids are given as str"):
        fold_in(model, users=Ratings.from_columns(["a"], ["b"], [1.0]))
    with pytest.raises(DataError, match=r"knows none of the 1 items .*\(first: 99999\)"):
        fold_in(model, users=Ratings.from_columns([1], [99_999], [1.0]))
    with pytest.raises(DataError, match="no ratings of new users"):
        fold_in(model, users=other_ratings[[]])


def test_unsupported_models_raise_also_when_nested(ratings, other_ratings):
    weighted = other_ratings.replace(weight=np.ones(len(other_ratings), np.float32))
    with pytest.raises(NotSupportedError, match="ItemKNN does not support sample weights"):
        fold_in(ItemKNN().fit(ratings), users=weighted)
    with pytest.raises(NotSupportedError, match="EASE cannot fold in new items") as refused:
        fold_in(EASE().fit(ratings), items=other_ratings)
    assert "ALS" in refused.value.hint
    assert "EASE" not in refused.value.hint
    with pytest.raises(NotSupportedError, match="ItemKNN does not support sample weights"):
        fold_in(Blend(models=["Bias", "ItemKNN"], folds=2).fit(ratings), users=weighted)
    blend = Blend(models=["Bias", "NormalRandom"], folds=2).fit(ratings)
    with pytest.raises(NotSupportedError, match="NormalRandom cannot fold in new users"):
        fold_in(blend, users=other_ratings)
    assert isinstance(blend.members_[1], NormalRandom)


@pytest.mark.parametrize("model", [SVD(factors=3, epochs=3), SVDpp(factors=3, epochs=3)], ids=repr)
def test_malformed_penalties_raise(ratings, model):
    model.fit(ratings)
    good = model.user_penalty_
    assert good.shape == (4, 4)
    assert type(model)(**model.get_params()).set_state(model.get_state()) is not model
    lopsided, negative = good.copy(), -good
    lopsided[0, 1] += 1
    for wrong in (good[:3, :3].copy(), lopsided, negative):
        changed = {"user_penalty_": wrong, "item_penalty_": wrong}
        with pytest.raises(ModelFileError, match="does not fit its factors"):
            type(model)(**model.get_params()).set_state(model.get_state() | changed)


def test_constant_ratings_fold_in_at_the_constant(other_ratings):
    alike = other_ratings.replace(value=np.full(len(other_ratings), 3.0, np.float32))
    folded = fold_in(SVD(factors=3, epochs=3).fit(alike), users=alike)
    np.testing.assert_allclose(folded.predict_matrix(), 3.0)


@pytest.mark.parametrize("model", [GlobalEffects(), CoClustering(), EASE(), ItemKNN(), SlopeOne()], ids=repr)
def test_ratings_of_unknown_items_are_ignored_in_a_fold_in(ratings, other_ratings, model):
    folded = model.fit(ratings).fold_in(other_ratings)
    assert (folded.users_, folded.items_) == (other_ratings.users, ratings.items)
    known = np.isin(other_ratings.item_ids, ratings.items.ids)
    assert 0 < known.sum() < len(other_ratings)
    again = model.fold_in(other_ratings[known])
    np.testing.assert_array_equal(folded.predict_matrix(users=again.users_), again.predict_matrix())
    with pytest.raises(DataError, match="item ids are given as str"):
        model.fold_in(Ratings.from_columns(["a"], ["b"], [1]))
