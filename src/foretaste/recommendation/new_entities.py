"""``fold_in``: adds new users or new items without retraining."""

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
    """Return a fitted model of new users (or new items), estimated from their ratings without retraining.

    The parameters of the other entity are fixed; those of the new ones are estimated from their ratings
    alone: for factor models by one ridge regression each, exactly; for neighbors by definition; for means and
    biases by their formula. The model passed is not changed. The one returned knows the new users (or items)
    only; ``predict``, ``recommend``, ``explain`` and ``save`` accept it like any other.

    Parameters
    ----------
    model : Model
        Fitted.
    users : Ratings or data frame, optional
        All ratings of the new users. Ratings of unknown items are ignored.
    items : Ratings or data frame, optional
        All ratings of the new items, instead of ``users``. Ratings by unknown users are ignored.

    Returns
    -------
    Model
        Of the same class and parameters.

    Raises
    ------
    NotSupportedError
        If the model does not support fold-in; the hint names those that do.
    InvalidParameterError
        Unless exactly one of ``users`` and ``items`` is given.
    DataError
        If there are no ratings, or none that the model can use.
    NotFittedError
        If the model is not fitted.

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
            f"fold_in requires a fitted model, not {type(model).__name__}",
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
    """Raise if a model, or one nested in it, does not support the fold-in."""
    for inner in [model, *getattr(model, "members_", ())]:
        inner.check_fold_in(entity)
        if weighted and "weights" not in inner.tags:
            supported = sorted(m.__name__ for m in all_models() if "weights" in m.tags)
            raise NotSupportedError(
                f"{type(inner).__name__} does not support sample weights",
                hint="ratings without weights, or a model that can: " + ", ".join(supported),
            )


def _check_overlap(model: Model, new: Ratings, entity: Entity) -> None:
    """Raise if the model can use none of the ratings, and log how many it ignores."""
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
            "%d of %d ratings are of unknown %ss and ignored",
            n_ignored, len(new), opposite,
        )  # fmt: skip
