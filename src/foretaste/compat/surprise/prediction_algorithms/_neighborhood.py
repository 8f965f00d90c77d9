"""Similarities of a trainset, computed row by row on demand, with a small cache."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from foretaste._native import SurpriseNeighbors, UndefinedSimilarity
from foretaste._utils.threads import resolve_threads
from foretaste.compat.surprise.similarities import make_similarity_error, similarity_source
from foretaste.compat.surprise.trainset import Trainset
from foretaste.typing import BoolArray, Float64Array, IndexArray, Int64Array


class RowCache:
    """LRU cache of the rows of a matrix that is never materialized: at most ``max_bytes``, or one row.

    Parameters
    ----------
    read : function of int
        Computes a row.
    width : int
        How many numbers a row has.
    max_bytes : int
    """

    def __init__(self, read: Callable[[int], Float64Array], width: int, max_bytes: int = 64 * 2**20) -> None:
        self._read = read
        self._max_rows = max(1, max_bytes // (8 * max(width, 1)))
        self._rows: OrderedDict[int, Float64Array] = OrderedDict()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._rows)

    def row(self, x: int) -> Float64Array:
        """Return a row; not to be written to."""
        with self._lock:
            if x in self._rows:
                self._rows.move_to_end(x)
                return self._rows[x]
        values = self._read(x)
        with self._lock:
            self._rows[x] = values
            while len(self._rows) > self._max_rows:
                self._rows.popitem(last=False)
        return values


class UnknownIds:
    """Users and items of a trainset without ratings, which trainsets made by programs can have.

    Parameters
    ----------
    trainset : Trainset

    Attributes
    ----------
    user, item : bool array, shapes (n_users,) and (n_items,)
    """

    def __init__(self, trainset: Trainset) -> None:
        self.user = np.diff(trainset.by_user().starts) == 0
        self.item = np.diff(trainset.by_item().starts) == 0

    def both_known(self, users: IndexArray, items: IndexArray) -> BoolArray:
        """Return where both inner ids are known (not -1) and have ratings."""
        return np.asarray((users >= 0) & (items >= 0) & ~self.user[users] & ~self.item[items])


@dataclass(frozen=True)
class Centering:
    """Centering and scaling of neighbors' ratings.

    Attributes
    ----------
    center : float64 array, shape (n_x,), or None
        Subtracted; None leaves ratings as they are.
    offset : float64 array, shape (n_y,), or None
        With it, ``mean + center + offset`` is subtracted.
    scale : float64 array, shape (n_x,), or None
        Divisor.
    mean : float
    """

    center: Float64Array | None = None
    offset: Float64Array | None = None
    scale: Float64Array | None = None
    mean: float = 0.0

    def weighted_deviation(self, similarity: Any, rating: Any, x: int, y: int) -> Any:
        """Return the weighted deviation of one rating."""
        if self.center is None:
            return similarity * rating
        if self.offset is not None:
            return similarity * (rating - (self.mean + self.center[x] + self.offset[y]))
        weighted = similarity * (rating - self.center[x])
        return weighted if self.scale is None else weighted / self.scale[x]


@dataclass
class Neighborhood:
    """The ratings of a trainset by column, and the similarities of its rows.

    Attributes
    ----------
    measure : str
    starts : int64 array, shape (n_y + 1,)
    row : int32 array, shape (n,)
    rating : float64 array, shape (n,)
    n_x, min_support : int
    baseline : float64 array, shape (n,), or None
        Subtracted from each rating before the comparison.
    shrinkage : float
    """

    measure: str
    starts: Int64Array
    row: IndexArray
    rating: Float64Array
    n_x: int
    min_support: int
    baseline: Float64Array | None = None
    shrinkage: float = 100.0
    _kernel: SurpriseNeighbors | None = field(default=None, repr=False)
    _row_cache: RowCache | None = field(default=None, repr=False)

    def __getstate__(self) -> dict[str, Any]:
        """Return the state without the kernel and the cache, which are rebuilt on demand."""
        return vars(self) | {"_kernel": None, "_row_cache": None}

    def kernel(self) -> SurpriseNeighbors:
        """Return the kernel, made on first access."""
        if self._kernel is None:
            self._kernel = similarity_source(
                self.measure, self.starts, self.row, self.rating, self.n_x, self.min_support,
                self.baseline, self.shrinkage,
            )  # fmt: skip
        return self._kernel

    def matrix(self) -> Float64Array:
        """Return all similarities: float64, shape (n_x, n_x).

        Raises
        ------
        SimilarityUndefinedError
            If one divides by 0.
        """
        try:
            return self.kernel().matrix(resolve_threads())
        except UndefinedSimilarity as error:
            raise make_similarity_error(error, self.measure) from None

    def similarities_to(self, x: int) -> Float64Array:
        """Return the similarities of all rows to one: float64, shape (n_x,); not to be written to.

        Raises
        ------
        SimilarityUndefinedError
            If one similarity divides by 0.
        """
        if self._row_cache is None:
            self._row_cache = RowCache(self.kernel().row, self.n_x)
        try:
            return self._row_cache.row(x)
        except UndefinedSimilarity as error:
            raise make_similarity_error(error, self.measure) from None

    def neighbor_sums(
        self, x: IndexArray, y: IndexArray, k: int, centering: Centering, sim: Float64Array | None
    ) -> tuple[Float64Array, Float64Array, Int64Array, BoolArray]:
        """Return sums over the nearest of each pair of a row and a column.

        Parameters
        ----------
        x, y : int32 array, shape (pairs,)
            -1 for an unknown one: its sums are 0.
        k : int
            Maximum number of neighbors.
        centering : Centering
        sim : float64 array, shape (n_x, n_x), optional
            Similarities to use in place of those computed.

        Returns
        -------
        ratings, similarities : float64 array, shape (pairs,)
        count : int64 array, shape (pairs,)
            How many neighbors with a similarity above 0 there were.
        needs_python : bool array, shape (pairs,)
            Where a similarity is NaN, whose place among the others only Python's sort knows.

        Raises
        ------
        SimilarityUndefinedError
            If a similarity divides by 0.
        """
        k = max(-1, min(k, len(self.row) + 1))
        centering_args = (centering.center, centering.offset, centering.scale, float(centering.mean))
        rows = x
        if sim is None and len(x) == 1:  # for single predictions, rows are cached
            known = bool(x[0] >= 0 and y[0] >= 0)
            sim = self.similarities_to(int(x[0]))[None] if known else np.zeros((1, self.n_x))
            rows = np.zeros(1, np.int32) if known else np.full(1, -1, np.int32)
        try:
            if sim is None:
                return self.kernel().means(x, y, k, *centering_args, resolve_threads())
            return self.kernel().means_from(sim, rows, y, k, *centering_args, resolve_threads())
        except UndefinedSimilarity as error:
            raise make_similarity_error(error, self.measure) from None
