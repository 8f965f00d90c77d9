"""Matrix factorization with biases and implicit feedback (SVD++)."""

from __future__ import annotations

from typing import Any, ClassVar, Self

import numpy as np

from foretaste._native import dot_pairs
from foretaste._utils.progress import Progress
from foretaste._utils.threads import resolve_threads
from foretaste.models._factor_model import RidgeFactorModel
from foretaste.models._implicit_sgd import ImplicitSgdState, init_implicit_sgd, sum_implicit_factors
from foretaste.models._sgd import learning_rate_at, schedule_param
from foretaste.models.fold_in import FoldInRows, fold_in_rows, with_new_ids
from foretaste.params import estimator, fitted_attribute, param, seed_param, threads_param
from foretaste.ratings import Ratings
from foretaste.typing import Entity, Float32Array, Float64Array


@estimator
class SVDpp(RidgeFactorModel):
    r"""Matrix factorization with implicit feedback: which items a user rated, whatever the ratings (SVD++).

    .. math:: \hat r_{ui} = \mu + \sigma \Bigl( b_u + b_i
              + q_i \cdot \bigl( p_u + |N(u)|^{-1/2} \sum_{j \in N(u)} y_j \bigr) \Bigr)

    :math:`N(u)` are the items that the user rated in the training ratings, with a weight above 0. Over
    ratings in standard deviations, biases and factors are fitted by stochastic gradient descent on the
    squared error, with L2 penalties ``regularization`` of :math:`b_u, b_i, p_u, q_i` and
    ``implicit_regularization`` of the implicit factors :math:`y_j` per rating. Users are visited in batches
    of eight that read the items as of the start of the batch, so the result does not depend on the number of
    threads.

    An unknown user has bias and factors 0, and so has an unknown item. New users are folded in by a
    ridge regression on the item factors, as by ``SVD``, with the :math:`y` of their items.

    Koren, "Factorization meets the neighborhood: a multifaceted collaborative filtering model", KDD 2008.
    """

    tags: ClassVar[frozenset[str]] = frozenset({"weights"})
    summary: ClassVar[str] = "matrix factorization with biases and implicit feedback (SVD++)"

    factors: int = param(64, "number of latent factors", low=1, high=4096)
    epochs: int = param(50, "number of passes over the training ratings", low=1)
    learning_rate: float = param(
        0.02, "initial learning rate, on standardized ratings", low=0, high=1, exclusive_low=True
    )
    regularization: float = param(0.045, "L2 regularization of biases and factors", low=0)
    implicit_learning_rate: float = param(
        0.1, "learning rate of the implicit factors, as a fraction of the learning rate", low=0, high=1
    )
    implicit_regularization: float = param(0.01, "L2 regularization of the implicit factors", low=0)
    init_std: float = param(0.001, "standard deviation of the initial factors", low=0)
    schedule: str = schedule_param("linear")
    seed: int = seed_param()
    threads: int | None = threads_param()

    implicit_factors_: Float32Array = fitted_attribute("items", "factors")
    train_rmse_: Float32Array = fitted_attribute("epochs")

    def _fit(self, train: Ratings, progress: Progress) -> None:
        self._train(self._init_state(train, {}), progress)

    def _init_state(self, train: Ratings, time_features: dict[str, Any]) -> ImplicitSgdState:
        """Standardize the ratings and return the initial state; ``time_features`` are those of timeSVD++."""
        self.mean_, self.std_ = train.mean_std()
        standardized = self._standardize(train.value).astype(np.float32)
        threads = resolve_threads(self.threads)
        return init_implicit_sgd(
            train, standardized, self.factors, self.init_std, self.seed, threads, time_features
        )

    def _train(self, state: ImplicitSgdState, progress: Progress, **tables: Any) -> None:
        """Run the epochs; ``tables`` are the parameters of timeSVD++, updated in place."""
        losses = []
        with progress.start_task(type(self).__name__, self.epochs) as task:
            for epoch in range(self.epochs):
                learning_rate = learning_rate_at(self.schedule, self.learning_rate, epoch / self.epochs)
                implicit_step = learning_rate * self.implicit_learning_rate, self.implicit_regularization
                losses.append(
                    self.std_ * state.run_epoch(learning_rate, self.regularization, *implicit_step, **tables)
                )
                task.step(note=f"train RMSE {losses[-1]:.4f}")
        self.train_rmse_ = np.array(losses, np.float32)
        self.user_bias_, self.item_bias_ = state.user_bias, state.item_bias
        self.item_factors_ = np.ascontiguousarray(state.item_factors[:, : self.factors])
        self.implicit_factors_ = np.ascontiguousarray(state.implicit_factors[:, : self.factors])
        implicit_part = sum_implicit_factors(
            state.user, state.item, len(state.user_bias), self.implicit_factors_
        )
        user_factors = state.user_factors[:, : self.factors]
        self.user_factors_ = user_factors + implicit_part
        self._set_prior_precision(losses[-1], user_factors)

    def _fold_in(self, new: Ratings, entity: Entity) -> Self:
        rows = fold_in_rows(self, new, entity)
        bias, factors = self._solve_fold_in(rows, entity)
        if entity is Entity.USER:
            return with_new_ids(self, new, entity, bias=bias, factors=factors + self._implicit_part(rows))
        # A new item has no implicit factors: 0.
        attributes = {"implicit_factors_": np.zeros_like(factors)}
        return with_new_ids(self, new, entity, attributes, bias=bias, factors=factors)

    def _implicit_part(self, rows: FoldInRows) -> Float32Array:
        """Return the implicit part of the factors of new users."""
        return sum_implicit_factors(rows.new_indices, rows.known_indices, rows.n_new, self.implicit_factors_)

    def _residual(self, rows: FoldInRows, entity: Entity) -> Float64Array:
        if entity is Entity.ITEM:
            return super()._residual(rows, entity) - self._user_time_effect(rows)
        predicted = dot_pairs(
            rows.new_indices, rows.known_indices, self._implicit_part(rows), self.item_factors_,
            np.zeros(rows.n_new, np.float32), self.item_bias_, 0.0, resolve_threads(self.threads),
        )  # fmt: skip
        return np.asarray(self._standardize(rows.value) - predicted - self._item_time_effect(rows))

    def _rating_contributions(self, rows: FoldInRows, item_factors: Float64Array) -> Float64Array:
        """Return the contributions of each rating by its value and by its implicit factors."""
        implicit = (
            self.implicit_factors_[rows.known_indices]
            @ item_factors
            / np.sqrt(max(1, len(rows.known_indices)))
        )
        return np.asarray(super()._rating_contributions(rows, item_factors) + implicit)

    def _item_time_effect(self, rows: FoldInRows) -> Float32Array:
        """Return the time effects of the items, in standard deviations; 0 without time."""
        return np.zeros(len(rows.known_indices), np.float32)

    def _user_time_effect(self, rows: FoldInRows) -> Float32Array:
        """Return the time effects of the users, in standard deviations; 0 without time."""
        return np.zeros(len(rows.known_indices), np.float32)
