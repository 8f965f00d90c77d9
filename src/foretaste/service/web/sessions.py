"""Session cookies and CSRF protection of the web pages."""

from __future__ import annotations

import hashlib
import secrets
from urllib.parse import urlsplit

from itsdangerous import BadSignature, Signer
from itsdangerous.signer import HMACAlgorithm
from starlette.requests import Request
from starlette.responses import Response

from foretaste.errors import ForetasteError
from foretaste.service.db.database import Database, insert_if_absent
from foretaste.service.db.schema import settings
from foretaste.service.middleware.hosts import is_loopback

VISITOR_MAX_AGE = 180 * 86_400
_COOKIE_SETTING = "cookie_secret"


class CsrfError(ForetasteError):
    """A form that was not sent from a page of this service, or by a browser without its cookie."""

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
    """Signs and verifies session cookies.

    Parameters
    ----------
    secret : bytes
    """

    def __init__(self, secret: bytes) -> None:
        self._secret, self._hmac = secret, HMACAlgorithm(hashlib.sha256)
        self._signer = Signer(secret, salt=b"foretaste.session", algorithm=self._hmac)
        # Cookies ignore ports: services on one host need different names.
        name = self._hmac.get_signature(secret, b"name\n").hex()[:8]
        self.visitor_cookie, self.admin_cookie = f"foretaste_{name}", f"foretaste_{name}_admin"

    def sign(self, token: str) -> str:
        """Return the cookie value of a session token."""
        return self._signer.sign(token).decode()

    def unsign(self, cookie: str | None) -> str | None:
        """Return the session token of a cookie; None if its signature is invalid."""
        try:
            return self._signer.unsign(cookie or "").decode()
        except BadSignature:
            return self._unsign_0_1_0(cookie or "")

    def _unsign_0_1_0(self, cookie: str) -> str | None:
        """Return the session token of a cookie of foretaste 0.1.0, which signed in another format."""
        token, _, signature = cookie.partition(".")
        try:
            digest = bytes.fromhex(signature)
        except ValueError:
            return None
        is_valid = self._hmac.verify_signature(self._secret, f"cookie\n{token}".encode(), digest)
        return token if is_valid else None


async def check_same_origin(request: Request) -> None:
    """Reject a request that may change something unless a page of this service sent it.

    ``Sec-Fetch-Site`` decides where the browser sends it, else ``Origin``, else ``Referer``.

    Raises
    ------
    CsrfError
        If another site sent it, or none of these headers says who did.
    """
    if request.method in ("GET", "HEAD"):
        return
    headers = request.headers
    site, origin = headers.get("sec-fetch-site"), headers.get("origin") or headers.get("referer")
    if site is not None:
        is_allowed = site in ("same-origin", "none")  # none: the user, by a reload for example
    else:
        is_allowed = bool(origin) and _netloc(origin or "") == headers.get("host", "").lower()
    if not is_allowed:
        raise CsrfError("This form was sent from a page elsewhere. Nothing was changed.")


def _netloc(url: str) -> str | None:
    """Return host and port of a URL; None if it is malformed."""
    try:
        return urlsplit(url).netloc.lower()
    except ValueError:
        return None


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
