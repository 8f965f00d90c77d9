"""A user-defined torch module and loss as a foretaste model."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, ClassVar

import numpy as np

from foretaste._utils.groupby import group_mean
from foretaste.errors import InvalidParameterError
from foretaste.models.outputs import LinearForm, Prediction
from foretaste.models.pytorch._base import TrainValidRows
from foretaste.models.pytorch._network_model import TorchNetworkModel
from foretaste.models.pytorch._trainer import TrainingTask
from foretaste.params import estimator, fitted_attribute, param, to_source
from foretaste.ratings import Pairs, Ratings
from foretaste.typing import Float32Array

LOSSES = ("mse", "huber", "quantile", "ordinal", "binary", "bpr")

_BLOCK_SIZE = 65_536  # pairs predicted at once
_DAMPING = 5.0  # pseudo-count of ratings at the mean, for the fallback of pairs with an unknown id


@estimator
class TorchRecommender(TorchNetworkModel):
    r"""Trains your own torch module with your own loss; both have defaults.

    :math:`\hat r_{ui} = \mu + \sigma f(u, i)`, where mini-batch gradient descent on the module :math:`f`
    minimizes the mean loss over the training ratings plus the regularizer.

    ``module`` is a class or function that is called with the numbers of users and items and returns a
    ``torch.nn.Module``. That module is called with two int64 tensors, users and items of a batch, and returns
    one number per pair: for most losses the standardized rating. The default is biased matrix factorization.

    ``loss`` is a name, or a function of two tensors, predictions and ratings in rating units, that returns
    one number per rating. ``"mse"``, ``"huber"`` and ``"quantile"`` are regression losses; ``"ordinal"``
    treats ratings as ordered levels with trained thresholds; ``"binary"`` classifies whether a rating is at
    least ``threshold``; ``"bpr"`` ranks items rated so above other items. Predictions are always in rating
    units. ``regularizer`` is a function of the module that returns a scalar.

    An unknown user gets the damped mean of the item, an unknown item that of the user.

    Huber, Ann. Math. Statist. 35(1), 1964; Koenker and Bassett, "Regression quantiles", Econometrica 46(1),
    1978; Koren and Sill, "OrdRec", RecSys 2011; Rendle et al., "BPR", UAI 2009.
    """

    summary: ClassVar[str] = "your own module and loss (PyTorch)"

    module: Any = param(
        None,
        "class or function that builds the module from the numbers of users and items; None is matrix "
        "factorization",
        allow_callable=True,
    )
    loss: Any = param("mse", "loss: a name or a function", choices=LOSSES, allow_callable=True)
    regularizer: Any = param(
        None, "function of the module whose result is added to the loss of a batch", allow_callable=True
    )
    factors: int = param(64, "number of latent factors of the default module", low=1, high=4096)
    regularization: float = param(0.06, "L2 regularization of the default module", low=0)
    huber_delta: float = param(
        1.0,
        "huber: error in standard deviations beyond which the loss is absolute",
        low=0,
        exclusive_low=True,
    )
    quantile: float = param(0.5, "quantile: the quantile to predict", low=0.001, high=0.999)
    threshold: float | None = param(
        None,
        "binary, bpr: smallest rating that counts as liked; None is the mean",
        optional=True,
        allow_float=True,
    )

    mean_: float = fitted_attribute()
    std_: float = fitted_attribute()
    user_bias_: Float32Array = fitted_attribute("users")
    item_bias_: Float32Array = fitted_attribute("items")

    def check_params(self) -> None:
        super().check_params()
        if hasattr(self.module, "state_dict") and not isinstance(self.module, type):
            raise InvalidParameterError(
                f"module is an instance of {type(self.module).__name__}; pass a class or function, since "
                "each fit builds a new module",
                hint=f"module={type(self.module).__name__}, called with the numbers of users and items",
            )

    def _make_training_task(self, train: Ratings, split: TrainValidRows, device: Any) -> TrainingTask:
        from foretaste.models.pytorch._bpr_task import BPRTask
        from foretaste.models.pytorch._pair_task import PairTask
        from foretaste.models.pytorch.losses import BinaryLoss, BPRLoss, OrdinalLoss

        self.mean_, self.std_ = train.mean_std()
        value = train.value.astype(np.float64) - self.mean_
        self.user_bias_, self.item_bias_ = (
            group_mean(codes, value, n, train.weight, damping=_DAMPING).astype(np.float32)
            for codes, n in ((train.user, len(train.users)), (train.item, len(train.items)))
        )
        standardized = (value / (self.std_ or 1.0)).astype(np.float32)[split.train]
        weight = None if train.weight is None else train.weight[split.train]
        threshold = 0.0 if self.threshold is None else (self.threshold - self.mean_) / (self.std_ or 1.0)
        self._check_threshold(train.value)
        loss = (
            OrdinalLoss.from_ratings(standardized, weight) if self.loss == "ordinal" else self._make_loss(2)
        )
        if isinstance(loss, BinaryLoss):
            loss.fit_threshold(standardized, weight, threshold)
        network = self._build_network(len(train.users), len(train.items), loss)
        mean_std = self.mean_, self.std_
        if isinstance(loss, BPRLoss):
            task = BPRTask(network, train, split, mean_std, device, self.regularizer, self.batch_size)
            return task.set_threshold(threshold, self.seed)
        return PairTask(network, train, split, mean_std, device, self.regularizer, self.batch_size)

    def _check_threshold(self, value: Float32Array) -> None:
        """Raise if a threshold does not split the ratings."""
        if self.threshold is None or self.loss not in ("binary", "bpr"):
            return
        liked = value >= np.float32(self.threshold)
        if not liked.any() or (self.loss == "binary" and liked.all()):
            share = "all ratings are" if liked.any() else "no rating is"
            raise InvalidParameterError(
                f"threshold={self.threshold:g}: {share} at least that; they go from {value.min():g} to "
                f"{value.max():g}",
                hint="a threshold between these, or None for the mean",
            )

    def _make_loss(self, n_levels: int) -> Any:
        from foretaste.models.pytorch.losses import make_loss

        mean_std = self.mean_, self.std_ or 1.0
        return make_loss(
            self.loss, delta=self.huber_delta, quantile=self.quantile, n_levels=n_levels, mean_std=mean_std
        )

    def _build_network(self, users: int, items: int, loss: Any) -> Any:
        """Return a network of a new module and the loss."""
        import torch

        from foretaste.models.pytorch._factors import FactorModule
        from foretaste.models.pytorch._pair_task import Network

        if self.module is None:
            random = torch.Generator().manual_seed(self.seed)
            regularization = (self.regularization,) * 4
            module = FactorModule(
                users,
                items,
                self.factors,
                biased=True,
                init_std=0.01,
                uniform=False,
                random=random,
                regularization=regularization,
            )
        else:
            module = self.module(users, items)
        if not isinstance(module, torch.nn.Module):
            raise InvalidParameterError(
                f"module={to_source(self.module)} returned {type(module).__name__}, not a torch.nn.Module",
                hint="a subclass of torch.nn.Module, or a function that returns a module",
            )
        return Network(module, loss)

    def _set_fitted(self, training: Any) -> None:
        self._store_weights(training.network)

    def _rebuild_network(self) -> Any:
        n_levels = len(self.weights_["loss.levels"]) if self.loss == "ordinal" else 2
        shape = len(self.users_), self.factors
        if self.module is None and self.weights_["module.user_factors"].shape != shape:  # before allocating
            raise ValueError(f"user factors are not of the shape {shape}")
        return self._build_network(len(self.users_), len(self.items_), self._make_loss(n_levels))

    def _predict(self, pairs: Pairs) -> Prediction:
        known = self._known_mask(pairs)
        value = np.full(len(pairs), self.mean_, np.float32)
        for codes, bias in ((pairs.user, self.user_bias_), (pairs.item, self.item_bias_)):
            value[codes >= 0] += bias[codes[codes >= 0]]
        std: Float32Array | None = None
        if known.any():
            standardized, network_std = self._predict_standardized(pairs.user[known], pairs.item[known])
            value[known] = np.float32(self.mean_) + np.float32(self.std_) * standardized
            if network_std is not None:
                std = np.full(len(pairs), self.std_, np.float32)
                std[known] = np.float32(self.std_) * network_std
        prediction = self._make_prediction(pairs, value)
        return replace(prediction, std=std)

    def _predict_standardized(self, user: Any, item: Any) -> tuple[Float32Array, Float32Array | None]:
        """Return predictions of known pairs and their predictive standard deviations, both standardized."""
        import torch

        network, device = self._get_network(), self._prediction_device()
        values, stds = list[Any](), list[Any]()
        with self._session(), torch.no_grad():
            for first in range(0, len(user), _BLOCK_SIZE):
                rows = [
                    torch.from_numpy(c[first : first + _BLOCK_SIZE]).to(device).long() for c in (user, item)
                ]
                output = network(*rows).float()
                values.append(network.loss.to_rating(output).cpu().numpy())
                predictive_std = network.loss.predictive_std(output)
                stds += [] if predictive_std is None else [predictive_std.cpu().numpy()]
        return np.concatenate(values), np.concatenate(stds) if stds else None

    def as_linear(self) -> LinearForm:
        loss_line = self._get_network().loss.as_line() if self.module is None else None
        if loss_line is None:
            raise self._linear_not_supported("these parameters")
        intercept, slope = self.mean_ + self.std_ * loss_line[0], np.float32(self.std_ * loss_line[1])
        tables = (self.weights_[f"module.{name}"] for name in ("user_bias", "item_bias", "user_factors"))
        user_bias, item_bias, user_factors = (slope * table for table in tables)
        item_factors = self.weights_["module.item_factors"]
        return LinearForm(float(intercept), user_bias, item_bias, user_factors, item_factors)
