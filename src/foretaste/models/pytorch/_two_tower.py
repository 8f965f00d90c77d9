"""Networks of two sides: what they make of users and of items meets in one product of factors."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.nn import functional

from foretaste.models.pytorch._base import Parts
from foretaste.models.pytorch._pair_task import PairLearning, weighted_mean
from foretaste.models.pytorch.losses import Loss
from foretaste.ratings import Ratings

_BLOCK = 65_536  # users or items worked out at once


class Side(nn.Module):
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

    def __init__(self, features: Any, factors: int, spread: float, random: Any) -> None:
        super().__init__()
        self.factors = nn.Parameter(torch.empty(len(features), factors).normal_(0, spread, generator=random))
        self.bias = nn.Parameter(torch.zeros(len(features)))
        self.register_buffer("features", torch.from_numpy(features), persistent=False)

    def of_ids(self, index: Any, shown: Any) -> tuple[Any, Any]:
        """Return bias and factors of ids, 0 where ``shown`` is; None shows all."""
        bias, factors = self.bias[index], functional.embedding(index, self.factors)
        return (bias, factors) if shown is None else (bias * shown, factors * shown[:, None])

    def made(self, index: Any, shown: Any = None) -> tuple[Any, Any, Any]:
        """Return bias, (n,), factors, (n, factors), and what they cost each, (n,)."""
        bias, factors = self.of_ids(index, shown)
        return self.combined(bias, factors, self.features[index])

    def combined(self, bias: Any, factors: Any, features: Any) -> tuple[Any, Any, Any]:
        """Return bias and factors of ids and features together, and what they cost."""
        raise NotImplementedError

    def of_features(self, features: Any) -> tuple[Any, Any]:
        """Return bias and factors by features alone."""
        none = torch.zeros(len(features), self.factors.shape[1] + 1, device=features.device)
        return self.combined(none[:, 0], none[:, 1:], features)[:2]


class TwoSides(nn.Module):
    """Bias of the user, bias of the item, and the product of their factors."""

    def __init__(self, user: Side, item: Side) -> None:
        super().__init__()
        self.user, self.item, self.loss = user, item, Loss()

    def forward(self, user: Any, item: Any) -> Any:
        """Predict pairs of indices, shape (n,) each."""
        return self.judged(user, item, None, None)[0]

    def judged(self, user: Any, item: Any, user_shown: Any, item_shown: Any) -> tuple[Any, Any]:
        """Return predictions, and what regularization adds to each."""
        b, p, cost = self.user.made(user, user_shown)
        c, q, more = self.item.made(item, item_shown)
        return b + c + (p * q).sum(1), cost + more

    def all_of(self, name: str) -> tuple[Any, Any]:
        """Return biases and factors of all users, or of all items."""
        side = getattr(self, name)
        index = torch.arange(len(side.bias), device=side.bias.device)
        made = [side.made(part)[:2] for part in index.split(_BLOCK)]
        return torch.cat([bias for bias, _ in made]), torch.cat([factors for _, factors in made])


class SidesLearning(PairLearning):
    """Squared errors of ``TwoSides``, a share of them with users or items known by their features alone.

    Parameters
    ----------
    network, train, parts, moments, device
        As in ``PairLearning``.
    share : float
        Of the ratings, in which the ids of a side that has features are hidden.
    random : torch.Generator
    """

    def __init__(
        self, network: Any, train: Ratings, parts: Parts, moments: tuple[float, float], device: Any,
        share: float, random: Any,
    ) -> None:  # fmt: skip
        super().__init__(network, train, parts, moments, device)
        self.share, self.random = share, random

    def batch_loss(self, user: Any, item: Any, value: Any, weight: Any) -> Any:
        """Return the mean over the batch of the squared error and of what regularization adds."""
        shown = self._shown(self.network.user, len(user)), self._shown(self.network.item, len(user))
        output, cost = self.network.judged(user, item, *shown)
        return weighted_mean(self.network.loss.each(output, value) + cost, weight)

    def _shown(self, side: Side, n: int) -> Any:
        """Return 0 where an id is hidden, else 1, shape (n,); None where all are shown."""
        if self.share == 0 or side.features.shape[1] == 0:
            return None
        return (torch.rand(n, generator=self.random) >= self.share).float().to(self.device)
