"""Bringing the archives of a data set into the cache: from their owner, or from a mirror."""

from __future__ import annotations

import hashlib
import logging
import os
import re
from collections.abc import Iterable
from pathlib import Path

from foretaste._utils.memory import readable
from foretaste._utils.progress import Progress
from foretaste.datasets.cache import folder_of, licence_said, lock, made_folder
from foretaste.datasets.connection import CHUNK, PassingFault, chunks, opened
from foretaste.datasets.registry import Archive, DataSet
from foretaste.datasets.transfer import Partial, download
from foretaste.errors import BadData, ForetasteError, NotFetched, NotFound

log = logging.getLogger("foretaste")

VARIABLE = "FORETASTE_MIRROR"
_LONGEST_CHECKSUM_FILE = 4096


def missing(data_set: DataSet, archives: Iterable[Archive]) -> list[Archive]:
    """Return those archives that are not in the cache."""
    folder = folder_of(data_set)
    return [archive for archive in archives if not (folder / archive.file).is_file()]


def fetch_archives(data_set: DataSet, archives: Iterable[Archive], show: Progress) -> Path:
    """Bring archives that are not there yet into the cache; return the folder that they are in.

    Parameters
    ----------
    data_set : DataSet
    archives : iterable of Archive
    show : Progress

    Raises
    ------
    NotFound, NotFetched, BadData
        If an archive cannot be had, or is not the one that was published.
    """
    wanted = missing(data_set, archives)
    if not wanted:
        return folder_of(data_set)
    folder = made_folder(data_set)
    with lock(folder, data_set.name):
        wanted = missing(data_set, wanted)  # another process may have brought them meanwhile
        if wanted:
            with licence_said(data_set, folder):
                for archive in wanted:
                    _bring(archive, Partial(folder / archive.file), show)
    return folder


def mirror() -> str | None:
    """Return what FORETASTE_MIRROR names: a folder, or an address that ends before the file names."""
    return os.environ.get(VARIABLE) or None


def _bring(archive: Archive, partial: Partial, show: Progress) -> None:
    """Bring one archive, from the first place that gives it whole."""
    place = mirror()
    if place is not None and not re.match(r"https?://", place):
        _copy(archive, Path(place).expanduser() / archive.file, partial, show)
        return
    urls = archive.urls if place is None else (f"{place.rstrip('/')}/{archive.file}",)
    sidecar = archive.md5_url if place is None else f"{urls[0]}.md5"
    errors: list[ForetasteError] = []
    for url in urls:
        if errors:
            log.warning("%s   (next: %s)", errors[-1].message, url)
        try:
            download(url, partial, show, archive.bytes)
            _check(archive, partial, url)
            if not archive.checksums:
                _check_published(archive, partial, sidecar)
        except (NotFound, NotFetched, BadData) as error:
            errors.append(error)
            continue
        _finish(partial, url)
        return
    raise errors[0]


def _finish(partial: Partial, source: str) -> None:
    size = partial.size()
    partial.finish()
    log.info("%s: %s from %s, kept in %s", partial.target.name, readable(size), source, partial.target.parent)


def _copy(archive: Archive, source: Path, partial: Partial, show: Progress) -> None:
    """Bring an archive from a folder."""
    if not source.is_file():
        raise NotFound(
            f"{VARIABLE} has no {archive.file}: there is no file {source}",
            hint=f"put it there; it is published at {archive.urls[0]}",
        )
    size = source.stat().st_size
    partial.require_space(size)
    partial.begin(str(source), None)
    with (
        show.task(archive.file, size, unit="bytes") as task,
        source.open("rb") as read,
        partial.open() as file,
    ):
        while chunk := read.read(CHUNK):
            partial.append(file, chunk)
            task.step(len(chunk), readable(size))
    _check(archive, partial, str(source))
    sidecar = source.with_name(source.name + ".md5")
    if not archive.checksums and sidecar.is_file():
        _compare(partial, {"md5": _digest_in(sidecar.read_text(encoding="utf-8", errors="replace"))}, sidecar)
    _finish(partial, str(source))


def _check(archive: Archive, partial: Partial, source: object) -> None:
    """Refuse and remove what is not the archive that was published."""
    size = partial.size()
    if archive.bytes is not None and size != archive.bytes:
        partial.discard()
        raise BadData(
            f"{archive.file} from {source} has {size:,} bytes, not {archive.bytes:,}; it was removed",
            hint="fetch it again; look at the address in a browser",
        )
    _compare(partial, dict(archive.checksums), source)


def _compare(partial: Partial, checksums: dict[str, str | None], source: object) -> None:
    digests = {name: hashlib.new(name, usedforsecurity=False) for name, wanted in checksums.items() if wanted}
    with partial.path.open("rb") as file:
        while digests and (chunk := file.read(CHUNK)):
            for digest in digests.values():
                digest.update(chunk)
    for name, digest in digests.items():
        if digest.hexdigest() != checksums[name]:
            partial.discard()
            raise BadData(
                f"{partial.target.name} is not the published file: its {name} is {digest.hexdigest()}, "
                f"not {checksums[name]}; it was removed",
                where=f"it came from {source}",
                hint="fetch it again; if that does not help, the file was changed where it came from",
            )


def _check_published(archive: Archive, partial: Partial, sidecar: str | None) -> None:
    """Compare with the checksum that the owner publishes beside the archive, if it can be had."""
    wanted = None
    if sidecar is not None:
        try:
            wanted = _digest_in(_start_of(sidecar))
        except (PassingFault, NotFetched) as error:
            log.debug("%s: %s", sidecar, error)
    if wanted is None:
        log.warning("%s: no published checksum could be had; it is not checked", archive.file)
        return
    _compare(partial, {"md5": wanted}, sidecar)


def _start_of(url: str) -> str:
    """Return the start of a small text; nothing if the server has none."""
    start = b""
    with opened(url, {}) as response:
        for chunk in chunks(response, url) if response.status == 200 else ():
            start += chunk
            if len(start) >= _LONGEST_CHECKSUM_FILE:
                break
    return start.decode(errors="replace")


def _digest_in(text: str) -> str | None:
    """Return the md5 in a text like ``MD5 (ml-1m.zip) = c4d9...`` or ``c4d9...  ml-1m.zip``."""
    found = re.search(r"\b[0-9a-fA-F]{32}\b", text)
    return found[0].lower() if found else None
