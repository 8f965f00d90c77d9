"""The application: routes, errors in the house's envelope, and what stands before them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware

from foretaste._version import version
from foretaste.errors import BadData, ForetasteError, InvalidParameter, NotFound, NotSupported, TooLarge
from foretaste.service.api import health, items, jobs, keys, models, ratings, recommendations, users
from foretaste.service.api.dependencies import Forbidden, House, Unauthorized
from foretaste.service.db.database import StorageFull, Unavailable
from foretaste.service.middleware.guard import Guard, envelope, is_page
from foretaste.service.model_server import NoModel
from foretaste.service.response_cache import Repeats
from foretaste.service.settings import Settings
from foretaste.service.training.jobs import Busy
from foretaste.service.training.train import Refused
from foretaste.service.web import routes, routes_admin
from foretaste.service.web.dependencies import Page
from foretaste.service.web.sessions import Suspect

_STATUSES: tuple[tuple[type[ForetasteError], int], ...] = (
    (Unauthorized, 401),
    (Forbidden, 403),
    (Suspect, 403),
    (Busy, 409),
    (Unavailable, 503),
    (StorageFull, 507),
    (NoModel, 503),
    (Refused, 422),
    (NotFound, 404),
    (NotSupported, 409),
    (TooLarge, 422),
    (BadData, 422),
    (InvalidParameter, 422),
)
_CODES = {
    400: "bad_request", 404: "not_found", 405: "wrong_method", 409: "conflict", 413: "too_large",
    415: "wrong_type",
}  # fmt: skip
# Newer FastAPI traces requests where OpenTelemetry is installed, with what is asked in the open.
_SILENT: Any = {"tracing": False, "metrics": False, "logs": False, "auto_configure": False}
_DESCRIPTION = (
    'Ratings, and what people will like by them. Answers are `{"ok": true, "data": ...}` or '
    '`{"ok": false, "error": {"code", "message", "hint"}}`.'
)


def create_app(settings: Settings) -> FastAPI:
    """Return the ASGI application of one worker; the database is there and up to date.

    Parameters
    ----------
    settings : Settings
    """
    house = House(settings)

    @asynccontextmanager
    async def life(_: FastAPI) -> AsyncIterator[None]:
        yield
        house.close()

    app = FastAPI(
        title="foretaste", version=version(), description=_DESCRIPTION, lifespan=life, docs_url=None,
        redoc_url=None, openapi_url="/api/v1/openapi.json", redirect_slashes=False, telemetry=_SILENT,
    )  # fmt: skip
    app.state.house = house
    for room in (items, ratings, recommendations, models, jobs, users, keys, health):
        app.include_router(room.router, prefix="/api/v1")
    app.state.page = None
    if settings.page != "off":
        app.state.page = Page(house)
        app.include_router(routes.router)
        app.include_router(routes_admin.router)
    app.add_exception_handler(ForetasteError, _of_ours)
    app.add_exception_handler(RequestValidationError, _of_values)
    app.add_exception_handler(HTTPException, _of_http)
    if settings.origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=list(settings.origins), allow_methods=["GET", "PUT", "POST", "DELETE"],
            allow_headers=["Authorization", "Content-Type"], allow_credentials=False, max_age=600,
        )  # fmt: skip
    app.add_middleware(Repeats, house=house)
    problem = None if app.state.page is None else app.state.page.looks.problem
    app.add_middleware(
        Guard, settings=settings, figures=house.figures, is_known=house.keyring.was_known, problem=problem
    )
    return app


def from_environment() -> FastAPI:
    """Return the application by the settings in the environment: how workers are started."""
    return create_app(Settings.from_environment())


async def _of_ours(request: Request, error: Any) -> Response:
    status = next((status for kind, status in _STATUSES if isinstance(error, kind)), 422)
    headers = {401: {"WWW-Authenticate": "Bearer"}, 503: {"Retry-After": "1"}}.get(status, {})
    return _failure(request, status, error.code, error.message, error.hint, headers)


async def _of_values(request: Request, error: Any) -> Response:
    """Name the first value that is not allowed, without repeating it."""
    first = error.errors()[0]
    place = ".".join(str(part) for part in first["loc"]) if first["loc"] else "the request"
    message = f"{place[:200]}: {first['msg'][:300]}"
    return _failure(request, 422, "invalid_parameter", message, None, {})


async def _of_http(request: Request, error: Any) -> Response:
    message = str(error.detail)
    hint = "GET /api/v1/openapi.json" if error.status_code in (404, 405) else None
    code = _CODES.get(error.status_code, "bad_request")
    return _failure(request, error.status_code, code, message, hint, dict(error.headers or {}))


def _failure(
    request: Request, status: int, code: str, message: str, hint: str | None, headers: dict[str, str]
) -> Response:
    """Return an error in the envelope, or in the way of the page where that is asked for."""
    page: Page | None = request.app.state.page
    if page is not None and is_page(request.url.path):
        return page.looks.problem(status, message, headers)
    return Response(envelope(code, message, hint), status, headers, "application/json")
