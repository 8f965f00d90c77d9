"""Declarations of hyperparameters and fitted attributes.

A model is a dataclass. ``param`` declares a hyperparameter: default, documentation and bounds.
``fitted_attribute`` declares an attribute that ``fit`` sets: its shape, in named dimensions. Command-line
options, documentation tables, model files and checks all read these declarations.
"""

from __future__ import annotations

import dataclasses
import functools
import math
import numbers
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self, TypeVar

from foretaste.errors import (
    Hint,
    InvalidParameterError,
)

T = TypeVar("T")


@dataclass(frozen=True)
class ParamSpec:
    """Specification of one hyperparameter: default, documentation and allowed values."""

    default: Any
    doc: str
    low: float | None = None
    high: float | None = None
    choices: tuple[str, ...] | None = None
    exclusive_low: bool = False
    optional: bool = False
    is_model_list: bool = False
    allow_callable: bool = False
    allow_float: bool = False

    def describe(self) -> str:
        """Return a description of the allowed values."""
        custom = "a custom function or class"
        if self.choices is not None:
            text = "one of " + ", ".join(repr(choice) for choice in self.choices)
            return f"{text}, or {custom}" if self.allow_callable else text
        if self.allow_callable:
            return f"{custom}, or None"
        if isinstance(self.default, bool):
            return "True or False"
        if self.is_model_list:
            return "a list of models or model names"
        noun = "an integer" if self.is_integer else "a number"
        bounds = []
        if self.low is not None:
            bounds.append(f"{'above' if self.exclusive_low else 'at least'} {self.low:g}")
        if self.high is not None:
            bounds.append(f"at most {self.high:g}")
        text = " ".join([noun, " and ".join(bounds)]).strip()
        return f"{text}, or None" if self.optional else text

    @property
    def is_integer(self) -> bool:
        """Whether only integers are allowed."""
        integer = self.optional or (isinstance(self.default, int) and not isinstance(self.default, bool))
        return integer and not self.allow_float

    def validate(self, value: object) -> bool:
        """Return whether ``value`` is allowed; values are never converted."""
        if self.allow_callable and (callable(value) or self.choices is None):
            return callable(value) or value is None
        if value is None:
            return self.optional
        if self.choices is not None:
            return isinstance(value, str) and value in self.choices
        if isinstance(self.default, bool):
            return isinstance(value, bool)
        if self.is_model_list:
            return isinstance(value, list) and bool(value) and all(map(_is_model, value))
        number_type = numbers.Integral if self.is_integer else numbers.Real
        if isinstance(value, bool) or not isinstance(value, number_type):
            return False
        try:
            number = float(value)
        except OverflowError:  # an integer beyond the range of float
            return False
        above_low = self.low is None or (number > self.low if self.exclusive_low else number >= self.low)
        return math.isfinite(number) and above_low and (self.high is None or number <= self.high)


def _is_model(value: object) -> bool:
    return isinstance(value, str) or (isinstance(value, ParamsMixin) and hasattr(value, "fit"))


def to_source(value: object) -> str:
    """Return the source of a hyperparameter value: the name of a function or class, else its ``repr``."""
    if callable(value):
        if isinstance(value, functools.partial):
            parts = [to_source(value.func), *map(to_source, value.args)]
            return f"partial({', '.join(parts + [f'{k}={to_source(v)}' for k, v in value.keywords.items()])})"
        return str(getattr(value, "__name__", type(value).__name__))
    return repr(value)


def param(
    default: Any,
    doc: str,
    *,
    low: float | None = None,
    high: float | None = None,
    choices: Sequence[str] | None = None,
    exclusive_low: bool = False,
    optional: bool = False,
    is_model_list: bool = False,
    allow_callable: bool = False,
    allow_float: bool = False,
) -> Any:
    """Declare a hyperparameter as a dataclass field.

    Parameters
    ----------
    default : object
        The default value; its type determines the allowed values.
    doc : str
        One sentence for the documentation, the command line and the report.
    low, high : float, optional
        Inclusive bounds (``exclusive_low`` excludes ``low`` itself).
    choices : sequence of str, optional
        The allowed strings.
    optional : bool
        Whether None is allowed as well as numbers.
    is_model_list : bool
        Whether it is a list of models or model names.
    allow_callable : bool
        Whether a function or class is allowed, besides ``choices`` or None. Model files store its name only;
        pass it to ``load`` again.
    allow_float : bool
        Whether an optional number may be a float.
    """
    choice_tuple = None if choices is None else tuple(choices)
    spec = ParamSpec(
        default,
        doc,
        low,
        high,
        choice_tuple,
        exclusive_low,
        optional,
        is_model_list,
        allow_callable,
        allow_float,
    )
    if is_model_list:  # a mutable default: each model gets its own list
        return dataclasses.field(default_factory=lambda: list(default), metadata={"param": spec})
    return dataclasses.field(default=default, metadata={"param": spec})


def threads_param() -> Any:
    """Declare ``threads``, the number of threads of kernels; it never changes a result."""
    return param(
        None, "number of threads; None uses all; does not change the result", low=1, high=1024, optional=True
    )


def seed_param(doc: str = "random seed", *, high: int | None = None) -> Any:
    """Declare ``seed``, a non-negative integer, at most ``high``."""
    return param(0, doc, low=0, high=high)


def fitted_attribute(*shape: str, dtype: str = "float32", optional: bool = False) -> Any:
    """Declare an attribute that ``fit`` sets, by the names of its dimensions.

    Parameters
    ----------
    *shape : str
        None for a scalar, ``"users", "factors"`` for a matrix. ``users`` and ``items`` count the known
        users and items; other dimensions must agree within a model. ``"ids"`` declares an ``IdIndex``,
        ``"text"`` a string, ``"models"`` a list of fitted models, ``"weights"`` a dict of arrays of any shape
        and dtype.
    dtype : str
        The dtype of an array.
    optional : bool
        Whether model files of earlier versions may lack the array or id map; it is then empty.
    """
    metadata = {"shape": shape, "dtype": dtype, "optional": optional}
    return dataclasses.field(init=False, repr=False, metadata=metadata)


def estimator(cls: type[T]) -> type[T]:
    """Class decorator of models: a dataclass with keyword-only parameters and comparison by identity.

    Appends a Parameters section, generated from the declarations, to the docstring.
    """
    decorated = dataclass(eq=False, repr=False, kw_only=True)(cls)
    if decorated.__doc__ and issubclass(decorated, ParamsMixin):
        lines = ["", "", "    Parameters", "    ----------"]
        for name, spec in decorated.param_specs().items():
            lines += [f"    {name} : {spec.describe()}", f"        Default {spec.default!r}:"]
            lines[-1] += f" {spec.doc}."
        decorated.__doc__ = decorated.__doc__.rstrip() + "\n".join(lines) + "\n    "
    return decorated


class ParamsMixin:
    """scikit-learn's parameter protocol over the declarations, without importing scikit-learn."""

    if TYPE_CHECKING:  # generated by dataclass; type checkers would require the fitted attributes

        def __init__(self, **params: Any) -> None: ...

    @classmethod
    def param_specs(cls) -> dict[str, ParamSpec]:
        """Return the declared hyperparameters by name, in declaration order."""
        return {
            f.name: f.metadata["param"]
            for f in dataclasses.fields(cls)  # type: ignore[arg-type]
            if "param" in f.metadata
        }

    @classmethod
    def fitted_shapes(cls) -> dict[str, tuple[str, ...]]:
        """Return the declared fitted attributes and the names of their dimensions."""
        return {
            f.name: f.metadata["shape"]
            for f in dataclasses.fields(cls)  # type: ignore[arg-type]
            if "shape" in f.metadata
        }

    @classmethod
    def fitted_dtypes(cls) -> dict[str, str]:
        """Return the declared dtypes of the fitted arrays."""
        fields = {f.name: f for f in dataclasses.fields(cls)}  # type: ignore[arg-type]
        non_array_shapes = (), ("ids",), ("text",), ("models",), ("weights",)
        arrays = [name for name, shape in cls.fitted_shapes().items() if shape not in non_array_shapes]
        return {name: fields[name].metadata["dtype"] for name in arrays}

    @classmethod
    def optional_attributes(cls) -> frozenset[str]:
        """Return the names of the fitted attributes that model files of earlier versions may lack."""
        fields = dataclasses.fields(cls)  # type: ignore[arg-type]
        return frozenset(f.name for f in fields if f.metadata.get("optional"))

    @classmethod
    def fitted_integers(cls) -> frozenset[str]:
        """Return the names of the fitted scalars that are integers; the others are floats."""
        fields = {f.name: f for f in dataclasses.fields(cls)}  # type: ignore[arg-type]
        scalars = (name for name, shape in cls.fitted_shapes().items() if shape == ())
        return frozenset(name for name in scalars if fields[name].type in ("int", int))

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the hyperparameters by name (scikit-learn's protocol)."""
        params = {name: getattr(self, name) for name in self.param_specs()}
        if deep:
            for name, value in list(params.items()):
                nested: Callable[[], dict[str, Any]] | None = getattr(value, "get_params", None)
                if nested is not None and not isinstance(value, type):
                    params.update({f"{name}__{key}": inner for key, inner in nested().items()})
        return params

    def set_params(self, **params: Any) -> Self:
        """Set hyperparameters by name and return the model (scikit-learn's protocol).

        Raises
        ------
        InvalidParameterError
            If a name is not a parameter of this model.
        """
        specs = self.param_specs()
        for name, value in params.items():
            outer, _, inner = name.partition("__")
            if outer not in specs:
                raise InvalidParameterError(
                    f'{type(self).__name__} has no parameter "{outer}"',
                    misspelled=(outer, specs),
                    hint="one of " + ", ".join(specs),
                )
            if inner:
                getattr(self, outer).set_params(**{inner: value})
            else:
                setattr(self, name, value)
        return self

    def check_params(self) -> None:
        """Check every hyperparameter against its declaration; called by ``fit``.

        Raises
        ------
        InvalidParameterError
            Naming the parameter, its value and the allowed values.
        """
        for name, spec in self.param_specs().items():
            value = getattr(self, name)
            if not spec.validate(value):
                raise InvalidParameterError(
                    f"{type(self).__name__}: {{{name}}} is not allowed; it must be {spec.describe()}",
                    arguments={name: value},
                    hint=Hint({name: spec.default}, f"(the default: {spec.doc})"),
                )

    def __repr__(self) -> str:
        changed = (
            f"{name}={to_source(getattr(self, name))}"
            for name, spec in self.param_specs().items()
            if getattr(self, name) != spec.default
        )
        return f"{type(self).__name__}({', '.join(changed)})"
