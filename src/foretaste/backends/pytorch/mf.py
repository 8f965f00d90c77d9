"""Biased matrix factorisation by PyTorch: the model that others are made from."""

from __future__ import annotations

from typing import Any, ClassVar, Self

import numpy as np

from foretaste.backends.pytorch.base import Parts
from foretaste.backends.pytorch.learning import Learning
from foretaste.backends.pytorch.linear import LinearTorchModel, as_array
from foretaste.models.answers import Floats, Prediction, Sources
from foretaste.models.folding import (
    Doubles,
    KnownRows,
    check_penalties,
    fold,
    known_rows,
    penalty_of,
    ridge_shares,
    solved_for,
    with_items,
    with_users,
)
from foretaste.params import learned, model_class, param
from foretaste.progress import Progress
from foretaste.ratings import Pairs, Ratings


@model_class
class TorchMF(LinearTorchModel):
    r"""Matrix factorisation with biases, learned by PyTorch.

    :math:`\hat r_{ui} = \mu + \sigma (b_u + b_i + p_u \cdot q_i)`, where, over ratings in standard
    deviations :math:`z = (r - \mu) / \sigma`, biases and factors make smaller

    .. math:: \frac{1}{n} \sum_{(u,i)} (z_{ui} - b_u - b_i - p_u \cdot q_i)^2
              + \lambda_p \lVert p_u \rVert^2 + \lambda_q \lVert q_i \rVert^2
              + \lambda_b b_u^2 + \lambda_c b_i^2 ,

    a batch at a time. With ``penalty="norms"`` it is the norms of the whole tables instead,
    :math:`\lambda_p \lVert P \rVert + \lambda_q \lVert Q \rVert + \lambda_b \lVert b \rVert
    + \lambda_c \lVert c \rVert`. An unknown user or item has bias and factors 0.

    ``TorchMF.plain()`` is matrix factorisation as it is first taught: no biases, no mean, ratings as they
    are. Without a mean, a pair of which one is unknown gets that of the training ratings.

    New users, and new items, are taken in as by ``SVD``: one ridge regression each on the vectors of the
    other side, drawn to 0 by how the numbers that were learned are spread, against the error in training.

    Koren, Bell and Volinsky, "Matrix factorization techniques for recommender systems", IEEE Computer 42(8),
    2009; Kingma and Ba, "Adam: a method for stochastic optimization", ICLR 2015.
    """

    summary: ClassVar[str] = "biases and factors of users and items, by PyTorch"
    draws_alone: ClassVar[bool] = False

    factors: int = param(64, "how many numbers describe a user's or an item's taste", low=1, high=4096)
    biased: bool = param(True, "give users and items biases, beside the mean")
    standardize: bool = param(
        True,
        "learn ratings in standard deviations from their mean; otherwise as they are, whatever their scale",
    )
    user_regularization: float = param(0.07, "how strongly the factors of users are drawn to 0", low=0)
    item_regularization: float = param(0.07, "how strongly the factors of items are drawn to 0", low=0)
    user_bias_regularization: float = param(0.04, "how strongly the biases of users are drawn to 0", low=0)
    item_bias_regularization: float = param(0.04, "how strongly the biases of items are drawn to 0", low=0)
    penalty: str = param(
        "squares",
        "what regularization weighs: squares of what a batch looks up, or norms of the whole tables",
        one_of=("squares", "norms"),
    )
    initial: str = param("normal", "how the first factors are drawn", one_of=("normal", "uniform"))
    spread: float = param(
        0.01, "of the first factors: their standard deviation, or the end of the uniform ones from 0", low=0
    )

    unknown_: float = learned()
    user_penalty_: Doubles = learned("vector", "vector", dtype="float64")
    item_penalty_: Doubles = learned("vector", "vector", dtype="float64")

    @classmethod
    def plain(cls, **params: Any) -> Self:
        """Return matrix factorisation as it is first taught: embeddings, their dot product, Adam.

        100 factors, uniform from 0 to .05 at first; no biases; the squared error of ratings as they are plus
        .001 times the norms of both tables; 20 epochs in batches of 512 with a learning rate of .001, on all
        training ratings.

        Parameters
        ----------
        **params
            Other settings.
        """
        taught: dict[str, Any] = {
            "factors": 100, "biased": False, "standardize": False, "penalty": "norms", "initial": "uniform",
            "spread": 0.05, "user_regularization": 0.001, "item_regularization": 0.001, "epochs": 20,
            "batch": 512, "learning_rate": 0.001, "optimizer": "adam", "schedule": "constant",
            "early_stopping": 0.0,
        }  # fmt: skip
        return cls(**(taught | params))

    def _learning(self, train: Ratings, parts: Parts, device: Any) -> Learning:
        import torch

        from foretaste.backends.pytorch.factors import Factors
        from foretaste.backends.pytorch.losses import Loss
        from foretaste.backends.pytorch.network import Network
        from foretaste.backends.pytorch.pairs import PairLearning

        mean, std = train.moments()
        self.unknown_ = mean
        moments = (mean, std) if self.standardize else (mean if self.biased else 0.0, 1.0)
        weights = (
            self.user_regularization,
            self.item_regularization,
            self.user_bias_regularization,
            self.item_bias_regularization,
        )
        squares = self.penalty == "squares"
        factors = Factors(
            len(train.users), len(train.items), self.factors, biased=self.biased, spread=self.spread,
            uniform=self.initial == "uniform", random=torch.Generator().manual_seed(self.seed),
            weights=weights, squares=squares,
        )  # fmt: skip
        regularizer = None if squares else Factors.norms
        return PairLearning(Network(factors, Loss()), train, parts, moments, device, regularizer, self.batch)

    def _keep(self, learning: Any) -> None:
        self.mean_, self.std_ = learning.mean, learning.std
        learned_ = learning.network.module
        self.user_factors_ = as_array(learned_.user_factors)
        self.item_factors_ = as_array(learned_.item_factors)
        self.user_bias_, self.item_bias_ = (
            np.zeros(len(factors), np.float32) if bias is None else as_array(bias)
            for bias, factors in (
                (learned_.user_bias, self.user_factors_),
                (learned_.item_bias, self.item_factors_),
            )
        )

    def _fit(self, train: Ratings, progress: Progress) -> None:
        super()._fit(train, progress)
        noise = float(self.train_rmse_[self.epochs_ - 1]) / (self.std_ or 1.0)
        self.user_penalty_, self.item_penalty_ = (
            penalty_of(bias if self.biased else None, factors, noise)
            for bias, factors in (
                (self.user_bias_, self.user_factors_),
                (self.item_bias_, self.item_factors_),
            )
        )

    def _predict(self, pairs: Pairs) -> Prediction:
        told = super()._predict(pairs)
        if not self.biased:
            told.value[~self._known(pairs)] = np.float32(self.unknown_)
        return told

    def _fold_in(self, new: Ratings) -> Self:
        others = self.item_bias_, self.item_factors_, self.user_penalty_
        bias, factors = self._best(known_rows(self, new), *others)
        return with_users(self, new, user_bias_=bias, user_factors_=factors)

    def _fold_in_items(self, new: Ratings) -> Self:
        others = self.user_bias_, self.user_factors_, self.item_penalty_
        bias, factors = self._best(known_rows(self, new, "item"), *others)
        return with_items(self, new, item_bias_=bias, item_factors_=factors)

    def _best(
        self, rows: KnownRows, others_bias: Floats, others_factors: Floats, penalty: Doubles
    ) -> tuple[Floats, Floats]:
        """Return the biases and factors that are best for new users (or items), given the others."""
        residual = self._left(rows, others_bias)
        bias, factors = fold(rows, residual, others_factors, penalty, self.threads, self.biased)
        # Of whom there is no rating to learn from, the answer is that for the unknown: without a mean, no 0.
        none = np.bincount(rows.own, minlength=rows.size) == 0
        bias[none] = np.float32((self.unknown_ - self.mean_) / (self.std_ or 1.0))
        return bias, factors

    def _left(self, rows: KnownRows, bias: Floats) -> Doubles:
        """Return what the biases of the other side leave of ratings, in standard deviations."""
        return np.asarray((rows.value - self.mean_) / (self.std_ or 1.0) - bias[rows.other])

    def _sources(self, user: int, item: int, own: Ratings | None) -> Sources | None:
        if own is None:
            return None
        rows = known_rows(self, own)
        vectors = solved_for(self.item_factors_, self.biased)
        toward = np.r_[np.zeros(int(self.biased)), self.item_factors_[item].astype(np.float64)]
        share = ridge_shares(rows, self._left(rows, self.item_bias_), vectors, self.user_penalty_, toward)
        return Sources("taste", "item", rows.other, rows.value, self.std_ * share)

    def _from_state(self, state: dict[str, Any]) -> Self:
        super()._from_state(state)
        check_penalties(self, self.item_factors_.shape[1] + int(self.biased))
        return self
