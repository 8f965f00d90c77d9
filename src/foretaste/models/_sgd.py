"""Blockwise parallel stochastic gradient descent of biases and factors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from foretaste._native import SgdPlan
from foretaste.params import param
from foretaste.typing import Float32Array, IndexArray

_PAD = 16  # the kernel's rows are a multiple of this many factors


def init_sgd(
    user: IndexArray,
    item: IndexArray,
    value: Float32Array,
    weight: Float32Array | None,
    size: tuple[int, int],
    factors: int,
    init_std: float,
    seed: int,
    threads: int,
) -> SgdState:
    """Arrange the ratings in blocks and sample the initial factors.

    Parameters
    ----------
    user, item : int32 array, shape (n,)
    value : float32 array, shape (n,)
        In standard deviations.
    weight : float32 array, shape (n,), or None
    size : (users, items)
    factors, init_std, seed, threads
        As the model's parameters.
    """
    plan = SgdPlan(user, item, value, weight, *size, n_blocks(len(value), *size))
    random = np.random.default_rng(seed)
    tables = []
    for n, order in zip(size, (plan.user_order(), plan.item_order()), strict=True):
        table = aligned_zeros(n, pad_to_simd(factors))
        table[:, :factors] = random.normal(0, init_std, (n, factors))[order]
        tables.append(table)
    total = float(len(value) if weight is None else weight.sum(dtype=np.float64))
    return SgdState(plan, tables[0], tables[1], total, threads)


def schedule_param(default: str) -> Any:
    """Declare the parameter ``schedule``; see ``learning_rate_at``."""
    doc = "learning-rate schedule: constant, linear decay to 0, or cosine decay"
    return param(default, doc, choices=("constant", "linear", "cosine"))


def learning_rate_at(schedule: str, learning_rate: float, fraction: float) -> float:
    """Return the learning rate after a fraction of the epochs.

    Parameters
    ----------
    schedule : {"constant", "linear", "cosine"}
    learning_rate : float
        Of the first epoch.
    fraction : float
        From 0 to 1.
    """
    if schedule == "linear":
        return learning_rate * (1 - fraction)
    if schedule == "cosine":
        return learning_rate * (1 + float(np.cos(np.pi * fraction))) / 2
    return learning_rate


def pad_to_simd(factors: int) -> int:
    """Return the number of factors rounded up to the kernel's vector width; the padding is 0."""
    return -(-factors // _PAD) * _PAD


def aligned_zeros(rows: int, columns: int) -> Float32Array:
    """Return zeros aligned to a cache line, so that no vector load crosses two lines."""
    buffer = np.zeros(rows * columns + 16, np.float32)
    start = -buffer.ctypes.data // 4 % 16
    return buffer[start : start + rows * columns].reshape(rows, columns)


def n_blocks(ratings: int, users: int, items: int) -> int:
    """Return the number of blocks of users and of items; depends on the data, never on the threads."""
    return int(np.clip(min(ratings // 2000, users // 2, items // 2), 1, 16))


@dataclass
class SgdState:
    """Biases and factors during training, in the order of the plan."""

    plan: SgdPlan
    user_factors: Float32Array  # (users, width)
    item_factors: Float32Array  # (items, width)
    total_weight: float
    threads: int

    def __post_init__(self) -> None:
        self.user_order, self.item_order = self.plan.user_order(), self.plan.item_order()
        self.user_bias = np.zeros(len(self.user_factors), np.float32)
        self.item_bias = np.zeros(len(self.item_factors), np.float32)

    def run_epoch(self, learning_rate: float, regularization: float, biased: bool = True) -> float:
        """Run one pass over the ratings; return the RMSE during it, in standard deviations."""
        bias_learning_rate = learning_rate if biased else 0.0  # biases stay at their initial 0
        loss = self.plan.epoch(
            self.user_factors, self.item_factors, self.user_bias, self.item_bias,
            learning_rate, regularization, bias_learning_rate, regularization, self.threads,
        )  # fmt: skip
        return float(np.sqrt(loss / self.total_weight))

    def to_index_order(self) -> tuple[Float32Array, Float32Array, Float32Array, Float32Array]:
        """Return factors and biases of users and items in index order."""
        tables = []
        for order, table in (
            (self.user_order, self.user_factors),
            (self.item_order, self.item_factors),
            (self.user_order, self.user_bias),
            (self.item_order, self.item_bias),
        ):
            restored = np.empty_like(table)
            restored[order] = table
            tables.append(restored)
        return tables[0], tables[1], tables[2], tables[3]

    def result(self, factors: int) -> tuple[Float32Array, Float32Array, Float32Array, Float32Array]:
        """Return biases and factors of users and items, without the padding."""
        p, q, user_bias, item_bias = self.to_index_order()
        return (
            user_bias,
            item_bias,
            np.ascontiguousarray(p[:, :factors]),
            np.ascontiguousarray(q[:, :factors]),
        )
