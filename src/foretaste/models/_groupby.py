"""Weighted sums and means by user or by item."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from foretaste.ids import Indices
from foretaste.ratings import Ratings

Numbers = npt.NDArray[np.float64]


def weights_of(ratings: Ratings) -> Numbers:
    """Return the sample weights, 1 where there are none, shape (n,)."""
    return np.ones(len(ratings)) if ratings.weight is None else ratings.weight.astype(np.float64)


def sum_by(codes: Indices, value: npt.NDArray[Any], n: int) -> Numbers:
    """Return the sum of the values of each of n groups."""
    return np.bincount(codes, value, n).astype(np.float64)


def ratio(total: Numbers, count: Numbers) -> Numbers:
    """Divide, 0 where the count is 0."""
    return np.divide(total, count, out=np.zeros_like(total), where=count > 0)


def damped_mean(codes: Indices, value: Numbers, weight: Numbers, n: int, damping: float) -> Numbers:
    """Return the weighted mean of each of n groups, as if each came with ``damping`` values of 0."""
    return ratio(sum_by(codes, weight * value, n), sum_by(codes, weight, n) + damping)


def mean_by(codes: Indices, value: Numbers, n: int) -> Numbers:
    """Return the mean of the values of each of n groups, 0 where there is none."""
    return np.asarray(np.bincount(codes, value, n) / np.maximum(np.bincount(codes, minlength=n), 1))
