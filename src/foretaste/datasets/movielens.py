"""Reads the MovieLens data sets: films rated in stars, separated by tabs, ``::``, or commas."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from foretaste.datasets.registry import Dataset
from foretaste.errors import DataError
from foretaste.features import ItemCatalog
from foretaste.ids import IdIndex
from foretaste.io import read_ratings
from foretaste.io.archive import list_members, read_member
from foretaste.ratings import Ratings

_NO_GENRE = ("", "unknown", "(no genres listed)")
_YEAR = re.compile(r"\((\d{4})(?:[-–]\d{0,4})?\)\s*$")
# The genres of MovieLens 100K in the order of its columns (u.genre); the first means unknown.
_GENRES_100K = (
    "unknown", "Action", "Adventure", "Animation", "Children's", "Comedy", "Crime", "Documentary", "Drama",
    "Fantasy", "Film-Noir", "Horror", "Musical", "Mystery", "Romance", "Sci-Fi", "Thriller", "War",
    "Western",
)  # fmt: skip
# The occupations of MovieLens 1M by number (its README).
_OCCUPATIONS_1M = (
    "other or not specified", "academic/educator", "artist", "clerical/admin", "college/grad student",
    "customer service", "doctor/health care", "executive/managerial", "farmer", "homemaker", "K-12 student",
    "lawyer", "programmer", "retired", "sales/marketing", "scientist", "self-employed",
    "technician/engineer", "tradesman/craftsman", "unemployed", "writer",
)  # fmt: skip


def load_ratings(dataset: Dataset, folder: Path) -> Ratings:
    """Read the ratings of a MovieLens data set, with features of its users and films.

    Parameters
    ----------
    dataset : Dataset
    folder : Path
        Folder of its archive.

    Returns
    -------
    Ratings
        Films have one feature per genre, 0 or 1 (``genre=Comedy``); users of 100K and 1M have ``age``,
        ``gender=...`` and ``occupation=...``.
    """
    archive = _archive_path(dataset, folder)
    separator = {"movielens-100k": "\t", "movielens-1m": "::", "movielens-10m": "::"}.get(dataset.name)
    if separator is None:
        result = read_ratings(
            archive, member="ratings.csv", user="userId", item="movieId", rating="rating",
            timestamp="timestamp", separator=",", header=True, scale=dataset.scale,
        )  # fmt: skip
    else:
        result = read_ratings(
            archive, member="u.data" if separator == "\t" else "ratings.dat", user=0, item=1, rating=2,
            timestamp=3, separator=separator, header=False, scale=dataset.scale,
        )  # fmt: skip
    return result.with_features(
        users=_load_user_features(dataset, archive), items=_load_genre_features(dataset, archive)
    )


def load_items(dataset: Dataset, folder: Path) -> ItemCatalog:
    """Read the film titles, with year, genres (separated by bars) and the other columns.

    Parameters
    ----------
    dataset : Dataset
    folder : Path
        Folder of its archive.
    """
    films = _read_films(dataset, _archive_path(dataset, folder))
    ids = np.array([_parse_id(film["movieId"], dataset) for film in films], dtype=np.int64)
    order = np.argsort(ids, kind="stable")
    index, codes = IdIndex.from_column(ids, "item")
    if len(index) != len(codes):
        duplicate = int(index.ids[np.bincount(codes).argmax()])
        raise DataError(f"{dataset.name}: film {duplicate} occurs more than once in its list")
    columns = {}
    for name in [name for name in films[0] if name != "movieId"]:
        columns[name] = np.empty(len(films), dtype=object)
        columns[name][:] = [films[position][name] for position in order]
    return ItemCatalog(index, columns, "title")


def _archive_path(dataset: Dataset, folder: Path) -> Path:
    return folder / dataset.archives[0].file


def _read_records(
    archive: Path, member: str, separator: str, n_fields: int, encoding: str = "utf-8"
) -> list[list[str]]:
    """Return the lines of a small file, split into fields; CSV quoting applies to commas only."""
    try:
        text = read_member(archive, member).decode(encoding)
    except UnicodeDecodeError as error:
        raise DataError(f"{member} in {archive} is not {encoding} text (byte {error.start:,})") from None
    text = text.replace("\r\n", "\n").rstrip("\n")
    if separator == ",":
        records = list(csv.reader(io.StringIO(text, newline="")))
    else:  # not splitlines: it would break Latin-1 lines at 0x85
        records = [line.split(separator) for line in text.split("\n")] if text else []
    for line_number, record in enumerate(records, 1):
        if len(record) != n_fields:
            raise DataError(
                f"{member} in {archive.name}: line {line_number} has {len(record)} fields, not {n_fields}"
            )
    return records


def _parse_id(text: str, dataset: Dataset) -> int:
    if not text.isdigit():
        raise DataError(f"{dataset.name}: {text!r} is not a film number")
    return int(text)


# Films ---------------------------------------------------------------------------------------------------


def _read_films(dataset: Dataset, archive: Path) -> list[dict[str, str]]:
    """Return the films, each a dict of its fields."""
    readers: dict[str, Callable[[Path], list[dict[str, str]]]] = {
        "movielens-100k": _read_films_100k,
        "movielens-1m": lambda path: _read_films_dat(path, "latin-1"),
        "movielens-10m": lambda path: _read_films_dat(path, "utf-8"),
    }
    films = readers.get(dataset.name, _read_films_csv)(archive)
    if not films:
        raise DataError(f"{dataset.name}: its list of films is empty")
    return films


def _make_film(number: str, title: str, genres: str) -> dict[str, str]:
    year = _YEAR.search(title)
    return {"movieId": number, "title": title, "year": year[1] if year else "", "genres": genres}


def _read_films_100k(archive: Path) -> list[dict[str, str]]:
    films = []
    for record in _read_records(archive, "u.item", "|", 5 + len(_GENRES_100K), "latin-1"):
        number, title, released, _, address, *flags = record
        genres = "|".join(name for name, flag in zip(_GENRES_100K, flags, strict=True) if flag == "1")
        films.append(_make_film(number, title, genres) | {"released": released, "imdb": address})
    return films


def _read_films_dat(archive: Path, encoding: str) -> list[dict[str, str]]:
    return [_make_film(*record) for record in _read_records(archive, "movies.dat", "::", 3, encoding)]


def _read_films_csv(archive: Path) -> list[dict[str, str]]:
    _, *records = _read_records(archive, "movies.csv", ",", 3)
    films = [_make_film(*record) for record in records]
    if "links.csv" not in list_members(archive):
        return films
    _, *links = _read_records(archive, "links.csv", ",", 3)
    known = {number: (imdb, tmdb) for number, imdb, tmdb in links}
    for film in films:
        film["imdbId"], film["tmdbId"] = known.get(film["movieId"], ("", ""))
    return films


def split_genres(text: str) -> list[str]:
    """Return the genres in a text like ``Comedy|Drama``; empty if unknown."""
    return [genre for genre in text.split("|") if genre not in _NO_GENRE]


def _load_genre_features(dataset: Dataset, archive: Path) -> Any:
    """Return a frame with one 0/1 column per genre."""
    import polars as pl

    films = _read_films(dataset, archive)
    genre_sets = [frozenset(split_genres(film["genres"])) for film in films]
    names = sorted(frozenset().union(*genre_sets))
    numbers = [_parse_id(film["movieId"], dataset) for film in films]
    columns = {f"genre={name}": [float(name in genres) for genres in genre_sets] for name in names}
    return pl.DataFrame({"movieId": numbers, **columns})


# Users ---------------------------------------------------------------------------------------------------


def _load_user_features(dataset: Dataset, archive: Path) -> Any:
    """Return a frame of age, gender and occupation, if published."""
    if dataset.name == "movielens-100k":
        rows = [
            (number, age, gender, occupation)
            for number, age, gender, occupation, _ in _read_records(archive, "u.user", "|", 5)
        ]
    elif dataset.name == "movielens-1m":
        records = _read_records(archive, "users.dat", "::", 5)
        rows = [
            (number, age, gender, _occupation_name(occupation))
            for number, gender, age, occupation, _ in records
        ]
    else:
        return None
    import polars as pl

    columns = dict(zip(("userId", "age", "gender", "occupation"), zip(*rows, strict=True), strict=True))
    return pl.DataFrame(columns).with_columns(pl.col("userId").cast(pl.Int64), pl.col("age").cast(pl.Float64))


def _occupation_name(number: str) -> str:
    is_known = number.isdigit() and int(number) < len(_OCCUPATIONS_1M)
    return _OCCUPATIONS_1M[int(number)] if is_known else number
