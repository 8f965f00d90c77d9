"""Two-tower networks: user and item towers that meet in one dot product."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from foretaste.models.pytorch._base import TrainValidRows
from foretaste.models.pytorch._pair_task import PairTask, weighted_mean
from foretaste.models.pytorch.losses import Loss
from foretaste.ratings import Ratings
from foretaste.typing import Entity

_BLOCK_SIZE = 65_536  # users or items embedded at once


class EntityTower(nn.Module):
    """Base of the towers: embeds ids and features of users, or of items.

    Parameters
    ----------
    features : float32 array, shape (n, columns)
        Scaled.
    factors : int
    init_std : float
        Standard deviation of the initial factors of ids.
    random : torch.Generator
    """

    def __init__(self, features: Any, factors: int, init_std: float, random: Any) -> None:
        super().__init__()
        self.factors = nn.Parameter(
            torch.empty(len(features), factors).normal_(0, init_std, generator=random)
        )
        self.bias = nn.Parameter(torch.zeros(len(features)))
        self.register_buffer("features", torch.from_numpy(features), persistent=False)

    def lookup(self, index: Any, mask: Any) -> tuple[Any, Any]:
        """Return bias and factors of ids, zero where ``mask`` is 0; None masks nothing."""
        bias, factors = self.bias[index], functional.embedding(index, self.factors)
        return (bias, factors) if mask is None else (bias * mask, factors * mask[:, None])

    def embed(self, index: Any, mask: Any = None) -> tuple[Any, Any, Any]:
        """Return bias, (n,), factors, (n, factors), and regularization terms, (n,)."""
        bias, factors = self.lookup(index, mask)
        return self.combine(bias, factors, self.features[index])

    def combine(self, bias: Any, factors: Any, features: Any) -> tuple[Any, Any, Any]:
        """Return bias and factors of ids and features together, and their penalties."""
        raise NotImplementedError

    def embed_features(self, features: Any) -> tuple[Any, Any]:
        """Return bias and factors from features alone, as of an unknown id."""
        zeros = torch.zeros(len(features), self.factors.shape[1] + 1, device=features.device)
        return self.combine(zeros[:, 0], zeros[:, 1:], features)[:2]


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


class TwoTower(nn.Module):
    """Bias of the user plus bias of the item plus the dot product of their factors."""

    def __init__(self, user: EntityTower, item: EntityTower) -> None:
        super().__init__()
        self.user, self.item, self.loss = user, item, Loss()

    def forward(self, user: Any, item: Any) -> Any:
        """Return the scores of pairs of indices, shape (n,)."""
        return self.forward_with_penalty(user, item, None, None)[0]

    def forward_with_penalty(self, user: Any, item: Any, user_mask: Any, item_mask: Any) -> tuple[Any, Any]:
        """Return scores, and the regularization term of each pair."""
        b, p, penalty = self.user.embed(user, user_mask)
        c, q, item_penalty = self.item.embed(item, item_mask)
        return b + c + (p * q).sum(1), penalty + item_penalty

    def embed_all(self, entity: Entity) -> tuple[Any, Any]:
        """Return biases and factors of all users, or of all items."""
        tower = self.user if entity is Entity.USER else self.item
        index = torch.arange(len(tower.bias), device=tower.bias.device)
        embedded = [tower.embed(part)[:2] for part in index.split(_BLOCK_SIZE)]
        return torch.cat([bias for bias, _ in embedded]), torch.cat([factors for _, factors in embedded])


class TwoTowerTask(PairTask):
    """Squared errors of ``TwoTower`` with id dropout, so that features learn to stand in for unknown ids.

    Parameters
    ----------
    network, train, split, mean_std, device
        As in ``PairTask``.
    id_dropout : float
        Fraction of the ratings whose id is masked, for users and items separately, where there are features.
    random : torch.Generator
    """

    def __init__(
        self, network: Any, train: Ratings, split: TrainValidRows, mean_std: tuple[float, float], device: Any,
        id_dropout: float, random: Any,
    ) -> None:  # fmt: skip
        super().__init__(network, train, split, mean_std, device)
        self.id_dropout, self.random = id_dropout, random

    def batch_loss(self, user: Any, item: Any, value: Any, weight: Any) -> Any:
        """Return the mean squared error of a batch, plus regularization."""
        masks = (
            self._sample_mask(self.network.user, len(user)),
            self._sample_mask(self.network.item, len(user)),
        )
        output, penalty = self.network.forward_with_penalty(user, item, *masks)
        return weighted_mean(self.network.loss.per_sample(output, value) + penalty, weight)

    def _sample_mask(self, tower: EntityTower, n: int) -> Any:
        """Return 0 where an id is masked, else 1, shape (n,); None if nothing is masked."""
        if self.id_dropout == 0 or tower.features.shape[1] == 0:
            return None
        return (torch.rand(n, generator=self.random) >= self.id_dropout).float().to(self.device)


def _init_weights(inputs: int, outputs: int, random: Any, *, fan_in: int) -> Any:
    """Return the initial weights of a layer: uniform, with variance 1 / ``fan_in``."""
    bound = math.sqrt(3 / fan_in)
    return nn.Parameter(torch.empty(inputs, outputs).uniform_(-bound, bound, generator=random))
