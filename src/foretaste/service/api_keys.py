"""API keys: 256 random bits, stored as SHA-256, with a role each."""

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

_COLUMNS = (keys.c.id, keys.c.name, keys.c.role, keys.c.created_at, keys.c.revoked_at)
ROLES = ("read", "write", "admin")  # each includes those before it
_PREFIX = "foretaste_"
_CACHE_TTL = 2.0  # seconds until a worker checks again whether a key was revoked
_REFRESH_AFTER = 1.0  # seconds until a background refresh, so that requests do not all wait at once


@dataclass(frozen=True)
class ApiKey:
    """A row of the keys table; the key itself is not stored."""

    id: int
    name: str
    role: str
    created_at: int
    revoked_at: int | None

    def allows(self, role: str) -> bool:
        """Whether this key's role includes a role."""
        return ROLES.index(self.role) >= ROLES.index(role)


def hash_key(key: str) -> str:
    """Return the SHA-256 of a key as hexadecimal digits."""
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()


def create_key(connection: Connection, name: str, role: str) -> tuple[str, ApiKey]:
    """Create a key; return it, which is possible only now, and its row.

    Raises
    ------
    InvalidParameterError
        If there is no such role.
    """
    if role not in ROLES:
        raise InvalidParameterError(f"role={role!r} is not allowed", hint="one of " + ", ".join(ROLES))
    key = _PREFIX + secrets.token_hex(32)
    values = {"sha256": hash_key(key), "name": name, "role": role, "created_at": int(time.time())}
    key_id = connection.execute(sa.insert(keys).values(**values).returning(keys.c.id)).scalar_one()
    return key, ApiKey(key_id, name, role, values["created_at"], None)  # type: ignore[arg-type]


def list_keys(connection: Connection) -> list[ApiKey]:
    """Return all keys, including revoked ones."""
    return [ApiKey(*row) for row in connection.execute(sa.select(*_COLUMNS).order_by(keys.c.id))]


def revoke_key(connection: Connection, key_id: int) -> None:
    """Revoke a key.

    Raises
    ------
    NotFoundError
        If there is no such key.
    InvalidParameterError
        If it is the last valid admin key.
    """
    keys_by_id = {key.id: key for key in list_keys(connection)}
    if key_id not in keys_by_id:
        raise NotFoundError(f"there is no key {key_id}", hint="GET /api/v1/keys")
    key = keys_by_id[key_id]
    other_admins = [
        k for k in keys_by_id.values() if k.role == "admin" and k.revoked_at is None and k.id != key_id
    ]
    if key.role == "admin" and key.revoked_at is None and not other_admins:
        raise InvalidParameterError("this is the last admin key", hint="create another one first")
    if key.revoked_at is None:
        connection.execute(sa.update(keys).where(keys.c.id == key_id).values(revoked_at=int(time.time())))


class Keyring:
    """Looks up API keys; a revoked key is accepted for at most two seconds more.

    Parameters
    ----------
    database : Database
    """

    def __init__(self, database: Database) -> None:
        self.database = database
        self._cache: dict[str, tuple[float, ApiKey]] = {}
        self._executor = ThreadPoolExecutor(1, "foretaste-keys")
        self._refreshing: set[str] = set()

    def get_cached(self, key: str) -> ApiKey | None:
        """Return a key from the cache; None if it has to be looked up in the database."""
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
            with suppress(DatabaseUnavailableError):  # looked up again when its cache entry expires
                self.lookup(key)
        finally:
            self._refreshing.discard(key_hash)

    def close(self) -> None:
        """Wait for running refreshes."""
        self._executor.shutdown()

    def was_valid(self, key: str) -> bool:
        """Whether a key was valid at its last lookup, however long ago."""
        return hash_key(key) in self._cache

    def lookup(self, key: str) -> ApiKey | None:
        """Return a key from the database; None if it is unknown or revoked.

        Raises
        ------
        DatabaseUnavailableError
            If the database does not respond.
        """
        key_hash = hash_key(key)
        with self.database.read_connection() as connection:
            row = connection.execute(sa.select(*_COLUMNS).where(keys.c.sha256 == key_hash)).one_or_none()
        if row is None or row.revoked_at is not None:
            self._cache.pop(key_hash, None)
            return None
        if len(self._cache) > 1000:
            self._cache.clear()
        self._cache[key_hash] = time.monotonic(), ApiKey(*row)
        return self._cache[key_hash][1]

    def clear(self) -> None:
        """Clear the cache, so that revocations apply at once."""
        self._cache.clear()
