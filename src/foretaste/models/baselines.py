"""Baselines: global mean, user means, item means and both."""

from __future__ import annotations

from typing import ClassVar, Self

import numpy as np

from foretaste._utils.progress import Progress
from foretaste.models._groupby import group_mean_rating
from foretaste.models.base import Model
from foretaste.models.fold_in import known_ratings, with_new_ids
from foretaste.models.outputs import LinearForm, Prediction
from foretaste.params import estimator, fitted_attribute
from foretaste.ratings import Pairs, Ratings
from foretaste.typing import Entity, Float32Array, Float64Array


@estimator
class GlobalMean(Model):
    r"""Predict the global mean.

    :math:`\hat r_{ui} = \mu`. The baseline of every other model. Unknown users and items get it, too.
    """

    tags: ClassVar[frozenset[str]] = frozenset({"weights", "weights_exact"})
    summary: ClassVar[str] = "global mean"
    fold_in_entities: ClassVar[frozenset[Entity]] = frozenset(Entity)

    mean_: float = fitted_attribute()

    def _fit(self, train: Ratings, progress: Progress) -> None:
        self.mean_, _ = train.mean_std()

    def _predict(self, pairs: Pairs) -> Prediction:
        return self._make_prediction(pairs, np.full(len(pairs), self.mean_))

    def as_linear(self) -> LinearForm:
        return _bias_form(self.mean_, np.zeros(len(self.users_)), np.zeros(len(self.items_)))

    def _fold_in(self, new: Ratings, entity: Entity) -> Self:
        return with_new_ids(self, new, entity)


@estimator
class UserMean(Model):
    r"""Predict the mean rating of the user.

    :math:`\hat r_{ui} = \mu_u`. An unknown user gets the global mean.
    """

    tags: ClassVar[frozenset[str]] = frozenset({"weights", "weights_exact"})
    summary: ClassVar[str] = "mean rating of the user"
    fold_in_entities: ClassVar[frozenset[Entity]] = frozenset(Entity)

    mean_: float = fitted_attribute()
    user_mean_: Float32Array = fitted_attribute("users")

    def _fit(self, train: Ratings, progress: Progress) -> None:
        self.mean_, _ = train.mean_std()
        self.user_mean_ = group_mean_rating(train.user, len(train.users), train, self.mean_)

    def _predict(self, pairs: Pairs) -> Prediction:
        return self._make_prediction(
            pairs, np.where(pairs.user >= 0, self.user_mean_[pairs.user], self.mean_)
        )

    def as_linear(self) -> LinearForm:
        return _bias_form(self.mean_, self.user_mean_ - np.float64(self.mean_), np.zeros(len(self.items_)))

    def _fold_in(self, new: Ratings, entity: Entity) -> Self:
        if entity is Entity.ITEM:
            return with_new_ids(self, new, entity)
        return with_new_ids(self, new, entity, mean=_fold_in_means(self, new, entity))


@estimator
class ItemMean(Model):
    r"""Predict the mean rating of the item.

    :math:`\hat r_{ui} = \mu_i`. An unknown item gets the global mean.
    """

    tags: ClassVar[frozenset[str]] = frozenset({"weights", "weights_exact"})
    summary: ClassVar[str] = "mean rating of the item"
    fold_in_entities: ClassVar[frozenset[Entity]] = frozenset(Entity)

    mean_: float = fitted_attribute()
    item_mean_: Float32Array = fitted_attribute("items")

    def _fit(self, train: Ratings, progress: Progress) -> None:
        self.mean_, _ = train.mean_std()
        self.item_mean_ = group_mean_rating(train.item, len(train.items), train, self.mean_)

    def _predict(self, pairs: Pairs) -> Prediction:
        return self._make_prediction(
            pairs, np.where(pairs.item >= 0, self.item_mean_[pairs.item], self.mean_)
        )

    def as_linear(self) -> LinearForm:
        return _bias_form(self.mean_, np.zeros(len(self.users_)), self.item_mean_ - np.float64(self.mean_))

    def _fold_in(self, new: Ratings, entity: Entity) -> Self:
        if entity is Entity.USER:
            return with_new_ids(self, new, entity)
        return with_new_ids(self, new, entity, mean=_fold_in_means(self, new, entity))


@estimator
class UserItemMean(Model):
    r"""Predict halfway between the mean rating of the user and that of the item.

    :math:`\hat r_{ui} = (\mu_u + \mu_i) / 2`. The mean of an unknown user or item is the
    global mean.
    """

    tags: ClassVar[frozenset[str]] = frozenset({"weights", "weights_exact"})
    summary: ClassVar[str] = "average of the user's and the item's mean"
    fold_in_entities: ClassVar[frozenset[Entity]] = frozenset(Entity)

    mean_: float = fitted_attribute()
    user_mean_: Float32Array = fitted_attribute("users")
    item_mean_: Float32Array = fitted_attribute("items")

    def _fit(self, train: Ratings, progress: Progress) -> None:
        self.mean_, _ = train.mean_std()
        self.user_mean_ = group_mean_rating(train.user, len(train.users), train, self.mean_)
        self.item_mean_ = group_mean_rating(train.item, len(train.items), train, self.mean_)

    def _predict(self, pairs: Pairs) -> Prediction:
        user = np.where(pairs.user >= 0, self.user_mean_[pairs.user], self.mean_)
        item = np.where(pairs.item >= 0, self.item_mean_[pairs.item], self.mean_)
        return self._make_prediction(pairs, (user + item) / 2)

    def as_linear(self) -> LinearForm:
        mean = np.float64(self.mean_)
        return _bias_form(self.mean_, (self.user_mean_ - mean) / 2, (self.item_mean_ - mean) / 2)

    def _fold_in(self, new: Ratings, entity: Entity) -> Self:
        return with_new_ids(self, new, entity, mean=_fold_in_means(self, new, entity))


def _fold_in_means(model: UserMean | ItemMean | UserItemMean, new: Ratings, entity: Entity) -> Float32Array:
    """Return the means of new users (or items) over rows of known items (or users)."""
    known = known_ratings(model, new, entity)
    axis = known.axis(entity)
    return group_mean_rating(axis.codes, len(axis.ids), known, model.mean_)


def _bias_form(mean: float, user_bias: Float64Array, item_bias: Float64Array) -> LinearForm:
    no_factors = np.zeros((len(user_bias), 0), np.float32), np.zeros((len(item_bias), 0), np.float32)
    return LinearForm(mean, user_bias.astype(np.float32), item_bias.astype(np.float32), *no_factors)
