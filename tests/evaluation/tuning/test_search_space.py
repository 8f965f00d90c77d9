"""Search spaces: defaults within declared bounds, validation, sampling."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from foretaste.errors import InvalidParameterError, MissingDependencyError
from foretaste.evaluation import default_space
from foretaste.evaluation.tuning.samplers import GridSampler
from foretaste.evaluation.tuning.search import make_sampler
from foretaste.evaluation.tuning.search_space import (
    DEFAULT_SPACES,
    Categorical,
    Interval,
    make_dimension,
    make_space,
)
from foretaste.models import MODELS, SVD, Bias, Blend

UNTUNED = {"NormalRandom", "GlobalMean", "ItemMean", "UserMean", "UserItemMean"}


def test_every_tunable_model_has_a_default_space() -> None:
    assert set(DEFAULT_SPACES) | UNTUNED == set(MODELS.names())
    for name in UNTUNED:
        with pytest.raises(InvalidParameterError, match=f"{name} has no default space") as caught:
            make_space(MODELS[name](), "default")
        assert caught.value.hint


@pytest.mark.parametrize("name", DEFAULT_SPACES)
def test_default_spaces_lie_within_the_declared_bounds(name: str) -> None:
    model = MODELS[name]()
    space = make_space(model, "default")
    assert set(space) == set(default_space(model)) == set(default_space(name)) <= set(model.param_specs())
    random = np.random.default_rng(0)
    for key, dimension in space.items():
        declaration = model.param_specs()[key]
        ends = (dimension.low, dimension.high) if isinstance(dimension, Interval) else dimension.values
        assert all(declaration.validate(end) for end in ends)
        assert all(declaration.validate(dimension.sample(random)) for _ in range(50))
        assert dimension.contains(declaration.default), f"{name}: the default of {key} lies outside"


def test_a_default_space_is_a_copy() -> None:
    default_space("SVD")["factors"] = (1, 2)
    assert DEFAULT_SPACES["SVD"]["factors"] != (1, 2)


def test_accepted_spaces() -> None:
    space = make_space(
        SVD(),
        {
            "seed": [1, 2],
            "schedule": "cosine",
            "learning_rate": ("log", 1e-3, 0.1),
            "epochs": (10, 20),
            "regularization": np.array([0.01, 0.1]),
            "biased": [True, False],
            "threads": [None, 2],
            "init_std": ("linear", 0, 0.5),
        },
    )
    assert list(space) == [name for name in SVD().param_specs() if name in space]  # in the declared order
    assert space["epochs"] == Interval(10, 20, log=False, is_integer=True)
    assert space["learning_rate"] == Interval(1e-3, 0.1, log=True, is_integer=False)
    assert space["init_std"] == Interval(0, 0.5)
    assert space["schedule"] == Categorical(("cosine",))
    assert space["regularization"] == Categorical((0.01, 0.1))
    assert space["threads"] == Categorical((None, 2))
    assert [space[name].to_cli() for name in ("learning_rate", "epochs", "biased", "threads")] == [
        "0.001..0.1:log", "10..20", "true|false", "none|2",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("space", "words", "hint"),
    [
        ({"factor": (1, 2)}, 'no parameter "factor"; did you mean "factors"?', "one of"),
        ({"factors": (0, 8)}, "reaches 0; factors must be an integer at least 1", '"factors": (32, 128)'),
        ({"factors": (1, 8.5)}, "reaches 8.5; factors must be an integer", '"factors": (32, 128)'),
        ({"factors": (9, 3)}, "goes from 9 to 3; the lower bound comes first", '"factors": (3, 9)'),
        ({"factors": (3, 3)}, "goes from 3 to 3", '"factors": [3]'),
        ({"factors": (1, 2, 3)}, "is not a range", '"factors": (32, 128)'),
        ({"factors": ("log", 1)}, "is not a range", '"factors": (32, 128)'),
        ({"factors": (True, 3)}, "is not a range", '"factors": (32, 128)'),
        ({"learning_rate": (0.1, float("inf"))}, "is not a range", '"learning_rate": (0.01, 0.04)'),
        ({"learning_rate": ("log", 0.1, 2.0)}, "reaches 2.0; learning_rate must be a number above 0", "0.04"),
        ({"regularization": ("log", 0, 1)}, "begins at 0, which has no logarithm", '("log", 0.001, 1)'),
        ({"schedule": ("linear", "cosine")}, "is not a range", "\"schedule\": ['constant'"),
        ({"schedule": (1, 2)}, "is a range, and schedule must be one of", "\"schedule\": ['constant'"),
        ({"biased": (0, 1)}, "is a range, and biased must be True or False", '"biased": [True, False]'),
        ({"schedule": ["liner"]}, "schedule='liner' is not allowed; it must be one of", "linear"),
        ({"factors": []}, "factors=[] is empty", "once"),
        ({"factors": [8, 8]}, "holds a value twice", "once"),
        ({"factors": ["8"]}, "factors='8' is not allowed", '"factors": (32, 128)'),
        ({}, "space is empty", 'space="default"'),
        ("all", 'space="all" is not allowed', 'space="default"'),
        ([("factors", 3)], "must be a dict of parameters", 'space="default"'),
    ],
)
def test_invalid_spaces_raise(space: object, words: str, hint: str) -> None:
    with pytest.raises(InvalidParameterError) as caught:
        make_space(SVD(), space)
    assert words in caught.value.message
    assert hint.replace('"', "'") in (caught.value.hint or "").replace('"', "'")


def test_models_are_a_list_of_lists() -> None:
    with pytest.raises(InvalidParameterError, match="each value of models is itself a list"):
        make_dimension(Blend(), "models", ["Bias", "SVD"])
    assert make_dimension(Blend(), "models", [["Bias"], ["SVD", Bias()]]).size == 2


numbers = st.floats(1e-4, 1e4)


@given(numbers, numbers, st.booleans(), st.integers(0, 99))
def test_sampled_numbers_are_in_range_and_rounded(low: float, high: float, log: bool, seed: int) -> None:
    low, high = min(low, high), max(low, high) + 1e-3
    dimension = Interval(low, high, log)
    for _ in range(5):
        value = dimension.sample(np.random.default_rng(seed))
        assert dimension.contains(value)
        assert isinstance(value, float)
        assert value in (low, high) or float(f"{value:.4g}") == value
        assert json.loads(json.dumps(value)) == value


@given(st.integers(1, 50), st.integers(1, 50), st.booleans(), st.integers(0, 99))
def test_sampled_integers_are_in_range(low: int, more: int, log: bool, seed: int) -> None:
    dimension = Interval(low, low + more, log, is_integer=True)
    value = dimension.sample(np.random.default_rng(seed))
    assert dimension.contains(value)
    assert isinstance(value, int)
    assert dimension.size == more + 1


def test_integers_are_sampled_uniformly() -> None:
    random = np.random.default_rng(0)
    samples = [Interval(1, 4, is_integer=True).sample(random) for _ in range(8000)]
    assert np.bincount(samples)[1:] == pytest.approx([2000] * 4, rel=0.1)


def test_log_scale_is_uniform_in_the_logarithm() -> None:
    random = np.random.default_rng(0)
    samples = np.array([Interval(0.01, 0.16, log=True).sample(random) for _ in range(8000)])
    assert np.histogram(samples, [0.01, 0.02, 0.04, 0.08, 0.16])[0] == pytest.approx([2000] * 4, rel=0.1)


def test_grid_has_ends_and_middle_of_ranges_and_all_choices() -> None:
    assert Interval(10, 20, is_integer=True).grid() == [10, 15, 20]
    assert Interval(1, 2, is_integer=True).grid() == [1, 2]
    assert Interval(0.01, 1.0, log=True).grid() == [0.01, 0.1, 1.0]
    grid = GridSampler(make_space(SVD(), {"factors": (1, 9), "schedule": ["linear", "cosine"]}), 0)
    seen: set[str] = set()
    found = []
    while (params := grid.ask(len(found), seen)) is not None:
        found.append((params["factors"], params["schedule"]))
    assert sorted(found) == [(f, s) for f in (1, 5, 9) for s in ("cosine", "linear")]
    with pytest.raises(InvalidParameterError, match="this grid has 1,062,882 settings") as caught:
        GridSampler({f"p{n}": Interval(1, 9) for n in range(12)} | {"q": Categorical((1, 2))}, 0)
    assert caught.value.hint == 'method="random" or fewer values'


def test_only_tpe_needs_optuna(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "optuna", None)
    space = make_space(Bias(), "default")
    for method in ("gp", "grid", "random"):
        assert make_sampler(method, space, 0, False).ask(1, set())
    with pytest.raises(MissingDependencyError):
        make_sampler("tpe", space, 0, False)
