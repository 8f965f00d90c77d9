"""Ranking metrics: arrays in, a number out.

A list is a row of item indices, best first, padded with -1. The relevant items of the list in row r are the
items of the pairs whose ``user`` is r; pairs are distinct. The metrics are those of TREC's evaluation; means
are over the lists that have a relevant item. Ties are ordered by whoever makes the lists.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from foretaste._native import group_rows, rank_figures
from foretaste._utils.checks import check_choice, check_int
from foretaste._utils.threads import resolve_threads
from foretaste.errors import DataError, Hint
from foretaste.typing import Float64Array, IndexArray, Int64Array

LIST_METRICS = ("precision", "recall", "ndcg", "map", "mrr", "hit_rate")
GAINS = ("linear", "exponential")
_MAX_NUMBER = 2**31 - 1


@dataclass(frozen=True, eq=False)
class RankingScores:
    """The metrics of each list; made by ``score_lists``.

    Parameters
    ----------
    values : float64 array, shape (lists, 6)
        Precision, recall, nDCG, average precision, reciprocal rank and hit (0 or 1); all 0 where no
        item is relevant.
    n_relevant : int64 array, shape (lists,)
        Number of relevant items.
    """

    values: Float64Array
    n_relevant: Int64Array

    def per_list(self, name: str) -> Float64Array:
        """Return a metric, one of ``LIST_METRICS``, of each list that has a relevant item."""
        return np.ascontiguousarray(self.values[self.n_relevant > 0, LIST_METRICS.index(name)])

    def mean(self, name: str) -> float:
        """Return the mean of a metric over the lists that have a relevant item.

        Raises
        ------
        DataError
            If no list has a relevant item.
        """
        values = self.per_list(name)
        if len(values) == 0:
            raise DataError("no list has a relevant item, so there is nothing to average")
        return float(values.mean())


def score_lists(
    lists: Any,
    user: Any,
    item: Any,
    gain: Any = None,
    *,
    n: int | None = None,
    gains: str = "linear",
    denominator: str = "relevant",
    threads: int | None = None,
) -> RankingScores:
    """Return all metrics of each list at once.

    Parameters
    ----------
    lists : int array, shape (lists, k), or a list of lists
        Item indices, best first; shorter lists are padded with -1.
    user : int array, shape (pairs,)
        The row of ``lists`` of each relevant pair.
    item : int array, shape (pairs,)
        The relevant item of each pair.
    gain : float array, shape (pairs,), optional
        Relevance grades, at least 0, used by nDCG only. Default: 1 each.
    n : int, optional
        Cutoff; default: k.
    gains : {"linear", "exponential"}
        Whether the gain in nDCG is g or 2**g - 1.
    denominator : {"relevant", "reachable"}
        Denominator of the average precision: the number of relevant items (as in TREC), or n where that is
        less, so that a perfect list reaches 1.
    threads : int, optional
        Default: all cores; never changes a result.

    Raises
    ------
    InvalidParameterError
        If an option is not allowed.
    DataError
        If an item occurs twice in a list or among its relevant pairs, or array lengths differ.
    """
    ranked = as_lists(lists, n)
    check_choice("gains", gains, GAINS)
    check_choice("denominator", denominator, ("relevant", "reachable"))
    users, items = _check_indices(user, "user"), _check_indices(item, "item")
    if len(users) != len(items):
        raise DataError(f"item has {len(items)} entries, user has {len(users)}; they must agree")
    if len(users) and not 0 <= users.min() <= users.max() < len(ranked):
        raise DataError(f"user must be row numbers of the {len(ranked)} lists, from 0 to {len(ranked) - 1}")
    if len(items) and items.min() < 0:
        raise DataError("item holds a negative number; -1 is padding, and cannot be relevant")
    weights = None if gain is None else _check_gains(gain, len(users), gains)
    ranked, items, n_items = _compact_items(ranked, items)
    starts, order = _group_by_list(users, len(ranked))
    if order is not None:
        items, weights = items[order], None if weights is None else weights[order]
    max_relevant = _MAX_NUMBER if denominator == "relevant" else ranked.shape[1]
    try:
        values = rank_figures(ranked, starts, items, weights, n_items, max_relevant, resolve_threads(threads))
    except ValueError as error:
        raise DataError(str(error), hint="each item once") from error
    return RankingScores(values, np.diff(starts))


def precision(lists: Any, user: Any, item: Any, *, n: int | None = None) -> float:
    """Return precision@n: the fraction of the n positions of a list that hold relevant items.

    Empty positions of a list shorter than n count as not relevant.

    Parameters
    ----------
    lists, user, item, n
        As in ``score_lists``: ranked item indices, and the relevant pairs.
    """
    return score_lists(lists, user, item, n=n).mean("precision")


def recall(lists: Any, user: Any, item: Any, *, n: int | None = None) -> float:
    """Return recall@n: the fraction of the relevant items that the list holds.

    Parameters
    ----------
    lists, user, item, n
        As in ``score_lists``.
    """
    return score_lists(lists, user, item, n=n).mean("recall")


def ndcg(
    lists: Any, user: Any, item: Any, gain: Any = None, *, n: int | None = None, gains: str = "linear"
) -> float:
    """Return the normalized discounted cumulative gain at n, nDCG@n (Järvelin and Kekäläinen 2002).

    The gains at ranks r = 1, 2, ..., n, each divided by log2(1 + r), are summed and divided by the same
    sum of the ideal list.

    Parameters
    ----------
    lists, user, item, gain, n, gains
        As in ``score_lists``; without gains each relevant item counts 1.
    """
    return score_lists(lists, user, item, gain, n=n, gains=gains).mean("ndcg")


def average_precision(
    lists: Any, user: Any, item: Any, *, n: int | None = None, denominator: str = "relevant"
) -> float:
    """Return MAP@n: the mean over lists of the average precision at the ranks of relevant items.

    Parameters
    ----------
    lists, user, item, n, denominator
        As in ``score_lists``.
    """
    return score_lists(lists, user, item, n=n, denominator=denominator).mean("map")


def reciprocal_rank(lists: Any, user: Any, item: Any, *, n: int | None = None) -> float:
    """Return MRR@n: the mean over lists of the reciprocal rank of the first relevant item, 0 without one.

    Parameters
    ----------
    lists, user, item, n
        As in ``score_lists``.
    """
    return score_lists(lists, user, item, n=n).mean("mrr")


def hit_rate(lists: Any, user: Any, item: Any, *, n: int | None = None) -> float:
    """Return the hit rate: the fraction of lists that hold a relevant item.

    Parameters
    ----------
    lists, user, item, n
        As in ``score_lists``.
    """
    return score_lists(lists, user, item, n=n).mean("hit_rate")


# Validation -----------------------------------------------------------------------------------------------


def as_lists(lists: Any, n: int | None = None) -> IndexArray:
    """Return lists as an int32 array of n columns, padded with -1.

    Raises
    ------
    InvalidParameterError
        If ``n`` is not a positive integer.
    DataError
        If a list holds anything but item indices, or an item after its padding.
    """
    if n is not None:
        check_int("n", n, low=1, suggestion=10)
    if isinstance(lists, list | tuple):
        longest = max((len(row) for row in lists), default=0)
        lists = [[*row, *[-1] * (longest - len(row))] for row in lists]
        lists = np.asarray(lists, dtype=None if longest else np.int32).reshape(len(lists), longest)
    ranked = np.asarray(lists)
    if ranked.ndim != 2 or ranked.dtype.kind not in "iu":
        raise DataError(
            f"lists is {ranked.dtype} of shape {ranked.shape}; it must be item indices, one row per list"
        )
    width = ranked.shape[1] if n is None else int(n)
    ranked = ranked[:, :width]
    if ranked.size and (ranked.min() < -1 or ranked.max() > _MAX_NUMBER - 1):
        raise DataError("lists hold a number that is neither an item index nor the padding -1")
    padded = np.full((len(ranked), max(1, width)), -1, np.int32)
    padded[:, : ranked.shape[1]] = ranked
    if ((padded[:, 1:] >= 0) & (padded[:, :-1] < 0)).any():
        raise DataError("a list holds an item after its padding (-1)")
    return padded


def _check_indices(values: Any, name: str) -> IndexArray:
    column = np.asarray(values)
    if column.size == 0:
        return np.empty(0, np.int32)
    if (
        column.ndim != 1
        or column.dtype.kind not in "iu"
        or column.max() > _MAX_NUMBER - 1
        or column.min() < -_MAX_NUMBER
    ):
        raise DataError(f"{name} is {column.dtype} of shape {column.shape}; it must be a vector of integers")
    return np.ascontiguousarray(column, np.int32)


def _check_gains(gain: Any, length: int, gains: str) -> Float64Array:
    weights = np.ascontiguousarray(gain, dtype=np.float64)
    if weights.shape != (length,):
        raise DataError(f"gain has the shape {weights.shape}; it must be ({length},), as user and item")
    invalid = np.flatnonzero(~(np.isfinite(weights) & (weights >= 0)))
    if len(invalid):
        raise DataError(
            f"gain is {weights[invalid[0]]:g} in row {invalid[0]}; it must be at least 0, and finite",
            hint="gain=rating - lowest",
        )
    if gains == "linear":
        return weights
    if weights.max(initial=0) > 1000:
        raise DataError(
            f"2**{weights.max():g} overflows; gains are at most 1000",
            hint=Hint({"gains": "linear"}),
        )
    return np.asarray(np.exp2(weights) - 1)


def _compact_items(ranked: IndexArray, items: IndexArray) -> tuple[IndexArray, IndexArray, int]:
    """Renumber items without large gaps; return them and the number of codes."""
    n_items = 1 + max(int(ranked.max(initial=-1)), int(items.max(initial=-1)))
    if n_items <= 4 * (ranked.size + len(items)) + 1_000_000:
        return ranked, items, n_items
    distinct = np.unique(np.r_[ranked[ranked >= 0], items])
    compact = np.where(ranked >= 0, np.searchsorted(distinct, ranked), -1).astype(np.int32)
    return compact, np.searchsorted(distinct, items).astype(np.int32), len(distinct)


def _group_by_list(users: IndexArray, rows: int) -> tuple[Int64Array, IndexArray | None]:
    """Return where the pairs of each row start, and their order unless they are grouped already."""
    if (users[1:] >= users[:-1]).all():
        return np.searchsorted(users, np.arange(rows + 1)).astype(np.int64), None
    return group_rows(users, rows)
