"""Checks of fitted attributes that come from a model file."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from foretaste.errors import ModelFileError
from foretaste.ids import IdIndex
from foretaste.params import ParamsMixin
from foretaste.typing import AnyArray


def check_state(model: type[ParamsMixin], state: dict[str, Any]) -> dict[str, Any]:
    """Return fitted attributes that a file holds, checked against their declarations.

    Optional attributes that are missing, as in files of earlier versions, are added, empty.

    Parameters
    ----------
    model : type
        The class of the model.
    state : dict
        Its fitted attributes by name.

    Raises
    ------
    ModelFileError
        If an attribute is missing, unexpected, of the wrong shape or type, or not finite.
    """
    shapes, dtypes, integers = model.fitted_shapes(), model.fitted_dtypes(), model.fitted_integers()
    checked = dict(state)
    for name in model.optional_attributes() - set(state):
        ids = shapes[name] == ("ids",)
        empty = np.empty((0,) * len(shapes[name]), np.int64 if ids else dtypes[name])
        checked[name] = IdIndex(empty) if ids else empty
    if set(checked) != set(shapes):
        raise ModelFileError(
            f"the file does not hold the attributes of a {model.__name__}: "
            f"missing {sorted(set(shapes) - set(checked))}, unexpected {sorted(set(checked) - set(shapes))}"
        )
    sizes = {"users": len(checked["users_"]), "items": len(checked["items_"])}
    for name, shape in shapes.items():
        if shape == () and type(checked[name]) is int and name not in integers:
            checked[name] = float(checked[name])  # other JSON writers may write 3.0 as 3
        dtype = "int" if name in integers else dtypes.get(name)
        _check_value(name, checked[name], shape, sizes, dtype)
    return checked


def are_lists(start: AnyArray, index: AnyArray, n_lists: int, n_indices: int) -> bool:
    """Whether offsets and the indices that they delimit are ``n_lists`` lists of indices below ``n_indices``.

    Parameters
    ----------
    start : int array, shape (n_lists + 1,)
    index : int array, shape (n,)
    n_lists, n_indices : int
    """
    if len(start) != n_lists + 1 or start[0] != 0 or start[-1] != len(index) or (np.diff(start) < 0).any():
        return False
    return bool(((index >= 0) & (index < n_indices)).all())


def _check_value(
    name: str, value: Any, shape: tuple[str, ...], sizes: dict[str, int], dtype: str | None
) -> None:
    """Check one attribute; ``sizes`` are those of the dimensions so far, to which new ones are added."""
    if shape == ("ids",):
        valid = isinstance(value, IdIndex)
    elif shape == ("text",):
        valid = isinstance(value, str)
    elif shape == ("models",):
        valid = isinstance(value, list) and all(
            isinstance(m, ParamsMixin) and getattr(m, "__sklearn_is_fitted__", bool)() for m in value
        )
    elif shape == ("weights",):
        valid = isinstance(value, dict) and all(
            isinstance(name, str) and isinstance(array, np.ndarray) and bool(np.isfinite(array).all())
            for name, array in value.items()
        )
    elif shape == ():
        valid = type(value) is (int if dtype == "int" else float) and math.isfinite(value)
    else:
        valid = isinstance(value, np.ndarray) and value.ndim == len(shape) and value.dtype == dtype
        valid = valid and all(
            sizes.setdefault(dim, n) == n for dim, n in zip(shape, value.shape, strict=True)
        )
        valid = valid and bool(np.isfinite(value).all())
    if not valid:
        expected = f"{dtype} {shape}" if dtype else " ".join(shape) or "a number"
        raise ModelFileError(f"{name} in the file is invalid: expected {expected}, finite")
