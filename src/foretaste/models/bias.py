"""Damped user and item biases."""

from __future__ import annotations

from typing import ClassVar, Self

import numpy as np
import numpy.typing as npt

from foretaste._native import bias_descent
from foretaste._utils.progress import Progress, Task
from foretaste.models._groupby import damped_mean, sum_by
from foretaste.models.base import Model
from foretaste.models.fold_in import KnownRows, known_rows, with_items, with_users
from foretaste.models.outputs import Floats, Linear, Prediction
from foretaste.params import learned, model_class, param
from foretaste.ratings import Pairs, Ratings

_Doubles = npt.NDArray[np.float64]


@model_class
class Bias(Model):
    r"""Predict the global mean plus how far the user and the item usually lie from it.

    :math:`\hat r_{ui} = \mu + b_u + b_i`, where the biases minimise

    .. math:: \sum_{(u,i)} w_{ui} (r_{ui} - \mu - b_u - b_i)^2
              + \lambda_u \sum_u b_u^2 + \lambda_i \sum_i b_i^2 .

    Solved by exact alternation (each side in closed form, given the other) until no bias moves by more
    than a millionth of the standard deviation. An unknown user or item has bias 0.

    Koren, "Factor in the neighbors: scalable and accurate collaborative filtering", TKDD 4(1), 2010,
    section 2.1.
    """

    tags: ClassVar[frozenset[str]] = frozenset({"weights", "weights_exact"})
    summary: ClassVar[str] = "the mean plus a damped leaning of the user and of the item"

    method: str = param(
        "exact",
        "how they are found: by alternation until nothing moves, by just `epochs` alternations that begin "
        "with the items (as other libraries do), or by stochastic gradient descent",
        one_of=("exact", "als", "sgd"),
    )
    user_damping: float = param(5.0, "how many ratings at the mean a user is given beforehand", low=0)
    item_damping: float = param(5.0, "how many ratings at the mean an item is given beforehand", low=0)
    epochs: int = param(200, "the most alternations; it ends earlier when nothing moves", low=1)
    learning_rate: float = param(0.005, "the step of sgd", low=0, high=1, open_low=True)
    regularization: float = param(0.02, "how strongly sgd draws biases to 0", low=0)

    mean_: float = learned()
    user_bias_: Floats = learned("users")
    item_bias_: Floats = learned("items")

    def _fit(self, train: Ratings, progress: Progress) -> None:
        self.mean_, _ = train.moments()
        with progress.task("Bias", 1 if self.method == "sgd" else self.epochs) as task:
            if self.method == "sgd":
                user_bias, item_bias = self._descend(train)
                task.step()
            else:
                damping = self.user_damping, self.item_damping
                user_bias, item_bias = alternate(train, *damping, self.epochs, self.method == "als", task)
        self.user_bias_, self.item_bias_ = user_bias.astype(np.float32), item_bias.astype(np.float32)

    def _descend(self, train: Ratings) -> tuple[_Doubles, _Doubles]:
        """Walk the ratings user by user, each moving the bias of its user and of its item."""
        rows = train.by_user()[1]
        centred = train.value[rows].astype(np.float64) - self.mean_
        weight = None if train.weight is None else train.weight[rows]
        size = len(train.users), len(train.items)
        rates = self.learning_rate, self.regularization
        return bias_descent(train.user[rows], train.item[rows], centred, weight, *size, self.epochs, *rates)

    def _predict(self, pairs: Pairs) -> Prediction:
        user = np.where(pairs.user >= 0, self.user_bias_[pairs.user], 0)
        item = np.where(pairs.item >= 0, self.item_bias_[pairs.item], 0)
        return self._prediction(pairs, self.mean_ + user + item)

    def _linear(self) -> Linear:
        none = np.zeros((len(self.users_), 0), np.float32), np.zeros((len(self.items_), 0), np.float32)
        return Linear(self.mean_, self.user_bias_, self.item_bias_, *none)

    def _fold_in(self, new: Ratings) -> Self:
        """Return a model of the new users: the bias of each is the best, given those of the items."""
        rows = known_rows(self, new)
        return with_users(self, new, user_bias_=self._best(rows, self.item_bias_, self.user_damping))

    def _fold_in_items(self, new: Ratings) -> Self:
        rows = known_rows(self, new, "item")
        return with_items(self, new, item_bias_=self._best(rows, self.user_bias_, self.item_damping))

    def _best(self, rows: KnownRows, others: Floats, damping: float) -> Floats:
        left = rows.value - self.mean_ - others[rows.other]
        if self.method == "sgd":  # which draws to 0 with each rating
            total = sum_by(rows.own, rows.weight, rows.size)
            plain = damped_mean(rows.own, left, rows.weight, rows.size, 0.0)
            return np.where(total > 0, plain / (1 + self.regularization), 0).astype(np.float32)
        return damped_mean(rows.own, left, rows.weight, rows.size, damping).astype(np.float32)


def alternate(
    train: Ratings, user_damping: float, item_damping: float, epochs: int, items_first: bool, task: Task
) -> tuple[_Doubles, _Doubles]:
    """Return the biases of users and items in float64: each side in closed form, given the other, in turn.

    Parameters
    ----------
    train : Ratings
    user_damping, item_damping : float
    epochs : int
        The most alternations.
    items_first : bool
        Begin with the items and make all alternations; else begin with the users and end when no bias moves
        by more than a millionth of the standard deviation.
    task : Task
        Told of each alternation.
    """
    mean, spread = train.moments()
    centred = train.value.astype(np.float64) - mean
    weight = np.ones(len(train)) if train.weight is None else train.weight.astype(np.float64)
    user_bias: _Doubles = np.zeros(len(train.users))
    item_bias: _Doubles = np.zeros(len(train.items))
    user_count = np.bincount(train.user, weight, len(user_bias)).astype(np.float64) + user_damping
    item_count = np.bincount(train.item, weight, len(item_bias)).astype(np.float64) + item_damping
    for _ in range(epochs):
        before = user_bias, item_bias
        if items_first:
            item_bias = _damped(train.item, weight * (centred - user_bias[train.user]), item_count)
        user_bias = _damped(train.user, weight * (centred - item_bias[train.item]), user_count)
        if not items_first:
            item_bias = _damped(train.item, weight * (centred - user_bias[train.user]), item_count)
            shift = _shift(user_bias, item_bias, user_damping, item_damping)
            user_bias, item_bias = user_bias + shift, item_bias - shift
        moved = max(np.abs(user_bias - before[0]).max(), np.abs(item_bias - before[1]).max())
        task.step()
        if moved <= 1e-6 * spread and not items_first:
            break
    return user_bias, item_bias


def _shift(user_bias: _Doubles, item_bias: _Doubles, user_damping: float, item_damping: float) -> float:
    """Return what is best moved from all items to all users, which leaves every prediction as it is.

    Alternation alone finds it very slowly, as only the damping asks for it.
    """
    total = user_damping * len(user_bias) + item_damping * len(item_bias)
    gap = item_damping * item_bias.sum() - user_damping * user_bias.sum()
    return float(gap / total) if total > 0 else 0.0


def _damped(codes: npt.NDArray[np.int32], residual: _Doubles, count: _Doubles) -> _Doubles:
    """Return the sum of each group's residuals over its damped count, 0 where that is 0."""
    total = np.bincount(codes, residual, len(count)).astype(np.float64)
    return np.divide(total, count, out=np.zeros_like(total), where=count > 0)
