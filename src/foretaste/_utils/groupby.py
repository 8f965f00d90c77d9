"""Sums and means of groups of rows: by user, by item, by bin."""

from __future__ import annotations

import numpy as np

from foretaste.typing import AnyArray, Float32Array, Float64Array


def sample_weights(weight: Float32Array | None, n: int) -> Float64Array:
    """Return the weights of n rows as float64, 1 each where there are none."""
    return np.ones(n) if weight is None else weight.astype(np.float64)


def safe_divide(total: AnyArray, count: AnyArray, default: float | Float64Array = 0.0) -> Float64Array:
    """Return ``total / count``, ``default`` where the count is 0."""
    quotient = np.full(np.broadcast(total, count).shape, default)
    return np.asarray(np.divide(total, count, out=quotient, where=count > 0))


def group_sum(codes: AnyArray, value: AnyArray, n: int) -> Float64Array:
    """Return the sum of the values of each of n groups, shape (n,)."""
    return np.asarray(np.bincount(codes, value, n), np.float64)


def group_mean(
    codes: AnyArray,
    value: AnyArray,
    n: int,
    weight: AnyArray | None = None,
    *,
    damping: float = 0.0,
    default: float | Float64Array = 0.0,
) -> Float64Array:
    """Return the mean of the values of each of n groups.

    Parameters
    ----------
    codes : int array, shape (rows,)
        The group of each row, below n.
    value : array, shape (rows,)
    n : int
    weight : array, shape (rows,), optional
    damping : float
        Pseudo-counts at 0, which shrink the means to it.
    default : float, or array of shape (n,)
        The mean of a group without rows, or whose weights and damping are all 0.

    Returns
    -------
    float64 array, shape (n,)
    """
    weights = None if weight is None else np.asarray(weight, np.float64)
    total = group_sum(codes, value if weights is None else value * weights, n)
    return safe_divide(total, np.bincount(codes, weights, n) + damping, default)
