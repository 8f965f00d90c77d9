"""What ranked lists are like, whatever is relevant: arrays in, a number out.

Lists are as in ``ranking_metrics``: a row of item numbers each, the best first, -1 after its end.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from foretaste.errors import DataError, InvalidParameterError
from foretaste.metrics.ranking import as_lists, is_integer
from foretaste.typing import Float64Array, IndexArray, Int64Array

_BLOCK = 1 << 22  # numbers held at a time


def coverage(lists: Any, n_items: int, *, n: int | None = None) -> float:
    """Return the share of a catalogue that stands in any list.

    Parameters
    ----------
    lists, n
        As in ``score_lists``.
    n_items : int
        How many items the catalogue has; they are numbered from 0.
    """
    return float(np.count_nonzero(_count_exposure(lists, n_items, n)) / n_items)


def gini(lists: Any, n_items: int, *, n: int | None = None) -> float:
    """Return the Gini coefficient of exposure: 0 if all items are listed equally often, near 1 if few are.

    Half the mean difference between the numbers of places of two items, divided by their mean.

    Parameters
    ----------
    lists, n
        As in ``score_lists``.
    n_items : int
        How many items the catalogue has; those in no list count, too.

    Raises
    ------
    DataError
        If all lists are empty.
    """
    exposure = np.sort(_count_exposure(lists, n_items, n))
    total = int(exposure.sum())
    if total == 0:
        raise DataError("all lists are empty: no item is shown to anyone")
    rank_weights = 2 * np.arange(1, n_items + 1, dtype=np.int64) - n_items - 1
    return int(rank_weights @ exposure) / (n_items * total)


def novelty_per_list(lists: Any, rating_counts: Any, n_users: int, *, n: int | None = None) -> Float64Array:
    """Return the mean self-information of the items of each list, in bits; NaN for an empty list.

    Parameters
    ----------
    lists, count, users, n
        As in ``novelty``.
    """
    ranked, user_counts = as_lists(lists, n), np.asarray(rating_counts, dtype=np.float64)
    if not is_integer(n_users) or n_users < 1:
        raise InvalidParameterError(f"users={n_users!r} is not allowed; it must be a whole number at least 1")
    if user_counts.ndim != 1 or not ((user_counts >= 0) & (user_counts <= n_users)).all():
        raise DataError(
            f"count must hold a number from 0 to {n_users} for each item: how many users rated it"
        )
    if ranked.max(initial=-1) >= len(user_counts):
        raise DataError(f"lists hold item {ranked.max()}; count tells of {len(user_counts)} items, from 0")
    bits = np.r_[-np.log2(np.maximum(user_counts, 1) / n_users), 0.0]  # the last is for empty places
    return _mean_per_list(bits[ranked].sum(axis=1), (ranked >= 0).sum(axis=1))


def novelty(lists: Any, rating_counts: Any, n_users: int, *, n: int | None = None) -> float:
    """Return how far lists are from what everybody knows: -log2 of the share of users who rated an item.

    The mean over the items of a list, then over lists that are not empty (Zhou et al. 2010). An item that
    nobody rated counts as if one had.

    Parameters
    ----------
    lists, n
        As in ``score_lists``.
    rating_counts : int array, shape (items,)
        How many users rated each item.
    n_users : int
        How many users there are.
    """
    return _mean_over_lists(novelty_per_list(lists, rating_counts, n_users, n=n), "is not empty")


def diversity_per_list(
    lists: Any, *, vectors: Any = None, similarity: Any = None, n: int | None = None
) -> Float64Array:
    """Return the diversity inside each list; NaN for a list of fewer than two items.

    Parameters
    ----------
    lists, vectors, similarity, n
        As in ``diversity``.
    """
    ranked = as_lists(lists, n)
    if (vectors is None) == (similarity is None):
        raise InvalidParameterError("diversity needs either vectors or similarity", hint="vectors=features")
    matrix = np.asarray(similarity if vectors is None else vectors, dtype=np.float64)
    if matrix.ndim != 2 or (vectors is None and matrix.shape[0] != matrix.shape[1]):
        raise DataError(
            f"{'similarity' if vectors is None else 'vectors'} has the shape {matrix.shape}; "
            f"it must be ({'items, items' if vectors is None else 'items, features'})"
        )
    if not np.isfinite(matrix).all():
        raise DataError("similarities and vectors must be finite numbers")
    if ranked.max(initial=-1) >= len(matrix):
        raise DataError(f"lists hold item {ranked.max()}; there are {len(matrix)} items, from 0")
    if vectors is not None:
        length = np.linalg.norm(matrix, axis=1, keepdims=True)
        matrix = np.divide(matrix, length, out=np.zeros_like(matrix), where=length > 0)
    similarity_sum = np.empty(len(ranked))
    row_size = ranked.shape[1] * (ranked.shape[1] if vectors is None else matrix.shape[1])
    block_rows = max(1, _BLOCK // max(1, row_size))
    for start in range(0, len(ranked), block_rows):
        block = ranked[start : start + block_rows]
        similarity_sum[start : start + block_rows] = (
            _similarity_sum_from_matrix if vectors is None else _similarity_sum_from_vectors
        )(block, matrix)
    size = (ranked >= 0).sum(axis=1)
    return 1 - _mean_per_list(similarity_sum, size * (size - 1) // 2)


def diversity(lists: Any, *, vectors: Any = None, similarity: Any = None, n: int | None = None) -> float:
    """Return how unlike each other the items of a list are: 1 less the mean similarity of two of them.

    The mean over lists of at least two items (Ziegler et al. 2005).

    Parameters
    ----------
    lists, n
        As in ``score_lists``.
    vectors : float array, shape (items, features), optional
        What describes items; similar is what has a high cosine, and zeros are like nothing.
    similarity : float array, shape (items, items), optional
        Instead: how similar items are, 1 at most, symmetric.
    """
    values = diversity_per_list(lists, vectors=vectors, similarity=similarity, n=n)
    return _mean_over_lists(values, "holds two items")


def _similarity_sum_from_matrix(block: IndexArray, matrix: Float64Array) -> Float64Array:
    """Return the sum of the similarities of all pairs within each list."""
    valid = block >= 0
    pairs = matrix[block[:, :, None], block[:, None, :]] * (valid[:, :, None] & valid[:, None, :])
    first, second = np.triu_indices(block.shape[1], 1)
    return np.asarray(pairs[:, first, second].sum(axis=1))


def _similarity_sum_from_vectors(block: IndexArray, matrix: Float64Array) -> Float64Array:
    """Return the same by unit vectors: the square of their sum holds each pair twice, and each itself."""
    list_vectors = matrix[block] * (block >= 0)[:, :, None]
    return np.asarray(((list_vectors.sum(axis=1) ** 2).sum(axis=1) - (list_vectors**2).sum(axis=(1, 2))) / 2)


def _count_exposure(lists: Any, n_items: int, n: int | None) -> Int64Array:
    """Return in how many places each item stands."""
    ranked = as_lists(lists, n)
    if not is_integer(n_items) or n_items < 1:
        raise InvalidParameterError(f"items={n_items!r} is not allowed; it must be a whole number at least 1")
    if ranked.max(initial=-1) >= n_items:
        raise DataError(f"lists hold item {ranked.max()}; with items={n_items} they are numbered from 0")
    return np.bincount(ranked[ranked >= 0], minlength=n_items)


def _mean_per_list(total: Float64Array, count: Any) -> Float64Array:
    return np.asarray(np.divide(total, count, out=np.full(len(total), math.nan), where=count > 0))


def _mean_over_lists(values: Float64Array, condition: str) -> float:
    defined = values[~np.isnan(values)]
    if len(defined) == 0:
        raise DataError(f"no list {condition}, so there is nothing to average")
    return float(defined.mean())
