"""Biased matrix factorisation by PyTorch: the model that others are made from."""

from __future__ import annotations

from typing import Any, ClassVar, Self

import numpy as np

from foretaste._utils.progress import Progress
from foretaste.models._factor_model import RidgeFactorModel
from foretaste.models.fold_in import Doubles, KnownRows
from foretaste.models.outputs import Floats, Prediction
from foretaste.models.pytorch._base import Parts
from foretaste.models.pytorch._linear_form import LinearTorchModel, as_array
from foretaste.models.pytorch._trainer import Learning
from foretaste.params import learned, model_class, param
from foretaste.ratings import Pairs, Ratings


@model_class
class TorchMF(LinearTorchModel, RidgeFactorModel):
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
    # None of its files lacks them, as some by an earlier version do of the core's models.
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

        from foretaste.models.pytorch._factors import Factors
        from foretaste.models.pytorch._network import Network
        from foretaste.models.pytorch._pair_task import PairLearning
        from foretaste.models.pytorch.losses import Loss

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
        self._keep_spread(self._rmse())

    def _has_biases(self) -> bool:
        return self.biased

    def _predict(self, pairs: Pairs) -> Prediction:
        told = super()._predict(pairs)
        if not self.biased:
            told.value[~self._known(pairs)] = np.float32(self.unknown_)
        return told

    def _solved(self, rows: KnownRows, side: str) -> tuple[Floats, Floats]:
        bias, factors = super()._solved(rows, side)
        # Of whom there is no rating to learn from, the answer is that for the unknown: without a mean, no 0.
        none = np.bincount(rows.own, minlength=rows.size) == 0
        bias[none] = np.float32((self.unknown_ - self.mean_) / (self.std_ or 1.0))
        return bias, factors
