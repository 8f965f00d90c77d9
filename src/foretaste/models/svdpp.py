"""Matrix factorisation with biases and implicit feedback (SVD++)."""

from __future__ import annotations

from typing import Any, ClassVar, Self

import numpy as np

from foretaste._native import dot_pairs
from foretaste._utils.progress import Progress
from foretaste._utils.threads import thread_count
from foretaste.models._factor_model import RidgeFactorModel
from foretaste.models._implicit_sgd import Learner, implicit_sum, start
from foretaste.models._sgd import rate_at, schedule_param
from foretaste.models.fold_in import Doubles, KnownRows, known_rows, with_users
from foretaste.models.outputs import Floats
from foretaste.params import learned, model_class, param
from foretaste.ratings import Ratings


@model_class
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
        0.02, "the step of the first updates, in standard deviations", low=0, high=1, open_low=True
    )
    regularization: float = param(0.045, "how strongly biases and factors are drawn to 0", low=0)
    implicit_rate: float = param(
        0.1, "the step of the implicit factors, as a share of the learning rate", low=0, high=1
    )
    implicit_regularization: float = param(0.01, "how strongly the implicit factors are drawn to 0", low=0)
    initial_std: float = param(0.001, "the spread of the first random factors", low=0)
    schedule: str = schedule_param("linear")
    seed: int = param(0, "of the random numbers", low=0)
    threads: int | None = param(
        None, "how many threads; None is all; never changes the result", low=1, high=1024, optional=True
    )

    implicit_factors_: Floats = learned("items", "factors")
    train_rmse_: Floats = learned("epochs")

    def _fit(self, train: Ratings, progress: Progress) -> None:
        self._learn(self._start(train, {}), progress)

    def _start(self, train: Ratings, time: dict[str, Any]) -> Learner:
        """Standardise and lay out; ``time`` is what timeSVD++ knows of each row."""
        self.mean_, self.std_ = train.moments()
        standard = self._standardized(train.value).astype(np.float32)
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
        own = learner.user_factors[:, : self.factors]
        self.user_factors_ = own + rated
        self._keep_spread(loss[-1], own)

    def _fold_in(self, new: Ratings) -> Self:
        rows = known_rows(self, new)
        bias, own = self._solved(rows, "user")
        return with_users(self, new, user_bias_=bias, user_factors_=own + self._rated(rows))

    def _fold_in_items(self, new: Ratings) -> Self:
        """Return a model of the new items; that somebody rated one of them says nothing of that user."""
        folded = super()._fold_in_items(new)
        folded.implicit_factors_ = np.zeros_like(folded.item_factors_)
        return folded

    def _rated(self, rows: KnownRows) -> Floats:
        """Return what it says of new users to have rated their items at all."""
        return implicit_sum(rows.own, rows.other, rows.size, self.implicit_factors_)

    def _left(self, rows: KnownRows, side: str) -> Doubles:
        if side == "item":
            return super()._left(rows, side) - self._users_in_time(rows)
        explained = dot_pairs(
            rows.own, rows.other, self._rated(rows), self.item_factors_, np.zeros(rows.size, np.float32),
            self.item_bias_, 0.0, thread_count(self.threads),
        )  # fmt: skip
        return np.asarray(self._standardized(rows.value) - explained - self._items_in_time(rows))

    def _shares(self, rows: KnownRows, toward: Doubles) -> Doubles:
        """Return what each rating says by its value and by having been given at all, together."""
        given = self.implicit_factors_[rows.other] @ toward / np.sqrt(max(1, len(rows.other)))
        return np.asarray(super()._shares(rows, toward) + given)

    def _items_in_time(self, rows: KnownRows) -> Floats:
        """Return what time alone says of the items when they were rated, in standard deviations."""
        return np.zeros(len(rows.other), np.float32)

    def _users_in_time(self, rows: KnownRows) -> Floats:
        """Return what time alone says of the users when they rated, in standard deviations."""
        return np.zeros(len(rows.other), np.float32)
