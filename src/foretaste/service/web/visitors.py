"""Visitors of the web pages, each a new user of the ratings, and administrator sessions in the database."""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from foretaste.service.api_keys import ApiKey, hash_token
from foretaste.service.db.database import Connection, insert_if_absent
from foretaste.service.db.schema import keys, ratings, sessions, visitors
from foretaste.service.id_codec import IdCodec
from foretaste.service.web.sessions import new_token

SESSION_MAX_AGE = 8 * 3600
_QUERY = sa.select(visitors.c.user, visitors.c.skipped_items, visitors.c.shown_predictions)


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
    row = connection.execute(_QUERY.where(visitors.c.sha256 == hash_token(token))).one_or_none()
    return Visitor() if row is None else _from_row(row)


def _from_row(row: Any) -> Visitor:
    return Visitor(row.user, tuple(row.skipped_items), row.shown_predictions)


def get_or_create_visitor(connection: Connection, codec: IdCodec, token: str) -> Visitor:
    """Return the visitor with a session token, created if needed; the row stays locked until the commit."""
    for _ in range(100):  # random ids hardly ever collide
        user = _new_user_id(codec)
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


def _new_user_id(codec: IdCodec) -> str:
    """Return an id for a new user: a negative one for integers, as those of datasets hardly ever are."""
    if codec.user_dtype == "int":
        return str(-(10**17) - secrets.randbelow(9 * 10**17))
    return "visitor-" + secrets.token_hex(16)


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
    row = connection.execute(_QUERY.where(visitors.c.user == user)).one_or_none()
    return Visitor() if row is None else _from_row(row)


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
