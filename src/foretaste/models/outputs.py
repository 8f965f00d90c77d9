"""What models answer with: predictions, themselves as biases and factors, parts of a prediction."""

from __future__ import annotations

from dataclasses import dataclass

from foretaste.ids import IdIndex
from foretaste.typing import Float32Array, Float64Array, IndexArray, Int8Array

NONE, USER, ITEM, BOTH = 0, 1, 2, 3  # Prediction.fallback: which of the two was unknown


@dataclass(frozen=True, eq=False)
class Prediction:
    """Predicted ratings and how far to trust them.

    Parameters
    ----------
    value : float32 array, shape (n,)
        In rating units.
    fallback : int8 array, shape (n,)
        0 where user and item were known, 1 user unknown, 2 item unknown, 3 both.
    std : float32 array, shape (n,), optional
        Standard deviation in rating units, from models that know it.
    """

    value: Float32Array
    fallback: Int8Array
    std: Float32Array | None = None


@dataclass(frozen=True, eq=False)
class LinearForm:
    """A model as ``rating = mean + user_bias + item_bias + user_factors . item_factors``, rating units.

    Shapes: () , (users,), (items,), (users, factors), (items, factors).
    """

    mean: float
    user_bias: Float32Array
    item_bias: Float32Array
    user_factors: Float32Array
    item_factors: Float32Array


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
    """The single ratings that one part of a prediction comes from, and how much from each.

    Parameters
    ----------
    part : str
        The name of that part.
    entity : {"item", "user"}
        Own ratings of the user, of these items; or those of these users, of the item.
    indices : int32 array, shape (n,)
        The items, or the users.
    rating : float64 array, shape (n,)
        As it was given, in rating units; NaN where the model does not keep it.
    contribution : float64 array, shape (n,)
        In rating units. They add up to the part, but for what the model learned otherwise.
    ids : IdIndex, optional
        What ``indices`` counts in, if that is not the model's own index.
    """

    part: str
    entity: str
    indices: IndexArray
    rating: Float64Array
    contribution: Float64Array
    ids: IdIndex | None = None
