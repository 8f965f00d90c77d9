"""Stochastic gradient descent with implicit feedback, for SVD++ and timeSVD++."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from foretaste._native import SvdppPlan
from foretaste.models._sgd import aligned_zeros, pad_to_simd
from foretaste.ratings import Ratings
from foretaste.typing import Float32Array, IndexArray


@dataclass
class ImplicitSgdState:
    """Plan, biases and factors during training, padded for the kernel.

    Parameters
    ----------
    plan : SvdppPlan
    user, item : int32 array, shape (n,)
        The rated pairs: those with a weight above 0.
    user_factors, item_factors, implicit_factors : float32 array, shape (users or items, width)
    total_weight : float
    threads : int
    """

    plan: SvdppPlan
    user: IndexArray
    item: IndexArray
    user_factors: Float32Array
    item_factors: Float32Array
    implicit_factors: Float32Array
    total_weight: float
    threads: int

    def __post_init__(self) -> None:
        self.user_bias = np.zeros(len(self.user_factors), np.float32)
        self.item_bias = np.zeros(len(self.item_factors), np.float32)

    def run_epoch(
        self,
        learning_rate: float,
        regularization: float,
        implicit_learning_rate: float,
        implicit_regularization: float,
        **time_tables: Any,
    ) -> float:
        """Run one pass over the users; return the RMSE during it, in standard deviations.

        ``time_tables`` are the parameters of timeSVD++ as the kernel takes them.
        """
        loss = self.plan.epoch(
            self.user_factors, self.item_factors, self.implicit_factors, self.user_bias, self.item_bias,
            learning_rate, regularization, implicit_learning_rate, implicit_regularization, self.threads,
            **time_tables,
        )  # fmt: skip
        return float(np.sqrt(loss / self.total_weight))


def init_implicit_sgd(
    train: Ratings,
    standardized: Float32Array,
    factors: int,
    init_std: float,
    seed: int,
    threads: int,
    time_features: dict[str, Any],
) -> ImplicitSgdState:
    """Plan the pass over the ratings and sample the initial factors.

    Parameters
    ----------
    train : Ratings
    standardized : float32 array, shape (n,)
        The ratings in standard deviations.
    factors, init_std, seed, threads
        As the model's parameters.
    time_features : dict
        Features of each row and numbers of sessions and bins, of timeSVD++.
    """
    users, items = len(train.users), len(train.items)
    weight = train.weight
    nonzero_rows = slice(None) if weight is None else np.flatnonzero(weight)  # weight 0 equals a missing row
    user, item = train.user[nonzero_rows], train.item[nonzero_rows]
    plan_features: dict[str, Any] = {
        name: rows[nonzero_rows] if isinstance(rows, np.ndarray) else rows
        for name, rows in time_features.items()
    }
    random = np.random.default_rng(seed)
    visit_order = random.permutation(users).astype(np.int32)
    nonzero_weight = None if weight is None else weight[nonzero_rows]
    plan = SvdppPlan(
        user, item, standardized[nonzero_rows], nonzero_weight, users, items, visit_order, **plan_features
    )
    tables = []
    for n in (users, items, items):
        table = aligned_zeros(n, pad_to_simd(factors))
        table[:, :factors] = random.normal(0, init_std, (n, factors))
        tables.append(table)
    total = float(len(user) if weight is None else weight.sum(dtype=np.float64))
    return ImplicitSgdState(plan, user, item, tables[0], tables[1], tables[2], total, threads)


def sum_implicit_factors(
    user: IndexArray, item: IndexArray, users: int, implicit_factors: Float32Array
) -> Float32Array:
    """Return for each user ``|N|^-1/2`` times the sum of the implicit factors of the rated items.

    Parameters
    ----------
    user, item : int32 array, shape (n,)
        The rated pairs.
    users : int
        Number of users; those without pairs get 0.
    implicit_factors : float32 array, shape (items, factors)

    Returns
    -------
    float32 array, shape (users, factors)
    """
    from scipy.sparse import csr_array  # sums in row order: reproducible bits

    count = np.bincount(user, minlength=users)
    order = np.argsort(user, kind="stable")
    indptr = np.r_[0, np.cumsum(count)]
    norm = 1 / np.sqrt(np.maximum(count, 1))
    rated_matrix = csr_array(
        (np.repeat(norm, count), item[order], indptr), shape=(users, len(implicit_factors))
    )
    return np.asarray(rated_matrix @ implicit_factors.astype(np.float64), np.float32)
