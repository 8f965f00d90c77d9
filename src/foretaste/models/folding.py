"""What models share that take in new users without refitting."""

from __future__ import annotations

from typing import Any, TypeVar

import numpy as np

from foretaste.doors import check_kinds
from foretaste.models.base import Model
from foretaste.ratings import Ratings

M = TypeVar("M", bound=Model)


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


def with_users(model: M, new: Ratings, **learned: Any) -> M:
    """Return a fitted model like this one whose users are those of ``new``, of whom it learned these things.

    Range, fingerprint and number of ratings stay those of the training ratings.
    """
    folded = type(model)(**model.get_params(deep=False))
    for name, value in (model._state() | {"users_": new.users} | learned).items():
        setattr(folded, name, np.ascontiguousarray(value) if isinstance(value, np.ndarray) else value)
    return folded
