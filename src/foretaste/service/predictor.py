"""Predictions, recommendations and explanations for one user, without database and HTTP.

A model that supports fold-in uses the user's current ratings; another one those of its training data, which
``UserProfile.basis`` says.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

import numpy as np

from foretaste.errors import NotFoundError, NotSupportedError
from foretaste.ids import IdIndex
from foretaste.models.base import Model
from foretaste.models.outputs import Prediction
from foretaste.ratings import Pairs, Ratings
from foretaste.recommendation import Explanation, explain, next_question, similar_items
from foretaste.recommendation.ann_index import ItemIndex
from foretaste.recommendation.topk import ExcludedItems, TopKRanker
from foretaste.service.id_codec import single_id_index
from foretaste.typing import Entity, Float32Array, IdArray, IndexArray

BASES = ("your ratings", "ratings at the last training", "what most people like")


@dataclass(frozen=True, eq=False)
class UserProfile:
    """A user as a model represents them.

    Parameters
    ----------
    model : Model
        Fitted; after fold-in the user is its only one.
    user_index : int
        Index of the user in the model; -1 if unknown.
    rated_items : int32 array, shape (n,)
        Indices of the rated items that the model contains.
    n_ratings_used : int
        Number of the user's ratings that predictions are based on.
    basis : str
        One of ``BASES``.
    ratings : Ratings or None
        The user's ratings as fold-in takes them; None if the model contains none of the items.
    """

    model: Model
    user_index: int
    rated_items: IndexArray
    n_ratings_used: int
    basis: str
    ratings: Ratings | None


@dataclass(frozen=True)
class ItemPrediction:
    """An item and its predicted rating."""

    item: int | str
    prediction: float


def supports_fold_in(model: Model) -> bool:
    """Whether a model can take in new users."""
    return Entity.USER in model.fold_in_entities


def make_profile(
    model: Model, user: int | str, items: IdArray, values: Sequence[float], timestamps: Sequence[int | None]
) -> UserProfile:
    """Return a user's profile, by fold-in if the model supports it.

    Parameters
    ----------
    model : Model
    user : int or str
        Id in the model's type.
    items : array of ids, shape (n,)
        The rated items, distinct.
    values : sequence of float, length n
        The ratings.
    timestamps : sequence of (int or None), length n
        Seconds since 1970.

    Returns
    -------
    UserProfile
    """
    item_indices = model.items_.indices_of(items)
    rated_items = item_indices[item_indices >= 0]
    ratings = _user_ratings(model, user, items, values, timestamps) if len(rated_items) else None
    if supports_fold_in(model):
        if ratings is None:
            return UserProfile(model, -1, rated_items, 0, BASES[2], None)
        with suppress(NotSupportedError):  # some parameters, or models of a blend, rule fold-in out
            return UserProfile(model.fold_in(ratings), 0, rated_items, len(rated_items), BASES[0], ratings)
    index = int(model.users_.indices_of(single_id_index(user).ids)[0])
    is_known = index >= 0
    return UserProfile(
        model, index, rated_items, len(rated_items) if is_known else 0, BASES[1 if is_known else 2], ratings
    )


def _user_ratings(
    model: Model, user: int | str, items: IdArray, values: Sequence[float], timestamps: Sequence[int | None]
) -> Ratings:
    """Return the ratings of one user as ``Ratings``."""
    order = np.argsort(items, kind="stable")
    use_timestamps = "timestamp" in model.requires and None not in timestamps
    return Ratings(
        user=np.zeros(len(items), np.int32), item=np.arange(len(items), dtype=np.int32),
        value=np.array(values, np.float32)[order], weight=None, user_features=None, item_features=None,
        timestamp=np.array(timestamps, np.int64)[order] if use_timestamps else None,
        users=single_id_index(user), items=IdIndex(items[order]), scale=None,
    )  # fmt: skip


def explain_prediction(profile: UserProfile, user: int | str, item: int | str) -> Explanation:
    """Return the explanation of a prediction.

    Reasons that are ratings of other users (user-based neighbors) are removed for their privacy.

    Parameters
    ----------
    profile : UserProfile
    user, item : id

    Raises
    ------
    NotFoundError
        If the user or the item is unknown to the model.
    NotSupportedError
        If the model does not support explanations.
    """
    if profile.user_index < 0:
        raise NotFoundError(
            "unknown user: predictions are those for an average user",
            hint="PUT /api/v1/ratings",
        )
    explanation = explain(profile.model, user, item, ratings=profile.ratings)
    return explanation if explanation.entity == "item" else replace(explanation, reasons=())


def next_item(model: Model, ratings: Ratings | None, excluded_items: IdArray) -> int | str:
    """Return the most informative item to ask a user to rate next (active learning).

    Parameters
    ----------
    model : Model
    ratings : Ratings or None
        The user's ratings.
    excluded_items : array of ids
        Items not to ask about.

    Raises
    ------
    NotFoundError
        If no candidate is left.
    NotSupportedError
        If the model does not support fold-in.
    """
    candidates = np.setdiff1d(np.arange(len(model.items_)), model.items_.indices_of(excluded_items))
    if len(candidates) == 0:
        raise NotFoundError("no item is left to ask about", hint="skip fewer items")
    best_item: int | str = next_question(model, ratings, model.items_.ids[candidates])
    return best_item


def recommend(profile: UserProfile, n: int, index: ItemIndex | None = None) -> list[ItemPrediction]:
    """Return the top-n unrated items, best first.

    Parameters
    ----------
    profile : UserProfile
    n : int
        Maximum length of the list.
    index : ItemIndex, optional
        Index of the model's items; without it all of them are scored.
    """
    if index is not None and profile.user_index >= 0:
        return _item_predictions(
            profile.model, *index.topk(profile.model, profile.user_index, profile.rated_items, n)
        )
    ranker = TopKRanker(profile.model, np.arange(len(profile.model.items_), dtype=np.int32), n, 1)
    excluded = ExcludedItems(np.array([0, len(profile.rated_items)], np.int64), profile.rated_items)
    items, scores = ranker.topk(np.array([profile.user_index], np.int32), excluded)
    is_valid = items[0] >= 0
    return _item_predictions(profile.model, items[0][is_valid], scores[0][is_valid])


def predict_items(profile: UserProfile, items: IdArray) -> list[ItemPrediction]:
    """Return the predictions for some items, in the given order.

    Parameters
    ----------
    profile : UserProfile
    items : array of ids, shape (n,)

    Raises
    ------
    NotFoundError
        If an item is unknown to the model.
    """
    item_indices = profile.model.items_.indices_of(items)
    if (item_indices < 0).any():
        unknown = items[int(np.flatnonzero(item_indices < 0)[0])]
        raise NotFoundError(
            f"item {str(unknown)!r} is unknown to the model", hint="one of GET /api/v1/items, or train again"
        )
    pairs = Pairs(np.full(len(item_indices), profile.user_index, np.int32), item_indices)
    return _item_predictions(
        profile.model, item_indices, profile.model.predict_encoded(pairs, clip=False).value
    )


def find_similar(model: Model, item: int | str, n: int) -> list[tuple[int | str, float]]:
    """Return the most similar items, with their similarities from -1 to 1.

    Raises
    ------
    NotFoundError
        If the item is unknown to the model.
    NotSupportedError
        If the model has no item representation.
    """
    neighbors = similar_items(model, item, n)
    return list(zip(neighbors.ids.tolist(), neighbors.similarity.tolist(), strict=True))


def _item_predictions(model: Model, items: IndexArray, scores: Float32Array) -> list[ItemPrediction]:
    ratings = model.clip_predictions(Prediction(scores, np.zeros(len(scores), np.int8))).value
    ids = model.items_.ids[items].tolist()
    # Shortest repr of the float32: 3.52, not 3.5199999809265137.
    return [ItemPrediction(id_, float(str(score))) for id_, score in zip(ids, ratings, strict=True)]
