"""The folder in which fetched archives are kept, one folder a data set, and who may write to it."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from foretaste.datasets.registry import Dataset
from foretaste.errors import InvalidParameterError

log = logging.getLogger("foretaste")

CACHE_VARIABLE = "FORETASTE_CACHE"
LICENSE_FILE = "LICENSE.txt"


def cache_folder() -> Path:
    """Return the folder for all fetched data: FORETASTE_CACHE, or the usual one of the platform."""
    configured = os.environ.get(CACHE_VARIABLE)
    if configured:
        return Path(configured).expanduser()
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "foretaste"
    base_folder = os.environ.get("LOCALAPPDATA" if sys.platform == "win32" else "XDG_CACHE_HOME", "")
    # The standard of XDG says that a path that is not absolute must be ignored.
    return (Path(base_folder) if Path(base_folder).is_absolute() else Path.home() / ".cache") / "foretaste"


def dataset_folder(dataset: Dataset) -> Path:
    """Return the folder of the archives of a data set, whether it exists or not."""
    return cache_folder() / "datasets" / dataset.name


def ensure_folder(dataset: Dataset) -> Path:
    """Return the folder of a data set, made if need be.

    Raises
    ------
    InvalidParameterError
        If it cannot be made or written.
    """
    folder = dataset_folder(dataset)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / ".lock").touch()
    except OSError as error:
        raise InvalidParameterError(
            f"cannot keep {dataset.name} in {folder}: {error.strerror}",
            hint=f"{CACHE_VARIABLE}=/another/folder (in the environment)",
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
def print_license_once(dataset: Dataset, folder: Path) -> Iterator[None]:
    """Say the terms of a data set before it is fetched for the first time; keep them beside it afterwards."""
    file = folder / LICENSE_FILE
    if file.exists():
        yield
        return
    log.info("%s: %s   (%s)", dataset.name, dataset.license, dataset.license_source)
    log.info("%s: cite %s", dataset.name, dataset.citation)
    yield
    lines = [
        dataset.title,
        dataset.homepage,
        "",
        f"Terms: {dataset.license}",
        f"They stand in: {dataset.license_source}",
        f"Cite: {dataset.citation}",
        "",
        f"Shown on {datetime.now(UTC):%Y-%m-%d}, when foretaste fetched it for the first time.",
    ]
    try:
        file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    except OSError as error:  # the archive is there all the same; they are said again the next time
        log.warning("%s: its terms could not be kept in %s: %s", dataset.name, file, error.strerror)
