"""Stochastic gradient descent over a plan of blocks: what models of biases and factors share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from foretaste._native import SgdPlan
from foretaste.ids import Indices
from foretaste.models.outputs import Floats
from foretaste.params import param

_PAD = 16  # the kernel's rows are a multiple of this many factors


def start(
    user: Indices,
    item: Indices,
    value: Floats,
    weight: Floats | None,
    size: tuple[int, int],
    factors: int,
    initial_std: float,
    seed: int,
    threads: int,
) -> Learner:
    """Lay out the ratings in blocks and draw the first factors.

    Parameters
    ----------
    user, item : int32 array, shape (n,)
    value : float32 array, shape (n,)
        In standard deviations.
    weight : float32 array, shape (n,), or None
    size : (users, items)
    factors, initial_std, seed, threads
        As the model's parameters.
    """
    plan = SgdPlan(user, item, value, weight, *size, grid_of(len(value), *size))
    random = np.random.default_rng(seed)
    tables = []
    for n, order in zip(size, (plan.user_order(), plan.item_order()), strict=True):
        table = aligned_zeros(n, padded(factors))
        table[:, :factors] = random.normal(0, initial_std, (n, factors))[order]
        tables.append(table)
    total = float(len(value) if weight is None else weight.sum(dtype=np.float64))
    return Learner(plan, tables[0], tables[1], total, threads)


def schedule_param(default: str) -> Any:
    """Declare the parameter that ``rate_at`` follows."""
    meaning = "how the learning rate goes on: the same, falling in a line to 0, or along half a cosine"
    return param(default, meaning, one_of=("constant", "linear", "cosine"))


def rate_at(schedule: str, learning_rate: float, done: float) -> float:
    """Return the learning rate when this share of the epochs is done.

    Parameters
    ----------
    schedule : {"constant", "linear", "cosine"}
    learning_rate : float
        Of the first epoch.
    done : float
        From 0 to 1.
    """
    if schedule == "linear":
        return learning_rate * (1 - done)
    if schedule == "cosine":
        return learning_rate * (1 + float(np.cos(np.pi * done))) / 2
    return learning_rate


def padded(factors: int) -> int:
    """Return the number of factors with which the kernel works: more of them, always 0."""
    return -(-factors // _PAD) * _PAD


def aligned_zeros(rows: int, columns: int) -> Floats:
    """Return zeros that start at a cache line, so that no vector of the kernel crosses two."""
    memory = np.zeros(rows * columns + 16, np.float32)
    start = -memory.ctypes.data // 4 % 16
    return memory[start : start + rows * columns].reshape(rows, columns)


def grid_of(ratings: int, users: int, items: int) -> int:
    """Return how many groups users and items are cut into: it follows the data, never the threads."""
    return int(np.clip(min(ratings // 2000, users // 2, items // 2), 1, 16))


@dataclass
class Learner:
    """Factors while they are learned, in the order of the plan."""

    plan: SgdPlan
    user_factors: Floats  # (users, width)
    item_factors: Floats  # (items, width)
    total_weight: float
    threads: int

    def __post_init__(self) -> None:
        self.user_order, self.item_order = self.plan.user_order(), self.plan.item_order()
        self.user_bias = np.zeros(len(self.user_factors), np.float32)
        self.item_bias = np.zeros(len(self.item_factors), np.float32)

    def epoch(self, rate: float, regularization: float, biased: bool = True) -> float:
        """Visit every rating once; return the error met on the way, in standard deviations."""
        bias_rate = rate if biased else 0.0  # biases begin at 0 and stay there
        loss = self.plan.epoch(
            self.user_factors, self.item_factors, self.user_bias, self.item_bias,
            rate, regularization, bias_rate, regularization, self.threads,
        )  # fmt: skip
        return float(np.sqrt(loss / self.total_weight))

    def factors(self) -> tuple[Floats, Floats, Floats, Floats]:
        """Return factors and biases of users and items, in the order of their indices."""
        tables = []
        for order, table in (
            (self.user_order, self.user_factors),
            (self.item_order, self.item_factors),
            (self.user_order, self.user_bias),
            (self.item_order, self.item_bias),
        ):
            back = np.empty_like(table)
            back[order] = table
            tables.append(back)
        return tables[0], tables[1], tables[2], tables[3]

    def learned(self, factors: int) -> tuple[Floats, Floats, Floats, Floats]:
        """Return biases and factors of users and items, without the padding."""
        p, q, user_bias, item_bias = self.factors()
        return (
            user_bias,
            item_bias,
            np.ascontiguousarray(p[:, :factors]),
            np.ascontiguousarray(q[:, :factors]),
        )
