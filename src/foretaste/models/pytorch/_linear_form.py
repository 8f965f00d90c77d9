"""Models of this room whose prediction is a sum of biases and one product of factors, whatever made these."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from foretaste._native import dot_pairs
from foretaste._utils.threads import thread_count
from foretaste.models._factor_model import FactorModel
from foretaste.models.outputs import Floats
from foretaste.models.pytorch._base import TorchModel
from foretaste.params import model_class


@model_class
class LinearTorchModel(FactorModel, TorchModel):
    """A ``FactorModel`` that is kept without torch.

    What torch has learned is worked out once, for every known user and item, so that predicting needs no
    network, and recommending and similar items are those of any model of factors.
    """

    def _rmse(self) -> float:
        return float(self.train_rmse_[self.epochs_ - 1])  # not the last: the best epoch is what stays

    def _in_units(
        self, user: Any, item: Any, factors: tuple[Floats, Floats], biases: tuple[Floats, Floats]
    ) -> Floats:
        """Return predictions by other factors and biases than the model's; an index of -1 has 0 of both."""
        return self._scaled(dot_pairs(user, item, *factors, *biases, 0.0, thread_count(self.threads)))


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
