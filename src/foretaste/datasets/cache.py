"""The folder in which fetched archives are kept, one folder a data set, and who may write to it."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from foretaste.datasets.registry import DataSet
from foretaste.errors import InvalidParameter

log = logging.getLogger("foretaste")

VARIABLE = "FORETASTE_CACHE"
LICENCE = "LICENCE.txt"


def cache_folder() -> Path:
    """Return the folder for all fetched data: FORETASTE_CACHE, or the usual one of the platform."""
    chosen = os.environ.get(VARIABLE)
    if chosen:
        return Path(chosen).expanduser()
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "foretaste"
    usual = os.environ.get("LOCALAPPDATA" if sys.platform == "win32" else "XDG_CACHE_HOME", "")
    # The standard of XDG says that a path that is not absolute must be ignored.
    return (Path(usual) if Path(usual).is_absolute() else Path.home() / ".cache") / "foretaste"


def folder_of(data_set: DataSet) -> Path:
    """Return the folder of the archives of a data set, whether it exists or not."""
    return cache_folder() / "datasets" / data_set.name


def made_folder(data_set: DataSet) -> Path:
    """Return the folder of a data set, made if need be.

    Raises
    ------
    InvalidParameter
        If it cannot be made or written.
    """
    folder = folder_of(data_set)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / ".lock").touch()
    except OSError as error:
        raise InvalidParameter(
            f"cannot keep {data_set.name} in {folder}: {error.strerror}",
            hint=f"{VARIABLE}=/another/folder (in the environment)",
        ) from None
    return folder


@contextmanager
def lock(folder: Path, name: str) -> Iterator[None]:
    """Keep other processes from fetching the same data set; wait, and say so, if one does already."""
    try:
        import fcntl
    except ImportError:  # Windows: a second process fetches the same again; the last one's file stays
        yield
        return
    with (folder / ".lock").open("rb+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            log.info("another process is fetching %s; waiting for it", name)
            fcntl.flock(file, fcntl.LOCK_EX)
        yield  # closing the file gives the lock back, as does the end of the process


@contextmanager
def licence_said(data_set: DataSet, folder: Path) -> Iterator[None]:
    """Say the terms of a data set before it is fetched for the first time; keep them beside it afterwards."""
    file = folder / LICENCE
    if file.exists():
        yield
        return
    log.info("%s: %s   (%s)", data_set.name, data_set.licence, data_set.licence_source)
    log.info("%s: cite %s", data_set.name, data_set.citation)
    yield
    lines = [
        data_set.title,
        data_set.page,
        "",
        f"Terms: {data_set.licence}",
        f"They stand in: {data_set.licence_source}",
        f"Cite: {data_set.citation}",
        "",
        f"Shown on {datetime.now(UTC):%Y-%m-%d}, when foretaste fetched it for the first time.",
    ]
    try:
        file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    except OSError as error:  # the archive is there all the same; they are said again the next time
        log.warning("%s: its terms could not be kept in %s: %s", data_set.name, file, error.strerror)
