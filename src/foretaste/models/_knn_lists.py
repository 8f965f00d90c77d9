"""Neighbor lists: memory, and the lists of folded-in rows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from foretaste.ids import IdIndex
from foretaste.typing import Float32Array, Float64Array, IndexArray, Int64Array

NeighborLists = tuple[Int64Array, IndexArray, Float32Array]  # starts, neighbors, similarities


@dataclass(frozen=True, eq=False)
class NeighborSource:
    """The rows that neighbors come from: ids, biases and standard deviations, shape (rows,)."""

    ids: IdIndex
    bias: Float32Array
    std: Float32Array


@dataclass(frozen=True, eq=False)
class NewRows:
    """Biases and standard deviations of new rows, and residuals of their and of the training ratings."""

    bias: Float32Array
    std: Float32Array
    residual: Float64Array
    train_residual: Float64Array


def drop_self(lists: NeighborLists, own_index: IndexArray, first_row: int, max_stored: int) -> NeighborLists:
    """Return the lists of the rows from ``first_row`` on, without the row itself, cut to ``max_stored``."""
    start, neighbor, similarity = lists
    count = np.diff(start[first_row:])
    row = np.repeat(np.arange(len(count)), count)
    mask = neighbor != own_index[row]
    n_before = np.r_[0, np.cumsum(np.bincount(row, mask, len(count)))][row]
    mask &= np.cumsum(mask) - n_before <= max_stored
    ends = np.r_[0, np.cumsum(np.bincount(row[mask], minlength=len(count)))]
    return ends.astype(np.int64), neighbor[mask], similarity[mask]


def neighbor_lists_bytes(n_candidates: Float64Array, max_stored: int, ratings: int, threads: int) -> int:
    """Return the approximate peak memory of fitting in bytes, besides the ratings.

    Parameters
    ----------
    n_candidates : float64 array, shape (rows,)
        Upper bound of the number of rows with a column in common, per row.
    max_stored : int
        Number of neighbors stored per row.
    ratings, threads : int
    """
    n_stored = int(np.minimum(n_candidates, max_stored).sum())
    gathered = threads * len(n_candidates) * (max_stored + max_stored // 2 + 8) * 16
    return (
        (gathered if gathered <= 1_000_000_000 else 16 * n_stored)
        + 8 * n_stored
        + threads * 80 * len(n_candidates)
        + 60 * ratings
    )
