"""Data sets by name: published ones, fetched when they are first asked for, and the bundled ``sample``."""

from __future__ import annotations

import logging
from importlib.resources import files
from pathlib import Path
from typing import Any

from foretaste._utils.progress import Progress, progress_for
from foretaste.datasets import jester, movielens, sample
from foretaste.datasets.cache import folder_of
from foretaste.datasets.download import fetch_archives, missing
from foretaste.datasets.registry import Archive, DataSet, catalogue, find
from foretaste.errors import NotFound
from foretaste.features import Catalogue
from foretaste.ratings import Ratings

__all__ = ["Archive", "DataSet", "fetch", "info", "is_here", "load", "load_items", "names", "path"]

log = logging.getLogger("foretaste")


def names() -> tuple[str, ...]:
    """Return the names that ``load`` knows."""
    return tuple(catalogue())


def info(name: str) -> DataSet:
    """Return what is known of a data set: figures, terms, addresses, checksums and where they come from.

    Parameters
    ----------
    name : str

    Raises
    ------
    NotFound
        If there is no data set of this name.
    """
    return find(name)


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
    NotFound
        If there is no data set of this name, or its server does not have it any more.
    NotFetched
        If it cannot be fetched.
    BadData
        If an archive is not what was published.
    """
    data_set = find(name)
    if not data_set.archives:
        return sample.ratings()
    folder = fetch_archives(data_set, data_set.holding("ratings"), progress_for(progress))
    ratings: Ratings = _room_of(data_set).ratings(data_set, folder)
    if data_set.exact and len(ratings) != data_set.ratings:
        log.warning(
            "%s: %s ratings were published, %s were read", name, f"{data_set.ratings:,}", f"{len(ratings):,}"
        )
    return ratings


def load_items(name: str, *, progress: bool | Progress = True) -> Catalogue:
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
    NotFound, NotFetched, BadData
        As ``load``.
    """
    data_set = find(name)
    if not data_set.archives:
        return sample.items()
    folder = fetch_archives(data_set, data_set.holding("items"), progress_for(progress))
    items: Catalogue = _room_of(data_set).items(data_set, folder)
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
    NotFound, NotFetched, BadData
        As ``load``.
    """
    data_set = find(name)
    if not data_set.archives:
        return path(name)
    return fetch_archives(data_set, data_set.archives, progress_for(progress))


def is_here(name: str) -> bool:
    """Whether all archives of a data set are on this machine."""
    data_set = find(name)
    return not missing(data_set, data_set.archives)


def path(name: str) -> Path:
    """Return the folder that holds the archives of a data set.

    Parameters
    ----------
    name : str

    Raises
    ------
    NotFound
        If there is no such data set, or it is not on this machine.
    """
    data_set = find(name)
    if not data_set.archives:
        return Path(str(files("foretaste.datasets") / "data"))
    absent = missing(data_set, data_set.archives)
    if absent:
        raise NotFound(
            f"{name} is not on this machine: there is no {absent[0].file} in {folder_of(data_set)}",
            hint=f"foretaste datasets fetch {name}",
        )
    return folder_of(data_set)


def _room_of(data_set: DataSet) -> Any:
    return jester if data_set.name.startswith("jester") else movielens
