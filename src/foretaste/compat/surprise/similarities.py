"""Similarities of users or items over their common ratings: cosine, MSD, Pearson, Pearson baseline."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import chain
from numbers import Real
from typing import Any

import numpy as np

from foretaste._native import SurpriseNeighbors, UndefinedSimilarity
from foretaste._utils.threads import resolve_threads
from foretaste.errors import DataError, Hint, InvalidParameterError
from foretaste.typing import Float64Array, IndexArray, Int64Array


class SimilarityUndefinedError(DataError, ZeroDivisionError):
    """A similarity that would divide by 0; programs for scikit-surprise catch ``ZeroDivisionError``."""

    code = "similarity_undefined"


def cosine(n_x: int, yr: Any, min_support: int) -> Float64Array:
    r"""Compute the cosine of the angle between the common ratings of two rows.

    .. math:: \frac{\sum_y r_{xy} r_{x'y}}{\sqrt{\sum_y r_{xy}^2 \sum_y r_{x'y}^2}}
    """
    return _similarity_matrix("cosine", n_x, yr, min_support)


def msd(n_x: int, yr: Any, min_support: int) -> Float64Array:
    r"""Compute 1 / (1 + mean squared difference) of the common ratings of two rows."""
    return _similarity_matrix("msd", n_x, yr, min_support)


def pearson(n_x: int, yr: Any, min_support: int) -> Float64Array:
    r"""Compute the correlation of the common ratings of two rows."""
    return _similarity_matrix("pearson", n_x, yr, min_support)


def pearson_baseline(
    n_x: int,
    yr: Any,
    min_support: int,
    global_mean: float,
    x_biases: Any,
    y_biases: Any,
    shrinkage: float = 100.0,
) -> Float64Array:
    r"""Compute the shrunk cosine of the residuals from baselines of the common ratings of two rows.

    The cosine over :math:`n` common ratings is multiplied by :math:`\frac{n - 1}{n - 1 + s}`, with the
    shrinkage :math:`s`.
    """
    baselines = (float(global_mean), np.asarray(x_biases, np.float64), np.asarray(y_biases, np.float64))
    return _similarity_matrix("pearson_baseline", n_x, yr, min_support, baselines, float(shrinkage))


def similarity_source(
    measure: str,
    starts: Int64Array,
    row: IndexArray,
    rating: Float64Array,
    n_x: int,
    min_support: int,
    baseline: Float64Array | None = None,
    shrinkage: float = 100.0,
) -> SurpriseNeighbors:
    """Return the kernel that computes similarities on demand.

    Parameters
    ----------
    measure : {"cosine", "msd", "pearson", "pearson_baseline"}
    starts : int64 array, shape (columns + 1,)
        Offsets of the columns.
    row : int32 array, shape (n,)
        The row of each rating.
    rating : float64 array, shape (n,)
    n_x, min_support : int
    baseline : float64 array, shape (n,), optional
        Subtracted from each rating before the comparison.
    shrinkage : float
    """
    rating = np.ascontiguousarray(rating, np.float64)
    compared = rating if baseline is None else rating - baseline
    return SurpriseNeighbors(
        starts, row, rating, compared, n_x, measure, float(min_support), float(shrinkage), resolve_threads()
    )


def make_similarity_error(error: UndefinedSimilarity, measure: str) -> SimilarityUndefinedError:
    """Return the error to raise for an error of the kernel."""
    return SimilarityUndefinedError(
        f"{error} ({measure}): they have no ratings in common that could be compared",
        where="inner ids, as trainset.to_raw_uid and to_raw_iid take them",
        hint=Hint({"sim_options": {"name": "msd", "min_support": 1}}),
    )


def truncate_to_int(name: str, value: Any) -> int:
    """Return a number truncated to an integer, as in C.

    Raises
    ------
    InvalidParameterError
        If it is not a number.
    """
    if not isinstance(value, (Real, np.number)) or not np.isfinite(float(value)):
        raise InvalidParameterError("it must be a whole number", argument=(name, value), hint=Hint({name: 1}))
    return int(float(value))


def _similarity_matrix(
    measure: str,
    n_x: Any,
    yr: Any,
    min_support: Any,
    baselines: tuple[float, Float64Array, Float64Array] | None = None,
    shrinkage: float = 100.0,
) -> Float64Array:
    n_x, min_support = truncate_to_int("n_x", n_x), truncate_to_int("min_support", min_support)
    starts, row, rating, y = _flatten(yr, n_x)
    baseline = None
    if baselines is not None:
        mean, row_biases, column_biases = baselines
        if len(row_biases) < n_x or (len(y) and (y.min() < 0 or y.max() >= len(column_biases))):
            raise InvalidParameterError(
                "x_biases and y_biases must have a number for each row and each key of yr"
            )
        baseline = (mean + column_biases[y]) + row_biases[row]
    source = similarity_source(measure, starts, row, rating, n_x, min_support, baseline, shrinkage)
    try:
        return source.matrix(resolve_threads())
    except UndefinedSimilarity as error:
        raise make_similarity_error(error, measure) from None


def _flatten(yr: Any, n_x: int) -> tuple[Int64Array, IndexArray, Float64Array, Int64Array]:
    """Return a mapping's lists concatenated: offsets, rows, ratings and keys."""
    if not isinstance(yr, Mapping):
        raise InvalidParameterError(
            f"yr is a {type(yr).__name__}; it must be a mapping of ids to lists of (id, rating)",
            hint="yr=trainset.ir to compare users, yr=trainset.ur to compare items",
        )
    sizes = [len(pairs) for pairs in yr.values()]
    pairs = list(chain.from_iterable(yr.values()))
    row = np.fromiter((row_id for row_id, _ in pairs), np.int64, len(pairs))
    if len(row) and (row.min() < 0 or row.max() >= n_x):
        worst = row.max() if row.max() >= n_x else row.min()
        raise InvalidParameterError(f"yr holds {worst}, but n_x={n_x} says that ids go from 0 to {n_x - 1}")
    rating = np.fromiter((rating for _, rating in pairs), np.float64, len(pairs))
    starts = np.zeros(len(sizes) + 1, np.int64)
    np.cumsum(np.asarray(sizes, np.int64), out=starts[1:])
    keys = np.fromiter(yr.keys(), np.int64, len(sizes))
    return starts, row.astype(np.int32), rating, np.repeat(keys, sizes)
