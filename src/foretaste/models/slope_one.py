"""Slope One: mean rating differences between pairs of items."""

from __future__ import annotations

from typing import ClassVar, Self

import numpy as np

from foretaste._native import deviation_sums, deviations
from foretaste._utils import memory
from foretaste._utils.groupby import group_mean
from foretaste._utils.progress import Progress
from foretaste._utils.threads import resolve_threads
from foretaste.errors import ModelFileError
from foretaste.models._state import are_lists
from foretaste.models.base import Model
from foretaste.models.fold_in import known_ratings, with_new_ids
from foretaste.models.outputs import Contributions, Prediction, RatingAttribution
from foretaste.params import estimator, fitted_attribute, param, threads_param
from foretaste.ratings import Pairs, Ratings
from foretaste.typing import Entity, Float32Array, Float64Array, IndexArray, Int64Array


@estimator
class SlopeOne(Model):
    r"""Predict from the user's ratings, each shifted by the mean difference of the two items.

    With :math:`c_{ij}` the number of users who rated both, and
    :math:`d_{ij} = \frac{1}{c_{ij}} \sum_u (r_{ui} - r_{uj})` over them, ``weighted`` is

    .. math:: \hat r_{ui} = \frac{\sum_{j \in I_u \setminus i} c_{ij} (d_{ij} + r_{uj})}
              {\sum_{j \in I_u \setminus i} c_{ij}} ,

    and ``plain``, over the :math:`j \in I_u \setminus i` with :math:`c_{ij} > 0`,
    :math:`\hat r_{ui} = \bar r_u + \operatorname{mean}_j d_{ij}`. ``bi_polar`` is ``weighted`` with
    :math:`c_{ij}` and :math:`d_{ij}` over the users who liked both items, where :math:`u` liked :math:`j`,
    and over those who disliked both, where :math:`u` did not; to like is to rate above the own mean.

    A user without an item in common, and an unknown item, get the user's mean; an unknown user gets the
    item's mean; both unknown get the mean of all ratings. Memory is quadratic in the items: 8 bytes per
    pair of items, 16 with ``bi_polar``.

    Lemire and Maclachlan, "Slope One predictors for online rating-based collaborative filtering", SDM 2005.
    """

    tags: ClassVar[frozenset[str]] = frozenset()
    summary: ClassVar[str] = "the user's other ratings, shifted by mean item differences"
    fold_in_entities: ClassVar[frozenset[Entity]] = frozenset({Entity.USER})

    scheme: str = param(
        "weighted",
        "weight items by their number of common users (weighted), equally (plain), or by number with likes "
        "and dislikes separate (bi_polar)",
        choices=("weighted", "plain", "bi_polar"),
    )
    threads: int | None = threads_param()

    mean_: float = fitted_attribute()
    user_mean_: Float32Array = fitted_attribute("users")
    item_mean_: Float32Array = fitted_attribute("items")
    rated_start_: Int64Array = fitted_attribute("user_bounds", dtype="int64")
    rated_: IndexArray = fitted_attribute("ratings", dtype="int32")
    rating_: Float32Array = fitted_attribute("ratings")
    difference_: Float32Array = fitted_attribute("poles", "items", "items")
    common_: IndexArray = fitted_attribute("poles", "items", "items", dtype="int32")

    def _fit(self, train: Ratings, progress: Progress) -> None:
        items, poles = len(train.items), 2 if self.scheme == "bi_polar" else 1
        memory.check_available(
            slope_one_bytes(items, len(train), poles),
            f"SlopeOne of {items} x {items} items",
            "ItemKNN(), which stores the nearest neighbors only, or ratings.k_core(min_item_ratings=20)",
        )
        self.mean_, _ = train.mean_std()
        item_means = group_mean(train.item, train.value, items, default=self.mean_)
        self.item_mean_ = item_means.astype(np.float32)
        self._store_ratings(train)
        self.difference_ = np.empty((poles, items, items), np.float32)
        self.common_ = np.empty((poles, items, items), np.int32)
        liked = train.value > self.user_mean_[train.user]
        with progress.start_task("SlopeOne", poles) as task:
            for pole in range(poles):
                rows = slice(None) if poles == 1 else liked == (pole == 0)
                part = train.item[rows], train.user[rows], train.value[rows]
                deviations(
                    *part,
                    len(train.users),
                    self.difference_[pole],
                    self.common_[pole],
                    resolve_threads(self.threads),
                )
                task.step()

    def _store_ratings(self, ratings: Ratings) -> None:
        """Store the ratings by user."""
        means = group_mean(ratings.user, ratings.value, len(ratings.users), default=self.mean_)
        self.user_mean_ = means.astype(np.float32)
        self.rated_start_, order = ratings.group_by_user()
        self.rated_ = ratings.item[order]
        self.rating_ = ratings.value[order]

    def _predict(self, pairs: Pairs) -> Prediction:
        total, weight = np.zeros(len(pairs)), np.zeros(len(pairs))
        for pole in range(len(self.common_)):
            pole_total, pole_weight = self._deviation_sums(pairs, pole)
            total, weight = total + pole_total, weight + pole_weight
        new_user, new_item = pairs.user < 0, pairs.item < 0
        baseline = self.user_mean_[pairs.user] if self.scheme == "plain" else 0
        value = baseline + np.divide(total, weight, out=np.zeros(len(pairs)), where=weight > 0)
        no_overlap = weight == 0
        value[no_overlap] = self.user_mean_[pairs.user[no_overlap]]
        value[new_user] = self.item_mean_[pairs.item[new_user]]
        value[new_user & new_item] = self.mean_
        return self._make_prediction(pairs, value)

    def _deviation_sums(self, pairs: Pairs, pole: int) -> tuple[Float64Array, Float64Array]:
        start, rated, rating = self.rated_start_, self.rated_, self.rating_
        if self.scheme == "bi_polar":
            user = np.repeat(np.arange(len(start) - 1, dtype=np.int32), np.diff(start))
            mask = (rating > self.user_mean_[user]) == (pole == 0)
            start = np.r_[0, np.cumsum(mask)][start]
            rated, rating = rated[mask], rating[mask]
        return deviation_sums(
            pairs.item, pairs.user, self.difference_[pole], self.common_[pole], start, rated, rating,
            self.scheme != "plain", resolve_threads(self.threads),
        )  # fmt: skip

    def contributions(self, pairs: Pairs) -> Contributions:
        """Return the user's mean, the item's (for an unknown user), and the shift by other ratings."""
        new_user, new_item = pairs.user < 0, pairs.item < 0
        user = np.where(new_user, 0, self.user_mean_[pairs.user].astype(np.float64) - self.mean_)
        item = np.where(new_user & ~new_item, self.item_mean_[pairs.item].astype(np.float64) - self.mean_, 0)
        other_ratings = self._predict(pairs).value - self.mean_ - user - item
        mean = np.full(len(pairs), self.mean_)
        values = np.column_stack([mean, user, item, other_ratings]).astype(np.float32)
        return Contributions(("mean", "user", "item", "other ratings"), values)

    def attribute_ratings(
        self, user: int, item: int, user_ratings: Ratings | None
    ) -> RatingAttribution | None:
        rows = slice(*self.rated_start_[user : user + 2].tolist())
        rated, rating = self.rated_[rows], self.rating_[rows].astype(np.float64)
        pole = (rating <= self.user_mean_[user]).astype(np.intp) if len(self.common_) > 1 else 0
        common = self.common_[pole, item, rated] * (rated != item)
        weight = (common > 0 if self.scheme == "plain" else common).astype(np.float64)
        shift = self.difference_[pole, item, rated].astype(np.float64)
        if self.scheme != "plain":
            shift += rating - self.user_mean_[user]
        used = weight > 0
        contribution = weight[used] * shift[used] / max(weight.sum(), 1e-300)
        return RatingAttribution("other ratings", "item", rated[used], rating[used], contribution)

    def _fold_in(self, new: Ratings, entity: Entity) -> Self:
        folded = with_new_ids(self, new, entity)
        folded._store_ratings(known_ratings(self, new, entity).replace(weight=None))
        return folded

    def set_state(self, state: dict[str, object]) -> Self:
        super().set_state(state)
        well_formed = are_lists(self.rated_start_, self.rated_, len(self.users_), len(self.items_))
        if not well_formed or (self.common_ < 0).any():
            raise ModelFileError("the lists of rated items in the file are malformed")
        poles = 2 if self.scheme == "bi_polar" else 1
        if len(self.common_) != poles:
            raise ModelFileError(f"a SlopeOne of scheme {self.scheme!r} has {poles} tables of differences")
        return self


def slope_one_bytes(items: int, ratings: int, poles: int) -> int:
    """Return the approximate peak memory of ``SlopeOne`` in bytes, besides the ratings."""
    return 8 * poles * items * items + 60 * ratings
