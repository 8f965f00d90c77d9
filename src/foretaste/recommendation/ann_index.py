"""Approximate nearest-neighbor index of items for top-N, with measured recall.

Item factors are product-quantized to four bits per dimension, after a random rotation that equalizes the
dimensions, and faiss scores all items by these codes. The model predicts the best candidates exactly, so that
lists are ranked by its own predictions and only items outside the candidates can be missed. The number of
candidates is chosen by comparison with the exact lists.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from foretaste._native import top_of_rows
from foretaste._utils.threads import resolve_threads
from foretaste.errors import MissingDependencyError, NotSupportedError
from foretaste.models.base import Model
from foretaste.models.outputs import LinearForm
from foretaste.ratings import Pairs
from foretaste.recommendation.topk import ExcludedItems, TopKRanker, as_kernel_linear
from foretaste.typing import Float32Array, IndexArray

RECALL_AT = 10  # recall is measured at this cutoff
_CANDIDATES = (200, 400, 800, 1600, 3200, 6400)
_N_SAMPLE_USERS = 200  # users whose exact lists are compared
_N_TRAIN_ITEMS = 40_000  # items that the quantizer is trained on


class ItemIndex:
    """Approximate index of the items of a model with biases and factors.

    Parameters
    ----------
    model : Model
        Fitted.
    recall : float
        Target recall@10, averaged over a sample of the model's users; the number of candidates is chosen to
        reach it, up to 6400.
    threads : int, optional
        Number of threads to build the index; default: all cores.

    Attributes
    ----------
    recall_ : float
        The recall@10 measured.
    candidates_ : int
        Number of items that the model predicts for a list of ten.

    Raises
    ------
    NotSupportedError
        If the model has no linear form, or no users.
    MissingDependencyError
        If faiss is not installed.
    """

    def __init__(self, model: Model, *, recall: float = 0.99, threads: int | None = None) -> None:
        try:
            import faiss
        except ImportError:
            raise MissingDependencyError(
                "an item index requires faiss", hint='pip install "foretaste[index]"'
            ) from None
        linear = as_kernel_linear(model)
        if linear is None or not linear.item_factors.shape[1] or not len(linear.user_factors):
            raise NotSupportedError(
                f"{type(model).__name__} has no item factors to index",
                hint="a model with factors, such as SVD or ALS",
            )
        self._faiss: Any = faiss
        vectors = np.hstack([linear.item_factors, linear.item_bias[:, None]])
        size = vectors.shape[1] + vectors.shape[1] % 2  # faiss requires an even dimension
        orthogonal, _ = np.linalg.qr(np.random.default_rng(0).normal(size=(size, size)))
        self._rotation = np.ascontiguousarray(orthogonal[: vectors.shape[1]], np.float32)
        vectors = vectors @ self._rotation
        faiss.omp_set_num_threads(resolve_threads(threads))  # affects this thread only
        self._faiss_index = faiss.IndexPQFastScan(size, size, 4, faiss.METRIC_INNER_PRODUCT)
        self._faiss_index.pq.cp.niter = 10  # iterations of k-means with 16 centroids per dimension
        sample = np.random.default_rng(0).permutation(len(vectors))[:_N_TRAIN_ITEMS]
        self._faiss_index.train(np.ascontiguousarray(vectors[np.sort(sample)]))
        self._faiss_index.add(vectors)
        self.candidates_, self.recall_ = self._choose_n_candidates(model, linear, recall)

    def _choose_n_candidates(
        self, model: Model, linear: LinearForm, target_recall: float
    ) -> tuple[int, float]:
        """Return the number of candidates needed, and the recall with it."""
        rng = np.random.default_rng(0)
        users = np.sort(rng.permutation(len(linear.user_factors))[:_N_SAMPLE_USERS]).astype(np.int32)
        all_items = np.arange(len(linear.item_factors), dtype=np.int32)
        exact, _ = TopKRanker(model, all_items, RECALL_AT, 1).topk(users, None)
        recall = 0.0
        for n_candidates in _CANDIDATES:
            recalls = [
                len(
                    np.intersect1d(
                        exact_items,
                        self._rank_candidates(model, linear, int(user), n_candidates, RECALL_AT)[0],
                    )
                )
                / len(exact_items)
                for user, exact_items in zip(users, exact, strict=True)
            ]
            recall = float(np.mean(recalls))
            if recall >= target_recall:
                break
        return n_candidates, recall

    def topk(self, model: Model, user: int, excluded: IndexArray, n: int) -> tuple[IndexArray, Float32Array]:
        """Return the top items of a user, without the excluded ones.

        Parameters
        ----------
        model : Model
            The model of the index, or one with other users folded in.
        user : int
            Its index in ``model``.
        excluded : int32 array, shape (m,)
            Items to exclude.
        n : int

        Returns
        -------
        item : int32 array, shape (k,)
            Best first; fewer than ``n`` only if there are no more.
        score : float32 array, shape (k,)
            Predictions before clipping.
        """
        n_items = len(model.items_)
        linear = as_kernel_linear(model)
        n_candidates = len(excluded) + self.candidates_ * -(-n // RECALL_AT)
        if linear is None or 4 * n_candidates > n_items:
            ranker = TopKRanker(model, np.arange(n_items, dtype=np.int32), n, 1)
            excluded_rows = ExcludedItems(np.array([0, len(excluded)], np.int64), excluded)
            ranked, scores = (row[0] for row in ranker.topk(np.array([user], np.int32), excluded_rows))
        else:
            ranked, scores = self._rank_candidates(model, linear, user, n_candidates, n, excluded)
        valid = ranked >= 0
        return ranked[valid], scores[valid]

    def _rank_candidates(
        self,
        model: Model,
        linear: LinearForm,
        user: int,
        n_candidates: int,
        n: int,
        excluded: IndexArray | None = None,
    ) -> tuple[IndexArray, Float32Array]:
        """Predict and rank the candidates."""
        query = np.r_[linear.user_factors[user], np.float32(1)] @ self._rotation
        self._faiss.omp_set_num_threads(1)  # a single query is too short for two threads
        _, found_items = self._faiss_index.search(
            query[None].astype(np.float32), min(n_candidates, len(model.items_))
        )
        items = np.sort(found_items[0][found_items[0] >= 0]).astype(np.int32)
        if excluded is not None:
            items = items[~np.isin(items, excluded)]
        scores = np.array(
            model.predict_encoded(Pairs(np.full(len(items), user, np.int32), items), clip=False).value,
            np.float32,
        )
        top_indices, top_scores = top_of_rows(scores[None], items[None], min(n, len(items)), 1)
        return top_indices[0], top_scores[0]
