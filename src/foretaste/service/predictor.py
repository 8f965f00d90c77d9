"""Answers about one person by a fitted model: plain functions, without a database and without HTTP.

A model that can take in new users (``_fold_in``) answers from the ratings that a person has now; one that
cannot answers from those that it learned from, and says so.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from foretaste.errors import NotFound, NotSupported
from foretaste.ids import IdArray, IdIndex
from foretaste.models.base import Model
from foretaste.models.outputs import Floats, Prediction
from foretaste.ratings import Pairs, Ratings
from foretaste.recommendation import Explanation, explain, next_question, similar_items
from foretaste.recommendation.ann_index import ItemIndex
from foretaste.recommendation.topk import Ranking, Seen
from foretaste.service.id_codec import one_id

BASES = ("your ratings", "ratings at the last training", "what most people like")


@dataclass(frozen=True, eq=False)
class Person:
    """A person as a model sees them.

    Parameters
    ----------
    model : Model
        Fitted; its only user is the person where it could take them in.
    user : int
        The person's index in the model; -1 if it does not know them.
    rated : int32 array, shape (n,)
        The items that the person has rated and the model knows.
    used : int
        How many ratings of the person the answers rest on.
    basis : str
        One of ``BASES``.
    own : Ratings or None
        The ratings of the person that the model can use; None if there are none.
    """

    model: Model
    user: int
    rated: npt.NDArray[np.int32]
    used: int
    basis: str
    own: Ratings | None


@dataclass(frozen=True)
class Answer:
    """One item and what is predicted for it, in rating units."""

    item: int | str
    prediction: float


def can_fold(model: Model) -> bool:
    """Whether a model can take in new users."""
    return type(model)._fold_in is not Model._fold_in


def person(
    model: Model, user: int | str, items: IdArray, values: Sequence[float], times: Sequence[int | None]
) -> Person:
    """Let a model take in a person.

    Parameters
    ----------
    model : Model
    user : int or str
        In the model's type of ids.
    items : array of ids, shape (n,)
        What the person has rated, each once.
    values : sequence of float, length n
    times : sequence of (int or None), length n
        Seconds since 1970.

    Returns
    -------
    Person
    """
    places = model.items_.remap(items)
    rated = places[places >= 0]
    own = _own(model, user, items, values, times) if len(rated) else None
    if can_fold(model):
        if own is None:
            return Person(model, -1, rated, 0, BASES[2], None)
        with suppress(NotSupported):  # by its parameters, or a model in it, it may yet be one that cannot
            return Person(model._fold_in(own), 0, rated, len(rated), BASES[0], own)
    index = int(model.users_.remap(one_id(user).ids)[0])
    known = index >= 0
    return Person(model, index, rated, len(rated) if known else 0, BASES[1 if known else 2], own)


def _own(
    model: Model, user: int | str, items: IdArray, values: Sequence[float], times: Sequence[int | None]
) -> Ratings:
    """Return the ratings of one person."""
    order = np.argsort(items, kind="stable")
    timed = all(at is not None for at in times)
    return Ratings(
        user=np.zeros(len(items), np.int32), item=np.arange(len(items), dtype=np.int32),
        value=np.array(values, np.float32)[order], weight=None, user_table=None, item_table=None,
        when=np.array(times, np.int64)[order] if timed and "when" in model.needs else None,
        users=one_id(user), items=IdIndex(items[order]), scale=None,
    )  # fmt: skip


def explained(who: Person, user: int | str, item: int | str) -> Explanation:
    """Say what a prediction is made of.

    Of a model whose reasons are other people's ratings, neither they nor their ratings are told.

    Parameters
    ----------
    who : Person
    user, item : id

    Raises
    ------
    NotFound
        If nothing is known of the person, or the model does not know the item.
    NotSupported
        If the model cannot say.
    """
    if who.user < 0:
        raise NotFound(
            "nothing is known of this person yet: what is predicted is what most people like",
            hint="PUT /api/v1/ratings",
        )
    found = explain(who.model, user, item, ratings=who.own)
    return found if found.side == "item" else replace(found, reasons=())


def question(model: Model, own: Ratings | None, skipped: IdArray) -> int | str:
    """Return the item whose rating would tell most about a person.

    Parameters
    ----------
    model : Model
    own : Ratings or None
        What the person has rated.
    skipped : array of ids
        Items that are not to be asked.

    Raises
    ------
    NotFound
        If there is nothing left to ask.
    NotSupported
        If the model cannot take in new people.
    """
    left = np.setdiff1d(np.arange(len(model.items_)), model.items_.remap(skipped))
    if len(left) == 0:
        raise NotFound("there is nothing left to ask", hint="skip fewer items")
    found: int | str = next_question(model, own, model.items_.ids[left])
    return found


def recommendations(who: Person, n: int, index: ItemIndex | None = None) -> list[Answer]:
    """Return the items that a person has not rated and will like best, the best first.

    Parameters
    ----------
    who : Person
    n : int
        How many; fewer come if there are fewer.
    index : ItemIndex, optional
        Of the model's items; without it all of them are scored.
    """
    if index is not None and who.user >= 0:
        return _answers(who.model, *index.best(who.model, who.user, who.rated, n))
    ranking = Ranking(who.model, np.arange(len(who.model.items_), dtype=np.int32), n, 1)
    seen = Seen(np.array([0, len(who.rated)], np.int64), who.rated)
    items, scores = ranking.best(np.array([who.user], np.int32), seen)
    there = items[0] >= 0
    return _answers(who.model, items[0][there], scores[0][there])


def predictions(who: Person, items: IdArray) -> list[Answer]:
    """Return what is predicted for some items, in their order.

    Parameters
    ----------
    who : Person
    items : array of ids, shape (n,)

    Raises
    ------
    NotFound
        If the model does not know one of them.
    """
    places = who.model.items_.remap(items)
    if (places < 0).any():
        unknown = items[int(np.flatnonzero(places < 0)[0])]
        raise NotFound(
            f"the model does not know item {str(unknown)!r}", hint="one of GET /api/v1/items, or train again"
        )
    pairs = Pairs(np.full(len(places), who.user, np.int32), places)
    return _answers(who.model, places, who.model._predict(pairs).value)


def similar(model: Model, item: int | str, n: int) -> list[tuple[int | str, float]]:
    """Return the items most alike to one, with their similarity, from -1 to 1.

    Raises
    ------
    NotFound
        If the model does not know the item.
    NotSupported
        If it has nothing to compare items by.
    """
    found = similar_items(model, item, n)
    return list(zip(found.ids.tolist(), found.similarity.tolist(), strict=True))


def _answers(model: Model, items: npt.NDArray[np.int32], scores: Floats) -> list[Answer]:
    clipped = model._clipped(Prediction(scores, np.zeros(len(scores), np.int8))).value
    ids = model.items_.ids[items].tolist()
    # As float32 is written shortest: 3.52, not 3.5199999809265137.
    return [Answer(id_, float(str(score))) for id_, score in zip(ids, clipped, strict=True)]
