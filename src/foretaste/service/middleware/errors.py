"""Error responses of middleware: JSON for the API, HTML for the web pages."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from foretaste.service.schemas import ErrorDetail, Failure

ErrorPage = Callable[..., Any]  # (status, message, headers) -> Response


def is_web_path(path: str) -> bool:
    """Whether a path belongs to the web pages and not to the API."""
    return not path.startswith("/api/")


def error_envelope(code: str, message: str, hint: str | None = None) -> bytes:
    """Return the JSON body of an error."""
    failure = Failure(error=ErrorDetail(code=code, message=message, hint=hint))
    return json.dumps(failure.model_dump(), ensure_ascii=True).encode()  # a message may hold lone surrogates


async def send_error(
    scope: Any, send: Any, error_page: ErrorPage | None, status: int, code: str, message: str,
    hint: str | None = None, headers: dict[str, str] | None = None,
) -> None:  # fmt: skip
    """Send an error: a page if a web path was requested and ``error_page`` is given, else JSON."""
    headers = headers or {}
    if error_page is not None and is_web_path(scope["path"]):
        await error_page(status, message, headers)(scope, None, send)
        return
    body = error_envelope(code, message, hint)
    pairs = {"Content-Type": "application/json", "Content-Length": str(len(body))} | headers
    raw = [(name.lower().encode(), value.encode()) for name, value in pairs.items()]
    await send({"type": "http.response.start", "status": status, "headers": raw})
    await send({"type": "http.response.body", "body": body})


def first_headers(scope: Any) -> dict[bytes, bytes]:
    """Return the request headers by name; of repeated ones the first."""
    return dict(reversed(list(scope["headers"])))
