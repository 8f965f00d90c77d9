"""Stochastic gradient descent with implicit feedback: what SVD++ and its form in time share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from foretaste._native import SvdppPlan
from foretaste.ids import Indices
from foretaste.models._sgd import aligned_zeros, padded
from foretaste.models.outputs import Floats
from foretaste.ratings import Ratings


@dataclass
class Learner:
    """Ratings in the order of the visits, and tables while they are learned, padded for the kernel.

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
    user: Indices
    item: Indices
    user_factors: Floats
    item_factors: Floats
    implicit_factors: Floats
    total_weight: float
    threads: int

    def __post_init__(self) -> None:
        self.user_bias = np.zeros(len(self.user_factors), np.float32)
        self.item_bias = np.zeros(len(self.item_factors), np.float32)

    def epoch(
        self,
        rate: float,
        regularization: float,
        implicit_rate: float,
        implicit_regularization: float,
        **time: Any,
    ) -> float:
        """Visit every user once; return the error met on the way, in standard deviations.

        ``time`` are the tables of timeSVD++ as the kernel takes them.
        """
        loss = self.plan.epoch(
            self.user_factors, self.item_factors, self.implicit_factors, self.user_bias, self.item_bias,
            rate, regularization, implicit_rate, implicit_regularization, self.threads, **time,
        )  # fmt: skip
        return float(np.sqrt(loss / self.total_weight))


def start(
    train: Ratings,
    standard: Floats,
    factors: int,
    initial_std: float,
    seed: int,
    threads: int,
    time: dict[str, Any],
) -> Learner:
    """Lay out the ratings for the visits and draw the first factors.

    Parameters
    ----------
    train : Ratings
    standard : float32 array, shape (n,)
        The ratings in standard deviations.
    factors, initial_std, seed, threads
        As the model's parameters.
    time : dict
        What the plan of timeSVD++ knows of each row, and how many sessions and bins there are.
    """
    users, items = len(train.users), len(train.items)
    weight = train.weight
    rated = slice(None) if weight is None else np.flatnonzero(weight)  # a row of weight 0 is no row
    user, item = train.user[rated], train.item[rated]
    known: dict[str, Any] = {
        name: rows[rated] if isinstance(rows, np.ndarray) else rows for name, rows in time.items()
    }
    random = np.random.default_rng(seed)
    visits = random.permutation(users).astype(np.int32)
    kept = None if weight is None else weight[rated]
    plan = SvdppPlan(user, item, standard[rated], kept, users, items, visits, **known)
    tables = []
    for n in (users, items, items):
        table = aligned_zeros(n, padded(factors))
        table[:, :factors] = random.normal(0, initial_std, (n, factors))
        tables.append(table)
    total = float(len(user) if weight is None else weight.sum(dtype=np.float64))
    return Learner(plan, user, item, tables[0], tables[1], tables[2], total, threads)


def implicit_sum(user: Indices, item: Indices, users: int, implicit_factors: Floats) -> Floats:
    """Return for each user ``|N|^-1/2`` times the sum of the implicit factors of the rated items.

    Parameters
    ----------
    user, item : int32 array, shape (n,)
        What was rated.
    users : int
        How many users there are; one who rated nothing gets 0.
    implicit_factors : float32 array, shape (items, factors)

    Returns
    -------
    float32 array, shape (users, factors)
    """
    from scipy.sparse import csr_array  # its products add in the order of the rows: the same bits always

    count = np.bincount(user, minlength=users)
    order = np.argsort(user, kind="stable")
    starts = np.r_[0, np.cumsum(count)]
    norm = 1 / np.sqrt(np.maximum(count, 1))
    rated = csr_array((np.repeat(norm, count), item[order], starts), shape=(users, len(implicit_factors)))
    return np.asarray(rated @ implicit_factors.astype(np.float64), np.float32)
