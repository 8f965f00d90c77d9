"""The MovieLens data sets: films rated in stars, as text with tabs, with ``::``, or as CSV."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from foretaste.datasets.archives import members, ratings_in, records_in
from foretaste.datasets.registry import DataSet
from foretaste.errors import BadData
from foretaste.features import Catalogue
from foretaste.ids import IdIndex
from foretaste.ratings import Ratings

_NO_GENRE = ("", "unknown", "(no genres listed)")
_YEAR = re.compile(r"\((\d{4})(?:[-–]\d{0,4})?\)\s*$")
# The genres of MovieLens 100K in the order of its columns (u.genre); the first means that none is known.
_GENRES_100K = (
    "unknown", "Action", "Adventure", "Animation", "Children's", "Comedy", "Crime", "Documentary", "Drama",
    "Fantasy", "Film-Noir", "Horror", "Musical", "Mystery", "Romance", "Sci-Fi", "Thriller", "War",
    "Western",
)  # fmt: skip
# The occupations of MovieLens 1M, whose numbers its README explains.
_OCCUPATIONS_1M = (
    "other or not specified", "academic/educator", "artist", "clerical/admin", "college/grad student",
    "customer service", "doctor/health care", "executive/managerial", "farmer", "homemaker", "K-12 student",
    "lawyer", "programmer", "retired", "sales/marketing", "scientist", "self-employed",
    "technician/engineer", "tradesman/craftsman", "unemployed", "writer",
)  # fmt: skip


def ratings(data_set: DataSet, folder: Path) -> Ratings:
    """Read the ratings of a MovieLens data set, with what is known of its users and films as features.

    Parameters
    ----------
    data_set : DataSet
    folder : Path
        Where its archive is.

    Returns
    -------
    Ratings
        Films have one feature a genre, 0 or 1 (``genre=Comedy``); users of 100K and 1M have ``age``,
        ``gender=...`` and ``occupation=...``.
    """
    archive = _archive(data_set, folder)
    by_place = {"user": 0, "item": 1, "rating": 2, "timestamp": 3, "header": False}
    by_name = {
        "user": "userId",
        "item": "movieId",
        "rating": "rating",
        "timestamp": "timestamp",
        "header": True,
    }
    member, how = {
        "movielens-100k": ("u.data", {**by_place, "separator": "\t"}),
        "movielens-1m": ("ratings.dat", {**by_place, "separator": "::"}),
        "movielens-10m": ("ratings.dat", {**by_place, "separator": "::"}),
    }.get(data_set.name, ("ratings.csv", {**by_name, "separator": ","}))
    found = ratings_in(archive, member, scale=data_set.scale, **how)
    return found.with_features(
        users=_user_features(data_set, archive), items=_genre_features(data_set, archive)
    )


def items(data_set: DataSet, folder: Path) -> Catalogue:
    """Read the titles of the films, with year, genres (between bars) and what else stands beside them.

    Parameters
    ----------
    data_set : DataSet
    folder : Path
        Where its archive is.
    """
    films = _films(data_set, _archive(data_set, folder))
    ids = np.array([_whole(film["movieId"], data_set) for film in films], dtype=np.int64)
    order = np.argsort(ids, kind="stable")
    index, codes = IdIndex.from_column(ids, "item")
    if len(index) != len(codes):
        twice = int(index.ids[np.bincount(codes).argmax()])
        raise BadData(f"{data_set.name}: film {twice} stands more than once in its list")
    columns = {}
    for name in [name for name in films[0] if name != "movieId"]:
        columns[name] = np.empty(len(films), dtype=object)
        columns[name][:] = [films[place][name] for place in order]
    return Catalogue(index, columns, "title")


def _archive(data_set: DataSet, folder: Path) -> Path:
    return folder / data_set.archives[0].file


def _whole(text: str, data_set: DataSet) -> int:
    if not text.isdigit():
        raise BadData(f"{data_set.name}: {text!r} stands where the number of a film should")
    return int(text)


# Films ---------------------------------------------------------------------------------------------------


def _films(data_set: DataSet, archive: Path) -> list[dict[str, str]]:
    """Return the films, each by the names of its fields."""
    readers: dict[str, Callable[[Path], list[dict[str, str]]]] = {
        "movielens-100k": _films_100k,
        "movielens-1m": lambda path: _films_dat(path, "latin-1"),
        "movielens-10m": lambda path: _films_dat(path, "utf-8"),
    }
    films = readers.get(data_set.name, _films_csv)(archive)
    if not films:
        raise BadData(f"{data_set.name}: its list of films is empty")
    return films


def _film(number: str, title: str, genres: str) -> dict[str, str]:
    year = _YEAR.search(title)
    return {"movieId": number, "title": title, "year": year[1] if year else "", "genres": genres}


def _films_100k(archive: Path) -> list[dict[str, str]]:
    films = []
    for record in records_in(archive, "u.item", "|", 5 + len(_GENRES_100K), "latin-1"):
        number, title, released, _, address, *flags = record
        genres = "|".join(name for name, flag in zip(_GENRES_100K, flags, strict=True) if flag == "1")
        films.append(_film(number, title, genres) | {"released": released, "imdb": address})
    return films


def _films_dat(archive: Path, encoding: str) -> list[dict[str, str]]:
    return [_film(*record) for record in records_in(archive, "movies.dat", "::", 3, encoding)]


def _films_csv(archive: Path) -> list[dict[str, str]]:
    _, *records = records_in(archive, "movies.csv", ",", 3)
    films = [_film(*record) for record in records]
    if "links.csv" not in members(archive):
        return films
    _, *links = records_in(archive, "links.csv", ",", 3)
    known = {number: (imdb, tmdb) for number, imdb, tmdb in links}
    for film in films:
        film["imdbId"], film["tmdbId"] = known.get(film["movieId"], ("", ""))
    return films


def genres_of(text: str) -> list[str]:
    """Return the genres in a text like ``Comedy|Drama``; none where none is known."""
    return [genre for genre in text.split("|") if genre not in _NO_GENRE]


def _genre_features(data_set: DataSet, archive: Path) -> Any:
    """Return a frame with a column a genre, 1 where a film is of it."""
    import polars as pl

    films = _films(data_set, archive)
    sets = [frozenset(genres_of(film["genres"])) for film in films]
    names = sorted(frozenset().union(*sets))
    numbers = [_whole(film["movieId"], data_set) for film in films]
    columns = {f"genre={name}": [float(name in genres) for genres in sets] for name in names}
    return pl.DataFrame({"movieId": numbers, **columns})


# Users ---------------------------------------------------------------------------------------------------


def _user_features(data_set: DataSet, archive: Path) -> Any:
    """Return a frame of age, gender and occupation, where they are published."""
    if data_set.name == "movielens-100k":
        rows = [(n, age, sex, work) for n, age, sex, work, _ in records_in(archive, "u.user", "|", 5)]
    elif data_set.name == "movielens-1m":
        records = records_in(archive, "users.dat", "::", 5)
        rows = [(n, age, sex, _occupation(work)) for n, sex, age, work, _ in records]
    else:
        return None
    import polars as pl

    columns = dict(zip(("userId", "age", "gender", "occupation"), zip(*rows, strict=True), strict=True))
    return pl.DataFrame(columns).with_columns(pl.col("userId").cast(pl.Int64), pl.col("age").cast(pl.Float64))


def _occupation(number: str) -> str:
    known = number.isdigit() and int(number) < len(_OCCUPATIONS_1M)
    return _OCCUPATIONS_1M[int(number)] if known else number
