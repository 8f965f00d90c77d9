"""The best of very many items without scoring all of them exactly: an index, and how good it is.

Each number of an item's factors is kept in four bits, after a rotation that makes all of them alike, and
faiss scores all items by these in a fraction of the time. The model then predicts those that may be among the
best, so what is recommended is ranked by its own predictions, and only an item that was not among the
candidates can be missed. How many candidates that takes is found by comparing with the exact way.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from foretaste._native import top_of_rows
from foretaste._utils.threads import thread_count
from foretaste.errors import MissingExtra, NotSupported
from foretaste.ids import Indices
from foretaste.models.base import Model
from foretaste.models.outputs import Floats, Linear
from foretaste.ratings import Pairs
from foretaste.recommendation.topk import Ranking, Seen, linear_of

TOP = 10  # of so many is the recall measured
_CANDIDATES = (200, 400, 800, 1600, 3200, 6400)
_SAMPLE = 200  # users compared with the exact way
_TRAINED_ON = 40_000  # items that the sixteen steps of each number are found from


class ItemIndex:
    """An index of the items of a model of biases and factors.

    Parameters
    ----------
    model : Model
        Fitted.
    recall : float
        Which share of the ten best of all it is to find, on average: as many candidates are taken as that
        needs, by the model's own users, up to 6400.
    threads : int, optional
        To build it; None is all.

    Attributes
    ----------
    recall_ : float
        The share that it was found to find.
    candidates_ : int
        How many items the model predicts to find the ten best.

    Raises
    ------
    NotSupported
        If the model cannot be written as biases and factors, or learned from nobody.
    MissingExtra
        If faiss is not installed.
    """

    def __init__(self, model: Model, *, recall: float = 0.99, threads: int | None = None) -> None:
        try:
            import faiss
        except ImportError:
            raise MissingExtra(
                "an index of items needs faiss", hint='pip install "foretaste[index]"'
            ) from None
        linear = linear_of(model)
        if linear is None or not linear.item_factors.shape[1] or not len(linear.user_factors):
            raise NotSupported(
                f"{type(model).__name__} has no factors of items to put in an index",
                hint="a model with factors, such as SVD or ALS",
            )
        self._faiss: Any = faiss
        vectors = np.hstack([linear.item_factors, linear.item_bias[:, None]])
        size = vectors.shape[1] + vectors.shape[1] % 2  # faiss takes the numbers in twos
        turned, _ = np.linalg.qr(np.random.default_rng(0).normal(size=(size, size)))
        self._rotation = np.ascontiguousarray(turned[: vectors.shape[1]], np.float32)
        vectors = vectors @ self._rotation
        faiss.omp_set_num_threads(thread_count(threads))  # of this thread alone
        self._inner = faiss.IndexPQFastScan(size, size, 4, faiss.METRIC_INNER_PRODUCT)
        self._inner.pq.cp.niter = 10  # of sixteen steps on a line
        chosen = np.random.default_rng(0).permutation(len(vectors))[:_TRAINED_ON]
        self._inner.train(np.ascontiguousarray(vectors[np.sort(chosen)]))
        self._inner.add(vectors)
        self.candidates_, self.recall_ = self._measured(model, linear, recall)

    def _measured(self, model: Model, linear: Linear, wanted: float) -> tuple[int, float]:
        """Return how many candidates are needed, and the recall with these."""
        rng = np.random.default_rng(0)
        people = np.sort(rng.permutation(len(linear.user_factors))[:_SAMPLE]).astype(np.int32)
        every = np.arange(len(linear.item_factors), dtype=np.int32)
        exact, _ = Ranking(model, every, TOP, 1).best(people, None)
        found = 0.0
        for candidates in _CANDIDATES:
            share = [
                len(np.intersect1d(best, self._few(model, linear, int(one), candidates, TOP)[0])) / len(best)
                for one, best in zip(people, exact, strict=True)
            ]
            found = float(np.mean(share))
            if found >= wanted:
                break
        return candidates, found

    def best(self, model: Model, user: int, seen: Indices, n: int) -> tuple[Indices, Floats]:
        """Return the best items of a user, those left out that they have seen.

        Parameters
        ----------
        model : Model
            That of the index, or the same with other users taken in.
        user : int
            Its index in ``model``.
        seen : int32 array, shape (m,)
            Items to leave out.
        n : int

        Returns
        -------
        item : int32 array, shape (k,)
            The best first; fewer than ``n`` only if there are no more.
        score : float32 array, shape (k,)
            As the model predicts, unclipped.
        """
        items = len(model.items_)
        linear = linear_of(model)
        candidates = len(seen) + self.candidates_ * -(-n // TOP)
        if linear is None or 4 * candidates > items:
            ranking = Ranking(model, np.arange(items, dtype=np.int32), n, 1)
            rows = Seen(np.array([0, len(seen)], np.int64), seen)
            found, scores = (one[0] for one in ranking.best(np.array([user], np.int32), rows))
        else:
            found, scores = self._few(model, linear, user, candidates, n, seen)
        there = found >= 0
        return found[there], scores[there]

    def _few(
        self, model: Model, linear: Linear, user: int, candidates: int, n: int, seen: Indices | None = None
    ) -> tuple[Indices, Floats]:
        """Predict the candidates, and rank."""
        query = np.r_[linear.user_factors[user], np.float32(1)] @ self._rotation
        self._faiss.omp_set_num_threads(1)  # of this thread alone: one search is too short for two
        _, found = self._inner.search(query[None].astype(np.float32), min(candidates, len(model.items_)))
        items = np.sort(found[0][found[0] >= 0]).astype(np.int32)
        if seen is not None:
            items = items[~np.isin(items, seen)]
        scores = np.array(model._predict(Pairs(np.full(len(items), user, np.int32), items)).value, np.float32)
        best, best_scores = top_of_rows(scores[None], items[None], min(n, len(items)), 1)
        return best[0], best_scores[0]
