"""Hyperparameters: declared once, validated, never converted."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from foretaste.errors import InvalidParameterError
from foretaste.params import ParamsMixin, estimator, fitted_attribute, param


@estimator
class Settings(ParamsMixin):
    factors: int = param(8, "how many", low=1, high=512)
    rate: float = param(0.5, "how fast", low=0, exclusive_low=True, high=1)
    free: float = param(0.0, "anything finite")
    kind: str = param("cosine", "which one", choices=("cosine", "pearson"))
    clip: bool = param(True, "whether")
    seed: int | None = param(None, "of the random numbers", low=0, optional=True)

    users_: object = fitted_attribute("ids")
    size_: float = fitted_attribute()
    both_: object = fitted_attribute("users", "factors")
    rows_: object = fitted_attribute("users", dtype="int32")
    name_: str = fitted_attribute("text")


@estimator
class Outer(ParamsMixin):
    inside: object = param(None, "other settings", optional=True)
    depth: int = param(1, "how deep", low=1)


def accepts(name: str, value: object) -> bool:
    settings = Settings(**{name: value})
    allowed = Settings.param_specs()[name]
    if allowed.validate(value):
        settings.check_params()
        assert getattr(settings, name) is value  # not converted
        return True
    with pytest.raises(InvalidParameterError) as refused:
        settings.check_params()
    is_numpy_number = isinstance(value, np.number)
    shown = f'"{value}"' if isinstance(value, str) else repr(value.item() if is_numpy_number else value)
    message = f"Settings: {name}={shown} is not allowed; it must be {allowed.describe()}"
    assert refused.value.message == message
    return False


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        ("factors", [1, 8, 512, np.int64(3)], [0, 513, 8.0, "8", None, True, np.float64(8), [8], 10**400]),
        (
            "rate",
            [1e-9, 1, 0.5, np.float32(0.5), Fraction(1, 2)],
            [0, 0.0, 1.5, "1", None, True, math.nan],
        ),
        ("free", [-1e300, 0, 1e300], [math.inf, -math.inf, math.nan, 10**400, "0"]),
        ("kind", ["cosine", "pearson"], ["euclid", "Cosine", "", 1, None, True, ["cosine"]]),
        ("clip", [True, False], [0, 1, None, "True", np.True_]),
        ("seed", [None, 0, 7, np.int32(7)], [-1, 0.5, "0", False]),
    ],
)
def test_values_are_validated_by_name(name, good, bad):
    assert [value for value in good if not accepts(name, value)] == []
    assert [value for value in bad if accepts(name, value)] == []


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("factors", "an integer at least 1 and at most 512"),
        ("rate", "a number above 0 and at most 1"),
        ("free", "a number"),
        ("kind", "one of 'cosine', 'pearson'"),
        ("clip", "True or False"),
        ("seed", "an integer at least 0, or None"),
    ],
)
def test_describe_states_the_allowed_values(name, words):
    assert Settings.param_specs()[name].describe() == words


@given(st.floats() | st.integers())
def test_declared_bounds_are_enforced(value):
    assert accepts("rate", value) == (0 < value <= 1)
    assert accepts("factors", value) == (isinstance(value, int) and 1 <= value <= 512)


def test_specs_are_ordered_and_fitted_ones_separate():
    assert list(Settings.param_specs()) == ["factors", "rate", "free", "kind", "clip", "seed"]
    assert Settings.fitted_shapes() == {
        "users_": ("ids",), "size_": (), "both_": ("users", "factors"), "rows_": ("users",),
        "name_": ("text",),
    }  # fmt: skip
    assert Settings.fitted_dtypes() == {"both_": "float32", "rows_": "int32"}
    assert "users_" not in vars(Settings())


def test_parameters_are_keyword_only():
    with pytest.raises(TypeError):
        Settings(8)
    with pytest.raises(TypeError):
        Settings(users_=1)


def test_get_and_set_params():
    settings = Settings(factors=3)
    assert settings.get_params()["factors"] == 3
    assert settings.set_params(factors=5, clip=False) is settings
    assert (settings.factors, settings.clip) == (5, False)
    with pytest.raises(
        InvalidParameterError, match='Settings has no parameter "factor"; did you mean "factors"'
    ) as refused:
        settings.set_params(factor=5)
    assert refused.value.hint == "one of factors, rate, free, kind, clip, seed"


def test_nested_parameters():
    outer = Outer(inside=Settings(factors=3))
    assert outer.get_params()["inside__factors"] == 3
    assert "inside__factors" not in outer.get_params(deep=False)
    outer.set_params(inside__factors=4, depth=2)
    assert (outer.inside.factors, outer.depth) == (4, 2)
    with pytest.raises(InvalidParameterError, match='Settings has no parameter "no"'):
        outer.set_params(inside__no=4)


def test_repr_shows_what_differs_from_the_defaults():
    assert repr(Settings()) == "Settings()"
    assert repr(Settings(kind="pearson", factors=3)) == "Settings(factors=3, kind='pearson')"


def test_models_are_compared_by_identity():
    assert Settings() != Settings()
    assert len({Settings(), Settings()}) == 2
