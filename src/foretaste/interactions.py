"""Pairs of users and items, encoded once, and interactions: pairs with the id maps they refer to."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np

from foretaste._native import group_rows
from foretaste._utils.checks import check_int
from foretaste.column_roles import filter_rows
from foretaste.errors import InvalidParameterError
from foretaste.features import FeatureTable
from foretaste.ids import IdIndex
from foretaste.typing import AnyArray, Entity, Float32Array, IdArray, IndexArray, Int64Array


@dataclass(frozen=True, eq=False)
class Axis:
    """One axis of some pairs, users or items; made by ``Pairs.axis``.

    Parameters
    ----------
    entity : Entity
    codes : int32 array, shape (n,)
        The index of each row's user (or item); -1 is unknown.
    ids : IdIndex or None
        The id map that ``codes`` refer to; None for bare ``Pairs``.
    features : FeatureTable or None
        Features, rows aligned to ``ids`` unless ``feature_row`` is given.
    feature_row : int32 array, shape (n,), or None
        The row of ``features`` of each pair to predict.
    """

    entity: Entity
    codes: IndexArray
    ids: IdIndex | None = None
    features: FeatureTable | None = None
    feature_row: IndexArray | None = None


@dataclass(frozen=True, eq=False)
class IdAxis(Axis):
    """One axis of interactions or ratings, whose id map is always known.

    Parameters
    ----------
    entity, codes, ids, features, feature_row
        As in ``Axis``.
    """

    ids: IdIndex = dataclasses.field(default_factory=lambda: IdIndex(np.empty(0, np.int64)))

    def group_rows(self) -> tuple[Int64Array, IndexArray]:
        """Return where each user's (or item's) rows start, shape (ids + 1,), and the rows grouped by it."""
        return group_rows(self.codes, len(self.ids))


@dataclass(frozen=True, eq=False, repr=False)
class Pairs:
    """Pairs of a user and an item, as indices into the id maps in force; -1 is unknown.

    Parameters
    ----------
    user, item : int32 array, shape (n,)
    timestamp : int64 array, shape (n,), optional
        Seconds since 1970.
    user_features, item_features : FeatureTable, optional
        Features, rows aligned to the id maps; for pairs to predict, indexed by the next two.
    user_feature_row, item_feature_row : int32 array, shape (n,), optional
        For pairs to predict: the rows of the feature tables, also those of unknown users and items.
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

    def axis(self, entity: Entity | str) -> Axis:
        """Return the users or the items of the pairs, so that code for both is written once.

        Parameters
        ----------
        entity : {"user", "item"}
        """
        if Entity(entity) is Entity.USER:
            return Axis(Entity.USER, self.user, None, self.user_features, self.user_feature_row)
        return Axis(Entity.ITEM, self.item, None, self.item_features, self.item_feature_row)


@dataclass(frozen=True, eq=False, repr=False)
class Interactions(Pairs):
    """Which user interacted with which item: pairs with id maps and no value; counts are weights.

    Parameters
    ----------
    user, item, timestamp, user_features, item_features, user_feature_row, item_feature_row
        As in ``Pairs``; every id in ``users`` and ``items`` occurs.
    weight : float32 array, shape (n,), optional
        Sample weights or counts, at least 0.
    users, items : IdIndex
    """

    weight: Float32Array | None = None
    users: IdIndex = dataclasses.field(default_factory=lambda: IdIndex(np.empty(0, np.int64)))
    items: IdIndex = dataclasses.field(default_factory=lambda: IdIndex(np.empty(0, np.int64)))

    _row_fields: ClassVar[tuple[str, ...]] = ("timestamp", "weight")  # sliced beside user and item

    def axis(self, entity: Entity | str) -> IdAxis:
        """Return the users or the items with their id map.

        Parameters
        ----------
        entity : {"user", "item"}
        """
        axis, users = super().axis(entity), Entity(entity) is Entity.USER
        ids = self.users if users else self.items
        return IdAxis(axis.entity, axis.codes, ids, axis.features, axis.feature_row)

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

    def __getitem__(self, rows: Any) -> Self:
        """Return some rows, with only the ids that occur in them."""
        if isinstance(rows, tuple):  # scikit-learn passes ratings[rows, ...]
            rows = rows[0]
        if isinstance(rows, int | np.integer):
            raise InvalidParameterError(
                f"ratings[{rows}] selects a single row; index with an array, a mask or a slice",
                hint=f"ratings[[{rows}]]",
            )
        rows = rows if isinstance(rows, slice) else np.asarray(rows)
        if not isinstance(rows, slice) and len(rows) == 0:
            rows = np.empty(0, np.int64)
        users, user, user_mask = self.users.compact(self.user[rows])
        items, item, item_mask = self.items.compact(self.item[rows])
        return self.replace(
            user=user,
            item=item,
            users=users,
            items=items,
            user_features=None if self.user_features is None else self.user_features.take_rows(user_mask),
            item_features=None if self.item_features is None else self.item_features.take_rows(item_mask),
            user_feature_row=None,
            item_feature_row=None,
            **{name: _take(getattr(self, name), rows) for name in self._row_fields},
        )

    def replace(self, **changes: Any) -> Self:
        """Return a copy with some fields changed; without validation."""
        return dataclasses.replace(self, **changes)

    def with_features(self, users: Any = None, items: Any = None) -> Self:
        """Return the ratings with features of users or items (frames, one row per id)."""
        user_features = (
            self.user_features if users is None else FeatureTable.from_frame(users, self.users, "user")
        )
        item_features = (
            self.item_features if items is None else FeatureTable.from_frame(items, self.items, "item")
        )
        return self.replace(user_features=user_features, item_features=item_features)

    def where(self, expression: str) -> Self:
        """Return the rows for which a condition holds.

        Parameters
        ----------
        expression : str
            SQL over the columns user, item, rating, timestamp and weight, or a common name of one of
            them: ``"userId <= 4000"``, ``"rating > 3 and item != 'B07'"``.

        Raises
        ------
        InvalidParameterError
            If it cannot be parsed or names another column.
        """
        import polars as pl

        return self[filter_rows(pl.DataFrame(self._columns()), expression)]

    def _columns(self) -> dict[str, AnyArray]:
        """Return the columns of the rows by name, ids decoded."""
        columns = {"user": self.user_ids, "item": self.item_ids}
        columns |= {} if self.timestamp is None else {"timestamp": self.timestamp}
        return columns | ({} if self.weight is None else {"weight": self.weight})

    def k_core(self, *, min_user_ratings: int = 1, min_item_ratings: int = 1) -> Self:
        """Return the k-core: rows whose user and item both have enough ratings, filtered to a fixed point.

        Parameters
        ----------
        min_user_ratings, min_item_ratings : int
            Minimum number of ratings per user and per item.
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

    def sample(self, n: int | None = None, *, users: int | None = None, seed: int = 0) -> Self:
        """Return a random subset, in the order of the rows.

        Parameters
        ----------
        n : int, optional
            Number of rows.
        users : int, optional
            Number of users, with all their rows, instead.
        seed : int
        """
        if (n is None) == (users is None):
            raise InvalidParameterError(
                "sample takes either n (rows) or users (whole users)", hint="sample(n=1000)"
            )
        name, requested, total = ("n", n, len(self)) if users is None else ("users", users, len(self.users))
        size = check_int(name, requested, low=1, high=total)
        selected = np.zeros(total, dtype=bool)
        selected[np.random.default_rng(seed).choice(total, size, replace=False)] = True
        return self[selected if users is None else selected[self.user]]

    def group_by_user(self) -> tuple[Int64Array, IndexArray]:
        """Return where each user's rows start, shape (users + 1,), and the rows grouped by user."""
        return group_rows(self.user, len(self.users))

    def group_by_item(self) -> tuple[Int64Array, IndexArray]:
        """Return where each item's rows start, shape (items + 1,), and the rows grouped by item."""
        return group_rows(self.item, len(self.items))

    def describe(self) -> dict[str, float | int | None]:
        """Return summary statistics.

        ``interactions``, ``users``, ``items``, ``density`` (the known fraction of the utility matrix),
        ``interactions_per_user`` and ``interactions_per_item`` (medians).
        """
        return self._counts("interactions") | self._medians("interactions")

    def _counts(self, noun: str) -> dict[str, float | int | None]:
        n, users, items = len(self), len(self.users), len(self.items)
        density = None if n == 0 else n / (users * items)
        return {noun: n, "users": users, "items": items, "density": density}

    def _medians(self, noun: str) -> dict[str, float | int | None]:
        codes = {f"{noun}_per_user": self.user, f"{noun}_per_item": self.item}
        return {name: float(np.median(np.bincount(c))) if len(c) else None for name, c in codes.items()}

    def __repr__(self) -> str:
        return f"<Interactions: {len(self)}, {len(self.users)} users x {len(self.items)} items>"


def _take(column: AnyArray | None, rows: Any) -> AnyArray | None:
    return None if column is None else column[rows]
