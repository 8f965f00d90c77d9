"""Baseline predictor: global mean plus user and item biases."""

from __future__ import annotations

from typing import Any, Self

import numpy as np

from foretaste.compat.surprise.prediction_algorithms.algo_base import AlgoBase, BatchEstimates
from foretaste.compat.surprise.trainset import Trainset
from foretaste.typing import IndexArray


class BaselineOnly(AlgoBase):
    """Predict the global mean plus a user bias and an item bias."""

    def __init__(
        self,
        bsl_options: Any = {},  # noqa: B006 - scikit-surprise's default; it is copied, never changed
        verbose: bool = True,
    ) -> None:
        super().__init__(bsl_options=bsl_options)
        self.verbose = verbose

    def fit(self, trainset: Trainset) -> Self:
        """Fit the biases."""
        super().fit(trainset)
        self.bu, self.bi = self.compute_baselines()
        return self

    def estimate(self, u: Any, i: Any) -> Any:
        """Predict one rating from inner ids; an unknown user or item has a bias of 0."""
        value = self.trainset.global_mean
        if self.trainset.knows_user(u):
            value += self.bu[u]
        if self.trainset.knows_item(i):
            value += self.bi[i]
        return value

    def _estimate_rows(self, users: IndexArray, items: IndexArray) -> BatchEstimates:
        value = np.full(len(users), self.trainset.global_mean, np.float64)
        value[users >= 0] += self.bu[users[users >= 0]]
        value[items >= 0] += self.bi[items[items >= 0]]
        return BatchEstimates(value)
