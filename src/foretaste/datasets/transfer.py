"""Downloads one file over HTTP: resumes after an interruption, retries transient errors, is atomic.

``NAME.partial`` holds the bytes received so far; ``NAME.partial.json`` their URL and the validator (ETag,
else Last-Modified) by which the server recognizes the same file.
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

RETRY_DELAYS = (0.5, 1.0, 2.0, 4.0)  # seconds before each retry that received nothing new
_MAX_RETRY_DELAY = 60.0  # seconds; limits Retry-After
_DISK_FULL_ERRNOS = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_RESUME_HINT = (
    "run the same command again, it resumes; or FORETASTE_MIRROR=folder-or-URL that has the archive"
)


class PartialFile:
    """A partially downloaded file and its metadata.

    Parameters
    ----------
    target : Path
        Path of the complete file; the partial one lies beside it.
    """

    def __init__(self, target: Path) -> None:
        self.target = target
        self.path = target.with_name(target.name + ".partial")
        self._metadata_path = target.with_name(target.name + ".partial.json")

    def size(self) -> int:
        """Return the number of bytes received."""
        return self.path.stat().st_size if self.path.exists() else 0

    def validator(self, url: str) -> str | None:
        """Return the validator of the partial file, if it came from this URL."""
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
        """Start from zero bytes."""
        self.discard()
        try:
            self._metadata_path.write_text(json.dumps({"url": url, "validator": validator}), encoding="utf-8")
            self.path.touch()
        except OSError as error:
            raise self.write_error(error) from None

    def open(self) -> FileIO:
        """Open the partial file for appending, unbuffered."""
        try:
            return self.path.open("ab", buffering=0)
        except OSError as error:
            raise self.write_error(error) from None

    def append(self, file: FileIO, chunk: bytes) -> None:
        """Append a chunk; a full disk raises with the free space."""
        remaining = memoryview(chunk)
        try:
            while remaining:  # the last bytes before a full disk are written partially
                remaining = remaining[file.write(remaining) :]
        except OSError as error:
            raise self.write_error(error) from None

    def write_error(self, error: OSError) -> DownloadError:
        """Return the error for a failed write."""
        if error.errno not in _DISK_FULL_ERRNOS:
            return DownloadError(
                f"cannot write {self.path}: {error.strerror}", hint="FORETASTE_CACHE=/another/folder"
            )
        free = shutil.disk_usage(self.path.parent).free
        return DownloadError(
            f"{self.target.name} does not fit: {str(error.strerror).lower()}, {format_bytes(free)} free",
            where=f"{format_bytes(self.size())} of it are in {self.path}",
            hint="FORETASTE_CACHE=/another/folder, or free disk space and run the same command again",
        )

    def check_disk_space(self, needed_bytes: int | None) -> None:
        """Raise before the download if the file does not fit on the disk."""
        free = shutil.disk_usage(self.path.parent).free
        if needed_bytes is not None and needed_bytes > free:
            raise DownloadError(
                f"{self.target.name} does not fit: "
                f"{format_bytes(needed_bytes)} needed, {format_bytes(free)} free",
                where=f"in {self.path.parent}",
                hint="FORETASTE_CACHE=/another/folder, or free disk space",
            )

    def discard(self) -> None:
        """Delete the partial file."""
        self.path.unlink(missing_ok=True)
        self._metadata_path.unlink(missing_ok=True)

    def finish(self) -> None:
        """Rename the complete file to its final name, atomically."""
        with self.path.open("rb+") as file:
            os.fsync(file.fileno())  # the bytes must be on disk before the name
        self.path.replace(self.target)
        self._metadata_path.unlink(missing_ok=True)


def download(url: str, partial: PartialFile, progress: Progress, size: int | None = None) -> None:
    """Download a file into ``partial.path``, resuming where it was interrupted.

    Parameters
    ----------
    url : str
    partial : Partial
    progress : Progress
    size : int, optional
        Expected bytes; a server that announces another size raises before the body is read.

    Raises
    ------
    NotFoundError
        If the server has no such file.
    DownloadError
        If the server cannot be reached or fails repeatedly, or the disk is full.
    DataError
        If the server announces another size.
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
                    f"{url} could not be downloaded: {error}",
                    where=f"{len(RETRY_DELAYS) + 1} attempts in a row received nothing; "
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
                "%s: interrupted; %s received so far are saved",
                partial.target.name,
                format_bytes(partial.size()),
            )
            raise


def _try_download(url: str, partial: PartialFile, progress: Progress, size: int | None) -> None:
    """Send one request and append the response."""
    validator = partial.validator(url)
    received = partial.size() if validator is not None else 0
    headers = {"Range": f"bytes={received}-", "If-Range": str(validator)} if received else {}
    with open_url(url, headers) as response:
        total = _total_size(response, received, partial, url)
        if response.status == 416:
            return
        if response.status == 200:
            if received:
                log.info("%s: the server cannot resume; starting from the beginning", partial.target.name)
            received = 0
            partial.start(url, _response_validator(response))
        if size is not None and total is not None and total != size:
            partial.discard()
            raise DataError(
                f"{url} offers {total:,} bytes; {partial.target.name} has {size:,}",
                where="another file, or the page of a proxy",
                hint="open the URL in a browser",
            )
        partial.check_disk_space(None if total is None else total - received)
        with progress.start_task(partial.target.name, total or 0, unit="bytes") as task:
            task.step(received)
            with partial.open() as file:
                for chunk in iter_chunks(response, url):
                    partial.append(file, chunk)
                    task.step(len(chunk), format_bytes(received := received + len(chunk)))
            if total is not None and received != total:
                raise TransientError(f"interrupted after {format_bytes(received)} of {format_bytes(total)}")


def _response_validator(response: Any) -> str | None:
    """Return the strong validator of a response, if it has one."""
    etag: str | None = response.headers.get("ETag")
    last_modified: str | None = response.headers.get("Last-Modified")
    return etag if etag and not etag.startswith("W/") else last_modified


def _total_size(response: Any, received: int, partial: PartialFile, url: str) -> int | None:
    """Return the total size announced by a successful response; raise for any other."""
    status, headers = response.status, response.headers
    if status == 200:
        length = headers.get("Content-Length", "")
        return int(length) if length.isdigit() else None
    content_range = re.fullmatch(r"bytes (?:(\d+)-\d+|\*)/(\d+|\*)", headers.get("Content-Range", "").strip())
    if status == 206 and content_range and content_range[1] == str(received):
        return None if content_range[2] == "*" else int(content_range[2])
    if status == 416 and content_range and content_range[2] == str(received):
        return received  # it was complete already
    if status in (206, 416):
        partial.discard()
        raise TransientError("the server sent another range than requested")
    name = HTTPStatus(status).phrase if status in HTTPStatus._value2member_map_ else "?"
    if status in (404, 410):
        raise NotFoundError(
            f"{url} does not exist ({status} {name})", hint="FORETASTE_MIRROR, if you have the file"
        )
    if status in (408, 425, 429) or status >= 500:
        retry_after = headers.get("Retry-After", "")
        raise TransientError(
            f"the server answered {status} {name}", float(retry_after) if retry_after.isdigit() else None
        )
    raise DownloadError(
        f"the server answered {status} {name} for {url}", hint="FORETASTE_MIRROR, if you have the file"
    )
