"""Shared base of the matrix factorization algorithms."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar, Self

import numpy as np

from foretaste._native import surprise_dots
from foretaste.compat.surprise.prediction_algorithms.algo_base import AlgoBase, BatchEstimates
from foretaste.compat.surprise.trainset import Trainset
from foretaste.typing import Float64Array, IndexArray

UNKNOWN = "User and item are unknown."  # the reason that programs written for scikit-surprise find


class FactorModel(AlgoBase):
    """Factors of users and items, with biases or without.

    Attributes
    ----------
    pu : float64 array, shape (n_users, n_factors)
    qi : float64 array, shape (n_items, n_factors)
    bu : float64 array, shape (n_users,)
    bi : float64 array, shape (n_items,)
        All of them after ``fit``.
    """

    biased: bool = True
    n_epochs: int
    verbose: bool
    pu: Float64Array
    qi: Float64Array
    _epoch_line: ClassVar[str] = "Processing epoch {}"

    def fit(self, trainset: Trainset) -> Self:
        """Fit to the ratings of a trainset."""
        super().fit(trainset)
        self.sgd(trainset)
        return self

    def sgd(self, trainset: Trainset) -> None:
        """Initialize the factors and run all epochs; called by ``fit``."""
        raise NotImplementedError

    def estimate(self, u: Any, i: Any) -> Any:
        """Predict one rating from inner ids; unknown users and items contribute 0."""
        return self._estimate_pair(u, i).value[0]

    def _estimate_rows(self, users: IndexArray, items: IndexArray) -> BatchEstimates:
        mean = float(self.trainset.global_mean) if self.biased else 0.0
        bu, bi = (self.bu, self.bi) if self.biased else (np.zeros(len(self.pu)), np.zeros(len(self.qi)))
        pu, bu, positions = self._user_vectors(users, bu)
        p, q, b, c = (np.ascontiguousarray(array, np.float64) for array in (pu, self.qi, bu, bi))
        value = surprise_dots(positions, items, p, q, b, c, mean)
        if self.biased:
            return BatchEstimates(value)
        impossible = np.flatnonzero((users < 0) | (items < 0)).tolist()
        return BatchEstimates(value, dict.fromkeys(impossible, UNKNOWN))

    def _user_vectors(
        self, users: IndexArray, bu: Float64Array
    ) -> tuple[Float64Array, Float64Array, IndexArray]:
        """Return vectors and biases of users, and the position of each of ``users`` in them."""
        return self.pu, bu, users

    def _iter_epochs(self) -> Iterator[int]:
        """Yield how many epochs to run at a time: all at once, or one by one if verbose."""
        epochs = len(range(self.n_epochs))
        if not self.verbose:
            yield epochs
            return
        for epoch in range(epochs):
            print(self._epoch_line.format(epoch))  # noqa: T201 - scikit-surprise prints it
            yield 1


def collect_rates(algorithm: Any, kind: str, names: str) -> Float64Array:
    """Return the rates (``lr``) or regularizations (``reg``) of some parameters as an array."""
    return np.array([float(getattr(algorithm, f"{kind}_{name}")) for name in names.split()], np.float64)
