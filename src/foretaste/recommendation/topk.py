"""The best items of users by what a model predicts, in indices: what all recommendations go through.

Items are ranked by the model's own predictions before clipping, equal ones by the order of the items. A model
of biases and factors need not predict every pair: a kernel finds the items that may be among the best by
float32 scores of its own, a few more than are wanted; the model predicts those, and where the predictions
leave a doubt whether one that was left out belongs to the best, more are taken.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from foretaste._native import top_items, top_of_rows
from foretaste.errors import NotSupported
from foretaste.ids import Indices
from foretaste.models.base import Model
from foretaste.models.outputs import Floats, Linear
from foretaste.ratings import Pairs

Doubles = npt.NDArray[np.float64]

_SPARE = 4  # items taken beyond those wanted, at first
_GROWTH = 8  # how many times as many where there is a doubt
_MANY = 64  # users for whom it pays to sort the items first
_BLOCK = 1_000_000  # pairs predicted at a time
_ROUNDING = 2.0**-24


@dataclass(frozen=True, eq=False)
class Seen:
    """Items that are left out: those of row r stand in ``item[starts[r] : starts[r + 1]]``, in any order.

    Parameters
    ----------
    starts : int64 array, shape (rows + 1,)
    item : int32 array, shape (n,)
    """

    starts: npt.NDArray[np.int64]
    item: Indices

    def take(self, rows: npt.NDArray[np.integer] | slice) -> Seen:
        """Return what some rows leave out."""
        if isinstance(rows, slice):
            starts = self.starts[rows.start : rows.stop + 1]
            return Seen(starts - starts[0], self.item[starts[0] : starts[-1]])
        first, length = self.starts[rows], np.diff(self.starts)[rows]
        starts = np.r_[0, np.cumsum(length)].astype(np.int64)
        places = np.arange(starts[-1]) + np.repeat(first - starts[:-1], length)
        return Seen(starts, self.item[places])

    def cells(self) -> tuple[npt.NDArray[np.intp], Indices]:
        """Return the row and the item of each entry."""
        return np.repeat(np.arange(len(self.starts) - 1), np.diff(self.starts)), self.item


class Ranking:
    """Ranks items for users by one model.

    Parameters
    ----------
    model : Model
        Fitted.
    allowed : int32 array, shape (m,)
        The items to choose from, increasing.
    n : int
        How many are wanted.
    threads : int
    """

    def __init__(self, model: Model, allowed: Indices, n: int, threads: int) -> None:
        self.model, self.allowed, self.threads = model, allowed, threads
        self.n = min(n, len(allowed))
        linear = linear_of(model)
        self.filter = None if linear is None else Filter(linear, allowed, threads)

    def best(self, user: Indices, seen: Seen | None) -> tuple[Indices, Floats]:
        """Return the best items of users.

        Parameters
        ----------
        user : int32 array, shape (rows,)
            -1 = unknown: ranked by the model's fallback.
        seen : Seen or None
            A row for each of ``user``.

        Returns
        -------
        item : int32 array, shape (rows, n)
            The best first; -1 where there are no more.
        score : float32 array, shape (rows, n)
            As the model predicts, unclipped; minus infinity where there are no more.
        """
        items = np.full((len(user), self.n), -1, np.int32)
        scores = np.full((len(user), self.n), -np.inf, np.float32)
        rest = np.arange(len(user))
        keep = self.n + _SPARE
        if self.filter is not None and self.n:
            rest, unknown = np.flatnonzero(user >= 0), np.flatnonzero(user < 0)
            while len(rest) and keep < len(self.allowed):
                part = seen if len(rest) == len(user) else seen and seen.take(rest)
                found, score, sure = self._of_few(self.filter, user[rest], part, keep)
                items[rest[sure]], scores[rest[sure]] = found[sure], score[sure]
                rest, keep = rest[~sure], keep * _GROWTH
            rest = np.sort(np.r_[rest, unknown])
        step = max(1, _BLOCK // max(1, len(self.allowed)))
        for start in range(0, len(rest) if self.n else 0, step):
            rows = rest[start : start + step]
            items[rows], scores[rows] = self._of_all(user[rows], seen and seen.take(rows))
        return items, scores

    def _of_all(self, user: Indices, seen: Seen | None) -> tuple[Indices, Floats]:
        """Predict every allowed item, and rank."""
        shape = len(user), len(self.allowed)
        pairs = Pairs(np.repeat(user, shape[1]), np.tile(self.allowed, shape[0]))
        score = np.array(self.model._predict(pairs).value, np.float32).reshape(shape)
        if seen is not None:
            row, item = seen.cells()
            place = np.full(len(self.model.items_), -1, np.int32)
            place[self.allowed] = np.arange(shape[1], dtype=np.int32)
            among = place[item] >= 0
            score[row[among], place[item[among]]] = -np.inf
        place, best = top_of_rows(score, None, self.n, self.threads)
        return np.where(place >= 0, self.allowed[place], np.int32(-1)), best

    def _of_few(
        self, rough: Filter, user: Indices, seen: Seen | None, keep: int
    ) -> tuple[Indices, Floats, npt.NDArray[np.bool_]]:
        """Predict and rank only what may be among the best; say for which rows that surely suffices."""
        found, kernel = rough.items(user, seen, keep)
        there = found >= 0
        score = np.full(found.shape, -np.inf, np.float32)
        score[there] = self.model._predict(Pairs(user[np.nonzero(there)[0]], found[there])).value
        items, best = top_of_rows(score, found, self.n, self.threads)
        offset = rough.offset(user)
        error = np.zeros(found.shape)
        np.subtract(score, kernel + offset[:, None], out=error, where=there)
        slack = np.maximum(rough.rounding(user), 2 * np.abs(error).max(axis=1))
        return items, best, ~there[:, -1] | (best[:, -1] > kernel[:, -1] + offset + slack)


class Filter:
    """Finds the items that may be among the best by a kernel, for a model of biases and factors.

    Parameters
    ----------
    linear : Linear
    allowed : int32 array, shape (m,)
        The items to choose from, increasing.
    threads : int
    """

    def __init__(self, linear: Linear, allowed: Indices, threads: int) -> None:
        self.linear, self.allowed, self.threads = linear, allowed, threads
        self.by_bias: Indices | None = None
        self.longest = float(_lengths(linear.item_factors).max(initial=0))
        self.largest = float(np.abs(linear.item_bias).max(initial=0))

    def items(self, user: Indices, seen: Seen | None, keep: int) -> tuple[Indices, Floats]:
        """Return the best ``keep`` items by the kernel's scores, and these; shapes (rows, keep)."""
        linear, order = self.linear, self.allowed
        if len(user) >= _MANY:
            # Met in this order, most items are met when better ones are kept already.
            if self.by_bias is None:
                self.by_bias = order[np.argsort(-linear.item_bias[order], kind="stable")]
            order = self.by_bias
        tables = linear.user_factors, linear.item_factors, linear.item_bias
        starts, item = (None, None) if seen is None else (seen.starts, seen.item)
        return top_items(*tables, user, order, starts, item, keep, self.threads)

    def offset(self, user: Indices) -> Doubles:
        """Return what the model predicts beyond the kernel's scores: the mean and the user's bias."""
        return np.asarray(self.linear.mean + self.linear.user_bias[user].astype(np.float64))

    def rounding(self, user: Indices) -> Doubles:
        """Return how far apart rounding can bring the kernel's scores and the model's predictions."""
        size = np.abs(self.offset(user)) + self.largest
        size += _lengths(self.linear.user_factors[user]) * self.longest
        return np.asarray((2 * self.linear.user_factors.shape[1] + 16) * _ROUNDING * size)


def _lengths(factors: Floats) -> Doubles:
    """Return how long each row is, rather too much than too little."""
    return np.asarray(np.sqrt(np.einsum("rf,rf->r", factors, factors)) * 1.001, np.float64)


def linear_of(model: Model) -> Linear | None:
    """Return a model as biases and factors as the kernel takes them, or None if it has none."""
    try:
        linear = model._linear()
    except NotSupported:
        return None
    arrays = linear.user_bias, linear.item_bias, linear.user_factors, linear.item_factors
    return Linear(linear.mean, *(np.ascontiguousarray(array, np.float32) for array in arrays))
