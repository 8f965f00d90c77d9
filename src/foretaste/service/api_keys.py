"""API keys: 256 random bits, stored as SHA-256, with a role each."""

from __future__ import annotations

import hashlib
import secrets
import time
from dataclasses import dataclass

import sqlalchemy as sa

from foretaste._utils.checks import check_choice
from foretaste.errors import NotFoundError
from foretaste.service.db.database import ConflictError, Connection, Database
from foretaste.service.db.schema import keys

_COLUMNS = (keys.c.id, keys.c.name, keys.c.role, keys.c.created_at, keys.c.revoked_at)
ROLES = ("read", "write", "admin")  # each includes those before it
_PREFIX = "foretaste_"
_MAX_CACHED_KEYS = 1000


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


def hash_token(token: str) -> str:
    """Return the SHA-256 of a key or session token as hexadecimal digits."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def create_key(connection: Connection, name: str, role: str) -> tuple[str, ApiKey]:
    """Create a key; return it, which is possible only now, and its row.

    Raises
    ------
    InvalidParameterError
        If there is no such role.
    """
    check_choice("role", role, ROLES)
    key = _PREFIX + secrets.token_hex(32)
    values = {"sha256": hash_token(key), "name": name, "role": role, "created_at": int(time.time())}
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
    ConflictError
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
        raise ConflictError("this is the last admin key", hint="create another one first")
    if key.revoked_at is None:
        connection.execute(sa.update(keys).where(keys.c.id == key_id).values(revoked_at=int(time.time())))


class Keyring:
    """Looks up API keys; a key that another worker revokes is accepted for ``trust_seconds`` more.

    Parameters
    ----------
    database : Database
    trust_seconds : float
        How long a lookup is valid.
    """

    def __init__(self, database: Database, trust_seconds: float = 2.0) -> None:
        self.database, self.trust_seconds = database, trust_seconds
        self._cache: dict[str, tuple[float, ApiKey]] = {}

    def get_cached(self, key: str) -> ApiKey | None:
        """Return a key from the cache; None if it has to be looked up in the database."""
        cached_at, api_key = self._cache.get(hash_token(key), (0.0, None))
        return api_key if time.monotonic() - cached_at < self.trust_seconds else None

    def was_valid(self, key: str) -> bool:
        """Whether a key was valid at its last lookup, however long ago."""
        return hash_token(key) in self._cache

    def lookup(self, key: str) -> ApiKey | None:
        """Return a key from the database; None if it is unknown or revoked.

        Raises
        ------
        DatabaseUnavailableError
            If the database does not respond.
        """
        key_hash = hash_token(key)
        with self.database.read_connection() as connection:
            row = connection.execute(sa.select(*_COLUMNS).where(keys.c.sha256 == key_hash)).one_or_none()
        if row is None or row.revoked_at is not None:
            self._cache.pop(key_hash, None)
            return None
        if len(self._cache) > _MAX_CACHED_KEYS:
            self._cache.clear()
        self._cache[key_hash] = time.monotonic(), ApiKey(*row)
        return self._cache[key_hash][1]

    def clear(self) -> None:
        """Clear the cache, so that revocations apply at once."""
        self._cache.clear()
