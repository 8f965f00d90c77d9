"""What models return: predictions, linear forms, contributions and attributions to single ratings."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from enum import IntFlag
from typing import Any

import numpy as np

from foretaste.ids import IdIndex
from foretaste.typing import AnyArray, Float32Array, Float64Array, IndexArray, Int8Array


class Fallback(IntFlag):
    """Which of user and item was unknown to the model, so that its documented fallback was predicted."""

    NONE = 0
    USER = 1
    ITEM = 2
    BOTH = 3


@dataclass(frozen=True, eq=False)
class Prediction:
    """Predicted ratings, the rows that are fallbacks, and how uncertain they are.

    Parameters
    ----------
    value : float32 array, shape (n,)
        In rating units.
    fallback : int8 array, shape (n,)
        Values of ``Fallback``.
    std : float32 array, shape (n,), optional
        Standard deviation in rating units, from models that estimate it.
    lower, upper : float32 array, shape (n,), optional
        Bounds of a prediction interval in rating units, from models that estimate one.
    """

    value: Float32Array
    fallback: Int8Array
    std: Float32Array | None = None
    lower: Float32Array | None = None
    upper: Float32Array | None = None

    def __len__(self) -> int:
        return len(self.value)

    def __getitem__(self, rows: Any) -> Prediction:
        """Return some rows, by a slice, a mask or row numbers."""

        def take(column: Float32Array | None) -> Float32Array | None:
            return None if column is None else column[rows]

        return Prediction(
            self.value[rows], self.fallback[rows], take(self.std), take(self.lower), take(self.upper)
        )

    def clip(self, low: float, high: float) -> Prediction:
        """Return the prediction with values and bounds clipped to ``[low, high]``; ``std`` stays."""

        def clip(column: Float32Array | None) -> Any:
            return None if column is None else column.clip(np.float32(low), np.float32(high))

        return dataclasses.replace(
            self, value=clip(self.value), lower=clip(self.lower), upper=clip(self.upper)
        )


@dataclass(frozen=True, eq=False)
class LinearForm:
    """A model as ``rating = mean + user_bias + item_bias + user_factors . item_factors``, in rating units.

    Shapes: (), (users,), (items,), (users, factors), (items, factors).
    """

    mean: float
    user_bias: Float32Array
    item_bias: Float32Array
    user_factors: Float32Array
    item_factors: Float32Array

    def parts(self, user: IndexArray, item: IndexArray) -> Float32Array:
        """Return mean, biases and dot product of known pairs, shape (n, 4)."""
        dot = np.einsum("nf,nf->n", self.user_factors[user], self.item_factors[item])
        mean = np.full(len(user), self.mean)
        return np.column_stack([mean, self.user_bias[user], self.item_bias[item], dot]).astype(np.float32)

    @classmethod
    def biases_only(cls, mean: float, user_bias: AnyArray, item_bias: AnyArray) -> LinearForm:
        """Return the form of a model without factors: both have the shape (n, 0)."""
        user, item = (bias.astype(np.float32, copy=False) for bias in (user_bias, item_bias))
        return cls(
            mean, user, item, np.zeros((len(user), 0), np.float32), np.zeros((len(item), 0), np.float32)
        )


@dataclass(frozen=True, eq=False)
class Contributions:
    """Parts whose sum is the prediction before clipping.

    Parameters
    ----------
    parts : tuple of str
    values : float32 array, shape (n, parts)
        In rating units.
    """

    parts: tuple[str, ...]
    values: Float32Array


@dataclass(frozen=True, eq=False)
class RatingAttribution:
    """How much single ratings contribute to one part of a prediction.

    Parameters
    ----------
    part : str
        The name of that part.
    entity : Entity
        Ratings of the user, for these items; or ratings of these users, for the item.
    indices : int32 array, shape (n,)
        The items, or the users.
    rating : float64 array, shape (n,)
        In rating units; NaN where the model does not store it.
    contribution : float64 array, shape (n,)
        In rating units. The sum is the part, apart from what does not depend on single ratings.
    ids : IdIndex, optional
        The id map of ``indices``, if it is not that of the model.
    """

    part: str
    entity: str
    indices: IndexArray
    rating: Float64Array
    contribution: Float64Array
    ids: IdIndex | None = None
