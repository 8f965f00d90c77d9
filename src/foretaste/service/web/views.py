"""View models of the rating page: the next item, suggestions and how they changed, reasons, similar items."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import sqlalchemy as sa

from foretaste.errors import NotFoundError, NotSupportedError
from foretaste.recommendation import Explanation, next_question
from foretaste.service import predictor
from foretaste.service.db import rating_store
from foretaste.service.db.database import Connection
from foretaste.service.db.rating_store import StoredRating
from foretaste.service.db.schema import ratings
from foretaste.service.model_server import ActiveModel, ModelServer
from foretaste.service.predictor import BASES, ItemPrediction, UserProfile
from foretaste.service.web.rating_scale import RatingScale
from foretaste.service.web.sessions import Visitor

N_SUGGESTIONS = 5
N_SIMILAR = 6
_N_CANDIDATES = 300  # the most rated items, which a visitor is most likely to know
_MAX_HEADING_LENGTH = 90  # a longer title is shown as text below the heading
_SENTENCE_TITLE_LENGTH, _REASON_TITLE_LENGTH, _LIST_TITLE_LENGTH = 48, 34, 80  # maximum characters

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


@dataclass(frozen=True)
class Suggestion:
    """A suggestion.

    Parameters
    ----------
    item : int or str
    name : str
    prediction : float
    is_new : bool
        Whether it was not in the list before the last rating.
    rank_change : int
        Ranks gained by the last rating.
    previous_prediction : float or None
        Prediction before the last rating, if it differs as text.
    reason : str
    terms : tuple of (str, float)
        Labeled terms that add up to the prediction.
    """

    item: int | str
    name: str
    prediction: float
    is_new: bool = False
    rank_change: int = 0
    previous_prediction: float | None = None
    reason: str = ""
    terms: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True)
class VisitorState:
    """A visitor's profile and ratings, as of one request."""

    active: ActiveModel
    profile: UserProfile
    user: int | str
    ratings: dict[str, StoredRating]


class PageViews:
    """Computes the content of the templates.

    Parameters
    ----------
    model_server : ModelServer
    excluded_items : tuple of str
        Items that are not shown, by id as text.
    """

    def __init__(self, model_server: ModelServer, excluded_items: tuple[str, ...]) -> None:
        self.model_server, self.excluded_items = model_server, frozenset(excluded_items)
        self._popular_items: tuple[int, list[str]] = (-1, [])
        self._scale: RatingScale | None = None
        self._name: str | None = None

    @property
    def scale(self) -> RatingScale:
        """The rating scale, read once."""
        if self._scale is None:
            codec, step = self.model_server.id_codec, self.model_server.database.get_settings().get("step")
            self._scale = RatingScale(codec.low, codec.high, float(step) if step else None)
        return self._scale

    @property
    def name(self) -> str:
        """Name of the dataset; of a path only its last part, as folders are not public."""
        if self._name is None:
            name = self.model_server.database.get_settings().get("name", "")
            self._name = name.rstrip("/").rpartition("/")[2]
        return self._name

    # One item --------------------------------------------------------------------------------------------

    def item_heading(self, item: int | str) -> str:
        """Return the heading of an item: its title, or its id if the title is a long text."""
        title = self.model_server.item_title(item)
        return title if title and len(title) <= _MAX_HEADING_LENGTH and "\n" not in title else f"Item {item}"

    def item_text(self, item: int | str) -> str | None:
        """Return the title of an item if it is a long text and not the heading."""
        title = self.model_server.item_title(item)
        return None if title is None or title == self.item_heading(item) else title

    def inline_title(self, item: int | str, max_length: int = _SENTENCE_TITLE_LENGTH) -> str:
        """Return an item's title for use within a sentence."""
        title = self.short_title(item, max_length)
        has_title = self.model_server.item_title(item) and str(item) not in self.excluded_items
        return f"“{title}”" if has_title else title

    def short_title(self, item: int | str, max_length: int = _LIST_TITLE_LENGTH) -> str:
        """Return an item's title on one line, shortened."""
        if str(item) in self.excluded_items:
            return "an item that is not shown here"
        label = " ".join((self.model_server.item_title(item) or f"item {item}").split())
        return label if len(label) <= max_length else label[: max_length - 1].rstrip(" .,;:") + "…"

    def parse_item(self, connection: Connection, id_text: str) -> int | str:
        """Return the item id in a request.

        Raises
        ------
        NotFoundError
            If there is no such item, or it is excluded.
        DataError
            If it is not a valid id.
        """
        codec = self.model_server.id_codec
        id_text = codec.to_text(id_text, "item")
        if id_text in self.excluded_items or not rating_store.has_item(connection, id_text):
            raise NotFoundError("There is no such item.")
        return codec.from_text(id_text, "item")

    # A visitor -------------------------------------------------------------------------------------------

    def visitor_state(self, connection: Connection, visitor: Visitor) -> VisitorState:
        """Return a visitor's current state with the active model."""
        if visitor.user is None:
            active = self.model_server.get_active(connection)
            anonymous = UserProfile(active.model, -1, np.empty(0, np.int32), 0, BASES[2], None)
            return VisitorState(active, anonymous, "", {})
        active, profile = self.model_server.get_user(connection, visitor.user)
        stored_ratings = rating_store.get_user_ratings(connection, visitor.user)
        user = self.model_server.id_codec.from_text(visitor.user, "user")
        return VisitorState(active, profile, user, {rating.item: rating for rating in stored_ratings})

    def state_without(self, state: VisitorState, item: str, previous_value: float | None) -> VisitorState:
        """Return the state before an item was rated, or with the previous rating of it."""
        user_ratings = {id_: rating for id_, rating in state.ratings.items() if id_ != item}
        if previous_value is not None:
            user_ratings[item] = StoredRating(item, previous_value, None, None)
        stored_ratings, codec = list(user_ratings.values()), self.model_server.id_codec
        profile = predictor.make_profile(
            state.active.model, state.user,
            codec.to_array([rating.item for rating in stored_ratings], "item"),
            [rating.value for rating in stored_ratings], [rating.rated_at for rating in stored_ratings],
        )  # fmt: skip
        return VisitorState(state.active, profile, state.user, user_ratings)

    def recommend(
        self, state: VisitorState, visitor: Visitor, current_item: int | str | None
    ) -> list[ItemPrediction]:
        """Return the recommendations, without the item asked about: its prediction must not be shown."""
        if not state.ratings:
            return []
        excluded = {*self.excluded_items, *visitor.skipped_items, *state.ratings, str(current_item)}
        predictions = predictor.recommend(state.profile, N_SUGGESTIONS + len(excluded))
        allowed = [prediction for prediction in predictions if str(prediction.item) not in excluded]
        return allowed[:N_SUGGESTIONS]

    def next_item(self, connection: Connection, state: VisitorState, visitor: Visitor) -> int | str | None:
        """Return the most informative item to ask about next; None if none is left.

        Items whose prediction was shown come last: their ratings are excluded from training.
        """
        codec = self.model_server.id_codec
        excluded = {*self.excluded_items, *visitor.skipped_items, *state.ratings}
        popular_items = self._most_rated_items(connection, state.active)
        candidates = [item for item in popular_items if item not in excluded]
        unseen_candidates = [item for item in candidates if item not in visitor.shown_predictions]
        candidates = unseen_candidates or candidates
        if not candidates:
            return None
        try:
            best_item: int | str = next_question(
                state.active.model, state.profile.ratings, codec.to_array(candidates, "item")
            )
            return best_item
        except NotSupportedError:  # the most popular one
            return codec.from_text(candidates[0], "item")

    def _most_rated_items(self, connection: Connection, active: ActiveModel) -> list[str]:
        """Return the most rated items that the model contains, counted once per activation."""
        if self._popular_items[0] != active.activation_id:
            n_ratings = sa.func.count().label("n_ratings")
            query = sa.select(ratings.c.item).group_by(ratings.c.item)
            query = query.order_by(n_ratings.desc(), ratings.c.item)
            rows = connection.execute(query.limit(_N_CANDIDATES + len(self.excluded_items)))
            item_ids = [row.item for row in rows]
            indices = active.model.items_.indices_of(self.model_server.id_codec.to_array(item_ids, "item"))
            known_items = [item for item, index in zip(item_ids, indices, strict=True) if index >= 0]
            allowed = [item for item in known_items if item not in self.excluded_items]
            self._popular_items = active.activation_id, allowed
        return self._popular_items[1]

    def make_suggestions(
        self, state: VisitorState, predictions: list[ItemPrediction], previous_state: VisitorState | None,
        visitor: Visitor,
    ) -> list[Suggestion]:  # fmt: skip
        """Return suggestions with their reasons and the changes by the last rating."""
        previous_list = self.recommend(previous_state, visitor, None) if previous_state is not None else []
        previous_ranks = {prediction.item: rank for rank, prediction in enumerate(previous_list)}
        previous_predictions = self._predict_all(previous_state, predictions)
        suggestions = []
        for rank, prediction in enumerate(predictions):
            item, explanation = prediction.item, self.explain(state, prediction.item)
            previous, format_prediction = previous_predictions.get(item), self.scale.format_prediction
            if previous is not None and format_prediction(previous) == format_prediction(
                prediction.prediction
            ):
                previous = None
            suggestions.append(Suggestion(
                item, self.short_title(item), prediction.prediction,
                is_new=bool(previous_list) and item not in previous_ranks,
                rank_change=previous_ranks.get(item, rank) - rank, previous_prediction=previous,
                reason=self.suggestion_reason(state, explanation),
                terms=() if explanation is None else self.explanation_terms(explanation),
            ))  # fmt: skip
        return suggestions

    def _predict_all(
        self, state: VisitorState | None, predictions: list[ItemPrediction]
    ) -> dict[int | str, float]:
        """Return the predictions of the same items for another state; none without ratings."""
        if state is None or not state.ratings or not predictions:
            return {}
        texts = [str(prediction.item) for prediction in predictions]
        item_ids = self.model_server.id_codec.to_array(texts, "item")
        return {row.item: row.prediction for row in predictor.predict_items(state.profile, item_ids)}

    def explain(self, state: VisitorState, item: int | str) -> Explanation | None:
        """Return the explanation of a prediction; None if unsupported, or for an unknown user."""
        try:
            return predictor.explain_prediction(state.profile, state.user, item)
        except (NotFoundError, NotSupportedError):
            return None

    def suggestion_reason(self, state: VisitorState, explanation: Explanation | None) -> str:
        """Return one line that says why an item is suggested."""
        if explanation is None:
            return "because most people like it" if state.profile.basis == BASES[2] else ""
        return reason_line(
            explanation, lambda item: self.inline_title(item, _REASON_TITLE_LENGTH), self.scale
        )

    def explanation_terms(self, explanation: Explanation) -> tuple[tuple[str, float], ...]:
        """Return labeled terms that add up to the prediction."""
        return explanation_rows(explanation, self.inline_title, self.scale)

    def predict(self, state: VisitorState, item: int | str) -> float | None:
        """Return the prediction for an item; None if the item is unknown to the model."""
        item_ids = self.model_server.id_codec.to_array([str(item)], "item")
        try:
            return predictor.predict_items(state.profile, item_ids)[0].prediction
        except NotFoundError:
            return None

    def similar_items(
        self, state: VisitorState, item: int | str
    ) -> list[tuple[int | str, str, float]] | None:
        """Return similar items with their titles; None if the model does not support it."""
        try:
            similar = predictor.find_similar(state.active.model, item, N_SIMILAR + len(self.excluded_items))
        except (NotFoundError, NotSupportedError):
            return None
        visible = [
            (id_, self.short_title(id_), value)
            for id_, value in similar
            if str(id_) not in self.excluded_items
        ]
        return [row for row in visible if row[2] > 0][:N_SIMILAR]


def basis_line(state: VisitorState) -> str:
    """Return a line that says what the suggestions are based on."""
    n_ratings = len(state.ratings)
    if state.profile.basis == BASES[2]:
        return "This model does not know you yet; these are what most people like."
    if state.profile.basis == BASES[1]:
        return "This model uses new ratings when it is trained again."
    if n_ratings < 3:
        count_text = "1 rating" if n_ratings == 1 else f"{n_ratings} ratings"
        return f"Not enough to know you yet ({count_text}): mostly what most people like."
    return f"From your {n_ratings} ratings."


# Explanations in plain words ---------------------------------------------------------------------------


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
