"""``explain``: what a prediction is made of, and which ratings pushed it up or down."""

from __future__ import annotations

from typing import Any

import numpy as np

from foretaste.errors import InvalidParameter, NotFound, NotSupported, plain
from foretaste.features import Catalogue
from foretaste.ids import IdIndex
from foretaste.models.base import Model, known_models
from foretaste.models.fold_in import known_items
from foretaste.models.outputs import Sources
from foretaste.ratings import Pairs, Ratings
from foretaste.recommendation.explanation import Explanation, Part, Reason
from foretaste.validation import as_ratings, check_kinds

INSIDE = "kept inside the scale"


def explain(
    model: Model, user: Any, item: Any, *, ratings: Any = None, catalogue: Catalogue | None = None
) -> Explanation:
    """Say what a prediction is made of: parts that add up to it, and the ratings that moved it.

    The parts are the mean of all ratings, how far the user and the item lean from it, and what the model
    adds to these. Where that comes from single ratings, each has its share: of neighbours and of linear
    weights between items exactly as the model computes them; of factors by taking the ridge regression
    apart that finds a user's factors from the ratings (see ``fold_in``), of which every rating has a share.
    What the factors of a user learned in training differ from those is said, too. Of a user who was folded
    in, nothing is left.

    Parameters
    ----------
    model : Model
        Fitted.
    user, item : id
        Known to the model; text is accepted for number ids. New people are taken in first, by ``fold_in``.
    ratings : Ratings or data frame, optional
        The user's own ratings, alone or among those of others. Models of factors do not keep them, and cannot
        tell which moved a prediction without; others do not need them.
    catalogue : Catalogue, optional
        For titles beside the ids.

    Returns
    -------
    Explanation

    Raises
    ------
    NotFound
        If the user or the item is unknown, naming the nearest.
    NotSupported
        If the model cannot say; the hint names those that can.
    BadData
        If ids in ``ratings`` are of another type than the model's.
    """
    _check(model)
    place, item_place = _known(model.users_, user, "user"), model.items_.index_of(item, "item")
    pairs = Pairs(np.array([place], np.int32), np.array([item_place], np.int32))
    told, prediction = model._explain(pairs), float(model.predict_details(pairs).value[0])
    own = None if ratings is None else _own(model, place, as_ratings(ratings))
    sources = model._sources(place, item_place, own)
    parts = [Part(name, float(value)) for name, value in zip(told.parts, told.values[0], strict=True)]
    if sources is None:  # of a model without factors, taste is always 0: no line of its own
        parts = [part for part in parts if part.name != "taste" or part.value != 0]
    free = float(model._predict(pairs).value[0])
    if prediction != free:
        parts.append(Part(INSIDE, prediction - free))
    title = None if catalogue is None else catalogue.titles(model.items_.ids[[item_place]])[0]
    return Explanation(
        user=plain(model.users_.ids[place]),
        item=plain(model.items_.ids[item_place]),
        prediction=prediction,
        parts=tuple(parts),
        moved=None if sources is None else sources.part,
        side="item" if sources is None else sources.side,
        reasons=() if sources is None else _reasons(model, sources, catalogue),
        basis=repr(model),
        title=title,
        note=_note(model, user, ratings, own),
    )


def _check(model: Any) -> None:
    if not isinstance(model, Model):
        raise InvalidParameter(
            f"predictions are explained by a fitted model, not by {type(model).__name__}",
            hint="explain(SVD().fit(ratings), user, item, ratings=ratings)",
        )
    model._check_fitted()
    if not _able(type(model)):
        able = ", ".join(sorted(other.__name__ for other in known_models() if _able(other)))
        raise NotSupported(
            f"{type(model).__name__} cannot say what a prediction is made of", hint=f"models that can: {able}"
        )


def _able(model: type[Model]) -> bool:
    return model._linear is not Model._linear or model._explain is not Model._explain


def _known(index: IdIndex, id_: Any, name: str) -> int:
    """Return the place of a user, or say how one who is new is taken in."""
    try:
        return index.index_of(id_, name)
    except NotFound as error:
        how = "fold_in(model, users=their_ratings) takes in people who are new"
        error.hint = f"{error.hint}; {how}" if error.hint else how
        raise


def _own(model: Model, user: int, ratings: Ratings) -> Ratings | None:
    """Return the ratings of one user in the model's items, None if there are none."""
    check_kinds(ratings.users, model.users_, "user")
    rows = np.flatnonzero(ratings.users.remap(model.users_.ids[[user]])[0] == ratings.user)
    if len(rows) == 0:
        return None
    own = known_items(model, ratings[rows])
    return own if len(own) else None


def _reasons(model: Model, sources: Sources, catalogue: Catalogue | None) -> tuple[Reason, ...]:
    """Return the ratings behind a prediction, the one that moved it most first."""
    order = np.lexsort((sources.index, -np.abs(sources.share)))
    index = sources.ids or (model.items_ if sources.side == "item" else model.users_)
    ids = index.ids[sources.index[order]]
    titled = catalogue is not None and sources.side == "item"
    titles = catalogue.titles(ids) if catalogue is not None and titled else [None] * len(ids)
    columns = ids.tolist(), sources.rating[order].tolist(), sources.share[order].tolist(), titles
    return tuple(
        Reason(id_, None if np.isnan(rating) else rating, share, title)
        for id_, rating, share, title in zip(*columns, strict=True)
    )


def _note(model: Model, user: Any, ratings: Any, own: Ratings | None) -> str | None:
    """Say what is missing for the single ratings, where something is."""
    if ratings is not None:
        missing = f"user {plain(user)!r} has no ratings of known items in those given"
        return missing if own is None else None
    if type(model)._sources is not Model._sources and not _keeps_ratings(model):
        return "which ratings moved it is told with ratings=...; the model does not keep them"
    return None


def _keeps_ratings(model: Model) -> bool:
    return model._sources(0, 0, None) is not None
