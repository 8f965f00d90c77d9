"""ASGI middleware: request ids, access log, request metrics, and responses to unexpected exceptions."""

from __future__ import annotations

import json
import logging
import os
import random
import time
import traceback
from typing import Any

from starlette.requests import ClientDisconnect

from foretaste.service.metrics import PrometheusMetrics
from foretaste.service.middleware.errors import ErrorPage, is_web_path, send_error

log = logging.getLogger("foretaste.service")

_METHODS = frozenset(("GET", "PUT", "POST", "DELETE", "HEAD", "OPTIONS", "PATCH"))
_CLIENT_CLOSED_REQUEST = 499  # nginx's status for a client that disconnected


class AccessLogMiddleware:
    """Logs and counts every request; an unexpected exception becomes a 500 with the request's id.

    Parameters
    ----------
    app : ASGI application
    metrics : PrometheusMetrics
    error_page : function, optional
        Returns the HTML response of an error, by status, message and headers.
    """

    def __init__(self, app: Any, metrics: PrometheusMetrics, error_page: ErrorPage | None = None) -> None:
        self.app, self.metrics, self.error_page = app, metrics, error_page
        self._request_ids = random.Random()  # they need not be secret

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Pass the request on, then log it."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        start, status, request_id = time.perf_counter(), 0, f"{self._request_ids.getrandbits(64):016x}"

        async def send_with_id(message: Any) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message.get("headers", ()), (b"x-request-id", request_id.encode())]
            await send(message)

        try:
            await self.app(scope, receive, send_with_id)
        except ClientDisconnect:
            status = status or _CLIENT_CLOSED_REQUEST
        except Exception as error:
            _log_exception(error, request_id)
            if status == 0:
                message = f"internal error, request id {request_id}"
                await send_error(scope, send_with_id, self.error_page, 500, "internal_error", message)
        finally:
            self._log_request(scope, status, time.perf_counter() - start, request_id)

    def _log_request(self, scope: Any, status: int, seconds: float, request_id: str) -> None:
        """Log and count one request, without ids of users and items, addresses and keys."""
        route = getattr(scope.get("route"), "path", None) or "none"
        if not route.startswith("/api") and route != "none" and not is_web_path(scope["path"]):
            route = "/api/v1" + route
        method = scope["method"] if scope["method"] in _METHODS else "other"
        self.metrics.observe_request(method, route, status, seconds)
        fields = {
            "method": method, "route": route, "status": status, "ms": round(1000 * seconds, 2),
            "request_id": request_id, "process": os.getpid(),
        }  # fmt: skip
        log.info("request", extra={"fields": fields})


def _log_exception(error: Exception, request_id: str) -> None:
    """Log where an exception was raised, without its message, which may contain personal data."""
    frames = [
        f"{frame.filename.rpartition('/')[2]}:{frame.lineno} {frame.name}"
        for frame in traceback.extract_tb(error.__traceback__)[-12:]
    ]
    fields = {"request_id": request_id, "error": type(error).__name__, "traceback": frames}
    log.error("internal_error", extra={"fields": fields})


class JsonFormatter(logging.Formatter):
    """Formats a log record as one line of JSON: time, level, event, and the fields of ``extra``."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line of one record."""
        seconds = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        fields = {
            "time": f"{seconds}.{int(record.msecs):03d}Z", "level": record.levelname.lower(),
            "event": record.getMessage(),
        }  # fmt: skip
        return json.dumps(fields | getattr(record, "fields", {}))
