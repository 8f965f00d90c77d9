"""The training set: ratings as flat arrays and, on demand, as scikit-surprise's lists of tuples."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np

from foretaste.compat.surprise._warnings import find_in_other_type
from foretaste.errors import InvalidParameterError
from foretaste.typing import ArrayDict, Float64Array, IndexArray, Int64Array

RatingLists = defaultdict[int, list[tuple[int, float]]]


@dataclass(frozen=True)
class RatingArrays:
    """Ratings as four arrays, grouped by user or by item.

    Attributes
    ----------
    users, items : int32 array, shape (n,)
        Inner ids.
    values : float64 array, shape (n,)
    starts : int64 array, shape (groups + 1,)
        Group ``g`` has the rows ``starts[g]`` to ``starts[g + 1]``; groups are inner ids in order.
    """

    users: IndexArray
    items: IndexArray
    values: Float64Array
    starts: Int64Array


class _GroupedRatings:
    """One grouping of the ratings, as arrays and as lists of tuples, kept in sync.

    Programs may edit the lists that ``ur`` and ``ir`` hand out. Tuples cannot change, so comparing the
    current tuples with those returned (mostly by identity) shows whether the rows are still valid.
    """

    def __init__(self, rows: RatingArrays | None, lists: Any, groups: int, *, by_user: bool) -> None:
        self._rows = rows
        self._lists = lists
        self._last_pairs: list[tuple[int, float]] | None = None
        self._groups = groups
        self._by_user = by_user

    def lists(self) -> Any:
        """Return the mapping of inner ids to lists of (other inner id, rating)."""
        if self._lists is None:
            rows = self._get_rows()
            other_ids = (rows.items if self._by_user else rows.users).tolist()
            pairs = list(zip(other_ids, rows.values.tolist(), strict=True))
            bounds = rows.starts.tolist()
            lists: RatingLists = defaultdict(list)
            for group in range(len(bounds) - 1):
                lists[group] = pairs[bounds[group] : bounds[group + 1]]
            self._lists, self._last_pairs = lists, pairs
        return self._lists

    def has_lists(self) -> bool:
        """Whether the lists were accessed, so that they may have been edited."""
        return self._lists is not None

    def rows(self) -> RatingArrays:
        """Return the rows, rebuilt from the lists if these were edited."""
        if self._lists is not None:
            pairs = list(chain.from_iterable(self._lists.values()))
            if self._rows is None or pairs != self._last_pairs:
                self._rows, self._last_pairs = self._rows_from_lists(), pairs
        return self._get_rows()

    def _get_rows(self) -> RatingArrays:
        if self._rows is None:
            self._rows = self._rows_from_lists()
        return self._rows

    def _rows_from_lists(self) -> RatingArrays:
        """Return the rows of the lists, groups in the order of their inner ids."""
        keys = sorted(key for key, pairs in self._lists.items() if pairs)
        sizes = [len(self._lists[key]) for key in keys]
        groups = np.repeat(np.asarray(keys, np.int32), sizes)
        pairs = list(chain.from_iterable(self._lists[key] for key in keys))
        other_ids = np.fromiter((pair[0] for pair in pairs), np.int32, len(pairs))
        values = np.fromiter((pair[1] for pair in pairs), np.float64, len(pairs))
        users, items = (groups, other_ids) if self._by_user else (other_ids, groups)
        n_groups = max(self._groups, keys[-1] + 1 if keys else 0)
        return RatingArrays(users, items, values, group_starts(groups, n_groups))


def assign_inner_ids(raw: list[Any]) -> tuple[IndexArray, dict[Any, int]]:
    """Return inner ids, assigned in order of first appearance, and their mapping."""
    inner = {raw_id: code for code, raw_id in enumerate(dict.fromkeys(raw))}
    return np.fromiter(map(inner.__getitem__, raw), np.int32, len(raw)), inner


def group_starts(groups: IndexArray, n_groups: int) -> Int64Array:
    """Return the start of each group in sorted ``groups``, and the end: shape (n_groups + 1,)."""
    starts = np.zeros(n_groups + 1, np.int64)
    np.cumsum(np.bincount(groups, minlength=n_groups), out=starts[1:])
    return starts


class Trainset:
    """Training set of an algorithm; built by a dataset."""

    n_users: int
    n_items: int
    n_ratings: int
    rating_scale: tuple[float, float]

    def __init__(
        self,
        ur: Any,
        ir: Any,
        n_users: int,
        n_items: int,
        n_ratings: int,
        rating_scale: Any,
        raw2inner_id_users: dict[Any, int],
        raw2inner_id_items: dict[Any, int],
    ) -> None:
        self.n_users, self.n_items, self.n_ratings = n_users, n_items, n_ratings
        self.rating_scale = rating_scale
        self._users = _GroupedRatings(None, ur, n_users, by_user=True)
        self._items = _GroupedRatings(None, ir, n_items, by_user=False)
        self._raw2inner_id_users = raw2inner_id_users
        self._raw2inner_id_items = raw2inner_id_items
        self._inner2raw_id_users: dict[int, Any] | None = None
        self._inner2raw_id_items: dict[int, Any] | None = None
        self._global_mean: Any = None

    @classmethod
    def _from_codes(
        cls,
        users: IndexArray,
        items: IndexArray,
        values: Float64Array,
        rating_scale: Any,
        inner_users: dict[Any, int],
        inner_items: dict[Any, int],
    ) -> Trainset:
        """Build a trainset from inner ids and ratings in file order."""
        columns: ArrayDict = {"users": users, "items": items, "values": values}
        orders = (np.argsort(users, kind="stable"), np.argsort(items, kind="stable"))
        by_user, by_item = [{name: column[order] for name, column in columns.items()} for order in orders]
        return cls._from_rows(by_user, by_item, rating_scale, inner_users, inner_items)

    @classmethod
    def _from_rows(
        cls,
        by_user: dict[str, Any],
        by_item: dict[str, Any],
        rating_scale: Any,
        inner_users: dict[Any, int],
        inner_items: dict[Any, int],
    ) -> Trainset:
        """Build a trainset from the columns ``users``, ``items`` and ``values`` in both orders."""
        n_users, n_items, n = len(inner_users), len(inner_items), len(by_user["values"])
        trainset = cls(None, None, n_users, n_items, n, rating_scale, inner_users, inner_items)
        rows = RatingArrays(**by_user, starts=group_starts(by_user["users"], n_users))
        trainset._users = _GroupedRatings(rows, None, n_users, by_user=True)
        rows = RatingArrays(**by_item, starts=group_starts(by_item["items"], n_items))
        trainset._items = _GroupedRatings(rows, None, n_items, by_user=False)
        return trainset

    def by_user(self) -> RatingArrays:
        """Return the ratings grouped by user, in the order of ``all_ratings``.

        Returns
        -------
        RatingArrays
            Users by inner id; within a user as in the file.
        """
        return self._users.rows()

    def by_item(self) -> RatingArrays:
        """Return the ratings grouped by item, in the order of ``ir``.

        Returns
        -------
        RatingArrays
            Items by inner id; within an item as in the file.
        """
        return self._items.rows()

    @property
    def ur(self) -> Any:
        """The ratings of each user: a list of (item, rating), inner ids."""
        return self._users.lists()

    @ur.setter
    def ur(self, lists: Any) -> None:
        self._users = _GroupedRatings(None, lists, self.n_users, by_user=True)

    @property
    def ir(self) -> Any:
        """The ratings of each item: a list of (user, rating), inner ids."""
        return self._items.lists()

    @ir.setter
    def ir(self, lists: Any) -> None:
        self._items = _GroupedRatings(None, lists, self.n_items, by_user=False)

    @property
    def global_mean(self) -> Any:
        """The mean of all ratings."""
        if self._global_mean is None:
            self._global_mean = np.mean(self.by_user().values)
        return self._global_mean

    def knows_user(self, uid: Any) -> bool:
        """Whether an inner id is a user of the trainset."""
        return _has_ratings(self._users, self.n_users, uid)

    def knows_item(self, iid: Any) -> bool:
        """Whether an inner id is an item of the trainset."""
        return _has_ratings(self._items, self.n_items, iid)

    def to_inner_uid(self, ruid: Any) -> int:
        """Return the inner id of a user."""
        return _get_inner_id("User", ruid, self._raw2inner_id_users)

    def to_inner_iid(self, riid: Any) -> int:
        """Return the inner id of an item."""
        return _get_inner_id("Item", riid, self._raw2inner_id_items)

    def to_raw_uid(self, iuid: int) -> Any:
        """Return the raw id of a user."""
        if self._inner2raw_id_users is None:
            self._inner2raw_id_users = {inner: raw for raw, inner in self._raw2inner_id_users.items()}
        try:
            return self._inner2raw_id_users[iuid]
        except KeyError:
            raise _invalid_inner_id_error(iuid, "user", self.n_users) from None

    def to_raw_iid(self, iiid: int) -> Any:
        """Return the raw id of an item."""
        if self._inner2raw_id_items is None:
            self._inner2raw_id_items = {inner: raw for raw, inner in self._raw2inner_id_items.items()}
        try:
            return self._inner2raw_id_items[iiid]
        except KeyError:
            raise _invalid_inner_id_error(iiid, "item", self.n_items) from None

    def all_users(self) -> range:
        """Return the inner ids of all users."""
        return range(self.n_users)

    def all_items(self) -> range:
        """Return the inner ids of all items."""
        return range(self.n_items)

    def all_ratings(self) -> Iterator[tuple[int, int, float]]:
        """Yield (user, item, rating) with inner ids, user by user, within a user as in the file."""
        if self._users.has_lists():
            for user, pairs in self.ur.items():
                for item, rating in pairs:
                    yield user, item, rating
            return
        rows = self.by_user()
        yield from zip(rows.users.tolist(), rows.items.tolist(), rows.values.tolist(), strict=True)

    def build_testset(self) -> list[tuple[Any, Any, float]]:
        """Return all ratings as ``test`` takes them: (raw user, raw item, rating)."""
        users = {inner: raw for raw, inner in self._raw2inner_id_users.items()}
        items = {inner: raw for raw, inner in self._raw2inner_id_items.items()}
        return [(users[u], items[i], rating) for u, i, rating in self.all_ratings()]

    def build_anti_testset(self, fill: Any = None) -> list[tuple[Any, Any, float]]:
        """Return all pairs of a user and an item that have no rating, as ``test`` takes them."""
        value = self.global_mean if fill is None else float(fill)
        items = [self.to_raw_iid(item) for item in self.all_items()]
        rows = self.by_user()
        is_unrated = np.ones(self.n_items, np.bool_)
        pairs: list[tuple[Any, Any, float]] = []
        for user in self.all_users():
            rated = rows.items[rows.starts[user] : rows.starts[user + 1]]
            is_unrated[rated] = False
            raw = self.to_raw_uid(user)
            pairs += [(raw, items[item], value) for item in np.flatnonzero(is_unrated).tolist()]
            is_unrated[rated] = True
        return pairs


def _has_ratings(ratings: _GroupedRatings, n: int, inner: Any) -> bool:
    if ratings.has_lists():
        return inner in ratings.lists()
    return isinstance(inner, (int, float, np.number)) and bool(0 <= inner < n and inner == int(inner))


def _get_inner_id(entity: str, raw: Any, known: dict[Any, int]) -> int:
    try:
        return known[raw]
    except KeyError:
        match = find_in_other_type(raw, known)
    hint = f"{match!r}: raw ids are {type(match).__name__} here, not {type(raw).__name__}"
    raise InvalidParameterError(
        f"{entity} {raw} is not part of the trainset.", hint=None if match is None else hint
    )


def _invalid_inner_id_error(inner: Any, entity: str, n: int) -> InvalidParameterError:
    return InvalidParameterError(
        f"{inner} is not a valid inner id.", hint=f"inner ids of {entity}s go from 0 to {n - 1} here"
    )
