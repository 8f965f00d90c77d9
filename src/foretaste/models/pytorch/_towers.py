"""One side of a factorisation machine, and one side of a network of factors, as torch modules."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import nn

from foretaste.models.pytorch._two_tower import Side


class Machine(Side):
    """One side of a factorisation machine: each id and each feature has a weight and factors.

    Parameters
    ----------
    features, factors, spread, random
        As in ``Side``.
    costs : (float, float)
        What a squared weight or factor of an id costs, and one of a feature.
    """

    def __init__(
        self, features: Any, factors: int, spread: float, costs: tuple[float, float], random: Any
    ) -> None:
        super().__init__(features, factors, spread, random)
        columns = features.shape[1]
        self.id_cost, self.feature_cost = costs
        self.weights = nn.Parameter(torch.zeros(columns))
        self.feature_factors = nn.Parameter(
            torch.empty(columns, factors).normal_(0, spread, generator=random)
        )

    def combined(self, bias: Any, factors: Any, features: Any) -> tuple[Any, Any, Any]:
        """Return bias and factors of ids and features together, and what they cost."""
        own = (factors * factors).sum(1)
        cost = self.id_cost * (bias * bias + own)
        if not features.shape[1]:
            return bias, factors, cost
        squares = features * features
        each = self.feature_factors.square().sum(1)
        alone = squares @ each
        made = factors + features @ self.feature_factors
        pairs = 0.5 * ((made * made).sum(1) - own - alone)
        cost = cost + self.feature_cost * (alone + squares @ self.weights.square())
        return bias + features @ self.weights + pairs, made, cost


class Tower(Side):
    """Factors and bias of an id, plus what a network of two layers makes of these and the features.

    Parameters
    ----------
    features, factors, spread, random
        As in ``Side``.
    hidden : int
        Units of the hidden layer.
    costs : (float, float)
        What a squared factor or bias of an id costs, and a square of what the network adds.
    """

    def __init__(
        self, features: Any, factors: int, hidden: int, spread: float, costs: tuple[float, float], random: Any
    ) -> None:
        super().__init__(features, factors, spread, random)
        columns = features.shape[1]
        self.id_cost, self.added_cost = costs
        self.of_factors = _drawn(factors, hidden, random, fan_in=factors + columns)
        self.of_columns = _drawn(columns, hidden, random, fan_in=factors + columns)
        self.hidden_bias = nn.Parameter(torch.zeros(hidden))
        self.out = _drawn(hidden, factors + 1, random, fan_in=100 * hidden)
        self.out_bias = nn.Parameter(torch.zeros(factors + 1))

    def combined(self, bias: Any, factors: Any, features: Any) -> tuple[Any, Any, Any]:
        """Return bias and factors of ids and features together, and what they cost."""
        hidden = torch.tanh(factors @ self.of_factors + features @ self.of_columns + self.hidden_bias)
        added = hidden @ self.out + self.out_bias
        cost = self.id_cost * (bias * bias + (factors * factors).sum(1))
        cost = cost + self.added_cost * (added * added).sum(1)
        return bias + added[:, -1], factors + added[:, :-1], cost


def _drawn(inputs: int, outputs: int, random: Any, *, fan_in: int) -> Any:
    """Return first weights of a layer, uniform, the narrower the more there is to sum up."""
    bound = math.sqrt(3 / fan_in)
    return nn.Parameter(torch.empty(inputs, outputs).uniform_(-bound, bound, generator=random))
