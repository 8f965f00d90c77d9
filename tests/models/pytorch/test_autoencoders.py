"""Autoencoders: inputs, training loss, and the factors stored instead of the network."""

from __future__ import annotations

import numpy as np
import pytest
from needs_torch import torch

from foretaste import Bias, HoldOut, ItemMean, Ratings, load, recommend, rmse, save
from foretaste._utils import memory
from foretaste.errors import NotEnoughMemoryError, NotSupportedError
from foretaste.models import MODELS

QUICK = {
    "hidden": 6,
    "epochs": 4,
    "batch_size": 16,
    "learning_rate": 0.02,
    "regularization": 1.0,
    "dropout": 0.0,
    "biased": True,
    "threads": 1,
}


def make(name: str, **params):
    return MODELS[name](**(QUICK | params))


def fit_with_task(name: str, ratings: Ratings, **params):
    """Return a fitted model and the training task that its attributes were set from."""
    tasks = []

    class Recorded(MODELS[name]):
        def _set_fitted(self, training):
            tasks.append(training)
            super()._set_fitted(training)

    model = Recorded(**(QUICK | params)).fit(ratings)
    return model, tasks[-1]


def dense_inputs(ratings: Ratings, presence: float, standard: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Rows of items as they go in."""
    rows = np.zeros((len(ratings.items), len(ratings.users)))
    there = weight > 0
    rows[ratings.item[there], ratings.user[there]] = standard[there] + presence
    counts = np.bincount(ratings.item[there], minlength=len(rows))
    return rows * np.sqrt(counts[counts > 0].mean() / np.maximum(counts, 1))[:, None]


def numpy_layers(network) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Weight, kernel and bias of each layer, from inputs to outputs, the kernel by its definition."""
    found = []
    for layer in network.layers:
        weight, bias = (x.detach().numpy().astype(float) for x in (layer.weight, layer.bias))
        weight = weight.T if layer.transposed else weight
        kernel = np.ones_like(weight)
        if hasattr(layer, "input_position"):
            u, v = (x.detach().numpy() / 10.0 for x in (layer.input_position, layer.output_position))
            kernel = np.maximum(0, 1 - ((u[:, None] - v[None]) ** 2).sum(axis=2))
        found.append((weight, kernel, bias))
    return found


def forward(layers, rows: np.ndarray) -> np.ndarray:
    for k, (weight, kernel, bias) in enumerate(layers):
        rows = rows @ (weight * kernel) + bias
        if k < len(layers) - 1:
            rows = np.tanh(rows)
    return rows


@pytest.mark.parametrize("name", ["AutoRec", "SparseFC"])
def test_step_loss_equals_its_definition(name, ratings):
    weight = np.where(np.arange(len(ratings)) % 5 == 0, 0, np.arange(len(ratings)) % 3 + 0.5)
    weighted = ratings.replace(weight=weight.astype(np.float32))
    extra = {"kernel_regularization": 0.5} if name == "SparseFC" else {}
    _, task = fit_with_task(name, weighted, validation_fraction=0.0, rated_offset=2.0, **extra)
    if name == "SparseFC":  # places so far apart that some connections are cut
        with torch.no_grad():
            for layer in task.network[0].layers:
                layer.input_position.normal_(0, 5, generator=torch.Generator().manual_seed(1))
    layers = numpy_layers(task.network[0])
    if name == "SparseFC":
        assert 0.1 < (layers[0][1] == 0).mean() < 0.9
    standard = (ratings.value - Bias(clip=False).fit(weighted).predict(weighted)) / weighted.mean_std()[1]
    chosen = np.array([3, 17, 4])
    errors = (
        forward(layers, dense_inputs(ratings, 2.0, standard, weight))[ratings.item, ratings.user] - standard
    ) ** 2
    of_rows = (weight * errors)[np.isin(ratings.item, chosen)].sum()
    penalty = sum((w**2).sum() + extra.get("kernel_regularization", 0) * (k**2).sum() for w, k, _ in layers)
    share = 3 / len(ratings.items)
    wanted = (of_rows + share * penalty) / (share * weight.sum())
    assert task.loss(torch.from_numpy(chosen)).item() == pytest.approx(wanted, rel=1e-4)


@pytest.mark.parametrize("name", ["AutoRec", "SparseFC"])
@pytest.mark.parametrize("networks", [1, 3])
def test_factors_predict_the_same_as_the_networks(name, networks, ratings):
    model, task = fit_with_task(name, ratings, clip=False, n_ensemble=networks)
    standard = (ratings.value - Bias(clip=False).fit(ratings).predict(ratings)) / ratings.mean_std()[1]
    rows = dense_inputs(ratings, 3.0, standard, np.ones(len(ratings)))
    outs = [forward(numpy_layers(coder), rows) for coder in task.network]
    assert len(outs) == networks
    assert all(np.abs(one - outs[0]).max() > 0.1 for one in outs[1:])
    out = np.mean(outs, axis=0).T
    level = Bias(clip=False).fit(ratings).predict_matrix()
    np.testing.assert_allclose(model.predict_matrix(), level + ratings.mean_std()[1] * out, rtol=0, atol=1e-4)
    assert np.ptp(out) > 0.5


@pytest.mark.parametrize("name", ["AutoRec", "SparseFC"])
def test_unknown_row_gets_the_mean_rating_of_the_known_entity(name, ratings):
    model = make(name, clip=False).fit(ratings)
    matrix = model.predict_matrix().astype(float)
    users, items = np.bincount(ratings.user), np.bincount(ratings.item)
    user, item = ratings.users.ids[5], ratings.items.ids[7]
    asked = np.array([[user, 100_003], [100_001, item], [100_001, 100_003]])
    wanted = [
        matrix[5] @ items / items.sum(),
        matrix[:, 7] @ users / users.sum(),
        users @ matrix @ items / users.sum() / items.sum(),
    ]
    np.testing.assert_allclose(model.predict(asked), wanted, rtol=0, atol=1e-4)


def test_user_rows_and_item_rows_are_symmetric(ratings):
    turned = ratings.replace(user=ratings.item, item=ratings.user, users=ratings.items, items=ratings.users)
    by_item = make("AutoRec").fit(ratings).predict_matrix()
    by_user = make("AutoRec", entity="user").fit(turned).predict_matrix()
    np.testing.assert_allclose(by_user.T, by_item, rtol=0, atol=1e-5)
    assert np.abs(make("AutoRec", entity="user").fit(ratings).predict_matrix() - by_item).max() > 0.01


def test_validation_rows_are_not_network_inputs(ratings):
    """Weights after a given number of epochs do not depend on what the validation rows hold."""
    settings = {"validation_fraction": 0.2, "refit": False, "epochs": 1}
    _, task = fit_with_task("AutoRec", ratings, **settings)
    held = np.sort(np.random.default_rng(0).permutation(len(ratings))[: round(0.2 * len(ratings))])
    values = ratings.value.copy()
    values[held] = 20 - values[held]
    model, other_task = fit_with_task("AutoRec", ratings.replace(value=values), **settings)
    first, second = task.network.state_dict(), other_task.network.state_dict()
    assert first.keys() == second.keys()
    for name, value in first.items():
        torch.testing.assert_close(second[name], value, rtol=0, atol=1e-6)
    learned = other_task.train_cells.value
    assert len(learned) == len(ratings) - len(held)
    assert len(model.valid_rmse_) == 1


def test_dropout_is_active_only_in_training(ratings):
    _, task = fit_with_task("AutoRec", ratings, dropout=0.5, validation_fraction=0.0)
    _, place = task.gather_cells(task.train_cells, torch.arange(len(ratings.items)))
    every = task.inputs[place]
    assert len(every) == len(ratings)
    assert (every != 0).all()
    fewer = task.apply_dropout(every)
    assert 0.4 < (fewer != 0).float().mean() < 0.6
    assert torch.equal(fewer[fewer != 0], every[fewer != 0])
    task.apply_dropout = torch.zeros_like  # judging and keeping leave out nothing
    with torch.no_grad():
        judged, hidden = task.evaluate(), task.encode_rows()
        del task.apply_dropout
        assert task.evaluate() == judged
        assert all(torch.equal(*pair) for pair in zip(task.encode_rows(), hidden, strict=True))


def test_sparse_gradients_equal_dense_gradients():
    from foretaste.models.pytorch import _sparse_ops as sparse

    random = torch.Generator().manual_seed(0)
    row, column = (torch.rand(6, 9, generator=random) < 0.4).nonzero().T
    cells = sparse.SparsityPattern(row, column, 6, 9)
    values = torch.rand(len(row), generator=random)
    into, out_of = (torch.rand(9, 4, generator=random, requires_grad=True) for _ in range(2))
    rows = torch.zeros(6, 9)
    rows[row, column] = values
    weight = torch.rand(len(row), generator=random)

    def gradients(found, total):
        (weight * found).sum().add(total).backward()
        result = found.detach(), into.grad, out_of.grad
        into.grad = out_of.grad = None
        return result

    hidden = torch.tanh(sparse.sparse_embedding_sum(into, cells, values))
    ours = gradients(sparse.sampled_dot(hidden, out_of, cells), 3 * sparse.squared_norm(out_of))
    theirs = gradients((torch.tanh(rows @ into) @ out_of.T)[row, column], 3 * (out_of**2).sum())
    for one, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-5)


def test_new_users_get_the_least_squares_decoder(ratings, other_ratings):
    model = make("AutoRec", clip=False).fit(ratings)
    folded = model.fold_in(other_ratings)
    assert folded.users_ == other_ratings.users
    item = model.items_.indices_of(other_ratings.items.ids)[other_ratings.item]
    for user in (0, 3):
        rows = np.flatnonzero((other_ratings.user == user) & (item >= 0))
        left = (other_ratings.value[rows] - model.mean_) / model.std_ - model.item_bias_[item[rows]]
        vectors = np.column_stack([np.ones(len(rows)), model.item_factors_[item[rows]]])
        ridge = np.diag([1e-3] + [1.0] * model.item_factors_.shape[1])
        wanted = np.linalg.solve(vectors.T @ vectors + ridge, vectors.T @ left)
        np.testing.assert_allclose(
            np.r_[folded.user_bias_[user], folded.user_factors_[user]], wanted, rtol=1e-3, atol=1e-3
        )
    with pytest.raises(NotSupportedError, match='entity="user"'):
        make("AutoRec", entity="user").fit(ratings).fold_in(other_ratings)


@pytest.mark.parametrize("name", ["AutoRec", "SparseFC"])
def test_too_little_memory_for_weights_raises(name, ratings, monkeypatch):
    monkeypatch.setattr(memory, "available_bytes", lambda: 100_000)
    with pytest.raises(NotEnoughMemoryError, match=r"an autoencoder of \d+ columns with 500 hidden units"):
        make(name, hidden=500).fit(ratings)


@pytest.mark.parametrize("name", ["AutoRec", "SparseFC"])
def test_autoencoder_beats_item_means_and_recommends_after_load(name, tmp_path):
    from foretaste import load_dataset

    sample = load_dataset("sample")
    ((train_rows, test_rows),) = HoldOut(0.2).split(sample)
    train, test = sample[train_rows], sample[test_rows]
    model = MODELS[name](hidden=50, epochs=30, batch_size=16, threads=1, learning_rate=0.01).fit(train)
    assert (
        rmse(test.value, model.predict(test)) < rmse(test.value, ItemMean().fit(train).predict(test)) - 0.02
    )
    save(model, tmp_path / "model.foretaste")
    again = load(tmp_path / "model.foretaste")
    assert again.predict(test).tobytes() == model.predict(test).tobytes()
    user = train.users.ids[0]
    assert recommend(again, user, n=3).ids.tolist() == recommend(model, user, n=3).ids.tolist()
