"""Models of this room whose prediction is a sum of biases and one product of factors, whatever made these."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from foretaste._native import dot_pairs
from foretaste.backends.pytorch.base import TorchModel
from foretaste.models.answers import Floats, Linear, Prediction
from foretaste.params import learned, model_class
from foretaste.ratings import Pairs
from foretaste.threads import thread_count


@model_class
class LinearTorchModel(TorchModel):
    """``mean_ + std_ * (user_bias + item_bias + user_factors . item_factors)``, kept without torch.

    What torch has learned is worked out once, for every known user and item, so that predicting needs no
    network, and recommending and similar items are those of any model of factors.
    """

    mean_: float = learned()
    std_: float = learned()
    user_bias_: Floats = learned("users")
    item_bias_: Floats = learned("items")
    user_factors_: Floats = learned("users", "factors")
    item_factors_: Floats = learned("items", "factors")

    def _predict(self, pairs: Pairs) -> Prediction:
        factors, biases = (self.user_factors_, self.item_factors_), (self.user_bias_, self.item_bias_)
        return self._prediction(pairs, self._in_units(pairs.user, pairs.item, factors, biases))

    def _in_units(
        self, user: Any, item: Any, factors: tuple[Floats, Floats], biases: tuple[Floats, Floats]
    ) -> Floats:
        """Return predictions in rating units; an index of -1 has bias and factors 0."""
        standard = dot_pairs(user, item, *factors, *biases, 0.0, thread_count(self.threads))
        return np.float32(self.mean_) + np.float32(self.std_) * standard

    def _linear(self) -> Linear:
        std = np.float32(self.std_)
        factors = self.user_factors_ * std, self.item_factors_
        return Linear(self.mean_, self.user_bias_ * std, self.item_bias_ * std, *factors)


def as_array(tensor: Any) -> Floats:
    """Return a tensor as a float32 array of its own."""
    return np.ascontiguousarray(tensor.detach().float().cpu().numpy())


def centred(
    codes: npt.NDArray[Any], vectors: npt.NDArray[Any], weight: npt.NDArray[Any] | None
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return the mean of the vectors that ratings name, and all vectors less that mean.

    Parameters
    ----------
    codes : int32 array, shape (ratings,)
        Which vector each rating names.
    vectors : array, shape (n, k)
    weight : float32 array, shape (ratings,), or None
    """
    total = np.bincount(codes, None if weight is None else weight.astype(np.float64), len(vectors))
    exact = vectors.astype(np.float64)
    mean = (total / total.sum()) @ exact
    return mean, exact - mean
