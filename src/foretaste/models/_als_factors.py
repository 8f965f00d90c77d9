"""Half steps of alternating least squares: grouped ratings and factors of an entity, and their solver."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from foretaste._native import als_half, group_rows
from foretaste.models._sgd import aligned_zeros, pad_to_simd
from foretaste.typing import Float32Array, Float64Array, IndexArray, Int64Array


@dataclass
class EntityFactors:
    """Grouped ratings, factors and biases of the users or of the items.

    Parameters
    ----------
    indptr : int64 array, shape (n + 1,)
        Where the ratings of each user (item) start.
    indices : int32 array, shape (ratings,)
        The item (user) of each rating.
    value, weight : float32 array, shape (ratings,)
        In standard deviations; weight is None if all are 1.
    total : float64 array, shape (n,)
        The sum of weights of each.
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
        """Set the initial factors to ``sample(n)``, shape (n, factors).

        Only of those with ratings of a weight above 0, so that weight 0 equals a missing row.
        """
        rated = np.flatnonzero(self.total > 0)
        values = sample(len(rated))
        self.factors[rated, : values.shape[1]] = values

    def copy(self) -> EntityFactors:
        """Return a copy with its own factors and biases."""
        bias = None if self.bias is None else self.bias.copy()
        return dataclasses.replace(self, factors=self.factors.copy(), bias=bias)

    def result(self, factors: int) -> tuple[Float32Array, Float32Array]:
        """Return the biases (0 if unbiased) and the factors without padding."""
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
    """Group ratings by ``codes`` into n users (or items), with factors and biases 0."""
    indptr, rows = group_rows(codes, n)
    total = np.diff(indptr) if weight is None else np.bincount(codes, weight.astype(np.float64), n)
    return EntityFactors(
        indptr,
        indices[rows],
        value[rows],
        None if weight is None else weight[rows],
        total.astype(np.float64),
        aligned_zeros(n, pad_to_simd(factors)),
        np.zeros(n, np.float32) if biased else None,
    )


def as_entity_factors(bias: Float32Array, factors: Float32Array, biased: bool) -> EntityFactors:
    """Return fitted biases and factors as the fixed entity of a half step."""
    no_values, no_indices = np.empty(0, np.float32), np.empty(0, np.int32)
    result = make_entity_factors(
        no_indices, no_indices, no_values, None, len(factors), factors.shape[1], biased
    )
    result.factors[:, : factors.shape[1]] = factors
    result.bias = bias if biased else None
    return result


@dataclass
class AlsSolver:
    """Solves the factors of one entity while the other is fixed.

    Parameters
    ----------
    factors : int
    regularization, damping : float
        L2 penalty of factors: ``regularization`` per rating plus ``damping``.
    growth : float
        The penalty of factor j is multiplied by j to this power.
    bias_damping : float
        L2 penalty of biases.
    threads : int
    """

    factors: int
    regularization: float
    damping: float
    growth: float
    bias_damping: float
    threads: int

    def solve(self, target: EntityFactors, fixed: EntityFactors, solver: str, max_steps: int = 1) -> float:
        """Solve ``target`` in place, ``fixed`` given; return the RMSE in standard deviations.

        Parameters
        ----------
        target, fixed : EntityFactors
        solver : {"cholesky", "gradients", "coordinates", "multiplicative"}
            Exact least squares; conjugate gradient steps; coordinate descent to non-negative factors;
            multiplicative updates. The last returns the error before its last update.
        max_steps : int
            Maximal number of steps of the iterative solvers.
        """
        ridge = (self.regularization * target.total + self.damping).astype(np.float32)
        growth = np.arange(1.0, target.factors.shape[1] + 1) ** self.growth
        bias_ridge = None if target.bias is None else np.full(len(ridge), self.bias_damping, np.float32)
        error = als_half(
            target.indptr, target.indices, target.value, target.weight, fixed.factors, fixed.bias,
            target.factors, target.bias, ridge, growth.astype(np.float32), bias_ridge, self.factors, solver,
            max_steps, self.threads,
        )  # fmt: skip
        total = target.total.sum()
        return float(np.sqrt(error / total)) if total > 0 else 0.0
