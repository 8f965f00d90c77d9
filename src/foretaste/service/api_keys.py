"""Keys: 256 random bits, kept as their SHA-256, with a role each."""

from __future__ import annotations

import hashlib
import secrets
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass

import sqlalchemy as sa

from foretaste.errors import InvalidParameter, NotFound
from foretaste.service.db.database import Connection, Store, Unavailable
from foretaste.service.db.schema import keys

ROLES = ("read", "write", "admin")  # each may do what those before it may
_PREFIX = "foretaste_"
_TRUSTED = 2.0  # seconds that a worker trusts a key for without asking whether it was revoked
_ASKED_AGAIN = 1.0  # seconds after which it asks anew, while answers go on: else all would wait at once


@dataclass(frozen=True)
class Key:
    """What is known of a key; the key itself is not."""

    number: int
    name: str
    role: str
    made_at: int
    revoked_at: int | None

    def may(self, role: str) -> bool:
        """Whether this key may do what needs a role."""
        return ROLES.index(self.role) >= ROLES.index(role)


def digest(key: str) -> str:
    """Return the SHA-256 of a key, in hexadecimal digits."""
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()


def make(connection: Connection, name: str, role: str) -> tuple[str, Key]:
    """Make a key; it is shown this once and never again.

    Raises
    ------
    InvalidParameter
        If there is no such role.
    """
    if role not in ROLES:
        raise InvalidParameter(f"role={role!r} is not allowed", hint="one of " + ", ".join(ROLES))
    key = _PREFIX + secrets.token_hex(32)
    values = {"sha256": digest(key), "name": name, "role": role, "made_at": int(time.time())}
    number = connection.execute(sa.insert(keys).values(**values).returning(keys.c.number)).scalar_one()
    return key, Key(number, name, role, values["made_at"], None)  # type: ignore[arg-type]


def listed(connection: Connection) -> list[Key]:
    """Return all keys, revoked ones, too."""
    columns = (keys.c.number, keys.c.name, keys.c.role, keys.c.made_at, keys.c.revoked_at)
    return [Key(*row) for row in connection.execute(sa.select(*columns).order_by(keys.c.number))]


def revoke(connection: Connection, number: int) -> None:
    """Make a key worthless.

    Raises
    ------
    NotFound
        If there is no such key.
    InvalidParameter
        If it is the last one that may do everything.
    """
    known = {key.number: key for key in listed(connection)}
    if number not in known:
        raise NotFound(f"there is no key {number}", hint="GET /api/v1/keys")
    key = known[number]
    others = [k for k in known.values() if k.role == "admin" and k.revoked_at is None and k.number != number]
    if key.role == "admin" and key.revoked_at is None and not others:
        raise InvalidParameter("this is the last admin key", hint="make another one first")
    if key.revoked_at is None:
        connection.execute(sa.update(keys).where(keys.c.number == number).values(revoked_at=int(time.time())))


class Keyring:
    """Tells whose key one is; what it knows of one is never older than two seconds.

    Parameters
    ----------
    store : Store
    """

    def __init__(self, store: Store) -> None:
        self.store = store
        self._known: dict[str, tuple[float, Key]] = {}
        self._asking = ThreadPoolExecutor(1, "foretaste-keys")
        self._asked: set[str] = set()

    def known(self, key: str) -> Key | None:
        """Return what is known of a key without asking the database; None if it has to be asked."""
        name = digest(key)
        at, known = self._known.get(name, (0.0, None))
        age = time.monotonic() - at
        if known is None or age >= _TRUSTED:
            return None
        if age >= _ASKED_AGAIN and name not in self._asked:
            self._asked.add(name)
            self._asking.submit(self._ask_again, key, name)
        return known

    def _ask_again(self, key: str, name: str) -> None:
        try:
            with suppress(Unavailable):  # then it is asked once more when it is trusted no longer
                self.find(key)
        finally:
            self._asked.discard(name)

    def close(self) -> None:
        """Wait until nothing is asked any more."""
        self._asking.shutdown()

    def was_known(self, key: str) -> bool:
        """Whether a key was good when it was looked up last, however long ago."""
        return digest(key) in self._known

    def find(self, key: str) -> Key | None:
        """Return what is known of a key; None if it is none of ours, or revoked.

        Raises
        ------
        Unavailable
            If the database does not answer.
        """
        name = digest(key)
        columns = (keys.c.number, keys.c.name, keys.c.role, keys.c.made_at, keys.c.revoked_at)
        with self.store.reading() as connection:
            row = connection.execute(sa.select(*columns).where(keys.c.sha256 == name)).one_or_none()
        if row is None or row.revoked_at is not None:
            self._known.pop(name, None)
            return None
        if len(self._known) > 1000:
            self._known.clear()
        self._known[name] = time.monotonic(), Key(*row)
        return self._known[name][1]

    def forget(self) -> None:
        """Ask the database again at once."""
        self._known.clear()
