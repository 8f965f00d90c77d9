"""What models answer with: predictions, themselves as biases and factors, parts of a prediction."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from foretaste.ids import IdIndex

Floats = npt.NDArray[np.float32]

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

    value: Floats
    fallback: npt.NDArray[np.int8]
    std: Floats | None = None


@dataclass(frozen=True, eq=False)
class Linear:
    """A model as ``rating = mean + user_bias + item_bias + user_factors . item_factors``, rating units.

    Shapes: () , (users,), (items,), (users, factors), (items, factors).
    """

    mean: float
    user_bias: Floats
    item_bias: Floats
    user_factors: Floats
    item_factors: Floats


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
    values: Floats


@dataclass(frozen=True, eq=False)
class Sources:
    """The single ratings that one part of a prediction comes from, and how much from each.

    Parameters
    ----------
    part : str
        The name of that part.
    side : {"item", "user"}
        Own ratings of the user, of these items; or those of these users, of the item.
    index : int32 array, shape (n,)
        The items, or the users.
    rating : float64 array, shape (n,)
        As it was given, in rating units; NaN where the model does not keep it.
    share : float64 array, shape (n,)
        In rating units. They add up to the part, but for what the model learned otherwise.
    ids : IdIndex, optional
        What ``index`` counts in, if that is not the model's own index.
    """

    part: str
    side: str
    index: npt.NDArray[np.int32]
    rating: npt.NDArray[np.float64]
    share: npt.NDArray[np.float64]
    ids: IdIndex | None = None
