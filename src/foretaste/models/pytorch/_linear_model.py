"""Models of this room whose prediction is a sum of biases and one product of factors, whatever made these."""

from __future__ import annotations

from typing import Any

import numpy as np

from foretaste._native import dot_pairs
from foretaste._utils.threads import resolve_threads
from foretaste.models._factor_model import FactorModel
from foretaste.models.pytorch._base import TorchModel
from foretaste.params import estimator
from foretaste.typing import AnyArray, Float32Array, Float64Array


@estimator
class LinearTorchModel(FactorModel, TorchModel):
    """A ``FactorModel`` that is kept without torch.

    What torch has learned is worked out once, for every known user and item, so that predicting needs no
    network, and recommending and similar items are those of any model of factors.
    """

    def _final_train_rmse(self) -> float:
        return float(self.train_rmse_[self.epochs_ - 1])  # not the last: the best epoch is what stays

    def _predict_from(
        self,
        user: Any,
        item: Any,
        factors: tuple[Float32Array, Float32Array],
        biases: tuple[Float32Array, Float32Array],
    ) -> Float32Array:
        """Return predictions by other factors and biases than the model's; an index of -1 has 0 of both."""
        return self._to_rating(dot_pairs(user, item, *factors, *biases, 0.0, resolve_threads(self.threads)))


def to_numpy(tensor: Any) -> Float32Array:
    """Return a tensor as a float32 array of its own."""
    return np.ascontiguousarray(tensor.detach().float().cpu().numpy())


def center_vectors(
    codes: AnyArray, vectors: AnyArray, weight: AnyArray | None
) -> tuple[Float64Array, Float64Array]:
    """Return the mean of the vectors that ratings name, and all vectors less that mean.

    Parameters
    ----------
    codes : int32 array, shape (ratings,)
        Which vector each rating names.
    vectors : array, shape (n, k)
    weight : float32 array, shape (ratings,), or None
    """
    total = np.bincount(codes, None if weight is None else weight.astype(np.float64), len(vectors))
    doubles = vectors.astype(np.float64)
    mean = (total / total.sum()) @ doubles
    return mean, doubles - mean
