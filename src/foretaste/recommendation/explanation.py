"""An explanation: parts that add up to a prediction, to read, to print and to hand on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from foretaste._utils.formatting import plural, text_table
from foretaste._utils.plotting import PlotMixin
from foretaste.recommendation.recommendations import short

_SHOWN = 8  # ratings that are shown one by one
_IN_WORDS = {
    "mean": "mean of all ratings",
    "user": "how this user rates",
    "item": "how this item is rated",
    "taste": "taste",
    "neighbors": "neighbors",
    "time": "time",
}
_NOTHING = 5e-13  # no more than rounding


@dataclass(frozen=True)
class Part:
    """One part of a prediction.

    Parameters
    ----------
    name : str
    value : float
        In rating units.
    """

    name: str
    value: float


@dataclass(frozen=True)
class Reason:
    """One rating that moved a prediction.

    Parameters
    ----------
    id : int or str
        The item that the user rated; of neighbours who are users, the one who rated the item.
    rating : float or None
        In rating units; None where only counts that it was given.
    share : float
        How far it moved the prediction, in rating units.
    title : str or None
    """

    id: Any
    rating: float | None
    share: float
    title: str | None = None


@dataclass(frozen=True, eq=False, repr=False)
class Explanation(PlotMixin):
    """What a prediction is made of; made by ``explain``.

    Parameters
    ----------
    user, item : id
    prediction : float
        As ``predict`` gives it, in rating units.
    parts : tuple of Part
        They add up to the prediction.
    moved : str or None
        The part that comes from single ratings; None where that cannot be told.
    side : {"item", "user"}
        Whether the ratings behind it are the user's own, or those of other users of this item.
    reasons : tuple of Reason
        These ratings, the one that moved it most first. With ``rest`` their shares add up to the part.
    basis : str
        The model, as it is written in Python.
    title : str or None
        Of the item.
    note : str or None
        What is missing.
    """

    user: Any
    item: Any
    prediction: float
    parts: tuple[Part, ...]
    moved: str | None
    side: str
    reasons: tuple[Reason, ...]
    basis: str
    title: str | None = None
    note: str | None = None

    @property
    def rest(self) -> float:
        """What of the part that comes from ratings is none's share: it was learned otherwise."""
        if self.moved is None:
            return 0.0
        return next(p.value for p in self.parts if p.name == self.moved) - sum(r.share for r in self.reasons)

    def sentence(self) -> str:
        """Say in one sentence what moved the prediction most."""
        ups = [reason for reason in self.reasons if reason.share > _NOTHING]
        downs = [reason for reason in self.reasons if reason.share < -_NOTHING]
        told = [
            f"{word} most by {_said(found[0], self.side)} ({found[0].share:+.2g})"
            for word, found in (("up", ups), ("down", downs))
            if found
        ]
        if told:
            return "; ".join(told)
        pushes = [part for part in self.parts if part.name != "mean"]
        if not any(part.value for part in pushes):
            return "the mean of all ratings, whoever and whatever it is"
        most = max(pushes, key=lambda part: abs(part.value))
        way = "up" if most.value > 0 else "down"
        return f"moved {way} most by {in_words(most.name)} ({most.value:+.2g})"

    def to_dict(self) -> dict[str, Any]:
        """Return all of it as JSON can hold it."""
        id_name = "item" if self.side == "item" else "user"
        return {
            "user": self.user,
            "item": self.item,
            "title": self.title,
            "prediction": self.prediction,
            "model": self.basis,
            "sentence": self.sentence(),
            "parts": [{"name": part.name, "value": part.value} for part in self.parts],
            "moved_by_ratings": self.moved,
            "reasons": [
                {id_name: r.id, "rating": r.rating, "share": r.share, "title": r.title} for r in self.reasons
            ],
            "rest": self.rest,
            "note": self.note,
        }

    def pushes(self, most: int = _SHOWN) -> list[tuple[str, float]]:
        """Return all that adds up to the prediction, in words, with single ratings in place of their part.

        Parameters
        ----------
        most : int
            How many single ratings; the others are one line together.
        """
        lines = []
        for part in self.parts:
            if part.name != self.moved or not self.reasons:
                lines.append((in_words(part.name), part.value))
                continue
            lines += [(_line(reason, self.side), reason.share) for reason in self.reasons[:most]]
            left = self.reasons[most:]
            if left:
                lines.append((plural(len(left), "more rating"), sum(reason.share for reason in left)))
            if abs(self.rest) > 1e-5 * max(1.0, abs(self.prediction)):
                lines.append((f"{in_words(part.name)}, as learned in training", self.rest))
        return lines

    def rows(self, most: int = _SHOWN) -> list[list[str]]:
        """Return ``pushes`` as the rows of a table, the prediction last.

        Parameters
        ----------
        most : int
            As for ``pushes``.
        """
        pushes = self.pushes(most)
        rows = [
            [what, f"{value:+.3f}" if place else f"{value:.3f}"] for place, (what, value) in enumerate(pushes)
        ]
        return [*rows, ["= prediction", f"{self.prediction:.3f}"]]

    def headline(self) -> str:
        """Say who, what and how much."""
        title = f": {short(self.title)}" if self.title else ""
        return f"{self.prediction:.4g}   user {self.user}, item {self.item}{title}   (by {self.basis})"

    def __repr__(self) -> str:
        lines = [self.headline(), self.sentence(), "", text_table(["what", "adds"], self.rows(), "lr")]
        return "\n".join(lines + ([f"note: {self.note}"] if self.note else []))

    def _repr_html_(self) -> str:
        return str(self.plot()._repr_html_())


def in_words(name: str) -> str:
    """Return what a part is called."""
    return _IN_WORDS.get(name, name)


def _line(reason: Reason, side: str) -> str:
    """Return one rating as a line of the table."""
    given = "rated" if reason.rating is None else f"gave {reason.rating:.3g}"
    if side == "user":
        return f"user {reason.id} {given}"
    name = f"{reason.id}: {short(reason.title)}" if reason.title else f"item {reason.id}"
    return f"{given} to {name}" if reason.rating is not None else f"{given} {name}"


def _said(reason: Reason, side: str) -> str:
    """Return one rating in a sentence."""
    name = f'"{short(reason.title)}"' if reason.title else f"item {reason.id}"
    if side == "user":
        return f"user {reason.id}, who gave it {reason.rating:.3g}"
    return f"having rated {name}" if reason.rating is None else f"the {reason.rating:.3g} given to {name}"
