"""Biased matrix factorisation by PyTorch: the model that others are made from."""

from __future__ import annotations

from typing import Any, ClassVar, Self

import numpy as np

from foretaste._native import dot_pairs
from foretaste.backends.pytorch.base import Parts, TorchModel
from foretaste.backends.pytorch.learning import Learning
from foretaste.models.answers import Floats, Linear, Prediction
from foretaste.models.folding import fold, known_rows, with_users
from foretaste.params import learned, model_class, param
from foretaste.ratings import Pairs, Ratings
from foretaste.threads import thread_count


@model_class
class TorchMF(TorchModel):
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

    mean_: float = learned()
    std_: float = learned()
    unknown_: float = learned()
    user_bias_: Floats = learned("users")
    item_bias_: Floats = learned("items")
    user_factors_: Floats = learned("users", "factors")
    item_factors_: Floats = learned("items", "factors")

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
        return PairLearning(Network(factors, Loss()), train, parts, moments, device, regularizer)

    def _keep(self, learning: Any) -> None:
        self.mean_, self.std_ = learning.mean, learning.std
        network = learning.network.module
        self.user_factors_, self.item_factors_ = _array(network.user_factors), _array(network.item_factors)
        users, items = len(self.user_factors_), len(self.item_factors_)
        biased = network.user_bias is not None
        self.user_bias_ = _array(network.user_bias) if biased else np.zeros(users, np.float32)
        self.item_bias_ = _array(network.item_bias) if biased else np.zeros(items, np.float32)

    def _predict(self, pairs: Pairs) -> Prediction:
        factors = self.user_factors_, self.item_factors_, self.user_bias_, self.item_bias_
        standard = dot_pairs(pairs.user, pairs.item, *factors, 0.0, thread_count(self.threads))
        value = np.float32(self.mean_) + np.float32(self.std_) * standard
        if not self.biased:
            value = np.where(self._known(pairs), value, np.float32(self.unknown_))
        return self._prediction(pairs, value)

    def _linear(self) -> Linear:
        std = np.float32(self.std_)
        factors = self.user_factors_ * std, self.item_factors_
        return Linear(self.mean_, self.user_bias_ * std, self.item_bias_ * std, *factors)

    def _fold_in(self, new: Ratings) -> Self:
        if self.penalty == "norms":
            raise self._cannot(
                "_fold_in", 'take in new users with penalty="norms", which is of all users at once,'
            )
        rows = known_rows(self, new)
        residual = (rows.value - self.mean_) / (self.std_ or 1.0) - self.item_bias_[rows.item]
        bias, factors = fold(
            rows, residual, self.item_factors_, self.user_regularization, self.threads, self.biased,
            self.user_bias_regularization,
        )  # fmt: skip
        return with_users(self, new, user_bias_=bias, user_factors_=factors)


def _array(weight: Any) -> Floats:
    return np.ascontiguousarray(weight.detach().float().cpu().numpy())
