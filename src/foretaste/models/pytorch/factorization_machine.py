"""A factorisation machine of the second order, of ids and side columns."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from foretaste.models.pytorch._feature_model import FeatureModel
from foretaste.models.pytorch._linear_model import to_numpy
from foretaste.params import estimator, fitted_attribute, param
from foretaste.typing import Float32Array


@estimator
class FactorizationMachine(FeatureModel):
    r"""A factorisation machine of the second order.

    A pair is a vector :math:`x` of the id of the user, the id of the item and the features of both, and

    .. math:: \hat r = \mu + \sigma \Bigl( \sum_j w_j x_j + \sum_{j < k} \langle v_j, v_k \rangle x_j x_k
              \Bigr) ,

    which makes

    .. math:: \frac{1}{n} \sum (z - \hat z)^2 + \lambda \sum_{\text{ids}} (w_j^2 + \lVert v_j \rVert^2)
              + \lambda_f \sum_{\text{features}} x_j^2 (w_j^2 + \lVert v_j \rVert^2)

    smaller, a batch of ratings at a time. Because every term is of the user's side, of the item's, or a
    product of both, it is a bias of each and one product of factors: :math:`p_u = \sum_{j \in u} v_j x_j`.

    Features come by ``ratings.with_features(users=frame, items=frame)``. In a share ``hide_ids`` of the
    ratings the id of a side with features is left out while learning, so that these learn to stand alone.
    An unknown user or item gets bias and factors by its features, and 0 where there are none.

    Rendle, "Factorization machines", ICDM 2010; inputs left out at random: Volkovs, Yu and Poutanen,
    "DropoutNet: addressing cold start in recommender systems", NIPS 2017.
    """

    summary: ClassVar[str] = "ids and side columns, each pair of them with a weight of its own, by PyTorch"

    factors: int = param(32, "how many numbers describe an id or a feature", low=1, high=4096)
    regularization: float = param(0.05, "how strongly weights and factors of ids are drawn to 0", low=0)
    feature_regularization: float = param(
        0.03, "how strongly weights and factors of features are drawn to 0", low=0
    )
    init_std: float = param(0.05, "the standard deviation of the first factors", low=0)
    learning_rate: float = param(0.005, "the step of the optimiser", low=0, high=100, exclusive_low=True)

    user_weights_: Float32Array = fitted_attribute("user_features")
    item_weights_: Float32Array = fitted_attribute("item_features")
    user_feature_factors_: Float32Array = fitted_attribute("user_features", "factors")
    item_feature_factors_: Float32Array = fitted_attribute("item_features", "factors")

    def _build_network(
        self, sizes: tuple[int, int], features: tuple[Float32Array, Float32Array], random: Any
    ) -> Any:
        from foretaste.models.pytorch._towers import FmTower
        from foretaste.models.pytorch._two_tower import TwoTower

        penalties = self.regularization, self.feature_regularization
        user, item = (FmTower(values, self.factors, self.init_std, penalties, random) for values in features)
        return TwoTower(user, item)

    def _set_fitted_network(self, network: Any) -> None:
        self.user_weights_ = to_numpy(network.user.weights)
        self.item_weights_ = to_numpy(network.item.weights)
        self.user_feature_factors_ = to_numpy(network.user.feature_factors)
        self.item_feature_factors_ = to_numpy(network.item.feature_factors)

    def _factors_from_features(self, entity: str, values: Float32Array) -> tuple[Float32Array, Float32Array]:
        weights = getattr(self, f"{entity}_weights_").astype(np.float64)
        feature_factors = getattr(self, f"{entity}_feature_factors_").astype(np.float64)
        doubles = values.astype(np.float64)
        factors = np.einsum("nf,fk->nk", doubles, feature_factors)
        self_products = np.einsum("nf,f->n", doubles**2, (feature_factors**2).sum(axis=1))
        bias = np.einsum("nf,f->n", doubles, weights) + 0.5 * ((factors**2).sum(axis=1) - self_products)
        return bias.astype(np.float32), factors.astype(np.float32)
