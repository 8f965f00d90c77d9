"""What ranked lists are like, whatever is relevant: arrays in, a number out.

Lists are as in ``ranking_metrics``: a row of item numbers each, the best first, -1 after its end.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from foretaste.errors import BadData, InvalidParameter
from foretaste.metrics.ranking import Doubles, Lists, as_lists, is_whole

_BLOCK = 1 << 22  # numbers held at a time


def coverage(lists: Any, items: int, *, n: int | None = None) -> float:
    """Return the share of a catalogue that stands in any list.

    Parameters
    ----------
    lists, n
        As in ``list_figures``.
    items : int
        How many items the catalogue has; they are numbered from 0.
    """
    return float(np.count_nonzero(_exposure(lists, items, n)) / items)


def gini(lists: Any, items: int, *, n: int | None = None) -> float:
    """Return the Gini coefficient of exposure: 0 if all items are listed equally often, near 1 if few are.

    Half the mean difference between the numbers of places of two items, divided by their mean.

    Parameters
    ----------
    lists, n
        As in ``list_figures``.
    items : int
        How many items the catalogue has; those in no list count, too.

    Raises
    ------
    BadData
        If all lists are empty.
    """
    shown = np.sort(_exposure(lists, items, n))
    total = int(shown.sum())
    if total == 0:
        raise BadData("all lists are empty: no item is shown to anyone")
    order = 2 * np.arange(1, items + 1, dtype=np.int64) - items - 1
    return int(order @ shown) / (items * total)


def novelty_by_list(lists: Any, count: Any, users: int, *, n: int | None = None) -> Doubles:
    """Return the mean self-information of the items of each list, in bits; NaN for an empty list.

    Parameters
    ----------
    lists, count, users, n
        As in ``novelty``.
    """
    ranked, counts = as_lists(lists, n), np.asarray(count, dtype=np.float64)
    if not is_whole(users) or users < 1:
        raise InvalidParameter(f"users={users!r} is not allowed; it must be a whole number at least 1")
    if counts.ndim != 1 or not ((counts >= 0) & (counts <= users)).all():
        raise BadData(f"count must hold a number from 0 to {users} for each item: how many users rated it")
    if ranked.max(initial=-1) >= len(counts):
        raise BadData(f"lists hold item {ranked.max()}; count tells of {len(counts)} items, from 0")
    bits = np.r_[-np.log2(np.maximum(counts, 1) / users), 0.0]  # the last is for empty places
    return _mean_of_places(bits[ranked].sum(axis=1), (ranked >= 0).sum(axis=1))


def novelty(lists: Any, count: Any, users: int, *, n: int | None = None) -> float:
    """Return how far lists are from what everybody knows: -log2 of the share of users who rated an item.

    The mean over the items of a list, then over lists that are not empty (Zhou et al. 2010). An item that
    nobody rated counts as if one had.

    Parameters
    ----------
    lists, n
        As in ``list_figures``.
    count : int array, shape (items,)
        How many users rated each item.
    users : int
        How many users there are.
    """
    return _mean_of_lists(novelty_by_list(lists, count, users, n=n), "is not empty")


def diversity_by_list(
    lists: Any, *, vectors: Any = None, similarity: Any = None, n: int | None = None
) -> Doubles:
    """Return the diversity inside each list; NaN for a list of fewer than two items.

    Parameters
    ----------
    lists, vectors, similarity, n
        As in ``diversity``.
    """
    ranked = as_lists(lists, n)
    if (vectors is None) == (similarity is None):
        raise InvalidParameter("diversity needs either vectors or similarity", hint="vectors=features")
    table = np.asarray(similarity if vectors is None else vectors, dtype=np.float64)
    if table.ndim != 2 or (vectors is None and table.shape[0] != table.shape[1]):
        raise BadData(
            f"{'similarity' if vectors is None else 'vectors'} has the shape {table.shape}; "
            f"it must be ({'items, items' if vectors is None else 'items, features'})"
        )
    if not np.isfinite(table).all():
        raise BadData("similarities and vectors must be finite numbers")
    if ranked.max(initial=-1) >= len(table):
        raise BadData(f"lists hold item {ranked.max()}; there are {len(table)} items, from 0")
    if vectors is not None:
        length = np.linalg.norm(table, axis=1, keepdims=True)
        table = np.divide(table, length, out=np.zeros_like(table), where=length > 0)
    alike = np.empty(len(ranked))
    wide = ranked.shape[1] * (ranked.shape[1] if vectors is None else table.shape[1])
    step = max(1, _BLOCK // max(1, wide))
    for start in range(0, len(ranked), step):
        part = ranked[start : start + step]
        alike[start : start + step] = (_alike_by_table if vectors is None else _alike_by_vectors)(part, table)
    size = (ranked >= 0).sum(axis=1)
    return 1 - _mean_of_places(alike, size * (size - 1) // 2)


def diversity(lists: Any, *, vectors: Any = None, similarity: Any = None, n: int | None = None) -> float:
    """Return how unlike each other the items of a list are: 1 less the mean similarity of two of them.

    The mean over lists of at least two items (Ziegler et al. 2005).

    Parameters
    ----------
    lists, n
        As in ``list_figures``.
    vectors : float array, shape (items, features), optional
        What describes items; similar is what has a high cosine, and zeros are like nothing.
    similarity : float array, shape (items, items), optional
        Instead: how similar items are, 1 at most, symmetric.
    """
    values = diversity_by_list(lists, vectors=vectors, similarity=similarity, n=n)
    return _mean_of_lists(values, "holds two items")


def _alike_by_table(part: Lists, table: Doubles) -> Doubles:
    """Return the sum of the similarities of all pairs within each list."""
    there = part >= 0
    pairs = table[part[:, :, None], part[:, None, :]] * (there[:, :, None] & there[:, None, :])
    first, second = np.triu_indices(part.shape[1], 1)
    return np.asarray(pairs[:, first, second].sum(axis=1))


def _alike_by_vectors(part: Lists, table: Doubles) -> Doubles:
    """Return the same by unit vectors: the square of their sum holds each pair twice, and each itself."""
    those = table[part] * (part >= 0)[:, :, None]
    return np.asarray(((those.sum(axis=1) ** 2).sum(axis=1) - (those**2).sum(axis=(1, 2))) / 2)


def _exposure(lists: Any, items: int, n: int | None) -> npt.NDArray[np.int64]:
    """Return in how many places each item stands."""
    ranked = as_lists(lists, n)
    if not is_whole(items) or items < 1:
        raise InvalidParameter(f"items={items!r} is not allowed; it must be a whole number at least 1")
    if ranked.max(initial=-1) >= items:
        raise BadData(f"lists hold item {ranked.max()}; with items={items} they are numbered from 0")
    return np.bincount(ranked[ranked >= 0], minlength=items)


def _mean_of_places(total: Doubles, count: Any) -> Doubles:
    return np.asarray(np.divide(total, count, out=np.full(len(total), math.nan), where=count > 0))


def _mean_of_lists(values: Doubles, what: str) -> float:
    there = values[~np.isnan(values)]
    if len(there) == 0:
        raise BadData(f"no list {what}, so there is nothing to average")
    return float(there.mean())
