"""Similarity of one row of a matrix to all rows: cosine, Pearson, adjusted cosine.

Rows are the entities compared (items or users), columns the other entities. In a sparse matrix a missing
rating is 0 after centering: norms run over all ratings of a row, products over the common ratings. (Sarwar
et al. restrict the norms to common ratings as well, which makes any two rows with a single common rating
identical.) All arithmetic is float64 without BLAS, so that results do not depend on threads or the library.

Sarwar, Karypis, Konstan, Riedl, "Item-based collaborative filtering recommendation algorithms", WWW10, 2001,
section 3.1.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from foretaste._utils.checks import check_choice
from foretaste._utils.groupby import group_mean
from foretaste.typing import AnyArray, Float64Array, IntpArray

METRICS = ("cosine", "pearson", "adjusted_cosine")


def similarities(matrix: Any, row: int, metric: str = "cosine") -> Float64Array:
    r"""Return the similarity of one row to every row.

    All three metrics are the cosine of rows that are centered in different ways,

    .. math:: s_{ij} = \sum_u x_{iu} x_{ju} / \sqrt{\sum_u x_{iu}^2 \sum_u x_{ju}^2} :

    * ``cosine``: :math:`x_{iu} = r_{iu}`, uncentered;
    * ``pearson``: :math:`x_{iu} = r_{iu} - \bar r_i`, by the row mean;
    * ``adjusted_cosine``: :math:`x_{iu} = r_{iu} - \bar r_u`, by the column mean, which removes the
      bias of each column.

    Parameters
    ----------
    matrix : float array of shape (rows, columns), or scipy.sparse array of that shape
        In a sparse array the stored entries are the ratings, explicit zeros included.
    row : int
        The row to compare with.
    metric : {"cosine", "pearson", "adjusted_cosine"}

    Returns
    -------
    float64 array, shape (rows,)
        From -1 to 1; 0 where one of the two rows is all zero after centering.

    Raises
    ------
    InvalidParameterError
        If there is no such metric.
    """
    check_choice("metric", metric, METRICS)
    products, squares = (_dense_products if isinstance(matrix, np.ndarray) else _sparse_products)(
        matrix, row, metric
    )
    norms = np.sqrt(squares) * np.sqrt(squares[row])
    cosines = np.zeros(len(norms))
    np.divide(products, norms, out=cosines, where=norms > 0)
    return np.clip(cosines, -1.0, 1.0, out=cosines)


def nearest_rows(similarity: Float64Array, row: int, n: int) -> IntpArray:
    """Return the n most similar rows other than ``row``, most similar first, ties by row number."""
    order: IntpArray = np.argsort(-similarity, kind="stable")
    return np.asarray(order[order != row][:n])


def _dense_products(matrix: AnyArray, row: int, metric: str) -> tuple[Float64Array, Float64Array]:
    """Return the dot products of all centered rows with one, and their squared norms."""
    values = matrix.astype(np.float64)
    if metric == "pearson":
        values -= values.mean(axis=1, keepdims=True)
    elif metric == "adjusted_cosine":
        values -= values.mean(axis=0, keepdims=True)
    return np.einsum("ru,u->r", values, values[row]), np.einsum("ru,ru->r", values, values)


def _sparse_products(matrix: Any, row: int, metric: str) -> tuple[Float64Array, Float64Array]:
    """Return the same for a sparse matrix, from stored entries only."""
    values = matrix.tocsr()
    rows = np.repeat(np.arange(values.shape[0]), np.diff(values.indptr))
    entries = values.data.astype(np.float64)
    if metric != "cosine":
        group_index = rows if metric == "pearson" else values.indices
        size = values.shape[0 if metric == "pearson" else 1]
        entries -= group_mean(group_index, entries, size)[group_index]
    row_values = np.zeros(values.shape[1])
    row_slice = slice(values.indptr[row], values.indptr[row + 1])
    row_values[values.indices[row_slice]] = entries[row_slice]
    products = np.bincount(rows, entries * row_values[values.indices], values.shape[0])
    squares = np.bincount(rows, entries * entries, values.shape[0])
    return products.astype(np.float64), squares.astype(np.float64)
