"""Hyperparameters and learned attributes, each declared once.

A model is a dataclass. ``param`` declares a hyperparameter: default, meaning and bounds. ``learned``
declares what ``fit`` sets: its shape, in named dimensions. Everything else (command-line options,
documentation tables, model files, checks) reads these declarations.
"""

from __future__ import annotations

import dataclasses
import functools
import math
import numbers
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self, TypeVar

from foretaste.errors import InvalidParameter, did_you_mean

T = TypeVar("T")


@dataclass(frozen=True)
class Declaration:
    """What is known of one hyperparameter: its default, meaning and bounds."""

    default: Any
    meaning: str
    low: float | None = None
    high: float | None = None
    one_of: tuple[str, ...] | None = None
    open_low: bool = False
    optional: bool = False
    models: bool = False
    code: bool = False
    real: bool = False

    def allowed(self) -> str:
        """Say in words which values are allowed."""
        own = "a function or class of your own"
        if self.one_of is not None:
            words = "one of " + ", ".join(repr(choice) for choice in self.one_of)
            return f"{words}, or {own}" if self.code else words
        if self.code:
            return f"{own}, or None"
        if isinstance(self.default, bool):
            return "True or False"
        if self.models:
            return "a list of models and names of models"
        kind = "a whole number" if self.whole else "a number"
        bounds = []
        if self.low is not None:
            bounds.append(f"{'above' if self.open_low else 'at least'} {self.low:g}")
        if self.high is not None:
            bounds.append(f"at most {self.high:g}")
        words = " ".join([kind, " and ".join(bounds)]).strip()
        return f"{words}, or None" if self.optional else words

    @property
    def whole(self) -> bool:
        """Whether only whole numbers are allowed."""
        whole = self.optional or (isinstance(self.default, int) and not isinstance(self.default, bool))
        return whole and not self.real

    def accepts(self, value: object) -> bool:
        """Whether ``value`` is allowed; nothing is converted."""
        if self.code and (callable(value) or self.one_of is None):
            return callable(value) or value is None
        if value is None:
            return self.optional
        if self.one_of is not None:
            return isinstance(value, str) and value in self.one_of
        if isinstance(self.default, bool):
            return isinstance(value, bool)
        if self.models:
            return isinstance(value, list) and bool(value) and all(map(_is_model, value))
        kind = numbers.Integral if self.whole else numbers.Real
        if isinstance(value, bool) or not isinstance(value, kind):
            return False
        try:
            number = float(value)
        except OverflowError:  # a whole number that no float can hold
            return False
        above = self.low is None or (number > self.low if self.open_low else number >= self.low)
        return math.isfinite(number) and above and (self.high is None or number <= self.high)


def _is_model(value: object) -> bool:
    return isinstance(value, str) or (isinstance(value, Parameters) and hasattr(value, "fit"))


def written(value: object) -> str:
    """Return the Python of a hyperparameter: a function or class by its name, other things as ``repr``."""
    if callable(value):
        if isinstance(value, functools.partial):
            parts = [written(value.func), *map(written, value.args)]
            return f"partial({', '.join(parts + [f'{k}={written(v)}' for k, v in value.keywords.items()])})"
        return str(getattr(value, "__name__", type(value).__name__))
    return repr(value)


def param(
    default: Any,
    meaning: str,
    *,
    low: float | None = None,
    high: float | None = None,
    one_of: Sequence[str] | None = None,
    open_low: bool = False,
    optional: bool = False,
    models: bool = False,
    code: bool = False,
    real: bool = False,
) -> Any:
    """Declare a hyperparameter as a dataclass field.

    Parameters
    ----------
    default : object
        The value used when none is given. Its type decides which values are allowed.
    meaning : str
        One sentence for the documentation, the command line and the report.
    low, high : float, optional
        Bounds, included (``open_low`` leaves ``low`` itself out).
    one_of : sequence of str, optional
        The allowed words.
    optional : bool
        Whether None is allowed beside numbers.
    models : bool
        Whether it is a list of models and names of models.
    code : bool
        Whether a function or class may be given, beside the words of ``one_of`` or None. A model file does
        not hold it; it is given again to ``load``.
    real : bool
        Whether an optional number need not be whole.
    """
    choices = None if one_of is None else tuple(one_of)
    declaration = Declaration(default, meaning, low, high, choices, open_low, optional, models, code, real)
    if models:  # every model has a list of its own
        return dataclasses.field(default_factory=lambda: list(default), metadata={"param": declaration})
    return dataclasses.field(default=default, metadata={"param": declaration})


def learned(*shape: str, dtype: str = "float32", may_lack: bool = False) -> Any:
    """Declare an attribute that ``fit`` sets, by the names of its dimensions.

    ``learned()`` is one number, ``learned("users", "factors")`` an array. The names ``users`` and ``items``
    stand for the number of known users and items; others must agree within a model. ``learned("ids")`` is
    an ``IdIndex``, ``learned("text")`` a text, ``learned("models")`` a list of fitted models,
    ``learned("weights")`` a dict of arrays of any shape and type. Other arrays are of the type ``dtype``.
    An array or id map that ``may_lack`` is empty if a file by an earlier version does not have it.
    """
    metadata = {"learned": shape, "dtype": dtype, "may_lack": may_lack}
    return dataclasses.field(init=False, repr=False, metadata=metadata)


def model_class(cls: type[T]) -> type[T]:
    """Make a model out of a class body: keyword-only parameters, identity comparison.

    Its docstring gets a section of the parameters, from their declarations.
    """
    made = dataclass(eq=False, repr=False, kw_only=True)(cls)
    if made.__doc__ and issubclass(made, Parameters):
        lines = ["", "", "    Parameters", "    ----------"]
        for name, declaration in made.declarations().items():
            lines += [f"    {name} : {declaration.allowed()}", f"        Default {declaration.default!r}:"]
            lines[-1] += f" {declaration.meaning}."
        made.__doc__ = made.__doc__.rstrip() + "\n".join(lines) + "\n    "
    return made


class Parameters:
    """scikit-learn's parameter protocol over the declarations, without scikit-learn."""

    if TYPE_CHECKING:  # the dataclass makes it; type checkers would ask for learned attributes, too

        def __init__(self, **params: Any) -> None: ...

    @classmethod
    def declarations(cls) -> dict[str, Declaration]:
        """Return the declared hyperparameters by name, in the order of their declaration."""
        return {
            f.name: f.metadata["param"]
            for f in dataclasses.fields(cls)  # type: ignore[arg-type]
            if "param" in f.metadata
        }

    @classmethod
    def learned_shapes(cls) -> dict[str, tuple[str, ...]]:
        """Return the declared learned attributes and the names of their dimensions."""
        return {
            f.name: f.metadata["learned"]
            for f in dataclasses.fields(cls)  # type: ignore[arg-type]
            if "learned" in f.metadata
        }

    @classmethod
    def learned_dtypes(cls) -> dict[str, str]:
        """Return the declared types of the learned attributes that are arrays."""
        fields = {f.name: f for f in dataclasses.fields(cls)}  # type: ignore[arg-type]
        others = (), ("ids",), ("text",), ("models",), ("weights",)
        arrays = [name for name, shape in cls.learned_shapes().items() if shape not in others]
        return {name: fields[name].metadata["dtype"] for name in arrays}

    @classmethod
    def may_lack(cls) -> frozenset[str]:
        """Return the names of the learned attributes that files by an earlier version do not have."""
        fields = dataclasses.fields(cls)  # type: ignore[arg-type]
        return frozenset(f.name for f in fields if f.metadata.get("may_lack"))

    @classmethod
    def learned_integers(cls) -> frozenset[str]:
        """Return the names of the learned numbers that are counts or flags; the others are floats."""
        fields = {f.name: f for f in dataclasses.fields(cls)}  # type: ignore[arg-type]
        numbers = (name for name, shape in cls.learned_shapes().items() if shape == ())
        return frozenset(name for name in numbers if fields[name].type in ("int", int))

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the hyperparameters by name (scikit-learn's protocol)."""
        params = {name: getattr(self, name) for name in self.declarations()}
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
        InvalidParameter
            If a name is not a parameter of this model.
        """
        known = self.declarations()
        for name, value in params.items():
            outer, _, inner = name.partition("__")
            if outer not in known:
                raise InvalidParameter(
                    f'{type(self).__name__} has no parameter "{outer}"{did_you_mean(outer, known)}',
                    hint="one of " + ", ".join(known),
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
        InvalidParameter
            Naming the parameter, its value and what is allowed.
        """
        for name, declaration in self.declarations().items():
            value = getattr(self, name)
            if not declaration.accepts(value):
                raise InvalidParameter(
                    f"{type(self).__name__}: {name}={value!r} is not allowed; "
                    f"it must be {declaration.allowed()}",
                    hint=f"{name}={declaration.default!r} (the default: {declaration.meaning})",
                )

    def __repr__(self) -> str:
        changed = (
            f"{name}={written(getattr(self, name))}"
            for name, declaration in self.declarations().items()
            if getattr(self, name) != declaration.default
        )
        return f"{type(self).__name__}({', '.join(changed)})"
