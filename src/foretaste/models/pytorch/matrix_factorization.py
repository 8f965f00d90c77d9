"""Biased matrix factorization with PyTorch."""

from __future__ import annotations

from typing import Any, ClassVar, Self

import numpy as np

from foretaste._utils.progress import Progress
from foretaste.models._factor_model import RidgeFactorModel
from foretaste.models.fold_in import FoldInRows
from foretaste.models.outputs import Prediction
from foretaste.models.pytorch._base import LinearTorchModel, TrainValidRows, to_numpy
from foretaste.models.pytorch._trainer import TrainingTask
from foretaste.params import estimator, fitted_attribute, param
from foretaste.ratings import Pairs, Ratings
from foretaste.typing import Entity, Float32Array, Float64Array


@estimator
class TorchMF(LinearTorchModel, RidgeFactorModel):
    r"""Matrix factorization with biases, trained with PyTorch.

    :math:`\hat r_{ui} = \mu + \sigma (b_u + b_i + p_u \cdot q_i)`, where biases and factors minimize, over
    standardized ratings :math:`z = (r - \mu) / \sigma`,

    .. math:: \frac{1}{n} \sum_{(u,i)} (z_{ui} - b_u - b_i - p_u \cdot q_i)^2
              + \lambda_p \lVert p_u \rVert^2 + \lambda_q \lVert q_i \rVert^2
              + \lambda_b b_u^2 + \lambda_c b_i^2 ,

    by mini-batch gradient descent. With ``penalty="norms"`` the penalty is the norms of the whole tables,
    :math:`\lambda_p \lVert P \rVert + \lambda_q \lVert Q \rVert + \lambda_b \lVert b \rVert
    + \lambda_c \lVert c \rVert`. An unknown user or item has zero bias and factors.

    ``TorchMF.vanilla()`` is matrix factorization as courses introduce it: no biases, no mean, raw ratings.
    Without a mean, a pair with an unknown user or item gets the mean of the training ratings.

    New users and new items are folded in as by ``SVD``: one ridge regression each on the fixed factors of the
    other entity, with the second moment of the trained factors as prior and the training error as noise.

    Koren, Bell and Volinsky, "Matrix factorization techniques for recommender systems", IEEE Computer 42(8),
    2009; Kingma and Ba, "Adam: a method for stochastic optimization", ICLR 2015.
    """

    summary: ClassVar[str] = "matrix factorization with biases (PyTorch)"
    uses_global_rng: ClassVar[bool] = False

    factors: int = param(64, "number of latent factors", low=1, high=4096)
    biased: bool = param(True, "use a global mean and user and item biases")
    standardize: bool = param(True, "train on standardized ratings; otherwise on raw ratings")
    user_regularization: float = param(0.07, "L2 regularization of user factors", low=0)
    item_regularization: float = param(0.07, "L2 regularization of item factors", low=0)
    user_bias_regularization: float = param(0.04, "L2 regularization of user biases", low=0)
    item_bias_regularization: float = param(0.04, "L2 regularization of item biases", low=0)
    penalty: str = param(
        "squares",
        "regularization: squared norms of the rows in a batch, or norms of the whole embedding tables",
        choices=("squares", "norms"),
    )
    init: str = param("normal", "distribution of the initial factors", choices=("normal", "uniform"))
    init_std: float = param(
        0.01, "standard deviation of the initial factors; with init=uniform their upper end from 0", low=0
    )

    unknown_: float = fitted_attribute()
    # Required here: unlike files of the native models, all files of this model have them.
    user_penalty_: Float64Array = fitted_attribute("vector", "vector", dtype="float64")
    item_penalty_: Float64Array = fitted_attribute("vector", "vector", dtype="float64")

    @classmethod
    def vanilla(cls, **params: Any) -> Self:
        """Return matrix factorization as courses introduce it: two embeddings, their dot product, Adam.

        100 factors, initially uniform on [0, 0.05]; no biases; squared error of raw ratings plus 0.001 times
        the norms of both tables; 20 epochs in batches of 512 with learning rate 0.001, on all training
        ratings.

        Parameters
        ----------
        **params
            Parameters to change.
        """
        settings: dict[str, Any] = {
            "factors": 100, "biased": False, "standardize": False, "penalty": "norms", "init": "uniform",
            "init_std": 0.05, "user_regularization": 0.001, "item_regularization": 0.001, "epochs": 20,
            "batch_size": 512, "learning_rate": 0.001, "optimizer": "adam", "schedule": "constant",
            "validation_fraction": 0.0,
        }  # fmt: skip
        return cls(**(settings | params))

    def _make_training_task(self, train: Ratings, split: TrainValidRows, device: Any) -> TrainingTask:
        import torch

        from foretaste.models.pytorch._factors import FactorModule
        from foretaste.models.pytorch._pair_task import Network, PairTask
        from foretaste.models.pytorch.losses import Loss

        mean, std = train.mean_std()
        self.unknown_ = mean
        mean_std = (mean, std) if self.standardize else (mean if self.biased else 0.0, 1.0)
        regularization = (
            self.user_regularization,
            self.item_regularization,
            self.user_bias_regularization,
            self.item_bias_regularization,
        )
        penalize_squares = self.penalty == "squares"
        factors = FactorModule(
            len(train.users), len(train.items), self.factors, biased=self.biased, init_std=self.init_std,
            uniform=self.init == "uniform", random=torch.Generator().manual_seed(self.seed),
            regularization=regularization, penalize_squares=penalize_squares,
        )  # fmt: skip
        regularizer = None if penalize_squares else FactorModule.norms
        network = Network(factors, Loss())
        return PairTask(network, train, split, mean_std, device, regularizer, self.batch_size)

    def _set_fitted(self, training: Any) -> None:
        self.mean_, self.std_ = training.mean, training.std
        module = training.network.module
        self.user_factors_ = to_numpy(module.user_factors)
        self.item_factors_ = to_numpy(module.item_factors)
        self.user_bias_, self.item_bias_ = (
            np.zeros(len(factors), np.float32) if bias is None else to_numpy(bias)
            for bias, factors in (
                (module.user_bias, self.user_factors_),
                (module.item_bias, self.item_factors_),
            )
        )

    def _fit(self, train: Ratings, progress: Progress) -> None:
        super()._fit(train, progress)
        self._set_prior_precision(self.training_rmse())

    def _has_biases(self) -> bool:
        return self.biased

    def _predict(self, pairs: Pairs) -> Prediction:
        prediction = super()._predict(pairs)
        if not self.biased:
            prediction.value[~self._known_mask(pairs)] = np.float32(self.unknown_)
        return prediction

    def _solve_fold_in(self, rows: FoldInRows, entity: Entity) -> tuple[Float32Array, Float32Array]:
        bias, factors = super()._solve_fold_in(rows, entity)
        # Without ratings of known items, predict as for an unknown user: without a mean that is not 0.
        unrated = np.bincount(rows.new_indices, minlength=rows.n_new) == 0
        bias[unrated] = np.float32((self.unknown_ - self.mean_) / (self.std_ or 1.0))
        return bias, factors
