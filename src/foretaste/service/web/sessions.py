"""Who is behind a request of the page: signed cookies, form tokens, and where a form was sent from."""

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
from foretaste.service.middleware.guard import is_loopback

VISITOR_MAX_AGE = 180 * 86_400
_SECRET_SETTING = "page_secret"


class CsrfError(ForetasteError):
    """A form that was not sent from a page of ours."""

    code = "forbidden"


def load_secret(database: Database) -> bytes:
    """Return the secret that cookies are signed with; it is made when it is first asked for."""
    secret = database.get_settings().get(_SECRET_SETTING)
    if secret is None:
        with database.write_transaction() as connection:
            insert_if_absent(connection, settings, {"name": _SECRET_SETTING, "value": secrets.token_hex(32)})
        secret = database.get_settings()[_SECRET_SETTING]
    return bytes.fromhex(secret)


class CookieSigner:
    """Makes and checks cookies and form tokens.

    Parameters
    ----------
    secret : bytes
    """

    def __init__(self, secret: bytes) -> None:
        self._secret = secret
        name = self._mac("name", "")[:8]  # cookies do not tell ports apart: two services, two names
        self.visitor_cookie, self.admin_cookie = f"foretaste_{name}", f"foretaste_{name}_admin"

    def _mac(self, purpose: str, text: str) -> str:
        return hmac.new(self._secret, f"{purpose}\n{text}".encode(), hashlib.sha256).hexdigest()

    def sign(self, token: str) -> str:
        """Return a token as its cookie holds it."""
        return f"{token}.{self._mac('cookie', token)}"

    def unsign(self, cookie: str | None) -> str | None:
        """Return the token of a cookie; None if it is none of ours."""
        token, _, signature = (cookie or "").partition(".")
        is_valid = len(token) == 43 and token.isascii() and signature.isascii()
        return token if is_valid and hmac.compare_digest(signature, self._mac("cookie", token)) else None

    def csrf_token(self, token: str) -> str:
        """Return what forms must hold that are sent with a cookie."""
        return self._mac("form", token)

    def check_csrf(self, request: Request, token: str | None, csrf_token: str) -> None:
        """Refuse a form that no page of ours has made.

        Raises
        ------
        Suspect
            If it comes from another origin, without a cookie, or without the token that belongs to it.
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
    """Return 256 random bits."""
    return secrets.token_urlsafe(32)


def is_local_request(request: Request) -> bool:
    """Whether a request comes from this machine, by the name it calls and what proxies tell."""
    proxy_headers = ("forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip", "via")
    name = request.url.hostname or ""
    is_loopback_host = name == "localhost" or is_loopback(name)
    return is_loopback_host and not any(header in request.headers for header in proxy_headers)


def set_cookie(response: Response, request: Request, name: str, value: str, *, is_admin: bool) -> None:
    """Let the browser keep a cookie, which no script sees; over https alone where it is not this machine."""
    response.set_cookie(
        name, value, path="/admin" if is_admin else "/", max_age=None if is_admin else VISITOR_MAX_AGE,
        secure=not is_local_request(request), httponly=True, samesite="strict" if is_admin else "lax",
    )  # fmt: skip


def delete_cookie(response: Response, name: str, *, is_admin: bool) -> None:
    """Let the browser forget a cookie."""
    response.delete_cookie(name, path="/admin" if is_admin else "/")
