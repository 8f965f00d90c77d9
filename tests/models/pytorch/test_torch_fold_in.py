"""Fold-in of PyTorch models: the penalty, and new users and items without a rating."""

from __future__ import annotations

import numpy as np
import pytest
from needs_torch import torch

from foretaste import explain, fold_in
from foretaste.metrics.rating import rmse
from foretaste.models.fold_in import uncentered_covariance
from foretaste.models.pytorch import TorchMF
from foretaste.recommendation import question_gains

assert torch

QUICK = {"factors": 3, "epochs": 12, "batch_size": 128, "learning_rate": 0.03, "clip": False}


@pytest.fixture(scope="module", params=["squares", "norms", "unbiased", "plain"])
def model(request, ratings):
    light = {"user_regularization": 0.001, "item_regularization": 0.001}
    words = {"squares": {}, "norms": {"penalty": "norms"} | light, "unbiased": {"biased": False}}
    if request.param == "plain":
        return TorchMF.vanilla(**QUICK).fit(ratings)
    return TorchMF(**QUICK, **words[request.param]).fit(ratings)


@pytest.mark.parametrize("side", ["user", "item"])
def test_penalty_is_the_inverse_covariance_times_the_squared_error(model, side):
    numbers = getattr(model, f"{side}_factors_").astype(np.float64)
    if model.biased:
        numbers = np.column_stack([getattr(model, f"{side}_bias_"), numbers])
    numbers = numbers[(numbers != 0).any(1)]
    noise = model.train_rmse_[model.epochs_ - 1] / model.std_
    wanted = noise**2 * np.linalg.inv(numbers.T @ numbers / len(numbers))
    np.testing.assert_allclose(getattr(model, f"{side}_penalty_"), wanted, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("side", ["user", "item"])
def test_folded_in_users_are_predicted_about_as_well_as_trained_ones(model, ratings, side):
    """The same users (or items) again, with their training ratings."""
    folded = fold_in(model, **{f"{side}s": ratings})
    trained, error = (rmse(ratings.value, one.predict(ratings)) for one in (model, folded))
    assert error < 1.05 * trained
    assert not np.array_equal(folded.predict(ratings), model.predict(ratings))


@pytest.mark.parametrize("side", ["user", "item"])
def test_user_without_usable_ratings_gets_the_fallback(model, ratings, other_ratings, side):
    """Their ratings are of items (or by users) that the model does not know, or weigh nothing."""
    weight = np.ones(len(other_ratings), np.float32)
    weight[getattr(other_ratings, side) == 2] = 0
    folded = fold_in(model, **{f"{side}s": other_ratings.replace(weight=weight)})
    one = getattr(folded, f"{side}s_").ids[2]
    other = getattr(model, "items_" if side == "user" else "users_").ids[4]
    pair, unknown = ((one, other), (-7, other)) if side == "user" else ((other, one), (other, -7))
    assert folded.predict([pair]) == pytest.approx(model.predict([unknown]), abs=1e-5)
    explanation = explain(folded, *pair)
    assert sum(part.value for part in explanation.parts) == pytest.approx(explanation.prediction, abs=1e-5)


def test_attributions_sum_to_the_factor_part(model, other_ratings):
    folded, n_explained = fold_in(model, users=other_ratings), 0
    for user in folded.users_.ids[::5].tolist():
        for item in folded.items_.ids[::7].tolist():
            explanation = explain(folded, user, item, ratings=other_ratings)
            if not explanation.reasons:
                assert "no ratings of known items" in explanation.note
                continue
            taste = next(part.value for part in explanation.parts if part.name == "taste")
            assert sum(reason.contribution for reason in explanation.reasons) == pytest.approx(
                taste, abs=1e-4
            )
            n_explained += 1
    assert n_explained > 20


def test_question_gains_use_the_error_of_the_selected_epoch(ratings):
    """Training continues for a while after the best epoch; the errors of those epochs do not count."""
    model = TorchMF(**QUICK | {"epochs": 60}, patience=5).fit(ratings)
    assert model.train_rmse_[-1] < 0.995 * model.train_rmse_[model.epochs_ - 1]
    items = np.column_stack([np.ones(len(model.items_)), model.item_factors_]).astype(np.float64)
    people = uncentered_covariance(model.user_bias_, model.user_factors_)
    across = items @ people @ items.T
    noise = (model.train_rmse_[model.epochs_ - 1] / model.std_) ** 2
    wanted = model.std_**2 * (across**2).mean(axis=0) / (noise + np.diag(across))
    np.testing.assert_allclose(question_gains(model)[1], wanted, rtol=1e-4)
