"""``explain``: what a prediction is made of, and which ratings pushed it up or down."""

from __future__ import annotations

from typing import Any

import numpy as np

from foretaste.errors import InvalidParameterError, NotFoundError, NotSupportedError, to_python
from foretaste.features import ItemCatalog
from foretaste.ids import IdIndex
from foretaste.models.base import Model, all_models
from foretaste.models.fold_in import known_ratings
from foretaste.models.outputs import RatingAttribution
from foretaste.ratings import Pairs, Ratings
from foretaste.recommendation.explanation import Explanation, Part, Reason
from foretaste.validation import as_ratings, check_id_types

CLIP_PART = "kept inside the scale"


def explain(
    model: Model, user: Any, item: Any, *, ratings: Any = None, catalog: ItemCatalog | None = None
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
    catalog : Catalogue, optional
        For titles beside the ids.

    Returns
    -------
    Explanation

    Raises
    ------
    NotFoundError
        If the user or the item is unknown, naming the nearest.
    NotSupportedError
        If the model cannot say; the hint names those that can.
    DataError
        If ids in ``ratings`` are of another type than the model's.
    """
    _check_supported(model)
    user_index, item_index = _known_index(model.users_, user, "user"), model.items_.index_of(item, "item")
    pairs = Pairs(np.array([user_index], np.int32), np.array([item_index], np.int32))
    contributions, prediction = model.contributions(pairs), float(model.predict_details(pairs).value[0])
    user_ratings = None if ratings is None else _ratings_of_user(model, user_index, as_ratings(ratings))
    attribution = model.attribute_ratings(user_index, item_index, user_ratings)
    parts = [
        Part(name, float(value))
        for name, value in zip(contributions.parts, contributions.values[0], strict=True)
    ]
    if attribution is None:  # of a model without factors, taste is always 0: no line of its own
        parts = [part for part in parts if part.name != "taste" or part.value != 0]
    unclipped = float(model.predict_encoded(pairs, clip=False).value[0])
    if prediction != unclipped:
        parts.append(Part(CLIP_PART, prediction - unclipped))
    title = None if catalog is None else catalog.titles(model.items_.ids[[item_index]])[0]
    return Explanation(
        user=to_python(model.users_.ids[user_index]),
        item=to_python(model.items_.ids[item_index]),
        prediction=prediction,
        parts=tuple(parts),
        main_part=None if attribution is None else attribution.part,
        entity="item" if attribution is None else attribution.entity,
        reasons=() if attribution is None else _build_reasons(model, attribution, catalog),
        model=repr(model),
        title=title,
        note=_note(model, user, ratings, user_ratings),
    )


def _check_supported(model: Any) -> None:
    if not isinstance(model, Model):
        raise InvalidParameterError(
            f"predictions are explained by a fitted model, not by {type(model).__name__}",
            hint="explain(SVD().fit(ratings), user, item, ratings=ratings)",
        )
    model.check_fitted()
    if not _is_supported(type(model)):
        supported = ", ".join(
            sorted(model_type.__name__ for model_type in all_models() if _is_supported(model_type))
        )
        raise NotSupportedError(
            f"{type(model).__name__} cannot say what a prediction is made of",
            hint=f"models that can: {supported}",
        )


def _is_supported(model: type[Model]) -> bool:
    return model.as_linear is not Model.as_linear or model.contributions is not Model.contributions


def _known_index(index: IdIndex, id_: Any, name: str) -> int:
    """Return the place of a user, or say how one who is new is taken in."""
    try:
        return index.index_of(id_, name)
    except NotFoundError as error:
        suggestion = "fold_in(model, users=their_ratings) takes in people who are new"
        error.hint = f"{error.hint}; {suggestion}" if error.hint else suggestion
        raise


def _ratings_of_user(model: Model, user: int, ratings: Ratings) -> Ratings | None:
    """Return the ratings of one user in the model's items, None if there are none."""
    check_id_types(ratings.users, model.users_, "user")
    rows = np.flatnonzero(ratings.users.indices_of(model.users_.ids[[user]])[0] == ratings.user)
    if len(rows) == 0:
        return None
    user_ratings = known_ratings(model, ratings[rows])
    return user_ratings if len(user_ratings) else None


def _build_reasons(
    model: Model, attribution: RatingAttribution, catalog: ItemCatalog | None
) -> tuple[Reason, ...]:
    """Return the ratings behind a prediction, the one that moved it most first."""
    order = np.lexsort((attribution.indices, -np.abs(attribution.contribution)))
    index = attribution.ids or (model.items_ if attribution.entity == "item" else model.users_)
    ids = index.ids[attribution.indices[order]]
    has_titles = catalog is not None and attribution.entity == "item"
    titles = catalog.titles(ids) if catalog is not None and has_titles else [None] * len(ids)
    columns = (
        ids.tolist(),
        attribution.rating[order].tolist(),
        attribution.contribution[order].tolist(),
        titles,
    )
    return tuple(
        Reason(id_, None if np.isnan(rating) else rating, contribution, title)
        for id_, rating, contribution, title in zip(*columns, strict=True)
    )


def _note(model: Model, user: Any, ratings: Any, user_ratings: Ratings | None) -> str | None:
    """Say what is missing for the single ratings, where something is."""
    if ratings is not None:
        message = f"user {to_python(user)!r} has no ratings of known items in those given"
        return message if user_ratings is None else None
    if type(model).attribute_ratings is not Model.attribute_ratings and not _stores_ratings(model):
        return "which ratings moved it is told with ratings=...; the model does not keep them"
    return None


def _stores_ratings(model: Model) -> bool:
    return model.attribute_ratings(0, 0, None) is not None
