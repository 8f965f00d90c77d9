"""Data of one user: export and deletion."""

from __future__ import annotations

from fastapi import APIRouter, Depends

from foretaste.service.api.dependencies import (
    IdQuery,
    StateDep,
    error_responses,
    require_role,
)
from foretaste.service.api.ratings import rating_out
from foretaste.service.db import rating_store
from foretaste.service.model_admin import models_with_user
from foretaste.service.schemas import Success, UserDeleted, UserExport

router = APIRouter(prefix="/users", tags=["users"], dependencies=[Depends(require_role("admin"))])


@router.get("", responses=error_responses())
def export_user(user: IdQuery, app_state: StateDep) -> Success[UserExport]:
    """Export all data of a user, and list the models trained on them."""
    codec = app_state.model_server.id_codec
    text = codec.to_text(user, "user")
    with app_state.database.read_connection() as connection:
        ratings = rating_store.get_user_ratings(connection, text)
    user_id = codec.from_text(text, "user")
    model_ids = models_with_user(app_state.settings, app_state.database, user_id)
    rows = [rating_out(rating, app_state.model_server) for rating in ratings]
    return Success(data=UserExport(user=user_id, ratings=rows, model_ids=model_ids))


@router.delete("", responses=error_responses(507))
def delete_user(user: IdQuery, app_state: StateDep) -> Success[UserDeleted]:
    """Delete all data of a user, and list the models that were trained on them."""
    codec = app_state.model_server.id_codec
    text = codec.to_text(user, "user")
    with app_state.database.write_transaction() as connection:
        n_deleted = rating_store.delete_user(connection, text)
    app_state.model_server.evict_user(text)
    user_id = codec.from_text(text, "user")
    model_ids = models_with_user(app_state.settings, app_state.database, user_id)
    return Success(data=UserDeleted(n_ratings=n_deleted, model_ids=model_ids))
