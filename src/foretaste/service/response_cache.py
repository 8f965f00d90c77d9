"""Recommendations that were told before and hold still: remembered, and told again without the framework."""

from __future__ import annotations

import re
import threading
from collections import OrderedDict
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from foretaste.errors import DataError
from foretaste.service.db.rating_store import CacheVersion

if TYPE_CHECKING:
    from foretaste.service.api.dependencies import AppState

RECOMMENDATIONS_PATH = "/api/v1/recommendations"
DEFAULT_N = 10
_MAX_BYTES = 32_000_000  # of answers that a worker remembers: those of some ten thousand people
_ENTRY_OVERHEAD = 400  # bytes that an entry takes beside its answer, about
_ROUTE = SimpleNamespace(path="/recommendations")  # for the log, as the framework has it
_QUERY = re.compile(rb"user=([0-9A-Za-z_.~-]{1,200})(?:&n=([1-9][0-9]{0,2}|1000))?")
_BEARER = b"Bearer "


class ResponseCache:
    """Answers as bytes, the last ones, with the moment that they are of.

    Parameters
    ----------
    max_bytes : int
        How many bytes they may take together.
    """

    def __init__(self, max_bytes: int = _MAX_BYTES) -> None:
        self.max_bytes, self.n_bytes = max_bytes, 0
        self._entries: OrderedDict[tuple[str, int], tuple[CacheVersion, bytes]] = OrderedDict()
        self._lock = threading.Lock()
        self._deletion_count = 0

    def __len__(self) -> int:
        return len(self._entries)

    def has(self, user: str, n: int) -> bool:
        """Whether something was told, then or now."""
        return (user, n) in self._entries

    def get(self, user: str, n: int, version: CacheVersion) -> bytes | None:
        """Return what a person was told at this same moment; None if nothing, or something has changed."""
        with self._lock:
            self._clear_after_deletion(version)
            entry = self._entries.get((user, n))
            if entry is None or entry[0] != version:
                return None
            self._entries.move_to_end((user, n))
            return entry[1]

    def put(self, user: str, n: int, version: CacheVersion, body: bytes) -> None:
        """Remember an answer; those that were asked for least lately make room for it."""
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
        """Forget all when somebody's data were deleted, whichever worker did it: theirs may be among it."""
        if version.deletion_count > self._deletion_count:
            self._entries.clear()
            self.n_bytes, self._deletion_count = 0, version.deletion_count


class ResponseCacheMiddleware:
    """A layer before the framework that tells recommendations again which hold still.

    Where anything is in doubt (a key not seen for some seconds, a parameter not as usual, another origin),
    the request goes on to the framework, whose answer is the same to the byte.

    Parameters
    ----------
    app : ASGI application
    app_state : House
    """

    def __init__(self, app: Any, app_state: AppState) -> None:
        self.app, self.app_state = app, app_state

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer one request, or hand it on."""
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
        if match is None or not self._can_read(scope["headers"]):
            return None
        model_server = self.app_state.model_server
        if not model_server.is_ready:
            return None
        try:
            user = model_server.id_codec.to_text(match[1].decode(), "user")
        except DataError:
            return None
        return model_server.cached_response(user, int(match[2] or DEFAULT_N))

    def _can_read(self, headers: list[tuple[bytes, bytes]]) -> bool:
        """Whether there is one key, known without asking the database, and no other origin."""
        authorizations = [value for name, value in headers if name == b"authorization"]
        if len(authorizations) != 1 or not authorizations[0].startswith(_BEARER):
            return False
        if any(name == b"origin" for name, _ in headers):
            return False
        key = self.app_state.keyring.get_cached(authorizations[0][len(_BEARER) :].decode("latin-1"))
        return key is not None and key.allows("read")
