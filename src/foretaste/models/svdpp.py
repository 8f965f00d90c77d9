"""Matrix factorization with biases and implicit feedback (SVD++)."""

from __future__ import annotations

from typing import Any, ClassVar, Self

import numpy as np

from foretaste._native import SvdppPlan, dot_pairs
from foretaste._utils.progress import Progress
from foretaste._utils.threads import resolve_threads
from foretaste.models._factor_model import RidgeFactorModel
from foretaste.models._sgd import SgdState, learning_rate_at, sample_factors, schedule_param
from foretaste.models.fold_in import FoldInRows, fold_in_rows, with_new_ids
from foretaste.params import estimator, fitted_attribute, param, seed_param, threads_param
from foretaste.ratings import Ratings
from foretaste.typing import Entity, Float32Array, Float64Array, IndexArray


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
        self._train(train, self._init_state(train, {}), progress)

    def _init_state(self, train: Ratings, time_features: dict[str, Any]) -> SgdState:
        """Plan the pass over the standardized ratings and sample the initial factors.

        Parameters
        ----------
        train : Ratings
        time_features : dict
            Features of each row and numbers of sessions and bins, of timeSVD++.
        """
        self.mean_, self.std_ = train.mean_std()
        rated = _rated_rows(train)
        value = self._standardize(train.value).astype(np.float32)[rated]
        weight = None if train.weight is None else train.weight[rated]
        features: dict[str, Any] = {
            name: rows[rated] if isinstance(rows, np.ndarray) else rows
            for name, rows in time_features.items()
        }
        users, items = len(train.users), len(train.items)
        random = np.random.default_rng(self.seed)
        visit_order = random.permutation(users).astype(np.int32)
        plan = SvdppPlan(
            train.user[rated], train.item[rated], value, weight, users, items, visit_order, **features
        )
        factors = [sample_factors(random, n, self.factors, self.init_std) for n in (users, items, items)]
        total_weight = float(len(train) if train.weight is None else train.weight.sum(dtype=np.float64))
        return SgdState(plan, factors, total_weight, resolve_threads(self.threads))

    def _train(self, train: Ratings, state: SgdState, progress: Progress, **tables: Any) -> None:
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
        user_factors, item_factors, implicit_factors = (table[:, : self.factors] for table in state.factors)
        self.item_factors_ = np.ascontiguousarray(item_factors)
        self.implicit_factors_ = np.ascontiguousarray(implicit_factors)
        rated = _rated_rows(train)
        self.user_factors_ = user_factors + _sum_implicit_factors(
            train.user[rated], train.item[rated], len(train.users), self.implicit_factors_
        )
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
        return _sum_implicit_factors(rows.new_indices, rows.known_indices, rows.n_new, self.implicit_factors_)

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


def _rated_rows(ratings: Ratings) -> Any:
    """Return the row numbers of a weight above 0, since weight 0 equals a missing row."""
    return slice(None) if ratings.weight is None else np.flatnonzero(ratings.weight)


def _sum_implicit_factors(
    user: IndexArray, item: IndexArray, users: int, implicit_factors: Float32Array
) -> Float32Array:
    """Return for each user ``|N|^-1/2`` times the sum of the implicit factors of the rated items.

    Parameters
    ----------
    user, item : int32 array, shape (n,)
        The rated pairs.
    users : int
        Number of users; those without pairs get 0.
    implicit_factors : float32 array, shape (items, factors)

    Returns
    -------
    float32 array, shape (users, factors)
    """
    from scipy.sparse import csr_array  # sums in row order: reproducible bits

    count = np.bincount(user, minlength=users)
    order = np.argsort(user, kind="stable")
    indptr = np.r_[0, np.cumsum(count)]
    norm = 1 / np.sqrt(np.maximum(count, 1))
    rated_matrix = csr_array(
        (np.repeat(norm, count), item[order], indptr), shape=(users, len(implicit_factors))
    )
    return np.asarray(rated_matrix @ implicit_factors.astype(np.float64), np.float32)
