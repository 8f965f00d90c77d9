"""Matrix factorisation with biases and implicit feedback (SVD++)."""

from __future__ import annotations

from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

from foretaste._native import dot_pairs
from foretaste.models.answers import Floats, Linear, Prediction, Sources
from foretaste.models.base import Model
from foretaste.models.folding import (
    SPREAD,
    Doubles,
    KnownRows,
    check_penalties,
    fold,
    known_rows,
    penalty_of,
    require_kept,
    ridge_shares,
    solved_for,
    with_items,
    with_users,
)
from foretaste.models.implicit import Learner, implicit_sum, start
from foretaste.models.sgd import rate_at
from foretaste.params import learned, model_class, param
from foretaste.progress import Progress
from foretaste.ratings import Pairs, Ratings
from foretaste.threads import thread_count


@model_class
class SVDpp(Model):
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
        0.02, "the step of the first updates, in standard deviations", low=0, high=1, open_low=True
    )
    regularization: float = param(0.045, "how strongly biases and factors are drawn to 0", low=0)
    implicit_rate: float = param(
        0.1, "the step of the implicit factors, as a share of the learning rate", low=0, high=1
    )
    implicit_regularization: float = param(0.01, "how strongly the implicit factors are drawn to 0", low=0)
    initial_std: float = param(0.001, "the spread of the first random factors", low=0)
    schedule: str = param(
        "linear",
        "how the learning rate goes on: the same, falling in a line to 0, or along half a cosine",
        one_of=("constant", "linear", "cosine"),
    )
    seed: int = param(0, "of the random numbers", low=0)
    threads: int | None = param(
        None, "how many threads; None is all; never changes the result", low=1, high=1024, optional=True
    )

    mean_: float = learned()
    std_: float = learned()
    user_bias_: Floats = learned("users")
    item_bias_: Floats = learned("items")
    user_factors_: Floats = learned("users", "factors")
    item_factors_: Floats = learned("items", "factors")
    implicit_factors_: Floats = learned("items", "factors")
    train_rmse_: Floats = learned("epochs")
    user_penalty_: Doubles = learned("vector", "vector", dtype="float64", may_lack=True)
    item_penalty_: Doubles = learned("vector", "vector", dtype="float64", may_lack=True)

    def _fit(self, train: Ratings, progress: Progress) -> None:
        self._learn(self._start(train, {}), progress)

    def _start(self, train: Ratings, time: dict[str, Any]) -> Learner:
        """Standardise and lay out; ``time`` is what timeSVD++ knows of each row."""
        self.mean_, self.std_ = train.moments()
        standard = ((train.value.astype(np.float64) - self.mean_) / (self.std_ or 1.0)).astype(np.float32)
        threads = thread_count(self.threads)
        return start(train, standard, self.factors, self.initial_std, self.seed, threads, time)

    def _learn(self, learner: Learner, progress: Progress, **tables: Any) -> None:
        """Walk the epochs; ``tables`` are those of timeSVD++, learned in place."""
        loss = []
        with progress.task(type(self).__name__, self.epochs) as task:
            for epoch in range(self.epochs):
                rate = rate_at(self.schedule, self.learning_rate, epoch / self.epochs)
                implicit = rate * self.implicit_rate, self.implicit_regularization
                loss.append(self.std_ * learner.epoch(rate, self.regularization, *implicit, **tables))
                task.step(note=f"train RMSE {loss[-1]:.4f}")
        self.train_rmse_ = np.array(loss, np.float32)
        self.user_bias_, self.item_bias_ = learner.user_bias, learner.item_bias
        self.item_factors_ = np.ascontiguousarray(learner.item_factors[:, : self.factors])
        self.implicit_factors_ = np.ascontiguousarray(learner.implicit_factors[:, : self.factors])
        rated = implicit_sum(learner.user, learner.item, len(learner.user_bias), self.implicit_factors_)
        own, noise = learner.user_factors[:, : self.factors], loss[-1] / (self.std_ or 1.0)
        self.user_factors_ = own + rated
        self.user_penalty_ = penalty_of(self.user_bias_, own, noise)
        self.item_penalty_ = penalty_of(self.item_bias_, self.item_factors_, noise)

    def _predict(self, pairs: Pairs) -> Prediction:
        return self._prediction(pairs, np.float32(self.mean_) + np.float32(self.std_) * self._standard(pairs))

    def _standard(self, pairs: Pairs) -> Floats:
        """Predict in standard deviations from the mean, at no particular time."""
        factors = self.user_factors_, self.item_factors_, self.user_bias_, self.item_bias_
        return dot_pairs(pairs.user, pairs.item, *factors, 0.0, thread_count(self.threads))

    def _linear(self) -> Linear:
        std = np.float32(self.std_)
        factors = self.user_factors_ * std, self.item_factors_
        return Linear(self.mean_, self.user_bias_ * std, self.item_bias_ * std, *factors)

    def _fold_in(self, new: Ratings) -> Self:
        require_kept(self, self.user_penalty_, SPREAD)
        rows = known_rows(self, new)
        rated = implicit_sum(rows.own, rows.other, rows.size, self.implicit_factors_)
        residual = self._left(rows, rated) - self._items_in_time(rows)
        bias, own = fold(rows, residual, self.item_factors_, self.user_penalty_, self.threads)
        return with_users(self, new, user_bias_=bias, user_factors_=own + rated)

    def _left(self, rows: KnownRows, rated: Floats) -> npt.NDArray[np.float64]:
        """Return what items, and that they were rated, leave of the ratings, in standard deviations."""
        explained = dot_pairs(
            rows.own, rows.other, rated, self.item_factors_, np.zeros(rows.size, np.float32),
            self.item_bias_, 0.0, thread_count(self.threads),
        )  # fmt: skip
        return np.asarray((rows.value - self.mean_) / (self.std_ or 1.0) - explained)

    def _sources(self, user: int, item: int, own: Ratings | None) -> Sources | None:
        """Return what each rating says by its value and by having been given at all, together."""
        if own is None:
            return None
        require_kept(self, self.user_penalty_, SPREAD)
        rows = known_rows(self, own)
        rated = implicit_sum(rows.own, rows.other, rows.size, self.implicit_factors_)
        residual = self._left(rows, rated) - self._items_in_time(rows)
        vectors, toward = solved_for(self.item_factors_, True), self.item_factors_[item].astype(np.float64)
        share = ridge_shares(rows, residual, vectors, self.user_penalty_, np.r_[0.0, toward])
        share += self.implicit_factors_[rows.other] @ toward / np.sqrt(max(1, len(rows.other)))
        return Sources("taste", "item", rows.other, rows.value, self.std_ * share)

    def _fold_in_items(self, new: Ratings) -> Self:
        """Return a model of the new items; that somebody rated one of them says nothing of that user."""
        require_kept(self, self.item_penalty_, SPREAD)
        rows = known_rows(self, new, "item")
        residual = (rows.value - self.mean_) / (self.std_ or 1.0) - self.user_bias_[rows.other]
        residual = residual - self._users_in_time(rows)
        bias, factors = fold(rows, residual, self.user_factors_, self.item_penalty_, self.threads)
        nothing = np.zeros_like(factors)
        return with_items(self, new, item_bias_=bias, item_factors_=factors, implicit_factors_=nothing)

    def _items_in_time(self, rows: KnownRows) -> Floats:
        """Return what time alone says of the items when they were rated, in standard deviations."""
        return np.zeros(len(rows.other), np.float32)

    def _users_in_time(self, rows: KnownRows) -> Floats:
        """Return what time alone says of the users when they rated, in standard deviations."""
        return np.zeros(len(rows.other), np.float32)

    def _from_state(self, state: dict[str, Any]) -> Self:
        super()._from_state(state)
        check_penalties(self, self.item_factors_.shape[1] + 1)
        return self
