"""``explain``: decomposes a prediction into parts and contributions of single ratings."""

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

CLIP_PART = "clipped to the scale"


def explain(
    model: Model, user: Any, item: Any, *, ratings: Any = None, catalog: ItemCatalog | None = None
) -> Explanation:
    """Explain a prediction: parts that add up to it, and the contributions of single ratings.

    The parts are the global mean, the user and item biases, and what the model adds to these. Where that
    comes from single ratings, each has a contribution: for neighbors and linear item weights exactly as the
    model computes them; for factors by decomposing the ridge regression of a user's factors on the ratings
    (see ``fold_in``). The difference to the factors learned in training is the residual; it is 0 for a user
    who was folded in.

    Parameters
    ----------
    model : Model
        Fitted.
    user, item : id
        Known to the model; strings are accepted for integer ids. New users are added by ``fold_in`` first.
    ratings : Ratings or data frame, optional
        Ratings that include the user's. Factor models do not store them and require them for contributions;
        other models do not.
    catalog : ItemCatalog, optional
        Adds titles.

    Returns
    -------
    Explanation

    Raises
    ------
    NotFoundError
        If the user or the item is unknown; the message names the closest id.
    NotSupportedError
        If the model does not support it; the hint names those that do.
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
    if attribution is None:  # without factors, taste is always 0 and not shown
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
            f"explain requires a fitted model, not {type(model).__name__}",
            hint="explain(SVD().fit(ratings), user, item, ratings=ratings)",
        )
    model.check_fitted()
    if not _is_supported(type(model)):
        supported = ", ".join(
            sorted(model_type.__name__ for model_type in all_models() if _is_supported(model_type))
        )
        raise NotSupportedError(
            f"{type(model).__name__} does not support explanations",
            hint=f"models that can: {supported}",
        )


def _is_supported(model: type[Model]) -> bool:
    return model.as_linear is not Model.as_linear or model.contributions is not Model.contributions


def _known_index(index: IdIndex, id_: Any, name: str) -> int:
    """Return the index of a user, with a hint on fold-in if unknown."""
    try:
        return index.index_of(id_, name)
    except NotFoundError as error:
        suggestion = "fold_in(model, users=their_ratings) adds new users"
        error.hint = f"{error.hint}; {suggestion}" if error.hint else suggestion
        raise


def _ratings_of_user(model: Model, user: int, ratings: Ratings) -> Ratings | None:
    """Return the ratings of one user encoded by the model's items, None if there are none."""
    check_id_types(ratings.users, model.users_, "user")
    rows = np.flatnonzero(ratings.users.indices_of(model.users_.ids[[user]])[0] == ratings.user)
    if len(rows) == 0:
        return None
    user_ratings = known_ratings(model, ratings[rows])
    return user_ratings if len(user_ratings) else None


def _build_reasons(
    model: Model, attribution: RatingAttribution, catalog: ItemCatalog | None
) -> tuple[Reason, ...]:
    """Return the ratings behind a prediction, by decreasing absolute contribution."""
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
    """Return a note if contributions of single ratings are missing."""
    if ratings is not None:
        message = f"user {to_python(user)!r} has no ratings of known items in ratings"
        return message if user_ratings is None else None
    if type(model).attribute_ratings is not Model.attribute_ratings and not _stores_ratings(model):
        return "pass ratings=... for contributions of single ratings; the model does not store them"
    return None


def _stores_ratings(model: Model) -> bool:
    return model.attribute_ratings(0, 0, None) is not None
