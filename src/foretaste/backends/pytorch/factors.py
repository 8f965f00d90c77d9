"""Factors and biases of users and items as a torch module."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.nn import functional

from foretaste.backends.pytorch.base import Parts
from foretaste.backends.pytorch.pairs import PairLearning, weighted_mean
from foretaste.ratings import Ratings


class Factors(nn.Module):
    """``user_factors . item_factors``, plus biases if they are wanted.

    Parameters
    ----------
    users, items, factors : int
    biased : bool
    spread : float
        Of the first random factors: their standard deviation, or the top of the uniform ones.
    uniform : bool
        Whether the first factors are uniform from 0 to ``spread``, instead of normal around 0.
    random : torch.Generator
    """

    def __init__(
        self, users: int, items: int, factors: int, *, biased: bool, spread: float, uniform: bool, random: Any
    ) -> None:
        super().__init__()
        self.user_factors = nn.Parameter(torch.empty(users, factors))
        self.item_factors = nn.Parameter(torch.empty(items, factors))
        self.user_bias = nn.Parameter(torch.zeros(users)) if biased else None
        self.item_bias = nn.Parameter(torch.zeros(items)) if biased else None
        with torch.no_grad():
            for table in (self.user_factors, self.item_factors):
                if uniform:
                    table.uniform_(0, spread, generator=random)
                else:
                    table.normal_(0, spread, generator=random)

    def forward(self, user: Any, item: Any) -> Any:
        """Predict pairs of indices, shape (n,) each."""
        return self.predicted(*self.looked_up(user, item))

    def looked_up(self, user: Any, item: Any) -> tuple[Any, ...]:
        """Return factors of the users and of the items, (n, factors), and their biases, (n,), or None."""
        return (
            functional.embedding(user, self.user_factors),
            functional.embedding(item, self.item_factors),
            None if self.user_bias is None else self.user_bias[user],
            None if self.item_bias is None else self.item_bias[item],
        )

    def tables(self) -> tuple[Any, ...]:
        """Return all factors and biases, in the order of ``looked_up``."""
        return self.user_factors, self.item_factors, self.user_bias, self.item_bias

    def predicted(self, p: Any, q: Any, user_bias: Any, item_bias: Any) -> Any:
        """Predict from what was looked up."""
        dot = (p * q).sum(1)
        return dot if user_bias is None else dot + user_bias + item_bias


class FactorLearning(PairLearning):
    """Squared errors of ``Factors``, with a regularization weight for each table."""

    def __init__(
        self, network: Factors, train: Ratings, parts: Parts, moments: tuple[float, float], device: Any
    ) -> None:
        super().__init__(network, squared, train, parts, moments, device)
        self.weights: tuple[float, ...] = (0.0, 0.0, 0.0, 0.0)
        self.norms = False

    def regularize(self, weights: tuple[float, ...], norms: bool) -> None:
        """Set the weights of user factors, item factors, user biases and item biases.

        Parameters
        ----------
        weights : (float, float, float, float)
        norms : bool
            Whether they weigh the norms of whole tables, instead of the squares of what a batch looks up.
        """
        self.weights, self.norms = weights, norms

    def batch_loss(self, user: Any, item: Any, value: Any, weight: Any) -> Any:
        """Return the mean over the batch of the squared error and of what regularization adds."""
        found = self.network.looked_up(user, item)
        loss = self.loss_of(self.network.predicted(*found), value)
        if self.norms:
            tables = self.network.tables()
            return weighted_mean(loss, weight) + sum(
                strength * table.norm(2)
                for strength, table in zip(self.weights, tables, strict=True)
                if strength and table is not None
            )
        for strength, rows in zip(self.weights, found, strict=True):
            if strength and rows is not None:
                loss = loss + strength * (rows * rows if rows.ndim == 1 else (rows * rows).sum(1))
        return weighted_mean(loss, weight)


def squared(predicted: Any, rating: Any) -> Any:
    """Return the squared error of each row."""
    return (predicted - rating) ** 2
