"""Shared dependencies of the API routes: worker state, API key roles, error responses."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated, Any

from fastapi import Depends, Path, Query, Request, Security
from fastapi.concurrency import run_in_threadpool
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from foretaste.errors import ForetasteError
from foretaste.service.api_keys import Keyring
from foretaste.service.db.database import Database
from foretaste.service.id_codec import MAX_ID_LENGTH
from foretaste.service.metrics import PrometheusMetrics
from foretaste.service.model_server import ModelServer
from foretaste.service.response_cache import ResponseCache
from foretaste.service.schemas import Failure
from foretaste.service.settings import Settings
from foretaste.service.training.jobs import JobRunner

_bearer = HTTPBearer(auto_error=False, description="API key: Authorization: Bearer foretaste_...")

IdQuery = Annotated[str, Query(min_length=1, max_length=MAX_ID_LENGTH)]
RowId = Annotated[int, Path(ge=1, le=2**31 - 1)]


class UnauthorizedError(ForetasteError):
    """No API key, or an unknown one."""

    code = "unauthorized"


class ForbiddenError(ForetasteError):
    """The API key's role does not allow this."""

    code = "forbidden"


class AppState:
    """Shared state of one worker process.

    Parameters
    ----------
    settings : Settings
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.database = Database(settings.database_url)
        self.keyring = Keyring(self.database)
        self.model_server = ModelServer(settings, self.database)
        self.responses = ResponseCache()
        self.job_runner = JobRunner(settings, self.database)
        self.metrics = PrometheusMetrics()

    def close(self) -> None:
        """Stop jobs and close connections."""
        self.job_runner.close()
        self.database.close()


async def get_state(request: Request) -> AppState:  # async, else FastAPI runs it in the thread pool
    """Return the worker's state."""
    return state_from_request(request)


def state_from_request(request: Request) -> AppState:
    """Return the worker's state."""
    app_state: AppState = request.app.state.app_state
    return app_state


StateDep = Annotated[AppState, Depends(get_state)]


def require_role(role: str) -> Callable[..., Awaitable[None]]:
    """Return a dependency that rejects requests without an API key of this role."""

    async def check_role(
        request: Request,
        authorization: Annotated[HTTPAuthorizationCredentials | None, Security(_bearer)] = None,
    ) -> None:
        if authorization is None:
            raise UnauthorizedError("an API key is required", hint="Authorization: Bearer KEY")
        keyring, text = state_from_request(request).keyring, authorization.credentials
        key = keyring.get_cached(text) or await run_in_threadpool(keyring.lookup, text)
        if key is None:
            raise UnauthorizedError("unknown or revoked API key", hint="another key")
        if not key.allows(role):
            raise ForbiddenError(f"requires role {role}; this key has role {key.role}", hint="another key")

    return check_role


def error_responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return the error responses of a route for the OpenAPI document, including those of all routes."""
    descriptions = {
        400: "Malformed request, or Host header not allowed.",
        401: "No API key, or an unknown one.",
        403: "The API key's role does not allow this.",
        404: "Not found.",
        409: "Not possible in the current state, or not supported by this model.",
        413: "Request body too large.",
        415: "Unsupported media type.",
        422: "Invalid value.",
        429: "Too many requests; Retry-After gives the seconds to wait.",
        503: "The database does not respond, or no model is active.",
        507: "The disk is full.",
    }
    return {
        status: {"model": Failure, "description": descriptions[status]}
        for status in sorted({400, 401, 403, 413, 422, 429, 503, *statuses})
    }
