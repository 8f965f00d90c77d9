"""Session cookies and CSRF protection of the web pages."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import Response

from foretaste.errors import ForetasteError
from foretaste.service.db.database import Database, insert_if_absent
from foretaste.service.db.schema import settings
from foretaste.service.middleware.hosts import is_loopback

VISITOR_MAX_AGE = 180 * 86_400
_COOKIE_SETTING = "cookie_secret"


class CsrfError(ForetasteError):
    """A form that was not sent from a page of this service."""

    code = "forbidden"


def load_secret(database: Database) -> bytes:
    """Return the secret for signing cookies; it is created at the first call."""
    secret = database.get_settings().get(_COOKIE_SETTING)
    if secret is None:
        with database.write_transaction() as connection:
            insert_if_absent(connection, settings, {"name": _COOKIE_SETTING, "value": secrets.token_hex(32)})
        secret = database.get_settings()[_COOKIE_SETTING]
    return bytes.fromhex(secret)


class CookieSigner:
    """Signs and verifies session cookies and CSRF tokens with HMAC-SHA256.

    Parameters
    ----------
    secret : bytes
    """

    def __init__(self, secret: bytes) -> None:
        self._secret = secret
        name = self._mac("name", "")[:8]  # cookies ignore ports: services on one host need different names
        self.visitor_cookie, self.admin_cookie = f"foretaste_{name}", f"foretaste_{name}_admin"

    def _mac(self, purpose: str, text: str) -> str:
        return hmac.new(self._secret, f"{purpose}\n{text}".encode(), hashlib.sha256).hexdigest()

    def sign(self, token: str) -> str:
        """Return the cookie value of a session token."""
        return f"{token}.{self._mac('cookie', token)}"

    def unsign(self, cookie: str | None) -> str | None:
        """Return the session token of a cookie; None if its signature is invalid."""
        token, _, signature = (cookie or "").partition(".")
        is_valid = len(token) == 43 and token.isascii() and signature.isascii()
        return token if is_valid and hmac.compare_digest(signature, self._mac("cookie", token)) else None

    def csrf_token(self, token: str) -> str:
        """Return the CSRF token that belongs to a session token."""
        return self._mac("form", token)

    def check_csrf(self, request: Request, token: str | None, csrf_token: str) -> None:
        """Reject a form that was not sent from a page of this service.

        Raises
        ------
        CsrfError
            If it comes from another origin, without a session cookie, or without its CSRF token.
        """
        origin, site = request.headers.get("origin"), request.headers.get("sec-fetch-site")
        host = request.headers.get("host", "")
        if origin is not None and urlsplit(origin).netloc.lower() != host.lower():
            raise CsrfError("This form was sent from a page elsewhere. Nothing was changed.")
        if site is not None and site not in ("same-origin", "none"):
            raise CsrfError("This form was sent from a page elsewhere. Nothing was changed.")
        is_valid = token is not None and csrf_token.isascii()
        if not is_valid or not hmac.compare_digest(csrf_token, self.csrf_token(token or "")):
            raise CsrfError(
                "This form is too old, or your browser keeps no cookies for this page. Nothing was changed."
            )


def new_token() -> str:
    """Return a random session token of 256 bits."""
    return secrets.token_urlsafe(32)


def is_local_request(request: Request) -> bool:
    """Whether a request comes from this machine: a loopback host name and no proxy headers."""
    proxy_headers = ("forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip", "via")
    name = request.url.hostname or ""
    is_loopback_host = name == "localhost" or is_loopback(name)
    return is_loopback_host and not any(header in request.headers for header in proxy_headers)


def set_cookie(response: Response, request: Request, name: str, value: str, *, is_admin: bool) -> None:
    """Set a session cookie: HttpOnly, and Secure unless the request is local."""
    response.set_cookie(
        name, value, path="/admin" if is_admin else "/", max_age=None if is_admin else VISITOR_MAX_AGE,
        secure=not is_local_request(request), httponly=True, samesite="strict" if is_admin else "lax",
    )  # fmt: skip


def delete_cookie(response: Response, name: str, *, is_admin: bool) -> None:
    """Delete a session cookie."""
    response.delete_cookie(name, path="/admin" if is_admin else "/")
