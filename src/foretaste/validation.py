"""Input validation of ``fit`` and ``predict``: ids, frames and arrays become ``Ratings`` and ``Pairs``."""

from __future__ import annotations

from typing import Any

import numpy as np

from foretaste.column_roles import (
    ROLES,
    as_numpy,
    check_finite_column,
    check_scale,
    check_timestamp_column,
    check_weight_column,
    frame_columns,
    infer_roles,
    is_frame,
    require_roles,
)
from foretaste.errors import DataError
from foretaste.ids import IdIndex
from foretaste.ratings import Pairs, Ratings, RatingsStore


def as_ratings(X: Any, y: Any = None, sample_weight: Any = None) -> Ratings:
    """Validate the input of ``fit``: ratings, a store of them, or pairs of ids with their ratings.

    Parameters
    ----------
    X : Ratings, RatingsStore, data frame, or array-like of shape (n, 2)
        A frame may contain the ratings; its columns are inferred by name.
    y : array-like, shape (n,), optional
        Ratings; replaces those in X.
    sample_weight : array-like, shape (n,), optional

    Returns
    -------
    Ratings

    Raises
    ------
    DataError
        If there are no ratings, or ids, ratings or weights are invalid or of different lengths.
    """
    if isinstance(X, RatingsStore):
        X = X.to_ratings()
    if not isinstance(X, Ratings):
        user, item, timestamp, value = _pair_columns(X)
        if y is None and value is None:
            raise DataError("no ratings were given", hint="fit(ratings), or fit(pairs, y)")
        return Ratings.from_columns(
            user, item, value if y is None else y, timestamp=timestamp, weight=sample_weight
        )
    changes: dict[str, Any] = {}
    for name, column in (("value", y), ("weight", sample_weight)):
        if column is not None:
            changes[name] = (
                check_finite_column(column, "rating") if name == "value" else check_weight_column(column)
            )
            if len(changes[name]) != len(X):
                raise DataError(
                    f"{name} has {len(changes[name])} rows, the ratings have {len(X)}; they must agree"
                )
    check_scale(X.scale, changes.get("value"))
    return X.replace(**changes) if changes else X


def encode_pairs(X: Any, users: IdIndex, items: IdIndex) -> Pairs:
    """Encode the input of ``predict``: pairs of ids become indices into a model's id maps, -1 = unknown.

    Parameters
    ----------
    X : Ratings, RatingsStore, Pairs, data frame, or array-like of shape (n, 2)
        ``Pairs`` are already encoded. Features of ratings are passed on, so that models that use features
        can predict for users and items that are not in their id maps.
    users, items : IdIndex
        The model's id maps.
    """
    if isinstance(X, RatingsStore):
        X = X.to_ratings()
    if isinstance(X, Ratings):
        check_id_types(X.users, users, "user")
        check_id_types(X.items, items, "item")
        user = X.user if X.users == users else users.indices_of(X.users.ids)[X.user]
        item = X.item if X.items == items else items.indices_of(X.items.ids)[X.item]
        rows = None if X.user_features is None else X.user, None if X.item_features is None else X.item
        return Pairs(user, item, X.timestamp, X.user_features, X.item_features, *rows)
    if isinstance(X, Pairs):
        return X
    user, item, timestamp, _ = _pair_columns(X)
    return Pairs(
        users.encode(user, "user"),
        items.encode(item, "item"),
        None if timestamp is None else check_timestamp_column(timestamp),
    )


def check_id_types(index: IdIndex, known: IdIndex, name: str) -> None:
    """Raise on ids of another type than the known ones: 196 is not "196"."""
    if len(index) and len(known) and index.dtype != known.dtype:
        known.encode(index.ids[:1], name)


def _pair_columns(X: Any) -> tuple[Any, Any, Any, Any]:
    """Return the user, item, timestamp and rating columns of a frame or of an (n, 2) array."""
    if is_frame(X):
        columns = frame_columns(X)
        roles = infer_roles(columns, dict.fromkeys(ROLES))
        require_roles(roles, columns, ("user", "item"))
        column_of_role = {role: columns[name] for role, name in roles.items()}
        timestamp, rating = column_of_role.get("timestamp"), column_of_role.get("rating")
        value = None if rating is None else as_numpy(rating)
        return as_numpy(column_of_role["user"]), as_numpy(column_of_role["item"]), timestamp, value
    if isinstance(X, list | tuple):
        pairs = [tuple(pair) for pair in X]
        if any(len(pair) != 2 for pair in pairs):
            raise DataError("each pair must have two entries, a user id and an item id", hint="[(196, 242)]")
        return [user for user, _ in pairs], [item for _, item in pairs], None, None
    array = np.asarray(X)
    if array.ndim != 2 or array.shape[1] != 2:
        raise DataError(
            f"pairs must have shape (n, 2), a user and an item per row; got {array.shape}",
            hint="numpy.column_stack([users, items]), a data frame, or Ratings",
        )
    return array[:, 0], array[:, 1], None, None
