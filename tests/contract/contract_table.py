"""Settings and exceptions of the contract battery, as data.

A new model in ``MODELS`` is picked up automatically.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from foretaste.ids import IdIndex
from foretaste.models import MODELS, Model
from foretaste.models.registry import OPTIONAL_MODELS
from foretaste.params import ParamSpec
from foretaste.ratings import Ratings

FRAMES: dict[str, Callable[..., Any]] = {"pandas": pd.DataFrame, "polars": pl.DataFrame, "pyarrow": pa.table}

# Quick settings for models whose defaults are meant for more than 900 ratings.
SMALL: dict[str, dict[str, Any]] = {
    "SVD": {"factors": 4, "epochs": 15},
    "SVDpp": {"factors": 4, "epochs": 15},
    "TimeSVDpp": {"factors": 4, "epochs": 15},
    "ALS": {"factors": 4, "epochs": 10},
    "NMF": {"factors": 4, "epochs": 15},
    "CoClustering": {"user_clusters": 3, "item_clusters": 2, "n_init": 3},
    "Blend": {"models": ["Bias", "UserItemMean"], "folds": 3},
    "TorchMF": {"factors": 4, "epochs": 3, "batch_size": 128, "learning_rate": 0.02},
    "TorchRecommender": {"factors": 4, "epochs": 3, "batch_size": 128, "learning_rate": 0.02},
    "AutoRec": {"hidden": 8, "epochs": 6, "batch_size": 8, "learning_rate": 0.01, "regularization": 10.0},
    "SparseFC": {"hidden": 8, "epochs": 6, "batch_size": 8, "learning_rate": 0.01, "regularization": 3.0},
    "FactorizationMachine": {"factors": 4, "epochs": 3, "batch_size": 128, "learning_rate": 0.02},
    "NeuralMF": {"factors": 4, "hidden": 8, "epochs": 3, "batch_size": 128, "learning_rate": 0.02},
}

# (model, check) or (model with one setting, check) -> why it may fail the check. It must then fail it: an
# exception that has become needless fails the battery. Checks are the test functions without "test_".
EXCEPTIONS: dict[tuple[str, str], str] = {
    ("KNNImputation(unknown_item='zero')", "each_setting_is_scale_free"): (
        "this setting is there to answer as scikit-learn does: 0 for an item without ratings, on any scale"
    ),
    ("TorchMF(standardize=False)", "each_setting_is_scale_free"): (
        "this setting is there to learn ratings as they are, so its steps are in their units"
    ),
}


# Devices that not every machine has, and how to detect them without importing torch.
_DEVICES: dict[str, Callable[[], bool]] = {
    "cuda": lambda: Path("/dev/nvidia0").exists(),
    "mps": lambda: sys.platform == "darwin",
}


def make(name: str, **params: Any) -> Model:
    """Return an unfitted model with quick settings."""
    return MODELS[name](**(SMALL.get(name, {}) | params))


def all_models() -> dict[str, type[Model]]:
    """Return the models of the core and those that need an extra; the latter skip where it is missing."""
    return {name: MODELS[name] for name in (*MODELS, *OPTIONAL_MODELS)}


def settable(cls: type[Model]) -> dict[str, ParamSpec]:
    """Return the parameters that a file can hold: all but functions and classes of one's own."""
    return {name: d for name, d in cls.param_specs().items() if not d.allow_callable or d.choices is not None}


def each_model(
    *, tags: Collection[str] = (), without: Collection[str] = (), parameter: str | None = None
) -> Callable[[Any], Any]:
    """Run a check over every model that has all the ``tags``, none of the others, and the ``parameter``."""

    def decorate(check: Callable[..., None]) -> Any:
        models = [
            _case(check, model, (model,))
            for model, cls in all_models().items()
            if set(tags) <= cls.tags and not set(without) & cls.tags
            if parameter is None or parameter in cls.param_specs()
        ]
        return pytest.mark.parametrize("name", models)(check)

    return decorate


def each_setting(check: Callable[..., None]) -> Any:
    """Run a check over every word of each choice, and over another value of each other parameter."""
    settings = [
        _case(check, f"{model}({parameter}={value!r})", (model, {parameter: value}))
        for model, cls in all_models().items()
        for parameter, declaration in settable(cls).items()
        for value in declaration.choices or [another_value(declaration)]
        if parameter != "device" or _DEVICES.get(value, lambda: True)()  # a machine has the devices it has
    ]
    return pytest.mark.parametrize(("name", "setting"), settings)(check)


def _case(check: Callable[..., None], label: str, values: tuple[Any, ...]) -> Any:
    reason = EXCEPTIONS.get((label, check.__name__.removeprefix("test_")))
    marks = [] if reason is None else [pytest.mark.xfail(reason=reason, strict=True)]
    extra = all_models()[values[0]].extra
    if extra:
        absent = find_spec(extra) is None
        marks += [pytest.mark.torch, pytest.mark.skipif(absent, reason=f'pip install "foretaste[{extra}]"')]
    return pytest.param(*values, marks=marks, id=label)


def another_value(declaration: ParamSpec) -> Any:
    """Return an allowed value that is not the default."""
    if declaration.is_model_list:
        return ["ItemMean", "UserMean"]
    if declaration.choices is not None:
        return next(word for word in declaration.choices if word != declaration.default)
    if isinstance(declaration.default, bool):
        return not declaration.default
    start = declaration.default or 0
    tries = [start + 1, start - 1] if declaration.is_integer else [start * 0.75 + 0.01, start / 2]
    return next(value for value in tries if declaration.validate(value) and value != declaration.default)


def unvalidated_pairs(name: str, ratings: Ratings) -> Any:
    """Return who and what as ``fit`` and ``predict`` take it beside Ratings: pairs of ids.

    A model that makes use of the time of each rating gets a frame, which carries it.
    """
    timed = "timestamp" in MODELS[name].requires or "times" in MODELS[name].tags
    return frame_of("pandas", ratings) if timed else pairs_of(ratings)


def frame_of(kind: str, ratings: Ratings, *, value: bool = False) -> Any:
    """Return a frame of ids, times where there are some, and ratings if they are wanted."""
    columns: dict[str, Any] = {"userId": ratings.user_ids, "itemId": ratings.item_ids}
    columns |= {"rating": ratings.value} if value else {}
    columns |= {} if ratings.timestamp is None else {"timestamp": ratings.timestamp}
    return FRAMES[kind](columns)


def pairs_of(ratings: Ratings) -> np.ndarray:
    """Return the pairs of ids, shape (n, 2)."""
    return np.column_stack([ratings.user_ids, ratings.item_ids])


def every_pair(ratings: Ratings) -> np.ndarray:
    """Return all pairs of the known ids and of a user and an item that are unknown, shape (n, 2)."""
    users, items = np.r_[ratings.users.ids, 100_001], np.r_[ratings.items.ids, 100_003]
    return np.column_stack([np.repeat(users, len(items)), np.tile(items, len(users))])


def same_bits(one: np.ndarray, other: np.ndarray) -> bool:
    """Whether two arrays are equal in type, shape and every bit."""
    return one.dtype == other.dtype and one.shape == other.shape and one.tobytes() == other.tobytes()


def same_value(one: Any, other: Any) -> bool:
    """Whether two fitted attributes are equal, in type and bit for bit."""
    if isinstance(one, np.ndarray):
        return isinstance(other, np.ndarray) and same_bits(one, other)
    if isinstance(one, IdIndex):
        return bool(one == other)
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same_value(one[name], other[name]) for name in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(same_value, one, other))
    if isinstance(one, Model):
        first, second = vars(one), vars(other)
        same = type(one) is type(other) and first.keys() == second.keys()
        return same and all(same_value(first[name], second[name]) for name in first)
    return type(one) is type(other) and bool(one == other)


def assert_same_state(one: Model, other: Model) -> None:
    """Check that two models have the same fitted state, bit for bit."""
    first, second = one.get_state(), other.get_state()
    assert first.keys() == second.keys()
    assert [name for name in first if not same_value(first[name], second[name])] == []
