"""Keys: 256 random bits, kept as their SHA-256, with a role each."""

from __future__ import annotations

import hashlib
import secrets
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass

import sqlalchemy as sa

from foretaste.errors import InvalidParameterError, NotFoundError
from foretaste.service.db.database import Connection, Database, DatabaseUnavailableError
from foretaste.service.db.schema import keys

ROLES = ("read", "write", "admin")  # each may do what those before it may
_PREFIX = "foretaste_"
_CACHE_TTL = 2.0  # seconds that a worker trusts a key for without asking whether it was revoked
_REFRESH_AFTER = 1.0  # seconds after which it asks anew, while answers go on: else all would wait at once


@dataclass(frozen=True)
class ApiKey:
    """What is known of a key; the key itself is not."""

    id: int
    name: str
    role: str
    created_at: int
    revoked_at: int | None

    def allows(self, role: str) -> bool:
        """Whether this key may do what needs a role."""
        return ROLES.index(self.role) >= ROLES.index(role)


def hash_key(key: str) -> str:
    """Return the SHA-256 of a key, in hexadecimal digits."""
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()


def create_key(connection: Connection, name: str, role: str) -> tuple[str, ApiKey]:
    """Make a key; it is shown this once and never again.

    Raises
    ------
    InvalidParameterError
        If there is no such role.
    """
    if role not in ROLES:
        raise InvalidParameterError(f"role={role!r} is not allowed", hint="one of " + ", ".join(ROLES))
    key = _PREFIX + secrets.token_hex(32)
    values = {"sha256": hash_key(key), "name": name, "role": role, "made_at": int(time.time())}
    key_id = connection.execute(sa.insert(keys).values(**values).returning(keys.c.number)).scalar_one()
    return key, ApiKey(key_id, name, role, values["made_at"], None)  # type: ignore[arg-type]


def list_keys(connection: Connection) -> list[ApiKey]:
    """Return all keys, revoked ones, too."""
    columns = (keys.c.number, keys.c.name, keys.c.role, keys.c.made_at, keys.c.revoked_at)
    return [ApiKey(*row) for row in connection.execute(sa.select(*columns).order_by(keys.c.number))]


def revoke_key(connection: Connection, key_id: int) -> None:
    """Make a key worthless.

    Raises
    ------
    NotFoundError
        If there is no such key.
    InvalidParameterError
        If it is the last one that may do everything.
    """
    keys_by_id = {key.id: key for key in list_keys(connection)}
    if key_id not in keys_by_id:
        raise NotFoundError(f"there is no key {key_id}", hint="GET /api/v1/keys")
    key = keys_by_id[key_id]
    other_admins = [
        k for k in keys_by_id.values() if k.role == "admin" and k.revoked_at is None and k.id != key_id
    ]
    if key.role == "admin" and key.revoked_at is None and not other_admins:
        raise InvalidParameterError("this is the last admin key", hint="make another one first")
    if key.revoked_at is None:
        connection.execute(sa.update(keys).where(keys.c.number == key_id).values(revoked_at=int(time.time())))


class Keyring:
    """Tells whose key one is; what it knows of one is never older than two seconds.

    Parameters
    ----------
    database : Store
    """

    def __init__(self, database: Database) -> None:
        self.database = database
        self._cache: dict[str, tuple[float, ApiKey]] = {}
        self._executor = ThreadPoolExecutor(1, "foretaste-keys")
        self._refreshing: set[str] = set()

    def get_cached(self, key: str) -> ApiKey | None:
        """Return what is known of a key without asking the database; None if it has to be asked."""
        key_hash = hash_key(key)
        cached_at, api_key = self._cache.get(key_hash, (0.0, None))
        age = time.monotonic() - cached_at
        if api_key is None or age >= _CACHE_TTL:
            return None
        if age >= _REFRESH_AFTER and key_hash not in self._refreshing:
            self._refreshing.add(key_hash)
            self._executor.submit(self._refresh, key, key_hash)
        return api_key

    def _refresh(self, key: str, key_hash: str) -> None:
        try:
            with suppress(
                DatabaseUnavailableError
            ):  # then it is asked once more when it is trusted no longer
                self.lookup(key)
        finally:
            self._refreshing.discard(key_hash)

    def close(self) -> None:
        """Wait until nothing is asked any more."""
        self._executor.shutdown()

    def was_valid(self, key: str) -> bool:
        """Whether a key was good when it was looked up last, however long ago."""
        return hash_key(key) in self._cache

    def lookup(self, key: str) -> ApiKey | None:
        """Return what is known of a key; None if it is none of ours, or revoked.

        Raises
        ------
        Unavailable
            If the database does not answer.
        """
        key_hash = hash_key(key)
        columns = (keys.c.number, keys.c.name, keys.c.role, keys.c.made_at, keys.c.revoked_at)
        with self.database.read_connection() as connection:
            row = connection.execute(sa.select(*columns).where(keys.c.sha256 == key_hash)).one_or_none()
        if row is None or row.revoked_at is not None:
            self._cache.pop(key_hash, None)
            return None
        if len(self._cache) > 1000:
            self._cache.clear()
        self._cache[key_hash] = time.monotonic(), ApiKey(*row)
        return self._cache[key_hash][1]

    def clear(self) -> None:
        """Ask the database again at once."""
        self._cache.clear()
