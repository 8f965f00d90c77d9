"""``explain``: the parts of a prediction, and the contributions of single ratings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from foretaste._utils.formatting import format_count, format_text_table
from foretaste._utils.plotting import PlotMixin
from foretaste.errors import InvalidParameterError, NotFoundError, NotSupportedError, to_python
from foretaste.features import ItemCatalog
from foretaste.ids import IdIndex
from foretaste.models.base import Model, all_models
from foretaste.models.fold_in import known_ratings
from foretaste.models.outputs import RatingAttribution
from foretaste.ratings import Pairs, Ratings
from foretaste.recommendation.recommendations import truncate_title
from foretaste.validation import as_ratings, check_id_types

CLIP_PART = "clipped to the scale"
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
        return "contributions of single ratings need the argument ratings, as the model does not store them"
    return None


def _stores_ratings(model: Model) -> bool:
    return model.attribute_ratings(0, 0, None) is not None
