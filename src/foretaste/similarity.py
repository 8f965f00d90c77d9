"""How alike one row of a matrix is to every row: cosine, Pearson, adjusted cosine.

The rows are what is compared (items or users), the columns are those that rated or were rated. A sparse
matrix counts a missing rating as 0 after centring: norms run over all ratings of a row, products over those
in common. (Sarwar et al. take the norms over the ratings in common as well, which makes rows with a single
rating in common look the same.) Everything is float64 and runs through no BLAS, so that its bits depend on
neither threads nor library.

Sarwar, Karypis, Konstan, Riedl, "Item-based collaborative filtering recommendation algorithms", WWW10, 2001,
section 3.1.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from foretaste.errors import InvalidParameter, did_you_mean

METRICS = ("cosine", "pearson", "adjusted_cosine")

Similarities = npt.NDArray[np.float64]


def check_metric(metric: str) -> None:
    """Refuse the name of an unknown metric.

    Raises
    ------
    InvalidParameter
    """
    if metric not in METRICS:
        raise InvalidParameter(
            f"metric={metric!r} is not allowed{did_you_mean(metric, METRICS)}",
            hint="one of " + ", ".join(METRICS),
        )


def similarities(matrix: Any, row: int, metric: str = "cosine") -> Similarities:
    r"""Return how alike one row is to every row.

    All three are the cosine of rows that were centred in different ways,

    .. math:: s_{ij} = \sum_u x_{iu} x_{ju} \big/ \sqrt{\sum_u x_{iu}^2 \sum_u x_{ju}^2} :

    * ``cosine``: :math:`x_{iu} = r_{iu}`, as they are;
    * ``pearson``: :math:`x_{iu} = r_{iu} - \bar r_i`, by the mean of the row itself;
    * ``adjusted_cosine``: :math:`x_{iu} = r_{iu} - \bar r_u`, by the mean of the column, which takes out that
      some rate higher than others.

    Parameters
    ----------
    matrix : float array of shape (rows, columns), or scipy.sparse array of that shape
        In a sparse one only stored entries are ratings; a stored 0 is one.
    row : int
        The row that is compared.
    metric : {"cosine", "pearson", "adjusted_cosine"}

    Returns
    -------
    float64 array, shape (rows,)
        From -1 to 1; 0 where one of the two rows is all zero after centring.

    Raises
    ------
    InvalidParameter
        If there is no such metric.
    """
    check_metric(metric)
    sparse = not isinstance(matrix, np.ndarray)
    centred = _centred_sparse(matrix, metric) if sparse else _centred_dense(matrix, metric)
    if sparse:
        squares = np.bincount(_row_of_entry(centred), centred.data**2, centred.shape[0])
        products = centred @ centred[[row]].toarray()[0]
    else:
        squares = np.einsum("ru,ru->r", centred, centred)
        products = np.einsum("ru,u->r", centred, centred[row])
    norms = np.sqrt(squares) * np.sqrt(squares[row])
    return np.clip(np.divide(products, norms, out=np.zeros_like(products), where=norms > 0), -1.0, 1.0)


def nearest(similarity: Similarities, row: int, n: int) -> npt.NDArray[np.intp]:
    """Return the n most alike rows but ``row`` itself, the most alike first, equal ones in their order."""
    order = np.argsort(-similarity, kind="stable")
    return order[order != row][:n]


def _centred_dense(matrix: npt.NDArray[Any], metric: str) -> npt.NDArray[np.float64]:
    values = matrix.astype(np.float64)
    if metric == "pearson":
        values -= values.mean(axis=1, keepdims=True)
    elif metric == "adjusted_cosine":
        values -= values.mean(axis=0, keepdims=True)
    return values


def _centred_sparse(matrix: Any, metric: str) -> Any:
    values = matrix.tocsr().astype(np.float64)  # a copy
    if metric == "cosine":
        return values
    group = _row_of_entry(values) if metric == "pearson" else values.indices
    size = values.shape[0 if metric == "pearson" else 1]
    count = np.bincount(group, minlength=size)
    mean = np.bincount(group, values.data, size) / np.maximum(count, 1)
    values.data -= mean[group]
    return values


def _row_of_entry(matrix: Any) -> npt.NDArray[np.intp]:
    return np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))
