"""Who uses the page: visitors, each a new person of the ratings, and administrators with their sessions."""

from __future__ import annotations

import json
import secrets
import time
from dataclasses import dataclass, field

import sqlalchemy as sa

from foretaste.service.api_keys import ApiKey, hash_key
from foretaste.service.db.database import Connection, insert_if_absent
from foretaste.service.db.schema import keys, ratings, sessions, visitors
from foretaste.service.id_codec import IdCodec
from foretaste.service.web.sessions import new_token

SESSION_MAX_AGE = 8 * 3600


@dataclass(frozen=True)
class Visitor:
    """A person of the page.

    Parameters
    ----------
    user : str or None
        Their id in the ratings, as the database holds it; None until they have rated or skipped something.
    skipped_items : tuple of str
        Items that they do not want to be asked about, the last one last.
    shown_predictions : dict of str to float
        The prediction that was last shown to them of an item.
    """

    user: str | None = None
    skipped_items: tuple[str, ...] = ()
    shown_predictions: dict[str, float] = field(default_factory=dict)


def find_visitor(connection: Connection, token: str) -> Visitor:
    """Return who has a token."""
    query = sa.select(visitors.c.user, visitors.c.skipped, visitors.c.shown)
    row = connection.execute(query.where(visitors.c.sha256 == hash_key(token))).one_or_none()
    if row is None:
        return Visitor()
    return Visitor(row.user, tuple(json.loads(row.skipped)), json.loads(row.shown))


def get_or_create_visitor(connection: Connection, codec: IdCodec, token: str) -> Visitor:
    """Return who has a token, as a new person if there is nobody yet; their row is ours until we are done."""
    for _ in range(100):  # until an id is free, which the first one is but for chance
        user = _new_user_id(codec)
        query = sa.select(ratings.c.item).where(ratings.c.user == user).limit(1)
        if connection.execute(query).first() is None:
            break
    values = {
        "user": user, "sha256": hash_key(token), "made_at": int(time.time()), "skipped": "[]", "shown": "{}"
    }  # fmt: skip
    insert_if_absent(connection, visitors, values)
    lock_query = sa.select(visitors.c.user).where(visitors.c.sha256 == hash_key(token)).with_for_update()
    connection.execute(lock_query)
    return find_visitor(connection, token)


def _new_user_id(codec: IdCodec) -> str:
    """Return an id for a new person: below zero where ids are numbers, for those of ratings hardly are."""
    if codec.user_dtype == "int":
        return str(-(10**17) - secrets.randbelow(9 * 10**17))
    return "visitor-" + secrets.token_hex(16)


def set_skipped_items(connection: Connection, user: str, skipped_items: tuple[str, ...]) -> None:
    """Keep which items a visitor has skipped."""
    statement = sa.update(visitors).where(visitors.c.user == user)
    connection.execute(statement.values(skipped=json.dumps(skipped_items)))


def add_shown_predictions(
    connection: Connection, codec: IdCodec, token: str, shown_predictions: dict[str, float]
) -> None:
    """Keep which predictions were shown to a visitor, over what was kept before."""
    visitor = get_or_create_visitor(connection, codec, token)
    statement = sa.update(visitors).where(visitors.c.user == visitor.user)
    connection.execute(statement.values(shown=json.dumps(visitor.shown_predictions | shown_predictions)))


def visitor_of_user(connection: Connection, user: str) -> Visitor:
    """Return what is kept of a person as a visitor of the page; nothing of others."""
    query = sa.select(visitors.c.user, visitors.c.skipped, visitors.c.shown)
    row = connection.execute(query.where(visitors.c.user == user)).one_or_none()
    if row is None:
        return Visitor()
    return Visitor(row.user, tuple(json.loads(row.skipped)), json.loads(row.shown))


def count_visitors(connection: Connection) -> int:
    """Return how many visitors there are."""
    return int(connection.execute(sa.select(sa.func.count()).select_from(visitors)).scalar_one())


# Administrators --------------------------------------------------------------------------------------


def create_session(connection: Connection, key: ApiKey) -> str:
    """Open a session for who has a key; return its token."""
    now, token = int(time.time()), new_token()
    connection.execute(sa.delete(sessions).where(sessions.c.ends_at < now))
    values = {"sha256": hash_key(token), "key": key.id, "made_at": now, "ends_at": now + SESSION_MAX_AGE}
    connection.execute(sa.insert(sessions).values(**values))
    return token


def session_key_name(connection: Connection, token: str) -> str | None:
    """Return the name of the key by which a session was opened.

    None if the session is over, or the key was revoked.
    """
    query = sa.select(keys.c.name).join(sessions, sessions.c.key == keys.c.number)
    query = query.where((sessions.c.sha256 == hash_key(token)) & (sessions.c.ends_at >= int(time.time())))
    key_name: str | None = connection.execute(query.where(keys.c.revoked_at.is_(None))).scalar()
    return key_name


def delete_session(connection: Connection, token: str) -> None:
    """Close a session."""
    connection.execute(sa.delete(sessions).where(sessions.c.sha256 == hash_key(token)))
