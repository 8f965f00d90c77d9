"""Liveness, readiness and Prometheus metrics."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Depends, Response

from foretaste.service.api.dependencies import StateDep, error_responses, require_role
from foretaste.service.db import model_store
from foretaste.service.db.database import DatabaseUnavailableError
from foretaste.service.model_server import NoActiveModelError
from foretaste.service.schemas import Failure, Readiness, Success

router = APIRouter(tags=["health"])

_ERROR_RESPONSES: dict[int | str, dict[str, Any]] = {status: {"model": Failure} for status in (400, 413, 503)}


@router.get("/health", responses=_ERROR_RESPONSES)
async def get_health() -> Success[Readiness]:
    """Liveness: the process responds. Requires no key."""
    return Success(data=Readiness(state="alive"))


@router.get("/ready", responses=_ERROR_RESPONSES)
def get_readiness(app_state: StateDep) -> Success[Readiness]:
    """Readiness: the database responds and a model is loaded. Requires no key."""
    if not app_state.database.is_ready():
        raise DatabaseUnavailableError("database migrations are pending", hint="restart foretaste serve")
    with app_state.database.read_connection() as connection:
        active = app_state.model_server.get_active(connection)
    return Success(data=Readiness(state="ready", model_id=active.stored.id))


@router.get(
    "/metrics",
    responses=error_responses(),
    dependencies=[Depends(require_role("read"))],
    response_class=Response,
)
def get_metrics(app_state: StateDep) -> Response:
    """Return metrics in Prometheus' text format."""
    try:
        with app_state.database.read_connection() as connection:
            active = model_store.get_active_model(connection)
    except (NoActiveModelError, DatabaseUnavailableError):
        active = None
    model_id = None if active is None else active[1].id
    return Response(app_state.metrics.render(model_id), media_type="text/plain; version=0.0.4; charset=utf-8")
