"""Sessions of the web pages: visitors (each a new user of the ratings), administrators, cookies, CSRF."""

from __future__ import annotations

import hashlib
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import sqlalchemy as sa
from itsdangerous import BadSignature, Signer
from itsdangerous.signer import HMACAlgorithm
from starlette.requests import Request
from starlette.responses import Response

from foretaste.errors import ForetasteError
from foretaste.service.api_keys import ApiKey, hash_token
from foretaste.service.db.database import Connection, Database, insert_if_absent
from foretaste.service.db.schema import keys, ratings, sessions, settings, visitors
from foretaste.service.id_codec import IdCodec
from foretaste.service.middleware.hosts import is_loopback

VISITOR_MAX_AGE = 180 * 86_400
SESSION_MAX_AGE = 8 * 3600
_COOKIE_SETTING = "cookie_secret"
_VISITOR_QUERY = sa.select(visitors.c.user, visitors.c.skipped_items, visitors.c.shown_predictions)


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


# Visitors --------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Visitor:
    """An anonymous visitor.

    Parameters
    ----------
    user : str or None
        User id as text; None until something was rated or skipped.
    skipped_items : tuple of str
        Items not to ask about again, in the order they were skipped.
    shown_predictions : dict of str to float
        The last prediction shown of each item.
    """

    user: str | None = None
    skipped_items: tuple[str, ...] = ()
    shown_predictions: dict[str, float] = field(default_factory=dict)


def find_visitor(connection: Connection, token: str) -> Visitor:
    """Return the visitor with a session token; a new one has no user id."""
    row = connection.execute(_VISITOR_QUERY.where(visitors.c.sha256 == hash_token(token))).one_or_none()
    return _make_visitor(row)


def _make_visitor(row: Any) -> Visitor:
    return Visitor() if row is None else Visitor(row.user, tuple(row.skipped_items), row.shown_predictions)


def new_user_id(codec: IdCodec) -> str:
    """Return an id for a new user: a negative one for integers, as those of datasets hardly ever are."""
    if codec.user_dtype == "int":
        return str(-(10**17) - secrets.randbelow(9 * 10**17))
    return "visitor-" + secrets.token_hex(16)


def get_or_create_visitor(
    connection: Connection, codec: IdCodec, token: str, make_user_id: Callable[[IdCodec], str] = new_user_id
) -> Visitor:
    """Return the visitor with a session token, created if needed; the row stays locked until the commit.

    Parameters
    ----------
    connection : Connection
        From ``write_transaction``.
    codec : IdCodec
    token : str
    make_user_id : callable
        Returns a random id for a new user.
    """
    for _ in range(100):  # random ids hardly ever collide
        user = make_user_id(codec)
        query = sa.select(ratings.c.item).where(ratings.c.user == user).limit(1)
        if connection.execute(query).first() is None:
            break
    values = {
        "user": user, "sha256": hash_token(token), "created_at": int(time.time()), "skipped_items": [],
        "shown_predictions": {},
    }  # fmt: skip
    insert_if_absent(connection, visitors, values)
    lock_query = sa.select(visitors.c.user).where(visitors.c.sha256 == hash_token(token)).with_for_update()
    connection.execute(lock_query)
    return find_visitor(connection, token)


def set_skipped_items(connection: Connection, user: str, skipped_items: tuple[str, ...]) -> None:
    """Store which items a visitor has skipped."""
    statement = sa.update(visitors).where(visitors.c.user == user)
    connection.execute(statement.values(skipped_items=skipped_items))


def add_shown_predictions(
    connection: Connection, codec: IdCodec, token: str, shown_predictions: dict[str, float]
) -> None:
    """Store which predictions were shown to a visitor, replacing older ones of the same items."""
    visitor = get_or_create_visitor(connection, codec, token)
    statement = sa.update(visitors).where(visitors.c.user == visitor.user)
    merged = visitor.shown_predictions | shown_predictions
    connection.execute(statement.values(shown_predictions=merged))


def visitor_of_user(connection: Connection, user: str) -> Visitor:
    """Return the visitor with a user id; an empty one for a user without a session."""
    row = connection.execute(_VISITOR_QUERY.where(visitors.c.user == user)).one_or_none()
    return _make_visitor(row)


def count_visitors(connection: Connection) -> int:
    """Return the number of visitors."""
    return int(connection.execute(sa.select(sa.func.count()).select_from(visitors)).scalar_one())


# Administrators --------------------------------------------------------------------------------------


def create_session(connection: Connection, key: ApiKey) -> str:
    """Create a session for the owner of a key; return its token."""
    now, token = int(time.time()), new_token()
    connection.execute(sa.delete(sessions).where(sessions.c.expires_at < now))
    values = {
        "sha256": hash_token(token), "key_id": key.id, "created_at": now, "expires_at": now + SESSION_MAX_AGE
    }  # fmt: skip
    connection.execute(sa.insert(sessions).values(**values))
    return token


def session_key_name(connection: Connection, token: str) -> str | None:
    """Return the name of a session's key; None if the session expired or the key was revoked."""
    query = sa.select(keys.c.name).join(sessions, sessions.c.key_id == keys.c.id)
    query = query.where(sessions.c.sha256 == hash_token(token), sessions.c.expires_at >= int(time.time()))
    key_name: str | None = connection.execute(query.where(keys.c.revoked_at.is_(None))).scalar()
    return key_name


def delete_session(connection: Connection, token: str) -> None:
    """Delete a session."""
    connection.execute(sa.delete(sessions).where(sessions.c.sha256 == hash_token(token)))
