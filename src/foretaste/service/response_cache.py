"""Recommendations that were told before and hold still: remembered, and told again without the framework."""

from __future__ import annotations

import re
import threading
from collections import OrderedDict
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from foretaste.errors import BadData
from foretaste.service.db.rating_store import Moment

if TYPE_CHECKING:
    from foretaste.service.api.dependencies import House

PATH = "/api/v1/recommendations"
DEFAULT_N = 10
_MOST_BYTES = 32_000_000  # of answers that a worker remembers: those of some ten thousand people
_OVERHEAD = 400  # bytes that an entry takes beside its answer, about
_ROUTE = SimpleNamespace(path="/recommendations")  # for the log, as the framework has it
_QUERY = re.compile(rb"user=([0-9A-Za-z_.~-]{1,200})(?:&n=([1-9][0-9]{0,2}|1000))?")
_BEARER = b"Bearer "


class Told:
    """Answers as bytes, the last ones, with the moment that they are of.

    Parameters
    ----------
    most : int
        How many bytes they may take together.
    """

    def __init__(self, most: int = _MOST_BYTES) -> None:
        self.most, self.bytes = most, 0
        self._answers: OrderedDict[tuple[str, int], tuple[Moment, bytes]] = OrderedDict()
        self._changing = threading.Lock()
        self._erasures = 0

    def __len__(self) -> int:
        return len(self._answers)

    def has(self, user: str, n: int) -> bool:
        """Whether something was told, then or now."""
        return (user, n) in self._answers

    def get(self, user: str, n: int, moment: Moment) -> bytes | None:
        """Return what a person was told at this same moment; None if nothing, or something has changed."""
        with self._changing:
            self._heed(moment)
            known = self._answers.get((user, n))
            if known is None or known[0] != moment:
                return None
            self._answers.move_to_end((user, n))
            return known[1]

    def put(self, user: str, n: int, moment: Moment, answer: bytes) -> None:
        """Remember an answer; those that were asked for least lately make room for it."""
        with self._changing:
            self._heed(moment)
            self._drop((user, n))
            if moment.erasures < self._erasures or len(answer) + _OVERHEAD > self.most:
                return
            self._answers[user, n] = moment, answer
            self.bytes += len(answer) + _OVERHEAD
            while self.bytes > self.most:
                self._drop(next(iter(self._answers)))

    def _drop(self, name: tuple[str, int]) -> None:
        known = self._answers.pop(name, None)
        if known is not None:
            self.bytes -= len(known[1]) + _OVERHEAD

    def _heed(self, moment: Moment) -> None:
        """Forget all when somebody's data were deleted, whichever worker did it: theirs may be among it."""
        if moment.erasures > self._erasures:
            self._answers.clear()
            self.bytes, self._erasures = 0, moment.erasures


class Repeats:
    """A layer before the framework that tells recommendations again which hold still.

    Where anything is in doubt (a key not seen for some seconds, a parameter not as usual, another origin),
    the request goes on to the framework, whose answer is the same to the byte.

    Parameters
    ----------
    app : ASGI application
    house : House
    """

    def __init__(self, app: Any, house: House) -> None:
        self.app, self.house = app, house

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer one request, or hand it on."""
        is_asked = scope["type"] == "http" and scope["method"] == "GET" and scope["path"] == PATH
        told = self._told(scope) if is_asked else None
        if told is None:
            await self.app(scope, receive, send)
            return
        scope["route"] = _ROUTE
        headers = [(b"content-length", b"%d" % len(told)), (b"content-type", b"application/json")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": told})

    def _told(self, scope: Any) -> bytes | None:
        asked = _QUERY.fullmatch(scope["query_string"])
        if asked is None or not self._may_read(scope["headers"]):
            return None
        serving = self.house.serving
        if not serving.is_warm:
            return None
        try:
            user = serving.kinds.text(asked[1].decode(), "user")
        except BadData:
            return None
        return serving.repeated(user, int(asked[2] or DEFAULT_N))

    def _may_read(self, headers: list[tuple[bytes, bytes]]) -> bool:
        """Whether there is one key, known without asking the database, and no other origin."""
        given = [value for name, value in headers if name == b"authorization"]
        if len(given) != 1 or not given[0].startswith(_BEARER):
            return False
        if any(name == b"origin" for name, _ in headers):
            return False
        key = self.house.keyring.known(given[0][len(_BEARER) :].decode("latin-1"))
        return key is not None and key.may("read")
