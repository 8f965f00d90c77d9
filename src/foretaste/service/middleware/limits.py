"""ASGI middleware: limits the size of request bodies and the rate of requests per client."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from starlette.exceptions import HTTPException

from foretaste.errors import Hint, InvalidParameterError
from foretaste.service.api_keys import hash_token
from foretaste.service.middleware.errors import ErrorPage, first_headers, send_error
from foretaste.service.settings import Settings

_UNLIMITED_PATHS = ("/api/v1/health", "/api/v1/ready")  # polled by load balancers


class BodyTooLargeError(HTTPException):
    """A request body larger than allowed, noticed while it is received."""

    def __init__(self) -> None:
        super().__init__(413, "request body too large")


class LimitsMiddleware:
    """Enforces the body limit and the rate limit of ``Settings``.

    Parameters
    ----------
    app : ASGI application
    settings : Settings
    is_known_key : callable
        Whether an API key was valid at its last lookup.
    error_page : function, optional
        Returns the HTML response of an error, by status, message and headers.
    """

    def __init__(
        self, app: Any, settings: Settings, is_known_key: Callable[[str], bool],
        error_page: ErrorPage | None = None,
    ) -> None:  # fmt: skip
        self.app, self.settings = app, settings
        self.is_known_key, self.error_page = is_known_key, error_page
        self._limiter, self._rate = make_limiter(settings.rate_limit)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Pass the request on with a limited body, or respond 413 or 429."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers, max_bytes = first_headers(scope), self._max_body_bytes(scope)
        length = headers.get(b"content-length", b"0")
        if not length.isdigit() or int(length[:20]) > max_bytes:
            message = f"request body too large: at most {max_bytes:,} bytes are allowed here"
            close = {"Connection": "close"}
            await send_error(scope, send, self.error_page, 413, "too_large", message, headers=close)
            return
        seconds = self._seconds_to_wait(scope, headers)
        if seconds:
            message, retry = f"more than {self.settings.rate_limit} requests", {"Retry-After": str(seconds)}
            hint = f"wait {seconds} s"
            await send_error(scope, send, self.error_page, 429, "rate_limited", message, hint, retry)
            return
        await self.app(scope, _limit_body(receive, max_bytes), send)

    def _max_body_bytes(self, scope: Any) -> int:
        is_upload = scope["method"] == "POST" and scope["path"] == "/api/v1/models"
        return self.settings.max_upload_bytes if is_upload else self.settings.max_body_bytes

    def _seconds_to_wait(self, scope: Any, headers: dict[bytes, bytes]) -> int:
        """Count the request; return 0 if it is within the rate limit, else the seconds to wait."""
        if self._limiter is None or scope["path"] in _UNLIMITED_PATHS:
            return 0
        client = self._client_key(scope, headers)
        if self._limiter.hit(self._rate, client):
            return 0
        return max(1, int(self._limiter.get_window_stats(self._rate, client).reset_time - time.time()))

    def _client_key(self, scope: Any, headers: dict[bytes, bytes]) -> str:
        """Return what identifies a client: a valid API key, else the address.

        Guessing keys counts against the address, however many keys are tried.
        """
        authorization = headers.get(b"authorization", b"").decode("latin-1")
        if authorization.startswith("Bearer ") and self.is_known_key(authorization[7:]):
            return hash_token(authorization)
        return str((scope.get("client") or ("",))[0])


def _limit_body(receive: Any, max_bytes: int) -> Any:
    """Return a ``receive`` that raises when the body exceeds the limit, whatever Content-Length says."""
    n_bytes = 0

    async def receive_limited() -> Any:
        nonlocal n_bytes
        message = await receive()
        n_bytes += len(message.get("body", b""))
        if n_bytes > max_bytes:
            raise BodyTooLargeError
        return message

    return receive_limited


def make_limiter(rate_limit: str) -> tuple[Any, Any]:
    """Return a rate limiter and its parsed rate; ``(None, None)`` without a limit."""
    if not rate_limit:
        return None, None
    from limits import parse
    from limits.storage import MemoryStorage
    from limits.strategies import FixedWindowRateLimiter

    try:
        return FixedWindowRateLimiter(MemoryStorage()), parse(rate_limit)
    except ValueError:
        raise InvalidParameterError(
            "it must be requests per time",
            argument=("rate_limit", rate_limit),
            hint=Hint({"rate_limit": "600/minute"}),
        ) from None
