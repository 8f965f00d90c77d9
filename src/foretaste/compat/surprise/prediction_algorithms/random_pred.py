"""Random ratings."""

from __future__ import annotations

from typing import Any, Self

import numpy as np

from foretaste.compat.surprise.prediction_algorithms.algo_base import AlgoBase, BatchEstimates
from foretaste.compat.surprise.trainset import Trainset
from foretaste.typing import IndexArray


class NormalPredictor(AlgoBase):
    """Ratings sampled from the normal distribution that the ratings of the trainset have.

    Numbers come from ``np.random``, one for each prediction in its order; ``np.random.seed`` repeats them.
    """

    def __init__(self) -> None:
        super().__init__()

    def fit(self, trainset: Trainset) -> Self:
        """Fit the mean and the standard deviation."""
        super().fit(trainset)
        squares = (trainset.by_user().values - trainset.global_mean) ** 2
        total = np.cumsum(squares)[-1] if len(squares) else 0.0  # added one after another, as a loop does
        self.sigma = np.sqrt(total / trainset.n_ratings)
        return self

    def estimate(self, *_: Any) -> Any:
        """Sample one rating, whatever the user and item."""
        return np.random.normal(self.trainset.global_mean, self.sigma)

    def _estimate_rows(self, users: IndexArray, items: IndexArray) -> BatchEstimates:
        return BatchEstimates(np.random.normal(self.trainset.global_mean, self.sigma, len(users)))
