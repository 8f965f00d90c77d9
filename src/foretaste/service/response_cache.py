"""LRU cache of serialized recommendations, and the middleware that responds from it before FastAPI.

An entry is valid while the ``CacheVersion`` it was computed from is current, so workers need no messages to
each other; the deletion of any user clears the cache.
"""

from __future__ import annotations

import re
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from types import SimpleNamespace
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import sqlite

from foretaste.errors import DataError
from foretaste.service.api_keys import Keyring
from foretaste.service.db.database import Connection, Database
from foretaste.service.db.schema import activations, settings, user_versions
from foretaste.service.id_codec import IdCodec

RECOMMENDATIONS_PATH = "/api/v1/recommendations"
DEFAULT_N = 10
_MAX_BYTES = 32_000_000  # per worker: the responses of about ten thousand users
_ENTRY_OVERHEAD = 400  # approximate bytes of an entry besides its body
_ROUTE = SimpleNamespace(path="/recommendations")  # for the access log, as FastAPI sets it
_QUERY = re.compile(rb"user=([0-9A-Za-z_.~-]{1,200})(?:&n=([1-9][0-9]{0,2}|1000))?")
_BEARER = b"Bearer "
_VERSION_QUERY = sa.select(
    sa.select(user_versions.c.version)
    .where(user_versions.c.user == sa.bindparam("user_id"))
    .scalar_subquery(),
    sa.select(settings.c.value)
    .where(settings.c.name == sa.literal_column("'deletion_count'"))
    .scalar_subquery(),
    sa.select(sa.func.max(activations.c.id)).scalar_subquery(),
)
_VERSION_SQL = str(_VERSION_QUERY.compile(dialect=sqlite.dialect()))


@dataclass(frozen=True)
class CacheVersion:
    """What a user's recommendations depend on: a cached response is valid while its version is current.

    Parameters
    ----------
    user_version : int
        Version of the user's ratings; 0 if they did not change since the import.
    deletion_count : int
        Number of users whose data were deleted.
    activation_id : int
        Id of the latest activation; 0 without a model.
    """

    user_version: int
    deletion_count: int
    activation_id: int

    @classmethod
    def from_row(cls, row: Any) -> CacheVersion:
        """Return the version in a row of ``_VERSION_QUERY``."""
        return cls(row[0] or 0, int(row[1] or 0), row[2] or 0)


def cache_version(connection: Connection, user: str) -> CacheVersion:
    """Return the current cache version of a user."""
    return CacheVersion.from_row(connection.execute(_VERSION_QUERY, {"user_id": user}).one())


def cache_version_nowait(database: Database, user: str) -> CacheVersion | None:
    """Return ``cache_version`` if it can be read without waiting, else None."""
    row = database.fetch_nowait(_VERSION_SQL, (user,))
    return None if row is None else CacheVersion.from_row(row)


class ResponseCache:
    """LRU cache of response bodies by user and list length, with the version each was computed from.

    Parameters
    ----------
    max_bytes : int
        Maximum size of all entries together.
    """

    def __init__(self, max_bytes: int = _MAX_BYTES) -> None:
        self.max_bytes, self.n_bytes = max_bytes, 0
        self._entries: OrderedDict[tuple[str, int], tuple[CacheVersion, bytes]] = OrderedDict()
        self._lock = threading.Lock()
        self._deletion_count = 0

    def __len__(self) -> int:
        return len(self._entries)

    def has(self, user: str, n: int) -> bool:
        """Whether there is an entry, current or not."""
        return (user, n) in self._entries

    def get(self, user: str, n: int, version: CacheVersion) -> bytes | None:
        """Return the body computed from this version, or None."""
        with self._lock:
            self._clear_after_deletion(version)
            entry = self._entries.get((user, n))
            if entry is None or entry[0] != version:
                return None
            self._entries.move_to_end((user, n))
            return entry[1]

    def lookup(self, user: str, n: int, read_version: Callable[[str], CacheVersion | None]) -> bytes | None:
        """Return the body of the current version, or None; the version is read only if there is an entry.

        Parameters
        ----------
        user : str
        n : int
        read_version : callable
            Returns the current version of a user, None if it cannot be read without waiting.
        """
        if not self.has(user, n):
            return None
        version = read_version(user)
        return None if version is None else self.get(user, n, version)

    def put(self, user: str, n: int, version: CacheVersion, body: bytes) -> None:
        """Add an entry; evict the least recently used ones if the cache is full."""
        with self._lock:
            self._clear_after_deletion(version)
            self._remove((user, n))
            if version.deletion_count < self._deletion_count or len(body) + _ENTRY_OVERHEAD > self.max_bytes:
                return
            self._entries[user, n] = version, body
            self.n_bytes += len(body) + _ENTRY_OVERHEAD
            while self.n_bytes > self.max_bytes:
                self._remove(next(iter(self._entries)))

    def _remove(self, key: tuple[str, int]) -> None:
        entry = self._entries.pop(key, None)
        if entry is not None:
            self.n_bytes -= len(entry[1]) + _ENTRY_OVERHEAD

    def _clear_after_deletion(self, version: CacheVersion) -> None:
        """Clear the cache after the deletion of any user by any worker: an entry may be of that user."""
        if version.deletion_count > self._deletion_count:
            self._entries.clear()
            self.n_bytes, self._deletion_count = 0, version.deletion_count


class ResponseCacheMiddleware:
    """ASGI middleware that responds to recommendation requests from the cache.

    In any special case (API key not cached, unusual query string, an ``Origin`` header) the request goes to
    FastAPI, whose response is byte-identical.

    Parameters
    ----------
    app : ASGI application
    responses : ResponseCache
    database : Database
    keyring : Keyring
    id_codec : callable
        Returns the codec, None if it was not loaded yet.
    """

    def __init__(
        self, app: Any, responses: ResponseCache, database: Database, keyring: Keyring,
        id_codec: Callable[[], IdCodec | None],
    ) -> None:  # fmt: skip
        self.app, self.responses, self.keyring, self.id_codec = app, responses, keyring, id_codec
        self._read_version = partial(cache_version_nowait, database)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Respond from the cache, or pass the request on."""
        is_cacheable = (
            scope["type"] == "http" and scope["method"] == "GET" and scope["path"] == RECOMMENDATIONS_PATH
        )
        body = self._cached_body(scope) if is_cacheable else None
        if body is None:
            await self.app(scope, receive, send)
            return
        scope["route"] = _ROUTE
        headers = [(b"content-length", b"%d" % len(body)), (b"content-type", b"application/json")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    def _cached_body(self, scope: Any) -> bytes | None:
        match = _QUERY.fullmatch(scope["query_string"])
        codec = self.id_codec()
        if match is None or codec is None or not self._can_read(scope["headers"]):
            return None
        try:
            user = codec.to_text(match[1].decode(), "user")
        except DataError:
            return None
        return self.responses.lookup(user, int(match[2] or DEFAULT_N), self._read_version)

    def _can_read(self, headers: list[tuple[bytes, bytes]]) -> bool:
        """Whether there is exactly one API key, cached and with read access, and no ``Origin`` header."""
        authorizations = [value for name, value in headers if name == b"authorization"]
        if len(authorizations) != 1 or not authorizations[0].startswith(_BEARER):
            return False
        if any(name == b"origin" for name, _ in headers):
            return False
        key = self.keyring.get_cached(authorizations[0][len(_BEARER) :].decode("latin-1"))
        return key is not None and key.allows("read")
