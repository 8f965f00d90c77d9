"""The cache of downloaded archives: one folder per data set, locked while it is written."""

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
    """Return the cache folder: FORETASTE_CACHE, or the default of the platform."""
    configured = os.environ.get(CACHE_VARIABLE)
    if configured:
        return Path(configured).expanduser()
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "foretaste"
    base_folder = os.environ.get("LOCALAPPDATA" if sys.platform == "win32" else "XDG_CACHE_HOME", "")
    # The XDG specification: a path that is not absolute is ignored.
    return (Path(base_folder) if Path(base_folder).is_absolute() else Path.home() / ".cache") / "foretaste"


def dataset_folder(dataset: Dataset) -> Path:
    """Return the folder of a data set, whether it exists or not."""
    return cache_folder() / "datasets" / dataset.name


def ensure_folder(dataset: Dataset) -> Path:
    """Return the folder of a data set, created if missing.

    Raises
    ------
    InvalidParameterError
        If it cannot be created or written.
    """
    folder = dataset_folder(dataset)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / ".lock").touch()
    except OSError as error:
        raise InvalidParameterError(
            f"cannot store {dataset.name} in {folder}: {error.strerror}",
            hint=f"{CACHE_VARIABLE}=/another/folder (in the environment)",
        ) from None
    return folder


@contextmanager
def lock(folder: Path, name: str) -> Iterator[None]:
    """Lock the folder of a data set; wait, with a log line, while another process downloads it."""
    try:
        import fcntl
    except ImportError:  # Windows: two processes download twice; the last one wins
        yield
        return
    with (folder / ".lock").open("rb+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            log.info("another process is downloading %s; waiting for it", name)
            fcntl.flock(file, fcntl.LOCK_EX)
        yield  # closing the file releases the lock, as does the end of the process


@contextmanager
def print_license_once(dataset: Dataset, folder: Path) -> Iterator[None]:
    """Log the license of a data set before its first download; store it beside the archives afterwards."""
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
        f"License: {dataset.license}",
        f"Source: {dataset.license_source}",
        f"Cite: {dataset.citation}",
        "",
        f"Shown on {datetime.now(UTC):%Y-%m-%d}, when foretaste downloaded it first.",
    ]
    try:
        file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    except OSError as error:  # not fatal: it is logged again next time
        log.warning("%s: its license could not be stored in %s: %s", dataset.name, file, error.strerror)
