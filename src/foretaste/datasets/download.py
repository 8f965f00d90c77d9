"""Downloads the archives of a data set into the cache, from their owner or from a mirror."""

from __future__ import annotations

import hashlib
import logging
import os
import re
from collections.abc import Iterable
from pathlib import Path

from foretaste._utils.memory import format_bytes
from foretaste._utils.progress import Progress
from foretaste.datasets.cache import dataset_folder, ensure_folder, lock, print_license_once
from foretaste.datasets.connection import CHUNK_BYTES, TransientError, iter_chunks, open_url
from foretaste.datasets.registry import Archive, Dataset
from foretaste.datasets.transfer import PartialFile, download
from foretaste.errors import DataError, DownloadError, ForetasteError, NotFoundError

log = logging.getLogger("foretaste")

MIRROR_VARIABLE = "FORETASTE_MIRROR"
_MAX_CHECKSUM_FILE_BYTES = 4096


def missing_archives(dataset: Dataset, archives: Iterable[Archive]) -> list[Archive]:
    """Return the archives that are not in the cache."""
    folder = dataset_folder(dataset)
    return [archive for archive in archives if not (folder / archive.file).is_file()]


def fetch_archives(dataset: Dataset, archives: Iterable[Archive], progress: Progress) -> Path:
    """Download missing archives into the cache; return its folder.

    Parameters
    ----------
    dataset : DataSet
    archives : iterable of Archive
    progress : Progress

    Raises
    ------
    NotFoundError, DownloadError, DataError
        If an archive cannot be downloaded, or differs from the published one.
    """
    to_download = missing_archives(dataset, archives)
    if not to_download:
        return dataset_folder(dataset)
    folder = ensure_folder(dataset)
    with lock(folder, dataset.name):
        to_download = missing_archives(dataset, to_download)  # another process may have finished meanwhile
        if to_download:
            with print_license_once(dataset, folder):
                for archive in to_download:
                    _download_archive(archive, PartialFile(folder / archive.file), progress)
    return folder


def mirror() -> str | None:
    """Return FORETASTE_MIRROR: a folder, or a URL prefix of the file names."""
    return os.environ.get(MIRROR_VARIABLE) or None


def _download_archive(archive: Archive, partial: PartialFile, progress: Progress) -> None:
    """Download one archive from the first URL that serves it completely."""
    location = mirror()
    if location is not None and not re.match(r"https?://", location):
        _copy_archive(archive, Path(location).expanduser() / archive.file, partial, progress)
        return
    urls = archive.urls if location is None else (f"{location.rstrip('/')}/{archive.file}",)
    sidecar = archive.md5_url if location is None else f"{urls[0]}.md5"
    errors: list[ForetasteError] = []
    for url in urls:
        if errors:
            log.warning("%s   (next: %s)", errors[-1].message, url)
        try:
            download(url, partial, progress, archive.bytes)
            _verify(archive, partial, url)
            if not archive.checksums:
                _verify_published_checksum(archive, partial, sidecar)
        except (NotFoundError, DownloadError, DataError) as error:
            errors.append(error)
            continue
        _finish_download(partial, url)
        return
    raise errors[0]


def _finish_download(partial: PartialFile, source: str) -> None:
    size = partial.size()
    partial.finish()
    log.info(
        "%s: %s from %s, stored in %s", partial.target.name, format_bytes(size), source, partial.target.parent
    )


def _copy_archive(archive: Archive, source: Path, partial: PartialFile, progress: Progress) -> None:
    """Copy an archive from a mirror folder."""
    if not source.is_file():
        raise NotFoundError(
            f"{MIRROR_VARIABLE} has no {archive.file}: there is no file {source}",
            hint=f"copy it there; it is published at {archive.urls[0]}",
        )
    size = source.stat().st_size
    partial.check_disk_space(size)
    partial.start(str(source), None)
    with (
        progress.start_task(archive.file, size, unit="bytes") as task,
        source.open("rb") as stream,
        partial.open() as file,
    ):
        while chunk := stream.read(CHUNK_BYTES):
            partial.append(file, chunk)
            task.step(len(chunk), format_bytes(size))
    _verify(archive, partial, str(source))
    sidecar = source.with_name(source.name + ".md5")
    if not archive.checksums and sidecar.is_file():
        _verify_checksums(
            partial, {"md5": _parse_md5(sidecar.read_text(encoding="utf-8", errors="replace"))}, sidecar
        )
    _finish_download(partial, str(source))


def _verify(archive: Archive, partial: PartialFile, source: object) -> None:
    """Remove the file and raise if it is not the published archive."""
    size = partial.size()
    if archive.bytes is not None and size != archive.bytes:
        partial.discard()
        raise DataError(
            f"{archive.file} from {source} has {size:,} bytes, not {archive.bytes:,}; it was removed",
            hint="download it again; open the URL in a browser",
        )
    _verify_checksums(partial, dict(archive.checksums), source)


def _verify_checksums(partial: PartialFile, checksums: dict[str, str | None], source: object) -> None:
    digests = {
        name: hashlib.new(name, usedforsecurity=False) for name, expected in checksums.items() if expected
    }
    with partial.path.open("rb") as file:
        while digests and (chunk := file.read(CHUNK_BYTES)):
            for digest in digests.values():
                digest.update(chunk)
    for name, digest in digests.items():
        if digest.hexdigest() != checksums[name]:
            partial.discard()
            raise DataError(
                f"{partial.target.name} differs from the published file: its {name} is {digest.hexdigest()}, "
                f"not {checksums[name]}; it was removed",
                where=f"source: {source}",
                hint="download it again; if that does not help, the file has changed at its source",
            )


def _verify_published_checksum(archive: Archive, partial: PartialFile, sidecar: str | None) -> None:
    """Compare with the checksum that the owner publishes beside the archive, if available."""
    published = None
    if sidecar is not None:
        try:
            published = _parse_md5(_fetch_text_start(sidecar))
        except (TransientError, DownloadError) as error:
            log.debug("%s: %s", sidecar, error)
    if published is None:
        log.warning("%s: no published checksum available; the file is not verified", archive.file)
        return
    _verify_checksums(partial, {"md5": published}, sidecar)


def _fetch_text_start(url: str) -> str:
    """Return the start of a small text; empty if the server has none."""
    start = b""
    with open_url(url, {}) as response:
        for chunk in iter_chunks(response, url) if response.status == 200 else ():
            start += chunk
            if len(start) >= _MAX_CHECKSUM_FILE_BYTES:
                break
    return start.decode(errors="replace")


def _parse_md5(text: str) -> str | None:
    """Return the MD5 in a text like ``MD5 (ml-1m.zip) = c4d9...`` or ``c4d9...  ml-1m.zip``."""
    match = re.search(r"\b[0-9a-fA-F]{32}\b", text)
    return match[0].lower() if match else None
