"""Random predictions with the mean and standard deviation of the training ratings."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from foretaste._utils.progress import Progress
from foretaste.models.base import Model
from foretaste.models.outputs import Prediction
from foretaste.params import estimator, fitted_attribute, seed_param
from foretaste.ratings import Pairs, Ratings
from foretaste.typing import Float64Array, UInt64Array

_MIX = np.array([0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB], dtype=np.uint64)


@estimator
class NormalRandom(Model):
    r"""Predict a random number from the normal distribution of the training ratings.

    :math:`\hat r_{ui} \sim N(\mu, \sigma^2)`. The score of a model that knows nothing of users and items.
    The number is a function of seed and pair, so predictions are repeatable; all unknown users are one user,
    and so are all unknown items.
    """

    tags: ClassVar[frozenset[str]] = frozenset({"weights", "weights_exact", "random"})
    summary: ClassVar[str] = "random predictions with the mean and standard deviation of the ratings"

    seed: int = seed_param(high=2**32 - 1)

    mean_: float = fitted_attribute()
    std_: float = fitted_attribute()

    def _fit(self, train: Ratings, progress: Progress) -> None:
        self.mean_, self.std_ = train.mean_std()

    def _predict(self, pairs: Pairs) -> Prediction:
        key = (pairs.user.astype(np.int64) + 1).astype(np.uint64) << np.uint64(32)
        key |= (pairs.item.astype(np.int64) + 1).astype(np.uint64)
        first, second = _uniform(key, 2 * self.seed), _uniform(key, 2 * self.seed + 1)
        normal = np.sqrt(-2 * np.log(first)) * np.cos(2 * np.pi * second)  # Box and Muller 1958
        return self._make_prediction(pairs, self.mean_ + self.std_ * normal)


def _uniform(key: UInt64Array, stream: int) -> Float64Array:
    """Return numbers in (0, 1] from a counter (splitmix64: Steele, Lea and Flood 2014)."""
    with np.errstate(over="ignore"):
        x = (key ^ np.uint64(stream)) * _MIX[0] + _MIX[0] * np.uint64(stream + 1)
        x = (x ^ (x >> np.uint64(30))) * _MIX[1]
        x = (x ^ (x >> np.uint64(27))) * _MIX[2]
        x = x ^ (x >> np.uint64(31))
    return np.asarray(((x >> np.uint64(11)).astype(np.float64) + 1) / 2**53)
