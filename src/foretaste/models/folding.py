"""Taking in new users: their numbers by one ridge regression each, items staying as they are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from foretaste._native import group_rows, ridge_users
from foretaste.doors import check_kinds
from foretaste.ids import Indices
from foretaste.models.answers import Floats
from foretaste.models.base import Model
from foretaste.ratings import Ratings
from foretaste.threads import thread_count

M = TypeVar("M", bound=Model)

_LEAST = 1e-6  # of regularization, so that there is one answer, whatever was rated


@dataclass(frozen=True, eq=False)
class KnownRows:
    """The ratings of new users for items that a model knows.

    Parameters
    ----------
    user, item : int32 array, shape (n,)
        Users of the new ratings, increasing; items of the model.
    value, weight : float64 array, shape (n,)
    when : int64 array, shape (n,), optional
    users : int
        How many new users there are, among them those without such a rating.
    """

    user: Indices
    item: Indices
    value: npt.NDArray[np.float64]
    weight: npt.NDArray[np.float64]
    when: npt.NDArray[np.int64] | None
    users: int


def known_items(model: Model, new: Ratings) -> Ratings:
    """Return the ratings of new users in the model's own items; others say nothing to it and are left out.

    Every user of ``new`` stays in the index, also one of whom no rating is left.
    """
    check_kinds(new.items, model.items_, "item")
    item = model.items_.remap(new.items.ids)[new.item]
    rows = item >= 0
    columns: dict[str, Any] = {
        name: None if getattr(new, name) is None else getattr(new, name)[rows] for name in ("when", "weight")
    }
    return new.replace(
        user=new.user[rows], item=item[rows], value=new.value[rows], items=model.items_,
        item_table=None, **columns,
    )  # fmt: skip


def known_rows(model: Model, new: Ratings) -> KnownRows:
    """Return the rows of items that the model knows, by user; those of weight 0 are left out.

    Raises
    ------
    BadData
        If the item ids are of another type than the known ones.
    """
    rated = known_items(model, new)
    weight = np.ones(len(rated)) if rated.weight is None else rated.weight.astype(np.float64)
    _, by_user = group_rows(rated.user, len(rated.users))
    rows = by_user[weight[by_user] > 0]
    when = None if rated.when is None else rated.when[rows]
    value = rated.value[rows].astype(np.float64)
    return KnownRows(rated.user[rows], rated.item[rows], value, weight[rows], when, len(rated.users))


def fold(
    rows: KnownRows,
    residual: npt.NDArray[np.float64],
    item_factors: Floats,
    regularization: float,
    threads: int | None,
    biased: bool = True,
    bias_regularization: float | None = None,
) -> tuple[Floats, Floats]:
    """Return the biases and factors that explain best what is left of the new users' ratings.

    Parameters
    ----------
    rows : KnownRows
    residual : float64 array, shape (n,)
        What biases and factors of the users must explain.
    item_factors : float32 array, shape (items, factors)
    regularization : float
        For each rating, as in learning.
    threads : int, optional
    biased : bool
        Whether users have biases, else these are 0.
    bias_regularization : float, optional
        Of the biases, where it is not the same.

    Returns
    -------
    float32 arrays, shapes (users,) and (users, factors)
        0 for a user without ratings of known items.
    """
    strength = max(regularization, _LEAST)
    # A bias counted in units of this size is as strongly held back as the factors are.
    unit = 1.0 if bias_regularization is None else (strength / max(bias_regularization, _LEAST)) ** 0.5
    ones = np.full((len(item_factors), int(biased)), unit, np.float32)
    vectors = np.hstack([ones, item_factors])
    starts, _ = group_rows(rows.user, rows.users)
    found = ridge_users(
        starts, rows.item, residual.astype(np.float64), rows.weight, vectors, strength, thread_count(threads)
    ).astype(np.float32)
    if not biased:
        return np.zeros(rows.users, np.float32), found
    return found[:, 0] * np.float32(unit), np.ascontiguousarray(found[:, 1:])


def with_users(model: M, new: Ratings, **learned: Any) -> M:
    """Return a fitted model like this one whose users are those of ``new``, of whom it learned these things.

    Range, fingerprint and number of ratings stay those of the training ratings.
    """
    folded = type(model)(**model.get_params(deep=False))
    for name, value in (model._state() | {"users_": new.users} | learned).items():
        setattr(folded, name, np.ascontiguousarray(value) if isinstance(value, np.ndarray) else value)
    return folded
