"""What the page shows a visitor: a question, suggestions and how they changed, reasons, similar items."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import sqlalchemy as sa

from foretaste.errors import NotFound, NotSupported
from foretaste.recommendation import Explanation, next_question
from foretaste.service import predictor
from foretaste.service.db import rating_store
from foretaste.service.db.database import Connection
from foretaste.service.db.rating_store import Rated
from foretaste.service.db.schema import ratings
from foretaste.service.model_server import Active, Serving
from foretaste.service.predictor import BASES, Answer, Person
from foretaste.service.web.explanations import because, sum_of
from foretaste.service.web.rating_scale import Scale
from foretaste.service.web.visitors import Visitor

LISTED = 5
SIMILAR = 6
_ASKED = 300  # items that are asked about, the most rated ones: others hardly anybody knows
_LONG = 90  # characters of a title that is a text, and no heading
_IN_SENTENCE, _IN_REASON, _IN_LIST = 48, 34, 80  # characters of a title

Named = Callable[[int | str], str]


@dataclass(frozen=True)
class Entry:
    """A suggestion.

    Parameters
    ----------
    item : int or str
    name : str
    prediction : float
    is_new : bool
        Whether the last rating brought it into the list.
    climbed : int
        How many places it has gained by the last rating.
    was : float or None
        What was predicted before the last rating, if that was another number.
    why : str
    sum : list of (str, float)
        What adds up to the prediction.
    """

    item: int | str
    name: str
    prediction: float
    is_new: bool = False
    climbed: int = 0
    was: float | None = None
    why: str = ""
    sum: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True)
class Standing:
    """A visitor at one moment."""

    active: Active
    who: Person
    user: int | str
    rated: dict[str, Rated]


class Views:
    """Makes what templates show.

    Parameters
    ----------
    serving : Serving
    hidden : tuple of str
        Items that are not shown, as the database holds their ids.
    """

    def __init__(self, serving: Serving, hidden: tuple[str, ...]) -> None:
        self.serving, self.hidden = serving, frozenset(hidden)
        self._known: tuple[int, list[str]] = (-1, [])
        self._scale: Scale | None = None
        self._name: str | None = None

    @property
    def scale(self) -> Scale:
        """The scale of the ratings; how fine they are is read once."""
        if self._scale is None:
            kinds, step = self.serving.kinds, self.serving.store.facts().get("step")
            self._scale = Scale(kinds.low, kinds.high, float(step) if step else None)
        return self._scale

    @property
    def name(self) -> str:
        """What the ratings are called; of a path, its end: visitors need not know folders."""
        if self._name is None:
            self._name = self.serving.store.facts().get("name", "").rstrip("/").rpartition("/")[2]
        return self._name

    # One item --------------------------------------------------------------------------------------------

    def heading(self, item: int | str) -> str:
        """Return what an item is called in a heading: its title, or its id if that is a text."""
        title = self.serving.title(item)
        return title if title and len(title) <= _LONG and "\n" not in title else f"Item {item}"

    def text(self, item: int | str) -> str | None:
        """Return the title of an item that is a text."""
        title = self.serving.title(item)
        return None if title is None or title == self.heading(item) else title

    def named(self, item: int | str, most: int = _IN_SENTENCE) -> str:
        """Return what an item is called within a sentence."""
        title = self.listed(item, most)
        return f"“{title}”" if self.serving.title(item) and str(item) not in self.hidden else title

    def listed(self, item: int | str, most: int = _IN_LIST) -> str:
        """Return what an item is called in a list, on one line."""
        if str(item) in self.hidden:
            return "an item that is not shown here"
        words = " ".join((self.serving.title(item) or f"item {item}").split())
        return words if len(words) <= most else words[: most - 1].rstrip(" .,;:") + "…"

    def checked(self, connection: Connection, text: str) -> int | str:
        """Return an item that a request names.

        Raises
        ------
        NotFound
            If there is none, or it is not shown here.
        BadData
            If it can be no id.
        """
        kinds = self.serving.kinds
        text = kinds.text(text, "item")
        if text in self.hidden or not rating_store.has_item(connection, text):
            raise NotFound("There is no such item.")
        return kinds.own(text, "item")

    # A visitor -------------------------------------------------------------------------------------------

    def standing(self, connection: Connection, visitor: Visitor) -> Standing:
        """Return a visitor as the active model sees them at this moment."""
        if visitor.user is None:
            active = self.serving.active(connection)
            nobody = Person(active.model, -1, np.empty(0, np.int32), 0, BASES[2], None)
            return Standing(active, nobody, "", {})
        active, who = self.serving.person(connection, visitor.user)
        rated = {one.item: one for one in rating_store.history(connection, visitor.user)}
        return Standing(active, who, self.serving.kinds.own(visitor.user, "user"), rated)

    def without(self, now: Standing, item: str, before: float | None) -> Standing:
        """Return a visitor as they were before they rated an item."""
        rated = {id_: one for id_, one in now.rated.items() if id_ != item}
        if before is not None:
            rated[item] = Rated(item, before, None, None)
        kept, kinds = list(rated.values()), self.serving.kinds
        who = predictor.person(
            now.active.model, now.user, kinds.column([one.item for one in kept], "item"),
            [one.value for one in kept], [one.rated_at for one in kept],
        )  # fmt: skip
        return Standing(now.active, who, now.user, rated)

    def best(self, now: Standing, visitor: Visitor, asked: int | str | None) -> list[Answer]:
        """Return the suggestions; the item that is asked about is none, for its prediction would be seen."""
        if not now.rated:
            return []
        out = {*self.hidden, *visitor.skipped, *now.rated, str(asked)}
        found = predictor.recommendations(now.who, LISTED + len(out))
        return [one for one in found if str(one.item) not in out][:LISTED]

    def question(self, connection: Connection, now: Standing, visitor: Visitor) -> int | str | None:
        """Return the item to ask about next: whose rating tells most; None if none is left.

        What is suggested at the moment is asked last, for its prediction was seen.
        """
        model, kinds = now.active.model, self.serving.kinds
        out = {*self.hidden, *visitor.skipped, *now.rated}
        left = [item for item in self._most_rated(connection, now.active) if item not in out]
        unseen = [item for item in left if item not in visitor.shown]
        left = unseen or left
        if not left:
            return None
        try:
            found: int | str = next_question(model, now.who.own, kinds.column(left, "item"))
            return found
        except NotSupported:  # then by how many people know it
            return kinds.own(left[0], "item")

    def _most_rated(self, connection: Connection, active: Active) -> list[str]:
        """Return the items that the model knows and most people have rated, counted once for a model."""
        if self._known[0] != active.activation:
            number = sa.func.count().label("number")
            query = sa.select(ratings.c.item).group_by(ratings.c.item).order_by(number.desc(), ratings.c.item)
            found = [row.item for row in connection.execute(query.limit(_ASKED + len(self.hidden)))]
            places = active.model.items_.remap(self.serving.kinds.column(found, "item"))
            known = [item for item, place in zip(found, places, strict=True) if place >= 0]
            self._known = active.activation, [item for item in known if item not in self.hidden]
        return self._known[1]

    def entries(
        self, now: Standing, best: list[Answer], before: Standing | None, visitor: Visitor
    ) -> list[Entry]:
        """Return suggestions with their reasons, and what the last rating has changed."""
        old = self.best(before, visitor, None) if before is not None else []
        places = {one.item: place for place, one in enumerate(old)}
        earlier = dict[int | str, float]()
        if before is not None and before.rated and best:
            column = self.serving.kinds.column([str(one.item) for one in best], "item")
            earlier = {one.item: one.prediction for one in predictor.predictions(before.who, column)}
        found = []
        for place, one in enumerate(best):
            told = self.explained(now, one.item)
            was = earlier.get(one.item)
            same = was is None or self.scale.guessed(was) == self.scale.guessed(one.prediction)
            found.append(Entry(
                one.item, self.listed(one.item), one.prediction,
                is_new=bool(old) and one.item not in places, climbed=places.get(one.item, place) - place,
                was=None if same else was,
                why=self.reason(now, told), sum=() if told is None else self.sum(told),
            ))  # fmt: skip
        return found

    def explained(self, now: Standing, item: int | str) -> Explanation | None:
        """Return what a prediction is made of; None if the model cannot say, or knows nobody."""
        try:
            return predictor.explained(now.who, now.user, item)
        except (NotFound, NotSupported):
            return None

    def reason(self, now: Standing, told: Explanation | None) -> str:
        """Return one line: why an item is suggested."""
        if told is None:
            return "because most people like it" if now.who.basis == BASES[2] else ""
        return because(told, lambda item: self.named(item, _IN_REASON), self.scale)

    def sum(self, told: Explanation) -> tuple[tuple[str, float], ...]:
        """Return what adds up to a prediction."""
        return sum_of(told, self.named, self.scale)

    def predicted(self, now: Standing, item: int | str) -> float | None:
        """Return what is predicted for an item; None if the model does not know it."""
        try:
            return predictor.predictions(now.who, self.serving.kinds.column([str(item)], "item"))[
                0
            ].prediction
        except NotFound:
            return None

    def alike(self, now: Standing, item: int | str) -> list[tuple[int | str, str, float]] | None:
        """Return items like one, with their names; None if the model cannot say."""
        try:
            found = predictor.similar(now.active.model, item, SIMILAR + len(self.hidden))
        except (NotFound, NotSupported):
            return None
        shown = [(id_, self.listed(id_), value) for id_, value in found if str(id_) not in self.hidden]
        return [one for one in shown if one[2] > 0][:SIMILAR]


def basis_of(now: Standing) -> str:
    """Say what suggestions rest on, where that is not simply the visitor's ratings."""
    many = len(now.rated)
    if now.who.basis == BASES[2]:
        return "This model does not know you yet; these are what most people like."
    if now.who.basis == BASES[1]:
        return "This model takes new ratings in when it is trained again."
    if many < 3:
        ratings_ = "1 rating" if many == 1 else f"{many} ratings"
        return f"Not enough to know you yet ({ratings_}): mostly what most people like."
    return f"From your {many} ratings."
