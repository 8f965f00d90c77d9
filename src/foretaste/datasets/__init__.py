"""Data sets by name. ``sample`` comes with the package: generated ratings of 60 short jokes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from foretaste.datasets import sample
from foretaste.errors import NotFound, did_you_mean
from foretaste.ratings import Ratings
from foretaste.tables import Catalogue

__all__ = ["load", "load_items", "names"]


@dataclass(frozen=True)
class _DataSet:
    """How the ratings and the items of one data set are read."""

    ratings: Callable[[], Ratings]
    items: Callable[[], Catalogue]


_BY_NAME = {"sample": _DataSet(sample.ratings, sample.items)}


def names() -> tuple[str, ...]:
    """Return the names that ``load`` knows."""
    return tuple(_BY_NAME)


def load(name: str) -> Ratings:
    """Return the ratings of a data set.

    Parameters
    ----------
    name : str
        ``"sample"``: about 300 people and 60 jokes, rated from -10 to 10; generated, with planted tastes.

    Raises
    ------
    NotFound
        If there is no data set of this name.
    """
    return _find(name).ratings()


def load_items(name: str) -> Catalogue:
    """Return what the items of a data set are called.

    Raises
    ------
    NotFound
        If there is no data set of this name.
    """
    return _find(name).items()


def _find(name: str) -> _DataSet:
    if name not in _BY_NAME:
        raise NotFound(
            f'there is no data set "{name}"{did_you_mean(name, _BY_NAME)}',
            hint="one of " + ", ".join(_BY_NAME),
        )
    return _BY_NAME[name]
