"""Matrix factorisation with biases and implicit feedback (SVD++)."""

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
from foretaste.params import estimator, fitted_attribute, param
from foretaste.ratings import Ratings
from foretaste.typing import Entity, Float32Array, Float64Array


@estimator
class SVDpp(RidgeFactorModel):
    r"""Matrix factorisation that also learns from which items a user rated, whatever the ratings (SVD++).

    .. math:: \hat r_{ui} = \mu + \sigma \Bigl( b_u + b_i
              + q_i \cdot \bigl( p_u + |N(u)|^{-1/2} \sum_{j \in N(u)} y_j \bigr) \Bigr)

    :math:`N(u)` are the items that the user rated in the training ratings, with a weight above 0. Over
    ratings in standard deviations, biases and factors are learned by stochastic gradient descent on the
    squared error, :math:`b_u, b_i, p_u, q_i` drawn to 0 by ``regularization`` and the implicit factors
    :math:`y_j` by ``implicit_regularization`` for each rating. Users are visited one after another, in
    rounds of eight that read items as they were when the round began; so the result does not depend on the
    number of threads.

    An unknown user has bias and factors 0, and so has an unknown item. New users are taken in by a ridge
    regression on the items' factors, as by ``SVD``: :math:`y` of what they rated counts at once.

    Koren, "Factorization meets the neighborhood: a multifaceted collaborative filtering model", KDD 2008.
    """

    tags: ClassVar[frozenset[str]] = frozenset({"weights"})
    summary: ClassVar[str] = "biases and factors, and what it says of a user to have rated an item (SVD++)"

    factors: int = param(64, "how many numbers describe a user's or an item's taste", low=1, high=4096)
    epochs: int = param(50, "how many times each rating is visited", low=1)
    learning_rate: float = param(
        0.02, "the step of the first updates, in standard deviations", low=0, high=1, exclusive_low=True
    )
    regularization: float = param(0.045, "how strongly biases and factors are drawn to 0", low=0)
    implicit_learning_rate: float = param(
        0.1, "the step of the implicit factors, as a share of the learning rate", low=0, high=1
    )
    implicit_regularization: float = param(0.01, "how strongly the implicit factors are drawn to 0", low=0)
    init_std: float = param(0.001, "the spread of the first random factors", low=0)
    schedule: str = schedule_param("linear")
    seed: int = param(0, "of the random numbers", low=0)
    threads: int | None = param(
        None, "how many threads; None is all; never changes the result", low=1, high=1024, optional=True
    )

    implicit_factors_: Float32Array = fitted_attribute("items", "factors")
    train_rmse_: Float32Array = fitted_attribute("epochs")

    def _fit(self, train: Ratings, progress: Progress) -> None:
        self._train(self._init_state(train, {}), progress)

    def _init_state(self, train: Ratings, time_features: dict[str, Any]) -> ImplicitSgdState:
        """Standardise and lay out; ``time_features`` is what timeSVD++ knows of each row."""
        self.mean_, self.std_ = train.mean_std()
        standardized = self._standardize(train.value).astype(np.float32)
        threads = resolve_threads(self.threads)
        return init_implicit_sgd(
            train, standardized, self.factors, self.init_std, self.seed, threads, time_features
        )

    def _train(self, state: ImplicitSgdState, progress: Progress, **tables: Any) -> None:
        """Walk the epochs; ``tables`` are those of timeSVD++, learned in place."""
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
        # That a user rated a new item says nothing of the user: its implicit factors are 0.
        attributes = {"implicit_factors_": np.zeros_like(factors)}
        return with_new_ids(self, new, entity, attributes, bias=bias, factors=factors)

    def _implicit_part(self, rows: FoldInRows) -> Float32Array:
        """Return what it says of new users to have rated their items at all."""
        return sum_implicit_factors(rows.new_indices, rows.known_indices, rows.n_new, self.implicit_factors_)

    def _residual(self, rows: FoldInRows, entity: Entity) -> Float64Array:
        if entity is Entity.ITEM:
            return super()._residual(rows, entity) - self._user_time_effect(rows)
        predicted = dot_pairs(
            rows.new_indices, rows.known_indices, self._implicit_part(rows), self.item_factors_, np.zeros(rows.n_new, np.float32),
            self.item_bias_, 0.0, resolve_threads(self.threads),
        )  # fmt: skip
        return np.asarray(self._standardize(rows.value) - predicted - self._item_time_effect(rows))

    def _rating_contributions(self, rows: FoldInRows, item_factors: Float64Array) -> Float64Array:
        """Return what each rating says by its value and by having been given at all, together."""
        implicit = (
            self.implicit_factors_[rows.known_indices]
            @ item_factors
            / np.sqrt(max(1, len(rows.known_indices)))
        )
        return np.asarray(super()._rating_contributions(rows, item_factors) + implicit)

    def _item_time_effect(self, rows: FoldInRows) -> Float32Array:
        """Return what time alone says of the items when they were rated, in standard deviations."""
        return np.zeros(len(rows.known_indices), np.float32)

    def _user_time_effect(self, rows: FoldInRows) -> Float32Array:
        """Return what time alone says of the users when they rated, in standard deviations."""
        return np.zeros(len(rows.known_indices), np.float32)
