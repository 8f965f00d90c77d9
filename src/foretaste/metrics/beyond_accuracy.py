"""Beyond-accuracy metrics of ranked lists: coverage, Gini, novelty, diversity; arrays in, a number out.

Lists are as in ``metrics.ranking``: a row of item indices each, best first, padded with -1.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from foretaste._utils.checks import check_int
from foretaste.errors import DataError, Hint, InvalidParameterError
from foretaste.metrics.ranking import as_lists
from foretaste.typing import Float64Array, IndexArray, Int64Array

_BLOCK = 1 << 22  # numbers per block


def coverage(lists: Any, n_items: int, *, n: int | None = None) -> float:
    """Return the catalog coverage: the fraction of items that occur in any list.

    Parameters
    ----------
    lists, n
        As in ``score_lists``.
    n_items : int
        Number of items in the catalog; indices start at 0.
    """
    return float(np.count_nonzero(_count_exposure(lists, n_items, n)) / n_items)


def gini(lists: Any, n_items: int, *, n: int | None = None) -> float:
    """Return the Gini coefficient of exposure: 0 if all items are listed equally often, near 1 if few are.

    Half the mean absolute difference between the exposures of two items, divided by the mean exposure.

    Parameters
    ----------
    lists, n
        As in ``score_lists``.
    n_items : int
        Number of items in the catalog, those in no list included.

    Raises
    ------
    DataError
        If all lists are empty.
    """
    exposure = np.sort(_count_exposure(lists, n_items, n))
    total = int(exposure.sum())
    if total == 0:
        raise DataError("all lists are empty")
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
    check_int("n_users", n_users, low=1)
    if user_counts.ndim != 1 or not ((user_counts >= 0) & (user_counts <= n_users)).all():
        raise DataError(f"rating_counts must be from 0 to {n_users}: the number of users who rated each item")
    if ranked.max(initial=-1) >= len(user_counts):
        raise DataError(f"lists hold item {ranked.max()}; rating_counts has {len(user_counts)} items")
    bits = np.r_[-np.log2(np.maximum(user_counts, 1) / n_users), 0.0]  # the last is for padding
    return _mean_per_list(bits[ranked].sum(axis=1), (ranked >= 0).sum(axis=1))


def novelty(lists: Any, rating_counts: Any, n_users: int, *, n: int | None = None) -> float:
    """Return the novelty: the mean self-information -log2(fraction of users who rated the item), in bits.

    The mean over the items of a list, then over non-empty lists (Zhou et al. 2010). An item without ratings
    counts as rated once.

    Parameters
    ----------
    lists, n
        As in ``score_lists``.
    rating_counts : int array, shape (items,)
        Number of users who rated each item.
    n_users : int
        Number of users.
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
        raise InvalidParameterError(
            "diversity requires vectors or similarity", hint=Hint({"vectors": ...}, "or similarity=...")
        )
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
    """Return the intra-list diversity: 1 minus the mean pairwise similarity of the items of a list.

    The mean over lists of at least two items (Ziegler et al. 2005).

    Parameters
    ----------
    lists, n
        As in ``score_lists``.
    vectors : float array, shape (items, features), optional
        Item features, compared by the cosine; a zero vector is similar to nothing.
    similarity : float array, shape (items, items), optional
        Alternatively the symmetric item similarities, at most 1.
    """
    values = diversity_per_list(lists, vectors=vectors, similarity=similarity, n=n)
    return _mean_over_lists(values, "holds two items")


def _similarity_sum_from_matrix(block: IndexArray, matrix: Float64Array) -> Float64Array:
    """Return the sum of the pairwise similarities within each list."""
    valid = block >= 0
    pairs = matrix[block[:, :, None], block[:, None, :]] * (valid[:, :, None] & valid[:, None, :])
    first, second = np.triu_indices(block.shape[1], 1)
    return np.asarray(pairs[:, first, second].sum(axis=1))


def _similarity_sum_from_vectors(block: IndexArray, matrix: Float64Array) -> Float64Array:
    """Return the same from unit vectors: their squared sum counts each pair twice and each item once."""
    list_vectors = matrix[block] * (block >= 0)[:, :, None]
    return np.asarray(((list_vectors.sum(axis=1) ** 2).sum(axis=1) - (list_vectors**2).sum(axis=(1, 2))) / 2)


def _count_exposure(lists: Any, n_items: int, n: int | None) -> Int64Array:
    """Return the number of list positions of each item."""
    ranked = as_lists(lists, n)
    check_int("n_items", n_items, low=1)
    if ranked.max(initial=-1) >= n_items:
        raise DataError(f"lists hold item {ranked.max()}; with n_items={n_items}, indices start at 0")
    return np.bincount(ranked[ranked >= 0], minlength=n_items)


def _mean_per_list(total: Float64Array, count: Any) -> Float64Array:
    return np.asarray(np.divide(total, count, out=np.full(len(total), math.nan), where=count > 0))


def _mean_over_lists(values: Float64Array, condition: str) -> float:
    defined = values[~np.isnan(values)]
    if len(defined) == 0:
        raise DataError(f"no list {condition}, so there is nothing to average")
    return float(defined.mean())
