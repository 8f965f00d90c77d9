"""Factors made by two small networks of ids and side columns."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from foretaste.models.pytorch._feature_model import FeatureModel
from foretaste.models.pytorch._linear_model import to_numpy
from foretaste.params import estimator, fitted_attribute, param
from foretaste.typing import Float32Array


@estimator
class NeuralMF(FeatureModel):
    r"""Matrix factorisation whose factors two small networks make of ids and features.

    :math:`\hat r_{ui} = \mu + \sigma (b'_u + b'_i + p'_u \cdot q'_i)`. A user has factors :math:`p_u` and a
    bias :math:`b_u` of its own, and a network of one hidden layer adds to them, by the features
    :math:`x_u`, too,

    .. math:: (p'_u, b'_u) = (p_u, b_u) + V^\top \tanh(W^\top p_u + X^\top x_u + c) + d ;

    likewise of items, by a network of their own. All of it makes the mean squared error, plus
    :math:`\lambda (b^2 + \lVert p \rVert^2)` and :math:`\lambda_f` times the squares of what the networks
    add, smaller, a batch of ratings at a time.

    Features come by ``ratings.with_features(users=frame, items=frame)``. In a share ``hide_ids`` of the
    ratings the id of a side with features is left out while learning, so that these learn to stand alone.
    An unknown user or item gets bias and factors by its features, and 0 where there are none.

    Two towers that meet in a product: Huang et al., "Learning deep structured semantic models for web search
    using clickthrough data", CIKM 2013; inputs left out at random: Volkovs, Yu and Poutanen, "DropoutNet:
    addressing cold start in recommender systems", NIPS 2017.
    """

    summary: ClassVar[str] = "factors made by small networks of ids and side columns, by PyTorch"

    factors: int = param(32, "how many numbers describe a user's or an item's taste", low=1, high=4096)
    hidden: int = param(64, "how many hidden units each of the two networks has", low=1, high=8192)
    regularization: float = param(0.05, "how strongly factors and biases of ids are drawn to 0", low=0)
    feature_regularization: float = param(0.01, "how strongly what the networks add is drawn to 0", low=0)
    init_std: float = param(0.05, "the standard deviation of the first factors of ids", low=0)
    learning_rate: float = param(0.003, "the step of the optimiser", low=0, high=100, exclusive_low=True)

    user_input_: Float32Array = fitted_attribute("user_features", "hidden")
    item_input_: Float32Array = fitted_attribute("item_features", "hidden")
    user_hidden_bias_: Float32Array = fitted_attribute("hidden")
    item_hidden_bias_: Float32Array = fitted_attribute("hidden")
    user_output_: Float32Array = fitted_attribute("hidden", "made")
    item_output_: Float32Array = fitted_attribute("hidden", "made")
    user_output_bias_: Float32Array = fitted_attribute("made")
    item_output_bias_: Float32Array = fitted_attribute("made")

    def _build_network(
        self, sizes: tuple[int, int], features: tuple[Float32Array, Float32Array], random: Any
    ) -> Any:
        from foretaste.models.pytorch._towers import MlpTower
        from foretaste.models.pytorch._two_tower import TwoTower

        penalties = self.regularization, self.feature_regularization
        user, item = (
            MlpTower(values, self.factors, self.hidden, self.init_std, penalties, random)
            for values in features
        )
        return TwoTower(user, item)

    def _set_fitted_network(self, network: Any) -> None:
        for entity in ("user", "item"):
            tower = getattr(network, entity)
            setattr(self, f"{entity}_input_", to_numpy(tower.feature_weights))
            setattr(self, f"{entity}_hidden_bias_", to_numpy(tower.hidden_bias))
            setattr(self, f"{entity}_output_", to_numpy(tower.output_weights))
            setattr(self, f"{entity}_output_bias_", to_numpy(tower.output_bias))

    def _factors_from_features(self, entity: str, values: Float32Array) -> tuple[Float32Array, Float32Array]:
        layer = {
            part: getattr(self, f"{entity}_{part}_").astype(np.float64)
            for part in ("input", "hidden_bias", "output", "output_bias")
        }
        hidden = np.tanh(np.einsum("nf,fh->nh", values, layer["input"]) + layer["hidden_bias"])
        output = (np.einsum("nh,hk->nk", hidden, layer["output"]) + layer["output_bias"]).astype(np.float32)
        return output[:, -1], np.ascontiguousarray(output[:, :-1])
