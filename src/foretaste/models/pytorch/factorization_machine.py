"""Second-order factorization machine over ids and features."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from foretaste.models.pytorch._base import to_numpy
from foretaste.models.pytorch._feature_model import FeatureModel
from foretaste.params import estimator, fitted_attribute, param
from foretaste.typing import Entity, Float32Array


@estimator
class FactorizationMachine(FeatureModel):
    r"""A second-order factorization machine.

    A pair is a vector :math:`x` of user id, item id and the features of both, and

    .. math:: \hat r = \mu + \sigma \Bigl( \sum_j w_j x_j + \sum_{j < k} \langle v_j, v_k \rangle x_j x_k
              \Bigr) ,

    which minimizes

    .. math:: \frac{1}{n} \sum (z - \hat z)^2 + \lambda \sum_{\text{ids}} (w_j^2 + \lVert v_j \rVert^2)
              + \lambda_f \sum_{\text{features}} x_j^2 (w_j^2 + \lVert v_j \rVert^2)

    by mini-batch gradient descent. Every term belongs to the user, to the item, or is a product of both, so
    the model is a bias of each plus one dot product of factors: :math:`p_u = \sum_{j \in u} v_j x_j`.

    Features come from ``ratings.with_features(users=frame, items=frame)``. In training the ids of a fraction
    ``id_dropout`` of the ratings are masked where there are features, so that features can stand in for
    unknown ids. An unknown user or item gets bias and factors from its features, and zeros without any.

    Rendle, "Factorization machines", ICDM 2010; id dropout: Volkovs, Yu and Poutanen, "DropoutNet: addressing
    cold start in recommender systems", NIPS 2017.
    """

    summary: ClassVar[str] = "factorization machine: pairwise interactions of ids and features (PyTorch)"

    factors: int = param(32, "number of latent factors", low=1, high=4096)
    regularization: float = param(0.05, "L2 regularization of weights and factors of ids", low=0)
    feature_regularization: float = param(0.03, "L2 regularization of weights and factors of features", low=0)
    init_std: float = param(0.05, "standard deviation of the initial factors", low=0)
    learning_rate: float = param(0.005, "learning rate of the optimizer", low=0, high=100, exclusive_low=True)

    user_weights_: Float32Array = fitted_attribute("user_features")
    item_weights_: Float32Array = fitted_attribute("item_features")
    user_feature_factors_: Float32Array = fitted_attribute("user_features", "factors")
    item_feature_factors_: Float32Array = fitted_attribute("item_features", "factors")

    def _build_network(self, features: tuple[Float32Array, Float32Array], random: Any) -> Any:
        from foretaste.models.pytorch._two_tower import FmTower, TwoTower

        penalties = self.regularization, self.feature_regularization
        user, item = (FmTower(values, self.factors, self.init_std, penalties, random) for values in features)
        return TwoTower(user, item)

    def _set_fitted_network(self, network: Any) -> None:
        self.user_weights_ = to_numpy(network.user.weights)
        self.item_weights_ = to_numpy(network.item.weights)
        self.user_feature_factors_ = to_numpy(network.user.feature_factors)
        self.item_feature_factors_ = to_numpy(network.item.feature_factors)

    def _factors_from_features(
        self, entity: Entity, values: Float32Array
    ) -> tuple[Float32Array, Float32Array]:
        weights = self.entity_array(entity, "weights").astype(np.float64)
        feature_factors = self.entity_array(entity, "feature_factors").astype(np.float64)
        doubles = values.astype(np.float64)
        factors = np.einsum("nf,fk->nk", doubles, feature_factors)
        self_products = np.einsum("nf,f->n", doubles**2, (feature_factors**2).sum(axis=1))
        bias = np.einsum("nf,f->n", doubles, weights) + 0.5 * ((factors**2).sum(axis=1) - self_products)
        return bias.astype(np.float32), factors.astype(np.float32)
