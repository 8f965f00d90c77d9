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

from foretaste.errors import InvalidParameter
from foretaste.service.metrics import Figures
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
_FREE = ("/api/v1/health", "/api/v1/ready")  # asked by machines, as often as they like


def is_page(path: str) -> bool:
    """Whether an address is one of the page and not of the interface for programs."""
    return not path.startswith("/api/")


class TooMuch(HTTPException):
    """A body larger than is allowed."""

    def __init__(self) -> None:
        super().__init__(413, "the body of the request is larger than is allowed")


def envelope(code: str, message: str, hint: str | None = None) -> bytes:
    """Return an error as JSON."""
    error = {"code": code, "message": message, "hint": hint}
    return json.dumps({"ok": False, "error": error}, ensure_ascii=True).encode()


class Guard:
    """The outermost layer of the service.

    Parameters
    ----------
    app : ASGI application
    settings : Settings
    figures : Figures
    is_known : callable
        Whether a key was good lately.
    problem : function, optional
        Returns the page that says what went wrong, by status, message and headers: the answer where the page
        is asked for. Default: JSON everywhere.
    """

    def __init__(
        self,
        app: Any,
        settings: Settings,
        figures: Figures,
        is_known: Callable[[str], bool],
        problem: Callable[..., Any] | None = None,
    ) -> None:
        self.app, self.settings, self.figures = app, settings, figures
        self.is_known, self.problem = is_known, problem
        self.hosts = {"localhost", *(host.lower() for host in settings.hosts)}
        self._limiter, self._rate = limiter(settings.rate)
        self._ours: dict[str, bool] = {}
        self._numbers = random.Random()  # of requests: they need not be secret

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        start, status, number = time.perf_counter(), 0, f"{self._numbers.getrandbits(64):016x}"

        async def send_on(message: Any) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                given = message.get("headers", ())
                names = {name for name, _ in given}
                ours = [pair for pair in _HEADERS if pair[0] not in names]
                message["headers"] = [*given, (b"x-request-id", number.encode()), *ours]
            await send(message)

        try:
            refusal = self._refusal(scope, _first_of(scope["headers"]))
            if refusal is not None:
                await self._refuse(scope, send_on, *refusal)
            else:
                await self.app(scope, self._counted(receive, self._limit(scope)), send_on)
        except ClientDisconnect:
            status = status or 499
        except Exception as error:
            _tell_fault(error, number)
            if status == 0:
                told = f"a fault in foretaste; the log has it under {number}"
                await self._refuse(scope, send_on, 500, "fault", told, None, {})
        finally:
            self._tell(scope, status, time.perf_counter() - start, number)

    def _limit(self, scope: Any) -> int:
        is_upload = scope["method"] == "POST" and scope["path"] == "/api/v1/models"
        return self.settings.upload_bytes if is_upload else self.settings.body_bytes

    async def _refuse(
        self, scope: Any, send: Any, status: int, code: str, message: str, hint: str | None,
        headers: dict[str, str],
    ) -> None:  # fmt: skip
        """Answer an error, in the way of the page where that is asked for."""
        if self.problem is not None and is_page(scope["path"]):
            response = self.problem(status, message, headers)
            await response(scope, None, send)
        else:
            await _answer(send, status, envelope(code, message, hint), headers)

    def _refusal(
        self, scope: Any, headers: dict[bytes, bytes]
    ) -> tuple[int, str, str, str | None, dict[str, str]] | None:
        """Return what is answered at once, if the request goes no further."""
        if not self._is_our_name(headers.get(b"host", b"").decode("latin-1")):
            message = "the service is not called by this name"
            return 400, "wrong_host", message, "http://127.0.0.1, or start it with --allow-host", {}
        length = headers.get(b"content-length", b"0")
        if not length.isdigit() or int(length[:20]) > self._limit(scope):
            message = f"the body of a request must have at most {self._limit(scope):,} bytes here"
            return 413, "too_large", message, None, {"Connection": "close"}
        if self._limiter is not None and scope["path"] not in _FREE:
            name = self._client(scope, headers)
            if not self._limiter.hit(self._rate, name):
                wait = max(1, int(self._limiter.get_window_stats(self._rate, name).reset_time - time.time()))
                message = f"more than {self.settings.rate} requests"
                return 429, "too_many", message, f"wait {wait} s", {"Retry-After": str(wait)}
        return None

    def _client(self, scope: Any, headers: dict[bytes, bytes]) -> str:
        """Return by what a client is counted: its key if that is good, else its address.

        Whoever tries keys is counted by the address, however many they try.
        """
        given = headers.get(b"authorization", b"").decode("latin-1")
        if given.startswith("Bearer ") and self.is_known(given[7:]):
            return hashlib.sha256(given.encode()).hexdigest()
        return str((scope.get("client") or ("",))[0])

    def _is_our_name(self, host: str) -> bool:
        found = self._ours.get(host)
        if found is None:
            if len(self._ours) > 1000:
                self._ours.clear()
            name = _name_in(host)
            found = self._ours[host] = name in self.hosts or is_loopback(name)
        return found

    @staticmethod
    def _counted(receive: Any, limit: int) -> Any:
        """Return a ``receive`` that stops where a body is larger than was said, or said nothing."""
        got = 0

        async def counting() -> Any:
            nonlocal got
            message = await receive()
            got += len(message.get("body", b""))
            if got > limit:
                raise TooMuch
            return message

        return counting

    def _tell(self, scope: Any, status: int, seconds: float, number: str) -> None:
        """Write one line of log, without ids, addresses and keys, and count."""
        route = getattr(scope.get("route"), "path", None) or "none"
        if not route.startswith("/api") and route != "none" and not is_page(scope["path"]):
            route = "/api/v1" + route
        method = scope["method"] if scope["method"] in _METHODS else "other"
        self.figures.count(method, route, status, seconds)
        log.info(
            "request",
            extra={"told": {
                "method": method, "route": route, "status": status, "ms": round(1000 * seconds, 2),
                "request": number, "process": os.getpid(),
            }},
        )  # fmt: skip


def _first_of(headers: Any) -> dict[bytes, bytes]:
    """Return headers by name, of several of one name the first."""
    return dict(reversed(list(headers)))


def is_loopback(name: str) -> bool:
    """Whether this is a loopback address."""
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def _name_in(host: str) -> str:
    """Return the name or address in a ``Host``, without the port."""
    name = host.rpartition(":")[0] if not host.endswith("]") and ":" in host else host
    return name.strip("[]").lower()


def limiter(rate: str) -> tuple[Any, Any]:
    """Return what counts requests, and how many are allowed; None and None without a limit."""
    if not rate:
        return None, None
    from limits import parse
    from limits.storage import MemoryStorage
    from limits.strategies import FixedWindowRateLimiter

    try:
        return FixedWindowRateLimiter(MemoryStorage()), parse(rate)
    except ValueError:
        raise InvalidParameter(f"rate={rate!r} is no limit", hint='rate="600/minute"') from None


def _tell_fault(error: Exception, number: str) -> None:
    """Log where a fault is; its message may hold what people sent."""
    frames = [
        f"{frame.filename.rpartition('/')[2]}:{frame.lineno} {frame.name}"
        for frame in traceback.extract_tb(error.__traceback__)[-12:]
    ]
    log.error("fault", extra={"told": {"request": number, "error": type(error).__name__, "at": frames}})


async def _answer(send: Any, status: int, body: bytes, headers: dict[str, str]) -> None:
    pairs = {"Content-Type": "application/json", "Content-Length": str(len(body))} | headers
    raw = [(name.lower().encode(), value.encode()) for name, value in pairs.items()]
    await send({"type": "http.response.start", "status": status, "headers": raw})
    await send({"type": "http.response.body", "body": body})


class JsonLines(logging.Formatter):
    """One JSON object a line: time, level, what, and what else is told."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line of one record."""
        at = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created)) + f".{int(record.msecs):03d}Z"
        told = {"at": at, "level": record.levelname.lower(), "what": record.getMessage()}
        return json.dumps(told | getattr(record, "told", {}))
