"""Array types and the user/item axis. Every alias of an array type is defined here.

Shapes are given in docstrings; these names say the dtype alone.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import numpy as np
import numpy.typing as npt

AnyArray = npt.NDArray[Any]
ArrayDict = dict[str, npt.NDArray[Any]]
BoolArray = npt.NDArray[np.bool_]
Float32Array = npt.NDArray[np.float32]
Float64Array = npt.NDArray[np.float64]
IdArray = npt.NDArray[Any]  # int64, or object holding str
IndexArray = npt.NDArray[np.int32]  # indices into an id map; -1 is unknown
Int8Array = npt.NDArray[np.int8]
Int64Array = npt.NDArray[np.int64]
IntpArray = npt.NDArray[np.intp]  # row numbers
UInt8Array = npt.NDArray[np.uint8]
UInt64Array = npt.NDArray[np.uint64]


class Entity(StrEnum):
    """One of the two axes of the utility matrix; equal to its name, ``"user"`` or ``"item"``."""

    USER = "user"
    ITEM = "item"

    @property
    def opposite(self) -> Entity:
        """The other axis."""
        return Entity.ITEM if self is Entity.USER else Entity.USER

    @property
    def plural(self) -> str:
        """``"users"`` or ``"items"``."""
        return f"{self}s"
