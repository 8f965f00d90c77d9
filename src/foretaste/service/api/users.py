"""All that is kept of one person: handed out, and deleted."""

from __future__ import annotations

from fastapi import APIRouter, Depends, Response

from foretaste.service.api.dependencies import (
    AppState,
    StateDep,
    error_responses,
    json_response,
    require_role,
)
from foretaste.service.api.ratings import IdQuery, rating_out
from foretaste.service.db import model_store, rating_store
from foretaste.service.id_codec import single_id_index
from foretaste.service.schemas import Success, UserDeleted, UserExport

router = APIRouter(prefix="/people", tags=["people"], dependencies=[Depends(require_role("admin"))])


@router.get("", response_model=Success[UserExport], responses=error_responses())
def export_user(user: IdQuery, app_state: StateDep) -> Response:
    """Hand out all that is kept of a person, and which models were learned from it."""
    codec = app_state.model_server.id_codec
    text = codec.to_text(user, "user")
    with app_state.database.read_connection() as connection:
        ratings = rating_store.get_user_ratings(connection, text)
    rows = [rating_out(rating, app_state) for rating in ratings]
    user_id = codec.from_text(text, "user")
    return json_response({"user": user_id, "ratings": rows, "models": models_with_user(app_state, user_id)})


@router.delete("", response_model=Success[UserDeleted], responses=error_responses(507))
def delete_user(user: IdQuery, app_state: StateDep) -> Response:
    """Delete all that is kept of a person; models that learned from it are named."""
    codec = app_state.model_server.id_codec
    text = codec.to_text(user, "user")
    with app_state.database.write_transaction() as connection:
        n_deleted = rating_store.delete_user(connection, text)
    app_state.model_server.evict_user(text)
    return json_response(
        {"ratings": n_deleted, "models": models_with_user(app_state, codec.from_text(text, "user"))}
    )


def models_with_user(app_state: AppState, user: int | str) -> list[int]:
    """Return the numbers of the models that learned from ratings of a person."""
    from foretaste.persistence import load

    with app_state.database.read_connection() as connection:
        stored_models = model_store.list_models(connection)
    model_ids = []
    for stored in stored_models:
        path = app_state.settings.models_dir / stored.file
        if (
            path.is_file()
            and int(load(path, memory_map=True).users_.indices_of(single_id_index(user).ids)[0]) >= 0
        ):
            model_ids.append(stored.id)
    return sorted(model_ids)
