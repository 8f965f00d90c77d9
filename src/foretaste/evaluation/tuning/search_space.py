"""Which values a search may try: ranges and lists, checked against what a model declares."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from foretaste.errors import InvalidParameter, did_you_mean, plain
from foretaste.models import BY_NAME, Model
from foretaste.models.spec import as_spec
from foretaste.params import Declaration, written

_DIGITS = 4  # significant ones of a drawn number: more cost typing and say nothing


@dataclass(frozen=True)
class Range:
    """All numbers from ``low`` to ``high``, even on a line or on the logarithm.

    Parameters
    ----------
    low, high : int or float
        The ends, both included.
    log : bool
        Whether each doubling is as likely as the next, rather than each step.
    whole : bool
        Whether only whole numbers are meant.
    """

    low: float
    high: float
    log: bool = False
    whole: bool = False

    @property
    def size(self) -> int | None:
        """How many values there are; None where they are not counted."""
        return int(self.high) - int(self.low) + 1 if self.whole else None

    def rounded(self, value: float) -> int | float:
        """Return a value as it is tried: whole, or to four significant figures, and inside."""
        if self.whole:
            return int(min(max(round(value), self.low), self.high))
        return float(min(max(float(f"{value:.{_DIGITS}g}"), self.low), self.high))

    def at(self, share: float) -> int | float:
        """Return the value at a share of the way from ``low`` to ``high``."""
        return self.rounded(_between(self.low, self.high, share, self.log))

    def draw(self, random: np.random.Generator) -> int | float:
        """Return a random value."""
        half = 0.5 if self.whole else 0.0  # a whole number at an end has as much room as any other
        return self.rounded(_between(self.low - half, self.high + half, float(random.random()), self.log))

    def holds(self, value: Any) -> bool:
        """Whether a value is one of those meant."""
        number = isinstance(value, int | float) and not isinstance(value, bool)
        return number and self.low <= value <= self.high and (not self.whole or isinstance(value, int))

    def to_json(self, value: Any) -> Any:
        """Return a value as JSON holds it."""
        return value

    def from_json(self, value: Any) -> Any:
        """Return what ``to_json`` was given."""
        return value

    def points(self) -> list[Any]:
        """Return the values that a grid takes: the ends and the middle."""
        return list(dict.fromkeys(self.at(share) for share in (0, 0.5, 1)))

    def given(self) -> Any:
        """Return it as it is given in Python."""
        ends = (int(self.low), int(self.high)) if self.whole else (self.low, self.high)
        return ("log", *ends) if self.log else ends

    def typed(self) -> str:
        """Return it as it is typed on the command line."""
        return f"{self.low:g}..{self.high:g}{':log' if self.log else ''}"


def _between(low: float, high: float, share: float, log: bool) -> float:
    return low * (high / low) ** share if log else low + share * (high - low)


@dataclass(frozen=True)
class Choice:
    """One of some values."""

    values: tuple[Any, ...]

    @property
    def size(self) -> int | None:
        """How many values there are."""
        return len(self.values)

    def draw(self, random: np.random.Generator) -> Any:
        """Return a random value."""
        return self.values[int(random.integers(len(self.values)))]

    def holds(self, value: Any) -> bool:
        """Whether a value is one of these."""
        return any(type(one) is type(value) and one == value for one in self.values)

    def to_json(self, value: Any) -> Any:
        """Return a value as JSON holds it; models in a list as their specs, code by its name."""
        if callable(value):
            return {"code": written(value)}
        return (
            [as_spec(one) if isinstance(one, Model) else one for one in value]
            if isinstance(value, list)
            else value
        )

    def from_json(self, value: Any) -> Any:
        """Return what ``to_json`` was given, if it was one of these."""
        return next((one for one in self.values if json.dumps(self.to_json(one)) == json.dumps(value)), value)

    def ordered(self) -> tuple[Any, ...] | None:
        """Return the values by size, if all are numbers."""
        numbers = all(isinstance(one, int | float) and not isinstance(one, bool) for one in self.values)
        return tuple(sorted(self.values)) if numbers else None

    def points(self) -> list[Any]:
        """Return the values that a grid takes: all."""
        return list(self.values)

    def given(self) -> Any:
        """Return it as it is given in Python."""
        return list(self.values)

    def typed(self) -> str:
        """Return it as it is typed on the command line."""
        return "|".join("none" if value is None else str(value).lower() for value in self.values)


Space = dict[str, Range | Choice]

# Epochs and the schedule stay as given: of learning rate and epochs only the product says something, and
# schedules that fall to 0 end alike (docs/decisions/0017).
_FACTORS = {
    "factors": ("log", 16, 256),
    "learning_rate": ("log", 0.004, 0.06),
    "regularization": ("log", 0.01, 0.16),
}
_DAMPING = ("log", 0.5, 50.0)
# Wide enough for small and large data, around the defaults; a test holds each to what its model declares.
_NEIGHBORS: dict[str, Any] = {
    "neighbors": ("log", 5, 200),
    "shrinkage": ("log", 2.0, 500.0),
    "damping": ("log", 0.02, 2.0),
    "similarity": ["pearson_bias", "adjusted_cosine", "cosine"],
    "user_damping": _DAMPING,
    "item_damping": _DAMPING,
}
_ALTERNATING: dict[str, Any] = {
    "factors": ("log", 8, 128),
    "regularization": ("log", 0.003, 0.3),
    "damping": ("log", 0.5, 50.0),
    "bias_damping": ("log", 0.5, 50.0),
}

_CODERS = {
    "hidden": ("log", 100, 1000),
    "regularization": ("log", 20.0, 2000.0),
    "dropout": (0.0, 0.6),
    "learning_rate": ("log", 0.001, 0.01),
}
_SIDES = {
    "factors": ("log", 8, 128),
    "regularization": ("log", 0.005, 0.5),
    "feature_regularization": ("log", 0.002, 0.2),
    "learning_rate": ("log", 0.001, 0.02),
    "hide_ids": (0.0, 0.8),
}

DEFAULTS: dict[str, dict[str, Any]] = {
    "Bias": {"user_damping": _DAMPING, "item_damping": _DAMPING},
    "KNNImputation": {"neighbors": ("log", 2, 200), "weights": ["uniform", "distance"]},
    "SVD": _FACTORS,
    "SVDpp": {
        **_FACTORS,
        "implicit_rate": ("log", 0.02, 1.0),
        "implicit_regularization": ("log", 0.002, 0.1),
    },
    "TimeSVDpp": {
        **_FACTORS,
        "session_damping": ("log", 1.0, 100.0),
        "bin_damping": ("log", 10.0, 1000.0),
        "drift": ["none", "bias", "factors"],
        "drift_damping": ("log", 5.0, 500.0),
    },
    "ItemKNN": _NEIGHBORS,
    "UserKNN": _NEIGHBORS,
    "SlopeOne": {"scheme": ["weighted", "plain", "bi_polar"]},
    "ALS": {**_ALTERNATING, "epochs": (8, 40), "growth": (0.0, 0.6)},
    "NMF": {**_ALTERNATING, "epochs": (30, 200), "initial_high": ("log", 0.05, 1.0)},
    "Popularity": {"by": ["count", "mean"], "damping": _DAMPING},
    "GlobalEffects": {
        "user_damping": _DAMPING,
        "item_damping": _DAMPING,
        "slope_damping": ("log", 5.0, 500.0),
        "sweeps": (1, 10),
    },
    "CoClustering": {
        "user_clusters": ("log", 2, 32),
        "item_clusters": ("log", 2, 32),
        "damping": ("log", 2.0, 500.0),
        "user_damping": _DAMPING,
        "item_damping": _DAMPING,
    },
    "EASE": {
        "regularization": ("log", 20.0, 20_000.0),
        "user_damping": _DAMPING,
        "item_damping": _DAMPING,
    },
    "Blend": {"regularization": ("log", 0.1, 1000.0), "support": [True, False]},
    "TorchMF": {
        "factors": ("log", 16, 128),
        "batch": ("log", 256, 4096),
        "learning_rate": ("log", 0.001, 0.02),
        "user_regularization": ("log", 0.02, 0.3),
        "item_regularization": ("log", 0.02, 0.3),
        "user_bias_regularization": ("log", 0.005, 0.3),
        "item_bias_regularization": ("log", 0.001, 0.3),
    },
    "TorchRecommender": {
        "loss": ["mse", "huber"],
        "batch": ("log", 256, 4096),
        "learning_rate": ("log", 0.0005, 0.02),
        "factors": ("log", 16, 128),
        "regularization": ("log", 0.01, 0.3),
    },
    "AutoRec": {"side": ["item", "user"], **_CODERS},
    "SparseFC": {**_CODERS, "layers": [1, 2]},
    "FactorizationMachine": _SIDES,
    "NeuralMF": {**_SIDES, "hidden": ("log", 16, 256)},
}


def default_space(model: str | Model) -> dict[str, Any]:
    """Return the ranges that ``tune`` searches by default, as one would give them, to be changed at will.

    Parameters
    ----------
    model : str or Model
        A model, or the name of one.

    Raises
    ------
    InvalidParameter
        If the model has none.
    """
    name = model if isinstance(model, str) else type(model).__name__
    if name not in DEFAULTS:
        declared = [] if name not in BY_NAME else [n for n in BY_NAME[name].declarations() if n != "clip"]
        raise InvalidParameter(
            f"{name} has no default space: "
            + ("say which values to try" if declared else "it has nothing to tune"),
            hint=f'space={{"{declared[0]}": [...]}}' if declared else "one of " + ", ".join(DEFAULTS),
        )
    return dict(DEFAULTS[name])


def make_space(model: Model, space: Any) -> Space:
    """Check a space against what a model declares.

    Parameters
    ----------
    model : Model
    space : "default" or mapping
        Parameter names to ``(low, high)``, ``("log", low, high)``, ``("linear", low, high)``, a list of
        values, or one value.

    Raises
    ------
    InvalidParameter
        Naming the parameter, what was given for it, and what is allowed.
    """
    if isinstance(space, str) and space == "default":
        space = default_space(model)
    if not isinstance(space, Mapping):
        raise InvalidParameter(
            f"space={space!r} is not allowed; it must be a dict of parameters and the values to try",
            hint=f'space="default", or space={{"{next(iter(model.declarations()))}": [...]}}',
        )
    if not space:
        raise InvalidParameter("space is empty", hint='space="default"')
    made = {str(name): dimension(model, str(name), given) for name, given in space.items()}
    # In the order of the declarations, so that the order of a dict changes no draw.
    return {name: made[name] for name in model.declarations() if name in made}


def dimension(model: Model, name: str, given: Any) -> Range | Choice:
    """Check what is given for one parameter."""
    declared = model.declarations()
    if name not in declared:
        raise InvalidParameter(
            f'space: {type(model).__name__} has no parameter "{name}"{did_you_mean(name, declared)}',
            hint="one of " + ", ".join(declared),
        )
    declaration = declared[name]
    if isinstance(given, tuple):
        return _range(name, declaration, given)
    if isinstance(given, np.ndarray):
        given = given.tolist()
    many = isinstance(given, Sequence) and not isinstance(given, str)
    values = tuple(plain(value) for value in (given if many else [given]))
    if declaration.models and not (values and all(isinstance(value, list) for value in values)):
        raise InvalidParameter(
            f"space: {name}={given!r} is not allowed; each value of {name} is itself a list",
            hint=f'"{name}": [["Bias", "SVD"], ["EASE", "SVD"]]',
        )
    if not values or len({repr(value) for value in values}) < len(values):
        what = "holds a value twice" if values else "is empty"
        raise InvalidParameter(f"space: {name}={given!r} {what}", hint="each value once")
    for value in values:
        if not declaration.accepts(value):
            raise InvalidParameter(
                f"space: {name}={value!r} is not allowed; it must be {declaration.allowed()}",
                hint=_hint(name, declaration),
            )
    return Choice(values)


def _range(name: str, declaration: Declaration, given: tuple[Any, ...]) -> Range:
    kind, ends = (given[0], given[1:]) if len(given) == 3 else ("linear", given)
    ends = tuple(plain(end) for end in ends)
    numbers = all(isinstance(end, int | float) and not isinstance(end, bool) for end in ends)
    if len(ends) != 2 or kind not in ("log", "linear") or not numbers or not all(map(math.isfinite, ends)):
        raise InvalidParameter(
            f'space: {name}={given!r} is not a range; that is (low, high) or ("log", low, high)',
            hint=_hint(name, declaration),
        )
    default = declaration.default
    if declaration.one_of is not None or declaration.models or isinstance(default, bool):
        raise InvalidParameter(
            f"space: {name}={given!r} is a range, and {name} must be {declaration.allowed()}",
            hint=_hint(name, declaration),
        )
    low, high = ends
    if not low < high:
        raise InvalidParameter(
            f"space: {name}={given!r} goes from {low:g} to {high:g}; the low end comes first",
            hint=f'"{name}": {((high, low) if high < low else [low])!r}',
        )
    for end in ends:
        if not declaration.accepts(end):
            raise InvalidParameter(
                f"space: {name}={given!r} reaches {end!r}; {name} must be {declaration.allowed()}",
                hint=_hint(name, declaration),
            )
    if kind == "log" and low <= 0:
        raise InvalidParameter(
            f"space: {name}={given!r} begins at {low:g}, which has no logarithm",
            hint=f'"{name}": {("log", high / 1000, high)!r}, or ({low!r}, {high!r})',
        )
    return Range(low, high, kind == "log", declaration.whole)


def _hint(name: str, declaration: Declaration) -> str:
    """Return what could be given for a parameter, around its default."""
    default = declaration.default
    if declaration.one_of is not None:
        return f'"{name}": {list(declaration.one_of)!r}'
    if isinstance(default, bool):
        return f'"{name}": [True, False]'
    if not isinstance(default, int | float) or default == 0:
        return f'"{name}": {[default]!r}'
    half = max(default // 2, 1) if declaration.whole else default / 2
    ends = (half, 2 * default if declaration.high is None else min(2 * default, declaration.high))
    if not declaration.accepts(ends[0]) or not ends[0] < ends[1]:
        return f'"{name}": {[default]!r}'
    return f'"{name}": {ends!r}'
