"""Search spaces: intervals and lists of values, validated against the parameters of a model."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from foretaste.errors import Hint, InvalidParameterError, to_python
from foretaste.models import MODELS, Model
from foretaste.models.spec import as_spec
from foretaste.params import ParamSpec, to_source

_DIGITS = 4  # significant digits of a sampled number


@dataclass(frozen=True)
class Interval:
    """All numbers from ``low`` to ``high``, on a linear or a log scale.

    Parameters
    ----------
    low, high : int or float
        The bounds, both included.
    log : bool
        Whether to sample uniformly on the log scale.
    is_integer : bool
        Whether only integers are allowed.
    """

    low: float
    high: float
    log: bool = False
    is_integer: bool = False

    @property
    def size(self) -> int | None:
        """Number of values; None if not countable."""
        return int(self.high) - int(self.low) + 1 if self.is_integer else None

    def round_value(self, value: float) -> int | float:
        """Return a value as it is tried: an integer or four significant digits, within the bounds."""
        if self.is_integer:
            return int(min(max(round(value), self.low), self.high))
        return float(min(max(float(f"{value:.{_DIGITS}g}"), self.low), self.high))

    def from_unit(self, fraction: float) -> int | float:
        """Return the value at a fraction of the way from ``low`` to ``high``."""
        return self.round_value(_interpolate(self.low, self.high, fraction, self.log))

    def sample(self, rng: np.random.Generator) -> int | float:
        """Return a random value."""
        margin = 0.5 if self.is_integer else 0.0  # integers at the bounds are as likely as any other
        return self.round_value(
            _interpolate(self.low - margin, self.high + margin, float(rng.random()), self.log)
        )

    def contains(self, value: Any) -> bool:
        """Return whether a value lies in the interval."""
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        return (
            is_number and self.low <= value <= self.high and (not self.is_integer or isinstance(value, int))
        )

    def to_json(self, value: Any) -> Any:
        """Return a value in JSON form."""
        return value

    def from_json(self, value: Any) -> Any:
        """Return the value of its JSON form."""
        return value

    def grid(self) -> list[Any]:
        """Return the values of a grid: the bounds and the middle."""
        return list(dict.fromkeys(self.from_unit(fraction) for fraction in (0, 0.5, 1)))

    def to_python(self) -> Any:
        """Return the interval as it is passed in Python."""
        ends = (int(self.low), int(self.high)) if self.is_integer else (self.low, self.high)
        return ("log", *ends) if self.log else ends

    def to_cli(self) -> str:
        """Return the interval as it is typed on the command line."""
        return f"{self.low:g}..{self.high:g}{':log' if self.log else ''}"


def _interpolate(low: float, high: float, fraction: float, log: bool) -> float:
    return low * (high / low) ** fraction if log else low + fraction * (high - low)


@dataclass(frozen=True)
class Categorical:
    """One of a list of values."""

    values: tuple[Any, ...]

    @property
    def size(self) -> int | None:
        """Number of values."""
        return len(self.values)

    def sample(self, rng: np.random.Generator) -> Any:
        """Return a random value."""
        return self.values[int(rng.integers(len(self.values)))]

    def contains(self, value: Any) -> bool:
        """Return whether a value is one of these."""
        return any(type(candidate) is type(value) and candidate == value for candidate in self.values)

    def to_json(self, value: Any) -> Any:
        """Return a value in JSON form: models in a list as their specs, callables by their names."""
        if callable(value):
            return {"code": to_source(value)}
        return (
            [as_spec(candidate) if isinstance(candidate, Model) else candidate for candidate in value]
            if isinstance(value, list)
            else value
        )

    def from_json(self, value: Any) -> Any:
        """Return the value of its JSON form."""
        return next(
            (
                candidate
                for candidate in self.values
                if json.dumps(self.to_json(candidate)) == json.dumps(value)
            ),
            value,
        )

    def sorted_values(self) -> tuple[Any, ...] | None:
        """Return the values in increasing order if all are numbers, else None."""
        are_numbers = all(
            isinstance(candidate, int | float) and not isinstance(candidate, bool)
            for candidate in self.values
        )
        return tuple(sorted(self.values)) if are_numbers else None

    @property
    def ordered_values(self) -> tuple[Any, ...]:
        """The values in increasing order if all are numbers, else as given."""
        return self.sorted_values() or self.values

    def index_of(self, value: Any) -> int:
        """Return the index of a value in ``ordered_values``."""
        return [self.to_json(candidate) for candidate in self.ordered_values].index(self.to_json(value))

    def grid(self) -> list[Any]:
        """Return the values of a grid: all."""
        return list(self.values)

    def to_python(self) -> Any:
        """Return the list as it is passed in Python."""
        return list(self.values)

    def to_cli(self) -> str:
        """Return the list as it is typed on the command line."""
        return "|".join("none" if value is None else str(value).lower() for value in self.values)


SearchSpace = dict[str, Interval | Categorical]

# Epochs and the schedule are not searched: only the product of learning rate and epochs matters, and
# schedules that decay to 0 end alike (docs/decisions/0017).
_FACTOR_SPACE = {
    "factors": ("log", 16, 256),
    "learning_rate": ("log", 0.004, 0.06),
    "regularization": ("log", 0.01, 0.16),
}
_DAMPING_RANGE = ("log", 0.5, 50.0)
# Wide enough for small and large datasets, around the defaults; a test checks each against the model.
_KNN_SPACE: dict[str, Any] = {
    "neighbors": ("log", 5, 200),
    "shrinkage": ("log", 2.0, 500.0),
    "damping": ("log", 0.02, 2.0),
    "similarity": ["pearson_bias", "adjusted_cosine", "cosine"],
    "user_damping": _DAMPING_RANGE,
    "item_damping": _DAMPING_RANGE,
}
_ALS_SPACE: dict[str, Any] = {
    "factors": ("log", 8, 128),
    "regularization": ("log", 0.003, 0.3),
    "damping": ("log", 0.5, 50.0),
    "bias_damping": ("log", 0.5, 50.0),
}

_AUTOENCODER_SPACE = {
    "hidden": ("log", 100, 1000),
    "regularization": ("log", 20.0, 2000.0),
    "dropout": (0.0, 0.6),
    "learning_rate": ("log", 0.001, 0.01),
}
_FEATURE_MODEL_SPACE = {
    "factors": ("log", 8, 128),
    "regularization": ("log", 0.005, 0.5),
    "feature_regularization": ("log", 0.002, 0.2),
    "learning_rate": ("log", 0.001, 0.02),
    "id_dropout": (0.0, 0.8),
}

DEFAULT_SPACES: dict[str, dict[str, Any]] = {
    "Bias": {"user_damping": _DAMPING_RANGE, "item_damping": _DAMPING_RANGE},
    "KNNImputation": {"neighbors": ("log", 2, 200), "weights": ["uniform", "distance"]},
    "SVD": _FACTOR_SPACE,
    "SVDpp": {
        **_FACTOR_SPACE,
        "implicit_learning_rate": ("log", 0.02, 1.0),
        "implicit_regularization": ("log", 0.002, 0.1),
    },
    "TimeSVDpp": {
        **_FACTOR_SPACE,
        "session_damping": ("log", 1.0, 100.0),
        "bin_damping": ("log", 10.0, 1000.0),
        "drift": ["none", "bias", "factors"],
        "drift_damping": ("log", 5.0, 500.0),
    },
    "ItemKNN": _KNN_SPACE,
    "UserKNN": _KNN_SPACE,
    "SlopeOne": {"scheme": ["weighted", "plain", "bi_polar"]},
    "ALS": {**_ALS_SPACE, "epochs": (8, 40), "growth": (0.0, 0.6)},
    "NMF": {**_ALS_SPACE, "epochs": (30, 200), "init_max": ("log", 0.05, 1.0)},
    "Popularity": {"rank_by": ["count", "mean"], "damping": _DAMPING_RANGE},
    "GlobalEffects": {
        "user_damping": _DAMPING_RANGE,
        "item_damping": _DAMPING_RANGE,
        "slope_damping": ("log", 5.0, 500.0),
        "sweeps": (1, 10),
    },
    "CoClustering": {
        "user_clusters": ("log", 2, 32),
        "item_clusters": ("log", 2, 32),
        "damping": ("log", 2.0, 500.0),
        "user_damping": _DAMPING_RANGE,
        "item_damping": _DAMPING_RANGE,
    },
    "EASE": {
        "regularization": ("log", 20.0, 20_000.0),
        "user_damping": _DAMPING_RANGE,
        "item_damping": _DAMPING_RANGE,
    },
    "Blend": {"regularization": ("log", 0.1, 1000.0), "support": [True, False]},
    "TorchMF": {
        "factors": ("log", 16, 128),
        "batch_size": ("log", 256, 4096),
        "learning_rate": ("log", 0.001, 0.02),
        "user_regularization": ("log", 0.02, 0.3),
        "item_regularization": ("log", 0.02, 0.3),
        "user_bias_regularization": ("log", 0.005, 0.3),
        "item_bias_regularization": ("log", 0.001, 0.3),
    },
    "TorchRecommender": {
        "loss": ["mse", "huber"],
        "batch_size": ("log", 256, 4096),
        "learning_rate": ("log", 0.0005, 0.02),
        "factors": ("log", 16, 128),
        "regularization": ("log", 0.01, 0.3),
    },
    "AutoRec": {"entity": ["item", "user"], **_AUTOENCODER_SPACE},
    "SparseFC": {**_AUTOENCODER_SPACE, "layers": [1, 2]},
    "FactorizationMachine": _FEATURE_MODEL_SPACE,
    "NeuralMF": {**_FEATURE_MODEL_SPACE, "hidden": ("log", 16, 256)},
}


def default_space(model: str | Model) -> dict[str, Any]:
    """Return the default space of ``tune`` for a model, in the form that ``tune`` accepts.

    Parameters
    ----------
    model : str or Model
        A model, or the name of one.

    Raises
    ------
    InvalidParameterError
        If the model has none.
    """
    name = model if isinstance(model, str) else type(model).__name__
    if name not in DEFAULT_SPACES:
        names = [] if name not in MODELS else [n for n in MODELS[name].param_specs() if n != "clip"]
        raise InvalidParameterError(
            f"{name} has no default space: "
            + ("pass the values to try" if names else "it has no parameters to tune"),
            hint=Hint({"space": {names[0]: ...}}) if names else "one of " + ", ".join(DEFAULT_SPACES),
        )
    return dict(DEFAULT_SPACES[name])


def make_space(model: Model, space: Any) -> SearchSpace:
    """Validate a search space against the parameters of a model.

    Parameters
    ----------
    model : Model
    space : "default" or mapping
        Parameter names to ``(low, high)``, ``("log", low, high)``, ``("linear", low, high)``, a list of
        values, or one value.

    Raises
    ------
    InvalidParameterError
        Naming the parameter, its value and what is allowed.
    """
    if isinstance(space, str) and space == "default":
        space = default_space(model)
    if not isinstance(space, Mapping):
        raise InvalidParameterError(
            "it must be a dict of parameters and the values to try",
            argument=("space", space),
            hint=Hint(
                {"space": "default"}, f"or a dict of parameters, such as {next(iter(model.param_specs()))}"
            ),
        )
    if not space:
        raise InvalidParameterError("space is empty", hint=Hint({"space": "default"}))
    dimensions = {
        str(name): make_dimension(model, str(name), definition) for name, definition in space.items()
    }
    # In the order of the parameters, so that the order of the dict changes no sample.
    return {name: dimensions[name] for name in model.param_specs() if name in dimensions}


def make_dimension(model: Model, name: str, definition: Any) -> Interval | Categorical:
    """Validate the definition of one parameter."""
    specs = model.param_specs()
    if name not in specs:
        raise InvalidParameterError(
            f'space: {type(model).__name__} has no parameter "{name}"',
            misspelled=(name, specs),
            hint="one of " + ", ".join(specs),
        )
    spec = specs[name]
    if isinstance(definition, tuple):
        return _make_interval(name, spec, definition)
    if isinstance(definition, np.ndarray):
        definition = definition.tolist()
    is_list = isinstance(definition, Sequence) and not isinstance(definition, str)
    values = tuple(to_python(value) for value in (definition if is_list else [definition]))
    if spec.is_model_list and not (values and all(isinstance(value, list) for value in values)):
        raise InvalidParameterError(
            f"space: {name}={definition!r} is not allowed; each value of {name} is itself a list",
            hint=Hint({"space": {name: [["Bias", "SVD"], ["EASE", "SVD"]]}}),
        )
    if not values or len({repr(value) for value in values}) < len(values):
        problem = "holds a value twice" if values else "is empty"
        raise InvalidParameterError(f"space: {name}={definition!r} {problem}", hint="each value once")
    for value in values:
        if not spec.validate(value):
            raise InvalidParameterError(
                f"space: {name}={value!r} is not allowed; it must be {spec.describe()}",
                hint=_suggest_space(name, spec),
            )
    return Categorical(values)


def _make_interval(name: str, spec: ParamSpec, definition: tuple[Any, ...]) -> Interval:
    kind, ends = (definition[0], definition[1:]) if len(definition) == 3 else ("linear", definition)
    ends = tuple(to_python(end) for end in ends)
    are_numbers = all(isinstance(end, int | float) and not isinstance(end, bool) for end in ends)
    if (
        len(ends) != 2
        or kind not in ("log", "linear")
        or not are_numbers
        or not all(map(math.isfinite, ends))
    ):
        raise InvalidParameterError(
            f'space: {name}={definition!r} is not a range; that is (low, high) or ("log", low, high)',
            hint=_suggest_space(name, spec),
        )
    default = spec.default
    if spec.choices is not None or spec.is_model_list or isinstance(default, bool):
        raise InvalidParameterError(
            f"space: {name}={definition!r} is a range, and {name} must be {spec.describe()}",
            hint=_suggest_space(name, spec),
        )
    low, high = ends
    if not low < high:
        raise InvalidParameterError(
            f"space: {name}={definition!r} goes from {low:g} to {high:g}; the lower bound comes first",
            hint=Hint({"space": {name: (high, low) if high < low else [low]}}),
        )
    for end in ends:
        if not spec.validate(end):
            raise InvalidParameterError(
                f"space: {name}={definition!r} reaches {end!r}; {name} must be {spec.describe()}",
                hint=_suggest_space(name, spec),
            )
    if kind == "log" and low <= 0:
        raise InvalidParameterError(
            f"space: {name}={definition!r} begins at {low:g}, which has no logarithm",
            hint=Hint({"space": {name: ("log", high / 1000, high)}}),
        )
    return Interval(low, high, kind == "log", spec.is_integer)


def _suggest_space(name: str, spec: ParamSpec) -> Hint:
    """Suggest a definition for a parameter, around its default."""
    return Hint({"space": {name: _suggest_values(spec)}})


def _suggest_values(spec: ParamSpec) -> list[Any] | tuple[float, float]:
    default = spec.default
    if spec.choices is not None:
        return list(spec.choices)
    if isinstance(default, bool):
        return [True, False]
    if not isinstance(default, int | float) or default == 0:
        return [default]
    half = max(default // 2, 1) if spec.is_integer else default / 2
    ends = (half, 2 * default if spec.high is None else min(2 * default, spec.high))
    if not spec.validate(ends[0]) or not ends[0] < ends[1]:
        return [default]
    return ends
