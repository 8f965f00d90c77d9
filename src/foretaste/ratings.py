"""Ratings and pairs, encoded once: the objects that everything passes through.

A model sees only indices. The doors through which ids become indices stand in ``doors``.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from foretaste._native import count_repeats, group_rows
from foretaste._utils import memory
from foretaste._utils.threads import resolve_threads
from foretaste.column_roles import (
    check_finite_column,
    check_scale,
    check_timestamp_column,
    check_weight_column,
    default_row_label,
    filter_rows,
)
from foretaste.errors import DataError, InvalidParameterError, to_python
from foretaste.features import FeatureTable
from foretaste.ids import IdIndex
from foretaste.typing import AnyArray, BoolArray, Float32Array, IdArray, IndexArray, Int64Array


@dataclass(frozen=True, eq=False, repr=False)
class Pairs:
    """Who and what, as indices into the id maps in force; -1 is unknown.

    Parameters
    ----------
    user, item : int32 array, shape (n,)
    timestamp : int64 array, shape (n,), optional
        Seconds since 1970.
    user_features, item_features : Table, optional
        Features, rows aligned to the id maps; of pairs to predict, those that the next two name.
    user_feature_row, item_feature_row : int32 array, shape (n,), optional
        Of pairs to predict: in which rows of the tables the features stand, also of the unknown.
    """

    user: IndexArray
    item: IndexArray
    timestamp: Int64Array | None = None
    user_features: FeatureTable | None = None
    item_features: FeatureTable | None = None
    user_feature_row: IndexArray | None = None
    item_feature_row: IndexArray | None = None

    def __len__(self) -> int:
        return len(self.user)


@dataclass(frozen=True, eq=False, repr=False)
class Ratings(Pairs):
    """Ratings, validated once and encoded once; made by ``Ratings.from_columns`` or ``read_ratings``.

    Parameters
    ----------
    user, item, when, user_features, item_features, user_row, item_row
        As in ``Pairs``; every id in ``users`` and ``items`` occurs.
    value : float32 array, shape (n,)
        In rating units. 0 is a rating.
    weight : float32 array, shape (n,), optional
        Sample weights, at least 0.
    users, items : IdIndex
    scale : (float, float), optional
        Lowest and highest rating allowed, only if it was declared.
    """

    value: Float32Array = dataclasses.field(default_factory=lambda: np.empty(0, np.float32))
    weight: Float32Array | None = None
    users: IdIndex = dataclasses.field(default_factory=lambda: IdIndex(np.empty(0, np.int64)))
    items: IdIndex = dataclasses.field(default_factory=lambda: IdIndex(np.empty(0, np.int64)))
    scale: tuple[float, float] | None = None

    @classmethod
    def from_columns(
        cls,
        user: Any,
        item: Any,
        value: Any,
        *,
        timestamp: Any = None,
        weight: Any = None,
        scale: tuple[float, float] | None = None,
        duplicates: str = "refuse",
        row_label: Callable[[int], str] = default_row_label,
    ) -> Ratings:
        """Validate and encode columns.

        Parameters
        ----------
        user, item : array-like, shape (n,)
            Ids: whole numbers or text, one type a column.
        value : array-like of float, shape (n,)
            Ratings, finite.
        timestamp : array-like of int or datetime, shape (n,), optional
            Seconds since 1970, or times.
        weight : array-like of float, shape (n,), optional
            Sample weights, finite and at least 0.
        scale : (low, high), optional
            The declared scale; a rating outside it is refused.
        duplicates : {"refuse", "last", "first", "mean"}
            What to do when a user rated an item twice.
        row_label : function of int, optional
            How errors call a row; a reader of files says its line.

        Raises
        ------
        DataError
            Naming the first row that cannot be used and how to mend it.
        InvalidParameterError
            If ``scale`` or ``duplicates`` is not allowed.
        """
        users, user_codes = IdIndex.from_column(user, "user")
        items, item_codes = IdIndex.from_column(item, "item")
        values = check_finite_column(value, "rating")
        timestamps = None if timestamp is None else check_timestamp_column(timestamp)
        weights = None if weight is None else check_weight_column(weight, row_label)
        for name, column in (
            ("item", item_codes),
            ("rating", values),
            ("timestamp", timestamps),
            ("weight", weights),
        ):
            if column is not None and len(column) != len(user_codes):
                raise DataError(f"{name} has {len(column)} rows, user has {len(user_codes)}; they must agree")
        check_scale(scale, values, row_label)
        ratings = cls(
            user=user_codes, item=item_codes, timestamp=timestamps, value=values, weight=weights,
            users=users, items=items, scale=scale,
        )  # fmt: skip
        return _resolve_duplicates(ratings, duplicates, row_label)

    @property
    def shape(self) -> tuple[int, int]:
        """``(n, 2)``: rows of a user and an item, as scikit-learn sees it."""
        return (len(self), 2)

    @property
    def user_ids(self) -> IdArray:
        """The user id of each row, shape (n,)."""
        return self.users.ids[self.user]

    @property
    def item_ids(self) -> IdArray:
        """The item id of each row, shape (n,)."""
        return self.items.ids[self.item]

    def __getitem__(self, rows: Any) -> Ratings:
        """Return some rows, with only the ids that occur in them."""
        if isinstance(rows, tuple):  # scikit-learn asks for ratings[rows, ...]
            rows = rows[0]
        if isinstance(rows, int | np.integer):
            raise InvalidParameterError(
                f"ratings[{rows}] asks for one row; ratings are sliced by arrays, masks and slices",
                hint=f"ratings[[{rows}]]",
            )
        rows = rows if isinstance(rows, slice) else np.asarray(rows)
        if not isinstance(rows, slice) and len(rows) == 0:
            rows = np.empty(0, np.int64)
        users, user, user_mask = _drop_unused_ids(self.users, self.user[rows])
        items, item, item_mask = _drop_unused_ids(self.items, self.item[rows])
        return Ratings(
            user=user,
            item=item,
            timestamp=None if self.timestamp is None else self.timestamp[rows],
            user_features=None if self.user_features is None else self.user_features.take_rows(user_mask),
            item_features=None if self.item_features is None else self.item_features.take_rows(item_mask),
            value=self.value[rows],
            weight=None if self.weight is None else self.weight[rows],
            users=users,
            items=items,
            scale=self.scale,
        )

    def replace(self, **changes: Any) -> Self:
        """Return a copy with some fields changed; nothing is checked again."""
        return dataclasses.replace(self, **changes)

    def with_features(self, users: Any = None, items: Any = None) -> Self:
        """Return the ratings with features of users or items beside them (frames, one row an id)."""
        user_features = (
            self.user_features if users is None else FeatureTable.from_frame(users, self.users, "user")
        )
        item_features = (
            self.item_features if items is None else FeatureTable.from_frame(items, self.items, "item")
        )
        return self.replace(user_features=user_features, item_features=item_features)

    def where(self, expression: str) -> Ratings:
        """Return the rows for which a condition holds.

        Parameters
        ----------
        expression : str
            SQL over the columns user, item, rating, timestamp and weight, or a usual name of one of
            them: ``"userId <= 4000"``, ``"rating > 3 and item != 'B07'"``.

        Raises
        ------
        InvalidParameterError
            If it cannot be understood or names another column.
        """
        import polars as pl

        columns = {"user": self.user_ids, "item": self.item_ids, "rating": self.value}
        columns |= {} if self.timestamp is None else {"timestamp": self.timestamp}
        columns |= {} if self.weight is None else {"weight": self.weight}
        return self[filter_rows(pl.DataFrame(columns), expression)]

    def k_core(self, *, min_user_ratings: int = 1, min_item_ratings: int = 1) -> Ratings:
        """Return the rows of users and items with enough ratings, repeated until it holds for all.

        Parameters
        ----------
        min_user_ratings, min_item_ratings : int
            The least number of ratings a user and an item must have.
        """
        ratings = self
        while len(ratings):
            mask = (np.bincount(ratings.user) >= min_user_ratings)[ratings.user] & (
                np.bincount(ratings.item) >= min_item_ratings
            )[ratings.item]
            if mask.all():
                break
            ratings = ratings[mask]
        return ratings

    def sample(self, n: int | None = None, *, users: int | None = None, seed: int = 0) -> Ratings:
        """Return a random part, in the order of the rows.

        Parameters
        ----------
        n : int, optional
            How many rows.
        users : int, optional
            How many users, with all their rows, instead.
        seed : int
        """
        if (n is None) == (users is None):
            raise InvalidParameterError(
                "sample takes either n (rows) or users (whole users)", hint="sample(n=1000)"
            )
        total, requested = (len(self), n) if users is None else (len(self.users), users)
        if not isinstance(requested, int) or not 1 <= requested <= total:
            raise InvalidParameterError(f"cannot sample {requested!r} of {total}; ask for 1 to {total}")
        selected = np.zeros(total, dtype=bool)
        selected[np.random.default_rng(seed).choice(total, requested, replace=False)] = True
        return self[selected if users is None else selected[self.user]]

    def mean_std(self) -> tuple[float, float]:
        """Return the mean and the standard deviation of the ratings, weighted if there are weights."""
        value = self.value.astype(np.float64)
        mean = float(np.average(value, weights=self.weight))
        return mean, float(np.sqrt(np.average((value - mean) ** 2, weights=self.weight)))

    def group_by_user(self) -> tuple[Int64Array, IndexArray]:
        """Return where each user's rows start, shape (users + 1,), and the rows grouped by user."""
        return group_rows(self.user, len(self.users))

    def group_by_item(self) -> tuple[Int64Array, IndexArray]:
        """Return where each item's rows start, shape (items + 1,), and the rows grouped by item."""
        return group_rows(self.item, len(self.items))

    def to_matrix(
        self, users: IdIndex | None = None, items: IdIndex | None = None, dtype: npt.DTypeLike = np.float32
    ) -> AnyArray:
        """Return the dense utility matrix, NaN where there is no rating.

        Parameters
        ----------
        users, items : IdIndex, optional
            The rows and columns wanted, so that matrices of different parts align; default: own ids.
        dtype : numpy dtype

        Returns
        -------
        array, shape (users, items)
        """
        users, items = users or self.users, items or self.items
        size = len(users) * len(items) * np.dtype(dtype).itemsize
        memory.check_available(size, f"a dense matrix of {len(users)} x {len(items)}", "to_sparse()")
        matrix = np.full((len(users), len(items)), np.nan, dtype=dtype)
        user, item, rows = self._align_to(users, items)
        matrix[user, item] = self.value[rows]
        return matrix

    def to_sparse(self, users: IdIndex | None = None, items: IdIndex | None = None) -> Any:
        """Return the utility matrix as ``scipy.sparse.csr_array``, shape (users, items).

        Ratings of 0 are stored, so that they differ from no rating.
        """
        from scipy.sparse import csr_array

        users, items = users or self.users, items or self.items
        user, item, rows = self._align_to(users, items)
        starts, order = group_rows(user, len(users))
        matrix = csr_array((self.value[rows][order], item[order], starts), shape=(len(users), len(items)))
        matrix.sort_indices()
        return matrix

    def _align_to(self, users: IdIndex, items: IdIndex) -> tuple[IndexArray, IndexArray, Any]:
        """Return the places of the rows under other id maps, and which rows have both."""
        if users is self.users and items is self.items:
            return self.user, self.item, slice(None)
        user = users.indices_of(self.users.ids)[self.user]
        item = items.indices_of(self.items.ids)[self.item]
        rows = (user >= 0) & (item >= 0)
        return user[rows], item[rows], rows

    def describe(self) -> dict[str, float | int | None]:
        """Return the figures people ask for first.

        ``ratings``, ``users``, ``items``, ``filled`` (the fraction of the utility matrix that is
        known), ``mean``, ``std``, ``min`` and ``max`` in rating units, ``ratings_a_user`` and
        ``ratings_an_item`` (medians).
        """
        n, users, items = len(self), len(self.users), len(self.items)
        value = self.value.astype(np.float64)
        is_empty = n == 0
        return {
            "ratings": n,
            "users": users,
            "items": items,
            "filled": None if is_empty else n / (users * items),
            "mean": None if is_empty else float(value.mean()),
            "std": None if is_empty else float(value.std()),
            "min": None if is_empty else float(value.min()),
            "max": None if is_empty else float(value.max()),
            "ratings_a_user": None if is_empty else float(np.median(np.bincount(self.user))),
            "ratings_an_item": None if is_empty else float(np.median(np.bincount(self.item))),
        }

    def __repr__(self) -> str:
        n = f"{len(self)} ratings, {len(self.users)} users x {len(self.items)} items"
        if len(self) == 0:
            return f"<Ratings: {n}>"
        low, high = self.scale or (self.value.min(), self.value.max())
        return f"<Ratings: {n}, {'scale' if self.scale else 'seen'} {low:g} to {high:g}>"

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><th style='text-align:left'>{name.replace('_', ' ')}</th><td>{_format_value(value)}</td></tr>"
            for name, value in self.describe().items()
        )
        return f"<table><caption>Ratings</caption><tbody>{rows}</tbody></table>"


def _format_value(value: float | int | None) -> str:
    return "-" if value is None else f"{value:,}" if isinstance(value, int) else f"{value:.3f}"


def _resolve_duplicates(ratings: Ratings, duplicates: str, row_label: Callable[[int], str]) -> Ratings:
    """Refuse or merge the rows in which a user rated an item twice."""
    if duplicates not in ("refuse", "last", "first", "mean"):
        raise InvalidParameterError(
            f"duplicates={duplicates!r} is not allowed", hint='one of "refuse", "last", "first", "mean"'
        )
    users, items = len(ratings.users), len(ratings.items)
    repeats = count_repeats(ratings.user, ratings.item, users, items, resolve_threads())
    if repeats == 0:
        return ratings
    _, item_order = group_rows(ratings.item, items)
    order = item_order[group_rows(ratings.user[item_order], users)[1]]  # by user, then item, then row
    user, item = ratings.user[order], ratings.item[order]
    starts = np.flatnonzero(np.r_[True, (user[1:] != user[:-1]) | (item[1:] != item[:-1])])
    ends = np.r_[starts[1:], len(order)] - 1
    if duplicates == "refuse":
        group = int(np.argmax(ends > starts))
        first, second = order[starts[group]], order[starts[group] + 1]
        raise DataError(
            f"user {to_python(ratings.user_ids[first])!r} rated item {to_python(ratings.item_ids[first])!r} "
            f"more than once: "
            f"{ratings.value[first]:g} in {row_label(int(first))}, "
            f"{ratings.value[second]:g} in {row_label(int(second))} "
            f"({repeats} repeated rows in all)",
            hint='duplicates="last" (or "first", "mean")',
        )
    if duplicates == "mean":
        weight = np.ones(len(order)) if ratings.weight is None else ratings.weight.astype(np.float64)
        sums = np.add.reduceat((ratings.value * weight)[order], starts)
        total = np.add.reduceat(weight[order], starts)
        unweighted = np.add.reduceat(ratings.value.astype(np.float64)[order], starts) / (ends - starts + 1)
        value, summed_weight = ratings.value.copy(), None if ratings.weight is None else ratings.weight.copy()
        value[order[ends]] = np.where(total > 0, sums / np.where(total > 0, total, 1), unweighted)
        if summed_weight is not None:
            summed_weight[order[ends]] = total
        ratings = ratings.replace(value=value, weight=summed_weight)
    return ratings[np.sort(order[starts if duplicates == "first" else ends])]


def _drop_unused_ids(index: IdIndex, codes: IndexArray) -> tuple[IdIndex, IndexArray, BoolArray]:
    """Leave out the ids that do not occur, and number the rest anew."""
    present = np.zeros(len(index), dtype=bool)
    present[codes] = True
    if present.all():
        return index, codes, present
    positions = np.cumsum(present, dtype=np.int32) - np.int32(1)
    return index.take_ids(present), positions[codes], present
