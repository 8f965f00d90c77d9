"""``fold_in``: new people, or new items, without learning again."""

from __future__ import annotations

import logging
from typing import Any, TypeVar

import numpy as np

from foretaste.errors import DataError, InvalidParameterError, NotSupportedError, to_python
from foretaste.models.base import Model, all_models
from foretaste.ratings import Ratings
from foretaste.typing import Entity
from foretaste.validation import as_ratings, check_id_types

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
    NotSupportedError
        If the model cannot; the hint names those that can.
    InvalidParameterError
        If not just one of ``users`` and ``items`` is given.
    DataError
        If there are no ratings, or not one that the model can use.
    NotFittedError
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
        raise InvalidParameterError(
            f"new people are taken in by a fitted model, not by {type(model).__name__}",
            hint="fold_in(SVD().fit(ratings), users=new_ratings)",
        )
    if (users is None) == (items is None):
        raise InvalidParameterError(
            f"fold_in takes new users or new items, {'one of them' if users is None else 'not both'}",
            hint="fold_in(model, users=new_ratings), or fold_in(model, items=new_ratings)",
        )
    model.check_fitted()
    entity = Entity.USER if items is None else Entity.ITEM
    new = as_ratings(users if items is None else items)
    _check_supported(model, entity, weighted=new.weight is not None)
    _check_overlap(model, new, entity)
    return model.fold_in(new, entity)


def _check_supported(model: Model, entity: Entity, *, weighted: bool) -> None:
    """Refuse what a model cannot do, also one inside, before anything is computed."""
    for inner in [model, *getattr(model, "members_", ())]:
        inner.check_fold_in(entity)
        if weighted and "weights" not in inner.tags:
            supported = sorted(m.__name__ for m in all_models() if "weights" in m.tags)
            raise NotSupportedError(
                f"{type(inner).__name__} cannot honour sample weights",
                hint="ratings without weights, or a model that can: " + ", ".join(supported),
            )


def _check_overlap(model: Model, new: Ratings, entity: Entity) -> None:
    """Refuse ratings of which the model can use none, and say how many it cannot."""
    opposite = entity.opposite
    axis, known = new.axis(opposite), model.entity_ids(opposite)
    new_index = axis.ids
    if len(new) == 0:
        raise DataError(f"there are no ratings of new {entity}s")
    check_id_types(new_index, known, opposite)
    unknown = known.indices_of(new_index.ids)[axis.codes] < 0
    n_ignored = int(np.count_nonzero(unknown))
    if n_ignored == len(new):
        first = to_python(new_index.ids[axis.codes[0]])
        raise DataError(
            f"the model knows none of the {len(new_index):,} {opposite}s in the ratings of new {entity}s "
            f"(first: {first!r})",
            where=f"known are {known.describe()}",
        )
    if n_ignored:
        log.info(
            "%d of %d ratings are of %ss that the model does not know, and are left out",
            n_ignored, len(new), opposite,
        )  # fmt: skip
