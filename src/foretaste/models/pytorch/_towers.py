"""Towers of the feature models: factorization machine and multi-layer perceptron."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import nn

from foretaste.models.pytorch._two_tower import EntityTower


class FmTower(EntityTower):
    """User or item half of a factorization machine: each id and each feature has a weight and factors.

    Parameters
    ----------
    features, factors, init_std, random
        As in ``EntityTower``.
    penalties : (float, float)
        L2 regularization of ids and of features.
    """

    def __init__(
        self, features: Any, factors: int, init_std: float, penalties: tuple[float, float], random: Any
    ) -> None:
        super().__init__(features, factors, init_std, random)
        columns = features.shape[1]
        self.id_penalty, self.feature_penalty = penalties
        self.weights = nn.Parameter(torch.zeros(columns))
        self.feature_factors = nn.Parameter(
            torch.empty(columns, factors).normal_(0, init_std, generator=random)
        )

    def combine(self, bias: Any, factors: Any, features: Any) -> tuple[Any, Any, Any]:
        """Return bias and factors of ids and features together, and their penalties.

        The interactions of all inputs of a tower are (|sum_j v_j x_j|^2 - sum_j |v_j x_j|^2) / 2.
        """
        id_norm = (factors * factors).sum(1)
        penalty = self.id_penalty * (bias * bias + id_norm)
        if not features.shape[1]:
            return bias, factors, penalty
        squares = features * features
        feature_norm = self.feature_factors.square().sum(1)
        self_products = squares @ feature_norm
        combined = factors + features @ self.feature_factors
        interactions = 0.5 * ((combined * combined).sum(1) - id_norm - self_products)
        penalty = penalty + self.feature_penalty * (self_products + squares @ self.weights.square())
        return bias + features @ self.weights + interactions, combined, penalty


class MlpTower(EntityTower):
    """Factors and bias of an id, plus the output of a two-layer perceptron of these and the features.

    Parameters
    ----------
    features, factors, init_std, random
        As in ``EntityTower``.
    hidden : int
        Units of the hidden layer.
    penalties : (float, float)
        L2 regularization of the ids' factors and biases, and of the perceptron's output.
    """

    def __init__(
        self,
        features: Any,
        factors: int,
        hidden: int,
        init_std: float,
        penalties: tuple[float, float],
        random: Any,
    ) -> None:
        super().__init__(features, factors, init_std, random)
        columns = features.shape[1]
        self.id_penalty, self.output_penalty = penalties
        self.factor_weights = _init_weights(factors, hidden, random, fan_in=factors + columns)
        self.feature_weights = _init_weights(columns, hidden, random, fan_in=factors + columns)
        self.hidden_bias = nn.Parameter(torch.zeros(hidden))
        self.output_weights = _init_weights(hidden, factors + 1, random, fan_in=100 * hidden)
        self.output_bias = nn.Parameter(torch.zeros(factors + 1))

    def combine(self, bias: Any, factors: Any, features: Any) -> tuple[Any, Any, Any]:
        """Return bias and factors of ids and features together, and their penalties."""
        hidden = torch.tanh(
            factors @ self.factor_weights + features @ self.feature_weights + self.hidden_bias
        )
        output = hidden @ self.output_weights + self.output_bias
        penalty = self.id_penalty * (bias * bias + (factors * factors).sum(1))
        penalty = penalty + self.output_penalty * (output * output).sum(1)
        return bias + output[:, -1], factors + output[:, :-1], penalty


def _init_weights(inputs: int, outputs: int, random: Any, *, fan_in: int) -> Any:
    """Return the initial weights of a layer: uniform, with variance 1 / ``fan_in``."""
    bound = math.sqrt(3 / fan_in)
    return nn.Parameter(torch.empty(inputs, outputs).uniform_(-bound, bound, generator=random))
