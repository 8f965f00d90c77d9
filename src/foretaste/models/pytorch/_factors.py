"""Factors and biases of users and items, as a torch module."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.nn import functional


class FactorModule(nn.Module):
    """``user_factors . item_factors``, plus biases if ``biased``.

    Parameters
    ----------
    users, items, factors : int
    biased : bool
    init_std : float
        Standard deviation of the initial factors, or upper end of the uniform distribution.
    uniform : bool
        Whether the initial factors are uniform on [0, ``init_std``] instead of normal around 0.
    random : torch.Generator
    regularization : (float, float, float, float)
        L2 regularization of user factors, item factors, user biases and item biases.
    penalize_squares : bool
        Whether ``forward_with_penalty`` returns the squared norms of the rows of a batch.
    """

    def __init__(
        self,
        users: int,
        items: int,
        factors: int,
        *,
        biased: bool,
        init_std: float,
        uniform: bool,
        random: Any,
        regularization: tuple[float, float, float, float],
        penalize_squares: bool = True,
    ) -> None:
        super().__init__()
        self.regularization, self.penalize_squares = regularization, penalize_squares
        self.user_factors = nn.Parameter(torch.empty(users, factors))
        self.item_factors = nn.Parameter(torch.empty(items, factors))
        self.user_bias = nn.Parameter(torch.zeros(users)) if biased else None
        self.item_bias = nn.Parameter(torch.zeros(items)) if biased else None
        with torch.no_grad():
            for table in (self.user_factors, self.item_factors):
                if uniform:
                    table.uniform_(0, init_std, generator=random)
                else:
                    table.normal_(0, init_std, generator=random)

    def forward(self, user: Any, item: Any) -> Any:
        """Return the scores of pairs of indices, shape (n,)."""
        return _predict(self._lookup(user, item))

    def forward_with_penalty(self, user: Any, item: Any) -> tuple[Any, Any]:
        """Return scores, (n,), and the weighted sum of squared factors and biases of each pair, (n,)."""
        embeddings = self._lookup(user, item)
        squares = [
            strength * (rows * rows if rows.ndim == 1 else (rows * rows).sum(1))
            for strength, rows in zip(self.regularization, embeddings, strict=True)
            if self.penalize_squares and strength and rows is not None
        ]
        return _predict(embeddings), sum(squares) if squares else 0.0

    def norms(self) -> Any:
        """Return the weighted sum of the norms of all embedding tables."""
        tables = self.user_factors, self.item_factors, self.user_bias, self.item_bias
        return sum(
            strength * _Norm.apply(table)
            for strength, table in zip(self.regularization, tables, strict=True)
            if strength and table is not None
        )

    def _lookup(self, user: Any, item: Any) -> tuple[Any, ...]:
        """Return factors of the users and of the items, (n, factors), and their biases, (n,), or None."""
        return (
            functional.embedding(user, self.user_factors),
            functional.embedding(item, self.item_factors),
            None if self.user_bias is None else self.user_bias[user],
            None if self.item_bias is None else self.item_bias[item],
        )


def _predict(embeddings: tuple[Any, ...]) -> Any:
    """Return the scores of embedded pairs."""
    p, q, user_bias, item_bias = embeddings
    dot = (p * q).sum(1)
    return dot if user_bias is None else dot + user_bias + item_bias


class _Norm(torch.autograd.Function):
    """Frobenius norm of a table; the backward pass of ``torch.linalg.norm`` takes ten times as long."""

    @staticmethod
    def forward(ctx: Any, table: Any) -> Any:
        flat = table.reshape(-1)
        norm = torch.dot(flat, flat).sqrt()
        ctx.save_for_backward(table, norm)
        return norm

    @staticmethod
    def backward(ctx: Any, gradient: Any) -> Any:
        table, norm = ctx.saved_tensors
        return table * (gradient / norm.clamp_min(1e-30))  # 0 for a table of zeros
