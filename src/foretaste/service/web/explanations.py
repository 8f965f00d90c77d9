"""Why an item is suggested: one line, and the sum on request."""

from __future__ import annotations

from collections.abc import Callable

from foretaste.recommendation import Explanation
from foretaste.service.web.rating_scale import Scale

_PARTS = {
    "mean": "the mean of all ratings",
    "user": "how you rate in general",
    "item": "how people rate this one",
    "taste": "your taste",
    "neighbors": "people, or items, most alike",
    "time": "the time",
}
_SHOWN = 5  # ratings of the sum, one by one
_NOTHING = 5e-3  # what is written as 0.00

Named = Callable[[int | str], str]


def because(told: Explanation, named: Named, scale: Scale) -> str:
    """Return one line that names what raised a prediction most."""
    raised = [one for one in told.reasons if one.share > _NOTHING]
    parts = {part.name: part.value for part in told.parts}
    if raised and raised[0].share >= 0.2 * max(0.0, parts.get("item", 0.0)):
        said = [
            f"you gave {scale.written(one.rating)} to {named(one.id)}"
            if one.rating is not None
            else f"you rated {named(one.id)}"
            for one in raised[:2]
        ]
        return "because " + " and ".join(said)
    if parts.get("item", 0.0) > _NOTHING:
        return "because most people like it"
    if told.side == "user" and told.moved is not None and parts.get(told.moved, 0.0) > _NOTHING:
        return "because people who rate like you like it"
    return "because it comes nearest to what you like, by all that is known so far"


def sum_of(told: Explanation, named: Named, scale: Scale) -> tuple[tuple[str, float], ...]:
    """Return what adds up to a prediction: parts, with single ratings in place of the part they make."""
    lines: list[tuple[str, float]] = []
    for part in told.parts:
        name = _PARTS.get(part.name, part.name)
        if part.name != told.moved or not told.reasons:
            lines.append((name, part.value))
            continue
        shown = [one for one in told.reasons if abs(one.share) >= _NOTHING][:_SHOWN]
        for one in shown:
            given = "rated" if one.rating is None else f"gave {scale.written(one.rating)} to"
            lines.append((f"you {given} {named(one.id)}", one.share))
        if len(told.reasons) > len(shown):
            others = sum(one.share for one in told.reasons) - sum(one.share for one in shown)
            lines.append(("your other ratings" if shown else "your ratings", others))
        if abs(told.rest) > _NOTHING:
            lines.append((name + ", as learned in training", told.rest))
    beyond = told.prediction - sum(value for _, value in lines)
    if abs(beyond) > _NOTHING:
        lines.append(("what would lie beyond the scale", beyond))
    return tuple(lines)
