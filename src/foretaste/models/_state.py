"""Checks of fitted attributes that come from a model file."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from foretaste.errors import ModelFileError
from foretaste.ids import IdIndex
from foretaste.params import ParamsMixin


def check_fitted_value(
    name: str, value: Any, shape: tuple[str, ...], sizes: dict[str, int], dtype: str | None
) -> None:
    """Check one fitted attribute of a model file against its declaration.

    Parameters
    ----------
    name : str
    value : object
    shape : tuple of str
        Names of the dimensions, as declared by ``fitted_attribute``.
    sizes : dict of str to int
        Sizes of the dimensions known so far; new ones are added.
    dtype : str, optional
        Of an array; ``"int"`` for integers.

    Raises
    ------
    ModelFileError
        If type, shape or dtype differ, or a value is not finite.
    """
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
