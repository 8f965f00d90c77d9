"""Explanations in plain words: one line why an item is suggested, and the terms of the prediction."""

from __future__ import annotations

from collections.abc import Callable

from foretaste.recommendation import Explanation
from foretaste.service.web.rating_scale import RatingScale

_PART_LABELS = {
    "mean": "the mean of all ratings",
    "user": "how you rate in general",
    "item": "how people rate this one",
    "taste": "your taste",
    "neighbors": "people, or items, most alike",
    "time": "the time",
}
_MAX_REASONS = 5  # single ratings shown as terms
_EPSILON = 5e-3  # rounds to 0.00

ItemNamer = Callable[[int | str], str]


def reason_line(explanation: Explanation, item_namer: ItemNamer, scale: RatingScale) -> str:
    """Return one line that names the largest positive contributions."""
    positive = [reason for reason in explanation.reasons if reason.contribution > _EPSILON]
    parts = {part.name: part.value for part in explanation.parts}
    if positive and positive[0].contribution >= 0.2 * max(0.0, parts.get("item", 0.0)):
        clauses = [
            f"you gave {scale.format_rating(reason.rating)} to {item_namer(reason.id)}"
            if reason.rating is not None
            else f"you rated {item_namer(reason.id)}"
            for reason in positive[:2]
        ]
        return "because " + " and ".join(clauses)
    if parts.get("item", 0.0) > _EPSILON:
        return "because most people like it"
    if (
        explanation.entity == "user"
        and explanation.main_part is not None
        and parts.get(explanation.main_part, 0.0) > _EPSILON
    ):
        return "because people who rate like you like it"
    return "because it comes nearest to what you like, by all that is known so far"


def explanation_rows(
    explanation: Explanation, item_namer: ItemNamer, scale: RatingScale
) -> tuple[tuple[str, float], ...]:
    """Return labeled terms that add up to the prediction, with single ratings in place of the main part."""
    rows: list[tuple[str, float]] = []
    for part in explanation.parts:
        name = _PART_LABELS.get(part.name, part.name)
        if part.name != explanation.main_part or not explanation.reasons:
            rows.append((name, part.value))
            continue
        relevant = [reason for reason in explanation.reasons if abs(reason.contribution) >= _EPSILON]
        top_reasons = relevant[:_MAX_REASONS]
        for reason in top_reasons:
            verb = "rated" if reason.rating is None else f"gave {scale.format_rating(reason.rating)} to"
            rows.append((f"you {verb} {item_namer(reason.id)}", reason.contribution))
        if len(explanation.reasons) > len(top_reasons):
            total = sum(reason.contribution for reason in explanation.reasons)
            remainder = total - sum(reason.contribution for reason in top_reasons)
            rows.append(("your other ratings" if top_reasons else "your ratings", remainder))
        if abs(explanation.residual) > _EPSILON:
            rows.append((name + ", as learned in training", explanation.residual))
    clipped_part = explanation.prediction - sum(value for _, value in rows)
    if abs(clipped_part) > _EPSILON:
        rows.append(("what would lie beyond the scale", clipped_part))
    return tuple(rows)
