"""Biased matrix factorization by stochastic gradient descent."""

from __future__ import annotations

import logging
from typing import ClassVar

import numpy as np

from foretaste._native import SgdPlan, dot_pairs
from foretaste._utils.progress import Progress
from foretaste._utils.threads import resolve_threads
from foretaste.models._factor_model import RidgeFactorModel
from foretaste.models._sgd import SgdState, learning_rate_at, n_blocks, sample_factors, schedule_param
from foretaste.params import estimator, fitted_attribute, param, seed_param, threads_param
from foretaste.ratings import Ratings
from foretaste.typing import Float32Array, IndexArray, IntpArray

log = logging.getLogger("foretaste")


@estimator
class SVD(RidgeFactorModel):
    r"""Matrix factorization with biases, fitted by stochastic gradient descent.

    :math:`\hat r_{ui} = \mu + \sigma (b_u + b_i + p_u \cdot q_i)`, where, over ratings in standard
    deviations :math:`z = (r - \mu) / \sigma`, biases and factors minimize

    .. math:: \sum_{(u,i)} w_{ui} \left[ (z_{ui} - b_u - b_i - p_u \cdot q_i)^2
              + \lambda (b_u^2 + b_i^2 + \lVert p_u \rVert^2 + \lVert q_i \rVert^2) \right] .

    Ratings are standardized, so the defaults suit any scale. The order of updates depends on the data and the
    seed, not on the number of threads, and so does every bit of the result. An unknown user or item has bias
    and factors 0.

    With ``biased=False`` there are no biases, :math:`\hat r_{ui} = \mu + \sigma p_u \cdot q_i`: probabilistic
    matrix factorization. The mean stays, so that the model is independent of the scale; an unknown user
    or item gets the mean.

    New users, and new items, are folded in by one ridge regression each on the opposite entity's vectors:
    :math:`x = (b, p)` minimizes :math:`\sum_j w_j (z_j - v_j \cdot x)^2 + s^2 x^\top C^{-1} x`, where
    :math:`C` is the covariance of the fitted vectors about 0, and :math:`s` the RMSE in training: the maximum
    a posteriori estimate.

    Funk, "Netflix update: try this at home", 2006; Koren, Bell and Volinsky, "Matrix factorization
    techniques for recommender systems", IEEE Computer 42(8), 2009; blocks that share no user and no item:
    Gemulla et al., KDD 2011. Without biases: Salakhutdinov and Mnih, "Probabilistic matrix factorization",
    NIPS 2007.
    """

    tags: ClassVar[frozenset[str]] = frozenset({"weights"})
    summary: ClassVar[str] = "matrix factorization with biases, by stochastic gradient descent"

    factors: int = param(64, "number of latent factors", low=1, high=4096)
    biased: bool = param(True, "fit user and item biases; without them it is PMF")
    epochs: int = param(50, "number of passes over the training ratings", low=1)
    learning_rate: float = param(
        0.02, "initial learning rate, on standardized ratings", low=0, high=1, exclusive_low=True
    )
    regularization: float = param(0.04, "L2 regularization of biases and factors", low=0)
    init_std: float = param(0.001, "standard deviation of the initial factors", low=0)
    schedule: str = schedule_param("linear")
    validation_fraction: float = param(
        0.0,
        "fraction of the training ratings held out for early stopping; the model is then refitted on all "
        "ratings with the best number of epochs; 0 is off",
        low=0,
        high=0.5,
    )
    patience: int = param(5, "early stopping: number of epochs without improvement", low=1)
    seed: int = seed_param()
    threads: int | None = threads_param()

    epochs_: int = fitted_attribute()
    train_rmse_: Float32Array = fitted_attribute("epochs")
    valid_rmse_: Float32Array = fitted_attribute("validated")

    def _fit(self, train: Ratings, progress: Progress) -> None:
        self.mean_, self.std_ = train.mean_std()
        standardized = self._standardize(train.value).astype(np.float32)
        rows = np.arange(len(train))
        epochs, self.valid_rmse_ = self.epochs, np.empty(0, np.float32)
        n_valid = round(self.validation_fraction * len(train))
        if n_valid:
            shuffled = np.random.default_rng(self.seed).permutation(len(train))
            valid_rows, train_rows = np.sort(shuffled[:n_valid]), np.sort(shuffled[n_valid:])
            epochs, self.valid_rmse_ = self._find_best_epochs(
                train, standardized, train_rows, valid_rows, progress
            )
        state, losses = self._init_state(train, standardized, rows), []
        with progress.start_task("SVD", epochs) as task:
            for epoch in range(epochs):
                losses.append(self.std_ * self._run_epoch(state, epoch))
                task.step(note=f"train RMSE {losses[-1]:.4f}")
        self.epochs_, self.train_rmse_ = epochs, np.array(losses, np.float32)
        if not self.biased and losses[-1] > 0.98 * self.std_:  # factors near 0 grow slowly
            log.warning(
                "SVD hardly improves on the mean (train RMSE %.4f, standard deviation %.4f); there are too "
                "few ratings for these steps: try more epochs, or a larger init_std, such as 0.03",
                losses[-1], self.std_,
            )  # fmt: skip
        user_factors, item_factors, self.user_bias_, self.item_bias_ = _in_index_order(state)
        self.user_factors_ = np.ascontiguousarray(user_factors[:, : self.factors])
        self.item_factors_ = np.ascontiguousarray(item_factors[:, : self.factors])
        self._set_prior_precision(losses[-1])

    def _has_biases(self) -> bool:
        return self.biased

    def _find_best_epochs(
        self,
        train: Ratings,
        standardized: Float32Array,
        train_rows: IntpArray,
        valid_rows: IntpArray,
        progress: Progress,
    ) -> tuple[int, Float32Array]:
        """Return the number of epochs of least validation RMSE, and the RMSE of each epoch."""
        state, errors = self._init_state(train, standardized, train_rows), list[float]()
        with progress.start_task("SVD early stopping", self.epochs) as task:
            for epoch in range(self.epochs):
                self._run_epoch(state, epoch)
                predicted = dot_pairs(
                    train.user[valid_rows],
                    train.item[valid_rows],
                    *_in_index_order(state),
                    0.0,
                    state.threads,
                )
                errors.append(
                    self.std_ * float(np.sqrt(np.mean((predicted - standardized[valid_rows]) ** 2)))
                )
                task.step(note=f"valid RMSE {errors[-1]:.4f}")
                if epoch - int(np.argmin(errors)) >= self.patience:
                    break
        return int(np.argmin(errors)) + 1, np.array(errors, np.float32)

    def _init_state(self, train: Ratings, standardized: Float32Array, rows: IntpArray) -> SgdState:
        """Arrange the ratings in blocks and sample the initial factors."""
        part = train.user[rows], train.item[rows], standardized[rows]
        weight = None if train.weight is None else train.weight[rows]
        size = len(train.users), len(train.items)
        plan = SgdPlan(*part, weight, *size, n_blocks(len(rows), *size))
        random = np.random.default_rng(self.seed)
        factors = [
            sample_factors(random, n, self.factors, self.init_std, order)
            for n, order in zip(size, (plan.user_order(), plan.item_order()), strict=True)
        ]
        total_weight = float(len(rows) if weight is None else weight.sum(dtype=np.float64))
        return SgdState(plan, factors, total_weight, resolve_threads(self.threads))

    def _run_epoch(self, state: SgdState, epoch: int) -> float:
        """Run one pass over the ratings; return the RMSE during it, in standard deviations."""
        learning_rate = learning_rate_at(self.schedule, self.learning_rate, epoch / self.epochs)
        bias_learning_rate = learning_rate if self.biased else 0.0  # biases stay at their initial 0
        return state.run_epoch(learning_rate, self.regularization, bias_learning_rate, self.regularization)


def _in_index_order(state: SgdState) -> tuple[Float32Array, Float32Array, Float32Array, Float32Array]:
    """Return factors and biases of users and items in the order of their indices instead of the plan's."""
    assert isinstance(state.plan, SgdPlan)  # noqa: S101 - for the type checker
    user_order, item_order = state.plan.user_order(), state.plan.item_order()

    def restore(order: IndexArray, table: Float32Array) -> Float32Array:
        restored = np.empty_like(table)
        restored[order] = table
        return restored

    return (
        restore(user_order, state.factors[0]),
        restore(item_order, state.factors[1]),
        restore(user_order, state.user_bias),
        restore(item_order, state.item_bias),
    )
