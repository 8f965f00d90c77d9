"""Data sets by name: published ones, fetched when they are first asked for, and the bundled ``sample``."""

from __future__ import annotations

import logging
from importlib.resources import files
from pathlib import Path
from typing import Any

from foretaste._utils.progress import Progress, get_progress
from foretaste.datasets import jester, movielens, sample
from foretaste.datasets.cache import dataset_folder
from foretaste.datasets.download import fetch_archives, missing_archives
from foretaste.datasets.registry import Archive, Dataset, get_dataset, load_registry
from foretaste.errors import NotFoundError
from foretaste.features import ItemCatalog
from foretaste.ratings import Ratings

__all__ = ["Archive", "Dataset", "fetch", "info", "is_downloaded", "load", "load_items", "names", "path"]

log = logging.getLogger("foretaste")


def names() -> tuple[str, ...]:
    """Return the names that ``load`` knows."""
    return tuple(load_registry())


def info(name: str) -> Dataset:
    """Return what is known of a data set: figures, terms, addresses, checksums and where they come from.

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
    """Return the ratings of a data set, fetched first if they are not on this machine.

    Parameters
    ----------
    name : str
        ``"sample"`` (bundled: about 300 people and 60 jokes, rated from -10 to 10; generated, with planted
        tastes), ``"jester-1"`` to ``"jester-4"``, ``"movielens-100k"``, ``"-1m"``, ``"-10m"``, ``"-20m"``,
        ``"-25m"``, ``"-32m"`` or ``"-latest-small"``.
    progress : bool or Progress
        Whether to show how far fetching is.

    Returns
    -------
    Ratings
        With the scale declared that was published, times where there are any, and, of MovieLens, features
        of the films and (100K and 1M) of the users.

    Raises
    ------
    NotFoundError
        If there is no data set of this name, or its server does not have it any more.
    DownloadError
        If it cannot be fetched.
    DataError
        If an archive is not what was published.
    """
    dataset = get_dataset(name)
    if not dataset.archives:
        return sample.load_ratings()
    folder = fetch_archives(dataset, dataset.archives_with("ratings"), get_progress(progress))
    ratings: Ratings = _reader_module(dataset).load_ratings(dataset, folder)
    if dataset.is_exact and len(ratings) != dataset.ratings:
        log.warning(
            "%s: %s ratings were published, %s were read", name, f"{dataset.ratings:,}", f"{len(ratings):,}"
        )
    return ratings


def load_items(name: str, *, progress: bool | Progress = True) -> ItemCatalog:
    """Return what the items of a data set are called, fetched first if it is not on this machine.

    Parameters
    ----------
    name, progress
        As in ``load``.

    Returns
    -------
    Catalogue
        The texts of jokes, or the titles of films with ``year``, ``genres`` and what else is published.

    Raises
    ------
    NotFoundError, DownloadError, DataError
        As ``load``.
    """
    dataset = get_dataset(name)
    if not dataset.archives:
        return sample.load_items()
    folder = fetch_archives(dataset, dataset.archives_with("items"), get_progress(progress))
    items: ItemCatalog = _reader_module(dataset).load_items(dataset, folder)
    return items


def fetch(name: str, progress: bool | Progress = True) -> Path:
    """Bring all archives of a data set to this machine, if they are not here.

    A fetch that was cut off goes on where it was. Two processes that fetch the same do so once.

    Parameters
    ----------
    name, progress
        As in ``load``.

    Returns
    -------
    Path
        The folder that holds them.

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
    """Whether all archives of a data set are on this machine."""
    dataset = get_dataset(name)
    return not missing_archives(dataset, dataset.archives)


def path(name: str) -> Path:
    """Return the folder that holds the archives of a data set.

    Parameters
    ----------
    name : str

    Raises
    ------
    NotFoundError
        If there is no such data set, or it is not on this machine.
    """
    dataset = get_dataset(name)
    if not dataset.archives:
        return Path(str(files("foretaste.datasets") / "data"))
    absent = missing_archives(dataset, dataset.archives)
    if absent:
        raise NotFoundError(
            f"{name} is not on this machine: there is no {absent[0].file} in {dataset_folder(dataset)}",
            hint=f"foretaste datasets fetch {name}",
        )
    return dataset_folder(dataset)


def _reader_module(dataset: Dataset) -> Any:
    return jester if dataset.name.startswith("jester") else movielens
