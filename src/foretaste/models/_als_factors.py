"""Ratings grouped by user and by item, and the kernel that learns one side while the other stands still."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from foretaste._native import als_half, group_rows
from foretaste.models._sgd import aligned_zeros
from foretaste.typing import Float32Array, Float64Array, IndexArray, Int64Array

_PAD = 16  # the kernel's rows are a multiple of this many factors


@dataclass
class EntityFactors:
    """Users or items: their ratings, grouped, and what is learned of them.

    Parameters
    ----------
    indptr : int64 array, shape (n + 1,)
        Where the ratings of each begin.
    indices : int32 array, shape (ratings,)
        Whom of the other side each rating is of, or by.
    value, weight : float32 array, shape (ratings,)
        In standard deviations; weight is None if all are 1.
    total : float64 array, shape (n,)
        The number of ratings of each, or the sum of their weights.
    factors : float32 array, shape (n, width)
        Padded with zeros to a multiple of 16.
    bias : float32 array, shape (n,), or None
    """

    indptr: Int64Array
    indices: IndexArray
    value: Float32Array
    weight: Float32Array | None
    total: Float64Array
    factors: Float32Array
    bias: Float32Array | None

    def init_factors(self, sample: Callable[[int], Float64Array]) -> None:
        """Set the first factors to what ``sample(n)`` returns, shape (n, factors).

        Only those with ratings of a weight above 0 get some, so that a rating of weight 0 is no rating.
        """
        rated = np.flatnonzero(self.total > 0)
        values = sample(len(rated))
        self.factors[rated, : values.shape[1]] = values

    def copy(self) -> EntityFactors:
        """Return a copy that keeps what is learned now."""
        bias = None if self.bias is None else self.bias.copy()
        return dataclasses.replace(self, factors=self.factors.copy(), bias=bias)

    def result(self, factors: int) -> tuple[Float32Array, Float32Array]:
        """Return the biases (0 if there are none) and the factors without their padding."""
        bias = np.zeros(len(self.factors), np.float32) if self.bias is None else self.bias
        return bias, np.ascontiguousarray(self.factors[:, :factors])


def make_entity_factors(
    codes: IndexArray,
    indices: IndexArray,
    value: Float32Array,
    weight: Float32Array | None,
    n: int,
    factors: int,
    biased: bool,
) -> EntityFactors:
    """Group ratings by their own side, ``n`` users or items; all that is learned is 0."""
    indptr, rows = group_rows(codes, n)
    total = np.diff(indptr) if weight is None else np.bincount(codes, weight.astype(np.float64), n)
    return EntityFactors(
        indptr,
        indices[rows],
        value[rows],
        None if weight is None else weight[rows],
        total.astype(np.float64),
        aligned_zeros(n, -(-factors // _PAD) * _PAD),
        np.zeros(n, np.float32) if biased else None,
    )


def as_entity_factors(bias: Float32Array, factors: Float32Array, biased: bool) -> EntityFactors:
    """Return what was learned of a side as one that the other can be learned from."""
    no_values, no_indices = np.empty(0, np.float32), np.empty(0, np.int32)
    result = make_entity_factors(
        no_indices, no_indices, no_values, None, len(factors), factors.shape[1], biased
    )
    result.factors[:, : factors.shape[1]] = factors
    result.bias = bias if biased else None
    return result


@dataclass
class AlsSolver:
    """How one side is learned from the other.

    Parameters
    ----------
    factors : int
    regularization, damping : float
        Factors are drawn to 0 by ``regularization`` for each rating and by ``damping`` besides.
    growth : float
        Factor number j by j to this power times as strongly as the first.
    bias_damping : float
        How strongly biases are drawn to 0.
    threads : int
    """

    factors: int
    regularization: float
    damping: float
    growth: float
    bias_damping: float
    threads: int

    def solve(self, target: EntityFactors, fixed: EntityFactors, solver: str, max_steps: int = 1) -> float:
        """Learn one side, given the other, in place; return the RMSE in standard deviations.

        Parameters
        ----------
        target, fixed : Side
        solver : {"cholesky", "gradients", "coordinates", "multiplicative"}
            The least squares solution; some steps of conjugate gradients towards it; coordinate descent
            to the best factors at 0 or above; multiplicative updates towards these. The last returns the
            error before its last update.
        max_steps : int
            At most so many, of the solvers that go in steps.
        """
        ridge = (self.regularization * target.total + self.damping).astype(np.float32)
        growth = np.arange(1.0, target.factors.shape[1] + 1) ** self.growth
        bias_ridge = None if target.bias is None else np.full(len(ridge), self.bias_damping, np.float32)
        error = als_half(
            target.indptr, target.indices, target.value, target.weight, fixed.factors, fixed.bias, target.factors,
            target.bias, ridge, growth.astype(np.float32), bias_ridge, self.factors, solver, max_steps,
            self.threads,
        )  # fmt: skip
        total = target.total.sum()
        return float(np.sqrt(error / total)) if total > 0 else 0.0
