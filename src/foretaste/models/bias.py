"""Damped user and item biases."""

from __future__ import annotations

from typing import ClassVar, Self

import numpy as np

from foretaste._native import bias_descent
from foretaste._utils.groupby import group_mean, group_sum, safe_divide, sample_weights
from foretaste._utils.progress import Progress, ProgressTask
from foretaste.models.base import Model
from foretaste.models.fold_in import FoldInRows, fold_in_rows, with_new_ids
from foretaste.models.outputs import LinearForm, Prediction
from foretaste.params import estimator, fitted_attribute, param
from foretaste.ratings import Pairs, Ratings
from foretaste.typing import Entity, Float32Array, Float64Array


@estimator
class Bias(Model):
    r"""Predict the global mean plus a user and an item bias.

    :math:`\hat r_{ui} = \mu + b_u + b_i`, where the biases minimize

    .. math:: \sum_{(u,i)} w_{ui} (r_{ui} - \mu - b_u - b_i)^2
              + \lambda_u \sum_u b_u^2 + \lambda_i \sum_i b_i^2 .

    Solved by alternating least squares (users in closed form given the items, and vice versa) until no bias
    changes by more than a millionth of the standard deviation. An unknown user or item has bias 0.

    Koren, "Factor in the neighbors: scalable and accurate collaborative filtering", TKDD 4(1), 2010,
    section 2.1.
    """

    tags: ClassVar[frozenset[str]] = frozenset({"weights", "weights_exact"})
    summary: ClassVar[str] = "global mean plus shrunken user and item biases"
    fold_in_entities: ClassVar[frozenset[Entity]] = frozenset(Entity)

    method: str = param(
        "exact",
        "solver: alternating least squares until convergence, exactly `epochs` alternations starting with "
        "the items (as other libraries do), or stochastic gradient descent",
        choices=("exact", "als", "sgd"),
    )
    user_damping: float = param(5.0, "pseudo-count: number of prior ratings at the mean per user", low=0)
    item_damping: float = param(5.0, "pseudo-count: number of prior ratings at the mean per item", low=0)
    epochs: int = param(200, "maximal number of alternations; stops earlier on convergence", low=1)
    learning_rate: float = param(0.005, "learning rate of sgd", low=0, high=1, exclusive_low=True)
    regularization: float = param(0.02, "L2 regularization of sgd", low=0)

    mean_: float = fitted_attribute()
    user_bias_: Float32Array = fitted_attribute("users")
    item_bias_: Float32Array = fitted_attribute("items")

    def _fit(self, train: Ratings, progress: Progress) -> None:
        self.mean_, _ = train.mean_std()
        with progress.start_task("Bias", 1 if self.method == "sgd" else self.epochs) as task:
            if self.method == "sgd":
                user_bias, item_bias = self._fit_sgd(train)
                task.step()
            else:
                damping = self.user_damping, self.item_damping
                user_bias, item_bias = fit_biases(train, *damping, self.epochs, self.method == "als", task)
        self.user_bias_, self.item_bias_ = user_bias.astype(np.float32), item_bias.astype(np.float32)

    def _fit_sgd(self, train: Ratings) -> tuple[Float64Array, Float64Array]:
        """Return the biases by sgd over the ratings, user by user."""
        rows = train.group_by_user()[1]
        centered = train.value[rows].astype(np.float64) - self.mean_
        weight = None if train.weight is None else train.weight[rows]
        size = len(train.users), len(train.items)
        rates = self.learning_rate, self.regularization
        return bias_descent(train.user[rows], train.item[rows], centered, weight, *size, self.epochs, *rates)

    def _predict(self, pairs: Pairs) -> Prediction:
        user = np.where(pairs.user >= 0, self.user_bias_[pairs.user], 0)
        item = np.where(pairs.item >= 0, self.item_bias_[pairs.item], 0)
        return self._make_prediction(pairs, self.mean_ + user + item)

    def as_linear(self) -> LinearForm:
        return LinearForm.biases_only(self.mean_, self.user_bias_, self.item_bias_)

    def _fold_in(self, new: Ratings, entity: Entity) -> Self:
        fixed_bias = self.entity_array(entity.opposite, "bias")
        damping = self.user_damping if entity is Entity.USER else self.item_damping
        bias = self._solve_bias(fold_in_rows(self, new, entity), fixed_bias, damping)
        return with_new_ids(self, new, entity, bias=bias)

    def _solve_bias(self, rows: FoldInRows, fixed_bias: Float32Array, damping: float) -> Float32Array:
        residual = rows.value - self.mean_ - fixed_bias[rows.known_indices]
        columns = rows.new_indices, residual, rows.n_new, rows.weight
        if self.method == "sgd":  # whose L2 penalty applies per rating
            return (group_mean(*columns) / (1 + self.regularization)).astype(np.float32)
        return group_mean(*columns, damping=damping).astype(np.float32)


def fit_biases(
    train: Ratings,
    user_damping: float,
    item_damping: float,
    epochs: int,
    items_first: bool,
    task: ProgressTask,
) -> tuple[Float64Array, Float64Array]:
    """Return the biases of users and items, float64, by alternating least squares.

    Parameters
    ----------
    train : Ratings
    user_damping, item_damping : float
    epochs : int
        Maximal number of alternations.
    items_first : bool
        Start with the items and run all alternations; else start with the users and stop when no bias changes
        by more than a millionth of the standard deviation.
    task : ProgressTask
        Stepped at each alternation.
    """
    mean, std = train.mean_std()
    centered = train.value.astype(np.float64) - mean
    weight = sample_weights(train.weight, len(train))
    user_bias: Float64Array = np.zeros(len(train.users))
    item_bias: Float64Array = np.zeros(len(train.items))
    user_count = group_sum(train.user, weight, len(user_bias)) + user_damping
    item_count = group_sum(train.item, weight, len(item_bias)) + item_damping

    def solve(entity: Entity, count: Float64Array, fixed: Float64Array) -> Float64Array:
        codes, fixed_codes = train.axis(entity).codes, train.axis(entity.opposite).codes
        # one expression, which frees the temporary arrays at once
        return safe_divide(group_sum(codes, weight * (centered - fixed[fixed_codes]), len(count)), count)

    for _ in range(epochs):
        previous = user_bias, item_bias
        if items_first:
            item_bias = solve(Entity.ITEM, item_count, user_bias)
        user_bias = solve(Entity.USER, user_count, item_bias)
        if not items_first:
            item_bias = solve(Entity.ITEM, item_count, user_bias)
            shift = _optimal_shift(user_bias, item_bias, user_damping, item_damping)
            user_bias, item_bias = user_bias + shift, item_bias - shift
        max_change = max(np.abs(user_bias - previous[0]).max(), np.abs(item_bias - previous[1]).max())
        task.step()
        if max_change <= 1e-6 * std and not items_first:
            break
    return user_bias, item_bias


def _optimal_shift(
    user_bias: Float64Array, item_bias: Float64Array, user_damping: float, item_damping: float
) -> float:
    """Return the constant to move from all item to all user biases, which minimizes the penalty.

    Predictions do not change; alternation alone converges to it very slowly.
    """
    total = user_damping * len(user_bias) + item_damping * len(item_bias)
    gap = item_damping * item_bias.sum() - user_damping * user_bias.sum()
    return float(gap / total) if total > 0 else 0.0
