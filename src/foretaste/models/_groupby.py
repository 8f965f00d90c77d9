"""Weighted sums and means by user or by item."""

from __future__ import annotations

import numpy as np

from foretaste.ratings import Ratings
from foretaste.typing import AnyArray, Float64Array, IndexArray


def sample_weights(ratings: Ratings) -> Float64Array:
    """Return the sample weights, 1 where there are none, shape (n,)."""
    return np.ones(len(ratings)) if ratings.weight is None else ratings.weight.astype(np.float64)


def group_sum(codes: IndexArray, value: AnyArray, n: int) -> Float64Array:
    """Return the sum of the values of each of n groups."""
    return np.bincount(codes, value, n).astype(np.float64)


def safe_divide(total: Float64Array, count: Float64Array) -> Float64Array:
    """Divide, 0 where the count is 0."""
    return np.divide(total, count, out=np.zeros_like(total), where=count > 0)


def damped_group_mean(
    codes: IndexArray, value: Float64Array, weight: Float64Array, n: int, damping: float
) -> Float64Array:
    """Return the weighted mean of each of n groups, as if each came with ``damping`` values of 0."""
    return safe_divide(group_sum(codes, weight * value, n), group_sum(codes, weight, n) + damping)


def group_mean(codes: IndexArray, value: Float64Array, n: int) -> Float64Array:
    """Return the mean of the values of each of n groups, 0 where there is none."""
    return np.asarray(np.bincount(codes, value, n) / np.maximum(np.bincount(codes, minlength=n), 1))
