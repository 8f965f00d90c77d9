"""Co-clustering of users and items, with a mean per block."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np

from foretaste._native import assign_clusters, block_sums
from foretaste._utils.groupby import group_mean, safe_divide
from foretaste._utils.progress import Progress
from foretaste._utils.threads import resolve_threads
from foretaste.errors import ModelFileError
from foretaste.models.base import Model
from foretaste.models.bias import Bias
from foretaste.models.fold_in import known_ratings, with_new_ids
from foretaste.models.outputs import LinearForm, Prediction
from foretaste.params import estimator, fitted_attribute, param, seed_param, threads_param
from foretaste.ratings import Pairs, Ratings
from foretaste.typing import Entity, Float32Array, Float64Array, IndexArray, Int64Array


@estimator
class CoClustering(Model):
    r"""Cluster users and items, and predict biases plus the mean of the block of both clusters.

    :math:`\hat r_{ui} = \mu + b_u + b_i + \frac{1}{S} \sum_s B^s_{c_s(u), d_s(i)}`. In each of :math:`S` =
    ``n_init`` runs, users :math:`c` and items :math:`d` are initialized with random clusters; then, in turn,
    the blocks :math:`B` are computed from their ratings, and each user, and each item, is assigned to the
    cluster of least squared error, until convergence or for ``epochs``. Runs end in different clusterings,
    and their average predicts better than any of them.

    With ``base="biases"`` :math:`b_u, b_i` are those of ``Bias`` and a block is the mean of their
    residuals. With ``base="means"`` :math:`b_u = \mu_u - \mu`, :math:`b_i = \mu_i - \mu` and :math:`B_{cd} =
    \bar r_{cd} - \bar r_c - \bar r_d + \mu`: with ``n_init=1`` and every damping 0 this is the algorithm of
    George and Merugu. A block has ``damping`` pseudo-counts at 0.

    An unknown user or item has bias 0 and is in no cluster. Cost is linear in the ratings,
    independent of the number of clusters.

    George and Merugu, "A scalable collaborative filtering framework based on co-clustering", ICDM 2005.
    """

    tags: ClassVar[frozenset[str]] = frozenset({"weights"})
    summary: ClassVar[str] = "biases plus a mean per block of a user cluster and an item cluster"
    fold_in_entities: ClassVar[frozenset[Entity]] = frozenset(Entity)

    user_clusters: int = param(8, "number of user clusters", low=1, high=256)
    item_clusters: int = param(8, "number of item clusters", low=1, high=256)
    n_init: int = param(
        16, "number of clusterings from random initializations that are averaged", low=1, high=256
    )
    epochs: int = param(20, "maximal number of iterations; stops earlier on convergence", low=1)
    base: str = param(
        "biases", "what blocks are added to: biases, or user and item means", choices=("biases", "means")
    )
    user_damping: float = param(5.0, "pseudo-count: number of prior ratings at the mean per user", low=0)
    item_damping: float = param(5.0, "pseudo-count: number of prior ratings at the mean per item", low=0)
    damping: float = param(50.0, "pseudo-count: number of prior residuals of 0 per block", low=0)
    seed: int = seed_param()
    threads: int | None = threads_param()

    mean_: float = fitted_attribute()
    user_bias_: Float32Array = fitted_attribute("users")
    item_bias_: Float32Array = fitted_attribute("items")
    user_cluster_: IndexArray = fitted_attribute("inits", "users", dtype="int32")
    item_cluster_: IndexArray = fitted_attribute("inits", "items", dtype="int32")
    block_: Float32Array = fitted_attribute("inits", "user_clusters", "item_clusters")

    def _fit(self, train: Ratings, progress: Progress) -> None:
        self.mean_, std = train.mean_std()
        centered = (train.value.astype(np.float64) - self.mean_) / (std or 1.0)
        user_bias, item_bias = self._compute_biases(train, centered, std or 1.0)
        self.user_bias_, self.item_bias_ = user_bias.astype(np.float32), item_bias.astype(np.float32)
        residual = centered - (user_bias[train.user] + item_bias[train.item]) / (std or 1.0)
        block_values = residual if self.base == "biases" else centered
        user_ratings = _EntityRatings.from_ratings(train, Entity.USER, residual)
        item_ratings = _EntityRatings.from_ratings(train, Entity.ITEM, residual)
        block_ratings = _EntityRatings.from_ratings(train, Entity.USER, block_values)
        random, threads = np.random.default_rng(self.seed), resolve_threads(self.threads)
        user = random.integers(self.user_clusters, size=(self.n_init, len(train.users)), dtype=np.int32)
        item = random.integers(self.item_clusters, size=(self.n_init, len(train.items)), dtype=np.int32)
        with progress.start_task("CoClustering", self.epochs) as task:
            for _ in range(self.epochs):
                block = self._compute_blocks(block_ratings, user, item, threads)
                previous = user, item
                user = user_ratings.assign(item, block, threads)
                item = item_ratings.assign(user, np.ascontiguousarray(block.transpose(0, 2, 1)), threads)
                task.step()
                if np.array_equal(user, previous[0]) and np.array_equal(item, previous[1]):
                    break
        self.user_cluster_, self.item_cluster_ = user, item
        self.block_ = (std * self._compute_blocks(block_ratings, user, item, threads)).astype(np.float32)

    def _compute_biases(
        self, train: Ratings, centered: Float64Array, std: float
    ) -> tuple[Float64Array, Float64Array]:
        """Return the deviations of users and items from the mean, in rating units."""
        if self.base == "biases":
            bias = Bias(user_damping=self.user_damping, item_damping=self.item_damping).fit(train)
            return bias.user_bias_.astype(np.float64), bias.item_bias_.astype(np.float64)
        user = group_mean(train.user, centered, len(train.users), train.weight, damping=self.user_damping)
        item = group_mean(train.item, centered, len(train.items), train.weight, damping=self.item_damping)
        return std * user, std * item

    def _compute_blocks(
        self, ratings: _EntityRatings, user: IndexArray, item: IndexArray, threads: int
    ) -> Float64Array:
        """Return the mean of each block, in standard deviations, shape (n_init, clusters, clusters)."""
        count, total = ratings.sum_blocks(user, item, (self.user_clusters, self.item_clusters), threads)
        if self.base == "means":
            rows, columns = (
                safe_divide(total.sum(axis, keepdims=True), count.sum(axis, keepdims=True)) for axis in (2, 1)
            )
            total = total - count * (rows + columns)
        return safe_divide(total, count + self.damping)

    def _predict(self, pairs: Pairs) -> Prediction:
        user, item = np.maximum(pairs.user, 0), np.maximum(pairs.item, 0)
        level = np.zeros(len(pairs))
        for users, items, block in zip(self.user_cluster_, self.item_cluster_, self.block_, strict=True):
            level += block[users[user], items[item]]
        value = self.mean_ + np.where(pairs.user >= 0, self.user_bias_[user], 0)
        value += np.where(pairs.item >= 0, self.item_bias_[item], 0)
        return self._make_prediction(
            pairs, value + np.where(self._known_mask(pairs), level / len(self.block_), 0)
        )

    def as_linear(self) -> LinearForm:
        """Return item clusters as factors: an item is in it or not, a user has the means of its blocks."""
        n_init, _, width = self.block_.shape
        user = np.stack([b[c] for b, c in zip(self.block_, self.user_cluster_, strict=True)], axis=1)
        item = np.eye(width, dtype=np.float32)[self.item_cluster_.T]
        user_factors: Float32Array = (user / n_init).astype(np.float32).reshape(-1, n_init * width)
        factors = user_factors, item.reshape(-1, n_init * width)
        return LinearForm(self.mean_, self.user_bias_, self.item_bias_, *factors)

    def _fold_in(self, new: Ratings, entity: Entity) -> Self:
        known = known_ratings(self, new, entity)
        new_axis, known_indices = known.axis(entity), known.axis(entity.opposite).codes
        fixed_bias = self.entity_array(entity.opposite, "bias")[known_indices]
        fixed_cluster, block = self.entity_array(entity.opposite, "cluster"), self.block_.astype(np.float64)
        damping = self.user_damping
        if entity is Entity.ITEM:
            block, damping = np.ascontiguousarray(block.transpose(0, 2, 1)), self.item_damping
        centered = known.value.astype(np.float64) - self.mean_
        deviation = centered - fixed_bias if self.base == "biases" else centered
        bias = group_mean(new_axis.codes, deviation, len(new_axis.ids), known.weight, damping=damping)
        residual = _EntityRatings.from_ratings(known, entity, centered - fixed_bias - bias[new_axis.codes])
        cluster = residual.assign(fixed_cluster, block, resolve_threads(self.threads))
        return with_new_ids(self, new, entity, bias=bias.astype(np.float32), cluster=cluster)

    def set_state(self, state: dict[str, Any]) -> Self:
        super().set_state(state)
        for clusters, n in ((self.user_cluster_, 1), (self.item_cluster_, 2)):
            if clusters.size and not 0 <= clusters.min() <= clusters.max() < self.block_.shape[n]:
                raise ModelFileError("a user or an item in the file is in a cluster that does not exist")
        return self


@dataclass(frozen=True)
class _EntityRatings:
    """Ratings grouped by user (or by item)."""

    indptr: Int64Array
    indices: IndexArray
    value: Float32Array
    weight: Float32Array | None

    @classmethod
    def from_ratings(cls, ratings: Ratings, entity: Entity, value: Float64Array) -> _EntityRatings:
        axis = ratings.axis(entity)
        indptr, rows = axis.group_rows()
        indices = ratings.axis(entity.opposite).codes
        weight = None if ratings.weight is None else ratings.weight[rows]
        return cls(indptr, indices[rows], value[rows].astype(np.float32), weight)

    def assign(self, fixed_cluster: IndexArray, block: Float64Array, threads: int) -> IndexArray:
        return assign_clusters(
            self.indptr, self.indices, self.value, self.weight, fixed_cluster, block, threads
        )

    def sum_blocks(
        self, row_cluster: IndexArray, column_cluster: IndexArray, size: tuple[int, int], threads: int
    ) -> tuple[Float64Array, Float64Array]:
        """Return the sums of weights and of weighted values of each block."""
        rows = self.indptr, self.indices, self.value, self.weight
        result = block_sums(*rows, row_cluster, column_cluster, *size, threads)
        return result[..., 0], result[..., 1]
