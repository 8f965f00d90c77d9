"""Stochastic gradient descent of biases and factors, without and with implicit feedback."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from foretaste._native import SgdPlan, SvdppPlan
from foretaste.params import param
from foretaste.typing import Float32Array, IndexArray

_PAD = 16  # the kernel's rows are a multiple of this many factors


@dataclass
class SgdState:
    """Plan, biases and factors during training, in the order of the plan.

    Parameters
    ----------
    plan : SgdPlan or SvdppPlan
    factors : sequence of float32 array, shape (n, width)
        Of users, of items and, with implicit feedback, of rated items; made by ``sample_factors``.
    total_weight : float
        Of the ratings.
    threads : int
    """

    plan: SgdPlan | SvdppPlan
    factors: Sequence[Float32Array]
    total_weight: float
    threads: int

    def __post_init__(self) -> None:
        self.user_bias, self.item_bias = (np.zeros(len(table), np.float32) for table in self.factors[:2])

    def run_epoch(self, *steps: float, **time_tables: Any) -> float:
        """Run one pass over the ratings; return the RMSE during it, in standard deviations.

        Parameters
        ----------
        *steps : float
            Learning rate and regularization of biases and factors, then those of what the kernel of the plan
            treats apart: of biases, or of implicit factors.
        **time_tables
            The parameters of timeSVD++ as the kernel takes them.
        """
        arguments: Any = (*self.factors, self.user_bias, self.item_bias, *steps, self.threads)
        return float(np.sqrt(self.plan.epoch(*arguments, **time_tables) / self.total_weight))


def sample_factors(
    random: np.random.Generator, n: int, factors: int, init_std: float, order: IndexArray | None = None
) -> Float32Array:
    """Return initial factors, shape (n, width): normal, padded with zeros for the kernel.

    Parameters
    ----------
    random : numpy.random.Generator
    n, factors : int
    init_std : float
    order : int32 array, shape (n,), optional
        The order of the rows in the plan.
    """
    table = aligned_zeros(n, pad_to_simd(factors))
    values = random.normal(0, init_std, (n, factors))
    table[:, :factors] = values if order is None else values[order]
    return table


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
