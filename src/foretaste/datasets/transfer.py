"""One file over HTTP: resumed where it was cut, tried again where that may help, whole or not at all.

What has come so far lies in ``NAME.partial``; ``NAME.partial.json`` remembers from where, and by which sign
(ETag, else Last-Modified) the server knows that it is still the same file.
"""

from __future__ import annotations

import errno
import json
import logging
import os
import re
import shutil
import time
from http import HTTPStatus
from io import FileIO
from pathlib import Path
from typing import Any

from foretaste._utils.memory import readable
from foretaste._utils.progress import Progress
from foretaste.datasets.connection import PassingFault, chunks, opened
from foretaste.errors import BadData, NotFetched, NotFound

log = logging.getLogger("foretaste")

PAUSES = (0.5, 1.0, 2.0, 4.0)  # seconds before each further attempt that brings nothing new
_LONGEST_PAUSE = 60.0  # seconds that a server can make one wait
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_LATER = "the same again: it goes on from there; or FORETASTE_MIRROR=folder-or-address that has the archive"


class Partial:
    """What has come of a file so far, and where from.

    Parameters
    ----------
    target : Path
        The whole file, once it is there; the partial one lies beside it.
    """

    def __init__(self, target: Path) -> None:
        self.target = target
        self.path = target.with_name(target.name + ".partial")
        self._notes = target.with_name(target.name + ".partial.json")

    def size(self) -> int:
        """Return how many bytes have come."""
        return self.path.stat().st_size if self.path.exists() else 0

    def sign(self, url: str) -> str | None:
        """Return the sign by which a server knows the same file, if what is here came from this address."""
        try:
            notes = json.loads(self._notes.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        known = isinstance(notes, dict) and notes.get("url") == url and isinstance(notes.get("sign"), str)
        return notes["sign"] if known else None

    def begin(self, url: str, sign: str | None) -> None:
        """Start anew."""
        self.discard()
        try:
            self._notes.write_text(json.dumps({"url": url, "sign": sign}), encoding="utf-8")
            self.path.touch()
        except OSError as error:
            raise self.cannot_write(error) from None

    def open(self) -> FileIO:
        """Open what has come, to write on; nothing is held back in memory."""
        try:
            return self.path.open("ab", buffering=0)
        except OSError as error:
            raise self.cannot_write(error) from None

    def append(self, file: FileIO, chunk: bytes) -> None:
        """Write on; a full disk is said with what is missing."""
        rest = memoryview(chunk)
        try:
            while rest:  # the last bytes before a disk is full are written alone
                rest = rest[file.write(rest) :]
        except OSError as error:
            raise self.cannot_write(error) from None

    def cannot_write(self, error: OSError) -> NotFetched:
        """Return the error for a file that cannot be written."""
        if error.errno not in _FULL:
            return NotFetched(
                f"cannot write {self.path}: {error.strerror}", hint="FORETASTE_CACHE=/another/folder"
            )
        free = shutil.disk_usage(self.path.parent).free
        return NotFetched(
            f"{self.target.name} does not fit: {str(error.strerror).lower()}, {readable(free)} are free",
            where=f"{readable(self.size())} of it are in {self.path}",
            hint="FORETASTE_CACHE=/another/folder, or make room and give the same command again",
        )

    def require_space(self, missing: int | None) -> None:
        """Refuse a file for which there is no room on the disk, before it is fetched."""
        free = shutil.disk_usage(self.path.parent).free
        if missing is not None and missing > free:
            raise NotFetched(
                f"{self.target.name} does not fit: {readable(missing)} are needed, {readable(free)} are free",
                where=f"in {self.path.parent}",
                hint="FORETASTE_CACHE=/another/folder, or make room",
            )

    def discard(self) -> None:
        """Remove what has come."""
        self.path.unlink(missing_ok=True)
        self._notes.unlink(missing_ok=True)

    def finish(self) -> None:
        """Give the file its name; a reader never meets a part of it."""
        with self.path.open("rb+") as file:
            os.fsync(file.fileno())  # the name must not be on disk before the bytes are
        self.path.replace(self.target)
        self._notes.unlink(missing_ok=True)


def download(url: str, partial: Partial, show: Progress, size: int | None = None) -> None:
    """Bring a file to its end in ``partial.path``, from where it was cut.

    Parameters
    ----------
    url : str
    partial : Partial
    show : Progress
    size : int, optional
        How many bytes it must have; a server that offers another number is refused before anything is read.

    Raises
    ------
    NotFound
        If the server has no such file.
    NotFetched
        If it cannot be reached, or gives up again and again, or the disk is full.
    BadData
        If the server offers a file of another size.
    """
    idle = 0
    while True:
        before = partial.size()
        try:
            _attempt(url, partial, show, size)
            return
        except PassingFault as fault:
            idle = 0 if partial.size() > before else idle + 1
            if idle > len(PAUSES):
                raise NotFetched(
                    f"{url} could not be fetched: {fault}",
                    where=f"{len(PAUSES) + 1} attempts in a row brought nothing; "
                    f"{readable(partial.size())} are here",
                    hint=_LATER,
                ) from None
            pause = PAUSES[max(0, idle - 1)] if fault.pause is None else min(fault.pause, _LONGEST_PAUSE)
            log.info("%s: %s; trying again in %g s", partial.target.name, fault, pause)
            time.sleep(pause)
        except KeyboardInterrupt:
            log.info("%s: stopped; the %s that came are kept", partial.target.name, readable(partial.size()))
            raise


def _attempt(url: str, partial: Partial, show: Progress, size: int | None) -> None:
    """Ask once, and take what comes."""
    sign = partial.sign(url)
    have = partial.size() if sign is not None else 0
    wanted = {"Range": f"bytes={have}-", "If-Range": str(sign)} if have else {}
    with opened(url, wanted) as response:
        total = _total(response, have, partial, url)
        if response.status == 416:
            return
        if response.status == 200:
            if have:
                log.info("%s: the server cannot go on where it was cut; starting anew", partial.target.name)
            have = 0
            partial.begin(url, _sign(response))
        if size is not None and total is not None and total != size:
            partial.discard()
            raise BadData(
                f"{url} offers {total:,} bytes; {partial.target.name} has {size:,}",
                where="another file, or a page of a proxy",
                hint="look at it in a browser",
            )
        partial.require_space(None if total is None else total - have)
        with show.task(partial.target.name, total or 0, unit="bytes") as task:
            task.step(have)
            with partial.open() as file:
                for chunk in chunks(response, url):
                    partial.append(file, chunk)
                    task.step(len(chunk), readable(have := have + len(chunk)))
            if total is not None and have != total:
                raise PassingFault(f"cut off after {readable(have)} of {readable(total)}")


def _sign(response: Any) -> str | None:
    """Return the strong sign of the file that a server sends, if it gives one."""
    tag: str | None = response.headers.get("ETag")
    changed: str | None = response.headers.get("Last-Modified")
    return tag if tag and not tag.startswith("W/") else changed


def _total(response: Any, have: int, partial: Partial, url: str) -> int | None:
    """Return how many bytes the whole file has, by an answer that brings it; any other answer is raised."""
    status, headers = response.status, response.headers
    if status == 200:
        length = headers.get("Content-Length", "")
        return int(length) if length.isdigit() else None
    part = re.fullmatch(r"bytes (?:(\d+)-\d+|\*)/(\d+|\*)", headers.get("Content-Range", "").strip())
    if status == 206 and part and part[1] == str(have):
        return None if part[2] == "*" else int(part[2])
    if status == 416 and part and part[2] == str(have):
        return have  # all of it had come already
    if status in (206, 416):
        partial.discard()
        raise PassingFault("the server sends another part than was asked for")
    name = HTTPStatus(status).phrase if status in HTTPStatus._value2member_map_ else "?"
    if status in (404, 410):
        raise NotFound(f"{url} is not there ({status} {name})", hint="FORETASTE_MIRROR, if you have the file")
    if status in (408, 425, 429) or status >= 500:
        pause = headers.get("Retry-After", "")
        raise PassingFault(f"the server says {status} {name}", float(pause) if pause.isdigit() else None)
    raise NotFetched(
        f"the server says {status} {name} of {url}", hint="FORETASTE_MIRROR, if you have the file"
    )
