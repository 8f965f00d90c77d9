"""Weighted sums and means of groups, by user or by item."""

from __future__ import annotations

import numpy as np

from foretaste.ratings import Ratings
from foretaste.typing import AnyArray, Float32Array, Float64Array, IndexArray


def sample_weights(ratings: Ratings) -> Float64Array:
    """Return the sample weights, 1 where there are none, shape (n,)."""
    return np.ones(len(ratings)) if ratings.weight is None else ratings.weight.astype(np.float64)


def group_sum(codes: IndexArray, value: AnyArray, n: int) -> Float64Array:
    """Return the sum of the values of each of n groups."""
    return np.bincount(codes, value, n).astype(np.float64)


def safe_divide(total: Float64Array, count: Float64Array) -> Float64Array:
    """Return ``total / count``, 0 where the count is 0."""
    return np.divide(total, count, out=np.zeros_like(total), where=count > 0)


def damped_group_mean(
    codes: IndexArray, value: Float64Array, weight: Float64Array, n: int, damping: float
) -> Float64Array:
    """Return the weighted mean of each of n groups, shrunken to 0 by ``damping`` pseudo-counts."""
    return safe_divide(group_sum(codes, weight * value, n), group_sum(codes, weight, n) + damping)


def group_mean(codes: IndexArray, value: Float64Array, n: int) -> Float64Array:
    """Return the mean of the values of each of n groups, 0 where there is none."""
    return np.asarray(np.bincount(codes, value, n) / np.maximum(np.bincount(codes, minlength=n), 1))


def weighted_group_mean(
    codes: IndexArray, n: int, effect: Float32Array, weight: Float64Array
) -> Float32Array:
    """Return the weighted mean of an effect over the rows of each of n groups, 0 where there are none."""
    count = np.bincount(codes, weight, n)
    total = np.bincount(codes, weight * effect, n)
    return np.where(count > 0, total / np.where(count > 0, count, 1), 0).astype(np.float32)


def group_mean_rating(codes: IndexArray, n: int, train: Ratings, default: float) -> Float32Array:
    """Return the (weighted) mean rating of each of n groups, ``default`` where all weights are 0."""
    weight = None if train.weight is None else train.weight.astype(np.float64)
    value = train.value.astype(np.float64)
    total = np.bincount(codes, value if weight is None else value * weight, n)
    count = np.bincount(codes, weight, n)
    return np.where(count > 0, total / np.where(count > 0, count, 1), default).astype(np.float32)
