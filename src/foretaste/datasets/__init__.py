"""Data sets by name: published ones, downloaded on first use, and the bundled ``sample``."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path
from typing import Any

from foretaste._utils.progress import Progress, get_progress
from foretaste.datasets import jester, movielens, sample
from foretaste.datasets.download import dataset_folder, fetch_archives, missing_archives
from foretaste.datasets.registry import Archive, Dataset, get_dataset, load_registry
from foretaste.errors import DataError, NotFoundError
from foretaste.features import ItemCatalog
from foretaste.ratings import Ratings

__all__ = ["Archive", "Dataset", "fetch", "info", "is_downloaded", "load", "load_items", "names", "path"]

log = logging.getLogger("foretaste")


def names() -> tuple[str, ...]:
    """Return the names that ``load`` knows."""
    return tuple(load_registry())


def info(name: str) -> Dataset:
    """Return the registry entry of a data set: sizes, license, URLs, checksums and their sources.

    Parameters
    ----------
    name : str

    Raises
    ------
    NotFoundError
        If there is no data set of this name.
    """
    return get_dataset(name)


def load(name: str, *, progress: bool | Progress = True) -> Ratings:
    """Return the ratings of a data set, downloaded first if need be.

    Parameters
    ----------
    name : str
        ``"sample"`` (bundled: 300 users and 60 jokes, rated from -10 to 10; synthetic, with four latent
        tastes), ``"jester-1"`` to ``"jester-4"``, ``"movielens-100k"``, ``"-1m"``, ``"-10m"``, ``"-20m"``,
        ``"-25m"``, ``"-32m"`` or ``"-latest-small"``.
    progress : bool or Progress
        Whether to show the progress of the download.

    Returns
    -------
    Ratings
        With the published scale, timestamps if there are any, and for MovieLens features of the films
        and (100K and 1M) of the users.

    Raises
    ------
    NotFoundError
        If there is no data set of this name, or its server no longer has it.
    DownloadError
        If it cannot be downloaded.
    DataError
        If an archive is not what was published.
    """
    dataset = get_dataset(name)
    if not dataset.archives:
        return sample.load_ratings()
    folder = fetch_archives(dataset, dataset.archives_with("ratings"), get_progress(progress))
    with _hint_to_download_again(folder):
        ratings: Ratings = _reader_module(dataset).load_ratings(dataset, folder)
    if dataset.is_exact and len(ratings) != dataset.ratings:
        log.warning(
            "%s: %s ratings were published, %s were read", name, f"{dataset.ratings:,}", f"{len(ratings):,}"
        )
    return ratings


def load_items(name: str, *, progress: bool | Progress = True) -> ItemCatalog:
    """Return the item titles of a data set, downloaded first if need be.

    Parameters
    ----------
    name, progress
        As in ``load``.

    Returns
    -------
    ItemCatalog
        The joke texts, or the film titles with ``year``, ``genres`` and the other published columns.

    Raises
    ------
    NotFoundError, DownloadError, DataError
        As ``load``.
    """
    dataset = get_dataset(name)
    if not dataset.archives:
        return sample.load_items()
    folder = fetch_archives(dataset, dataset.archives_with("items"), get_progress(progress))
    with _hint_to_download_again(folder):
        items: ItemCatalog = _reader_module(dataset).load_items(dataset, folder)
    return items


def fetch(name: str, progress: bool | Progress = True) -> Path:
    """Download all archives of a data set that are missing.

    An interrupted download resumes. Processes that need the same data set download it once.

    Parameters
    ----------
    name, progress
        As in ``load``.

    Returns
    -------
    Path
        The folder of the archives.

    Raises
    ------
    NotFoundError, DownloadError, DataError
        As ``load``.
    """
    dataset = get_dataset(name)
    if not dataset.archives:
        return path(name)
    return fetch_archives(dataset, dataset.archives, get_progress(progress))


def is_downloaded(name: str) -> bool:
    """Whether all archives of a data set are downloaded."""
    dataset = get_dataset(name)
    return not missing_archives(dataset, dataset.archives)


def path(name: str) -> Path:
    """Return the folder of the archives of a data set.

    Parameters
    ----------
    name : str

    Raises
    ------
    NotFoundError
        If there is no such data set, or it is not downloaded.
    """
    dataset = get_dataset(name)
    if not dataset.archives:
        return Path(str(files("foretaste.datasets") / "data"))
    absent = missing_archives(dataset, dataset.archives)
    if absent:
        raise NotFoundError(
            f"{name} is not downloaded: there is no {absent[0].file} in {dataset_folder(dataset)}",
            hint=f"foretaste datasets fetch {name}",
        )
    return dataset_folder(dataset)


@contextmanager
def _hint_to_download_again(folder: Path) -> Iterator[None]:
    """Whatever is wrong with an archive of the cache, another download is the fix."""
    try:
        yield
    except (DataError, NotFoundError) as error:
        raise DataError(
            error.message, where=error.where, hint=f"rm -r {folder}, and download it again"
        ) from error


def _reader_module(dataset: Dataset) -> Any:
    return jester if dataset.name.startswith("jester") else movielens
