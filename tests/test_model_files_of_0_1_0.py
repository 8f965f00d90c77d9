"""Model files by version 0.1.0, of every model: they load, predict as before, with the names of now."""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from foretaste import fold_in, load, save
from foretaste.models import MODELS
from foretaste.models.spec import params_as_json

FOLDER = Path(__file__).parent / "data" / "0.1.0"
RECORDED = json.loads((FOLDER / "predictions.json").read_text(encoding="utf-8"))
FILES = sorted(RECORDED["models"])
OWN_CODE = "TorchRecommender-own-code"


def custom_module_class():
    """Return a class of one's own, of which a model file holds the name."""
    import torch

    class TwoTables(torch.nn.Module):
        def __init__(self, n_users: int, n_items: int) -> None:
            super().__init__()
            self.user, self.item = torch.nn.Embedding(n_users, 2), torch.nn.Embedding(n_items, 2)

        def forward(self, user: Any, item: Any) -> Any:
            return (self.user(user) * self.item(item)).sum(dim=1)

    return TwoTables


def _param(name: str, *more: str) -> Any:
    marks = []
    if RECORDED["models"][name]["torch"]:
        absent = find_spec("torch") is None
        marks = [
            pytest.mark.torch,
            pytest.mark.skipif(absent, reason='needs PyTorch: pip install "foretaste[torch]"'),
        ]
    return pytest.param(name, *more, marks=marks)


each_file = pytest.mark.parametrize("name", [_param(name) for name in FILES])


def load_file(name: str, path: Path | None = None, **how: Any) -> Any:
    code = {"module": custom_module_class()} if name == OWN_CODE else {}
    return load(path or FOLDER / "models" / f"{name}.foretaste", **how, **code)


def recorded_frame(what: str, name: str) -> pl.DataFrame:
    return pl.DataFrame(RECORDED[what][RECORDED["models"][name]["ids"]])


def assert_predicts_as_recorded(model: Any, name: str) -> None:
    entry = RECORDED["models"][name]
    tolerance = 1e-3 if entry["torch"] else 1e-6
    np.testing.assert_allclose(
        model.predict(recorded_frame("pairs", name)), entry["predictions"], rtol=tolerance, atol=tolerance
    )


def test_there_is_a_file_of_every_model():
    with_extra = {entry["model"] for entry in RECORDED["models"].values()} - set(MODELS)
    assert set(MODELS) <= {entry["model"] for entry in RECORDED["models"].values()}
    assert with_extra == {
        "TorchMF", "TorchRecommender", "AutoRec", "SparseFC", "FactorizationMachine", "NeuralMF"
    }  # fmt: skip
    assert sorted(path.stem for path in (FOLDER / "models").glob("*.foretaste")) == FILES


@each_file
def test_model_of_0_1_0_predicts_what_it_did(name):
    assert_predicts_as_recorded(load_file(name), name)


@each_file
def test_memory_mapped_model_of_0_1_0_predicts_what_it_did(name):
    assert_predicts_as_recorded(load_file(name, memory_map=True), name)


@each_file
def test_model_of_0_1_0_has_todays_parameter_names(name):
    model, entry = load_file(name), RECORDED["models"][name]
    assert type(model).__name__ == entry["model"]
    assert params_as_json(model) == entry["params"]


@each_file
def test_model_of_0_1_0_survives_saving_and_loading(name, tmp_path):
    save(load_file(name), tmp_path / "again.foretaste")
    again = load_file(name, tmp_path / "again.foretaste")
    assert_predicts_as_recorded(again, name)
    assert params_as_json(again) == RECORDED["models"][name]["params"]


FOLDED = [
    _param(name, entity)
    for name in FILES
    for entity in ("users", "items")
    if f"fold_in_{entity}" in RECORDED["models"][name]
]


@pytest.mark.parametrize(("name", "entity"), FOLDED)
def test_model_of_0_1_0_folds_in_as_it_did(name, entity):
    entry, newcomers = RECORDED["models"][name], recorded_frame("newcomers", name)
    found = fold_in(load_file(name), **{entity: newcomers}).predict(newcomers)[:16]
    tolerance = 1e-3 if entry["torch"] else 1e-5  # a ridge regression, by LAPACK
    np.testing.assert_allclose(found, entry[f"fold_in_{entity}"], rtol=tolerance, atol=tolerance)
