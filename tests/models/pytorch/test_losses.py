"""Losses against ten lines of numpy each, and the predictions derived from them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from needs_torch import torch
from synthetic import planted

from foretaste.errors import InvalidParameterError
from foretaste.models.pytorch import TorchRecommender
from foretaste.models.pytorch.losses import (
    BinaryLoss,
    BPRLoss,
    CustomLoss,
    HuberLoss,
    Loss,
    OrdinalLoss,
    QuantileLoss,
)
from foretaste.ratings import Ratings

FLOATS = st.floats(-6, 6, width=32)
ROWS = st.lists(st.tuples(FLOATS, FLOATS), min_size=1, max_size=30)
QUICK = {
    "factors": 8, "epochs": 40, "batch_size": 128, "learning_rate": 0.02, "validation_fraction": 0.0,
    "regularization": 0.005,
}  # fmt: skip


def sigmoid(x):
    return 1 / (1 + np.exp(-np.asarray(x, np.float64)))


def per_sample_losses(loss, rows):
    output, value = (torch.tensor(column, dtype=torch.float32) for column in zip(*rows, strict=True))
    return loss.per_sample(output, value).detach().numpy()


@settings(max_examples=60)
@given(rows=ROWS, delta=st.floats(0.1, 3), quantile=st.floats(0.01, 0.99))
def test_rating_losses_equal_their_textbook_formulas(rows, delta, quantile):
    output, value = np.array(rows, np.float64).T
    gap = np.abs(output - value)
    np.testing.assert_allclose(per_sample_losses(Loss(), rows), gap**2, rtol=1e-5, atol=1e-5)
    wanted = np.where(gap <= delta, gap**2 / 2, delta * (gap - delta / 2))
    np.testing.assert_allclose(per_sample_losses(HuberLoss(delta), rows), wanted, rtol=1e-4, atol=1e-5)
    wanted = np.where(value > output, quantile, 1 - quantile) * gap
    np.testing.assert_allclose(per_sample_losses(QuantileLoss(quantile), rows), wanted, rtol=1e-4, atol=1e-5)


@settings(max_examples=60)
@given(rows=ROWS, threshold=st.floats(-2, 2, width=32))
def test_binary_loss_is_the_likelihood_of_exceeding_the_threshold(rows, threshold):
    output, value = np.array(rows, np.float32).T
    loss = BinaryLoss().fit_threshold(value, None, threshold)
    chance = sigmoid(output)
    wanted = -np.log(np.where(value >= threshold, chance, 1 - chance))
    np.testing.assert_allclose(per_sample_losses(loss, rows), wanted, rtol=1e-4, atol=1e-5)
    means = [
        value[rows].mean() if rows.any() else value.mean() for rows in (value < threshold, value >= threshold)
    ]
    standard = loss.to_rating(torch.from_numpy(output)).numpy()
    np.testing.assert_allclose(standard, means[0] + chance * (means[1] - means[0]), rtol=1e-4, atol=1e-4)


@settings(max_examples=60)
@given(
    values=st.lists(st.integers(-4, 4), min_size=2, max_size=40),
    outputs=st.lists(st.floats(-3, 3, width=32), min_size=1, max_size=10),
    weighted=st.booleans(),
)
def test_ordinal_loss_is_the_likelihood_of_the_level(values, outputs, weighted):
    value = np.array(values, np.float32) / 2
    weight = np.arange(1, len(value) + 1, dtype=np.float32) if weighted else None
    levels = np.unique(value)
    loss = OrdinalLoss.from_ratings(value, weight)
    assert loss.levels.tolist() == levels.tolist()
    output = torch.tensor(outputs, dtype=torch.float32)
    ends = loss.thresholds().detach().numpy().astype(np.float64) if len(levels) > 1 else np.empty(0)
    assert (np.diff(ends) > 0).all()
    below = sigmoid(ends - output.numpy()[:, None].astype(np.float64))  # (outputs, levels - 1)
    chances = np.diff(np.c_[np.zeros(len(below)), below, np.ones(len(below))], axis=1)
    np.testing.assert_allclose(loss.probabilities(output).detach().numpy(), chances, atol=1e-5)
    for place, level in enumerate(levels):
        result = loss.per_sample(output, torch.full_like(output, float(level))).detach().numpy()
        np.testing.assert_allclose(
            result, -np.log(np.maximum(chances[:, place], 1e-30)), rtol=2e-3, atol=1e-3
        )
    mean = chances @ levels
    np.testing.assert_allclose(loss.to_rating(output).detach().numpy(), mean, atol=1e-4)
    spread = np.sqrt(np.maximum(chances @ levels**2 - mean**2, 0))
    np.testing.assert_allclose(loss.predictive_std(output).detach().numpy(), spread, atol=2e-2)


def test_initial_thresholds_reproduce_the_level_frequencies():
    value = np.repeat(np.array([1, 2, 3, 5], np.float32), [10, 20, 60, 10])
    chances = OrdinalLoss.from_ratings(value, None).probabilities(torch.zeros(1))
    np.testing.assert_allclose(chances.detach().numpy(), [[0.1, 0.2, 0.6, 0.1]], atol=1e-5)


def test_many_distinct_ratings_become_twenty_quantile_levels():
    value = np.random.default_rng(0).normal(size=2000).astype(np.float32)
    loss = OrdinalLoss.from_ratings(value, None)
    place = np.searchsorted(loss.edges.numpy(), value, side="right")
    assert np.bincount(place).tolist() == pytest.approx([100] * 20, abs=2)
    means = np.bincount(place, value) / np.bincount(place)
    np.testing.assert_allclose(loss.levels.numpy(), means, atol=1e-5)


def test_saturated_ordinal_loss_is_finite_and_differentiable():
    value = np.array([1, 2, 3], np.float32)
    loss = OrdinalLoss.from_ratings(value, None)
    output = torch.tensor([-60.0, 0.0, 60.0], requires_grad=True)
    total = loss.per_sample(output, torch.tensor([3.0, 2.0, 1.0])).sum()
    total.backward()
    assert np.isfinite(float(total.detach()))
    assert torch.isfinite(output.grad).all()
    assert torch.isfinite(loss.gaps.grad).all()


def test_bpr_loss_is_the_likelihood_of_the_order():
    gap = torch.tensor([-2.0, 0.0, 3.0])
    np.testing.assert_allclose(
        BPRLoss().per_sample(gap, None).numpy(), -np.log(sigmoid(gap.numpy())), rtol=1e-5
    )


# Training --------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def dense_ratings() -> Ratings:
    return planted(users=80, items=50, rows=2400)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_quantile_loss_predicts_the_quantile(dense_ratings, share):
    model = TorchRecommender(loss="quantile", quantile=share, **QUICK).fit(dense_ratings)
    assert (dense_ratings.value < model.predict(dense_ratings)).mean() == pytest.approx(share, abs=0.06)


@pytest.mark.parametrize("loss", ["mse", "huber", "ordinal", "binary"])
def test_every_rating_loss_recovers_the_planted_factors(dense_ratings, loss):
    model = TorchRecommender(loss=loss, **QUICK).fit(dense_ratings)
    assert model.score(dense_ratings) > (0.4 if loss == "binary" else 0.8)
    assert model.history_["train_loss"][-1] < 0.7 * model.history_["train_loss"][0]


def test_huber_is_robust_to_outliers(dense_ratings):
    spoilt = dense_ratings.value.copy()
    rows = np.random.default_rng(0).choice(len(dense_ratings), 120, replace=False)
    spoilt[rows] = 60.0
    errors = {}
    for loss in ("mse", "huber"):
        model = TorchRecommender(loss=loss, huber_delta=0.05, **QUICK).fit(
            dense_ratings.replace(value=spoilt)
        )
        clean = np.setdiff1d(np.arange(len(dense_ratings)), rows)
        errors[loss] = np.abs(model.predict(dense_ratings)[clean] - dense_ratings.value[clean]).mean()
    assert errors["huber"] < 0.7 * errors["mse"]


def test_ordinal_loss_estimates_its_uncertainty(dense_ratings):
    rounded = dense_ratings.replace(value=np.clip(np.round(dense_ratings.value), -3, 3).astype(np.float32))
    model = TorchRecommender(loss="ordinal", **QUICK).fit(rounded)
    result = model.predict_details(rounded)
    missed = np.abs(result.value - rounded.value)
    assert result.std is not None
    sure = result.std <= np.median(result.std)
    assert missed[sure].mean() < 0.8 * missed[~sure].mean()


def test_binary_loss_separates_at_its_threshold(dense_ratings):
    for threshold in (-1.5, 2.5):
        model = TorchRecommender(loss="binary", threshold=threshold, **QUICK).fit(dense_ratings)
        liked = dense_ratings.value >= threshold
        means = dense_ratings.value[~liked].mean(), dense_ratings.value[liked].mean()
        predicted = model.predict(dense_ratings)
        assert predicted.min() >= means[0] - 1e-3
        assert predicted.max() <= means[1] + 1e-3
        assert ((predicted > np.mean(means)) == liked).mean() > 0.9


@pytest.mark.parametrize(
    ("loss", "threshold", "words"),
    [("bpr", 9.0, "no rating is"), ("binary", 9.0, "no rating is"), ("binary", -9.0, "all ratings are")],
)
def test_threshold_with_a_single_class_raises(dense_ratings, loss, threshold, words):
    with pytest.raises(InvalidParameterError, match=f"threshold={threshold:g}: {words} at least that"):
        TorchRecommender(loss=loss, threshold=threshold, **QUICK).fit(dense_ratings)
    TorchRecommender(loss="mse", threshold=threshold, **QUICK | {"epochs": 1}).fit(dense_ratings)


def test_bpr_ranks_liked_items_first():
    ratings = planted(users=80, items=50, rows=1600)
    model = TorchRecommender(loss="bpr", threshold=1.0, **QUICK).fit(ratings)
    scores, matrix = model.predict_matrix(), ratings.to_matrix()
    liked = matrix >= 1.0
    above = [
        (scores[user][liked[user]][:, None] > scores[user][~liked[user]]).mean()
        for user in range(len(matrix))
        if liked[user].any()
    ]
    assert np.mean(above) > 0.9
    line = np.polyfit(scores[~np.isnan(matrix)], matrix[~np.isnan(matrix)], 1)
    assert line[0] > 0  # a higher score is a higher rating
    assert np.abs(scores[~np.isnan(matrix)].mean() - np.nanmean(matrix)) < 0.3


def test_custom_loss_receives_rating_units(dense_ratings):
    seen = []

    def loss(predicted, rating):
        seen.append((float(rating.min()), float(rating.max())))
        return (predicted - rating).abs()

    model = TorchRecommender(loss=loss, **QUICK).fit(dense_ratings)
    assert min(low for low, _ in seen) == pytest.approx(dense_ratings.value.min(), abs=1e-4)
    assert max(high for _, high in seen) == pytest.approx(dense_ratings.value.max(), abs=1e-4)
    wrong = np.abs(model.set_params(clip=False).predict(dense_ratings) - dense_ratings.value).mean()
    assert model.history_["train_loss"][-1] == pytest.approx(wrong, abs=1e-3)
    means = TorchRecommender(loss=lambda p, r: ((p - r) ** 2).mean(), **QUICK).fit(dense_ratings)
    rows = TorchRecommender(loss=lambda p, r: (p - r) ** 2, **QUICK).fit(dense_ratings)
    np.testing.assert_allclose(means.predict(dense_ratings), rows.predict(dense_ratings), atol=1e-4)


@pytest.mark.parametrize("wrong", [lambda p, r: 1.0, lambda p, r: (p - r)[:, None], lambda p, r: (p - r)[:3]])
def test_loss_of_the_wrong_shape_raises(dense_ratings, wrong):
    with pytest.raises(InvalidParameterError, match="it must return one number per rating"):
        TorchRecommender(loss=wrong, **QUICK).fit(dense_ratings)


def test_custom_loss_of_a_wrong_type_raises():
    with pytest.raises(InvalidParameterError, match="loss returned float for a batch of 4"):
        CustomLoss(lambda p, r: 1.0, 0.0, 1.0).per_sample(torch.zeros(4), torch.zeros(4))
