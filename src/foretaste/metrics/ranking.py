"""How good ranked lists are: arrays in, a number out.

A list is a row of item numbers, the best first, -1 after its end. What is relevant for the list in row r are
the items of the pairs whose ``user`` is r; each pair stands once. The figures of a list are those of TREC's
evaluation; a mean is over the lists for which anything is relevant, since for the others there is nothing to
find. How equal scores are ordered is the business of whoever made the lists.
"""

from __future__ import annotations

import numbers
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from foretaste._native import group_rows, rank_figures
from foretaste._utils.threads import thread_count
from foretaste.errors import BadData, InvalidParameter, did_you_mean

Doubles = npt.NDArray[np.float64]
Lists = npt.NDArray[np.int32]

BY_LIST = ("precision", "recall", "ndcg", "map", "mrr", "hit_rate")
GAINS = ("linear", "exponential")
_MOST = 2**31 - 1


@dataclass(frozen=True, eq=False)
class ListFigures:
    """The figures of each list; made by ``list_figures``.

    Parameters
    ----------
    table : float64 array, shape (lists, 6)
        Precision, recall, nDCG, average precision, reciprocal rank and hit (0 or 1); all 0 where nothing is
        relevant.
    relevant : int64 array, shape (lists,)
        How many items are relevant.
    """

    table: Doubles
    relevant: npt.NDArray[np.int64]

    def of(self, name: str) -> Doubles:
        """Return one figure of the lists for which anything is relevant, by its name in ``BY_LIST``."""
        return np.ascontiguousarray(self.table[self.relevant > 0, BY_LIST.index(name)])

    def mean(self, name: str) -> float:
        """Return the mean of a figure over the lists for which anything is relevant.

        Raises
        ------
        BadData
            If nothing is relevant for any list.
        """
        values = self.of(name)
        if len(values) == 0:
            raise BadData("no list has a relevant item, so there is nothing to average")
        return float(values.mean())


def list_figures(
    lists: Any,
    user: Any,
    item: Any,
    gain: Any = None,
    *,
    n: int | None = None,
    gains: str = "linear",
    denominator: str = "relevant",
    threads: int | None = None,
) -> ListFigures:
    """Return all figures of each list at once.

    Parameters
    ----------
    lists : int array, shape (lists, k), or a list of lists
        Item numbers, the best first; -1 after the end of a shorter list.
    user : int array, shape (pairs,)
        For which row of ``lists``.
    item : int array, shape (pairs,)
        What is relevant for it.
    gain : float array, shape (pairs,), optional
        How relevant, for nDCG alone; at least 0. Default: 1 each.
    n : int, optional
        How much of each list counts; default: all of its k places.
    gains : {"linear", "exponential"}
        Whether nDCG takes g or 2**g - 1.
    denominator : {"relevant", "reachable"}
        What the precisions of the average precision are divided by: the number of relevant items (as TREC
        does), or n where that is less, so that a perfect list reaches 1.
    threads : int, optional
        None is all; never changes a result.

    Raises
    ------
    InvalidParameter
        If an option is not allowed.
    BadData
        If an item stands twice in a list or is relevant twice for it, or arrays do not fit together.
    """
    ranked = as_lists(lists, n)
    _one_of("gains", gains, GAINS)
    _one_of("denominator", denominator, ("relevant", "reachable"))
    users, items = _numbers(user, "user"), _numbers(item, "item")
    if len(users) != len(items):
        raise BadData(f"item has {len(items)} entries, user has {len(users)}; they must agree")
    if len(users) and not 0 <= users.min() <= users.max() < len(ranked):
        raise BadData(f"user must be row numbers of the {len(ranked)} lists, from 0 to {len(ranked) - 1}")
    if len(items) and items.min() < 0:
        raise BadData("item holds a number below 0; -1 ends lists, and cannot be relevant")
    weights = None if gain is None else _gains(gain, len(users), gains)
    ranked, items, top = _packed(ranked, items)
    starts, order = _grouped(users, len(ranked))
    if order is not None:
        items, weights = items[order], None if weights is None else weights[order]
    most = _MOST if denominator == "relevant" else ranked.shape[1]
    try:
        table = rank_figures(ranked, starts, items, weights, top, most, thread_count(threads))
    except ValueError as error:
        raise BadData(str(error), hint="each item once") from error
    return ListFigures(table, np.diff(starts))


def precision(lists: Any, user: Any, item: Any, *, n: int | None = None) -> float:
    """Return precision at n: which share of the n places of a list holds relevant items.

    A list shorter than n has empty places, which count as wrong.

    Parameters
    ----------
    lists, user, item, n
        As in ``list_figures``: ranked item numbers, and the pairs that are relevant.
    """
    return list_figures(lists, user, item, n=n).mean("precision")


def recall(lists: Any, user: Any, item: Any, *, n: int | None = None) -> float:
    """Return recall at n: which share of the relevant items stands in the list.

    Parameters
    ----------
    lists, user, item, n
        As in ``list_figures``.
    """
    return list_figures(lists, user, item, n=n).mean("recall")


def ndcg(
    lists: Any, user: Any, item: Any, gain: Any = None, *, n: int | None = None, gains: str = "linear"
) -> float:
    """Return the normalised discounted cumulative gain at n (Järvelin and Kekäläinen 2002).

    The gains at the ranks r = 1, 2, ..., n, each divided by log2(1 + r), summed, and divided by the same of
    the best list there could be.

    Parameters
    ----------
    lists, user, item, gain, n, gains
        As in ``list_figures``; without gains each relevant item counts 1.
    """
    return list_figures(lists, user, item, gain, n=n, gains=gains).mean("ndcg")


def average_precision(
    lists: Any, user: Any, item: Any, *, n: int | None = None, denominator: str = "relevant"
) -> float:
    """Return MAP at n: the precisions at the ranks of relevant items, summed and divided, averaged.

    Parameters
    ----------
    lists, user, item, n, denominator
        As in ``list_figures``.
    """
    return list_figures(lists, user, item, n=n, denominator=denominator).mean("map")


def reciprocal_rank(lists: Any, user: Any, item: Any, *, n: int | None = None) -> float:
    """Return MRR at n: one divided by the rank of the first relevant item, 0 without one, averaged.

    Parameters
    ----------
    lists, user, item, n
        As in ``list_figures``.
    """
    return list_figures(lists, user, item, n=n).mean("mrr")


def hit_rate(lists: Any, user: Any, item: Any, *, n: int | None = None) -> float:
    """Return the share of the lists that hold a relevant item.

    Parameters
    ----------
    lists, user, item, n
        As in ``list_figures``.
    """
    return list_figures(lists, user, item, n=n).mean("hit_rate")


# Checks ---------------------------------------------------------------------------------------------------


def as_lists(lists: Any, n: int | None = None) -> Lists:
    """Return lists as an int32 array of n columns, -1 after the end of each.

    Raises
    ------
    InvalidParameter
        If ``n`` is no whole number above 0.
    BadData
        If it holds anything but item numbers, or an item after an end.
    """
    if n is not None and (not is_whole(n) or n < 1):
        raise InvalidParameter(f"n={n!r} is not allowed; it must be a whole number at least 1", hint="n=10")
    if isinstance(lists, list | tuple):
        longest = max((len(row) for row in lists), default=0)
        lists = [[*row, *[-1] * (longest - len(row))] for row in lists]
        lists = np.asarray(lists, dtype=None if longest else np.int32).reshape(len(lists), longest)
    ranked = np.asarray(lists)
    if ranked.ndim != 2 or ranked.dtype.kind not in "iu":
        raise BadData(
            f"lists is {ranked.dtype} of the shape {ranked.shape}; it must be item numbers, a row a list"
        )
    wide = ranked.shape[1] if n is None else int(n)
    ranked = ranked[:, :wide]
    if ranked.size and (ranked.min() < -1 or ranked.max() > _MOST - 1):
        raise BadData("lists hold a number that is neither an item nor the -1 after the end of a list")
    out = np.full((len(ranked), max(1, wide)), -1, np.int32)
    out[:, : ranked.shape[1]] = ranked
    if ((out[:, 1:] >= 0) & (out[:, :-1] < 0)).any():
        raise BadData("a list holds an item after its end (-1)")
    return out


def is_whole(value: Any) -> bool:
    """Whether it is a whole number, and no truth value."""
    return isinstance(value, numbers.Integral) and not isinstance(value, bool)


def _one_of(name: str, value: Any, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise InvalidParameter(
            f"{name}={value!r} is not allowed{did_you_mean(value, allowed)}",
            hint=" or ".join(f'{name}="{word}"' for word in allowed),
        )


def _numbers(values: Any, name: str) -> npt.NDArray[np.int32]:
    column = np.asarray(values)
    if column.size == 0:
        return np.empty(0, np.int32)
    if column.ndim != 1 or column.dtype.kind not in "iu" or column.max() > _MOST - 1 or column.min() < -_MOST:
        raise BadData(f"{name} is {column.dtype} of the shape {column.shape}; it must be one row of numbers")
    return np.ascontiguousarray(column, np.int32)


def _gains(gain: Any, length: int, gains: str) -> Doubles:
    weights = np.ascontiguousarray(gain, dtype=np.float64)
    if weights.shape != (length,):
        raise BadData(f"gain has the shape {weights.shape}; it must be ({length},), as user and item")
    wrong = np.flatnonzero(~(np.isfinite(weights) & (weights >= 0)))
    if len(wrong):
        raise BadData(
            f"gain is {weights[wrong[0]]:g} in row {wrong[0]}; it must be at least 0, and finite",
            hint="gain=rating - lowest",
        )
    if gains == "linear":
        return weights
    if weights.max(initial=0) > 1000:
        raise BadData(
            f"2**{weights.max():g} is no number to count with; gains are at most 1000",
            hint='gains="linear"',
        )
    return np.asarray(np.exp2(weights) - 1)


def _packed(ranked: Lists, items: npt.NDArray[np.int32]) -> tuple[Lists, npt.NDArray[np.int32], int]:
    """Return items numbered without large gaps, and how many numbers there are."""
    top = 1 + max(int(ranked.max(initial=-1)), int(items.max(initial=-1)))
    if top <= 4 * (ranked.size + len(items)) + 1_000_000:
        return ranked, items, top
    known = np.unique(np.r_[ranked[ranked >= 0], items])
    packed = np.where(ranked >= 0, np.searchsorted(known, ranked), -1).astype(np.int32)
    return packed, np.searchsorted(known, items).astype(np.int32), len(known)


def _grouped(
    users: npt.NDArray[np.int32], rows: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int32] | None]:
    """Return where the pairs of each row start, and their order if they are not grouped already."""
    if (users[1:] >= users[:-1]).all():
        return np.searchsorted(users, np.arange(rows + 1)).astype(np.int64), None
    return group_rows(users, rows)
