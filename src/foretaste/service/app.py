"""The ASGI application: routes, exception handlers and middleware."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware

from foretaste._version import version
from foretaste.errors import (
    DataError,
    ForetasteError,
    InvalidParameterError,
    NotEnoughMemoryError,
    NotFoundError,
    NotSupportedError,
)
from foretaste.service.api import health, items, jobs, keys, models, ratings, recommendations, users
from foretaste.service.api.dependencies import AppState, ForbiddenError, UnauthorizedError
from foretaste.service.db.database import ConflictError, DatabaseUnavailableError, StorageFullError
from foretaste.service.middleware.access_log import AccessLogMiddleware
from foretaste.service.middleware.errors import error_envelope, is_web_path
from foretaste.service.middleware.headers import SecurityHeadersMiddleware
from foretaste.service.middleware.hosts import HostMiddleware
from foretaste.service.middleware.limits import LimitsMiddleware
from foretaste.service.model_server import NoActiveModelError
from foretaste.service.response_cache import ResponseCacheMiddleware
from foretaste.service.settings import Settings
from foretaste.service.training.train import QualityGateError
from foretaste.service.web import routes, routes_admin
from foretaste.service.web.dependencies import WebState
from foretaste.service.web.sessions import CsrfError

_STATUS_BY_ERROR: tuple[tuple[type[ForetasteError], int], ...] = (
    (UnauthorizedError, 401),
    (ForbiddenError, 403),
    (CsrfError, 403),
    (ConflictError, 409),
    (DatabaseUnavailableError, 503),
    (StorageFullError, 507),
    (NoActiveModelError, 503),
    (QualityGateError, 422),
    (NotFoundError, 404),
    (NotSupportedError, 409),
    (NotEnoughMemoryError, 422),
    (DataError, 422),
    (InvalidParameterError, 422),
)
_CODE_BY_STATUS = {
    400: "bad_request", 404: "not_found", 405: "wrong_method", 409: "conflict", 413: "too_large",
    415: "wrong_type",
}  # fmt: skip
# Newer FastAPI sends traces where OpenTelemetry is installed; they would contain query strings.
_NO_TELEMETRY: Any = {"tracing": False, "metrics": False, "logs": False, "auto_configure": False}
_DESCRIPTION = (
    'Ratings, predictions and recommendations. Responses are `{"ok": true, "data": ...}` or '
    '`{"ok": false, "error": {"code", "message", "hint"}}`.'
)


def create_app(settings: Settings) -> FastAPI:
    """Return the ASGI application of one worker; the database must exist and be migrated.

    Parameters
    ----------
    settings : Settings
    """
    app_state = AppState(settings)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        app_state.close()

    app = FastAPI(
        title="foretaste", version=version(), description=_DESCRIPTION, lifespan=lifespan, docs_url=None,
        redoc_url=None, openapi_url="/api/v1/openapi.json", redirect_slashes=False, telemetry=_NO_TELEMETRY,
    )  # fmt: skip
    app.state.app_state = app_state
    for api_module in (items, ratings, recommendations, models, jobs, users, keys, health):
        app.include_router(api_module.router, prefix="/api/v1")
    app.state.web = None
    if settings.web != "off":
        app.state.web = WebState(app_state)
        app.include_router(routes.router)
        app.include_router(routes_admin.router)
    app.add_exception_handler(ForetasteError, _handle_foretaste_error)
    app.add_exception_handler(RequestValidationError, _handle_validation_error)
    app.add_exception_handler(HTTPException, _handle_http_error)
    _add_middleware(app, settings, app_state)
    return app


def _add_middleware(app: FastAPI, settings: Settings, app_state: AppState) -> None:
    """Add all middleware, from inside to outside."""
    error_page = None if app.state.web is None else app.state.web.templates.render_error
    if settings.allowed_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=list(settings.allowed_origins), allow_methods=["GET", "PUT", "POST", "DELETE"],
            allow_headers=["Authorization", "Content-Type"], allow_credentials=False, max_age=600,
        )  # fmt: skip
    app.add_middleware(
        ResponseCacheMiddleware,
        responses=app_state.responses, database=app_state.database, keyring=app_state.keyring,
        id_codec=app_state.model_server.cached_id_codec,
    )  # fmt: skip
    app.add_middleware(
        LimitsMiddleware,
        settings=settings, is_known_key=app_state.keyring.was_valid, error_page=error_page,
    )  # fmt: skip
    app.add_middleware(HostMiddleware, allowed_hosts=settings.allowed_hosts, error_page=error_page)
    app.add_middleware(AccessLogMiddleware, metrics=app_state.metrics, error_page=error_page)
    app.add_middleware(SecurityHeadersMiddleware)


def from_environment() -> FastAPI:
    """Return the application for the settings in the environment, which the main process sets."""
    return create_app(Settings.from_environment())


async def _handle_foretaste_error(request: Request, error: Any) -> Response:
    status = next((status for error_type, status in _STATUS_BY_ERROR if isinstance(error, error_type)), 422)
    headers = {401: {"WWW-Authenticate": "Bearer"}, 503: {"Retry-After": "1"}}.get(status, {})
    return _error_response(request, status, error.code, error.message, error.hint, headers)


async def _handle_validation_error(request: Request, error: Any) -> Response:
    """Report the first invalid value by its location, without repeating the value."""
    first = error.errors()[0]
    location = ".".join(str(part) for part in first["loc"]) if first["loc"] else "the request"
    message = f"{location[:200]}: {first['msg'][:300]}"
    return _error_response(request, 422, "invalid_parameter", message, None, {})


async def _handle_http_error(request: Request, error: Any) -> Response:
    message = str(error.detail)
    hint = "GET /api/v1/openapi.json" if error.status_code in (404, 405) else None
    code = _CODE_BY_STATUS.get(error.status_code, "bad_request")
    return _error_response(request, error.status_code, code, message, hint, dict(error.headers or {}))


def _error_response(
    request: Request, status: int, code: str, message: str, hint: str | None, headers: dict[str, str]
) -> Response:
    """Return an error page for a web path, else the JSON envelope."""
    web: WebState | None = request.app.state.web
    if web is not None and is_web_path(request.url.path):
        return web.templates.render_error(status, message, headers)
    return Response(error_envelope(code, message, hint), status, headers, "application/json")
