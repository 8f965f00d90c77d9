"""Answers about one person by a fitted model: plain functions, without a database and without HTTP.

A model that can take in new users (``fold_in``) answers from the ratings that a person has now; one that
cannot answers from those that it learned from, and says so.
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
    """A person as a model sees them.

    Parameters
    ----------
    model : Model
        Fitted; its only user is the person where it could take them in.
    user_index : int
        The person's index in the model; -1 if it does not know them.
    rated_items : int32 array, shape (n,)
        The items that the person has rated and the model knows.
    n_ratings_used : int
        How many ratings of the person the answers rest on.
    basis : str
        One of ``BASES``.
    ratings : Ratings or None
        The ratings of the person that the model can use; None if there are none.
    """

    model: Model
    user_index: int
    rated_items: IndexArray
    n_ratings_used: int
    basis: str
    ratings: Ratings | None


@dataclass(frozen=True)
class ItemPrediction:
    """One item and what is predicted for it, in rating units."""

    item: int | str
    prediction: float


def supports_fold_in(model: Model) -> bool:
    """Whether a model can take in new users."""
    return Entity.USER in model.fold_in_entities


def make_profile(
    model: Model, user: int | str, items: IdArray, values: Sequence[float], timestamps: Sequence[int | None]
) -> UserProfile:
    """Let a model take in a person.

    Parameters
    ----------
    model : Model
    user : int or str
        In the model's type of ids.
    items : array of ids, shape (n,)
        What the person has rated, each once.
    values : sequence of float, length n
    timestamps : sequence of (int or None), length n
        Seconds since 1970.

    Returns
    -------
    Person
    """
    item_indices = model.items_.indices_of(items)
    rated_items = item_indices[item_indices >= 0]
    ratings = _user_ratings(model, user, items, values, timestamps) if len(rated_items) else None
    if supports_fold_in(model):
        if ratings is None:
            return UserProfile(model, -1, rated_items, 0, BASES[2], None)
        with suppress(
            NotSupportedError
        ):  # by its parameters, or a model in it, it may yet be one that cannot
            return UserProfile(model.fold_in(ratings), 0, rated_items, len(rated_items), BASES[0], ratings)
    index = int(model.users_.indices_of(single_id_index(user).ids)[0])
    is_known = index >= 0
    return UserProfile(
        model, index, rated_items, len(rated_items) if is_known else 0, BASES[1 if is_known else 2], ratings
    )


def _user_ratings(
    model: Model, user: int | str, items: IdArray, values: Sequence[float], timestamps: Sequence[int | None]
) -> Ratings:
    """Return the ratings of one person."""
    order = np.argsort(items, kind="stable")
    has_timestamps = all(timestamp is not None for timestamp in timestamps)
    return Ratings(
        user=np.zeros(len(items), np.int32), item=np.arange(len(items), dtype=np.int32),
        value=np.array(values, np.float32)[order], weight=None, user_features=None, item_features=None,
        timestamp=np.array(timestamps, np.int64)[order] if has_timestamps and "timestamp" in model.requires else None,
        users=single_id_index(user), items=IdIndex(items[order]), scale=None,
    )  # fmt: skip


def explain_prediction(profile: UserProfile, user: int | str, item: int | str) -> Explanation:
    """Say what a prediction is made of.

    Of a model whose reasons are other people's ratings, neither they nor their ratings are told.

    Parameters
    ----------
    profile : Person
    user, item : id

    Raises
    ------
    NotFoundError
        If nothing is known of the person, or the model does not know the item.
    NotSupportedError
        If the model cannot say.
    """
    if profile.user_index < 0:
        raise NotFoundError(
            "nothing is known of this person yet: what is predicted is what most people like",
            hint="PUT /api/v1/ratings",
        )
    explanation = explain(profile.model, user, item, ratings=profile.ratings)
    return explanation if explanation.entity == "item" else replace(explanation, reasons=())


def next_item(model: Model, ratings: Ratings | None, excluded_items: IdArray) -> int | str:
    """Return the item whose rating would tell most about a person.

    Parameters
    ----------
    model : Model
    ratings : Ratings or None
        What the person has rated.
    excluded_items : array of ids
        Items that are not to be asked.

    Raises
    ------
    NotFoundError
        If there is nothing left to ask.
    NotSupportedError
        If the model cannot take in new people.
    """
    candidates = np.setdiff1d(np.arange(len(model.items_)), model.items_.indices_of(excluded_items))
    if len(candidates) == 0:
        raise NotFoundError("there is nothing left to ask", hint="skip fewer items")
    best_item: int | str = next_question(model, ratings, model.items_.ids[candidates])
    return best_item


def recommend(profile: UserProfile, n: int, index: ItemIndex | None = None) -> list[ItemPrediction]:
    """Return the items that a person has not rated and will like best, the best first.

    Parameters
    ----------
    profile : Person
    n : int
        How many; fewer come if there are fewer.
    index : ItemIndex, optional
        Of the model's items; without it all of them are scored.
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
    """Return what is predicted for some items, in their order.

    Parameters
    ----------
    profile : Person
    items : array of ids, shape (n,)

    Raises
    ------
    NotFoundError
        If the model does not know one of them.
    """
    item_indices = profile.model.items_.indices_of(items)
    if (item_indices < 0).any():
        unknown = items[int(np.flatnonzero(item_indices < 0)[0])]
        raise NotFoundError(
            f"the model does not know item {str(unknown)!r}", hint="one of GET /api/v1/items, or train again"
        )
    pairs = Pairs(np.full(len(item_indices), profile.user_index, np.int32), item_indices)
    return _item_predictions(profile.model, item_indices, profile.model._predict(pairs).value)


def find_similar(model: Model, item: int | str, n: int) -> list[tuple[int | str, float]]:
    """Return the items most alike to one, with their similarity, from -1 to 1.

    Raises
    ------
    NotFoundError
        If the model does not know the item.
    NotSupportedError
        If it has nothing to compare items by.
    """
    neighbors = similar_items(model, item, n)
    return list(zip(neighbors.ids.tolist(), neighbors.similarity.tolist(), strict=True))


def _item_predictions(model: Model, items: IndexArray, scores: Float32Array) -> list[ItemPrediction]:
    ratings = model.clip_predictions(Prediction(scores, np.zeros(len(scores), np.int8))).value
    ids = model.items_.ids[items].tolist()
    # As float32 is written shortest: 3.52, not 3.5199999809265137.
    return [ItemPrediction(id_, float(str(score))) for id_, score in zip(ids, ratings, strict=True)]
