"""Models: list, upload, activate, roll back, delete."""

from __future__ import annotations

import errno
import secrets
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Depends, Request
from fastapi.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException

from foretaste.errors import ModelFileError
from foretaste.persistence import inspect
from foretaste.service import model_admin
from foretaste.service.api.dependencies import (
    AppState,
    RowId,
    StateDep,
    error_responses,
    require_role,
    state_from_request,
)
from foretaste.service.db import model_store, rating_store
from foretaste.service.db.database import StorageFullError
from foretaste.service.db.model_store import StoredModel
from foretaste.service.schemas import DeleteResult, ModelOut, Success
from foretaste.service.training.train import validate_upload

router = APIRouter(prefix="/models", tags=["models"], dependencies=[Depends(require_role("admin"))])

_MEDIA_TYPE = "application/octet-stream"
_UPLOAD_BODY = {
    "requestBody": {
        "required": True,
        "content": {_MEDIA_TYPE: {"schema": {"type": "string", "format": "binary"}}},
    }
}


@router.get("", responses=error_responses())
def list_models(app_state: StateDep) -> Success[list[ModelOut]]:
    """List all models, newest first."""
    with app_state.database.read_connection() as connection:
        active = model_store.get_active_model(connection)
        stored_models = model_store.list_models(connection)
    active_id = None if active is None else active[1].id
    return Success(data=[_model_out(stored, active_id) for stored in stored_models])


@router.post(
    "",
    status_code=201,
    responses=error_responses(415, 507),
    openapi_extra=_UPLOAD_BODY,
)
async def upload_model(request: Request) -> Success[ModelOut]:
    """Upload a model file written by ``foretaste fit``; it is validated, but not activated."""
    if request.headers.get("content-type", "").split(";")[0].strip().lower() != _MEDIA_TYPE:
        raise HTTPException(415, f"a model file is sent as {_MEDIA_TYPE}")
    app_state = state_from_request(request)
    name = f"model-{secrets.token_hex(8)}.foretaste"  # never a name from the request
    path = app_state.settings.models_dir / name
    try:
        with path.open("wb") as file:
            async for chunk in request.stream():
                await run_in_threadpool(file.write, chunk)
        model_id = await run_in_threadpool(_add_upload, app_state, path)
    except OSError as error:
        path.unlink(missing_ok=True)
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise StorageFullError("the disk is full", hint="free disk space") from error
        raise
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    with app_state.database.read_connection() as connection:
        return Success(data=_model_out(model_store.get_model(connection, model_id), None))


def _add_upload(app_state: AppState, path: Path) -> int:
    """Validate a model file and insert its row; return the model's id."""
    try:
        checks = validate_upload(path, rating_store.load_training_ratings(app_state.database))
        header = inspect(path)
    except ModelFileError as error:
        raise ModelFileError(
            error.message.replace(str(path), "the file"), hint="a file written by foretaste fit"
        ) from None
    model_store.fsync_directory(path.parent)
    row: dict[str, Any] = {
        "file": path.name, "sha256": model_store.file_sha256(path), "origin": "uploaded", "checks": checks,
        "spec": {"model": header["model"], "params": header["params"]},
        "n_ratings": header["learned"]["n_ratings_"],
    }  # fmt: skip
    with app_state.database.write_transaction() as connection:
        return model_store.add_model(connection, row)


@router.post("/rollback", responses=error_responses(409, 507))
def roll_back_model(app_state: StateDep) -> Success[ModelOut]:
    """Activate the previously active model."""
    with app_state.database.write_transaction() as connection:
        model_id = model_store.roll_back(connection)
        stored = model_store.get_model(connection, model_id)
    return Success(data=_model_out(stored, model_id))


@router.post("/{model_id}/activate", responses=error_responses(404, 507))
def activate_model(model_id: RowId, app_state: StateDep) -> Success[ModelOut]:
    """Activate a model."""
    stored = model_admin.activate_model(app_state.settings, app_state.database, model_id)
    return Success(data=_model_out(stored, model_id))


@router.delete("/{model_id}", responses=error_responses(404, 409, 507))
def delete_model(model_id: RowId, app_state: StateDep) -> Success[DeleteResult]:
    """Delete a model that is not active, with its file; a rollback skips it from then on."""
    model_admin.delete_model(app_state.settings, app_state.database, model_id)
    return Success(data=DeleteResult(deleted=True))


def _model_out(stored: StoredModel, active_id: int | None) -> ModelOut:
    return ModelOut(
        id=stored.id, is_active=stored.id == active_id, model=stored.spec["model"],
        params=stored.spec["params"], origin=stored.origin, created_at=stored.created_at,
        n_ratings=stored.n_ratings, checks=stored.checks, sha256=stored.sha256,
    )  # fmt: skip
