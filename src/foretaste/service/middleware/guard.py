"""What stands before all routes: names, limits, headers, the log, the figures, and faults without words."""

from __future__ import annotations

import hashlib
import ipaddress
import json
import logging
import os
import random
import time
import traceback
from collections.abc import Callable
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from foretaste.errors import InvalidParameterError
from foretaste.service.metrics import PrometheusMetrics
from foretaste.service.settings import Settings

log = logging.getLogger("foretaste.service")

_HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cache-control", b"no-store"),
)
_METHODS = frozenset(("GET", "PUT", "POST", "DELETE", "HEAD", "OPTIONS", "PATCH"))
_UNLIMITED_PATHS = ("/api/v1/health", "/api/v1/ready")  # asked by machines, as often as they like


def is_web_path(path: str) -> bool:
    """Whether an address is one of the page and not of the interface for programs."""
    return not path.startswith("/api/")


class BodyTooLargeError(HTTPException):
    """A body larger than is allowed."""

    def __init__(self) -> None:
        super().__init__(413, "the body of the request is larger than is allowed")


def error_envelope(code: str, message: str, hint: str | None = None) -> bytes:
    """Return an error as JSON."""
    error = {"code": code, "message": message, "hint": hint}
    return json.dumps({"ok": False, "error": error}, ensure_ascii=True).encode()


class Guard:
    """The outermost layer of the service.

    Parameters
    ----------
    app : ASGI application
    settings : Settings
    metrics : Figures
    is_known_key : callable
        Whether a key was good lately.
    error_page : function, optional
        Returns the page that says what went wrong, by status, message and headers: the answer where the page
        is asked for. Default: JSON everywhere.
    """

    def __init__(
        self,
        app: Any,
        settings: Settings,
        metrics: PrometheusMetrics,
        is_known_key: Callable[[str], bool],
        error_page: Callable[..., Any] | None = None,
    ) -> None:
        self.app, self.settings, self.metrics = app, settings, metrics
        self.is_known_key, self.error_page = is_known_key, error_page
        self.allowed_hosts = {"localhost", *(host.lower() for host in settings.allowed_hosts)}
        self._limiter, self._rate = make_limiter(settings.rate_limit)
        self._host_cache: dict[str, bool] = {}
        self._request_ids = random.Random()  # of requests: they need not be secret

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        start, status, request_id = time.perf_counter(), 0, f"{self._request_ids.getrandbits(64):016x}"

        async def send_with_headers(message: Any) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = message.get("headers", ())
                present = {name for name, _ in headers}
                added_headers = [pair for pair in _HEADERS if pair[0] not in present]
                message["headers"] = [*headers, (b"x-request-id", request_id.encode()), *added_headers]
            await send(message)

        try:
            rejection = self._check_request(scope, _headers_by_name(scope["headers"]))
            if rejection is not None:
                await self._send_error(scope, send_with_headers, *rejection)
            else:
                await self.app(
                    scope, self._limit_body(receive, self._max_body_bytes(scope)), send_with_headers
                )
        except ClientDisconnect:
            status = status or 499
        except Exception as error:
            _log_exception(error, request_id)
            if status == 0:
                detail = f"a fault in foretaste; the log has it under {request_id}"
                await self._send_error(scope, send_with_headers, 500, "fault", detail, None, {})
        finally:
            self._log_request(scope, status, time.perf_counter() - start, request_id)

    def _max_body_bytes(self, scope: Any) -> int:
        is_upload = scope["method"] == "POST" and scope["path"] == "/api/v1/models"
        return self.settings.max_upload_bytes if is_upload else self.settings.max_body_bytes

    async def _send_error(
        self, scope: Any, send: Any, status: int, code: str, message: str, hint: str | None,
        headers: dict[str, str],
    ) -> None:  # fmt: skip
        """Answer an error, in the way of the page where that is asked for."""
        if self.error_page is not None and is_web_path(scope["path"]):
            response = self.error_page(status, message, headers)
            await response(scope, None, send)
        else:
            await _send_json(send, status, error_envelope(code, message, hint), headers)

    def _check_request(
        self, scope: Any, headers: dict[bytes, bytes]
    ) -> tuple[int, str, str, str | None, dict[str, str]] | None:
        """Return what is answered at once, if the request goes no further."""
        if not self._is_allowed_host(headers.get(b"host", b"").decode("latin-1")):
            message = "the service is not called by this name"
            return 400, "wrong_host", message, "http://127.0.0.1, or start it with --allow-host", {}
        length = headers.get(b"content-length", b"0")
        if not length.isdigit() or int(length[:20]) > self._max_body_bytes(scope):
            message = f"the body of a request must have at most {self._max_body_bytes(scope):,} bytes here"
            return 413, "too_large", message, None, {"Connection": "close"}
        if self._limiter is not None and scope["path"] not in _UNLIMITED_PATHS:
            name = self._client_key(scope, headers)
            if not self._limiter.hit(self._rate, name):
                wait = max(1, int(self._limiter.get_window_stats(self._rate, name).reset_time - time.time()))
                message = f"more than {self.settings.rate_limit} requests"
                return 429, "too_many", message, f"wait {wait} s", {"Retry-After": str(wait)}
        return None

    def _client_key(self, scope: Any, headers: dict[bytes, bytes]) -> str:
        """Return by what a client is counted: its key if that is good, else its address.

        Whoever tries keys is counted by the address, however many they try.
        """
        authorization = headers.get(b"authorization", b"").decode("latin-1")
        if authorization.startswith("Bearer ") and self.is_known_key(authorization[7:]):
            return hashlib.sha256(authorization.encode()).hexdigest()
        return str((scope.get("client") or ("",))[0])

    def _is_allowed_host(self, host: str) -> bool:
        is_allowed = self._host_cache.get(host)
        if is_allowed is None:
            if len(self._host_cache) > 1000:
                self._host_cache.clear()
            name = _host_name(host)
            is_allowed = self._host_cache[host] = name in self.allowed_hosts or is_loopback(name)
        return is_allowed

    @staticmethod
    def _limit_body(receive: Any, max_bytes: int) -> Any:
        """Return a ``receive`` that stops where a body is larger than was said, or said nothing."""
        n_bytes = 0

        async def receive_limited() -> Any:
            nonlocal n_bytes
            message = await receive()
            n_bytes += len(message.get("body", b""))
            if n_bytes > max_bytes:
                raise BodyTooLargeError
            return message

        return receive_limited

    def _log_request(self, scope: Any, status: int, seconds: float, request_id: str) -> None:
        """Write one line of log, without ids, addresses and keys, and count."""
        route = getattr(scope.get("route"), "path", None) or "none"
        if not route.startswith("/api") and route != "none" and not is_web_path(scope["path"]):
            route = "/api/v1" + route
        method = scope["method"] if scope["method"] in _METHODS else "other"
        self.metrics.observe_request(method, route, status, seconds)
        log.info(
            "request",
            extra={"told": {
                "method": method, "route": route, "status": status, "ms": round(1000 * seconds, 2),
                "request": request_id, "process": os.getpid(),
            }},
        )  # fmt: skip


def _headers_by_name(headers: Any) -> dict[bytes, bytes]:
    """Return headers by name, of several of one name the first."""
    return dict(reversed(list(headers)))


def is_loopback(name: str) -> bool:
    """Whether this is a loopback address."""
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def _host_name(host: str) -> str:
    """Return the name or address in a ``Host``, without the port."""
    name = host.rpartition(":")[0] if not host.endswith("]") and ":" in host else host
    return name.strip("[]").lower()


def make_limiter(rate_limit: str) -> tuple[Any, Any]:
    """Return what counts requests, and how many are allowed; None and None without a limit."""
    if not rate_limit:
        return None, None
    from limits import parse
    from limits.storage import MemoryStorage
    from limits.strategies import FixedWindowRateLimiter

    try:
        return FixedWindowRateLimiter(MemoryStorage()), parse(rate_limit)
    except ValueError:
        raise InvalidParameterError(f"rate={rate_limit!r} is no limit", hint='rate="600/minute"') from None


def _log_exception(error: Exception, request_id: str) -> None:
    """Log where a fault is; its message may hold what people sent."""
    frames = [
        f"{frame.filename.rpartition('/')[2]}:{frame.lineno} {frame.name}"
        for frame in traceback.extract_tb(error.__traceback__)[-12:]
    ]
    log.error("fault", extra={"told": {"request": request_id, "error": type(error).__name__, "at": frames}})


async def _send_json(send: Any, status: int, body: bytes, headers: dict[str, str]) -> None:
    pairs = {"Content-Type": "application/json", "Content-Length": str(len(body))} | headers
    raw = [(name.lower().encode(), value.encode()) for name, value in pairs.items()]
    await send({"type": "http.response.start", "status": status, "headers": raw})
    await send({"type": "http.response.body", "body": body})


class JsonFormatter(logging.Formatter):
    """One JSON object a line: time, level, what, and what else is told."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line of one record."""
        timestamp = (
            time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created)) + f".{int(record.msecs):03d}Z"
        )
        fields = {"at": timestamp, "level": record.levelname.lower(), "what": record.getMessage()}
        return json.dumps(fields | getattr(record, "told", {}))
