"""The registry of published data sets, read from ``registry.toml``."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from foretaste.errors import NotFoundError


@dataclass(frozen=True)
class Archive:
    """One published file of a data set.

    Parameters
    ----------
    file : str
        File name.
    contents : {"ratings", "items", "both"}
    urls : tuple of str
        Download URLs, tried in this order.
    bytes : int, optional
        Size in bytes.
    md5, sha256 : str, optional
        Checksums, hexadecimal.
    md5_url : str, optional
        URL of the checksum published by the owner.
    checksum_source : str, optional
        Source of size and checksums.
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
        """The known checksums by algorithm."""
        known = {"md5": self.md5, "sha256": self.sha256}
        return {name: value for name, value in known.items() if value is not None}


@dataclass(frozen=True)
class Dataset:
    """A data set of the registry.

    Parameters
    ----------
    name, title : str
    ratings, users, items : int
        Numbers as published; the owner may count users and items without ratings.
    is_exact : bool
        Whether ``ratings`` is the exact number.
    scale : (low, high)
        Published rating scale.
    scale_is_declared : bool
        Whether all ratings are known to lie inside ``scale``.
    item_column : str
        Column name of its item ids: ``movieId``, ``jokeId``.
    extra_contents : str
        What it contains beside users, items and ratings.
    license, license_source, citation, homepage : str
        License terms, their source, the reference to cite, and the home page.
    is_verified : bool
        Whether a test reads the archive of this checksum and finds these numbers.
    verification, url_source : str
        What was verified, and the source of the URLs.
    archives : tuple of Archive
        Empty for the bundled data set.
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
        """Return the archives that contain ``"ratings"`` or ``"items"``."""
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
        If there is none of this name; the message suggests the closest.
    """
    registry = load_registry()
    if name not in registry:
        raise NotFoundError(
            f'there is no data set "{name}"',
            misspelled=(name, registry),
            hint="one of " + ", ".join(registry),
        )
    return registry[name]
