"""Recommendations, predictions, explanations, similar items, and the next item to ask about."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Response
from pydantic import Field

from foretaste.service import predictor
from foretaste.service.api.dependencies import (
    AppState,
    IdQuery,
    StateDep,
    error_responses,
    require_role,
)
from foretaste.service.id_codec import MAX_ID_LENGTH
from foretaste.service.model_server import ActiveModel
from foretaste.service.predictor import ItemPrediction, UserProfile
from foretaste.service.response_cache import DEFAULT_N, cache_version
from foretaste.service.schemas import (
    ExplanationOut,
    ExplanationPart,
    ExplanationReason,
    NextItem,
    PredictedItem,
    PredictionsIn,
    PredictionsOut,
    SimilarItem,
    SimilarItems,
    Success,
)

router = APIRouter(tags=["recommendations"], dependencies=[Depends(require_role("read"))])

IdsQuery = Annotated[
    list[Annotated[str, Field(min_length=1, max_length=MAX_ID_LENGTH)]], Query(max_length=500)
]
CountQuery = Annotated[int, Query(ge=1, le=1000)]


@router.get("/recommendations", response_model=Success[PredictionsOut], responses=error_responses())
def get_recommendations(user: IdQuery, app_state: StateDep, n: CountQuery = DEFAULT_N) -> Response:
    """Return the top-n unrated items of a user, best first."""
    model_server = app_state.model_server
    text = model_server.id_codec.to_text(user, "user")
    with app_state.database.read_connection() as connection:
        version = cache_version(connection, text)
        content = app_state.responses.get(text, n, version)
        if content is None:
            active, profile = model_server.get_user(connection, text, version)
    if content is None:
        with model_server.cpu_slots:
            predictions = predictor.recommend(profile, n, active.index)
            response = _predictions_out(app_state, text, active, profile, predictions)
            content = response.model_dump_json().encode()
        app_state.responses.put(text, n, version, content)
    return Response(content, media_type="application/json")


@router.post("/predictions", responses=error_responses(404))
def post_predictions(body: PredictionsIn, app_state: StateDep) -> Success[PredictionsOut]:
    """Predict a user's ratings of some items."""
    codec = app_state.model_server.id_codec
    text = codec.to_text(body.user, "user")
    items = codec.to_array([codec.to_text(item, "item") for item in body.items], "item")
    with app_state.database.read_connection() as connection:
        active, profile = app_state.model_server.get_user(connection, text)
    return _predictions_out(app_state, text, active, profile, predictor.predict_items(profile, items))


@router.get("/similar", responses=error_responses(404, 409))
def get_similar(item: IdQuery, app_state: StateDep, n: CountQuery = 10) -> Success[SimilarItems]:
    """Return the items most similar to an item."""
    codec = app_state.model_server.id_codec
    text = codec.to_text(item, "item")
    item_id = codec.from_text(text, "item")
    with app_state.database.read_connection() as connection:
        active = app_state.model_server.get_active(connection)
        similar = predictor.find_similar(active.model, item_id, n)
    title = app_state.model_server.item_title
    items = [SimilarItem(item=id_, title=title(id_), similarity=round(value, 6)) for id_, value in similar]
    return Success(
        data=SimilarItems(item=item_id, title=title(item_id), model_id=active.stored.id, items=items)
    )


@router.get("/explanations", responses=error_responses(404, 409))
def get_explanation(user: IdQuery, item: IdQuery, app_state: StateDep) -> Success[ExplanationOut]:
    """Explain a prediction: its parts, and the contributions of the user's ratings."""
    codec = app_state.model_server.id_codec
    text, item_text = codec.to_text(user, "user"), codec.to_text(item, "item")
    with app_state.database.read_connection() as connection:
        active, profile = app_state.model_server.get_user(connection, text)
    explanation = predictor.explain_prediction(
        profile, codec.from_text(text, "user"), codec.from_text(item_text, "item")
    )
    title = app_state.model_server.item_title
    reasons = [
        ExplanationReason(
            item=reason.id, title=title(reason.id), rating=reason.rating, contribution=reason.contribution
        )
        for reason in explanation.reasons
    ]
    return Success(data=ExplanationOut(
        user=explanation.user, item=explanation.item, title=title(item_text), model_id=active.stored.id,
        prediction=explanation.prediction, sentence=explanation.sentence(),
        parts=[ExplanationPart.model_validate(part) for part in explanation.parts],
        main_part=explanation.main_part, reasons=reasons, residual=explanation.residual,
        note=explanation.note,
    ))  # fmt: skip


@router.get("/next-item", responses=error_responses(404, 409))
def get_next_item(
    user: IdQuery,
    app_state: StateDep,
    skip: IdsQuery = [],  # noqa: B006 - FastAPI copies the default
) -> Success[NextItem]:
    """Return the most informative item to ask a user to rate next, none of ``skip`` (active learning)."""
    codec = app_state.model_server.id_codec
    text = codec.to_text(user, "user")
    excluded_items = codec.to_array([codec.to_text(item, "item") for item in skip], "item")
    with app_state.database.read_connection() as connection:
        active, profile = app_state.model_server.get_user(connection, text)
    item = predictor.next_item(active.model, profile.ratings, excluded_items)
    return Success(data=NextItem(
        user=codec.from_text(text, "user"), model_id=active.stored.id, n_answered=len(profile.rated_items),
        item=item, title=app_state.model_server.item_title(item),
    ))  # fmt: skip


def _predictions_out(
    app_state: AppState, user: str, active: ActiveModel, profile: UserProfile,
    predictions: list[ItemPrediction],
) -> Success[PredictionsOut]:  # fmt: skip
    title = app_state.model_server.item_title
    items = [
        PredictedItem(item=predicted.item, title=title(predicted.item), prediction=predicted.prediction)
        for predicted in predictions
    ]
    return Success(data=PredictionsOut(
        user=app_state.model_server.id_codec.from_text(user, "user"), model_id=active.stored.id,
        basis=profile.basis, n_ratings_used=profile.n_ratings_used, items=items,
    ))  # fmt: skip
