"""Ratings: validated and encoded once, with the protocol of stores that ratings are read from.

A model sees only row indices; ``validation`` encodes the ids given to ``fit`` and ``predict``.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from foretaste._native import count_repeats, group_rows
from foretaste._utils import memory
from foretaste._utils.checks import check_choice
from foretaste._utils.html import notebook_html, notebook_table
from foretaste._utils.threads import resolve_threads
from foretaste.column_roles import (
    check_finite_column,
    check_scale,
    check_timestamp_column,
    check_weight_column,
    default_row_label,
)
from foretaste.errors import (
    DataError,
    Hint,
    to_python,
)
from foretaste.ids import IdIndex
from foretaste.interactions import Axis as Axis
from foretaste.interactions import IdAxis as IdAxis
from foretaste.interactions import Interactions as Interactions
from foretaste.interactions import Pairs as Pairs
from foretaste.typing import AnyArray, Float32Array, IndexArray

DUPLICATES_HINT = Hint({"duplicates": "last"}, '(or "first", "mean")')


@dataclass(frozen=True, eq=False, repr=False)
class Ratings(Interactions):
    """Ratings, validated and encoded once; made by ``Ratings.from_columns`` or ``read_ratings``.

    Parameters
    ----------
    user, item, timestamp, user_features, item_features, user_feature_row, item_feature_row, weight
        As in ``Interactions``.
    users, items : IdIndex
        Every id in them occurs.
    value : float32 array, shape (n,)
        In rating units. 0 is a rating.
    scale : (float, float), optional
        Lowest and highest rating allowed, only if it was declared.
    """

    value: Float32Array = dataclasses.field(default_factory=lambda: np.empty(0, np.float32))
    scale: tuple[float, float] | None = None

    _row_fields: ClassVar[tuple[str, ...]] = ("timestamp", "weight", "value")

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
        duplicates: str = "raise",
        row_label: Callable[[int], str] = default_row_label,
    ) -> Ratings:
        """Validate and encode columns.

        Parameters
        ----------
        user, item : array-like, shape (n,)
            Ids: integers or text, one type per column.
        value : array-like of float, shape (n,)
            Ratings, finite.
        timestamp : array-like of int or datetime, shape (n,), optional
            Seconds since 1970, or datetimes.
        weight : array-like of float, shape (n,), optional
            Sample weights, finite and at least 0.
        scale : (low, high), optional
            The declared scale; a rating outside it is an error.
        duplicates : {"raise", "last", "first", "mean"}
            How to resolve repeated (user, item) rows.
        row_label : function of int, optional
            Names a row in error messages; file readers give the line.

        Raises
        ------
        DataError
            Naming the first invalid row and how to fix it.
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

    def mean_std(self) -> tuple[float, float]:
        """Return the mean and the standard deviation of the ratings, weighted if there are weights."""
        value = self.value.astype(np.float64)
        mean = float(np.average(value, weights=self.weight))
        return mean, float(np.sqrt(np.average((value - mean) ** 2, weights=self.weight)))

    def to_matrix(
        self, users: IdIndex | None = None, items: IdIndex | None = None, dtype: npt.DTypeLike = np.float32
    ) -> AnyArray:
        """Return the dense utility matrix, NaN where there is no rating.

        Parameters
        ----------
        users, items : IdIndex, optional
            Rows and columns of the matrix, so that those of subsets align; default: the ids that occur.
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
        """Return user and item indices under other id maps, and the rows where both have one."""
        if users is self.users and items is self.items:
            return self.user, self.item, slice(None)
        user = users.indices_of(self.users.ids)[self.user]
        item = items.indices_of(self.items.ids)[self.item]
        rows = (user >= 0) & (item >= 0)
        return user[rows], item[rows], rows

    def _columns(self) -> dict[str, AnyArray]:
        return super()._columns() | {"rating": self.value}

    def describe(self) -> dict[str, float | int | None]:
        """Return summary statistics.

        ``ratings``, ``users``, ``items``, ``density`` (the fraction of the utility matrix that is known),
        ``mean``, ``std``, ``min`` and ``max`` in rating units, ``ratings_per_user`` and
        ``ratings_per_item`` (medians).
        """
        value = self.value.astype(np.float64)
        names, is_empty = ("mean", "std", "min", "max"), len(self) == 0
        statistics = {name: None if is_empty else float(getattr(value, name)()) for name in names}
        return self._counts("ratings") | statistics | self._medians("ratings")

    def __repr__(self) -> str:
        n = f"{len(self)} ratings, {len(self.users)} users x {len(self.items)} items"
        if len(self) == 0:
            return f"<Ratings: {n}>"
        low, high = self.scale or (self.value.min(), self.value.max())
        return f"<Ratings: {n}, {'scale' if self.scale else 'range'} {low:g} to {high:g}>"

    def _repr_html_(self) -> str:
        rows = [[name.replace("_", " "), _format_value(value)] for name, value in self.describe().items()]
        return notebook_html(notebook_table([], rows, "lr", "Ratings"))


@runtime_checkable
class RatingsStore(Protocol):
    """Anything that ratings can be read from; ``fit``, ``compare`` and all that take ratings accept it."""

    def to_ratings(self) -> Ratings:
        """Return the stored ratings."""
        ...


def _format_value(value: float | int | None) -> str:
    return "-" if value is None else f"{value:,}" if isinstance(value, int) else f"{value:.3f}"


def _resolve_duplicates(ratings: Ratings, duplicates: str, row_label: Callable[[int], str]) -> Ratings:
    """Raise on, drop or merge rows in which a user rated an item twice."""
    check_choice("duplicates", duplicates, ("raise", "last", "first", "mean"))
    users, items = len(ratings.users), len(ratings.items)
    repeats = count_repeats(ratings.user, ratings.item, users, items, resolve_threads())
    if repeats == 0:
        return ratings
    _, item_order = group_rows(ratings.item, items)
    order = item_order[group_rows(ratings.user[item_order], users)[1]]  # by user, then item, then row
    user, item = ratings.user[order], ratings.item[order]
    starts = np.flatnonzero(np.r_[True, (user[1:] != user[:-1]) | (item[1:] != item[:-1])])
    ends = np.r_[starts[1:], len(order)] - 1
    if duplicates == "raise":
        group = int(np.argmax(ends > starts))
        first, second = order[starts[group]], order[starts[group] + 1]
        raise DataError(
            f"user {to_python(ratings.user_ids[first])!r} rated item {to_python(ratings.item_ids[first])!r} "
            f"more than once: "
            f"{ratings.value[first]:g} in {row_label(int(first))}, "
            f"{ratings.value[second]:g} in {row_label(int(second))} "
            f"({repeats} repeated rows in all)",
            hint=DUPLICATES_HINT,
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
