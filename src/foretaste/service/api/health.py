"""Whether the service lives, whether it can answer, and its figures."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Depends, Response

from foretaste.service.api.dependencies import InHouse, answer, failures, needs
from foretaste.service.db import model_store
from foretaste.service.db.database import Unavailable
from foretaste.service.model_server import NoModel
from foretaste.service.schemas import Failure, State, Success

router = APIRouter(tags=["health"])

_OPEN: dict[int | str, dict[str, Any]] = {status: {"model": Failure} for status in (400, 413, 503)}


@router.get("/health", response_model=Success[State], responses=_OPEN)
async def health() -> Response:
    """Say that the service lives; needs no key."""
    return answer({"state": "alive", "model": None})


@router.get("/ready", response_model=Success[State], responses=_OPEN)
def ready(house: InHouse) -> Response:
    """Say whether the database answers and a model is loaded; needs no key."""
    if not house.store.is_ready():
        raise Unavailable("the database is not up to date", hint="start foretaste serve again")
    with house.store.reading() as connection:
        active = house.serving.active(connection)
    return answer({"state": "ready", "model": active.kept.number})


@router.get("/metrics", responses=failures(), dependencies=[Depends(needs("read"))], response_class=Response)
def metrics(house: InHouse) -> Response:
    """Give the figures that Prometheus collects."""
    try:
        with house.store.reading() as connection:
            active = model_store.active(connection)
    except (NoModel, Unavailable):
        active = None
    number = None if active is None else active[1].number
    return Response(house.figures.text(number), media_type="text/plain; version=0.0.4; charset=utf-8")
