"""Networks of two sides: what they make of users and of items meets in one product of factors."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.nn import functional

from foretaste.models.pytorch._base import TrainValidRows
from foretaste.models.pytorch._pair_task import PairTask, weighted_mean
from foretaste.models.pytorch.losses import Loss
from foretaste.ratings import Ratings

_BLOCK_SIZE = 65_536  # users or items worked out at once


class EntityTower(nn.Module):
    """Ids and features of users, or of items.

    Parameters
    ----------
    features : float32 array, shape (n, columns)
        In the units that the network takes.
    factors : int
    spread : float
        The standard deviation of the first factors of ids.
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
        """Return bias and factors of ids, 0 where ``mask`` is; None shows all."""
        bias, factors = self.bias[index], functional.embedding(index, self.factors)
        return (bias, factors) if mask is None else (bias * mask, factors * mask[:, None])

    def embed(self, index: Any, mask: Any = None) -> tuple[Any, Any, Any]:
        """Return bias, (n,), factors, (n, factors), and what they cost each, (n,)."""
        bias, factors = self.lookup(index, mask)
        return self.combine(bias, factors, self.features[index])

    def combine(self, bias: Any, factors: Any, features: Any) -> tuple[Any, Any, Any]:
        """Return bias and factors of ids and features together, and what they cost."""
        raise NotImplementedError

    def embed_features(self, features: Any) -> tuple[Any, Any]:
        """Return bias and factors by features alone."""
        zeros = torch.zeros(len(features), self.factors.shape[1] + 1, device=features.device)
        return self.combine(zeros[:, 0], zeros[:, 1:], features)[:2]


class TwoTower(nn.Module):
    """Bias of the user, bias of the item, and the product of their factors."""

    def __init__(self, user: EntityTower, item: EntityTower) -> None:
        super().__init__()
        self.user, self.item, self.loss = user, item, Loss()

    def forward(self, user: Any, item: Any) -> Any:
        """Predict pairs of indices, shape (n,) each."""
        return self.forward_with_penalty(user, item, None, None)[0]

    def forward_with_penalty(self, user: Any, item: Any, user_mask: Any, item_mask: Any) -> tuple[Any, Any]:
        """Return predictions, and what regularization adds to each."""
        b, p, penalty = self.user.embed(user, user_mask)
        c, q, item_penalty = self.item.embed(item, item_mask)
        return b + c + (p * q).sum(1), penalty + item_penalty

    def embed_all(self, entity: str) -> tuple[Any, Any]:
        """Return biases and factors of all users, or of all items."""
        tower = getattr(self, entity)
        index = torch.arange(len(tower.bias), device=tower.bias.device)
        embedded = [tower.embed(part)[:2] for part in index.split(_BLOCK_SIZE)]
        return torch.cat([bias for bias, _ in embedded]), torch.cat([factors for _, factors in embedded])


class TwoTowerTask(PairTask):
    """Squared errors of ``TwoTower``, a share of them with users or items known by their features alone.

    Parameters
    ----------
    network, train, parts, moments, device
        As in ``PairTask``.
    id_dropout : float
        Of the ratings, in which the ids of a side that has features are hidden.
    random : torch.Generator
    """

    def __init__(
        self, network: Any, train: Ratings, split: TrainValidRows, mean_std: tuple[float, float], device: Any,
        id_dropout: float, random: Any,
    ) -> None:  # fmt: skip
        super().__init__(network, train, split, mean_std, device)
        self.id_dropout, self.random = id_dropout, random

    def batch_loss(self, user: Any, item: Any, value: Any, weight: Any) -> Any:
        """Return the mean over the batch of the squared error and of what regularization adds."""
        masks = (
            self._sample_mask(self.network.user, len(user)),
            self._sample_mask(self.network.item, len(user)),
        )
        output, penalty = self.network.forward_with_penalty(user, item, *masks)
        return weighted_mean(self.network.loss.per_sample(output, value) + penalty, weight)

    def _sample_mask(self, tower: EntityTower, n: int) -> Any:
        """Return 0 where an id is hidden, else 1, shape (n,); None where all are shown."""
        if self.id_dropout == 0 or tower.features.shape[1] == 0:
            return None
        return (torch.rand(n, generator=self.random) >= self.id_dropout).float().to(self.device)
