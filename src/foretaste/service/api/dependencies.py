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
from foretaste.service.db.database import Database
from foretaste.service.metrics import PrometheusMetrics
from foretaste.service.model_server import ModelServer
from foretaste.service.schemas import Failure
from foretaste.service.settings import Settings
from foretaste.service.training.jobs import JobRunner

_bearer = HTTPBearer(auto_error=False, description="A key: Authorization: Bearer foretaste_...")


class UnauthorizedError(ForetasteError):
    """No key, or none of ours."""

    code = "unauthorized"


class ForbiddenError(ForetasteError):
    """A key that may not do this."""

    code = "forbidden"


class AppState:
    """All that a worker holds.

    Parameters
    ----------
    settings : Settings
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.database = Database(settings.database_url)
        self.keyring = Keyring(self.database)
        self.model_server = ModelServer(settings, self.database)
        self.job_runner = JobRunner(settings, self.database)
        self.metrics = PrometheusMetrics()

    def close(self) -> None:
        """End jobs and close connections."""
        self.job_runner.close()
        self.keyring.close()
        self.database.close()


async def get_state(request: Request) -> AppState:  # async, or it would be sent to another thread
    """Return the service behind a request."""
    return state_from_request(request)


def state_from_request(request: Request) -> AppState:
    """Return the service behind a request."""
    app_state: AppState = request.app.state.app_state
    return app_state


StateDep = Annotated[AppState, Depends(get_state)]


def require_role(role: str) -> Callable[..., Awaitable[None]]:
    """Return a dependency that refuses requests without a key of this role."""

    async def check_role(
        request: Request,
        authorization: Annotated[HTTPAuthorizationCredentials | None, Security(_bearer)] = None,
    ) -> None:
        if authorization is None:
            raise UnauthorizedError("a key is needed", hint="Authorization: Bearer KEY")
        keyring = state_from_request(request).keyring
        key = keyring.get_cached(authorization.credentials) or await run_in_threadpool(
            keyring.lookup, authorization.credentials
        )
        if key is None:
            raise UnauthorizedError("this key is not known here, or was revoked", hint="another key")
        if not key.allows(role):
            raise ForbiddenError(
                f"this needs a key that may {role}; this one may {key.role}", hint="another key"
            )

    return check_role


def success_envelope(data: Any) -> bytes:
    """Return data in the envelope of a success, as JSON."""
    return json.dumps({"ok": True, "data": data}, ensure_ascii=False, allow_nan=False).encode()


def json_response(data: Any, status: int = 200) -> Response:
    """Return the answer that holds data in the envelope of a success."""
    return Response(success_envelope(data), status, media_type="application/json")


def error_responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return what the OpenAPI document says of failures, with those that are possible everywhere."""
    descriptions = {
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
        status: {"model": Failure, "description": descriptions[status]}
        for status in sorted({400, 401, 403, 413, 422, 429, 503, *statuses})
    }
