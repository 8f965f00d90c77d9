"""Co-clustering of users and items."""

from __future__ import annotations

from typing import Any, Self

import numpy as np

from foretaste._native import surprise_cocluster
from foretaste.compat.surprise._warnings import warn
from foretaste.compat.surprise.prediction_algorithms.algo_base import AlgoBase, BatchEstimates
from foretaste.compat.surprise.trainset import Trainset
from foretaste.compat.surprise.utils import get_rng
from foretaste.typing import Float64Array, IndexArray, Int64Array, IntpArray

Averages = tuple[Float64Array, Float64Array, Float64Array]


class CoClustering(AlgoBase):
    """Predict from the averages of a user's cluster, an item's cluster and of both together.

    If the user or the item is unknown, the global mean is predicted. Ratings are truncated to integers, as
    in scikit-surprise; a warning reports where that changes them.
    """

    def __init__(
        self,
        n_cltr_u: int = 3,
        n_cltr_i: int = 3,
        n_epochs: int = 20,
        random_state: Any = None,
        verbose: bool = False,
    ) -> None:
        super().__init__()
        self.n_cltr_u = n_cltr_u
        self.n_cltr_i = n_cltr_i
        self.n_epochs = n_epochs
        self.verbose = verbose
        self.random_state = random_state

    def fit(self, trainset: Trainset) -> Self:
        """Fit the clusters and their averages."""
        super().fit(trainset)
        _warn_about_fractions(trainset)
        rng = get_rng(self.random_state)
        cltr_u = rng.randint(self.n_cltr_u, size=trainset.n_users).astype(np.intp)
        cltr_i = rng.randint(self.n_cltr_i, size=trainset.n_items).astype(np.intp)
        by_user, by_item = trainset.by_user(), trainset.by_item()
        self.user_mean = _means(by_user.values, by_user.starts)
        self.item_mean = _means(by_item.values, by_item.starts)
        epochs = len(range(self.n_epochs))
        for epoch in range(epochs) if self.verbose else range(0):
            print(f"Processing epoch {epoch}")  # noqa: T201 - scikit-surprise prints it
            self._run_epochs(cltr_u, cltr_i, 1)
        averages = self._run_epochs(cltr_u, cltr_i, 0 if self.verbose else epochs)
        self.cltr_u, self.cltr_i = cltr_u, cltr_i
        self.avg_cltr_u, self.avg_cltr_i, self.avg_cocltr = averages
        return self

    def compute_averages(self, cltr_u: IntpArray, cltr_i: IntpArray) -> Averages:
        """Return the averages of the ratings in each cluster; an empty one gets the global mean."""
        return self._run_epochs(cltr_u.copy(), cltr_i.copy(), 0)

    def estimate(self, u: Any, i: Any) -> Any:
        """Predict one rating from inner ids."""
        if not (self.trainset.knows_user(u) and self.trainset.knows_item(i)):
            return self.trainset.global_mean
        return float(self._estimate_rows(np.array([u], np.int32), np.array([i], np.int32)).value[0])

    def _estimate_rows(self, users: IndexArray, items: IndexArray) -> BatchEstimates:
        value = np.full(len(users), self.trainset.global_mean, np.float64)
        known = (users >= 0) & (items >= 0)
        user, item = users[known], items[known]
        uc, ic = self.cltr_u[user], self.cltr_i[item]
        user_part = self.avg_cocltr[uc, ic] + self.user_mean[user] - self.avg_cltr_u[uc]
        value[known] = user_part + self.item_mean[item] - self.avg_cltr_i[ic]
        return BatchEstimates(value)

    def _run_epochs(self, cltr_u: IntpArray, cltr_i: IntpArray, epochs: int) -> Averages:
        by_user, by_item = self.trainset.by_user(), self.trainset.by_item()
        averages = np.zeros(self.n_cltr_u), np.zeros(self.n_cltr_i), np.zeros((self.n_cltr_u, self.n_cltr_i))
        surprise_cocluster(
            by_user.starts, by_user.items, np.trunc(by_user.values),
            by_item.starts, by_item.users, np.trunc(by_item.values),
            self.user_mean, self.item_mean, float(self.trainset.global_mean),
            cltr_u, cltr_i, *averages, epochs,
        )  # fmt: skip
        return averages


def _means(values: Float64Array, starts: Int64Array) -> Float64Array:
    """Return the mean of each group of integers, whose sums are exact."""
    totals = np.append(0.0, np.cumsum(np.trunc(values)))
    with np.errstate(invalid="ignore"):  # a group without ratings has no mean
        return np.asarray((totals[starts[1:]] - totals[starts[:-1]]) / np.diff(starts))


def _warn_about_fractions(trainset: Trainset) -> None:
    values = trainset.by_user().values
    is_fractional = np.trunc(values) != values
    if is_fractional.any():
        first = values[int(np.flatnonzero(is_fractional)[0])]
        warn(
            f"CoClustering counts ratings as whole numbers: {first:g} counts as {np.trunc(first):g} "
            f"({int(is_fractional.sum()):,} such)",
            "multiply the ratings and the rating_scale by 2 (or more) so that all are whole numbers",
        )
