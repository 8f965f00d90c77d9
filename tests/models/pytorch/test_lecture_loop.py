"""The lecture's matrix factorization: the same steps, the same error."""

from __future__ import annotations

import numpy as np
import pytest
from needs_torch import torch
from real_data import lecture_parts
from synthetic import planted

# isort: split
from benchmarks.speed.lecture_loop import FactorModel, Taught, step

from foretaste.metrics.rating import rmse
from foretaste.models.pytorch import TorchMF


def test_vanilla_settings_reproduce_the_lecture_loop():
    """The same first factors and the same batches give the same factors, step by step."""
    ratings = planted()
    ours = TorchMF.vanilla(epochs=3, batch_size=100, seed=7, clip=False).fit(ratings)
    model = FactorModel(len(ratings.users), len(ratings.items))
    first = torch.Generator().manual_seed(7)
    for table in (model.user.weight, model.item.weight):
        table.data.uniform_(0, 0.05, generator=first)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.001)
    order = torch.Generator().manual_seed(7)
    columns = [torch.from_numpy(column) for column in (ratings.user, ratings.item, ratings.value)]
    for _ in range(3):
        for rows in torch.randperm(len(ratings), generator=order).split(100):
            user, item, value = (column[rows] for column in columns)
            step(model, optimizer, user.long(), item.long(), value)
    np.testing.assert_allclose(ours.user_factors_, model.user.weight.detach().numpy(), rtol=0, atol=1e-5)
    np.testing.assert_allclose(ours.item_factors_, model.item.weight.detach().numpy(), rtol=0, atol=1e-5)
    predicted = model(columns[0].long(), columns[1].long()).detach().numpy()
    np.testing.assert_allclose(ours.predict(ratings), predicted, rtol=0, atol=1e-4)
    true = ratings.value
    assert ours.history_["train_rmse"][-1] == pytest.approx(rmse(true, predicted), abs=1e-4)
    assert ours.history_["train_loss"][-1] == pytest.approx(rmse(true, predicted) ** 2, abs=1e-3)


@pytest.fixture(scope="module")
def lecture():
    return lecture_parts()


@pytest.mark.dataset
@pytest.mark.nightly
def test_vanilla_settings_reproduce_the_lecture_rmse(lecture):
    train, valid = lecture
    torch.set_num_threads(1)
    taught = Taught(train)
    for _ in range(20):
        taught.epoch()
    user, item = (
        train.users.indices_of(valid.users.ids)[valid.user],
        train.items.indices_of(valid.items.ids)[valid.item],
    )
    known = (user >= 0) & (item >= 0)
    theirs = rmse(valid.value[known], taught.predict(user[known], item[known]))
    errors = []
    for seed in range(3):  # which moves the error by .01
        model = TorchMF.vanilla(clip=False, seed=seed).fit(train)
        errors.append(rmse(valid.value[known], model.predict(valid)[known]))
    error = float(np.mean(errors))
    print(f"RMSE {theirs:.4f} taught, {errors} ours")
    assert theirs == pytest.approx(4.494, abs=0.02)
    assert error == pytest.approx(theirs, abs=0.01)


@pytest.mark.dataset
@pytest.mark.nightly
def test_default_settings_beat_the_lecture_model(lecture):
    """The epoch is chosen by training rows alone."""
    train, valid = lecture
    model = TorchMF().fit(train)
    assert rmse(valid.value, model.predict(valid)) <= 4.46
    assert len(model.valid_rmse_) <= model.epochs
    assert model.epochs_ == int(np.argmin(model.valid_loss_)) + 1
