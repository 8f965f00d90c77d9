"""Exact top-k items of users by a model's predictions, on indices; all recommendations use it.

Items are ranked by the model's predictions before clipping, ties by item index. For models with biases and
factors a native kernel selects a few more candidates than needed by float32 scores; the model predicts these,
and where rounding leaves a doubt whether an excluded item belongs to the top k, more candidates are taken.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from foretaste._native import top_items, top_of_rows
from foretaste.errors import NotSupportedError
from foretaste.models.base import Model
from foretaste.models.outputs import LinearForm
from foretaste.ratings import Pairs
from foretaste.typing import BoolArray, Float32Array, Float64Array, IndexArray, Int64Array, IntpArray

_EXTRA_CANDIDATES = 4  # candidates beyond k in the first pass
_CANDIDATE_GROWTH = 8  # factor of candidates in further passes
_MIN_USERS_TO_SORT = 64  # users from which sorting the items first pays off
_ROUNDING = 2.0**-24


@dataclass(frozen=True, eq=False)
class ExcludedItems:
    """Excluded items in CSR form: those of row r are ``item[starts[r] : starts[r + 1]]``, in any order.

    Parameters
    ----------
    starts : int64 array, shape (rows + 1,)
    item : int32 array, shape (n,)
    """

    starts: Int64Array
    item: IndexArray

    def take_rows(self, rows: npt.NDArray[np.integer] | slice) -> ExcludedItems:
        """Return the excluded items of a subset of rows."""
        if isinstance(rows, slice):
            starts = self.starts[rows.start : rows.stop + 1]
            return ExcludedItems(starts - starts[0], self.item[starts[0] : starts[-1]])
        first, length = self.starts[rows], np.diff(self.starts)[rows]
        starts = np.r_[0, np.cumsum(length)].astype(np.int64)
        positions = np.arange(starts[-1]) + np.repeat(first - starts[:-1], length)
        return ExcludedItems(starts, self.item[positions])

    def entries(self) -> tuple[IntpArray, IndexArray]:
        """Return the row and the item of each entry."""
        return np.repeat(np.arange(len(self.starts) - 1), np.diff(self.starts)), self.item


class TopKRanker:
    """Ranks items for users by the predictions of a model.

    Parameters
    ----------
    model : Model
        Fitted.
    candidates : int32 array, shape (m,)
        The candidate items, increasing.
    n : int
        Length of the lists.
    threads : int
    block_pairs : int
        Number of pairs predicted at a time, where all candidates are.
    """

    def __init__(
        self, model: Model, candidates: IndexArray, n: int, threads: int, *, block_pairs: int = 1_000_000
    ) -> None:
        self.model, self.candidates, self.threads, self.block_pairs = model, candidates, threads, block_pairs
        self.n = min(n, len(candidates))
        linear = as_kernel_linear(model)
        self.candidate_filter = None if linear is None else CandidateFilter(linear, candidates, threads)

    def topk(self, user: IndexArray, excluded: ExcludedItems | None) -> tuple[IndexArray, Float32Array]:
        """Return the top items of users.

        Parameters
        ----------
        user : int32 array, shape (rows,)
            -1 is unknown: ranked by the model's fallback.
        excluded : ExcludedItems or None
            A row for each of ``user``.

        Returns
        -------
        item : int32 array, shape (rows, n)
            Best first, padded with -1.
        score : float32 array, shape (rows, n)
            Predictions before clipping, padded with minus infinity.
        """
        items = np.full((len(user), self.n), -1, np.int32)
        scores = np.full((len(user), self.n), -np.inf, np.float32)
        pending = np.arange(len(user))
        n_candidates = self.n + _EXTRA_CANDIDATES
        if self.candidate_filter is not None and self.n:
            pending, unknown = np.flatnonzero(user >= 0), np.flatnonzero(user < 0)
            while len(pending) and n_candidates < len(self.candidates):
                excluded_part = (
                    excluded if len(pending) == len(user) else excluded and excluded.take_rows(pending)
                )
                ranked, score, is_final = self._rank_candidates(
                    self.candidate_filter, user[pending], excluded_part, n_candidates
                )
                items[pending[is_final]], scores[pending[is_final]] = ranked[is_final], score[is_final]
                pending, n_candidates = pending[~is_final], n_candidates * _CANDIDATE_GROWTH
            pending = np.sort(np.r_[pending, unknown])
        step = max(1, self.block_pairs // max(1, len(self.candidates)))
        for start in range(0, len(pending) if self.n else 0, step):
            rows = pending[start : start + step]
            items[rows], scores[rows] = self._rank_all(user[rows], excluded and excluded.take_rows(rows))
        return items, scores

    def _rank_all(self, user: IndexArray, excluded: ExcludedItems | None) -> tuple[IndexArray, Float32Array]:
        """Predict and rank all candidates."""
        shape = len(user), len(self.candidates)
        pairs = Pairs(np.repeat(user, shape[1]), np.tile(self.candidates, shape[0]))
        score = np.array(self.model.predict_encoded(pairs, clip=False).value, np.float32).reshape(shape)
        if excluded is not None:
            row, item = excluded.entries()
            position = np.full(len(self.model.items_), -1, np.int32)
            position[self.candidates] = np.arange(shape[1], dtype=np.int32)
            is_candidate = position[item] >= 0
            score[row[is_candidate], position[item[is_candidate]]] = -np.inf
        position, best_scores = top_of_rows(score, None, self.n, self.threads)
        return np.where(position >= 0, self.candidates[position], np.int32(-1)), best_scores

    def _rank_candidates(
        self,
        candidate_filter: CandidateFilter,
        user: IndexArray,
        excluded: ExcludedItems | None,
        n_candidates: int,
    ) -> tuple[IndexArray, Float32Array, BoolArray]:
        """Predict and rank the kernel's candidates; return for which rows the result is certainly exact."""
        candidate_items, kernel_scores = candidate_filter.top_candidates(user, excluded, n_candidates)
        valid = candidate_items >= 0
        score = np.full(candidate_items.shape, -np.inf, np.float32)
        score[valid] = self.model.predict_encoded(
            Pairs(user[np.nonzero(valid)[0]], candidate_items[valid]), clip=False
        ).value
        items, best_scores = top_of_rows(score, candidate_items, self.n, self.threads)
        offset = candidate_filter.offset(user)
        error = np.zeros(candidate_items.shape)
        np.subtract(score, kernel_scores + offset[:, None], out=error, where=valid)
        tolerance = np.maximum(candidate_filter.rounding_error(user), 2 * np.abs(error).max(axis=1))
        return (
            items,
            best_scores,
            ~valid[:, -1] | (best_scores[:, -1] > kernel_scores[:, -1] + offset + tolerance),
        )


class CandidateFilter:
    """Selects top candidates by a native kernel, for a model with biases and factors.

    Parameters
    ----------
    linear : LinearForm
    candidates : int32 array, shape (m,)
        The candidate items, increasing.
    threads : int
    """

    def __init__(self, linear: LinearForm, candidates: IndexArray, threads: int) -> None:
        self.linear, self.candidates, self.threads = linear, candidates, threads
        self.bias_order: IndexArray | None = None
        self.max_norm = float(_norm_bounds(linear.item_factors).max(initial=0))
        self.max_bias = float(np.abs(linear.item_bias).max(initial=0))

    def top_candidates(
        self, user: IndexArray, excluded: ExcludedItems | None, n_candidates: int
    ) -> tuple[IndexArray, Float32Array]:
        """Return the best ``n_candidates`` items by the kernel's scores, and these; shapes (rows, keep)."""
        linear, order = self.linear, self.candidates
        if len(user) >= _MIN_USERS_TO_SORT:
            # In this order, most items come after better ones and are rejected at once.
            if self.bias_order is None:
                self.bias_order = order[np.argsort(-linear.item_bias[order], kind="stable")]
            order = self.bias_order
        tables = linear.user_factors, linear.item_factors, linear.item_bias
        starts, item = (None, None) if excluded is None else (excluded.starts, excluded.item)
        return top_items(*tables, user, order, starts, item, n_candidates, self.threads)

    def offset(self, user: IndexArray) -> Float64Array:
        """Return the part of predictions that the kernel leaves out: the mean and the user's bias."""
        return np.asarray(self.linear.mean + self.linear.user_bias[user].astype(np.float64))

    def rounding_error(self, user: IndexArray) -> Float64Array:
        """Return a bound of the rounding difference between the kernel's scores and the predictions."""
        size = np.abs(self.offset(user)) + self.max_bias
        size += _norm_bounds(self.linear.user_factors[user]) * self.max_norm
        return np.asarray((2 * self.linear.user_factors.shape[1] + 16) * _ROUNDING * size)


def _norm_bounds(factors: Float32Array) -> Float64Array:
    """Return upper bounds of the row norms."""
    return np.asarray(np.sqrt(np.einsum("rf,rf->r", factors, factors)) * 1.001, np.float64)


def as_kernel_linear(model: Model) -> LinearForm | None:
    """Return the linear form of a model as contiguous float32 arrays, or None if it has none."""
    try:
        linear = model.as_linear()
    except NotSupportedError:
        return None
    arrays = linear.user_bias, linear.item_bias, linear.user_factors, linear.item_factors
    return LinearForm(linear.mean, *(np.ascontiguousarray(array, np.float32) for array in arrays))
