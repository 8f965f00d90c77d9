"""k-nearest-neighbor algorithms, user- or item-based."""

from __future__ import annotations

from typing import Any, Self

import numpy as np

from foretaste.compat.surprise.prediction_algorithms._neighborhood import Centering
from foretaste.compat.surprise.prediction_algorithms._symmetric_neighbors import KNNBase, SymmetricAlgo
from foretaste.compat.surprise.prediction_algorithms.algo_base import BatchEstimates
from foretaste.compat.surprise.row_stats import apply_by_row
from foretaste.compat.surprise.similarities import SimilarityUndefinedError
from foretaste.compat.surprise.trainset import Trainset
from foretaste.errors import Hint
from foretaste.typing import Float64Array, IndexArray

__all__ = ["KNNBaseline", "KNNBasic", "KNNWithMeans", "KNNWithZScore", "SymmetricAlgo"]


_UNKNOWN = "User and/or item is unknown."
_TOO_FEW = "Not enough neighbors."


class KNNBasic(KNNBase):
    r"""Predict the mean rating of the nearest neighbors, weighted by similarity.

    .. math:: \hat r_{ui} = \frac{\sum_{v \in N^k_i(u)} s_{uv} r_{vi}}{\sum_{v \in N^k_i(u)} s_{uv}}

    over the k users most similar to u among those who rated i (item-based: the k items most similar to i
    among those that u rated) with positive similarity; ties in file order.
    """

    def fit(self, trainset: Trainset) -> Self:
        """Set the trainset; similarities are computed on demand."""
        SymmetricAlgo.fit(self, trainset)
        self._prepare_similarities()
        return self

    def _estimate_rows(self, users: IndexArray, items: IndexArray) -> BatchEstimates:
        known = self._unknown_ids.both_known(users, items)
        ratings, similarities, count = self._neighbor_sums(users, items, known)
        has_enough = known & (count >= self.min_k)
        if (has_enough & (count == 0)).any():
            raise SimilarityUndefinedError(
                f"min_k={self.min_k!r} asks for a mean of no neighbors",
                hint=Hint({"min_k": 1}, "or KNNWithMeans"),
            )
        value = np.zeros(len(users))
        np.divide(ratings, similarities, out=value, where=has_enough)
        impossible = dict.fromkeys(np.flatnonzero(known & ~has_enough).tolist(), _TOO_FEW)
        impossible |= dict.fromkeys(np.flatnonzero(~known).tolist(), _UNKNOWN)
        return BatchEstimates(value, impossible, {"actual_k": count})


class KNNWithMeans(KNNBase):
    r"""Predict the mean of the row plus the weighted mean deviation of its nearest neighbors.

    .. math:: \hat r_{ui} = \mu_u
              + \frac{\sum_{v \in N^k_i(u)} s_{uv} (r_{vi} - \mu_v)}{\sum_{v \in N^k_i(u)} s_{uv}}

    or the same item-based.
    """

    def fit(self, trainset: Trainset) -> Self:
        """Set the trainset and compute means; similarities are computed on demand."""
        SymmetricAlgo.fit(self, trainset)
        self._prepare_similarities()
        by_x = self._by_x()
        self.means = apply_by_row(np.mean, by_x.values, by_x.starts)
        return self

    def _make_centering(self) -> Centering:
        return Centering(self.means)

    def _estimate_rows(self, users: IndexArray, items: IndexArray) -> BatchEstimates:
        return _mean_plus_deviation(self, users, items)


class KNNWithZScore(KNNBase):
    r"""Predict the mean of the row plus the weighted mean z-score of its nearest neighbors.

    .. math:: \hat r_{ui} = \mu_u + \sigma_u
              \frac{\sum_{v \in N^k_i(u)} s_{uv} (r_{vi} - \mu_v) / \sigma_v}{\sum_{v \in N^k_i(u)} s_{uv}}

    or the same item-based. A standard deviation of 0 is replaced by that of all ratings.
    """

    def fit(self, trainset: Trainset) -> Self:
        """Set the trainset, compute means and standard deviations; similarities are computed on demand."""
        SymmetricAlgo.fit(self, trainset)
        by_x = self._by_x()
        self.means = apply_by_row(np.mean, by_x.values, by_x.starts)
        self.overall_sigma = np.std(trainset.by_user().values)
        sigmas = apply_by_row(np.std, by_x.values, by_x.starts)
        is_constant = (sigmas == 0.0) & (np.diff(by_x.starts) > 0)
        self.sigmas = np.where(is_constant, self.overall_sigma, sigmas)
        self._prepare_similarities()
        return self

    def _make_centering(self) -> Centering:
        return Centering(self.means, scale=self.sigmas)

    def _estimate_rows(self, users: IndexArray, items: IndexArray) -> BatchEstimates:
        return _mean_plus_deviation(self, users, items, self.sigmas)


class KNNBaseline(KNNBase):
    r"""Predict the baseline plus the weighted mean deviation of the nearest neighbors from theirs.

    .. math:: \hat r_{ui} = b_{ui}
              + \frac{\sum_{v \in N^k_i(u)} s_{uv} (r_{vi} - b_{vi})}{\sum_{v \in N^k_i(u)} s_{uv}}

    or the same item-based. For an unknown user or item, the known part of the baseline is predicted.
    """

    def __init__(
        self,
        k: Any = 40,
        min_k: Any = 1,
        sim_options: Any = {},  # noqa: B006 - surprise's own default; AlgoBase copies it
        bsl_options: Any = {},  # noqa: B006 - the same
        verbose: Any = True,
        **kwargs: Any,
    ) -> None:
        KNNBase.__init__(self, k, min_k, sim_options, verbose, bsl_options=bsl_options, **kwargs)

    def fit(self, trainset: Trainset) -> Self:
        """Set the trainset and compute baselines; similarities are computed on demand."""
        SymmetricAlgo.fit(self, trainset)
        self.bu, self.bi = self.compute_baselines()
        self.bx, self.by = self.switch(self.bu, self.bi)
        self._prepare_similarities()
        return self

    def _make_centering(self) -> Centering:
        bx, by = (np.ascontiguousarray(biases, np.float64) for biases in (self.bx, self.by))
        return Centering(bx, by, mean=self.trainset.global_mean)

    def _estimate_rows(self, users: IndexArray, items: IndexArray) -> BatchEstimates:
        known = self._unknown_ids.both_known(users, items)
        unknown_ids = self._unknown_ids
        base = np.full(len(users), float(self.trainset.global_mean))
        base += np.where((users >= 0) & ~unknown_ids.user[users], np.asarray(self.bu)[users], 0.0)
        base += np.where((items >= 0) & ~unknown_ids.item[items], np.asarray(self.bi)[items], 0.0)
        estimates = self._add_to_base(base, known, self._neighbor_sums(users, items, known))
        estimates.details["actual_k"][~known] = -1  # there is none
        return estimates

    def _unpack_batch(self, estimates: BatchEstimates) -> tuple[list[Any], list[dict[str, Any]]]:
        values, details = super()._unpack_batch(estimates)
        for row in np.flatnonzero(estimates.details["actual_k"] < 0).tolist():
            del details[row]["actual_k"]
        return values, details


def _mean_plus_deviation(
    algo: KNNWithMeans | KNNWithZScore,
    users: IndexArray,
    items: IndexArray,
    sigmas: Float64Array | None = None,
) -> BatchEstimates:
    """Return the row's mean plus the neighbors' mean deviation, times the row's sigma if given."""
    known = algo._unknown_ids.both_known(users, items)
    sums = algo._neighbor_sums(users, items, known)
    x, _ = algo.switch(users, items)
    estimates = algo._add_to_base(algo.means[x], known, sums, 1 if sigmas is None else sigmas[x])
    estimates.impossible.update((row, _UNKNOWN) for row in np.flatnonzero(~known).tolist())
    return estimates
