"""ASGI middleware: rejects requests whose ``Host`` is not allowed, against DNS rebinding."""

from __future__ import annotations

import ipaddress
from typing import Any

from foretaste.service.middleware.errors import ErrorPage, first_headers, send_error


class HostMiddleware:
    """Checks the ``Host`` header.

    Parameters
    ----------
    app : ASGI application
    allowed_hosts : tuple of str
        Names allowed besides those of the loopback address.
    error_page : function, optional
        Returns the HTML response of an error, by status, message and headers.
    """

    def __init__(self, app: Any, allowed_hosts: tuple[str, ...], error_page: ErrorPage | None = None) -> None:
        self.app, self.error_page = app, error_page
        self.allowed_hosts = {"localhost", *(host.lower() for host in allowed_hosts)}

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Pass the request on, or respond 400."""
        if scope["type"] != "http" or self._is_allowed(first_headers(scope).get(b"host", b"")):
            await self.app(scope, receive, send)
            return
        hint = "http://127.0.0.1, or start it with --allow-host"
        await send_error(scope, send, self.error_page, 400, "wrong_host", "Host header not allowed", hint)

    def _is_allowed(self, header: bytes) -> bool:
        name = _host_name(header.decode("latin-1"))
        return name in self.allowed_hosts or is_loopback(name)


def is_loopback(name: str) -> bool:
    """Whether this is a loopback address."""
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def _host_name(host: str) -> str:
    """Return the name or address in a ``Host`` header, without the port."""
    name = host.rpartition(":")[0] if not host.endswith("]") and ":" in host else host
    return name.strip("[]").lower()
