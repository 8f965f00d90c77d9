"""Biased matrix factorisation by stochastic gradient descent."""

from __future__ import annotations

import logging
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
from foretaste.models.sgd import Learner, rate_at, start
from foretaste.params import learned, model_class, param
from foretaste.progress import Progress
from foretaste.ratings import Pairs, Ratings
from foretaste.threads import thread_count

log = logging.getLogger("foretaste")


@model_class
class SVD(Model):
    r"""Matrix factorisation with biases, learned by stochastic gradient descent.

    :math:`\hat r_{ui} = \mu + \sigma (b_u + b_i + p_u \cdot q_i)`, where, over ratings in standard
    deviations :math:`z = (r - \mu) / \sigma`, biases and factors minimise

    .. math:: \sum_{(u,i)} w_{ui} \left[ (z_{ui} - b_u - b_i - p_u \cdot q_i)^2
              + \lambda (b_u^2 + b_i^2 + \lVert p_u \rVert^2 + \lVert q_i \rVert^2) \right] .

    Because ratings are standardised, one learning rate and one regularisation suit any scale. The order of
    the updates is fixed by the data and the seed, not by the number of threads, and so is every bit of the
    result. An unknown user or item has bias and factors 0.

    With ``biased=False`` there are no biases, :math:`\hat r_{ui} = \mu + \sigma p_u \cdot q_i`: probabilistic
    matrix factorisation. The mean stays, so that a model without biases does not depend on the scale either;
    an unknown user or item gets the mean.

    New users, and new items, are taken in by one ridge regression each on the vectors of the other side:
    :math:`x = (b, p)` minimises :math:`\sum_j w_j (z_j - v_j \cdot x)^2 + s^2 x^\top C^{-1} x`, where
    :math:`C` is how the numbers that were learned are spread about 0, and :math:`s` the error in training:
    the most likely :math:`x`, if the new one is one like the others.

    Funk, "Netflix update: try this at home", 2006; Koren, Bell and Volinsky, "Matrix factorization
    techniques for recommender systems", IEEE Computer 42(8), 2009; blocks that share no user and no item:
    Gemulla et al., KDD 2011. Without biases: Salakhutdinov and Mnih, "Probabilistic matrix factorization",
    NIPS 2007.
    """

    tags: ClassVar[frozenset[str]] = frozenset({"weights"})
    summary: ClassVar[str] = "biases and factors of users and items, by stochastic gradient descent"

    factors: int = param(64, "how many numbers describe a user's or an item's taste", low=1, high=4096)
    biased: bool = param(True, "give users and items biases; without them it is PMF")
    epochs: int = param(50, "how many times each rating is visited", low=1)
    learning_rate: float = param(
        0.02, "the step of the first updates, in standard deviations", low=0, high=1, open_low=True
    )
    regularization: float = param(0.04, "how strongly biases and factors are drawn to 0", low=0)
    initial_std: float = param(0.001, "the spread of the first random factors", low=0)
    schedule: str = param(
        "linear",
        "how the learning rate goes on: the same, falling in a line to 0, or along half a cosine",
        one_of=("constant", "linear", "cosine"),
    )
    early_stopping: float = param(
        0.0,
        "share of the training ratings held out to find the best number of epochs, with which it then "
        "learns from all of them; 0 is off",
        low=0,
        high=0.5,
    )
    patience: int = param(5, "early stopping: how many epochs may pass without a better error", low=1)
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
    epochs_: int = learned()
    train_rmse_: Floats = learned("epochs")
    valid_rmse_: Floats = learned("validated")
    user_penalty_: Doubles = learned("vector", "vector", dtype="float64", may_lack=True)
    item_penalty_: Doubles = learned("vector", "vector", dtype="float64", may_lack=True)

    def _fit(self, train: Ratings, progress: Progress) -> None:
        self.mean_, self.std_ = train.moments()
        value = train.value.astype(np.float64)
        standard = ((value - self.mean_) / (self.std_ or 1.0)).astype(np.float32)
        rows = np.arange(len(train))
        epochs, self.valid_rmse_ = self.epochs, np.empty(0, np.float32)
        held_out = round(self.early_stopping * len(train))
        if held_out:
            shuffled = np.random.default_rng(self.seed).permutation(len(train))
            held, kept = np.sort(shuffled[:held_out]), np.sort(shuffled[held_out:])
            epochs, self.valid_rmse_ = self._best_epochs(train, standard, kept, held, progress)
        learner, loss = self._start(train, standard, rows), []
        with progress.task("SVD", epochs) as task:
            for epoch in range(epochs):
                loss.append(self.std_ * self._epoch(learner, epoch))
                task.step(note=f"train RMSE {loss[-1]:.4f}")
        self.epochs_, self.train_rmse_ = epochs, np.array(loss, np.float32)
        if not self.biased and loss[-1] > 0.98 * self.std_:  # factors near 0 grow slowly
            log.warning(
                "SVD has hardly left the mean (train RMSE %.4f, standard deviation %.4f); these ratings are "
                "too few for its steps: more epochs, or a larger initial_std, such as 0.03",
                loss[-1], self.std_,
            )  # fmt: skip
        self.user_bias_, self.item_bias_, self.user_factors_, self.item_factors_ = learner.learned(
            self.factors
        )

        noise = loss[-1] / (self.std_ or 1.0)
        self.user_penalty_, self.item_penalty_ = (
            penalty_of(bias if self.biased else None, factors, noise)
            for bias, factors in (
                (self.user_bias_, self.user_factors_),
                (self.item_bias_, self.item_factors_),
            )
        )

    def _best_epochs(
        self,
        train: Ratings,
        standard: Floats,
        kept: npt.NDArray[np.intp],
        held: npt.NDArray[np.intp],
        progress: Progress,
    ) -> tuple[int, Floats]:
        """Return the number of epochs that predicts the held-out rows best, and the error of each epoch."""
        learner, errors = self._start(train, standard, kept), list[float]()
        with progress.task("SVD early stopping", self.epochs) as task:
            for epoch in range(self.epochs):
                self._epoch(learner, epoch)
                guess = dot_pairs(
                    train.user[held], train.item[held], *learner.factors(), 0.0, learner.threads
                )
                errors.append(self.std_ * float(np.sqrt(np.mean((guess - standard[held]) ** 2))))
                task.step(note=f"valid RMSE {errors[-1]:.4f}")
                if epoch - int(np.argmin(errors)) >= self.patience:
                    break
        return int(np.argmin(errors)) + 1, np.array(errors, np.float32)

    def _start(self, train: Ratings, standard: Floats, rows: npt.NDArray[np.intp]) -> Learner:
        part = train.user[rows], train.item[rows], standard[rows]
        weight = None if train.weight is None else train.weight[rows]
        size = len(train.users), len(train.items)
        return start(
            *part, weight, size, self.factors, self.initial_std, self.seed, thread_count(self.threads)
        )

    def _epoch(self, learner: Learner, epoch: int) -> float:
        """Visit every rating once; return the error met on the way, in standard deviations."""
        rate = rate_at(self.schedule, self.learning_rate, epoch / self.epochs)
        return learner.epoch(rate, self.regularization, self.biased)

    def _predict(self, pairs: Pairs) -> Prediction:
        factors = self.user_factors_, self.item_factors_, self.user_bias_, self.item_bias_
        standard = dot_pairs(pairs.user, pairs.item, *factors, 0.0, thread_count(self.threads))
        return self._prediction(pairs, np.float32(self.mean_) + np.float32(self.std_) * standard)

    def _linear(self) -> Linear:
        std = np.float32(self.std_)
        factors = self.user_factors_ * std, self.item_factors_
        return Linear(self.mean_, self.user_bias_ * std, self.item_bias_ * std, *factors)

    def _fold_in(self, new: Ratings) -> Self:
        others = self.item_bias_, self.item_factors_, self.user_penalty_
        bias, factors = self._best(known_rows(self, new), *others)
        return with_users(self, new, user_bias_=bias, user_factors_=factors)

    def _fold_in_items(self, new: Ratings) -> Self:
        others = self.user_bias_, self.user_factors_, self.item_penalty_
        bias, factors = self._best(known_rows(self, new, "item"), *others)
        return with_items(self, new, item_bias_=bias, item_factors_=factors)

    def _best(
        self, rows: KnownRows, bias: Floats, factors: Floats, penalty: Doubles
    ) -> tuple[Floats, Floats]:
        """Return the biases and factors that are best for new users (or items), given the others."""
        require_kept(self, penalty, SPREAD)
        residual = (rows.value - self.mean_) / (self.std_ or 1.0) - bias[rows.other]
        return fold(rows, residual, factors, penalty, self.threads, self.biased)

    def _sources(self, user: int, item: int, own: Ratings | None) -> Sources | None:
        if own is None:
            return None
        require_kept(self, self.user_penalty_, SPREAD)
        rows = known_rows(self, own)
        residual = (rows.value - self.mean_) / (self.std_ or 1.0) - self.item_bias_[rows.other]
        vectors = solved_for(self.item_factors_, self.biased)
        toward = np.r_[np.zeros(int(self.biased)), self.item_factors_[item].astype(np.float64)]
        share = self.std_ * ridge_shares(rows, residual, vectors, self.user_penalty_, toward)
        return Sources("taste", "item", rows.other, rows.value, share)

    def _from_state(self, state: dict[str, Any]) -> Self:
        super()._from_state(state)
        check_penalties(self, self.item_factors_.shape[1] + int(self.biased))
        return self
