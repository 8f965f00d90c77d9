"""Means and standard deviations of ragged rows, bit-identical to numpy's on each row."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np

from foretaste.typing import Float64Array, Int64Array


def row_means(values: Float64Array, starts: Int64Array) -> Float64Array:
    """Return ``np.mean(values[starts[r]:starts[r + 1]])`` of each row; 0 for an empty one.

    Parameters
    ----------
    values : float64 array, shape (n,)
    starts : int64 array, shape (rows + 1,)

    Returns
    -------
    float64 array, shape (rows,)
    """
    return _apply_by_row(np.mean, values, starts)


def row_stds(values: Float64Array, starts: Int64Array) -> Float64Array:
    """Return ``np.std(values[starts[r]:starts[r + 1]])`` of each row; 0 for an empty one.

    Parameters
    ----------
    values : float64 array, shape (n,)
    starts : int64 array, shape (rows + 1,)

    Returns
    -------
    float64 array, shape (rows,)
    """
    return _apply_by_row(np.std, values, starts)


def _apply_by_row(
    statistic: Callable[..., Float64Array], values: Float64Array, starts: Int64Array
) -> Float64Array:
    """Take rows of one length together: numpy adds up each row of a block as it does a row alone."""
    result = np.zeros(len(starts) - 1)
    sizes = np.diff(starts)
    order = np.argsort(sizes, kind="stable")
    bounds = [*np.flatnonzero(np.diff(sizes[order], prepend=-1)).tolist(), len(order)]
    for first, last in itertools.pairwise(bounds):
        rows = order[first:last]
        size = int(sizes[rows[0]])
        if size:
            result[rows] = statistic(values[starts[rows][:, None] + np.arange(size)], axis=1)
    return result
