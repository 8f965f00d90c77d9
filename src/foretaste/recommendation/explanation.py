"""``Explanation``: the parts of a prediction, as text, table, chart and JSON."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from foretaste._utils.formatting import format_count, format_text_table
from foretaste._utils.plotting import PlotMixin
from foretaste.recommendation.recommendations import truncate_title

_MAX_REASONS = 8  # ratings shown individually
_PART_LABELS = {
    "mean": "mean of all ratings",
    "user": "how this user rates",
    "item": "how this item is rated",
    "taste": "taste",
    "neighbors": "neighbors",
    "time": "time",
}
_EPSILON = 5e-13  # rounding error


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
    """The contribution of one rating to a prediction.

    Parameters
    ----------
    id : int or str
        The item that the user rated; for user neighbors, the user who rated the item.
    rating : float or None
        In rating units; None where only its presence counts.
    contribution : float
        In rating units.
    title : str or None
    """

    id: Any
    rating: float | None
    contribution: float
    title: str | None = None


@dataclass(frozen=True, eq=False, repr=False)
class Explanation(PlotMixin):
    """The decomposition of a prediction; made by ``explain``.

    Parameters
    ----------
    user, item : id
    prediction : float
        As by ``predict``, in rating units.
    parts : tuple of Part
        Parts that sum to the prediction.
    main_part : str or None
        The part that comes from single ratings; None where there is none.
    entity : {"item", "user"}
        Whether the reasons are the user's ratings of other items, or other users' ratings of this item.
    reasons : tuple of Reason
        Their contributions, by decreasing absolute value; with ``residual`` they sum to the main part.
    model : str
        The ``repr`` of the model.
    title : str or None
        Of the item.
    note : str or None
        What the explanation lacks, if anything.
    """

    user: Any
    item: Any
    prediction: float
    parts: tuple[Part, ...]
    main_part: str | None
    entity: str
    reasons: tuple[Reason, ...]
    model: str
    title: str | None = None
    note: str | None = None

    @property
    def residual(self) -> float:
        """The rest of the main part, which no single rating contributes."""
        if self.main_part is None:
            return 0.0
        return next(p.value for p in self.parts if p.name == self.main_part) - sum(
            r.contribution for r in self.reasons
        )

    def sentence(self) -> str:
        """Return a one-sentence summary of the largest contributions."""
        positive = [reason for reason in self.reasons if reason.contribution > _EPSILON]
        negative = [reason for reason in self.reasons if reason.contribution < -_EPSILON]
        phrases = [
            f"{sign} most by {_format_phrase(group[0], self.entity)} ({group[0].contribution:+.2g})"
            for sign, group in (("up", positive), ("down", negative))
            if group
        ]
        if phrases:
            return "; ".join(phrases)
        deviations = [part for part in self.parts if part.name != "mean"]
        if not any(part.value for part in deviations):
            return "the mean of all ratings, for every user and item"
        largest = max(deviations, key=lambda part: abs(part.value))
        sign_word = "up" if largest.value > 0 else "down"
        return f"moved {sign_word} most by {part_label(largest.name)} ({largest.value:+.2g})"

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-serializable dict."""
        id_name = "item" if self.entity == "item" else "user"
        return {
            "user": self.user,
            "item": self.item,
            "title": self.title,
            "prediction": self.prediction,
            "model": self.model,
            "sentence": self.sentence(),
            "parts": [{"name": part.name, "value": part.value} for part in self.parts],
            "main_part": self.main_part,
            "reasons": [
                {id_name: r.id, "rating": r.rating, "contribution": r.contribution, "title": r.title}
                for r in self.reasons
            ],
            "residual": self.residual,
            "note": self.note,
        }

    def signed_rows(self, max_reasons: int = _MAX_REASONS) -> list[tuple[str, float]]:
        """Return labeled terms that sum to the prediction, with single ratings in place of their part.

        Parameters
        ----------
        max_reasons : int
            Number of single ratings; the others are summed in one line.
        """
        lines = []
        for part in self.parts:
            if part.name != self.main_part or not self.reasons:
                lines.append((part_label(part.name), part.value))
                continue
            lines += [
                (_format_row(reason, self.entity), reason.contribution)
                for reason in self.reasons[:max_reasons]
            ]
            remaining = self.reasons[max_reasons:]
            if remaining:
                lines.append(
                    (
                        format_count(len(remaining), "more rating"),
                        sum(reason.contribution for reason in remaining),
                    )
                )
            if abs(self.residual) > 1e-5 * max(1.0, abs(self.prediction)):
                lines.append((f"{part_label(part.name)}, as learned in training", self.residual))
        return lines

    def table_rows(self, max_reasons: int = _MAX_REASONS) -> list[list[str]]:
        """Return ``signed_rows`` as formatted table rows, with the prediction last.

        Parameters
        ----------
        max_reasons : int
            As for ``entries``.
        """
        entries = self.signed_rows(max_reasons)
        rows = [
            [label, f"{value:+.3f}" if position else f"{value:.3f}"]
            for position, (label, value) in enumerate(entries)
        ]
        return [*rows, ["= prediction", f"{self.prediction:.3f}"]]

    def headline(self) -> str:
        """Return the prediction, user, item and model in one line."""
        title = f": {truncate_title(self.title)}" if self.title else ""
        return f"{self.prediction:.4g}   user {self.user}, item {self.item}{title}   (by {self.model})"

    def __repr__(self) -> str:
        lines = [
            self.headline(),
            self.sentence(),
            "",
            format_text_table(["what", "adds"], self.table_rows(), "lr"),
        ]
        return "\n".join(lines + ([f"note: {self.note}"] if self.note else []))

    def _repr_html_(self) -> str:
        return str(self.plot()._repr_html_())


def part_label(name: str) -> str:
    """Return the label of a part."""
    return _PART_LABELS.get(name, name)


def _format_row(reason: Reason, entity: str) -> str:
    """Return one rating as a table row label."""
    verb = "rated" if reason.rating is None else f"gave {reason.rating:.3g}"
    if entity == "user":
        return f"user {reason.id} {verb}"
    name = f"{reason.id}: {truncate_title(reason.title)}" if reason.title else f"item {reason.id}"
    return f"{verb} to {name}" if reason.rating is not None else f"{verb} {name}"


def _format_phrase(reason: Reason, entity: str) -> str:
    """Return one rating as a phrase of the sentence."""
    name = f'"{truncate_title(reason.title)}"' if reason.title else f"item {reason.id}"
    if entity == "user":
        return f"user {reason.id}, who gave it {reason.rating:.3g}"
    return f"having rated {name}" if reason.rating is None else f"the {reason.rating:.3g} given to {name}"
