"""The training loop: validation split, early stopping, best weights, reproducibility, checkpoints."""

from __future__ import annotations

import math
import threading
from contextlib import contextmanager
from itertools import chain

import numpy as np
import pytest
from needs_torch import torch

from foretaste._utils.progress import Progress, ProgressTask
from foretaste.errors import InvalidParameterError, ModelFileError
from foretaste.metrics.rating import rmse
from foretaste.models.pytorch import AutoRec, TorchMF, TorchRecommender
from foretaste.models.pytorch._session import resolve_device, torch_session
from foretaste.models.pytorch._trainer import (
    EpochMetrics,
    TrainConfig,
    TrainingTask,
    TrainState,
    train_network,
)

SMALL = {"factors": 4, "epochs": 6, "batch_size": 64, "learning_rate": 0.02}


class ScriptedTask(TrainingTask):
    """One weight that each epoch moves by one; what it is worth stands in a list."""

    def __init__(self, worth, size=10):
        self.network = torch.nn.Linear(1, 1, bias=False)
        self.network.weight.data.zero_()
        self.size, self.device, self.worth = size, torch.device("cpu"), worth
        self.seen, self.training = [], []

    def loss(self, examples):
        self.seen.append(examples.tolist())
        self.training.append(self.network.training)
        return -self.network.weight.sum()

    def evaluate(self):
        assert not self.network.training
        assert not torch.is_grad_enabled()
        epoch = int(self.network.weight.item())
        return EpochMetrics(1.0, 1.0, self.worth[epoch - 1], self.worth[epoch - 1])


def train_scripted(worth, epochs=10, patience=2, batch=10, **plan):
    learning = ScriptedTask(worth)
    optimizer = torch.optim.SGD(learning.network.parameters(), lr=1.0)
    settings = {"schedule": "constant", "learning_rate": 1.0, "schedule_epochs": epochs} | plan
    state = TrainState(optimizer, torch.Generator().manual_seed(0))
    return learning, train_network(
        learning, TrainConfig(epochs, batch_size=batch, patience=patience, **settings), state, ProgressTask()
    )


def test_early_stopping_restores_the_best_weights():
    learning, history = train_scripted([5.0, 3.0, 4.0, 2.0, 2.5, 2.2, 1.0])
    assert len(history.metrics) == 6
    assert history.best == 3
    assert learning.network.weight.item() == 4.0  # of the fourth epoch
    assert not learning.network.training


def test_without_validation_rows_the_last_weights_are_returned():
    learning, history = train_scripted([math.nan] * 4, epochs=4)
    assert (len(history.metrics), history.best, learning.network.weight.item()) == (4, 3, 4.0)


def test_each_epoch_shuffles_all_examples():
    learning, _ = train_scripted([math.nan] * 2, epochs=2, batch=4, learning_rate=0.25)
    epochs = [[*chain(*learning.seen[:3])], [*chain(*learning.seen[3:])]]
    assert [len(batch) for batch in learning.seen] == [4, 4, 2, 4, 4, 2]
    assert all(sorted(epoch) == list(range(10)) for epoch in epochs)
    assert epochs[0] != epochs[1]
    assert all(learning.training)


@pytest.mark.parametrize(("schedule", "wanted"), [("constant", 4.0), ("linear", 2.5), ("cosine", 2.5)])
def test_learning_rate_follows_the_schedule(schedule, wanted):
    learning = ScriptedTask([math.nan] * 9)
    learning.evaluate = lambda: EpochMetrics(1.0, 1.0)
    state = TrainState(torch.optim.SGD(learning.network.parameters(), lr=9.0), torch.Generator())
    train_network(
        learning,
        TrainConfig(4, schedule_epochs=4, batch_size=10, learning_rate=1.0, schedule=schedule, patience=1),
        state,
        ProgressTask(),
    )
    assert learning.network.weight.item() == pytest.approx(wanted)


def test_infinite_training_loss_raises(ratings):
    with pytest.raises(InvalidParameterError, match="the loss of epoch 1 is") as refused:
        TorchMF(**SMALL | {"learning_rate": 100.0, "optimizer": "sgd"}).fit(ratings)
    assert "a smaller learning_rate" in str(refused.value)


# What a model makes of it --------------------------------------------------------------------------------


def test_history_records_the_error_on_the_rows(ratings):
    model = TorchMF(validation_fraction=0.0, clip=False, **SMALL).fit(ratings)
    error = rmse(ratings.value, model.predict(ratings))
    assert list(model.history_) == ["train_loss", "train_rmse"]
    assert model.history_["train_rmse"][-1] == pytest.approx(error, abs=1e-4)
    assert model.history_["train_loss"][-1] == pytest.approx(error**2, rel=1e-3)
    assert len(model.history_["train_loss"]) == model.epochs_ == 6


def test_validation_metrics_are_of_held_out_rows(ratings):
    model = TorchMF(validation_fraction=0.2, refit=False, clip=False, patience=6, **SMALL).fit(ratings)
    shuffled = np.random.default_rng(0).permutation(len(ratings))
    held, kept = np.sort(shuffled[:180]), np.sort(shuffled[180:])
    assert len(model.history_["valid_rmse"]) == len(model.history_["train_rmse"])
    predicted = model.predict(ratings)
    best = model.epochs_ - 1
    for rows, name in ((kept, "train"), (held, "valid")):
        error = rmse(ratings.value[rows], predicted[rows])
        assert model.history_[f"{name}_rmse"][best] == pytest.approx(error, abs=1e-4)
    other = ratings.value.copy()
    other[held] = 0.0  # of no consequence for the steps but through the mean and the spread
    same_moments = TorchMF(standardize=False, biased=False, validation_fraction=0.2, refit=False, **SMALL)
    first = same_moments.fit(ratings.replace(scale=(-9, 9))).train_rmse_
    assert np.array_equal(
        first, same_moments.fit(ratings.replace(value=other, scale=(-9, 9))).train_rmse_[: len(first)]
    )


def test_refit_trains_on_all_rows_for_the_best_epoch_count(ratings):
    stopped = TorchMF(validation_fraction=0.2, **SMALL).fit(ratings)
    whole = TorchMF(validation_fraction=0.0, **SMALL | {"epochs": stopped.epochs_}).fit(ratings)
    np.testing.assert_array_equal(stopped.predict(ratings), whole.predict(ratings))
    kept = TorchMF(validation_fraction=0.2, refit=False, **SMALL).fit(ratings)
    assert kept.epochs_ == stopped.epochs_
    assert not np.array_equal(kept.predict(ratings), stopped.predict(ratings))


def test_infinite_validation_loss_raises():
    learning = ScriptedTask([1.0, 2.0, 3.0])
    learning.evaluate = lambda: EpochMetrics(1.0, 1.0, math.nan, 1.0)
    state = TrainState(torch.optim.SGD(learning.network.parameters(), lr=1.0), torch.Generator())
    plan = TrainConfig(
        3, schedule_epochs=3, batch_size=10, learning_rate=1.0, schedule="constant", patience=1
    )
    with pytest.raises(InvalidParameterError, match="the loss of epoch 1 is nan"):
        train_network(learning, plan, state, ProgressTask())


@pytest.mark.parametrize(
    "model",
    [
        TorchMF(**SMALL),
        TorchMF(threads=2, **SMALL | {"factors": 64, "batch_size": 512}),
        TorchRecommender(**SMALL),
    ],
)
def test_seed_determines_every_bit_regardless_of_global_rng(ratings, model):
    torch.manual_seed(1)
    first = model.fit(ratings).predict(ratings)
    torch.manual_seed(2)
    before = torch.random.get_rng_state()
    np.testing.assert_array_equal(model.fit(ratings).predict(ratings), first)
    assert torch.equal(torch.random.get_rng_state(), before)  # nor does it draw from what others draw from


def test_thread_count_is_applied_and_restored(ratings):
    torch.set_num_threads(1)
    seen = []
    with torch_session(0, 2, exclusive_rng=True):
        seen.append(torch.get_num_threads())
    assert seen == [2]
    assert torch.get_num_threads() == 1
    TorchMF(**SMALL).fit(ratings)
    assert torch.get_num_threads() == 1


def test_thread_counts_of_concurrent_fits_are_independent():
    torch.set_num_threads(2)
    seen = []

    def other():
        with torch_session(0, 3, exclusive_rng=False):
            seen.append(torch.get_num_threads())

    with torch_session(0, 1, exclusive_rng=False):
        beside = threading.Thread(target=other)
        beside.start()
        beside.join(10)
        seen.append(torch.get_num_threads())
    seen.append(torch.get_num_threads())
    torch.set_num_threads(1)
    assert seen == [3, 1, 2]


@pytest.mark.parametrize("optimizer", ["adam", "adamw", "adagrad", "sgd", torch.optim.RMSprop])
def test_every_optimizer_reduces_the_loss(ratings, optimizer):
    rate = 3.0 if optimizer == "sgd" else 0.05
    settings = SMALL | {"optimizer": optimizer, "learning_rate": rate, "validation_fraction": 0.0}
    model = TorchMF(**settings).fit(ratings)
    assert model.history_["train_rmse"][-1] < 0.9 * model.history_["train_rmse"][0]


class Layers(torch.nn.Module):
    """With matrix products."""

    def __init__(self, users, items):
        super().__init__()
        self.user, self.item = torch.nn.Embedding(users, 8), torch.nn.Embedding(items, 8)
        self.out = torch.nn.Linear(16, 1)

    def forward(self, user, item):
        return self.out(torch.cat([self.user(user), self.item(item)], 1)).squeeze(1)


def test_bfloat16_predicts_nearly_the_same(ratings):
    exact, mixed = (
        TorchRecommender(module=Layers, mixed_precision=mixed, **SMALL).fit(ratings)
        for mixed in (False, True)
    )
    gap = np.abs(exact.predict(ratings) - mixed.predict(ratings))
    assert 0 < gap.max() < 0.2 * ratings.value.std()


def test_missing_device_raises(ratings):
    absent = "mps" if not torch.backends.mps.is_available() else "cuda"
    with pytest.raises(InvalidParameterError, match=f"device='{absent}' is not available on this machine"):
        TorchMF(device=absent, **SMALL).fit(ratings)
    assert resolve_device("auto").type == ("cuda" if torch.cuda.is_available() else "cpu")


class _Recorded(Progress):
    def __init__(self, stop_after=None):
        self.notes, self.stop_after = [], stop_after

    def start_task(self, label, total, unit=""):
        outer = self

        class Noting(ProgressTask):
            def step(self, n=1, note=""):
                if note:
                    outer.notes.append((label, note))
                    if len(outer.notes) == outer.stop_after:
                        raise KeyboardInterrupt

        @contextmanager
        def opened():
            yield Noting()

        return opened()


def test_progress_shows_train_and_validation_error(ratings):
    shown = _Recorded()
    model = TorchMF(**SMALL).fit(ratings, progress=shown)
    labels = [label for label, _ in shown.notes]
    assert labels == ["TorchMF early stopping"] * len(model.valid_rmse_) + ["TorchMF"] * model.epochs_
    assert (
        shown.notes[0][1] == f"train RMSE {model.train_rmse_[0]:.4f}, valid RMSE {model.valid_rmse_[0]:.4f}"
    )
    assert "valid" not in shown.notes[-1][1]


# Going on after an interruption --------------------------------------------------------------------------


class Dropping(torch.nn.Module):
    """Draws random numbers while training."""

    def __init__(self, users, items):
        super().__init__()
        self.user, self.item = torch.nn.Embedding(users, 4), torch.nn.Embedding(items, 4)

    def forward(self, user, item):
        return torch.nn.functional.dropout((self.user(user) * self.item(item)).sum(1), 0.3, self.training)


@pytest.mark.parametrize(
    "stop", [pytest.param(1, marks=pytest.mark.nightly), 4, pytest.param(8, marks=pytest.mark.nightly)]
)
@pytest.mark.parametrize("kind", ["factors", "dropout", "ordinal", "ranked", "rows"])
def test_resumed_training_gives_the_same_bits(ratings, tmp_path, stop, kind):
    settings = SMALL | {"patience": 6, "validation_fraction": 0.2, "schedule": "linear"}
    model = {
        "factors": TorchMF(**settings),
        "dropout": TorchRecommender(module=Dropping, **settings),
        "ordinal": TorchRecommender(loss="ordinal", **settings),
        "ranked": TorchRecommender(loss="bpr", **settings),
        "rows": AutoRec(dropout=0.3, **{k: v for k, v in settings.items() if k != "factors"}, hidden=4),
    }[kind]
    whole = model.fit(ratings).get_state()
    file = tmp_path / "learning.checkpoint"
    with pytest.raises(KeyboardInterrupt):
        model.fit(ratings, checkpoint=file, progress=_Recorded(stop_after=stop))
    assert file.exists()
    assert not hasattr(model, "users_")
    shown, before = _Recorded(), torch.random.get_rng_state()
    model.fit(ratings, checkpoint=file, progress=shown)
    assert torch.equal(torch.random.get_rng_state(), before)
    assert len(shown.notes) == len(whole["valid_rmse_"]) + whole["epochs_"] - stop
    for name, value in model.get_state().items():
        if isinstance(value, dict):
            assert all(np.array_equal(value[key], whole[name][key]) for key in value)
        elif isinstance(value, np.ndarray):
            assert np.array_equal(value, whole[name]), name
    assert not file.exists()  # it is over


def test_checkpoint_of_another_fit_raises(ratings, other_ratings, tmp_path):
    file = tmp_path / "learning.checkpoint"
    with pytest.raises(KeyboardInterrupt):
        TorchMF(**SMALL).fit(ratings, checkpoint=file, progress=_Recorded(stop_after=2))
    kept = file.read_bytes()
    for model, given, words in (
        (TorchMF(**SMALL | {"factors": 5}), ratings, "of other parameters"),
        (TorchMF(**SMALL), other_ratings, "of other ratings"),
        (TorchMF(**SMALL), ratings[np.arange(len(ratings))[::-1]], "of other rows"),
        (TorchRecommender(**SMALL), ratings, "of other model"),
    ):
        with pytest.raises(ModelFileError, match=words):
            model.fit(given, checkpoint=file)
        assert file.read_bytes() == kept
    for damaged in (kept[:200], b"", b"no such thing", kept[:-4] + b"\xff\xff\xff"):
        file.write_bytes(damaged)
        if damaged[:-3] == kept[:-3]:  # numbers are not looked at, only the form
            continue
        with pytest.raises(ModelFileError, match="corrupt or not a checkpoint"):
            TorchMF(**SMALL).fit(ratings, checkpoint=file)
