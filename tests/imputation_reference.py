"""Distances between rows with missing cells, and ties between donors, as KNNImputer defines them."""

from __future__ import annotations

import numpy as np


def distances(matrix, row):
    """Return the root mean squared difference to each row over the cells in common, infinite without any."""
    values = np.nan_to_num(matrix.astype(np.float64))
    common = ~np.isnan(matrix) & ~np.isnan(matrix[row])
    squares = np.where(common, (values - values[row]) ** 2, 0).cumsum(axis=1)[:, -1]
    count = common.sum(axis=1)
    return np.sqrt(np.divide(squares, count, out=np.full(len(matrix), np.inf), where=count > 0))


def tied_cells(matrix, neighbors):
    """Return where the last donor and the first one left out are about equally far, shape as the matrix."""
    known, tied = ~np.isnan(matrix), np.zeros(matrix.shape, dtype=bool)
    for row in range(len(matrix)):
        distance = distances(matrix, row)
        order = np.argsort(distance)[: np.isfinite(distance).sum()]
        if len(order) == 0:
            continue
        have = known[order].cumsum(axis=0, dtype=np.int32)  # donors of each column among the nearest
        last = distance[order[np.argmax(have >= neighbors, axis=0)]]
        first_out = distance[order[np.argmax(have >= neighbors + 1, axis=0)]]
        tied[row] = (have[-1] > neighbors) & (first_out - last <= 1e-6 * first_out)
    return tied & ~known
