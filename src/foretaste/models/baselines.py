"""Baselines: the global mean, means of users, of items, and of both."""

from __future__ import annotations

from typing import ClassVar, Self

import numpy as np

from foretaste._utils.progress import Progress
from foretaste.models._groupby import Numbers
from foretaste.models.base import Model, group_means
from foretaste.models.fold_in import known_items, known_users, with_items, with_users
from foretaste.models.outputs import Floats, Linear, Prediction
from foretaste.params import learned, model_class
from foretaste.ratings import Pairs, Ratings


@model_class
class GlobalMean(Model):
    r"""Predict the mean of all ratings, for everyone and everything.

    :math:`\hat r_{ui} = \mu`. The line that any other model has to beat. Unknown users and items get it too.
    """

    tags: ClassVar[frozenset[str]] = frozenset({"weights", "weights_exact"})
    summary: ClassVar[str] = "the mean of all ratings"

    mean_: float = learned()

    def _fit(self, train: Ratings, progress: Progress) -> None:
        self.mean_, _ = train.moments()

    def _predict(self, pairs: Pairs) -> Prediction:
        return self._prediction(pairs, np.full(len(pairs), self.mean_))

    def _linear(self) -> Linear:
        return _biases(self.mean_, np.zeros(len(self.users_)), np.zeros(len(self.items_)))

    def _fold_in(self, new: Ratings) -> Self:
        return with_users(self, new)

    def _fold_in_items(self, new: Ratings) -> Self:
        return with_items(self, new)


@model_class
class UserMean(Model):
    r"""Predict the mean rating of the user.

    :math:`\hat r_{ui} = \mu_u`. An unknown user gets the mean of all ratings.
    """

    tags: ClassVar[frozenset[str]] = frozenset({"weights", "weights_exact"})
    summary: ClassVar[str] = "the mean rating of the user"

    mean_: float = learned()
    user_mean_: Floats = learned("users")

    def _fit(self, train: Ratings, progress: Progress) -> None:
        self.mean_, _ = train.moments()
        self.user_mean_ = group_means(train.user, len(train.users), train, self.mean_)

    def _predict(self, pairs: Pairs) -> Prediction:
        return self._prediction(pairs, np.where(pairs.user >= 0, self.user_mean_[pairs.user], self.mean_))

    def _linear(self) -> Linear:
        return _biases(self.mean_, self.user_mean_ - np.float64(self.mean_), np.zeros(len(self.items_)))

    def _fold_in(self, new: Ratings) -> Self:
        return with_users(self, new, user_mean_=_user_means(self, new))

    def _fold_in_items(self, new: Ratings) -> Self:
        return with_items(self, new)


@model_class
class ItemMean(Model):
    r"""Predict the mean rating of the item.

    :math:`\hat r_{ui} = \mu_i`. An unknown item gets the mean of all ratings.
    """

    tags: ClassVar[frozenset[str]] = frozenset({"weights", "weights_exact"})
    summary: ClassVar[str] = "the mean rating of the item"

    mean_: float = learned()
    item_mean_: Floats = learned("items")

    def _fit(self, train: Ratings, progress: Progress) -> None:
        self.mean_, _ = train.moments()
        self.item_mean_ = group_means(train.item, len(train.items), train, self.mean_)

    def _predict(self, pairs: Pairs) -> Prediction:
        return self._prediction(pairs, np.where(pairs.item >= 0, self.item_mean_[pairs.item], self.mean_))

    def _linear(self) -> Linear:
        return _biases(self.mean_, np.zeros(len(self.users_)), self.item_mean_ - np.float64(self.mean_))

    def _fold_in(self, new: Ratings) -> Self:
        return with_users(self, new)

    def _fold_in_items(self, new: Ratings) -> Self:
        return with_items(self, new, item_mean_=_item_means(self, new))


@model_class
class UserItemMean(Model):
    r"""Predict halfway between the mean rating of the user and that of the item.

    :math:`\hat r_{ui} = (\mu_u + \mu_i) / 2`. If one of the two is unknown, the mean of all ratings
    stands in its place.
    """

    tags: ClassVar[frozenset[str]] = frozenset({"weights", "weights_exact"})
    summary: ClassVar[str] = "halfway between the means of the user and of the item"

    mean_: float = learned()
    user_mean_: Floats = learned("users")
    item_mean_: Floats = learned("items")

    def _fit(self, train: Ratings, progress: Progress) -> None:
        self.mean_, _ = train.moments()
        self.user_mean_ = group_means(train.user, len(train.users), train, self.mean_)
        self.item_mean_ = group_means(train.item, len(train.items), train, self.mean_)

    def _predict(self, pairs: Pairs) -> Prediction:
        user = np.where(pairs.user >= 0, self.user_mean_[pairs.user], self.mean_)
        item = np.where(pairs.item >= 0, self.item_mean_[pairs.item], self.mean_)
        return self._prediction(pairs, (user + item) / 2)

    def _linear(self) -> Linear:
        mean = np.float64(self.mean_)
        return _biases(self.mean_, (self.user_mean_ - mean) / 2, (self.item_mean_ - mean) / 2)

    def _fold_in(self, new: Ratings) -> Self:
        return with_users(self, new, user_mean_=_user_means(self, new))

    def _fold_in_items(self, new: Ratings) -> Self:
        return with_items(self, new, item_mean_=_item_means(self, new))


def _user_means(model: UserMean | UserItemMean, new: Ratings) -> Floats:
    """Return the means of new users over items that the model knows, as training would have it."""
    rated = known_items(model, new)
    return group_means(rated.user, len(rated.users), rated, model.mean_)


def _item_means(model: ItemMean | UserItemMean, new: Ratings) -> Floats:
    rated = known_users(model, new)
    return group_means(rated.item, len(rated.items), rated, model.mean_)


def _biases(mean: float, user_bias: Numbers, item_bias: Numbers) -> Linear:
    none = np.zeros((len(user_bias), 0), np.float32), np.zeros((len(item_bias), 0), np.float32)
    return Linear(mean, user_bias.astype(np.float32), item_bias.astype(np.float32), *none)
