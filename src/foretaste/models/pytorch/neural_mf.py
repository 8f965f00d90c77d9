"""Neural matrix factorization: factors from two small networks over ids and features."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from foretaste.models.pytorch._base import to_numpy
from foretaste.models.pytorch._feature_model import FeatureModel
from foretaste.params import estimator, fitted_attribute, param
from foretaste.typing import Entity, Float32Array


@estimator
class NeuralMF(FeatureModel):
    r"""Two-tower matrix factorization: factors from small networks over ids and features.

    :math:`\hat r_{ui} = \mu + \sigma (b'_u + b'_i + p'_u \cdot q'_i)`. A user has factors :math:`p_u` and a
    bias :math:`b_u`, to which a network with one hidden layer adds a term of these and the features
    :math:`x_u`,

    .. math:: (p'_u, b'_u) = (p_u, b_u) + V^\top \tanh(W^\top p_u + X^\top x_u + c) + d ;

    likewise for items, with a network of their own. Mini-batch gradient descent minimizes the mean squared
    error plus :math:`\lambda (b^2 + \lVert p \rVert^2)` plus :math:`\lambda_f` times the squared outputs of
    the networks.

    Features come from ``ratings.with_features(users=frame, items=frame)``. In training the ids of a fraction
    ``id_dropout`` of the ratings are masked where there are features, so that features can stand in for
    unknown ids. An unknown user or item gets bias and factors from its features, and zeros without any.

    Two towers and a dot product: Huang et al., "Learning deep structured semantic models for web search using
    clickthrough data", CIKM 2013; id dropout: Volkovs, Yu and Poutanen, "DropoutNet: addressing cold start in
    recommender systems", NIPS 2017.
    """

    summary: ClassVar[str] = "two-tower network: factors from ids and features (PyTorch)"

    factors: int = param(32, "number of latent factors", low=1, high=4096)
    hidden: int = param(64, "hidden units of each of the two networks", low=1, high=8192)
    regularization: float = param(0.05, "L2 regularization of factors and biases of ids", low=0)
    feature_regularization: float = param(0.01, "L2 regularization of the outputs of the networks", low=0)
    init_std: float = param(0.05, "standard deviation of the initial factors of ids", low=0)
    learning_rate: float = param(0.003, "learning rate of the optimizer", low=0, high=100, exclusive_low=True)

    user_input_: Float32Array = fitted_attribute("user_features", "hidden")
    item_input_: Float32Array = fitted_attribute("item_features", "hidden")
    user_hidden_bias_: Float32Array = fitted_attribute("hidden")
    item_hidden_bias_: Float32Array = fitted_attribute("hidden")
    user_output_: Float32Array = fitted_attribute("hidden", "outputs")
    item_output_: Float32Array = fitted_attribute("hidden", "outputs")
    user_output_bias_: Float32Array = fitted_attribute("outputs")
    item_output_bias_: Float32Array = fitted_attribute("outputs")

    def _build_network(self, features: tuple[Float32Array, Float32Array], random: Any) -> Any:
        from foretaste.models.pytorch._two_tower import MlpTower, TwoTower

        penalties = self.regularization, self.feature_regularization
        user, item = (
            MlpTower(values, self.factors, self.hidden, self.init_std, penalties, random)
            for values in features
        )
        return TwoTower(user, item)

    def _set_fitted_network(self, network: Any) -> None:
        for entity, tower in ((Entity.USER, network.user), (Entity.ITEM, network.item)):
            self.set_entity_array(entity, "input", to_numpy(tower.feature_weights))
            self.set_entity_array(entity, "hidden_bias", to_numpy(tower.hidden_bias))
            self.set_entity_array(entity, "output", to_numpy(tower.output_weights))
            self.set_entity_array(entity, "output_bias", to_numpy(tower.output_bias))

    def _factors_from_features(
        self, entity: Entity, values: Float32Array
    ) -> tuple[Float32Array, Float32Array]:
        layer = {
            part: self.entity_array(entity, part).astype(np.float64)
            for part in ("input", "hidden_bias", "output", "output_bias")
        }
        hidden = np.tanh(np.einsum("nf,fh->nh", values, layer["input"]) + layer["hidden_bias"])
        output = (np.einsum("nh,hk->nk", hidden, layer["output"]) + layer["output_bias"]).astype(np.float32)
        return output[:, -1], np.ascontiguousarray(output[:, :-1])
