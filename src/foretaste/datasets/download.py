"""Downloads the archives of a data set into the cache: resumed, retried, verified, complete or not at all.

Connections are urllib3's, the lock between processes is filelock's, the cache folder platformdirs'.
``FILE.partial`` holds the bytes received so far; ``FILE.partial.json`` their URL and the validator (ETag,
else Last-Modified) by which the server recognizes the same file.
"""

from __future__ import annotations

import errno
import functools
import hashlib
import json
import logging
import os
import re
import shutil
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urljoin, urlsplit
from urllib.request import getproxies, proxy_bypass

from foretaste._utils.memory import format_bytes
from foretaste._utils.progress import Progress
from foretaste.datasets.registry import Archive, Dataset
from foretaste.errors import DataError, DownloadError, ForetasteError, InvalidParameterError, NotFoundError

log = logging.getLogger("foretaste")

RETRY_DELAYS = (0.5, 1.0, 2.0, 4.0)  # seconds before each retry that received nothing new
TIMEOUT = 30.0  # seconds without data
_MAX_RETRY_AFTER = 60.0  # seconds
_MAX_REDIRECTS = 10
_CHUNK_BYTES = 1 << 18
_MAX_CHECKSUM_FILE_BYTES = 4096
_MIRROR_HINT = "try again later, or FORETASTE_MIRROR=folder-or-URL that has the archive"


class TransientError(Exception):
    """An error that may not recur on the next attempt; a server may say after how many seconds."""

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


# The cache -----------------------------------------------------------------------------------------------


def cache_folder() -> Path:
    """Return the cache folder: FORETASTE_CACHE, or the default of the platform."""
    from platformdirs import user_cache_path

    configured = os.environ.get("FORETASTE_CACHE")
    return Path(configured).expanduser() if configured else user_cache_path("foretaste", appauthor=False)


def dataset_folder(dataset: Dataset) -> Path:
    """Return the folder of a data set, whether it exists or not."""
    return cache_folder() / "datasets" / dataset.name


def missing_archives(dataset: Dataset, archives: Iterable[Archive]) -> list[Archive]:
    """Return the archives that are not in the cache."""
    folder = dataset_folder(dataset)
    return [archive for archive in archives if not (folder / archive.file).is_file()]


def fetch_archives(dataset: Dataset, archives: Iterable[Archive], progress: Progress) -> Path:
    """Download missing archives into the cache; return its folder.

    Raises
    ------
    InvalidParameterError
        If the folder cannot be written.
    NotFoundError, DownloadError, DataError
        If an archive cannot be downloaded, or differs from the published one.
    """
    folder = dataset_folder(dataset)
    to_download = missing_archives(dataset, archives)
    if to_download:
        with _lock(folder, dataset.name):
            to_download = missing_archives(
                dataset, to_download
            )  # another process may have finished meanwhile
            with _license_shown_once(dataset, folder):
                for archive in to_download:
                    _fetch_archive(archive, folder / archive.file, progress)
    return folder


@contextmanager
def _lock(folder: Path, name: str) -> Iterator[None]:
    """Lock the folder of a data set, created if missing; wait while another process downloads it."""
    from filelock import FileLock, Timeout

    lock = FileLock(folder / ".lock")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=0)
    except Timeout:
        log.info("another process is downloading %s; waiting for it", name)
        lock.acquire()
    except OSError as error:
        raise InvalidParameterError(
            f"cannot store {name} in {folder}: {error.strerror}",
            hint="FORETASTE_CACHE=/another/folder (in the environment)",
        ) from None
    try:
        yield
    finally:
        lock.release()


@contextmanager
def _license_shown_once(dataset: Dataset, folder: Path) -> Iterator[None]:
    """Log the license of a data set before its first download; store it beside the archives afterwards."""
    file = folder / "LICENSE.txt"
    if file.exists():
        yield
        return
    log.info("%s: %s   (%s)", dataset.name, dataset.license, dataset.license_source)
    log.info("%s: cite %s", dataset.name, dataset.citation)
    yield
    lines = [
        f"{dataset.title}\n{dataset.homepage}\n",
        f"License: {dataset.license}\nSource: {dataset.license_source}\nCite: {dataset.citation}\n",
        f"Shown on {datetime.now(UTC):%Y-%m-%d}, when foretaste downloaded it first.\n",
    ]
    try:
        file.write_text("\n".join(lines), encoding="utf-8")
    except OSError as error:  # not fatal: it is logged again next time
        log.warning("%s: its license could not be stored in %s: %s", dataset.name, file, error.strerror)


# One archive ---------------------------------------------------------------------------------------------


def _fetch_archive(archive: Archive, target: Path, progress: Progress) -> None:
    """Download one archive from the first source that has all of it: its owner, or FORETASTE_MIRROR."""
    mirror = os.environ.get("FORETASTE_MIRROR")
    sources: Sequence[str | Path] = archive.urls
    sidecar: str | Path | None = archive.md5_url
    if mirror and re.match(r"https?://", mirror):
        sources, sidecar = (
            [f"{mirror.rstrip('/')}/{archive.file}"],
            f"{mirror.rstrip('/')}/{archive.file}.md5",
        )
    elif mirror:
        folder = Path(mirror).expanduser()
        sources, sidecar = [folder / archive.file], folder / f"{archive.file}.md5"
    errors: list[ForetasteError] = []
    for source in sources:
        if errors:
            log.warning("%s   (next: %s)", errors[-1].message, source)
        try:
            if isinstance(source, Path):
                partial = _copy(archive, source, target, progress)
            else:
                partial = download(source, target, progress, archive.bytes)
            _verify(archive, partial, source, sidecar)
        except (NotFoundError, DownloadError, DataError) as error:
            errors.append(error)
            continue
        with partial.open("rb+") as file:
            os.fsync(file.fileno())  # the bytes must be on disk before the name
        partial.replace(target)
        _discard(partial)
        size = format_bytes(target.stat().st_size)
        log.info("%s: %s from %s, stored in %s", target.name, size, source, target.parent)
        return
    raise errors[0]


def _copy(archive: Archive, source: Path, target: Path, progress: Progress) -> Path:
    """Copy an archive from a mirror folder to ``target.partial``."""
    if not source.is_file():
        raise NotFoundError(
            f"FORETASTE_MIRROR has no {archive.file}: there is no file {source}",
            hint=f"copy it there; it is published at {archive.urls[0]}",
        )
    partial = target.with_name(target.name + ".partial")
    _discard(partial)
    with source.open("rb") as file:
        _append(iter(lambda: file.read(_CHUNK_BYTES), b""), partial, source.stat().st_size, progress)
    return partial


def _verify(archive: Archive, partial: Path, source: str | Path, sidecar: str | Path | None) -> None:
    """Delete the file and raise if it is not the published archive."""
    size = partial.stat().st_size
    if archive.bytes is not None and size != archive.bytes:
        _discard(partial)
        raise DataError(
            f"{archive.file} from {source} has {size:,} bytes, not {archive.bytes:,}; it was removed",
            hint="download it again; open the URL in a browser",
        )
    for name, expected in (archive.checksums or _published_checksums(archive, sidecar)).items():
        with partial.open("rb") as file:
            new_digest = functools.partial(hashlib.new, name, usedforsecurity=False)
            found = hashlib.file_digest(file, new_digest).hexdigest()
        if found != expected:
            _discard(partial)
            raise DataError(
                f"{archive.file} differs from the published file: its {name} is {found}, not {expected}; "
                "it was removed",
                where=f"source: {source}",
                hint="download it again; if that does not help, the file has changed at its source",
            )


def _published_checksums(archive: Archive, sidecar: str | Path | None) -> dict[str, str]:
    """Return the MD5 in the file beside an archive, ``c4d9...  ml-1m.zip`` or the like, if there is one."""
    text = b""
    try:
        if isinstance(sidecar, Path):
            text = sidecar.read_bytes()
        elif sidecar is not None:
            with _open_url(sidecar, {}, TIMEOUT) as response:
                text = response.read(_MAX_CHECKSUM_FILE_BYTES) if response.status == 200 else b""
    except (OSError, TransientError) as error:
        log.debug("%s: %s", sidecar, error)
    found = re.search(rb"\b[0-9a-fA-F]{32}\b", text)
    if found is None:
        log.warning("%s: no published checksum available; the file is not verified", archive.file)
    return {} if found is None else {"md5": found[0].decode().lower()}


# The partial file ----------------------------------------------------------------------------------------


def _metadata_path(partial: Path) -> Path:
    return partial.with_name(partial.name + ".json")


def _size(partial: Path) -> int:
    return partial.stat().st_size if partial.exists() else 0


def _discard(partial: Path) -> None:
    partial.unlink(missing_ok=True)
    _metadata_path(partial).unlink(missing_ok=True)


def _validator(partial: Path, url: str) -> str | None:
    """Return the validator of a partial file, if it came from this URL."""
    try:
        metadata = json.loads(_metadata_path(partial).read_text(encoding="utf-8"))
        validator = metadata["validator"] if metadata["url"] == url else None
    except (OSError, ValueError, LookupError, TypeError):
        return None
    return validator if isinstance(validator, str) else None


def _append(chunks: Iterable[bytes], partial: Path, total: int | None, progress: Progress) -> None:
    """Append chunks to a partial file, with progress."""
    with progress.start_task(partial.stem, total or 0, unit="bytes") as task, _disk_errors(partial):
        received = _size(partial)
        needed = 0 if total is None else total - received
        if needed > shutil.disk_usage(partial.parent).free:
            raise OSError(errno.ENOSPC, f"{format_bytes(needed)} needed")
        task.step(received)
        with partial.open("ab") as file:
            for chunk in chunks:
                file.write(chunk)
                file.flush()  # an interrupted download keeps what it has received
                received += len(chunk)
                task.step(len(chunk), format_bytes(received))


@contextmanager
def _disk_errors(partial: Path) -> Iterator[None]:
    """Translate errors of the file system; that of a full disk tells the free space."""
    try:
        yield
    except ForetasteError:  # DownloadError is an OSError, too
        raise
    except OSError as error:
        message, where = f"cannot write {partial}: {error.strerror}", None
        hint = "FORETASTE_CACHE=/another/folder"
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            free = format_bytes(shutil.disk_usage(partial.parent).free)
            reason = str(error.strerror)
            message = f"{partial.stem} does not fit: {reason[:1].lower()}{reason[1:]}, {free} free"
            where = f"{format_bytes(_size(partial))} of it are in {partial}"
            hint += ", or free disk space and run the same command again"
        raise DownloadError(message, where=where, hint=hint) from None


# HTTP ----------------------------------------------------------------------------------------------------


def download(
    url: str,
    target: Path,
    progress: Progress,
    size: int | None = None,
    *,
    retry_delays: Sequence[float] = RETRY_DELAYS,
    timeout: float = TIMEOUT,
) -> Path:
    """Download a file to ``target.partial``, resuming where an earlier call was interrupted; return its path.

    A server that announces another ``size`` raises before the body is read. ``retry_delays`` are the seconds
    before each retry that received nothing new, ``timeout`` those to wait for data.

    Raises
    ------
    NotFoundError
        If the server has no such file.
    DownloadError
        If the server cannot be reached or fails repeatedly, or the disk is full.
    DataError
        If the server announces another size.
    """
    partial = target.with_name(target.name + ".partial")
    failed_attempts = 0
    while True:
        size_before = _size(partial)
        try:
            _request_rest(url, partial, progress, size, timeout)
            return partial
        except TransientError as error:
            failed_attempts = 0 if _size(partial) > size_before else failed_attempts + 1
            if failed_attempts > len(retry_delays):
                raise DownloadError(
                    f"{url} could not be downloaded: {error}",
                    where=f"{failed_attempts} attempts in a row received nothing; "
                    f"{format_bytes(_size(partial))} are here",
                    hint=f"run the same command again, it resumes; or {_MIRROR_HINT.partition(', or ')[2]}",
                ) from None
            delay = retry_delays[max(0, failed_attempts - 1)]
            if error.retry_after is not None:
                delay = min(error.retry_after, _MAX_RETRY_AFTER)
            log.info("%s: %s; trying again in %g s", target.name, error, delay)
            time.sleep(delay)
        except KeyboardInterrupt:
            received = format_bytes(_size(partial))
            log.info("%s: interrupted; %s received so far are saved", target.name, received)
            raise


def _request_rest(url: str, partial: Path, progress: Progress, size: int | None, timeout: float) -> None:
    """Send one request for what is missing and append the response."""
    validator = _validator(partial, url)
    received = 0 if validator is None else _size(partial)
    headers = {"Range": f"bytes={received}-", "If-Range": str(validator)} if received else {}
    with _open_url(url, headers, timeout) as response:
        total = _total_size(response, received, partial, url)
        if response.status == 416:
            return
        if response.status == 200:
            if received:
                log.info("%s: the server cannot resume; starting from the beginning", partial.stem)
            received = 0
            metadata = json.dumps({"url": url, "validator": _response_validator(response)})
            with _disk_errors(partial):
                _discard(partial)
                _metadata_path(partial).write_text(metadata, encoding="utf-8")
        if size is not None and total is not None and total != size:
            _discard(partial)
            raise DataError(
                f"{url} offers {total:,} bytes; {partial.stem} has {size:,}",
                where="another file, or the page of a proxy",
                hint="open the URL in a browser",
            )
        _append(_iter_body(response, received, total), partial, total, progress)


def _total_size(response: Any, received: int, partial: Path, url: str) -> int | None:
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
        _discard(partial)
        raise TransientError("the server sent another range than requested")
    name = HTTPStatus(status).phrase if status in HTTPStatus._value2member_map_ else "?"
    hint = "FORETASTE_MIRROR, if you have the file"
    if status in (404, 410):
        raise NotFoundError(f"{url} does not exist ({status} {name})", hint=hint)
    if status in (408, 425, 429) or status >= 500:
        seconds = headers.get("Retry-After", "")
        raise TransientError(
            f"the server answered {status} {name}", float(seconds) if seconds.isdigit() else None
        )
    raise DownloadError(f"the server answered {status} {name} for {url}", hint=hint)


def _response_validator(response: Any) -> str | None:
    """Return the strong validator of a response, if it has one."""
    etag: str | None = response.headers.get("ETag")
    last_modified: str | None = response.headers.get("Last-Modified")
    return etag if etag and not etag.startswith("W/") else last_modified


def _iter_body(response: Any, received: int, total: int | None) -> Iterator[bytes]:
    """Yield the body as it arrives; raise if it ends early."""
    # read1 returns what has arrived; stream() buffers a full chunk, which Ctrl-C would lose.
    while chunk := response.read1(_CHUNK_BYTES, decode_content=False):
        received += len(chunk)
        yield chunk
    if total is not None and received != total:
        raise TransientError(f"interrupted after {format_bytes(received)} of {format_bytes(total)}")


@contextmanager
def _open_url(url: str, headers: dict[str, str], timeout: float) -> Iterator[Any]:
    """Request a file and yield the response (of urllib3), its body unread.

    urllib3 would follow a redirect from https to http, on which anybody could replace the content.
    """
    from urllib3.exceptions import HTTPError

    headers = {"User-Agent": "foretaste", "Accept-Encoding": "identity"} | headers
    options = {"redirect": False, "retries": False, "preload_content": False, "timeout": timeout}
    requested_url, response = url, None
    try:
        for _ in range(_MAX_REDIRECTS + 1):
            response = _connection_pool(url).request("GET", url, headers=headers, **options)
            location = response.get_redirect_location()
            if not location:
                break
            response.close()
            url, previous_url = urljoin(url, location), url
            if previous_url.startswith("https:") and not url.startswith("https:"):
                message = f"{requested_url} redirects to {url}, which is not encrypted"
                raise DownloadError(message, hint=_MIRROR_HINT)
        else:
            raise DownloadError(f"{requested_url} redirects too often, last to {url}", hint=_MIRROR_HINT)
        yield response
    except HTTPError as error:
        raise _translate_error(error, url, timeout) from None
    finally:
        if response is not None:
            response.close()


def _connection_pool(url: str) -> Any:
    """Return the connection pool for a URL: direct, or through the proxy of the environment."""
    import urllib3

    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise DownloadError(f"{url} is not an http(s) URL", hint="https://..., or http://...")
    proxies = getproxies()
    proxy = proxies.get(parts.scheme) or proxies.get("all")
    if not proxy or proxy_bypass(parts.netloc.rpartition("@")[2]):
        return urllib3.PoolManager()
    address = urllib3.util.parse_url(proxy if "://" in proxy else f"http://{proxy}")
    proxy_url = address._replace(auth=None).url
    headers = None if address.auth is None else urllib3.make_headers(proxy_basic_auth=unquote(address.auth))
    try:
        return urllib3.ProxyManager(proxy_url, proxy_headers=headers)
    except urllib3.exceptions.ProxySchemeUnknown:
        raise DownloadError(
            f"the proxy {proxy_url} has an unsupported scheme",
            hint=f"{parts.scheme}_proxy=http://host:port (in the environment)",
        ) from None


def _translate_error(error: Exception, url: str, timeout: float) -> DownloadError | TransientError:
    """Translate an exception of urllib3."""
    from urllib3 import exceptions

    host = urlsplit(url).hostname
    reason = str(error).rpartition(": ")[2].strip(" '\")")  # the last part of the message
    if isinstance(error, exceptions.NameResolutionError):
        return DownloadError(f"cannot resolve {host}: no network, or an unknown host", hint=_MIRROR_HINT)
    if isinstance(error, exceptions.SSLError) and "CERTIFICATE_VERIFY_FAILED" in str(error):
        reason = str(error).partition("verify failed: ")[2].partition(" (_ssl")[0] or "it cannot be verified"
        return DownloadError(f"the certificate of {host} is invalid: {reason}", hint=_MIRROR_HINT)
    if isinstance(error, exceptions.LocationParseError):
        return DownloadError(f"{url} is not an http(s) URL", hint="https://..., or http://...")
    if isinstance(error, exceptions.ProxyError):
        return TransientError(f"the proxy cannot reach {host}: {reason}")
    if isinstance(error, exceptions.NewConnectionError):  # also a subclass of TimeoutError
        return TransientError(f"no connection to {host}: {reason}")
    if isinstance(error, exceptions.TimeoutError):
        return TransientError(f"no response from {host} for {timeout:g} s")
    return TransientError("the connection was lost")
