"""k-nearest-neighbor imputation of the utility matrix."""

from __future__ import annotations

from typing import Any, ClassVar, Self

import numpy as np

from foretaste._native import impute_from, impute_nearest
from foretaste._utils import memory
from foretaste._utils.groupby import group_mean
from foretaste._utils.progress import Progress
from foretaste._utils.threads import resolve_threads
from foretaste.errors import ModelFileError
from foretaste.models._state import are_lists
from foretaste.models.base import Model
from foretaste.models.fold_in import known_ratings, require_fitted_attr, with_new_ids
from foretaste.models.outputs import Prediction
from foretaste.params import estimator, fitted_attribute, param
from foretaste.ratings import Pairs, Ratings
from foretaste.typing import Entity, Float32Array, IndexArray, Int64Array

_BLOCK_BYTES = 16_000_000  # distances of a block of users, per thread


@estimator
class KNNImputation(Model):
    r"""Impute each missing rating by the mean over the nearest users who rated the item.

    The distance of two users is the root mean squared difference over the items that both rated,

    .. math:: d(u, v) = \sqrt{\frac{1}{|I_u \cap I_v|} \sum_{i \in I_u \cap I_v} (r_{ui} - r_{vi})^2} ,

    and users without a common item have none. With :math:`N` the ``neighbors`` users nearest to :math:`u`
    among those who rated :math:`i`,

    .. math:: \hat r_{ui} = \frac{\sum_{v \in N} w_{uv} r_{vi}}{\sum_{v \in N} w_{uv}} ,

    where :math:`w_{uv}` is 1 (``uniform``) or :math:`1 / d(u, v)` (``distance``; if some of :math:`N` are at
    distance 0, only those count). Ties are broken by the order of user ids. A rating
    without any such user is the mean of the item. Training ratings are predicted exactly, so the
    training error is 0.

    These are the semantics of scikit-learn's ``KNNImputer`` (which does not specify the order of ties). An
    unknown user gets the item's mean, as there; an unknown item gets the user's mean, or 0 with
    ``unknown_item="zero"``, as there with ``keep_empty_features=True``; both unknown get the mean of all
    ratings (0 with ``"zero"``).

    New users are folded in exactly: their neighbors are training users, whose ratings are stored.

    Troyanskaya et al., "Missing value estimation methods for DNA microarrays", Bioinformatics 17(6), 2001.
    """

    tags: ClassVar[frozenset[str]] = frozenset()
    summary: ClassVar[str] = "the mean over the nearest users who rated the item"
    fold_in_entities: ClassVar[frozenset[Entity]] = frozenset({Entity.USER})

    neighbors: int = param(10, "number of neighbors of each missing rating", low=1)
    weights: str = param(
        "uniform", "weights of neighbors: equal, or inverse distances", choices=("uniform", "distance")
    )
    unknown_item: str = param("user_mean", "prediction for unknown items", choices=("user_mean", "zero"))
    threads: int | None = param(
        None, "number of threads; None uses all; does not change the result", low=1, optional=True
    )

    mean_: float = fitted_attribute()
    user_mean_: Float32Array = fitted_attribute("users")
    item_mean_: Float32Array = fitted_attribute("items")
    imputed_: Float32Array = fitted_attribute("users", "items")
    # The training users and their ratings, also after a fold-in.
    rated_start_: Int64Array = fitted_attribute("row_bounds", dtype="int64", optional=True)
    rated_: IndexArray = fitted_attribute("ratings", dtype="int32", optional=True)
    rating_: Float32Array = fitted_attribute("ratings", optional=True)

    def _fit(self, train: Ratings, progress: Progress) -> None:
        threads = resolve_threads(self.threads)
        users, items = len(train.users), len(train.items)
        memory.check_available(
            imputation_bytes(users, items, len(train), threads),
            f"KNNImputation of {users} users x {items} items",
            "SVD() or Bias(), whose memory is linear in the ratings, or ratings.k_core(min_item_ratings=20)",
        )
        self.mean_, _ = train.mean_std()
        self.user_mean_, self.item_mean_ = (
            group_mean(codes, train.value, n, default=self.mean_).astype(np.float32)
            for codes, n in ((train.user, users), (train.item, items))
        )
        self.rated_start_, rows = train.group_by_user()
        self.rated_, self.rating_ = train.item[rows], train.value[rows]
        with progress.start_task("KNNImputation", 1) as task:
            neighbors = min(int(self.neighbors), users)  # at most all users
            self.imputed_ = impute_nearest(train.to_matrix(), neighbors, self.weights == "distance", threads)
            task.step()

    def _predict(self, pairs: Pairs) -> Prediction:
        new_user, new_item = pairs.user < 0, pairs.item < 0
        value = self.imputed_[pairs.user, pairs.item]
        value[new_user] = self.item_mean_[pairs.item[new_user]]
        value[new_item] = 0 if self.unknown_item == "zero" else self.user_mean_[pairs.user[new_item]]
        value[new_user & new_item] = 0 if self.unknown_item == "zero" else self.mean_
        return self._make_prediction(pairs, value)

    def _fold_in(self, new: Ratings, entity: Entity) -> Self:
        require_fitted_attr(self, self.rating_, "the training ratings")
        known = known_ratings(self, new, entity)
        n_users, items = len(self.rated_start_) - 1, len(self.items_)
        memory.check_available(
            4 * items * (n_users + 2 * len(new.users)),
            f"KNNImputation folding in {len(new.users)} users", "fold_in(model, users=part) in parts",
        )  # fmt: skip
        train_matrix = np.full((n_users, items), np.nan, np.float32)
        train_matrix[np.repeat(np.arange(n_users), np.diff(self.rated_start_)), self.rated_] = self.rating_
        options = min(int(self.neighbors), n_users), self.weights == "distance", resolve_threads(self.threads)
        imputed = impute_from(known.to_matrix(), train_matrix, *options)
        mean = group_mean(known.user, known.value, len(new.users), default=self.mean_)
        return with_new_ids(self, new, entity, {"imputed_": imputed}, mean=mean.astype(np.float32))

    def set_state(self, state: dict[str, Any]) -> Self:
        super().set_state(state)
        start, rated = self.rated_start_, self.rated_
        if len(start) == len(rated) == 0:  # a file by an earlier version
            return self
        if len(start) < 2 or not are_lists(start, rated, len(start) - 1, len(self.items_)):
            raise ModelFileError("the lists of rated items in the file are malformed")
        return self


def imputation_bytes(users: int, items: int, ratings: int, threads: int) -> int:
    """Return the approximate peak memory of ``KNNImputation`` in bytes, besides the ratings.

    A cell of the matrix takes 4 bytes as input, 4 imputed, and 5 and a bit in the kernel's layout; a rating 4
    in the list of its item and 8 in the model; a thread the distances of a block of users.
    """
    return int(13.125 * users * items) + 12 * ratings + threads * (_BLOCK_BYTES + 24 * users + 64 * items)
