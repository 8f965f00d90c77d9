"""Shared base of user- and item-based neighbor algorithms: similarities, and sums over neighbors."""

from __future__ import annotations

import heapq
import operator
from typing import Any, Self

import numpy as np

from foretaste.compat.surprise.prediction_algorithms._neighborhood import Centering, Neighborhood, UnknownIds
from foretaste.compat.surprise.prediction_algorithms.algo_base import AlgoBase, BatchEstimates
from foretaste.compat.surprise.similarities import truncate_to_int
from foretaste.compat.surprise.trainset import RatingArrays, Trainset
from foretaste.errors import NotFittedError
from foretaste.typing import BoolArray, Float64Array, IndexArray, Int64Array


class SymmetricAlgo(AlgoBase):
    """Base of user-based (x are users, y items) and item-based (x are items, y users) algorithms.

    ``fit`` builds no similarity matrix: predictions compute the rows that they need, and ``sim`` computes all
    of them on first access. From then on predictions use ``sim``, so that changes to it take effect.

    Parameters
    ----------
    sim_options : dict
        ``name`` (cosine, msd, pearson, pearson_baseline), ``user_based``, ``min_support``, ``shrinkage``.
    verbose : bool
        Whether to print when baselines and similarities are computed.
    **kwargs
        ``bsl_options``.

    Attributes
    ----------
    sim : float64 array, shape (n_x, n_x)
    n_x, n_y : int
    xr, yr : mapping of int to list of (int, float)
        The ratings by x and by y.
    """

    def __init__(
        self,
        sim_options: Any = {},  # noqa: B006 - surprise's own default; AlgoBase copies it
        verbose: Any = True,
        **kwargs: Any,
    ) -> None:
        AlgoBase.__init__(self, sim_options=sim_options, **kwargs)
        self.verbose = verbose

    def fit(self, trainset: Trainset) -> Self:
        """Set the trainset."""
        AlgoBase.fit(self, trainset)
        self.n_x, self.n_y = self.switch(trainset.n_users, trainset.n_items)
        self._sim: Any = None
        self._cached_neighborhood: Neighborhood | None = None
        self._unknown_ids = UnknownIds(trainset)
        return self

    def switch(self, u_stuff: Any, i_stuff: Any) -> tuple[Any, Any]:
        """Return two values, given for users and items, in the order x, y."""
        return (u_stuff, i_stuff) if self.sim_options["user_based"] else (i_stuff, u_stuff)

    @property
    def xr(self) -> Any:
        """The ratings of each x: a list of (y, rating)."""
        return self.trainset.ur if self.sim_options["user_based"] else self.trainset.ir

    @property
    def yr(self) -> Any:
        """The ratings of each y: a list of (x, rating)."""
        return self.trainset.ir if self.sim_options["user_based"] else self.trainset.ur

    @property
    def sim(self) -> Any:
        """The similarity matrix, shape (n_x, n_x); computed on first access."""
        if vars(self).get("_sim") is None:
            if "_sim" not in vars(self):
                raise NotFittedError(
                    f"{type(self).__name__} has no sim before fit", hint="algo.fit(trainset)"
                )
            self._sim = self.compute_similarities()
        return self._sim

    @sim.setter
    def sim(self, similarities: Any) -> None:
        self._sim = similarities

    def compute_similarities(self) -> Float64Array:
        """Compute the similarities of all pairs of x."""
        neighborhood = self._get_neighborhood()
        if self.verbose:
            print(f"Computing the {neighborhood.measure} similarity matrix...")  # noqa: T201 - scikit-surprise prints it
        sim = neighborhood.matrix()
        if self.verbose:
            print("Done computing similarity matrix.")  # noqa: T201 - scikit-surprise prints it
        return sim

    def get_neighbors(self, iid: int, k: int) -> list[int]:
        """Return the nearest neighbors of one x; only its row of similarities is computed."""
        neighborhood = None if vars(self).get("_sim") is not None else vars(self).get("_cached_neighborhood")
        if neighborhood is None or not isinstance(iid, (int, np.integer)) or not 0 <= iid < self.n_x:
            return AlgoBase.get_neighbors(self, iid, k)
        similarities = neighborhood.similarities_to(int(iid)).tolist()
        candidates = [x for x in range(self.n_x) if x != iid]
        return heapq.nlargest(k, candidates, key=similarities.__getitem__)

    def _prepare_similarities(self) -> None:
        """Choose how similarities are computed; those of a custom class are computed at once."""
        if type(self).compute_similarities is SymmetricAlgo.compute_similarities:
            self._cached_neighborhood = self._make_neighborhood(self._measure())
            return
        self._cached_neighborhood = self._make_neighborhood("msd")
        self._sim = self.compute_similarities()

    def _get_neighborhood(self) -> Neighborhood:
        return self._cached_neighborhood or self._make_neighborhood(self._measure())

    def _make_neighborhood(self, measure: str) -> Neighborhood:
        by_y = self._by_y()
        x, y = self.switch(by_y.users, by_y.items)
        baseline = None
        if measure == "pearson_baseline":
            row_biases, column_biases = self.switch(*self.compute_baselines())
            row_biases, column_biases = (
                np.asarray(row_biases, np.float64),
                np.asarray(column_biases, np.float64),
            )
            baseline = (self.trainset.global_mean + column_biases[y]) + row_biases[x]
        return Neighborhood(
            measure, by_y.starts, x, by_y.values, self.n_x,
            truncate_to_int("min_support", self.sim_options.get("min_support", 1)), baseline,
            float(self.sim_options.get("shrinkage", 100)),
        )  # fmt: skip

    def _by_x(self) -> RatingArrays:
        return self.trainset.by_user() if self.sim_options["user_based"] else self.trainset.by_item()

    def _by_y(self) -> RatingArrays:
        return self.trainset.by_item() if self.sim_options["user_based"] else self.trainset.by_user()


class KNNBase(SymmetricAlgo):
    """Base of the four KNN algorithms: sums over the k nearest neighbors.

    Parameters
    ----------
    k, min_k : int
        Maximum and minimum number of neighbors.
    sim_options, verbose, **kwargs
        As in ``SymmetricAlgo``.
    """

    def __init__(
        self,
        k: Any = 40,
        min_k: Any = 1,
        sim_options: Any = {},  # noqa: B006 - surprise's own default; AlgoBase copies it
        verbose: Any = True,
        **kwargs: Any,
    ) -> None:
        SymmetricAlgo.__init__(self, sim_options=sim_options, verbose=verbose, **kwargs)
        self.k = k
        self.min_k = min_k

    def estimate(self, u: Any, i: Any) -> Any:
        """Predict one rating, before it is clipped to the scale."""
        estimates = self._estimate_pair(u, i)
        count = int(estimates.details["actual_k"][0])
        return estimates.value[0] if count < 0 else (estimates.value[0], {"actual_k": count})

    def _make_centering(self) -> Centering:
        return Centering()

    def _estimate_rows(self, users: IndexArray, items: IndexArray) -> BatchEstimates:
        raise NotImplementedError

    def _neighbor_sums(
        self, users: IndexArray, items: IndexArray, known: BoolArray
    ) -> tuple[Float64Array, Float64Array, Int64Array]:
        """Return the sums of deviations and similarities, and the number of neighbors."""
        x, y = (np.where(known, codes, np.int32(-1)) for codes in self.switch(users, items))
        neighborhood, k, centering = self._get_neighborhood(), operator.index(self.k), self._make_centering()
        sim = vars(self).get("_sim")
        if sim is not None and not (isinstance(sim, np.ndarray) and sim.shape == (self.n_x, self.n_x)):
            ratings, similarities = np.zeros(len(x)), np.zeros(len(x))
            count, needs_python = np.zeros(len(x), np.int64), known.copy()
        else:
            sim = None if sim is None else np.ascontiguousarray(sim, np.float64)
            ratings, similarities, count, needs_python = neighborhood.neighbor_sums(x, y, k, centering, sim)
        for row in np.flatnonzero(needs_python).tolist():
            ratings[row], similarities[row], count[row] = self._python_fallback(
                int(x[row]), int(y[row]), k, centering
            )
        return ratings, similarities, count

    def _python_fallback(self, x: int, y: int, k: int, centering: Centering) -> tuple[Any, Any, int]:
        """Return the sums of one pair, with neighbors selected in Python, whose sort orders NaN."""
        neighborhood = self._get_neighborhood()
        sim: Any = vars(self).get("_sim")
        rated = slice(int(neighborhood.starts[y]), int(neighborhood.starts[y + 1]))
        neighbors, values = neighborhood.row[rated].tolist(), neighborhood.rating[rated].tolist()
        row = neighborhood.similarities_to(x) if sim is None else None
        neighbor_similarities = [
            row[neighbor] if row is not None else sim[x, neighbor] for neighbor in neighbors
        ]
        ratings: Any = 0.0
        similarities: Any = 0.0
        count = 0
        for similarity, neighbor, value in heapq.nlargest(
            k, list(zip(neighbor_similarities, neighbors, values, strict=True)), key=lambda entry: entry[0]
        ):
            if similarity > 0:
                similarities += similarity
                ratings += centering.weighted_deviation(similarity, value, neighbor, y)
                count += 1
        return ratings, similarities, count

    def _add_to_base(self, base: Float64Array, known: BoolArray, sums: Any, scale: Any = 1) -> BatchEstimates:
        """Return a base and the mean deviation of at least ``min_k`` neighbors."""
        ratings, similarities, count = sums
        has_enough = known & (count > 0) & (count >= self.min_k)
        mean = np.zeros(len(base))
        np.divide(ratings, similarities, out=mean, where=has_enough)
        return BatchEstimates(np.where(has_enough, base + mean * scale, base), {}, {"actual_k": count})
