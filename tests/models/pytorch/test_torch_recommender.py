"""TorchRecommender: a custom module is evaluated, tuned, saved and used like any other model."""

from __future__ import annotations

import json
import struct
import subprocess
import sys
from functools import partial

import numpy as np
import pytest
from needs_torch import torch
from synthetic import planted

# isort: split
from benchmarks import data
from benchmarks.speed import subprocess_run

import foretaste
from foretaste import KFold, compare, load, recommend, save, similar_items, tune
from foretaste.errors import InvalidParameterError, ModelFileError, NotEnoughMemoryError, NotSupportedError
from foretaste.metrics.rating import rmse
from foretaste.models.pytorch import TorchMF, TorchRecommender
from foretaste.persistence import inspect

QUICK = {"epochs": 8, "batch_size": 128, "learning_rate": 0.02}


class Net(torch.nn.Module):
    """Two layers over embeddings."""

    def __init__(self, users, items, size=4):
        super().__init__()
        self.user, self.item = torch.nn.Embedding(users, size), torch.nn.Embedding(items, size)
        self.out = torch.nn.Sequential(torch.nn.Linear(2 * size, 8), torch.nn.ReLU(), torch.nn.Linear(8, 1))

    def forward(self, user, item):
        return self.out(torch.cat([self.user(user), self.item(item)], 1)).squeeze(1)


def absolute(predicted, rating):
    return (predicted - rating).abs()


def small(module):
    return 0.001 * sum((weight**2).sum() for weight in module.parameters())


OWN = {"module": Net, "loss": absolute, "regularizer": small, "optimizer": torch.optim.RMSprop}


@pytest.fixture(scope="module")
def fitted(ratings):
    return TorchRecommender(**OWN, **QUICK).fit(ratings)


def test_custom_module_beats_the_mean(ratings, fitted):
    assert fitted.history_["valid_loss"][-1] < fitted.history_["valid_loss"][0]
    assert rmse(ratings.value, fitted.predict(ratings)) < 0.95 * ratings.value.std()


def test_predictions_equal_the_module_output(ratings, fitted):
    module = Net(len(ratings.users), len(ratings.items))
    weights = {k.removeprefix("module."): torch.from_numpy(w) for k, w in fitted.weights_.items()}
    module.load_state_dict(weights)
    user, item = torch.from_numpy(ratings.user).long(), torch.from_numpy(ratings.item).long()
    standard = module(user, item).detach().numpy()
    mean, std = ratings.mean_std()
    wanted = np.clip(mean + std * standard, ratings.value.min(), ratings.value.max())
    np.testing.assert_allclose(fitted.predict(ratings), wanted, rtol=0, atol=1e-4)


def test_regularizer_reduces_what_it_penalizes(ratings):
    def size(**params):
        model = TorchRecommender(module=Net, validation_fraction=0.0, **QUICK, **params).fit(ratings)
        return sum(float((w**2).sum()) for w in model.weights_.values())

    assert size(regularizer=lambda m: 10 * small(m)) < 0.5 * size()


def test_unknown_id_gets_the_damped_mean_of_the_known_one(ratings, fitted):
    mean = ratings.value.mean(dtype=np.float64)
    user, item = ratings.users.ids[3], ratings.items.ids[5]
    details = fitted.predict_details([(-1, item), (user, -1), (-1, -1)])
    assert details.fallback.tolist() == [1, 2, 3]
    wanted = []
    for rows in (ratings.item == 5, ratings.user == 3):
        wanted.append(mean + (ratings.value[rows] - mean).sum() / (rows.sum() + 5))
    np.testing.assert_allclose(details.value, [*wanted, mean], atol=1e-4)


# Keeping -------------------------------------------------------------------------------------------------


def test_loading_needs_the_module_class(ratings, fitted, tmp_path):
    path = tmp_path / "own.foretaste"
    save(fitted, path)
    back = load(path, **OWN)
    np.testing.assert_array_equal(back.predict(ratings), fitted.predict(ratings))
    assert back.get_params() == fitted.get_params()
    assert inspect(path)["params"]["module"] == {"code": "Net"}
    with pytest.raises(ModelFileError, match="made with custom code that a file does not store") as refused:
        load(path)
    wanted = "load(path, optimizer=RMSprop, module=Net, loss=absolute, regularizer=small)"
    assert f"try: {wanted}" in str(refused.value)
    with pytest.raises(ModelFileError, match="module=Net") as refused:
        load(path, **{k: v for k, v in OWN.items() if k != "module"})
    with pytest.raises(InvalidParameterError, match="was not made with a modul of your own"):
        load(path, modul=Net, **OWN)


def test_names_in_a_file_are_never_imported(ratings, tmp_path):
    """A file that names os.system as its module gets the module that it is loaded with, and nothing else."""
    path = tmp_path / "own.foretaste"
    save(TorchRecommender(module=Net, **QUICK).fit(ratings), path)
    raw = path.read_bytes()
    size = struct.unpack("<Q", raw[:8])[0]
    header = json.loads(raw[8 : 8 + size])
    inner = json.loads(header["__metadata__"]["foretaste"])
    inner["params"]["module"] = {"code": "os.system"}
    header["__metadata__"]["foretaste"] = json.dumps(inner)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text + raw[8 + size :])
    with pytest.raises(ModelFileError, match=r"module=os\.system"):
        load(path)
    assert load(path, module=Net).module is Net


@pytest.mark.parametrize("other", [partial(Net, size=5), lambda users, items: torch.nn.Linear(2, 1)])
def test_weights_of_another_module_raise(ratings, tmp_path, other):
    path = tmp_path / "own.foretaste"
    save(TorchRecommender(module=Net, **QUICK).fit(ratings), path)
    with pytest.raises(ModelFileError, match="the weights in the file do not fit this TorchRecommender"):
        load(path, module=other)


def test_blend_with_a_custom_module_is_saved_and_loaded(ratings, tmp_path):
    blend = foretaste.Blend(models=["Bias", TorchRecommender(module=Net, **QUICK)], folds=2).fit(ratings)
    save(blend, tmp_path / "blend.foretaste")
    with pytest.raises(ModelFileError, match="module=Net"):
        load(tmp_path / "blend.foretaste")
    back = load(tmp_path / "blend.foretaste", module=Net)
    np.testing.assert_array_equal(back.predict(ratings), blend.predict(ratings))


# What is refused -----------------------------------------------------------------------------------------


def test_module_instance_instead_of_class_raises(ratings):
    with pytest.raises(InvalidParameterError, match="module is an instance of Net") as refused:
        TorchRecommender(module=Net(60, 40)).fit(ratings)
    assert "try: module=Net" in str(refused.value)


@pytest.mark.parametrize(
    ("module", "words"),
    [
        (lambda users, items: 3, "returned int, not a torch.nn.Module"),
        (lambda users, items: Wide(users), r"Wide returned \(\d+, 1\) for \d+ pairs"),
    ],
)
def test_unsuitable_module_raises(ratings, module, words):
    with pytest.raises(InvalidParameterError, match=words):
        TorchRecommender(module=module, **QUICK).fit(ratings)


class Wide(torch.nn.Module):
    """Returns a column."""

    def __init__(self, users):
        super().__init__()
        self.user = torch.nn.Embedding(users, 1)

    def forward(self, user, item):
        return self.user(user)


# As any model --------------------------------------------------------------------------------------------


def test_custom_module_in_compare(ratings):
    own = TorchRecommender(module=Net, loss=absolute, **QUICK)
    results = compare(
        ratings, ["Bias", own, TorchMF(factors=4, **QUICK)], split=KFold(2), measure_memory=True
    )
    assert {row["model"] for row in results.rows} == {"GlobalMean", "Bias", "TorchRecommender", "TorchMF"}
    row = next(row for row in results.rows if row["model"] == "TorchRecommender")
    assert row["repr"].startswith(
        "TorchRecommender(epochs=8, batch_size=128, learning_rate=0.02, module=Net, "
    )
    assert "error" not in row
    assert "train_rmse" in row
    json.dumps(results.to_dict() if hasattr(results, "to_dict") else row)


def test_parallel_folds_give_the_same_bits(ratings):
    own = TorchRecommender(module=Net, **QUICK)
    one, two = (foretaste.cross_validate(own, ratings, 2, threads=threads) for threads in (1, 2))
    assert [fold["rmse"] for fold in one.folds] == [fold["rmse"] for fold in two.folds]


def test_tune_searches_losses_and_module_parameters(ratings, tmp_path):
    space = {"loss": [absolute, "mse", "huber"], "batch_size": [64, 256]}
    model = TorchRecommender(module=Net, **QUICK)
    found, again = (
        tune(model, ratings, space, method="grid", folds=2, study=tmp_path / "study.db") for _ in range(2)
    )
    assert found.best_trial == again.best_trial
    assert len(found.trials) == len(again.trials) == 7
    assert all(trial["params"]["loss"] in ({"code": "absolute"}, "mse", "huber") for trial in found.trials)


def test_recommend_and_similar_items_work(ratings):
    model = TorchRecommender(factors=4, **QUICK).fit(ratings)
    user = ratings.users.ids[0]
    (found,) = [part for _, part in recommend(model, [user], 5, exclude=ratings)]
    seen = set(ratings.item_ids[ratings.user == 0].tolist())
    rest = [item for item in ratings.items.ids.tolist() if item not in seen]
    scores = model.set_params(clip=False).predict([(user, item) for item in rest])
    assert found.ids.tolist() == [rest[place] for place in np.argsort(-scores, kind="stable")[:5]]
    assert len(similar_items(model, ratings.items.ids[0], 3).ids) == 3
    own = TorchRecommender(module=Net, **QUICK).fit(ratings)
    assert len(next(iter(recommend(own, [user], 5)))[1].ids) == 5
    with pytest.raises(NotSupportedError):
        own.as_linear()


def test_memory_estimate_grows_with_ratings_and_is_checked_first(monkeypatch):
    from foretaste._utils import memory

    require, asked = memory.check_available, []
    monkeypatch.setattr(memory, "check_available", lambda size, what, hint: asked.append(size))
    wanted = []
    for rows, factors in ((500, 2), (1000, 2), (1000, 4)):
        ratings = planted(rows=rows)
        TorchMF(factors=factors, epochs=1, validation_fraction=0.0).fit(ratings)
        ids = len(ratings.users) + len(ratings.items)
        wanted.append(48 * rows + (20 * ids + 40 * min(rows, 1024)) * (factors + 1))
    assert asked == wanted
    monkeypatch.setattr(memory, "check_available", require)
    monkeypatch.setattr(memory, "available_bytes", lambda: 40_000)
    ratings = planted(rows=1000)
    numbers = 3 * (len(ratings.users) + len(ratings.items))
    with pytest.raises(NotEnoughMemoryError, match=f"training {numbers} weights on 1,000 ratings"):
        TorchMF(factors=2, epochs=1).fit(ratings)


@pytest.mark.nightly
def test_peak_memory_stays_below_the_estimate(tmp_path):
    """In a process of its own: this one may hold memory that it has used before."""
    data.save_columns(data.generate_ratings(2000, 1000, 1_000_000), tmp_path)
    code = f"""
from pathlib import Path
from benchmarks import data
from benchmarks.speed import subprocess_run
from foretaste import TorchMF
ratings = data.load_columns(Path({str(tmp_path)!r}))
TorchMF(epochs=1, factors=2).fit(ratings[:2000])  # what torch takes for itself
model = TorchMF(epochs=1, factors=8, batch_size=65536)
print(subprocess_run.measure_memory(lambda: model.fit(ratings))["added"])
"""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=subprocess_run.ROOT, capture_output=True, text=True, check=True
    )
    assert 10e6 < int(done.stdout) < 48 * 1_000_000 + 20 * 9 * 3000 + 16e6  # and what malloc keeps back


@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")  # torch's own, when it compiles
def test_compiled_module_predicts_the_same_and_can_be_saved(ratings, tmp_path):
    def compiled(users, items):
        return torch.compile(Net(users, items), backend="eager")  # without a compiler for C++

    settings = QUICK | {"epochs": 2}
    plain = TorchRecommender(module=Net, **settings).fit(ratings)
    quick = TorchRecommender(module=compiled, **settings).fit(ratings)
    np.testing.assert_allclose(quick.predict(ratings), plain.predict(ratings), atol=1e-4)
    save(quick, tmp_path / "quick.foretaste")
    back = load(tmp_path / "quick.foretaste", module=compiled)
    np.testing.assert_array_equal(back.predict(ratings), quick.predict(ratings))
