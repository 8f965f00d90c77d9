"""Who is behind a request of the page: signed cookies, form tokens, and where a form was sent from."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import Response

from foretaste.errors import ForetasteError
from foretaste.service.db.database import Store, insert_once
from foretaste.service.db.schema import facts
from foretaste.service.middleware.guard import is_loopback

VISITOR_SECONDS = 180 * 86_400
_FACT = "page_secret"


class Suspect(ForetasteError):
    """A form that was not sent from a page of ours."""

    code = "forbidden"


def secret_of(store: Store) -> bytes:
    """Return the secret that cookies are signed with; it is made when it is first asked for."""
    found = store.facts().get(_FACT)
    if found is None:
        with store.writing() as connection:
            insert_once(connection, facts, {"name": _FACT, "value": secrets.token_hex(32)})
        found = store.facts()[_FACT]
    return bytes.fromhex(found)


class Signer:
    """Makes and checks cookies and form tokens.

    Parameters
    ----------
    secret : bytes
    """

    def __init__(self, secret: bytes) -> None:
        self._secret = secret
        own = self._sign("name", "")[:8]  # cookies do not tell ports apart: two services, two names
        self.visitor, self.admin = f"foretaste_{own}", f"foretaste_{own}_admin"

    def _sign(self, purpose: str, text: str) -> str:
        return hmac.new(self._secret, f"{purpose}\n{text}".encode(), hashlib.sha256).hexdigest()

    def sealed(self, token: str) -> str:
        """Return a token as its cookie holds it."""
        return f"{token}.{self._sign('cookie', token)}"

    def opened(self, cookie: str | None) -> str | None:
        """Return the token of a cookie; None if it is none of ours."""
        token, _, seal = (cookie or "").partition(".")
        good = len(token) == 43 and token.isascii() and seal.isascii()
        return token if good and hmac.compare_digest(seal, self._sign("cookie", token)) else None

    def form_token(self, token: str) -> str:
        """Return what forms must hold that are sent with a cookie."""
        return self._sign("form", token)

    def check_form(self, request: Request, token: str | None, given: str) -> None:
        """Refuse a form that no page of ours has made.

        Raises
        ------
        Suspect
            If it comes from another origin, without a cookie, or without the token that belongs to it.
        """
        origin, site = request.headers.get("origin"), request.headers.get("sec-fetch-site")
        host = request.headers.get("host", "")
        if origin is not None and urlsplit(origin).netloc.lower() != host.lower():
            raise Suspect("This form was sent from a page elsewhere. Nothing was changed.")
        if site is not None and site not in ("same-origin", "none"):
            raise Suspect("This form was sent from a page elsewhere. Nothing was changed.")
        good = token is not None and given.isascii()
        if not good or not hmac.compare_digest(given, self.form_token(token or "")):
            raise Suspect(
                "This form is too old, or your browser keeps no cookies for this page. Nothing was changed."
            )


def new_token() -> str:
    """Return 256 random bits."""
    return secrets.token_urlsafe(32)


def is_local(request: Request) -> bool:
    """Whether a request comes from this machine, by the name it calls and what proxies tell."""
    passed_on = ("forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip", "via")
    name = request.url.hostname or ""
    is_here = name == "localhost" or is_loopback(name)
    return is_here and not any(header in request.headers for header in passed_on)


def put_cookie(response: Response, request: Request, name: str, value: str, *, is_admin: bool) -> None:
    """Let the browser keep a cookie, which no script sees; over https alone where it is not this machine."""
    response.set_cookie(
        name, value, path="/admin" if is_admin else "/", max_age=None if is_admin else VISITOR_SECONDS,
        secure=not is_local(request), httponly=True, samesite="strict" if is_admin else "lax",
    )  # fmt: skip


def drop_cookie(response: Response, name: str, *, is_admin: bool) -> None:
    """Let the browser forget a cookie."""
    response.delete_cookie(name, path="/admin" if is_admin else "/")
