"""What is known of each published data set: read from ``registry.toml``, never from the network."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from foretaste.errors import NotFoundError, did_you_mean


@dataclass(frozen=True)
class Archive:
    """One file that a data set is published in.

    Parameters
    ----------
    file : str
        Its name.
    contents : {"ratings", "items", "both"}
    urls : tuple of str
        Where it is published; tried in this order.
    bytes : int, optional
        Its size.
    md5, sha256 : str, optional
        Its checksums.
    md5_url : str, optional
        Where its owner publishes the checksum.
    checksum_source : str, optional
        Where size and checksums come from.
    """

    file: str
    contents: str
    urls: tuple[str, ...]
    bytes: int | None = None
    md5: str | None = None
    sha256: str | None = None
    md5_url: str | None = None
    checksum_source: str | None = None

    @property
    def checksums(self) -> dict[str, str]:
        """The checksums that are known, by the name of their algorithm."""
        known = {"md5": self.md5, "sha256": self.sha256}
        return {name: value for name, value in known.items() if value is not None}


@dataclass(frozen=True)
class Dataset:
    """A data set of the catalogue.

    Parameters
    ----------
    name, title : str
    ratings, users, items : int
        As published. Users and items that have no rating are counted where the owner counts them.
    is_exact : bool
        Whether ``ratings`` is the exact number.
    scale : (low, high)
        As published, in rating units.
    scale_is_declared : bool
        Whether all ratings are known to lie inside it, so that it can be declared.
    item_column : str
        What its ids of items are called: ``movieId``, ``jokeId``.
    extra_contents : str
        What it holds beside users, items and ratings.
    license, license_source, citation, homepage : str
        Its terms, where they stand, what to cite, and the owner's page.
    is_verified : bool
        Whether the archive of the checksum given here was read and its figures found.
    verification, url_source : str
        What has been checked, and where the addresses come from.
    archives : tuple of Archive
        None for the data set that comes with the package.
    """

    name: str
    title: str
    ratings: int
    is_exact: bool
    users: int
    items: int
    scale: tuple[float, float]
    scale_is_declared: bool
    item_column: str
    extra_contents: str
    license: str
    license_source: str
    citation: str
    homepage: str
    is_verified: bool
    verification: str
    url_source: str
    archives: tuple[Archive, ...] = ()

    def archives_with(self, contents: str) -> tuple[Archive, ...]:
        """Return the archives that hold ``"ratings"`` or ``"items"``."""
        return tuple(archive for archive in self.archives if archive.contents in (contents, "both"))


@cache
def load_registry() -> dict[str, Dataset]:
    """Return all data sets by name, in the order of the file."""
    text = (files("foretaste.datasets") / "registry.toml").read_text(encoding="utf-8")
    return {entry["name"]: _parse_entry(entry) for entry in tomllib.loads(text)["dataset"]}


def _parse_entry(entry: dict[str, Any]) -> Dataset:
    archives = tuple(Archive(**{**a, "urls": tuple(a["urls"])}) for a in entry.pop("archive", []))
    low, high = entry.pop("scale")
    return Dataset(**entry, scale=(low, high), archives=archives)


def get_dataset(name: str) -> Dataset:
    """Return a data set by its name.

    Raises
    ------
    NotFoundError
        If there is none of this name, with the nearest.
    """
    registry = load_registry()
    if name not in registry:
        raise NotFoundError(
            f'there is no data set "{name}"{did_you_mean(name, registry)}',
            hint="one of " + ", ".join(registry),
        )
    return registry[name]
