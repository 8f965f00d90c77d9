"""PyTorch models whose prediction is biases plus one dot product of factors."""

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
    """A ``FactorModel`` that needs torch only for training.

    After training, biases and factors of all known users and items are computed once, so that prediction,
    top-N and similar items work as for any factor model, without a network.
    """

    def training_rmse(self) -> float:
        return float(self.train_rmse_[self.epochs_ - 1])  # not the last: the best epoch is what stays

    def _predict_from(
        self,
        user: Any,
        item: Any,
        factors: tuple[Float32Array, Float32Array],
        biases: tuple[Float32Array, Float32Array],
    ) -> Float32Array:
        """Predict with these factors and biases instead of the model's; an index of -1 has zeros for both."""
        return self._to_rating(dot_pairs(user, item, *factors, *biases, 0.0, resolve_threads(self.threads)))


def to_numpy(tensor: Any) -> Float32Array:
    """Return a tensor as a contiguous float32 array."""
    return np.ascontiguousarray(tensor.detach().float().cpu().numpy())


def center_vectors(
    codes: AnyArray, vectors: AnyArray, weight: AnyArray | None
) -> tuple[Float64Array, Float64Array]:
    """Return the mean of the vectors over the ratings, and all vectors minus that mean.

    Parameters
    ----------
    codes : int32 array, shape (ratings,)
        Vector of each rating.
    vectors : array, shape (n, k)
    weight : float32 array, shape (ratings,), or None
    """
    total = np.bincount(codes, None if weight is None else weight.astype(np.float64), len(vectors))
    doubles = vectors.astype(np.float64)
    mean = (total / total.sum()) @ doubles
    return mean, doubles - mean
