"""Without PyTorch everything else works, and models that need it say how to install it."""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from importlib.metadata import EntryPoint
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from documents import ROOT

from foretaste import compare, cross_validate, fold_in, load, save, tune
from foretaste.cli import cli
from foretaste.errors import DataError, MissingDependencyError, ModelFileError
from foretaste.models import MODELS, Bias, registry
from foretaste.models.pytorch import TorchMF, TorchRecommender
from foretaste.models.spec import from_spec
from foretaste.persistence import inspect

INSTALL = 'pip install "foretaste[torch]"'


@pytest.fixture
def without_torch(monkeypatch):
    """Make ``import torch`` fail, whether it is installed or not."""
    for name in [name for name in sys.modules if name == "torch" or name.startswith("torch.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "torch", None)


@pytest.fixture
def kept(ratings, tmp_path):
    """A file of a TorchMF, its numbers drawn here."""
    model = TorchMF(factors=3)
    random = np.random.default_rng(0)
    model.users_, model.items_, model.fingerprint_ = ratings.users, ratings.items, "of nothing"
    model.low_, model.high_, model.n_ratings_, model.epochs_ = -8.0, 8.0, len(ratings), 2
    model.mean_, model.std_, model.unknown_ = 0.5, 2.0, 0.5
    for name, shape in model.fitted_shapes().items():
        sizes = {
            "users": len(ratings.users),
            "items": len(ratings.items),
            "factors": 3,
            "epochs": 2,
            "valid_epochs": 2,
        }
        if shape and set(shape) <= set(sizes):
            setattr(model, name, random.normal(size=[sizes[d] for d in shape]).astype(np.float32))
    model.user_penalty_, model.item_penalty_ = np.diag([0.3, 0.5, 0.7, 0.9]), np.diag([0.2, 0.4, 0.6, 0.8])
    save(model, tmp_path / "mf.foretaste")
    return tmp_path / "mf.foretaste"


def test_model_names_resolve_and_fit_says_what_to_install(ratings, without_torch):
    for name in ("TorchMF", "torch-mf", "TorchRecommender"):
        for ask in (
            lambda name=name: compare(ratings, ["Bias", name]),
            lambda name=name: cross_validate(name, ratings, 2),
            lambda name=name: tune(name, ratings, {"epochs": [1, 2]}, method="grid"),
        ):
            with pytest.raises(MissingDependencyError, match="needs PyTorch") as missing:
                ask()
            assert f"try: {INSTALL}" in str(missing.value)
    for model in (TorchMF(), TorchRecommender()):
        with pytest.raises(MissingDependencyError, match=f"{type(model).__name__} needs PyTorch"):
            model.fit(ratings)
        assert not hasattr(model, "users_")


def test_command_line_exits_with_code_5(ratings, without_torch, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for words in (
        ["fit", "TorchMF", "sample", "-o", "m.foretaste"],
        ["fit", "torch-recommender", "sample", "-o", "m.foretaste", "--loss", "huber"],
        ["compare", "sample", "--models", "Bias,TorchMF"],
    ):
        done = CliRunner().invoke(cli, words, prog_name="foretaste")
        assert done.exit_code == 5, done.output
        assert INSTALL in done.output
        assert not Path("m.foretaste").exists()
        done = CliRunner().invoke(cli, [*words, "--json"], prog_name="foretaste")
        assert json.loads(done.stdout)["error"]["code"] == "missing_extra"


def test_models_list_shows_the_required_extra(without_torch):
    done = CliRunner().invoke(cli, ["models", "TorchMF"], prog_name="foretaste")
    assert INSTALL in done.output
    assert "user_bias_regularization" in done.output
    listed = json.loads(CliRunner().invoke(cli, ["models", "--json"], prog_name="foretaste").stdout)["data"]
    assert {entry["model"]: entry["extra"] for entry in listed}["TorchRecommender"] == "torch"
    helped = CliRunner().invoke(cli, ["fit", "TorchRecommender", "--help"], prog_name="foretaste").output
    assert "--loss" in helped
    assert "--checkpoint" in helped
    assert "--threshold" in helped
    assert "--module" not in helped  # that is code


def test_saved_matrix_factorization_predicts_without_torch(ratings, kept, without_torch):
    model = load(kept)
    user, item = ratings.user[:50], ratings.item[:50]
    wanted = (
        np.einsum("nf,nf->n", model.user_factors_[user], model.item_factors_[item])
        + model.user_bias_[user]
        + model.item_bias_[item]
    ) * 2.0 + 0.5
    predicted = model.predict(
        list(zip(ratings.user_ids[:50].tolist(), ratings.item_ids[:50].tolist(), strict=True))
    )
    np.testing.assert_allclose(predicted, wanted.clip(-8, 8), rtol=0, atol=1e-5)
    assert inspect(kept)["model"] == "TorchMF"


@pytest.mark.parametrize("side", ["user", "item"])
def test_fold_in_works_without_torch(ratings, kept, without_torch, side):
    """Bias and factors of a new one make the sum smaller than any others near them do."""
    model = load(kept).set_params(clip=False)
    other = "item" if side == "user" else "user"
    new = ratings[getattr(ratings, side) < 5]
    folded = fold_in(model, **{f"{side}s": new})
    bias, factors = (getattr(model, f"{other}_{name}_") for name in ("bias", "factors"))
    place = getattr(model, f"{other}s_").indices_of(getattr(new, f"{other}s").ids)[getattr(new, other)]
    penalty = np.diag(getattr(model, f"{side}_penalty_"))

    def total(numbers, one):
        rows = getattr(new, side) == one
        z = (new.value[rows] - 0.5) / 2.0
        gap = z - numbers[0] - bias[place[rows]] - factors[place[rows]] @ numbers[1:]
        return float((gap**2).sum() + penalty @ numbers**2)

    random = np.random.default_rng(0)
    for one in range(len(getattr(new, f"{side}s"))):
        found = np.r_[getattr(folded, f"{side}_bias_")[one], getattr(folded, f"{side}_factors_")[one]]
        best = total(found.astype(float), one)
        for _ in range(20):
            assert total(found + random.normal(size=4) * 0.05, one) > best - 1e-4


def test_malformed_penalties_in_a_file_raise(kept, tmp_path):
    model = load(kept)
    for wrong in (np.eye(3), -np.eye(4), np.triu(np.ones((4, 4)))):
        model.item_penalty_ = np.ascontiguousarray(wrong)
        save(model, tmp_path / "wrong.foretaste")
        with pytest.raises(ModelFileError, match="item_penalty_ in the file"):
            load(tmp_path / "wrong.foretaste")


def test_iterating_over_models_gives_the_core_models():
    assert "TorchMF" in MODELS
    assert MODELS["TorchMF"] is MODELS.get("TorchMF") is TorchMF
    assert "TorchMF" not in list(MODELS)
    assert MODELS.names()[len(MODELS) :] == list(registry.OPTIONAL_MODELS)
    assert MODELS.get("Torch") is None
    with pytest.raises(KeyError):
        MODELS["Torch"]
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    points = project["entry-points"][registry.ENTRY_POINT_GROUP]
    assert points == {name: f"{module}:{name}" for name, module in registry.OPTIONAL_MODELS.items()}
    assert {MODELS[name].extra for name in points} <= set(project["optional-dependencies"])


def test_models_of_other_packages_are_found_by_their_entry_points(monkeypatch, ratings, tmp_path):
    point = EntryPoint("Tipsy", "a_package_of_others:Tipsy", registry.ENTRY_POINT_GROUP)
    monkeypatch.setattr(
        "importlib.metadata.entry_points",
        lambda group: [point] if group == registry.ENTRY_POINT_GROUP else [],
    )
    (tmp_path / "a_package_of_others.py").write_text(
        "from foretaste.models import Bias\nfrom foretaste.params import estimator\n\n"
        '@estimator\nclass Tipsy(Bias):\n    """Of others."""\n    summary = "of others"\n'
    )
    monkeypatch.syspath_prepend(tmp_path)
    tipsy = MODELS["Tipsy"]
    assert "Tipsy" in MODELS.names()
    assert issubclass(tipsy, Bias)
    assert compare(ratings, ["tipsy"]).best_row["model"] == "Tipsy"
    save(tipsy().fit(ratings), tmp_path / "tipsy.foretaste")
    assert type(load(tmp_path / "tipsy.foretaste")) is tipsy


def test_importing_the_classes_does_not_import_torch():
    code = (
        "import sys\nfrom foretaste import TorchMF, TorchRecommender\nfrom foretaste.models import MODELS\n"
        "repr(MODELS['TorchMF']()); print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_loading_a_torch_file_names_the_extra(without_torch, tmp_path, ratings):
    from foretaste.models.pytorch._network_model import TorchNetworkModel

    model = TorchRecommender()
    assert isinstance(model, TorchNetworkModel)
    with pytest.raises(MissingDependencyError, match="TorchRecommender needs PyTorch"):
        model.set_state(_state(ratings))
    assert isinstance(from_spec({"model": "TorchRecommender", "params": {"loss": "bpr"}}), TorchRecommender)
    with pytest.raises(DataError, match="made with custom code"):
        from_spec({"model": "TorchRecommender", "params": {"module": {"code": "os.system"}}})


def _state(ratings):
    users, items = np.zeros(len(ratings.users), np.float32), np.zeros(len(ratings.items), np.float32)
    none = np.zeros(1, np.float32)
    return {
        "users_": ratings.users, "items_": ratings.items, "low_": 0.0, "high_": 1.0, "n_ratings_": 3,
        "fingerprint_": "", "epochs_": 1, "mean_": 0.0, "std_": 1.0, "user_bias_": users, "item_bias_": items,
        "train_loss_": none, "train_rmse_": none, "valid_loss_": none, "valid_rmse_": none,
        "weights_": {"module.user_bias": users},
    }  # fmt: skip
