"""Models: listed, uploaded, activated, rolled back, deleted."""

from __future__ import annotations

import errno
import secrets
from pathlib import Path as FilePath
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Request, Response
from fastapi.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException

from foretaste.errors import BadModelFile, InvalidParameter
from foretaste.service.api.dependencies import House, InHouse, answer, failures, house_behind, needs
from foretaste.service.db import model_store, rating_store
from foretaste.service.db.database import StorageFull
from foretaste.service.db.model_store import KeptModel
from foretaste.service.schemas import Deleted, ModelShape, Success
from foretaste.service.training.train import examine

router = APIRouter(prefix="/models", tags=["models"], dependencies=[Depends(needs("admin"))])

_TYPE = "application/octet-stream"
_BODY = {
    "requestBody": {"required": True, "content": {_TYPE: {"schema": {"type": "string", "format": "binary"}}}}
}
Number = Annotated[int, Path(ge=1, le=2**31 - 1)]


@router.get("", response_model=Success[list[ModelShape]], responses=failures())
def list_models(house: InHouse) -> Response:
    """List the models, the newest first."""
    with house.store.reading() as connection:
        active = model_store.active(connection)
        models = model_store.listed(connection)
    number = None if active is None else active[1].number
    return answer([_shown(kept, number) for kept in models])


@router.post(
    "", status_code=201, response_model=Success[ModelShape], responses=failures(415, 507), openapi_extra=_BODY
)
async def upload_model(request: Request) -> Response:
    """Take in a model file as ``foretaste fit`` writes it; it is checked, and not activated."""
    if request.headers.get("content-type", "").split(";")[0].strip().lower() != _TYPE:
        raise HTTPException(415, f"a model file comes as {_TYPE}")
    house = house_behind(request)
    path = house.settings.models / f"model-{secrets.token_hex(8)}.foretaste"  # never a name that was sent
    try:
        with path.open("wb") as file:
            async for part in request.stream():
                await run_in_threadpool(file.write, part)
        number = await run_in_threadpool(_take_in, house, path)
    except OSError as error:
        path.unlink(missing_ok=True)
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise StorageFull("there is no room for this model", hint="make room on the disk") from error
        raise
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    with house.store.reading() as connection:
        return answer(_shown(model_store.one(connection, number), None), 201)


def _take_in(house: House, path: FilePath) -> int:
    """Check a model file and add it; return its number."""
    from foretaste.persistence import inspect

    try:
        checks = examine(path, rating_store.all_ratings(house.store))
        header = inspect(path)
    except BadModelFile as error:
        raise BadModelFile(
            error.message.replace(str(path), "the file"), hint="the file that foretaste fit wrote"
        ) from None
    model_store.sync_folder(path.parent)
    row: dict[str, Any] = {
        "file": path.name, "sha256": model_store.sha256_of(path), "origin": "uploaded", "checks": checks,
        "spec": {"model": header["model"], "params": header["params"]},
        "ratings": header["learned"]["n_ratings_"],
    }  # fmt: skip
    with house.store.writing() as connection:
        return model_store.add(connection, row)


@router.post("/rollback", response_model=Success[ModelShape], responses=failures(409, 507))
def roll_back(house: InHouse) -> Response:
    """Let the model serve that did before the active one."""
    with house.store.writing() as connection:
        try:
            number = model_store.roll_back(connection)
        except InvalidParameter as error:
            raise HTTPException(409, error.message) from None
        kept = model_store.one(connection, number)
    return answer(_shown(kept, number))


@router.post("/{number}/activate", response_model=Success[ModelShape], responses=failures(404, 507))
def activate_model(number: Number, house: InHouse) -> Response:
    """Let a model serve from now on."""
    return answer(_shown(activate_kept(house, number), number))


def activate_kept(house: House, number: int) -> KeptModel:
    """Let a model serve from now on, if its file is sound."""
    with house.store.writing() as connection:
        kept = model_store.one(connection, number)
        path = house.settings.models / kept.file
        if not path.is_file() or model_store.sha256_of(path) != kept.sha256:
            raise BadModelFile(f"the file of model {number} is missing or damaged", hint="another model")
        model_store.activate(connection, number, "chosen")
    return kept


@router.delete("/{number}", response_model=Success[Deleted], responses=failures(404, 409, 507))
def delete_model(number: Number, house: InHouse) -> Response:
    """Delete a model that is not active, and its file; it is no longer rolled back to."""
    delete_kept(house, number)
    return answer({"deleted": True})


def delete_kept(house: House, number: int) -> None:
    """Delete a model that is not active, and its file."""
    with house.store.writing() as connection:
        kept = model_store.one(connection, number)
        try:
            model_store.remove(connection, number)
        except InvalidParameter as error:
            raise HTTPException(409, f"{error.message}; {error.hint}") from None
    (house.settings.models / kept.file).unlink(missing_ok=True)


def _shown(kept: KeptModel, active: int | None) -> dict[str, Any]:
    return {
        "number": kept.number, "active": kept.number == active, "model": kept.spec["model"],
        "params": kept.spec["params"], "origin": kept.origin, "made_at": kept.made_at,
        "ratings": kept.ratings, "checks": kept.checks, "sha256": kept.sha256,
    }  # fmt: skip
