"""What the page shows a visitor: a question, suggestions and how they changed, reasons, similar items."""

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
from foretaste.service.web.explanations import explanation_rows, reason_line
from foretaste.service.web.rating_scale import RatingScale
from foretaste.service.web.visitors import Visitor

N_SUGGESTIONS = 5
N_SIMILAR = 6
_N_CANDIDATES = 300  # items that are asked about, the most rated ones: others hardly anybody knows
_MAX_HEADING_LENGTH = 90  # characters of a title that is a text, and no heading
_SENTENCE_TITLE_LENGTH, _REASON_TITLE_LENGTH, _LIST_TITLE_LENGTH = 48, 34, 80  # characters of a title

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
        Whether the last rating brought it into the list.
    rank_change : int
        How many places it has gained by the last rating.
    previous_prediction : float or None
        What was predicted before the last rating, if that was another number.
    reason : str
    terms : list of (str, float)
        What adds up to the prediction.
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
    """A visitor at one moment."""

    active: ActiveModel
    profile: UserProfile
    user: int | str
    ratings: dict[str, StoredRating]


class PageViews:
    """Makes what templates show.

    Parameters
    ----------
    model_server : Serving
    excluded_items : tuple of str
        Items that are not shown, as the database holds their ids.
    """

    def __init__(self, model_server: ModelServer, excluded_items: tuple[str, ...]) -> None:
        self.model_server, self.excluded_items = model_server, frozenset(excluded_items)
        self._popular_items: tuple[int, list[str]] = (-1, [])
        self._scale: RatingScale | None = None
        self._name: str | None = None

    @property
    def scale(self) -> RatingScale:
        """The scale of the ratings; how fine they are is read once."""
        if self._scale is None:
            codec, step = self.model_server.id_codec, self.model_server.database.get_settings().get("step")
            self._scale = RatingScale(codec.low, codec.high, float(step) if step else None)
        return self._scale

    @property
    def name(self) -> str:
        """What the ratings are called; of a path, its end: visitors need not know folders."""
        if self._name is None:
            self._name = (
                self.model_server.database.get_settings().get("name", "").rstrip("/").rpartition("/")[2]
            )
        return self._name

    # One item --------------------------------------------------------------------------------------------

    def item_heading(self, item: int | str) -> str:
        """Return what an item is called in a heading: its title, or its id if that is a text."""
        title = self.model_server.item_title(item)
        return title if title and len(title) <= _MAX_HEADING_LENGTH and "\n" not in title else f"Item {item}"

    def item_text(self, item: int | str) -> str | None:
        """Return the title of an item that is a text."""
        title = self.model_server.item_title(item)
        return None if title is None or title == self.item_heading(item) else title

    def inline_title(self, item: int | str, max_length: int = _SENTENCE_TITLE_LENGTH) -> str:
        """Return what an item is called within a sentence."""
        title = self.short_title(item, max_length)
        return (
            f"“{title}”"
            if self.model_server.item_title(item) and str(item) not in self.excluded_items
            else title
        )

    def short_title(self, item: int | str, max_length: int = _LIST_TITLE_LENGTH) -> str:
        """Return what an item is called in a list, on one line."""
        if str(item) in self.excluded_items:
            return "an item that is not shown here"
        label = " ".join((self.model_server.item_title(item) or f"item {item}").split())
        return label if len(label) <= max_length else label[: max_length - 1].rstrip(" .,;:") + "…"

    def parse_item(self, connection: Connection, id_text: str) -> int | str:
        """Return an item that a request names.

        Raises
        ------
        NotFoundError
            If there is none, or it is not shown here.
        DataError
            If it can be no id.
        """
        codec = self.model_server.id_codec
        id_text = codec.to_text(id_text, "item")
        if id_text in self.excluded_items or not rating_store.has_item(connection, id_text):
            raise NotFoundError("There is no such item.")
        return codec.from_text(id_text, "item")

    # A visitor -------------------------------------------------------------------------------------------

    def visitor_state(self, connection: Connection, visitor: Visitor) -> VisitorState:
        """Return a visitor as the active model sees them at this moment."""
        if visitor.user is None:
            active = self.model_server.get_active(connection)
            anonymous = UserProfile(active.model, -1, np.empty(0, np.int32), 0, BASES[2], None)
            return VisitorState(active, anonymous, "", {})
        active, profile = self.model_server.get_user(connection, visitor.user)
        user_ratings = {
            rating.item: rating for rating in rating_store.get_user_ratings(connection, visitor.user)
        }
        return VisitorState(
            active, profile, self.model_server.id_codec.from_text(visitor.user, "user"), user_ratings
        )

    def state_without(self, state: VisitorState, item: str, previous_value: float | None) -> VisitorState:
        """Return a visitor as they were before they rated an item."""
        user_ratings = {id_: rating for id_, rating in state.ratings.items() if id_ != item}
        if previous_value is not None:
            user_ratings[item] = StoredRating(item, previous_value, None, None)
        stored_ratings, codec = list(user_ratings.values()), self.model_server.id_codec
        profile = predictor.make_profile(
            state.active.model, state.user, codec.to_array([rating.item for rating in stored_ratings], "item"),
            [rating.value for rating in stored_ratings], [rating.rated_at for rating in stored_ratings],
        )  # fmt: skip
        return VisitorState(state.active, profile, state.user, user_ratings)

    def recommend(
        self, state: VisitorState, visitor: Visitor, current_item: int | str | None
    ) -> list[ItemPrediction]:
        """Return the suggestions; the item that is asked about is none, for its prediction would be seen."""
        if not state.ratings:
            return []
        excluded = {*self.excluded_items, *visitor.skipped_items, *state.ratings, str(current_item)}
        predictions = predictor.recommend(state.profile, N_SUGGESTIONS + len(excluded))
        return [prediction for prediction in predictions if str(prediction.item) not in excluded][
            :N_SUGGESTIONS
        ]

    def next_item(self, connection: Connection, state: VisitorState, visitor: Visitor) -> int | str | None:
        """Return the item to ask about next: whose rating tells most; None if none is left.

        What is suggested at the moment is asked last, for its prediction was seen.
        """
        model, codec = state.active.model, self.model_server.id_codec
        excluded = {*self.excluded_items, *visitor.skipped_items, *state.ratings}
        candidates = [
            item for item in self._most_rated_items(connection, state.active) if item not in excluded
        ]
        unseen_candidates = [item for item in candidates if item not in visitor.shown_predictions]
        candidates = unseen_candidates or candidates
        if not candidates:
            return None
        try:
            best_item: int | str = next_question(
                model, state.profile.ratings, codec.to_array(candidates, "item")
            )
            return best_item
        except NotSupportedError:  # then by how many people know it
            return codec.from_text(candidates[0], "item")

    def _most_rated_items(self, connection: Connection, active: ActiveModel) -> list[str]:
        """Return the items that the model knows and most people have rated, counted once for a model."""
        if self._popular_items[0] != active.activation_id:
            n_ratings = sa.func.count().label("number")
            query = (
                sa.select(ratings.c.item).group_by(ratings.c.item).order_by(n_ratings.desc(), ratings.c.item)
            )
            item_ids = [
                row.item for row in connection.execute(query.limit(_N_CANDIDATES + len(self.excluded_items)))
            ]
            indices = active.model.items_.indices_of(self.model_server.id_codec.to_array(item_ids, "item"))
            known_items = [item for item, index in zip(item_ids, indices, strict=True) if index >= 0]
            self._popular_items = (
                active.activation_id,
                [item for item in known_items if item not in self.excluded_items],
            )
        return self._popular_items[1]

    def make_suggestions(
        self,
        state: VisitorState,
        predictions: list[ItemPrediction],
        previous_state: VisitorState | None,
        visitor: Visitor,
    ) -> list[Suggestion]:
        """Return suggestions with their reasons, and what the last rating has changed."""
        previous_predictions = (
            self.recommend(previous_state, visitor, None) if previous_state is not None else []
        )
        ranks = {prediction.item: rank for rank, prediction in enumerate(previous_predictions)}
        predictions_before = dict[int | str, float]()
        if previous_state is not None and previous_state.ratings and predictions:
            item_ids = self.model_server.id_codec.to_array(
                [str(prediction.item) for prediction in predictions], "item"
            )
            predictions_before = {
                prediction.item: prediction.prediction
                for prediction in predictor.predict_items(previous_state.profile, item_ids)
            }
        suggestions = []
        for rank, prediction in enumerate(predictions):
            explanation = self.explain(state, prediction.item)
            prediction_before = predictions_before.get(prediction.item)
            is_unchanged = prediction_before is None or self.scale.format_prediction(
                prediction_before
            ) == self.scale.format_prediction(prediction.prediction)
            suggestions.append(Suggestion(
                prediction.item, self.short_title(prediction.item), prediction.prediction,
                is_new=bool(previous_predictions) and prediction.item not in ranks, rank_change=ranks.get(prediction.item, rank) - rank,
                previous_prediction=None if is_unchanged else prediction_before,
                reason=self.suggestion_reason(state, explanation), terms=() if explanation is None else self.explanation_terms(explanation),
            ))  # fmt: skip
        return suggestions

    def explain(self, state: VisitorState, item: int | str) -> Explanation | None:
        """Return what a prediction is made of; None if the model cannot say, or knows nobody."""
        try:
            return predictor.explain_prediction(state.profile, state.user, item)
        except (NotFoundError, NotSupportedError):
            return None

    def suggestion_reason(self, state: VisitorState, explanation: Explanation | None) -> str:
        """Return one line: why an item is suggested."""
        if explanation is None:
            return "because most people like it" if state.profile.basis == BASES[2] else ""
        return reason_line(
            explanation, lambda item: self.inline_title(item, _REASON_TITLE_LENGTH), self.scale
        )

    def explanation_terms(self, explanation: Explanation) -> tuple[tuple[str, float], ...]:
        """Return what adds up to a prediction."""
        return explanation_rows(explanation, self.inline_title, self.scale)

    def predict(self, state: VisitorState, item: int | str) -> float | None:
        """Return what is predicted for an item; None if the model does not know it."""
        try:
            return predictor.predict_items(
                state.profile, self.model_server.id_codec.to_array([str(item)], "item")
            )[0].prediction
        except NotFoundError:
            return None

    def similar_items(
        self, state: VisitorState, item: int | str
    ) -> list[tuple[int | str, str, float]] | None:
        """Return items like one, with their names; None if the model cannot say."""
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
    """Say what suggestions rest on, where that is not simply the visitor's ratings."""
    n_ratings = len(state.ratings)
    if state.profile.basis == BASES[2]:
        return "This model does not know you yet; these are what most people like."
    if state.profile.basis == BASES[1]:
        return "This model takes new ratings in when it is trained again."
    if n_ratings < 3:
        count_text = "1 rating" if n_ratings == 1 else f"{n_ratings} ratings"
        return f"Not enough to know you yet ({count_text}): mostly what most people like."
    return f"From your {n_ratings} ratings."
