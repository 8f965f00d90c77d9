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

from foretaste._utils.memory import format_bytes
from foretaste._utils.progress import Progress
from foretaste.datasets.connection import TransientError, iter_chunks, open_url
from foretaste.errors import DataError, DownloadError, NotFoundError

log = logging.getLogger("foretaste")

RETRY_DELAYS = (0.5, 1.0, 2.0, 4.0)  # seconds before each further attempt that brings nothing new
_MAX_RETRY_DELAY = 60.0  # seconds that a server can make one wait
_DISK_FULL_ERRNOS = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_RESUME_HINT = (
    "the same again: it goes on from there; or FORETASTE_MIRROR=folder-or-address that has the archive"
)


class PartialFile:
    """What has come of a file so far, and where from.

    Parameters
    ----------
    target : Path
        The whole file, once it is there; the partial one lies beside it.
    """

    def __init__(self, target: Path) -> None:
        self.target = target
        self.path = target.with_name(target.name + ".partial")
        self._metadata_path = target.with_name(target.name + ".partial.json")

    def size(self) -> int:
        """Return how many bytes have come."""
        return self.path.stat().st_size if self.path.exists() else 0

    def validator(self, url: str) -> str | None:
        """Return the sign by which a server knows the same file, if what is here came from this address."""
        try:
            metadata = json.loads(self._metadata_path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        is_valid = (
            isinstance(metadata, dict)
            and metadata.get("url") == url
            and isinstance(metadata.get("validator"), str)
        )
        return metadata["validator"] if is_valid else None

    def start(self, url: str, validator: str | None) -> None:
        """Start anew."""
        self.discard()
        try:
            self._metadata_path.write_text(json.dumps({"url": url, "validator": validator}), encoding="utf-8")
            self.path.touch()
        except OSError as error:
            raise self.write_error(error) from None

    def open(self) -> FileIO:
        """Open what has come, to write on; nothing is held back in memory."""
        try:
            return self.path.open("ab", buffering=0)
        except OSError as error:
            raise self.write_error(error) from None

    def append(self, file: FileIO, chunk: bytes) -> None:
        """Write on; a full disk is said with what is missing."""
        remaining = memoryview(chunk)
        try:
            while remaining:  # the last bytes before a disk is full are written alone
                remaining = remaining[file.write(remaining) :]
        except OSError as error:
            raise self.write_error(error) from None

    def write_error(self, error: OSError) -> DownloadError:
        """Return the error for a file that cannot be written."""
        if error.errno not in _DISK_FULL_ERRNOS:
            return DownloadError(
                f"cannot write {self.path}: {error.strerror}", hint="FORETASTE_CACHE=/another/folder"
            )
        free = shutil.disk_usage(self.path.parent).free
        return DownloadError(
            f"{self.target.name} does not fit: {str(error.strerror).lower()}, {format_bytes(free)} are free",
            where=f"{format_bytes(self.size())} of it are in {self.path}",
            hint="FORETASTE_CACHE=/another/folder, or make room and give the same command again",
        )

    def check_disk_space(self, needed_bytes: int | None) -> None:
        """Refuse a file for which there is no room on the disk, before it is fetched."""
        free = shutil.disk_usage(self.path.parent).free
        if needed_bytes is not None and needed_bytes > free:
            raise DownloadError(
                f"{self.target.name} does not fit: {format_bytes(needed_bytes)} are needed, {format_bytes(free)} are free",
                where=f"in {self.path.parent}",
                hint="FORETASTE_CACHE=/another/folder, or make room",
            )

    def discard(self) -> None:
        """Remove what has come."""
        self.path.unlink(missing_ok=True)
        self._metadata_path.unlink(missing_ok=True)

    def finish(self) -> None:
        """Give the file its name; a reader never meets a part of it."""
        with self.path.open("rb+") as file:
            os.fsync(file.fileno())  # the name must not be on disk before the bytes are
        self.path.replace(self.target)
        self._metadata_path.unlink(missing_ok=True)


def download(url: str, partial: PartialFile, progress: Progress, size: int | None = None) -> None:
    """Bring a file to its end in ``partial.path``, from where it was cut.

    Parameters
    ----------
    url : str
    partial : Partial
    progress : Progress
    size : int, optional
        How many bytes it must have; a server that offers another number is refused before anything is read.

    Raises
    ------
    NotFoundError
        If the server has no such file.
    DownloadError
        If it cannot be reached, or gives up again and again, or the disk is full.
    DataError
        If the server offers a file of another size.
    """
    failed_attempts = 0
    while True:
        size_before = partial.size()
        try:
            _try_download(url, partial, progress, size)
            return
        except TransientError as error:
            failed_attempts = 0 if partial.size() > size_before else failed_attempts + 1
            if failed_attempts > len(RETRY_DELAYS):
                raise DownloadError(
                    f"{url} could not be fetched: {error}",
                    where=f"{len(RETRY_DELAYS) + 1} attempts in a row brought nothing; "
                    f"{format_bytes(partial.size())} are here",
                    hint=_RESUME_HINT,
                ) from None
            delay = (
                RETRY_DELAYS[max(0, failed_attempts - 1)]
                if error.retry_after is None
                else min(error.retry_after, _MAX_RETRY_DELAY)
            )
            log.info("%s: %s; trying again in %g s", partial.target.name, error, delay)
            time.sleep(delay)
        except KeyboardInterrupt:
            log.info(
                "%s: stopped; the %s that came are kept", partial.target.name, format_bytes(partial.size())
            )
            raise


def _try_download(url: str, partial: PartialFile, progress: Progress, size: int | None) -> None:
    """Ask once, and take what comes."""
    validator = partial.validator(url)
    received = partial.size() if validator is not None else 0
    headers = {"Range": f"bytes={received}-", "If-Range": str(validator)} if received else {}
    with open_url(url, headers) as response:
        total = _total_size(response, received, partial, url)
        if response.status == 416:
            return
        if response.status == 200:
            if received:
                log.info("%s: the server cannot go on where it was cut; starting anew", partial.target.name)
            received = 0
            partial.start(url, _response_validator(response))
        if size is not None and total is not None and total != size:
            partial.discard()
            raise DataError(
                f"{url} offers {total:,} bytes; {partial.target.name} has {size:,}",
                where="another file, or a page of a proxy",
                hint="look at it in a browser",
            )
        partial.check_disk_space(None if total is None else total - received)
        with progress.start_task(partial.target.name, total or 0, unit="bytes") as task:
            task.step(received)
            with partial.open() as file:
                for chunk in iter_chunks(response, url):
                    partial.append(file, chunk)
                    task.step(len(chunk), format_bytes(received := received + len(chunk)))
            if total is not None and received != total:
                raise TransientError(f"cut off after {format_bytes(received)} of {format_bytes(total)}")


def _response_validator(response: Any) -> str | None:
    """Return the strong sign of the file that a server sends, if it gives one."""
    etag: str | None = response.headers.get("ETag")
    last_modified: str | None = response.headers.get("Last-Modified")
    return etag if etag and not etag.startswith("W/") else last_modified


def _total_size(response: Any, received: int, partial: PartialFile, url: str) -> int | None:
    """Return how many bytes the whole file has, by an answer that brings it; any other answer is raised."""
    status, headers = response.status, response.headers
    if status == 200:
        length = headers.get("Content-Length", "")
        return int(length) if length.isdigit() else None
    content_range = re.fullmatch(r"bytes (?:(\d+)-\d+|\*)/(\d+|\*)", headers.get("Content-Range", "").strip())
    if status == 206 and content_range and content_range[1] == str(received):
        return None if content_range[2] == "*" else int(content_range[2])
    if status == 416 and content_range and content_range[2] == str(received):
        return received  # all of it had come already
    if status in (206, 416):
        partial.discard()
        raise TransientError("the server sends another part than was asked for")
    name = HTTPStatus(status).phrase if status in HTTPStatus._value2member_map_ else "?"
    if status in (404, 410):
        raise NotFoundError(
            f"{url} is not there ({status} {name})", hint="FORETASTE_MIRROR, if you have the file"
        )
    if status in (408, 425, 429) or status >= 500:
        retry_after = headers.get("Retry-After", "")
        raise TransientError(
            f"the server says {status} {name}", float(retry_after) if retry_after.isdigit() else None
        )
    raise DownloadError(
        f"the server says {status} {name} of {url}", hint="FORETASTE_MIRROR, if you have the file"
    )
