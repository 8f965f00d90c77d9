"""A module and a loss of one's own, as a model like any other."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from foretaste.errors import InvalidParameter
from foretaste.models._groupby import damped_mean, weights_of
from foretaste.models.outputs import Floats, Linear, Prediction
from foretaste.models.pytorch._base import Parts
from foretaste.models.pytorch._network_model import TorchNetwork
from foretaste.models.pytorch._trainer import Learning
from foretaste.params import learned, model_class, param, written
from foretaste.ratings import Pairs, Ratings

LOSSES = ("mse", "huber", "quantile", "ordinal", "binary", "bpr")

_BLOCK = 65_536  # pairs predicted at once
_DAMPING = 5.0  # ratings at the mean that an id is given beforehand, where it must stand for a pair alone


@model_class
class TorchRecommender(TorchNetwork):
    r"""A module of your own, learned by PyTorch with a loss of your own; both have defaults.

    :math:`\hat r_{ui} = \mu + \sigma f(u, i)`, where the module :math:`f` makes the mean of the loss over the
    training ratings smaller, a batch at a time, plus what the regularizer adds.

    ``module`` is a class, or a function, that is called with the numbers of users and of items and returns a
    ``torch.nn.Module``; that one is called with two int64 tensors, users and items of a batch, and returns
    one number a pair: for most losses the rating, in standard deviations from the mean. Without one it is
    biased matrix factorisation.

    ``loss`` is a word, or a function of two tensors, predictions and ratings in rating units, that returns
    one number a rating. ``"mse"``, ``"huber"`` and ``"quantile"`` are errors of the rating; ``"ordinal"``
    takes ratings as ordered levels with learned thresholds between them; ``"binary"`` learns whether a rating
    is at least ``threshold``; ``"bpr"`` learns to put items rated so above items that are not. Predictions
    are in rating units always. ``regularizer`` is a function of the module that returns one number.

    An unknown user gets the damped mean of the item, an unknown item that of the user.

    Huber, Ann. Math. Statist. 35(1), 1964; Koenker and Bassett, "Regression quantiles", Econometrica 46(1),
    1978; Koren and Sill, "OrdRec", RecSys 2011; Rendle et al., "BPR", UAI 2009.
    """

    summary: ClassVar[str] = "a module and a loss of your own, by PyTorch"

    module: Any = param(
        None, "what predicts, made from the numbers of users and items; None is TorchMF's", code=True
    )
    loss: Any = param("mse", "what is made smaller", one_of=LOSSES, code=True)
    regularizer: Any = param(None, "what is added to the loss of a batch, made from the module", code=True)
    factors: int = param(
        64, "without a module: how many numbers describe a user or an item", low=1, high=4096
    )
    regularization: float = param(0.06, "without a module: how strongly its numbers are drawn to 0", low=0)
    huber_delta: float = param(
        1.0, "huber: from how many standard deviations on errors are absolute", low=0, open_low=True
    )
    quantile: float = param(
        0.5, "quantile: the share of ratings to lie below the prediction", low=0.001, high=0.999
    )
    threshold: float | None = param(
        None, "binary, bpr: the least rating that counts as liked; None is the mean", optional=True, real=True
    )

    mean_: float = learned()
    std_: float = learned()
    user_bias_: Floats = learned("users")
    item_bias_: Floats = learned("items")

    def check_params(self) -> None:
        super().check_params()
        if hasattr(self.module, "state_dict") and not isinstance(self.module, type):
            raise InvalidParameter(
                f"module is a {type(self.module).__name__} made already; give what makes one, since each fit "
                "begins with a new one",
                hint=f"module={type(self.module).__name__}, called with the numbers of users and of items",
            )

    def _learning(self, train: Ratings, parts: Parts, device: Any) -> Learning:
        from foretaste.models.pytorch._bpr_task import RankLearning
        from foretaste.models.pytorch._pair_task import PairLearning
        from foretaste.models.pytorch.losses import Binary, Ordinal, Ranking

        self.mean_, self.std_ = train.moments()
        weights = weights_of(train)
        value = train.value.astype(np.float64) - self.mean_
        self.user_bias_, self.item_bias_ = (
            damped_mean(codes, value, weights, n, _DAMPING).astype(np.float32)
            for codes, n in ((train.user, len(train.users)), (train.item, len(train.items)))
        )
        standard = (value / (self.std_ or 1.0)).astype(np.float32)[parts.learned]
        weight = None if train.weight is None else train.weight[parts.learned]
        threshold = 0.0 if self.threshold is None else (self.threshold - self.mean_) / (self.std_ or 1.0)
        self._check_threshold(train.value)
        loss = Ordinal.of(standard, weight) if self.loss == "ordinal" else self._loss(2)
        if isinstance(loss, Binary):
            loss.know(standard, weight, threshold)
        network = self._made(len(train.users), len(train.items), loss)
        moments = self.mean_, self.std_
        if isinstance(loss, Ranking):
            return RankLearning(network, train, parts, moments, device, self.regularizer, self.batch).above(
                threshold, self.seed
            )
        return PairLearning(network, train, parts, moments, device, self.regularizer, self.batch)

    def _check_threshold(self, value: Floats) -> None:
        """Refuse a threshold that leaves nothing to tell apart."""
        if self.threshold is None or self.loss not in ("binary", "bpr"):
            return
        liked = value >= np.float32(self.threshold)
        if not liked.any() or (self.loss == "binary" and liked.all()):
            share = "all ratings are" if liked.any() else "no rating is"
            raise InvalidParameter(
                f"threshold={self.threshold:g}: {share} at least that; they go from {value.min():g} to "
                f"{value.max():g}",
                hint="a threshold between these, or None, the mean",
            )

    def _loss(self, levels: int) -> Any:
        from foretaste.models.pytorch.losses import make_loss

        moments = self.mean_, self.std_ or 1.0
        return make_loss(
            self.loss, delta=self.huber_delta, quantile=self.quantile, levels=levels, moments=moments
        )

    def _made(self, users: int, items: int, loss: Any) -> Any:
        """Return the network: a new module, and the loss."""
        import torch

        from foretaste.models.pytorch._factors import Factors
        from foretaste.models.pytorch._network import Network

        if self.module is None:
            random = torch.Generator().manual_seed(self.seed)
            strengths = (self.regularization,) * 4
            module = Factors(
                users,
                items,
                self.factors,
                biased=True,
                spread=0.01,
                uniform=False,
                random=random,
                weights=strengths,
            )
        else:
            module = self.module(users, items)
        if not isinstance(module, torch.nn.Module):
            raise InvalidParameter(
                f"module={written(self.module)} made a {type(module).__name__}, which is no torch.nn.Module",
                hint="a class derived from torch.nn.Module, or a function that returns a module",
            )
        return Network(module, loss)

    def _keep(self, learning: Any) -> None:
        self._hold(learning.network)

    def _empty(self) -> Any:
        levels = len(self.weights_["loss.levels"]) if self.loss == "ordinal" else 2
        shape = len(self.users_), self.factors
        if self.module is None and self.weights_["module.user_factors"].shape != shape:  # before it is made
            raise ValueError(f"user factors are not of the shape {shape}")
        return self._made(len(self.users_), len(self.items_), self._loss(levels))

    def _predict(self, pairs: Pairs) -> Prediction:
        known = self._known(pairs)
        value = np.full(len(pairs), self.mean_, np.float32)
        for codes, bias in ((pairs.user, self.user_bias_), (pairs.item, self.item_bias_)):
            value[codes >= 0] += bias[codes[codes >= 0]]
        std: Floats | None = None
        if known.any():
            standard, spread = self._standard(pairs.user[known], pairs.item[known])
            value[known] = np.float32(self.mean_) + np.float32(self.std_) * standard
            if spread is not None:
                std = np.full(len(pairs), self.std_, np.float32)
                std[known] = np.float32(self.std_) * spread
        told = self._prediction(pairs, value)
        return Prediction(told.value, told.fallback, std)

    def _standard(self, user: Any, item: Any) -> tuple[Floats, Floats | None]:
        """Return what the network predicts for known pairs, and how unsure it is, in standard deviations."""
        import torch

        network, device = self._network(), self._device()
        values, spreads = list[Any](), list[Any]()
        with self._session(), torch.no_grad():
            for start in range(0, len(user), _BLOCK):
                rows = [torch.from_numpy(c[start : start + _BLOCK]).to(device).long() for c in (user, item)]
                output = network(*rows).float()
                values.append(network.loss.standard(output).cpu().numpy())
                spread = network.loss.spread(output)
                spreads += [] if spread is None else [spread.cpu().numpy()]
        return np.concatenate(values), np.concatenate(spreads) if spreads else None

    def _linear(self) -> Linear:
        line = self._network().loss.line() if self.module is None else None
        if line is None:
            raise self._cannot("_linear", "be written as biases and factors with these parameters")
        start, slope = self.mean_ + self.std_ * line[0], np.float32(self.std_ * line[1])
        tables = (self.weights_[f"module.{name}"] for name in ("user_bias", "item_bias", "user_factors"))
        user_bias, item_bias, user_factors = (slope * table for table in tables)
        return Linear(float(start), user_bias, item_bias, user_factors, self.weights_["module.item_factors"])
