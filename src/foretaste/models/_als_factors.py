"""Ratings grouped by user and by item, and the kernel that learns one side while the other stands still."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from foretaste._native import als_half, group_rows
from foretaste.ids import Indices
from foretaste.models._sgd import aligned_zeros
from foretaste.models.outputs import Floats

_PAD = 16  # the kernel's rows are a multiple of this many factors


@dataclass
class Side:
    """Users or items: their ratings, grouped, and what is learned of them.

    Parameters
    ----------
    starts : int64 array, shape (n + 1,)
        Where the ratings of each begin.
    other : int32 array, shape (ratings,)
        Whom of the other side each rating is of, or by.
    value, weight : float32 array, shape (ratings,)
        In standard deviations; weight is None if all are 1.
    total : float64 array, shape (n,)
        The number of ratings of each, or the sum of their weights.
    factors : float32 array, shape (n, width)
        Padded with zeros to a multiple of 16.
    bias : float32 array, shape (n,), or None
    """

    starts: npt.NDArray[np.int64]
    other: Indices
    value: Floats
    weight: Floats | None
    total: npt.NDArray[np.float64]
    factors: Floats
    bias: Floats | None

    def begin(self, draw: Callable[[int], npt.NDArray[np.float64]]) -> None:
        """Set the first factors to what ``draw(n)`` returns, shape (n, factors).

        Only those with ratings of a weight above 0 get some, so that a rating of weight 0 is no rating.
        """
        rated = np.flatnonzero(self.total > 0)
        drawn = draw(len(rated))
        self.factors[rated, : drawn.shape[1]] = drawn

    def before(self) -> Side:
        """Return a copy that keeps what is learned now."""
        bias = None if self.bias is None else self.bias.copy()
        return dataclasses.replace(self, factors=self.factors.copy(), bias=bias)

    def learned(self, factors: int) -> tuple[Floats, Floats]:
        """Return the biases (0 if there are none) and the factors without their padding."""
        bias = np.zeros(len(self.factors), np.float32) if self.bias is None else self.bias
        return bias, np.ascontiguousarray(self.factors[:, :factors])


def side_of(
    own: Indices, other: Indices, value: Floats, weight: Floats | None, n: int, factors: int, biases: bool
) -> Side:
    """Group ratings by their own side, ``n`` users or items; all that is learned is 0."""
    starts, rows = group_rows(own, n)
    total = np.diff(starts) if weight is None else np.bincount(own, weight.astype(np.float64), n)
    return Side(
        starts,
        other[rows],
        value[rows],
        None if weight is None else weight[rows],
        total.astype(np.float64),
        aligned_zeros(n, -(-factors // _PAD) * _PAD),
        np.zeros(n, np.float32) if biases else None,
    )


def learned_side(bias: Floats, factors: Floats, biases: bool) -> Side:
    """Return what was learned of a side as one that the other can be learned from."""
    none, nobody = np.empty(0, np.float32), np.empty(0, np.int32)
    side = side_of(nobody, nobody, none, None, len(factors), factors.shape[1], biases)
    side.factors[:, : factors.shape[1]] = factors
    side.bias = bias if biases else None
    return side


@dataclass
class Steps:
    """How one side is learned from the other.

    Parameters
    ----------
    factors : int
    regularization, damping : float
        Factors are drawn to 0 by ``regularization`` for each rating and by ``damping`` besides.
    growth : float
        Factor number j by j to this power times as strongly as the first.
    bias_damping : float
        How strongly biases are drawn to 0.
    threads : int
    """

    factors: int
    regularization: float
    damping: float
    growth: float
    bias_damping: float
    threads: int

    def learn(self, side: Side, other: Side, solver: str, steps: int = 1) -> float:
        """Learn one side, given the other, in place; return the RMSE in standard deviations.

        Parameters
        ----------
        side, other : Side
        solver : {"cholesky", "gradients", "coordinates", "multiplicative"}
            The least squares solution; some steps of conjugate gradients towards it; coordinate descent
            to the best factors at 0 or above; multiplicative updates towards these. The last returns the
            error before its last update.
        steps : int
            At most so many, of the solvers that go in steps.
        """
        ridge = (self.regularization * side.total + self.damping).astype(np.float32)
        growth = np.arange(1.0, side.factors.shape[1] + 1) ** self.growth
        bias_ridge = None if side.bias is None else np.full(len(ridge), self.bias_damping, np.float32)
        error = als_half(
            side.starts, side.other, side.value, side.weight, other.factors, other.bias, side.factors,
            side.bias, ridge, growth.astype(np.float32), bias_ridge, self.factors, solver, steps,
            self.threads,
        )  # fmt: skip
        total = side.total.sum()
        return float(np.sqrt(error / total)) if total > 0 else 0.0
