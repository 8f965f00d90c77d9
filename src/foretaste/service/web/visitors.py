"""Who uses the page: visitors, each a new person of the ratings, and administrators with their sessions."""

from __future__ import annotations

import json
import secrets
import time
from dataclasses import dataclass, field

import sqlalchemy as sa

from foretaste.service.api_keys import Key, digest
from foretaste.service.db.database import Connection, insert_once
from foretaste.service.db.schema import keys, ratings, sessions, visitors
from foretaste.service.id_codec import Kinds
from foretaste.service.web.sessions import new_token

SESSION_SECONDS = 8 * 3600


@dataclass(frozen=True)
class Visitor:
    """A person of the page.

    Parameters
    ----------
    user : str or None
        Their id in the ratings, as the database holds it; None until they have rated or skipped something.
    skipped : tuple of str
        Items that they do not want to be asked about, the last one last.
    shown : dict of str to float
        The prediction that was last shown to them of an item.
    """

    user: str | None = None
    skipped: tuple[str, ...] = ()
    shown: dict[str, float] = field(default_factory=dict)


def find(connection: Connection, token: str) -> Visitor:
    """Return who has a token."""
    query = sa.select(visitors.c.user, visitors.c.skipped, visitors.c.shown)
    row = connection.execute(query.where(visitors.c.sha256 == digest(token))).one_or_none()
    if row is None:
        return Visitor()
    return Visitor(row.user, tuple(json.loads(row.skipped)), json.loads(row.shown))


def take_in(connection: Connection, kinds: Kinds, token: str) -> Visitor:
    """Return who has a token, as a new person if there is nobody yet; their row is ours until we are done."""
    for _ in range(100):  # until an id is free, which the first one is but for chance
        user = _new_id(kinds)
        taken = sa.select(ratings.c.item).where(ratings.c.user == user).limit(1)
        if connection.execute(taken).first() is None:
            break
    values = {
        "user": user, "sha256": digest(token), "made_at": int(time.time()), "skipped": "[]", "shown": "{}"
    }  # fmt: skip
    insert_once(connection, visitors, values)
    locked = sa.select(visitors.c.user).where(visitors.c.sha256 == digest(token)).with_for_update()
    connection.execute(locked)
    return find(connection, token)


def _new_id(kinds: Kinds) -> str:
    """Return an id for a new person: below zero where ids are numbers, for those of ratings hardly are."""
    if kinds.user == "number":
        return str(-(10**17) - secrets.randbelow(9 * 10**17))
    return "visitor-" + secrets.token_hex(16)


def keep_skipped(connection: Connection, user: str, skipped: tuple[str, ...]) -> None:
    """Keep which items a visitor has skipped."""
    changed = sa.update(visitors).where(visitors.c.user == user)
    connection.execute(changed.values(skipped=json.dumps(skipped)))


def keep_shown(connection: Connection, kinds: Kinds, token: str, shown: dict[str, float]) -> None:
    """Keep which predictions were shown to a visitor, over what was kept before."""
    visitor = take_in(connection, kinds, token)
    changed = sa.update(visitors).where(visitors.c.user == visitor.user)
    connection.execute(changed.values(shown=json.dumps(visitor.shown | shown)))


def of_user(connection: Connection, user: str) -> Visitor:
    """Return what is kept of a person as a visitor of the page; nothing of others."""
    query = sa.select(visitors.c.user, visitors.c.skipped, visitors.c.shown)
    row = connection.execute(query.where(visitors.c.user == user)).one_or_none()
    if row is None:
        return Visitor()
    return Visitor(row.user, tuple(json.loads(row.skipped)), json.loads(row.shown))


def count(connection: Connection) -> int:
    """Return how many visitors there are."""
    return int(connection.execute(sa.select(sa.func.count()).select_from(visitors)).scalar_one())


# Administrators --------------------------------------------------------------------------------------


def sign_in(connection: Connection, key: Key) -> str:
    """Open a session for who has a key; return its token."""
    now, token = int(time.time()), new_token()
    connection.execute(sa.delete(sessions).where(sessions.c.ends_at < now))
    values = {"sha256": digest(token), "key": key.number, "made_at": now, "ends_at": now + SESSION_SECONDS}
    connection.execute(sa.insert(sessions).values(**values))
    return token


def signed_in(connection: Connection, token: str) -> str | None:
    """Return the name of the key by which a session was opened.

    None if the session is over, or the key was revoked.
    """
    query = sa.select(keys.c.name).join(sessions, sessions.c.key == keys.c.number)
    query = query.where((sessions.c.sha256 == digest(token)) & (sessions.c.ends_at >= int(time.time())))
    found: str | None = connection.execute(query.where(keys.c.revoked_at.is_(None))).scalar()
    return found


def sign_out(connection: Connection, token: str) -> None:
    """Close a session."""
    connection.execute(sa.delete(sessions).where(sessions.c.sha256 == digest(token)))
