"""Co-clustering: users and items in clusters, and a level for each pair of clusters."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

from foretaste._native import assign_clusters, block_sums
from foretaste._utils.progress import Progress
from foretaste._utils.threads import thread_count
from foretaste.errors import BadModelFile
from foretaste.ids import Indices
from foretaste.models._groupby import Numbers, damped_mean, ratio, weights_of
from foretaste.models.base import Model
from foretaste.models.bias import Bias
from foretaste.models.fold_in import known_items, known_users, with_items, with_users
from foretaste.models.outputs import Floats, Linear, Prediction
from foretaste.params import learned, model_class, param
from foretaste.ratings import Pairs, Ratings


@model_class
class CoClustering(Model):
    r"""Put users and items into clusters, and learn how far each pair of clusters lies from its biases.

    :math:`\hat r_{ui} = \mu + b_u + b_i + \frac{1}{S} \sum_s B^s_{c_s(u), d_s(i)}`. Of each of :math:`S`
    ``starts``, users :math:`c` and items :math:`d` begin in random clusters; then by turns the blocks
    :math:`B` are taken from the ratings in them, each user goes to the cluster whose blocks leave the least
    squared error, and so does each item, until nobody moves or ``epochs`` are over. Different starts end in
    different clusterings, and their mean predicts better than any of them.

    With ``base="biases"`` :math:`b_u, b_i` are those of ``Bias`` and a block is the mean of what they
    leave. With ``base="means"`` :math:`b_u = \mu_u - \mu`, :math:`b_i = \mu_i - \mu` and :math:`B_{cd} =
    \bar r_{cd} - \bar r_c - \bar r_d + \mu`: with ``starts=1`` and every damping 0 this is the algorithm of
    George and Merugu. A block counts as if it came with ``damping`` ratings that it does not move.

    An unknown user or item has bias 0 and is in no cluster. Cost is linear in ratings, whatever the number of
    clusters.

    George and Merugu, "A scalable collaborative filtering framework based on co-clustering", ICDM 2005.
    """

    tags: ClassVar[frozenset[str]] = frozenset({"weights"})
    summary: ClassVar[str] = "biases plus a level for each pair of a cluster of users and one of items"

    user_clusters: int = param(8, "how many clusters of users there are", low=1, high=256)
    item_clusters: int = param(8, "how many clusters of items there are", low=1, high=256)
    starts: int = param(
        16, "how many clusterings, from different random starts, are averaged", low=1, high=256
    )
    epochs: int = param(20, "the most turns of a clustering; it ends earlier when nothing moves", low=1)
    base: str = param(
        "biases", "what the blocks are added to: biases, or the plain means", one_of=("biases", "means")
    )
    user_damping: float = param(5.0, "how many ratings at the mean a user is given beforehand", low=0)
    item_damping: float = param(5.0, "how many ratings at the mean an item is given beforehand", low=0)
    damping: float = param(50.0, "how many ratings that do not move it a block is given beforehand", low=0)
    seed: int = param(0, "of the random numbers", low=0)
    threads: int | None = param(
        None, "how many threads; None is all; never changes the result", low=1, high=1024, optional=True
    )

    mean_: float = learned()
    user_bias_: Floats = learned("users")
    item_bias_: Floats = learned("items")
    user_cluster_: Indices = learned("starts", "users", dtype="int32")
    item_cluster_: Indices = learned("starts", "items", dtype="int32")
    block_: Floats = learned("starts", "user_clusters", "item_clusters")

    def _fit(self, train: Ratings, progress: Progress) -> None:
        self.mean_, spread = train.moments()
        centred = (train.value.astype(np.float64) - self.mean_) / (spread or 1.0)
        user_bias, item_bias = self._biases(train, centred, spread or 1.0)
        self.user_bias_, self.item_bias_ = user_bias.astype(np.float32), item_bias.astype(np.float32)
        left = centred - (user_bias[train.user] + item_bias[train.item]) / (spread or 1.0)
        summed = left if self.base == "biases" else centred
        sides = _Side.of(train, "user", left), _Side.of(train, "item", left)
        sums = _Side.of(train, "user", summed)
        random, threads = np.random.default_rng(self.seed), thread_count(self.threads)
        user = random.integers(self.user_clusters, size=(self.starts, len(train.users)), dtype=np.int32)
        item = random.integers(self.item_clusters, size=(self.starts, len(train.items)), dtype=np.int32)
        with progress.task("CoClustering", self.epochs) as task:
            for _ in range(self.epochs):
                block = self._blocks(sums, user, item, threads)
                before = user, item
                user = sides[0].assign(item, block, threads)
                item = sides[1].assign(user, np.ascontiguousarray(block.transpose(0, 2, 1)), threads)
                task.step()
                if np.array_equal(user, before[0]) and np.array_equal(item, before[1]):
                    break
        self.user_cluster_, self.item_cluster_ = user, item
        self.block_ = (spread * self._blocks(sums, user, item, threads)).astype(np.float32)

    def _biases(self, train: Ratings, centred: Numbers, spread: float) -> tuple[Numbers, Numbers]:
        """Return how far users and items lie from the mean, in rating units."""
        if self.base == "biases":
            bias = Bias(user_damping=self.user_damping, item_damping=self.item_damping).fit(train)
            return bias.user_bias_.astype(np.float64), bias.item_bias_.astype(np.float64)
        user = damped_mean(train.user, centred, weights_of(train), len(train.users), self.user_damping)
        item = damped_mean(train.item, centred, weights_of(train), len(train.items), self.item_damping)
        return spread * user, spread * item

    def _blocks(self, side: _Side, user: Indices, item: Indices, threads: int) -> Numbers:
        """Return the level of each block, in standard deviations, shape (starts, clusters, clusters)."""
        count, total = side.sums(user, item, (self.user_clusters, self.item_clusters), threads)
        if self.base == "means":
            rows, columns = (ratio(total.sum(a, keepdims=True), count.sum(a, keepdims=True)) for a in (2, 1))
            total = total - count * (rows + columns)
        return ratio(total, count + self.damping)

    def _predict(self, pairs: Pairs) -> Prediction:
        user, item = np.maximum(pairs.user, 0), np.maximum(pairs.item, 0)
        level = np.zeros(len(pairs))
        for users, items, block in zip(self.user_cluster_, self.item_cluster_, self.block_, strict=True):
            level += block[users[user], items[item]]
        value = self.mean_ + np.where(pairs.user >= 0, self.user_bias_[user], 0)
        value += np.where(pairs.item >= 0, self.item_bias_[item], 0)
        return self._prediction(pairs, value + np.where(self._known(pairs), level / len(self.block_), 0))

    def _linear(self) -> Linear:
        """Each cluster of items is a factor: an item is in it or not, a user has the level of its blocks."""
        starts, _, width = self.block_.shape
        user = np.stack([b[c] for b, c in zip(self.block_, self.user_cluster_, strict=True)], axis=1)
        item = np.eye(width, dtype=np.float32)[self.item_cluster_.T]
        user_factors: Floats = (user / starts).astype(np.float32).reshape(-1, starts * width)
        factors = user_factors, item.reshape(-1, starts * width)
        return Linear(self.mean_, self.user_bias_, self.item_bias_, *factors)

    def _fold_in(self, new: Ratings) -> Self:
        bias, cluster = self._best(known_items(self, new), "user", self.user_damping)
        return with_users(self, new, user_bias_=bias, user_cluster_=cluster)

    def _fold_in_items(self, new: Ratings) -> Self:
        bias, cluster = self._best(known_users(self, new), "item", self.item_damping)
        return with_items(self, new, item_bias_=bias, item_cluster_=cluster)

    def _best(self, known: Ratings, side: str, damping: float) -> tuple[Floats, Indices]:
        """Return the biases of new users (or items), and the clusters that leave the least error."""
        own, other, n = known.user, known.item, len(known.users)
        others, clusters, block = self.item_bias_, self.item_cluster_, self.block_.astype(np.float64)
        if side == "item":
            own, other, n = known.item, known.user, len(known.items)
            others, clusters = self.user_bias_, self.user_cluster_
            block = np.ascontiguousarray(block.transpose(0, 2, 1))
        centred = known.value.astype(np.float64) - self.mean_
        base = centred - others[other] if self.base == "biases" else centred
        bias = damped_mean(own, base, weights_of(known), n, damping)
        left = _Side.of(known, side, centred - others[other] - bias[own])
        return bias.astype(np.float32), left.assign(clusters, block, thread_count(self.threads))

    def _from_state(self, state: dict[str, Any]) -> Self:
        super()._from_state(state)
        for clusters, n in ((self.user_cluster_, 1), (self.item_cluster_, 2)):
            if clusters.size and not 0 <= clusters.min() <= clusters.max() < self.block_.shape[n]:
                raise BadModelFile("a user or an item in the file is in a cluster that there is not")
        return self


@dataclass(frozen=True)
class _Side:
    """Ratings grouped by user (or by item)."""

    starts: npt.NDArray[np.int64]
    other: Indices
    value: Floats
    weight: Floats | None

    @classmethod
    def of(cls, ratings: Ratings, side: str, value: Numbers) -> _Side:
        starts, rows = ratings.by_user() if side == "user" else ratings.by_item()
        other = ratings.item if side == "user" else ratings.user
        weight = None if ratings.weight is None else ratings.weight[rows]
        return cls(starts, other[rows], value[rows].astype(np.float32), weight)

    def assign(self, other_cluster: Indices, block: Numbers, threads: int) -> Indices:
        return assign_clusters(
            self.starts, self.other, self.value, self.weight, other_cluster, block, threads
        )

    def sums(
        self, own: Indices, other: Indices, size: tuple[int, int], threads: int
    ) -> tuple[Numbers, Numbers]:
        """Return the weight and the weighted sum of the values of each block."""
        rows = self.starts, self.other, self.value, self.weight
        both = block_sums(*rows, own, other, *size, threads)
        return both[..., 0], both[..., 1]
