"""The MovieLens datasets: archives in the published layouts, with synthetic and real ratings."""

from __future__ import annotations

import gzip
import logging
import zipfile

import numpy as np
import pytest
from dataset_archives import csv_members, dat_members, join_rows, write_archive
from real_data import data_file

from foretaste import datasets
from foretaste.datasets import movielens
from foretaste.errors import DataError

MOVIELENS = [name for name in datasets.names() if name.startswith("movielens")]


# MovieLens, made up --------------------------------------------------------------------------------------

FILMS = [
    (1, "Amélie (2001)", "Comedy|Romance"),
    (2, "Good, the Bad and the Ugly, The (1966)", "Western"),
    (7, "No Year", "(no genres listed)"),
    (30, "Series (1999-2003)", "Drama"),
]
ROWS = [
    (3, 1, 4.0, 1_000_000_000),
    (3, 30, 1.0, 1_000_000_009),
    (11, 1, 5.0, 12),
    (11, 7, 3.0, 13),
    (2, 2, 2.0, 5),
]
USERS = [(2, "M", 18, 20, "12345"), (3, "F", 1, 0, "x-1"), (11, "M", 56, 4, "")]


def make(cache, name):
    """Put a small archive of a MovieLens data set into the cache."""
    folder = name.replace("movielens", "ml")
    if name == "movielens-100k":
        genres = movielens._GENRES_100K
        films = [
            (n, title, "01-Jan-1995", "", f"http://films/{n}", *(int(g in own.split("|")) for g in genres))
            for n, title, own in FILMS
        ]
        works = ["technician", "other", "writer"]
        users = [(n, age, sex, w, code) for (n, sex, age, _, code), w in zip(USERS, works, strict=True)]
        return write_archive(cache, name, {
            "ml-100k/u.data": join_rows(ROWS, "\t"),
            "ml-100k/u.item": join_rows(films, "|").encode("latin-1"),
            "ml-100k/u.user": join_rows(users, "|"),
        })  # fmt: skip
    if name == "movielens-1m":
        members = dat_members(folder, ROWS, FILMS, "latin-1") | {"ml-1m/users.dat": join_rows(USERS, "::")}
        return write_archive(cache, name, members)
    if name == "movielens-10m":
        return write_archive(cache, name, dat_members("ml-10M100K", ROWS, FILMS, "utf-8"))
    return write_archive(cache, name, csv_members(folder, ROWS, FILMS))


@pytest.mark.parametrize("name", MOVIELENS)
def test_movielens_ratings(cache, name, caplog):
    caplog.set_level(logging.INFO, "foretaste")
    make(cache, name)
    found = datasets.load(name)
    assert found.user_ids.tolist() == [row[0] for row in ROWS]
    assert found.item_ids.tolist() == [row[1] for row in ROWS]
    assert found.value.tolist() == [row[2] for row in ROWS]
    assert found.timestamp.tolist() == [row[3] for row in ROWS]
    assert found.scale == ((0.5, 5.0) if name not in ("movielens-100k", "movielens-1m") else (1.0, 5.0))
    table = found.item_features
    assert [c for c in table.columns if c in ("genre=Comedy", "genre=Drama", "genre=Romance")] == [
        "genre=Comedy", "genre=Drama", "genre=Romance",
    ]  # fmt: skip
    assert "genre=unknown" not in table.columns
    assert "genre=(no genres listed)" not in table.columns
    row_of = {int(item): row for row, item in enumerate(found.items.ids)}
    own = {
        n: [c for c, v in zip(table.columns, table.values[row], strict=True) if v]
        for n, row in row_of.items()
    }
    assert own == {1: ["genre=Comedy", "genre=Romance"], 2: ["genre=Western"], 7: [], 30: ["genre=Drama"]}
    said = [record.getMessage() for record in caplog.records]
    published = f"{datasets.info(name).ratings:,}"
    exact = [f"{name}: {published} ratings were published, 5 were read"] * datasets.info(name).is_exact
    assert said == exact  # and nothing of columns and separators


@pytest.mark.parametrize("name", ["movielens-100k", "movielens-1m"])
def test_movielens_user_features(cache, name):
    make(cache, name)
    found = datasets.load(name)
    table = found.user_features
    ages = dict(
        zip(found.users.ids.tolist(), table.values[:, table.columns.index("age")].tolist(), strict=True)
    )
    assert ages == {2: 18, 3: 1, 11: 56}
    female = table.values[:, table.columns.index("gender=F")]
    assert found.users.ids[female == 1].tolist() == [3]
    works = [c.removeprefix("occupation=") for c in table.columns if c.startswith("occupation=")]
    wanted = ["other", "technician", "writer"]
    if name == "movielens-1m":
        wanted = ["college/grad student", "other or not specified", "writer"]
    assert works == wanted
    kept = found.where("userId = 11")
    assert len(kept.user_features) == 1
    assert kept.user_features.values[0, table.columns.index("age")] == 56


def test_no_user_features_where_none_are_published(cache):
    make(cache, "movielens-25m")
    assert datasets.load("movielens-25m").user_features is None


@pytest.mark.parametrize("name", MOVIELENS)
def test_movielens_item_features(cache, name):
    make(cache, name)
    found = datasets.load_items(name)
    assert found.items.ids.tolist() == [1, 2, 7, 30]
    assert found.titles(np.array([30, 2, 5, 1])) == [FILMS[3][1], FILMS[1][1], None, FILMS[0][1]]
    assert found.columns["year"].tolist() == ["2001", "1966", "", "1999"]
    assert found.columns["genres"].tolist()[:2] == ["Comedy|Romance", "Western"]
    if "links" in datasets.info(name).extra_contents:
        assert found.columns["imdbId"].tolist()[0] == "0000001"
        assert found.columns["tmdbId"].tolist()[3] == "270"
    if name == "movielens-100k":
        assert found.columns["imdb"].tolist()[1] == "http://films/2"


def test_items_are_sorted_by_their_ids(cache):
    write_archive(cache, "movielens-25m", csv_members("ml-25m", ROWS, FILMS[::-1]))
    found = datasets.load_items("movielens-25m")
    assert found.items.ids.tolist() == [1, 2, 7, 30]
    assert found.titles(np.array([1])) == ["Amélie (2001)"]


def test_unusual_line_separators_do_not_split_lines(cache):
    films = [(1, "Wait\x85 (1990)", "War"), (2, "B (1991)", "War")]
    members = dat_members("ml-1m", [(2, 1, 3.0, 1)], films, "latin-1")
    members["ml-1m/movies.dat"] = members["ml-1m/movies.dat"].replace(b"\n", b"\r\n")
    write_archive(cache, "movielens-1m", members)
    assert datasets.load_items("movielens-1m").columns["title"].tolist() == ["Wait\x85 (1990)", "B (1991)"]
    members = csv_members("ml-25m", ROWS, FILMS)
    members["ml-25m/movies.csv"] = 'movieId,title,genres\n1,"Two\nlines, ""quoted"" (1990)",\n'
    write_archive(cache, "movielens-25m", members)
    found = datasets.load_items("movielens-25m").columns["title"].tolist()
    assert found == ['Two\nlines, "quoted" (1990)']


def test_a_rating_outside_a_declared_scale_is_refused(cache):
    members = csv_members("ml-25m", [(1, 1, 7.5, 3)], FILMS)
    write_archive(cache, "movielens-25m", members)
    with pytest.raises(DataError, match=r"1 ratings lie outside the declared scale 0\.5 to 5"):
        datasets.load("movielens-25m")


@pytest.mark.parametrize(
    ("member", "text", "message"),
    [
        ("movies.csv", "movieId,title,genres\n1,A (2001)\n", "line 2 has 2 fields, not 3"),
        ("movies.csv", "movieId,title,genres\n1,A,\n1,B,\n", "film 1 occurs more than once"),
        ("movies.csv", "movieId,title,genres\none,A,\n", "'one' is not a film number"),
        ("movies.csv", "movieId,title,genres\n", "its list of films is empty"),
        ("movies.csv", b"movieId,title,genres\n1,Am\xe9lie,\n", "is not utf-8 text"),
    ],
)
def test_unexpected_item_file_raises(cache, member, text, message):
    members = csv_members("ml-25m", ROWS, FILMS) | {f"ml-25m/{member}": text}
    write_archive(cache, "movielens-25m", members)
    with pytest.raises(DataError, match=message):
        datasets.load_items("movielens-25m")


def test_unlisted_rated_item_raises(cache):
    write_archive(cache, "movielens-25m", csv_members("ml-25m", ROWS, FILMS[:2]))
    with pytest.raises(DataError, match="2 of 4 items have no row of features"):
        datasets.load("movielens-25m")


# Archives ------------------------------------------------------------------------------------------------


def test_member_paths_are_not_trusted(cache, tmp_path):
    members = csv_members("../../../../outside", ROWS, FILMS)
    write_archive(cache, "movielens-25m", members)
    assert len(datasets.load("movielens-25m")) == 5
    assert not list(tmp_path.rglob("ratings.csv"))
    assert sorted(p.name for p in datasets.path("movielens-25m").iterdir()) == ["ml-25m.zip"]


def test_corrupt_archive_raises(cache):
    path = make(cache, "movielens-25m")
    whole = path.read_bytes()
    path.write_bytes(whole[:100])
    with pytest.raises(DataError, match="is a zip archive that is truncated or damaged") as caught:
        datasets.load("movielens-25m")
    assert caught.value.hint == f"rm -r {path.parent}, and download it again"
    place = whole.index(b"ratings.csv") + 40
    path.write_bytes(whole[:place] + bytes([whole[place] ^ 255]) + whole[place + 1 :])
    with pytest.raises(DataError, match="is a zip archive that is truncated or damaged"):
        datasets.load("movielens-25m")


def test_missing_or_repeated_member_raises(cache):
    path = write_archive(cache, "movielens-25m", {"ml-25m/README.txt": "x"})
    with pytest.raises(DataError, match=r"contains no file 'ratings\.csv'") as caught:
        datasets.load("movielens-25m")
    assert "README.txt" in caught.value.where
    with zipfile.ZipFile(path, "w") as out:
        out.writestr("a/ratings.csv", "x")
        out.writestr("b/ratings.csv", "y")
    with pytest.raises(DataError, match=r"contains 2 files called 'ratings\.csv'"):
        datasets.load("movielens-25m")


def test_a_member_too_large_for_memory_is_refused_before_it_is_unpacked(cache, monkeypatch):
    from foretaste._utils import memory
    from foretaste.errors import NotEnoughMemoryError

    make(cache, "movielens-25m")
    monkeypatch.setattr(memory, "available_bytes", lambda: 10)
    with pytest.raises(NotEnoughMemoryError, match=r"decompressing .*ratings\.csv needs"):
        datasets.load("movielens-25m")


# Real archives and real rows -----------------------------------------------------------------------------


@pytest.mark.dataset
def test_movielens_100k_of_the_real_files(cache, caplog):
    folder = data_file("ml-100k/u.data").parent
    write_archive(cache, "movielens-100k", {f"ml-100k/{p.name}": p.read_bytes() for p in folder.iterdir()})
    found = datasets.load("movielens-100k")
    assert (len(found), len(found.users), len(found.items)) == (100_000, 943, 1_682)
    assert caplog.records == []
    assert found.value.mean() == pytest.approx(3.5299, abs=5e-5)
    assert len(found.item_features.columns) == 18
    assert len([c for c in found.user_features.columns if c.startswith("occupation=")]) == 21
    first = dict(zip(found.user_features.columns, found.user_features.values[0], strict=True))
    assert (first["age"], first["gender=M"], first["occupation=technician"]) == (24, 1, 1)
    films = datasets.load_items("movielens-100k")
    assert len(films) == 1_682
    assert films.titles(np.array([1]))[0] == "Toy Story (1995)"
    assert films.columns["genres"][0] == "Animation|Children's|Comedy"
    assert any("é" in title for title in films.columns["title"])


@pytest.mark.dataset
def test_movielens_1m_of_real_files(cache, caplog):
    with gzip.open(data_file("ml-1m/ratings_no_timestamps.dat.gz"), "rt") as file:
        rows = "".join(line.rstrip("\n") + "::978300760\n" for line in file)  # the times are not in that copy
    members = {f"ml-1m/{n}": data_file(f"ml-1m/{n}").read_bytes() for n in ("users.dat", "movies.dat")}
    write_archive(cache, "movielens-1m", {"ml-1m/ratings.dat": rows, **members})
    found = datasets.load("movielens-1m")
    assert (len(found), len(found.users), len(found.items)) == (1_000_209, 6_040, 3_706)
    assert caplog.records == []
    assert np.bincount(found.value.astype(int))[1:].tolist() == [56_174, 107_557, 261_197, 348_971, 226_310]
    assert len([c for c in found.user_features.columns if c.startswith("occupation=")]) == 21
    assert len(datasets.load_items("movielens-1m")) == 3_883


@pytest.mark.dataset
@pytest.mark.parametrize("name", ["movielens-10m", "movielens-20m", "movielens-latest-small"])
def test_other_movielens_layouts_of_real_rows(cache, name):
    data = archives_rows()
    films = [(n, title, genres) for n, title, genres in data[1]]
    make_members = {
        "movielens-10m": lambda: dat_members("ml-10M100K", data[0], films, "utf-8"),
    }.get(name, lambda: csv_members(name.replace("movielens", "ml"), data[0], films))
    write_archive(cache, name, make_members())
    found = datasets.load(name)
    assert (len(found), len(found.users), len(found.items)) == (100_000, 943, 1_682)
    assert found.timestamp.tolist() == [row[3] for row in data[0]]
    assert len(datasets.load_items(name)) == 1_682


def archives_rows():
    """Return the ratings and the films of the real MovieLens 100K."""
    lines_of = data_file("ml-100k/u.data").read_text().splitlines()
    rows = [(int(u), int(i), float(r), int(t)) for u, i, r, t in (line.split("\t") for line in lines_of)]
    films = []
    for line in data_file("ml-100k/u.item").read_text("latin-1").splitlines():
        number, title, *rest = line.split("|")
        own = [g for g, flag in zip(movielens._GENRES_100K, rest[3:], strict=True) if flag == "1"]
        films.append((int(number), title.replace('"', ""), "|".join(own)))
    return rows, films
