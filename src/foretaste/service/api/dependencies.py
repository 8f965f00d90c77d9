"""What all routes share: the service behind a request, its key, and the envelope of answers."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Annotated, Any

from fastapi import Depends, Request, Response, Security
from fastapi.concurrency import run_in_threadpool
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from foretaste.errors import ForetasteError
from foretaste.service.api_keys import Keyring
from foretaste.service.db.database import Store
from foretaste.service.metrics import Figures
from foretaste.service.model_server import Serving
from foretaste.service.schemas import Failure
from foretaste.service.settings import Settings
from foretaste.service.training.jobs import Starter

_bearer = HTTPBearer(auto_error=False, description="A key: Authorization: Bearer foretaste_...")


class Unauthorized(ForetasteError):
    """No key, or none of ours."""

    code = "unauthorized"


class Forbidden(ForetasteError):
    """A key that may not do this."""

    code = "forbidden"


class House:
    """All that a worker holds.

    Parameters
    ----------
    settings : Settings
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.store = Store(settings.url)
        self.keyring = Keyring(self.store)
        self.serving = Serving(settings, self.store)
        self.starter = Starter(settings, self.store)
        self.figures = Figures()

    def close(self) -> None:
        """End jobs and close connections."""
        self.starter.close()
        self.keyring.close()
        self.store.close()


async def house_of(request: Request) -> House:  # async, or it would be sent to another thread
    """Return the service behind a request."""
    return house_behind(request)


def house_behind(request: Request) -> House:
    """Return the service behind a request."""
    house: House = request.app.state.house
    return house


InHouse = Annotated[House, Depends(house_of)]


def needs(role: str) -> Callable[..., Awaitable[None]]:
    """Return a dependency that refuses requests without a key of this role."""

    async def check(
        request: Request, given: Annotated[HTTPAuthorizationCredentials | None, Security(_bearer)] = None
    ) -> None:
        if given is None:
            raise Unauthorized("a key is needed", hint="Authorization: Bearer KEY")
        keyring = house_behind(request).keyring
        key = keyring.known(given.credentials) or await run_in_threadpool(keyring.find, given.credentials)
        if key is None:
            raise Unauthorized("this key is not known here, or was revoked", hint="another key")
        if not key.may(role):
            raise Forbidden(f"this needs a key that may {role}; this one may {key.role}", hint="another key")

    return check


def envelope(data: Any) -> bytes:
    """Return data in the envelope of a success, as JSON."""
    return json.dumps({"ok": True, "data": data}, ensure_ascii=False, allow_nan=False).encode()


def answer(data: Any, status: int = 200) -> Response:
    """Return the answer that holds data in the envelope of a success."""
    return Response(envelope(data), status, media_type="application/json")


def failures(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return what the OpenAPI document says of failures, with those that are possible everywhere."""
    meaning = {
        400: "The request cannot be read, or the service is not called by this name.",
        401: "No key, or one that is not known here.",
        403: "A key that may not do this.",
        404: "There is no such thing.",
        409: "It cannot be done now, or not by this model.",
        413: "The body is too large.",
        415: "The body is of another type than is taken here.",
        422: "A value is not allowed.",
        429: "Too many requests; Retry-After says how many seconds to wait.",
        503: "The database does not answer, or there is no model yet.",
        507: "There is no room to store it.",
    }
    return {
        status: {"model": Failure, "description": meaning[status]}
        for status in sorted({400, 401, 403, 413, 422, 429, 503, *statuses})
    }
