"""Models without parameters of user and item together: means, popularity, random numbers."""

from __future__ import annotations

from typing import ClassVar, Self

import numpy as np

from foretaste._utils.groupby import group_mean, group_sum, sample_weights
from foretaste._utils.progress import Progress
from foretaste.models._calibration import fit_increasing_line
from foretaste.models.base import Model
from foretaste.models.fold_in import known_ratings, with_new_ids
from foretaste.models.outputs import LinearForm, Prediction
from foretaste.params import estimator, fitted_attribute, param, seed_param
from foretaste.ratings import Pairs, Ratings
from foretaste.typing import AnyArray, Entity, Float32Array, Float64Array, UInt64Array

_MIX = np.array([0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB], dtype=np.uint64)


@estimator
class MeanModel(Model):
    """Base of the models that predict the global mean, or the average of the means of ``mean_entities``.

    An unknown user or item has the global mean.
    """

    tags: ClassVar[frozenset[str]] = frozenset({"weights", "weights_exact"})
    fold_in_entities: ClassVar[frozenset[Entity]] = frozenset(Entity)
    mean_entities: ClassVar[tuple[Entity, ...]] = ()  # of whose fitted means the prediction is the average

    mean_: float = fitted_attribute()

    def _fit(self, train: Ratings, progress: Progress) -> None:
        self.mean_, _ = train.mean_std()
        for entity in self.mean_entities:
            self.set_entity_array(entity, "mean", self._compute_means(train, entity))

    def _compute_means(self, ratings: Ratings, entity: Entity) -> Float32Array:
        axis = ratings.axis(entity)
        means = group_mean(axis.codes, ratings.value, len(axis.ids), ratings.weight, default=self.mean_)
        return means.astype(np.float32)

    def _predict(self, pairs: Pairs) -> Prediction:
        means = [
            np.where(codes >= 0, self.entity_array(entity, "mean")[codes], self.mean_)
            for entity, codes in ((entity, pairs.axis(entity).codes) for entity in self.mean_entities)
        ]
        value = np.mean(means, axis=0) if means else np.full(len(pairs), self.mean_)
        return self._make_prediction(pairs, value)

    def as_linear(self) -> LinearForm:
        return LinearForm.biases_only(self.mean_, self._offset(Entity.USER), self._offset(Entity.ITEM))

    def _offset(self, entity: Entity) -> AnyArray:
        """Return the bias of each user (or item) in the linear form."""
        if entity not in self.mean_entities:
            return np.zeros(len(self.entity_ids(entity)))
        means: Float32Array = self.entity_array(entity, "mean")
        return (means - np.float64(self.mean_)) / len(self.mean_entities)

    def _fold_in(self, new: Ratings, entity: Entity) -> Self:
        if entity not in self.mean_entities:
            return with_new_ids(self, new, entity)
        means = self._compute_means(known_ratings(self, new, entity), entity)
        return with_new_ids(self, new, entity, mean=means)


@estimator
class GlobalMean(MeanModel):
    r"""Predict the global mean.

    :math:`\hat r_{ui} = \mu`. The baseline of every other model. Unknown users and items get it, too.
    """

    summary: ClassVar[str] = "global mean"


@estimator
class UserMean(MeanModel):
    r"""Predict the mean rating of the user.

    :math:`\hat r_{ui} = \mu_u`. An unknown user gets the global mean.
    """

    summary: ClassVar[str] = "mean rating of the user"
    mean_entities: ClassVar[tuple[Entity, ...]] = (Entity.USER,)

    user_mean_: Float32Array = fitted_attribute("users")


@estimator
class ItemMean(MeanModel):
    r"""Predict the mean rating of the item.

    :math:`\hat r_{ui} = \mu_i`. An unknown item gets the global mean.
    """

    summary: ClassVar[str] = "mean rating of the item"
    mean_entities: ClassVar[tuple[Entity, ...]] = (Entity.ITEM,)

    item_mean_: Float32Array = fitted_attribute("items")


@estimator
class UserItemMean(MeanModel):
    r"""Predict halfway between the mean rating of the user and that of the item.

    :math:`\hat r_{ui} = (\mu_u + \mu_i) / 2`. The mean of an unknown user or item is the
    global mean.
    """

    summary: ClassVar[str] = "average of the user's and the item's mean"
    mean_entities: ClassVar[tuple[Entity, ...]] = (Entity.USER, Entity.ITEM)

    user_mean_: Float32Array = fitted_attribute("users")
    item_mean_: Float32Array = fitted_attribute("items")


@estimator
class Popularity(Model):
    r"""Predict a rating that increases with the popularity of the item.

    With ``rank_by="count"``, :math:`\hat r_{ui} = a + b \log(1 + n_i)`, where :math:`n_i` is the number of
    ratings of the item (the sum of their weights), and :math:`a, b` are a least-squares fit to the training
    ratings. Items always rank by their number of ratings: where popular items are not rated higher, :math:`b`
    is such that the line rises by a tenth of a standard deviation from the least to the most rated item. The
    slope is reduced where the line would leave the range of the ratings, since clipped predictions tie.

    With ``rank_by="mean"``, :math:`\hat r_{ui} = \mu + \sum_u w_{ui} (r_{ui} - \mu) / (n_i + \lambda)`, the
    mean of the item shrunken by :math:`\lambda` pseudo-counts at the global mean.

    An unknown item has 0 ratings. Predictions do not depend on the user.

    Cremonesi, Koren and Turrin, "Performance of recommender algorithms on top-n recommendation tasks", RecSys
    2010, measure how hard the list of the most popular is to beat.
    """

    tags: ClassVar[frozenset[str]] = frozenset({"weights", "weights_exact"})
    summary: ClassVar[str] = "increasing function of the number of ratings, or the shrunken item mean"
    fold_in_entities: ClassVar[frozenset[Entity]] = frozenset({Entity.USER})

    rank_by: str = param(
        "count", "rank items by number of ratings, or by mean rating", choices=("count", "mean")
    )
    damping: float = param(
        5.0, 'rank_by="mean": pseudo-count, number of prior ratings at the mean per item', low=0
    )

    mean_: float = fitted_attribute()
    item_bias_: Float32Array = fitted_attribute("items")

    def _fit(self, train: Ratings, progress: Progress) -> None:
        weight, n = sample_weights(train.weight, len(train)), len(train.items)
        mean, _ = train.mean_std()
        if self.rank_by == "mean":
            centered = train.value.astype(np.float64) - mean
            bias = group_mean(train.item, centered, n, weight, damping=self.damping)
        else:
            score = np.log1p(group_sum(train.item, weight, n))
            ends = (0.0, float(score.max())), (self.low_, self.high_)
            mean, slope = fit_increasing_line(score[train.item], train.value, weight, ends)
            bias = slope * score
        self.mean_, self.item_bias_ = mean, bias.astype(np.float32)

    def _predict(self, pairs: Pairs) -> Prediction:
        value = self.mean_ + np.where(pairs.item >= 0, self.item_bias_[pairs.item], 0)
        return self._make_prediction(pairs, value)

    def as_linear(self) -> LinearForm:
        return LinearForm.biases_only(self.mean_, np.zeros(len(self.users_)), self.item_bias_)

    def _fold_in(self, new: Ratings, entity: Entity) -> Self:
        return with_new_ids(self, new, entity)


@estimator
class NormalRandom(Model):
    r"""Predict a random number from the normal distribution of the training ratings.

    :math:`\hat r_{ui} \sim N(\mu, \sigma^2)`. The score of a model that knows nothing of users and items.
    The number is a function of seed and pair, so predictions are repeatable; all unknown users are one user,
    and so are all unknown items.
    """

    tags: ClassVar[frozenset[str]] = frozenset({"weights", "weights_exact", "random"})
    summary: ClassVar[str] = "random predictions with the mean and standard deviation of the ratings"

    seed: int = seed_param(high=2**32 - 1)

    mean_: float = fitted_attribute()
    std_: float = fitted_attribute()

    def _fit(self, train: Ratings, progress: Progress) -> None:
        self.mean_, self.std_ = train.mean_std()

    def _predict(self, pairs: Pairs) -> Prediction:
        key = (pairs.user.astype(np.int64) + 1).astype(np.uint64) << np.uint64(32)
        key |= (pairs.item.astype(np.int64) + 1).astype(np.uint64)
        first, second = _uniform(key, 2 * self.seed), _uniform(key, 2 * self.seed + 1)
        normal = np.sqrt(-2 * np.log(first)) * np.cos(2 * np.pi * second)  # Box and Muller 1958
        return self._make_prediction(pairs, self.mean_ + self.std_ * normal)


def _uniform(key: UInt64Array, stream: int) -> Float64Array:
    """Return numbers in (0, 1] from a counter (splitmix64: Steele, Lea and Flood 2014)."""
    with np.errstate(over="ignore"):
        x = (key ^ np.uint64(stream)) * _MIX[0] + _MIX[0] * np.uint64(stream + 1)
        x = (x ^ (x >> np.uint64(30))) * _MIX[1]
        x = (x ^ (x >> np.uint64(27))) * _MIX[2]
        x = x ^ (x >> np.uint64(31))
    return np.asarray(((x >> np.uint64(11)).astype(np.float64) + 1) / 2**53)
