"""Baselines: the global mean, means of users, of items, and of both."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import numpy.typing as npt

from foretaste.models.answers import Floats, Linear, Prediction
from foretaste.models.base import Model, group_means
from foretaste.params import learned, model_class
from foretaste.progress import Progress
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
        return _biases(0.0, self.user_mean_, np.zeros(len(self.items_)))


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
        return _biases(0.0, np.zeros(len(self.users_)), self.item_mean_)


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
        return _biases(0.0, self.user_mean_ / 2, self.item_mean_ / 2)


def _biases(mean: float, user_bias: npt.NDArray[np.floating], item_bias: npt.NDArray[np.floating]) -> Linear:
    none = np.zeros((len(user_bias), 0), np.float32), np.zeros((len(item_bias), 0), np.float32)
    return Linear(mean, user_bias.astype(np.float32), item_bias.astype(np.float32), *none)
