"""The two doors: ``as_ratings`` of ``fit``, ``encode_pairs`` of ``predict``.

Outside them are ids, frames and arrays; inside are ``Ratings`` and ``Pairs`` of indices.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from foretaste.column_roles import (
    ROLES,
    as_numpy,
    check_scale,
    finite_column,
    frame_columns,
    guess_roles,
    is_frame,
    require_roles,
    time_column,
    weight_column,
)
from foretaste.errors import BadData
from foretaste.ids import IdIndex
from foretaste.ratings import Pairs, Ratings


def as_ratings(X: Any, y: Any = None, sample_weight: Any = None) -> Ratings:
    """Open the door of ``fit``: ratings, or pairs of ids and their ratings, become ``Ratings``.

    Parameters
    ----------
    X : Ratings, data frame, or array-like of shape (n, 2)
        A frame may carry its ratings; its columns are recognised by name.
    y : array-like, shape (n,), optional
        Ratings; replaces those that X carries.
    sample_weight : array-like, shape (n,), optional
    """
    if not isinstance(X, Ratings):
        user, item, when, value = _pair_columns(X)
        if y is None and value is None:
            raise BadData("no ratings were given", hint="fit(ratings), or fit(pairs, y)")
        return Ratings.from_columns(user, item, value if y is None else y, when=when, weight=sample_weight)
    changes: dict[str, Any] = {}
    for name, column in (("value", y), ("weight", sample_weight)):
        if column is not None:
            changes[name] = finite_column(column, "rating") if name == "value" else weight_column(column)
            if len(changes[name]) != len(X):
                raise BadData(
                    f"{name} has {len(changes[name])} rows, the ratings have {len(X)}; they must agree"
                )
    check_scale(X.scale, changes.get("value"))
    return X.replace(**changes) if changes else X


def encode_pairs(X: Any, users: IdIndex, items: IdIndex) -> Pairs:
    """Open the door of ``predict``: pairs of ids become indices into a model's id maps, -1 = unknown.

    Parameters
    ----------
    X : Ratings, Pairs, data frame, or array-like of shape (n, 2)
        ``Pairs`` are taken as encoded already. Features of ratings go with them, so that a model that
        makes use of them knows something of users and items that are not in its id maps.
    users, items : IdIndex
        The model's id maps.
    """
    if isinstance(X, Ratings):
        check_kinds(X.users, users, "user")
        check_kinds(X.items, items, "item")
        user = X.user if X.users == users else users.remap(X.users.ids)[X.user]
        item = X.item if X.items == items else items.remap(X.items.ids)[X.item]
        rows = None if X.user_table is None else X.user, None if X.item_table is None else X.item
        return Pairs(user, item, X.when, X.user_table, X.item_table, *rows)
    if isinstance(X, Pairs):
        return X
    user, item, when, _ = _pair_columns(X)
    return Pairs(
        users.encode(user, "user"), items.encode(item, "item"), None if when is None else time_column(when)
    )


def check_kinds(given: IdIndex, known: IdIndex, name: str) -> None:
    """Refuse ids of another type than the known ones: 196 is not "196"."""
    if len(given) and len(known) and given.kind != known.kind:
        known.encode(given.ids[:1], name)


def _pair_columns(X: Any) -> tuple[Any, Any, Any, Any]:
    """Return user, item, when and rating columns of a frame or of an (n, 2) array."""
    if is_frame(X):
        columns = frame_columns(X)
        roles = guess_roles(columns, dict.fromkeys(ROLES))
        require_roles(roles, columns, ("user", "item"))
        found = {role: columns[name] for role, name in roles.items()}
        when, rating = found.get("timestamp"), found.get("rating")
        value = None if rating is None else as_numpy(rating)
        return as_numpy(found["user"]), as_numpy(found["item"]), when, value
    if isinstance(X, list | tuple):
        pairs = [tuple(pair) for pair in X]
        if any(len(pair) != 2 for pair in pairs):
            raise BadData("pairs must have two entries each, a user id and an item id", hint="[(196, 242)]")
        return [user for user, _ in pairs], [item for _, item in pairs], None, None
    array = np.asarray(X)
    if array.ndim != 2 or array.shape[1] != 2:
        raise BadData(
            f"pairs must have the shape (n, 2), a user and an item each; theirs is {array.shape}",
            hint="numpy.column_stack([users, items]), a data frame, or Ratings",
        )
    return array[:, 0], array[:, 1], None, None
