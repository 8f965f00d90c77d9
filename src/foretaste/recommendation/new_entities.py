"""``fold_in``: new people, or new items, without learning again."""

from __future__ import annotations

import logging
from typing import Any, TypeVar

import numpy as np

from foretaste.errors import BadData, InvalidParameter, NotSupported, plain
from foretaste.models.base import Model, known_models
from foretaste.ratings import Ratings
from foretaste.validation import as_ratings, check_kinds

log = logging.getLogger("foretaste")

M = TypeVar("M", bound=Model)


def fold_in(model: M, users: Any = None, items: Any = None) -> M:
    """Return a fitted model of new people (or new items), taken in by their ratings without learning again.

    What the model knows of the other side stays as it is, and what it can say of the new ones is found from
    their ratings alone: for models of factors by one ridge regression each, exactly; for neighbours by
    definition; for means and biases by their formula. The model given is not changed. The one returned knows
    the new people and nobody else (or the new items and nothing else); ``predict``, ``recommend``,
    ``explain`` and ``save`` take it like any other.

    Parameters
    ----------
    model : Model
        Fitted.
    users : Ratings or data frame, optional
        All ratings of the new people. Those of items that the model does not know say nothing to it and
        are left out.
    items : Ratings or data frame, optional
        All ratings of the new items, instead of ``users``. Those by people whom the model does not know are
        left out.

    Returns
    -------
    Model
        Of the same type and parameters.

    Raises
    ------
    NotSupported
        If the model cannot; the hint names those that can.
    InvalidParameter
        If not just one of ``users`` and ``items`` is given.
    BadData
        If there are no ratings, or not one that the model can use.
    NotFitted
        If the model has not learned.

    Examples
    --------
    >>> from foretaste import SVD, Ratings, fold_in, load_dataset
    >>> model = SVD(factors=8).fit(load_dataset("sample"))
    >>> me = Ratings.from_columns(["me", "me"], [7, 8], [9.5, -3.0])
    >>> fold_in(model, users=me).predict([("me", 13)]).shape
    (1,)
    """
    if not isinstance(model, Model):
        raise InvalidParameter(
            f"new people are taken in by a fitted model, not by {type(model).__name__}",
            hint="fold_in(SVD().fit(ratings), users=new_ratings)",
        )
    if (users is None) == (items is None):
        raise InvalidParameter(
            f"fold_in takes new users or new items, {'one of them' if users is None else 'not both'}",
            hint="fold_in(model, users=new_ratings), or fold_in(model, items=new_ratings)",
        )
    model._check_fitted()
    side = "user" if items is None else "item"
    new = as_ratings(users if items is None else items)
    _check_able(model, side, weighted=new.weight is not None)
    _check_known(model, new, side)
    return model._fold_in(new) if side == "user" else model._fold_in_items(new)


def _check_able(model: Model, side: str, *, weighted: bool) -> None:
    """Refuse what a model cannot do, also one inside, before anything is computed."""
    hook = "_fold_in" if side == "user" else "_fold_in_items"
    for inner in [model, *getattr(model, "members_", ())]:
        if getattr(type(inner), hook) is getattr(Model, hook):
            getattr(inner, hook)(None)  # the base class says which models can
        if weighted and "weights" not in inner.tags:
            able = sorted(m.__name__ for m in known_models() if "weights" in m.tags)
            raise NotSupported(
                f"{type(inner).__name__} cannot honour sample weights",
                hint="ratings without weights, or a model that can: " + ", ".join(able),
            )


def _check_known(model: Model, new: Ratings, side: str) -> None:
    """Refuse ratings of which the model can use none, and say how many it cannot."""
    other = "item" if side == "user" else "user"
    given, known = getattr(new, f"{other}s"), getattr(model, f"{other}s_")
    if len(new) == 0:
        raise BadData(f"there are no ratings of new {side}s")
    check_kinds(given, known, other)
    unknown = known.remap(given.ids)[getattr(new, other)] < 0
    left_out = int(np.count_nonzero(unknown))
    if left_out == len(new):
        first = plain(getattr(new, f"{other}_ids")[0])
        raise BadData(
            f"the model knows none of the {len(given):,} {other}s in the ratings of new {side}s "
            f"(first: {first!r})",
            where=f"known are {known.said()}",
        )
    if left_out:
        log.info(
            "%d of %d ratings are of %ss that the model does not know, and are left out",
            left_out, len(new), other,
        )  # fmt: skip
