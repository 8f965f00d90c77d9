"""The catalogue of published data sets, and their loaders on archives in the published layouts."""

from __future__ import annotations

import csv
import gzip
import logging
import re
import tomllib
import zipfile
from importlib.resources import files

import numpy as np
import pytest
from documents import DOCS, tables
from hypothesis import given
from hypothesis import strategies as st
from published import archive, archive_named, csv_members, dat_members, lines, wide, workbook
from real_data import data_file

from foretaste import datasets
from foretaste.datasets import jester, movielens
from foretaste.datasets.catalogue import catalogue
from foretaste.errors import BadData, NotFound

pytest.importorskip("fastexcel")
pytest.importorskip("openpyxl")

OWNERS = r"https://(eigentaste\.berkeley\.edu/dataset/|files\.grouplens\.org/datasets/movielens/)"
COPIES = r"https://web\.archive\.org/web/\d{14}/"
MOVIELENS = [name for name in datasets.names() if name.startswith("movielens")]


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """Keep fetched data in a folder of the test; whatever is not there cannot be fetched."""
    monkeypatch.setenv("FORETASTE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("FORETASTE_MIRROR", str(tmp_path / "nowhere"))
    return tmp_path / "cache"


# The file ------------------------------------------------------------------------------------------------


def test_the_names():
    assert datasets.names() == (
        "sample", "jester-1", "jester-2", "jester-3", "jester-4", "movielens-100k", "movielens-1m",
        "movielens-10m", "movielens-20m", "movielens-25m", "movielens-32m", "movielens-latest-small",
    )  # fmt: skip
    text = (files("foretaste.datasets") / "catalogue.toml").read_text()
    assert [entry["name"] for entry in tomllib.loads(text)["dataset"]] == list(datasets.names())


@pytest.mark.parametrize("entry", catalogue().values(), ids=list(catalogue()))
def test_every_entry_says_where_its_facts_come_from(entry):
    for part in (
        "title",
        "licence",
        "licence_source",
        "citation",
        "page",
        "checked",
        "address_source",
        "beside",
    ):
        assert getattr(entry, part).strip() == getattr(entry, part) != ""
    assert entry.scale[0] < entry.scale[1]
    assert min(entry.ratings, entry.users, entry.items) > 0
    assert entry.item_column in ("jokeId", "movieId")
    for found in entry.archives:
        assert re.fullmatch(r"[\w-]+\.zip", found.file)
        assert all(re.match(f"({COPIES})?{OWNERS}", url) for url in found.urls)
        assert all(url.endswith("/" + found.file) for url in found.urls)
        assert re.match(OWNERS, found.urls[0])  # the owner first
        assert bool(found.checksum_source) == bool(found.checksums or found.bytes)
        assert found.md5 is None or re.fullmatch("[0-9a-f]{32}", found.md5)
        assert found.sha256 is None or re.fullmatch("[0-9a-f]{64}", found.sha256)
        assert found.md5_url in (None, found.urls[0] + ".md5")
        # A copy that is not the owner's is only taken where its bytes can be checked.
        assert len(found.urls) == 1 or found.checksums
    assert not entry.archives or (entry.holding("ratings") and entry.holding("items"))


def test_what_changes_has_no_checksum_of_its_own():
    entry = datasets.info("movielens-latest-small")
    assert not entry.exact
    assert entry.archives[0].checksums == {}
    assert entry.archives[0].bytes is None
    assert entry.archives[0].md5_url.endswith(".zip.md5")


def test_every_other_archive_of_ratings_has_a_checksum():
    for name in set(datasets.names()) - {"movielens-latest-small"}:
        assert all(found.checksums for found in datasets.info(name).holding("ratings")), name


def test_verified_is_said_of_those_alone_that_a_test_reads():
    assert [entry.name for entry in catalogue().values() if entry.verified] == ["sample", "jester-1"]


def test_an_unknown_name():
    for what in (datasets.load, datasets.load_items, datasets.fetch, datasets.path, datasets.info):
        with pytest.raises(NotFound, match='there is no data set "movielens-1k"; did you mean "movielens-'):
            what("movielens-1k")


def test_the_sample_is_always_here():
    assert datasets.is_here("sample")
    assert (datasets.path("sample") / "sample_items.csv").is_file()
    assert datasets.fetch("sample") == datasets.path("sample")
    sample = datasets.load("sample")
    entry = datasets.info("sample")
    assert (len(sample), len(sample.users), len(sample.items)) == (entry.ratings, entry.users, entry.items)
    assert sample.scale == entry.scale


def test_what_is_not_here_says_how_to_fetch_it():
    assert not datasets.is_here("jester-2")
    with pytest.raises(NotFound, match="jester-2 is not on this machine") as caught:
        datasets.path("jester-2")
    assert caught.value.hint == "foretaste datasets fetch jester-2"


def test_the_page_of_data_sets_shows_the_catalogue():
    figures, terms = tables(DOCS / "datasets.md")
    wanted = [
        [
            f"`{e.name}`",
            f"{'' if e.exact else 'about '}{e.ratings:,}",
            f"{e.users:,}",
            f"{e.items:,}",
            f"{e.scale[0]:g} to {e.scale[1]:g}",
            e.beside,
        ]
        for e in catalogue().values()
    ]
    assert figures[1:] == wanted
    shown = {name.strip(" `"): row[1:] for row in terms[1:] for name in row[0].split(",")}
    assert sorted(shown) == sorted(datasets.names())
    for name, (licence, where) in shown.items():
        assert licence == datasets.info(name).licence
        assert datasets.info(name).licence_source in where


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
        return archive(cache, name, {
            "ml-100k/u.data": lines(ROWS, "\t"),
            "ml-100k/u.item": lines(films, "|").encode("latin-1"),
            "ml-100k/u.user": lines(users, "|"),
        })  # fmt: skip
    if name == "movielens-1m":
        members = dat_members(folder, ROWS, FILMS, "latin-1") | {"ml-1m/users.dat": lines(USERS, "::")}
        return archive(cache, name, members)
    if name == "movielens-10m":
        return archive(cache, name, dat_members("ml-10M100K", ROWS, FILMS, "utf-8"))
    return archive(cache, name, csv_members(folder, ROWS, FILMS))


@pytest.mark.parametrize("name", MOVIELENS)
def test_the_ratings_of_movielens(cache, name, caplog):
    caplog.set_level(logging.INFO, "foretaste")
    make(cache, name)
    found = datasets.load(name)
    assert found.user_ids.tolist() == [row[0] for row in ROWS]
    assert found.item_ids.tolist() == [row[1] for row in ROWS]
    assert found.value.tolist() == [row[2] for row in ROWS]
    assert found.when.tolist() == [row[3] for row in ROWS]
    assert found.scale == ((0.5, 5.0) if name not in ("movielens-100k", "movielens-1m") else (1.0, 5.0))
    table = found.item_table
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
    exact = [f"{name}: {published} ratings were published, 5 were read"] * datasets.info(name).exact
    assert said == exact  # and nothing of columns and separators


@pytest.mark.parametrize("name", ["movielens-100k", "movielens-1m"])
def test_the_users_of_movielens(cache, name):
    make(cache, name)
    found = datasets.load(name)
    table = found.user_table
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
    assert len(kept.user_table) == 1
    assert kept.user_table.values[0, table.columns.index("age")] == 56


def test_without_users_published_there_are_no_features_of_users(cache):
    make(cache, "movielens-25m")
    assert datasets.load("movielens-25m").user_table is None


@pytest.mark.parametrize("name", MOVIELENS)
def test_the_films_of_movielens(cache, name):
    make(cache, name)
    found = datasets.load_items(name)
    assert found.items.ids.tolist() == [1, 2, 7, 30]
    assert found.titles(np.array([30, 2, 5, 1])) == [FILMS[3][1], FILMS[1][1], None, FILMS[0][1]]
    assert found.columns["year"].tolist() == ["2001", "1966", "", "1999"]
    assert found.columns["genres"].tolist()[:2] == ["Comedy|Romance", "Western"]
    if "links" in datasets.info(name).beside:
        assert found.columns["imdbId"].tolist()[0] == "0000001"
        assert found.columns["tmdbId"].tolist()[3] == "270"
    if name == "movielens-100k":
        assert found.columns["imdb"].tolist()[1] == "http://films/2"


def test_items_are_sorted_by_their_ids(cache):
    archive(cache, "movielens-25m", csv_members("ml-25m", ROWS, FILMS[::-1]))
    found = datasets.load_items("movielens-25m")
    assert found.items.ids.tolist() == [1, 2, 7, 30]
    assert found.titles(np.array([1])) == ["Amélie (2001)"]


def test_a_rating_outside_a_declared_scale_is_refused(cache):
    members = csv_members("ml-25m", [(1, 1, 7.5, 3)], FILMS)
    archive(cache, "movielens-25m", members)
    with pytest.raises(BadData, match=r"1 ratings lie outside the declared scale 0\.5 to 5"):
        datasets.load("movielens-25m")


@pytest.mark.parametrize(
    ("member", "text", "message"),
    [
        ("movies.csv", "movieId,title,genres\n1,A (2001)\n", "line 2 has 2 fields, not 3"),
        ("movies.csv", "movieId,title,genres\n1,A,\n1,B,\n", "film 1 stands more than once"),
        ("movies.csv", "movieId,title,genres\none,A,\n", "'one' stands where the number of a film should"),
        ("movies.csv", "movieId,title,genres\n", "its list of films is empty"),
        ("movies.csv", b"movieId,title,genres\n1,Am\xe9lie,\n", "is no text in utf-8"),
    ],
)
def test_a_list_of_films_that_is_not_as_published(cache, member, text, message):
    members = csv_members("ml-25m", ROWS, FILMS) | {f"ml-25m/{member}": text}
    archive(cache, "movielens-25m", members)
    with pytest.raises(BadData, match=message):
        datasets.load_items("movielens-25m")


def test_a_rated_film_that_is_not_listed(cache):
    archive(cache, "movielens-25m", csv_members("ml-25m", ROWS, FILMS[:2]))
    with pytest.raises(BadData, match="2 of 4 items have no row of features"):
        datasets.load("movielens-25m")


# Archives ------------------------------------------------------------------------------------------------


def test_no_path_of_a_member_is_trusted(cache, tmp_path):
    members = csv_members("../../../../outside", ROWS, FILMS)
    archive(cache, "movielens-25m", members)
    assert len(datasets.load("movielens-25m")) == 5
    assert not list(tmp_path.rglob("ratings.csv"))
    assert sorted(p.name for p in datasets.path("movielens-25m").iterdir()) == ["ml-25m.zip"]


def test_a_damaged_archive(cache):
    path = make(cache, "movielens-25m")
    whole = path.read_bytes()
    path.write_bytes(whole[:100])
    with pytest.raises(BadData, match="is a damaged zip archive, or none") as caught:
        datasets.load("movielens-25m")
    assert caught.value.hint == f"rm {path}, and fetch it again"
    place = whole.index(b"ratings.csv") + 40
    path.write_bytes(whole[:place] + bytes([whole[place] ^ 255]) + whole[place + 1 :])
    with pytest.raises(BadData, match="is a damaged zip archive"):
        datasets.load("movielens-25m")


def test_an_archive_without_its_member_or_with_two(cache):
    path = archive(cache, "movielens-25m", {"ml-25m/README.txt": "x"})
    with pytest.raises(BadData, match=r"has no ratings\.csv") as caught:
        datasets.load("movielens-25m")
    assert "README.txt" in caught.value.where
    with zipfile.ZipFile(path, "w") as out:
        out.writestr("a/ratings.csv", "x")
        out.writestr("b/ratings.csv", "y")
    with pytest.raises(BadData, match=r"has more than one ratings\.csv"):
        datasets.load("movielens-25m")


def test_a_member_too_large_for_memory_is_refused_before_it_is_unpacked(cache, monkeypatch):
    from foretaste import memory
    from foretaste.errors import TooLarge

    make(cache, "movielens-25m")
    monkeypatch.setattr(memory, "available_bytes", lambda: 10)
    with pytest.raises(TooLarge, match=r"ratings\.csv, .* unpacked, needs"):
        datasets.load("movielens-25m")


# Jester, made up -----------------------------------------------------------------------------------------


def matrix(users: int, jokes: int, seed: int = 0) -> np.ndarray:
    """Return ratings in hundredths, NaN where there is none; one user has none at all."""
    rng = np.random.default_rng(seed)
    found = np.round(rng.uniform(-10, 10, (users, jokes)), 2)
    found[rng.random((users, jokes)) < 0.6] = np.nan
    found[1] = np.nan
    return found


def make_wide(cache, name, parts):
    for published, part in zip(datasets.info(name).holding("ratings"), parts, strict=True):
        archive_named(cache, name, published.file, {"ratings.xls": workbook(wide(part))})


def check_wide(found, whole):
    assert found.to_matrix().shape == (
        (~np.isnan(whole)).any(axis=1).sum(),
        (~np.isnan(whole)).any(axis=0).sum(),
    )
    user, joke = np.nonzero(~np.isnan(whole))
    assert found.user_ids.tolist() == (user + 1).tolist()
    assert found.item_ids.tolist() == (joke + 1).tolist()
    np.testing.assert_array_equal(found.value, whole[user, joke].astype(np.float32))


def test_users_of_jester_1_are_numbered_through_its_parts(cache, caplog):
    parts = [matrix(6, 100, seed) for seed in range(3)]
    make_wide(cache, "jester-1", parts)
    found = datasets.load("jester-1")
    check_wide(found, np.vstack(parts))
    assert found.scale == (-10, 10)
    assert found.when is None
    assert "4,136,360 ratings were published" in caplog.text


@given(
    st.lists(st.lists(st.sampled_from([99.0, np.nan, 0.0, -3.25, 10.0]), min_size=3, max_size=3), min_size=1)
)
def test_from_wide_keeps_every_rating_and_no_other(rows):
    table = np.array(rows)
    rated = {(u + 1, j + 1): v for u, row in enumerate(rows) for j, v in enumerate(row) if v == v and v != 99}
    cut = len(rows) // 2
    found = jester.from_wide([table[:cut], table[cut:]], (-10.0, 10.0)) if rated else None
    if found is not None:
        pairs = zip(found.user_ids.tolist(), found.item_ids.tolist(), strict=True)
        assert dict(zip(pairs, found.value.tolist(), strict=True)) == rated


@pytest.mark.parametrize(("name", "jokes"), [("jester-3", 150), ("jester-4", 158)])
def test_a_scale_is_declared_if_all_ratings_keep_to_it(cache, name, jokes, caplog):
    whole = matrix(5, jokes)
    make_wide(cache, name, [whole])
    found = datasets.load(name)
    check_wide(found, whole)
    assert found.scale == (-10, 10)
    whole[0, 3], whole[4, 5] = 28.58, -42.28
    make_wide(cache, name, [whole])
    caplog.clear()
    found = datasets.load(name)
    assert found.scale is None
    assert f"{name}: 2 ratings lie outside the published scale, so none is declared" in caplog.text
    hint = re.search(r'where="(.*?)"', caplog.text)[1]
    kept = found.where(hint)
    assert len(kept) == len(found) - 2


def test_a_count_that_is_wrong_is_said(cache, caplog):
    rows = wide(matrix(5, 158))
    rows[2][0] += 1
    archive(cache, "jester-4", {"ratings.xlsx": workbook(rows)})
    datasets.load("jester-4")
    assert "in 1 rows the first column is not the number of ratings (first: row 3 says" in caplog.text


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([[1, 5.0, 99.0]], "has 3 columns, not a count and 158 jokes"),
        ([[1, *["x"] * 158]], "has text in column 2"),
    ],
)
def test_a_workbook_that_is_not_as_published(cache, rows, message):
    archive(cache, "jester-4", {"ratings.xlsx": workbook(rows)})
    with pytest.raises(BadData, match=message):
        datasets.load("jester-4")


def test_workbooks_that_cannot_be_read(cache):
    archive(cache, "jester-4", {"ratings.xlsx": b"no workbook"})
    with pytest.raises(BadData, match="is no workbook that can be read"):
        datasets.load("jester-4")
    archive(cache, "jester-4", {"a.xls": b"1", "b.xls": b"2", "._b.xls": b"3"})
    with pytest.raises(BadData, match="holds 2 workbooks, not one") as caught:
        datasets.load("jester-4")
    assert caught.value.where == "a.xls, b.xls"


def test_without_a_reader_of_workbooks_the_extra_is_named(cache, monkeypatch):
    from foretaste.errors import MissingExtra

    monkeypatch.setitem(__import__("sys").modules, "fastexcel", None)
    make_wide(cache, "jester-4", [matrix(5, 158)])
    with pytest.raises(MissingExtra) as caught:
        datasets.load("jester-4")
    assert caught.value.hint == 'pip install "foretaste[excel]"'


JOKES = [f"Joke {n}: why? Because it is “{n}” & no more." for n in range(1, 151)]


def test_jester_2(cache, caplog):
    caplog.set_level(logging.INFO, "foretaste")
    rows = [(1, 5, 0.219), (1, 7, -9.281), (63978, 150, 10.0)]
    marks = {"“": "&quot;", "”": "&#034;", "& ": "&amp; "}
    marked = []
    for number, text in enumerate(JOKES, 1):
        for plain, written in marks.items():
            text = text.replace(plain, written)
        marked.append(f"{number}:\n<p>\r\n{text}\n<br />\r\nEnd.</p>\r\n\n")
    archive(
        cache, "jester-2", {"jester_ratings.dat": lines(rows, "\t\t"), "jester_items.dat": "".join(marked)}
    )
    found = datasets.load("jester-2")
    assert list(zip(found.user_ids.tolist(), found.item_ids.tolist(), strict=True)) == [r[:2] for r in rows]
    np.testing.assert_array_equal(found.value, np.array([r[2] for r in rows], np.float32))
    assert found.scale == (-10, 10)
    assert [r.getMessage() for r in caplog.records] == [
        "jester-2: 1,761,439 ratings were published, 3 were read"
    ]
    jokes = datasets.load_items("jester-2")
    assert jokes.titles(np.array([1, 150])) == [
        'Joke 1: why? Because it is "1" & no more. End.',
        'Joke 150: why? Because it is "150" & no more. End.',
    ]  # fmt: skip


def test_joke_texts_of_jester_1(cache):
    page = "<HTML>x<!--begin of joke -->\nWhy?<P>\n<i>Because</i><br>of {}.\n<!--end of joke -->y</HTML>"
    members = {f"jokes/init{n}.html": page.format(n) for n in range(1, 101)}
    members |= {"__MACOSX/jokes/._init1.html": b"\x00\x05", "jokes/.DS_Store": b"\x00"}
    archive(cache, "jester-1", members, "items")
    found = datasets.load_items("jester-1")
    assert found.title == "jokeText"
    assert found.titles(np.array([1, 100])) == ["Why? Because of 1.", "Why? Because of 100."]
    assert "jester_dataset_1_1.zip" not in [p.name for p in (cache / "datasets/jester-1").iterdir()]
    del members["jokes/init44.html"]
    archive(cache, "jester-1", members, "items")
    with pytest.raises(BadData, match="does not hold the texts of jokes 1 to 100") as caught:
        datasets.load_items("jester-1")
    assert caught.value.where == "first fault: joke 44"


@pytest.mark.parametrize("heading", [[], [["Jokes"]]])
def test_joke_texts_in_a_workbook(cache, heading):
    archive(
        cache,
        "jester-3",
        {"Dataset3JokeSet.xlsx": workbook(heading + [[text + "\n!"] for text in JOKES])},
        "items",
    )
    assert datasets.load_items("jester-3").titles(np.array([1, 150])) == [JOKES[0] + " !", JOKES[149] + " !"]


@given(st.lists(st.text(st.characters(codec="ascii", exclude_characters="<>&\0"), min_size=1)))
def test_text_without_marks_keeps_its_words(parts):
    html = "<p>" + "<br />".join(parts) + "</p>"
    assert jester.plain_text(html) == " ".join(" ".join(parts).split())


# Real archives and real rows -----------------------------------------------------------------------------


@pytest.mark.dataset
def test_jester_1_as_published(monkeypatch):
    names = [found.file for found in datasets.info("jester-1").archives]
    for name in names:
        data_file(f"jester1/{name}")
    monkeypatch.setenv("FORETASTE_MIRROR", str(data_file(f"jester1/{names[0]}").parent))
    found = datasets.load("jester-1", progress=False)  # byte for byte, by the checksums of the catalogue
    assert (len(found), len(found.users), len(found.items)) == (4_136_360, 73_421, 100)
    assert found.scale == (-10, 10)
    table = np.load(data_file("jester1/jester1_ratings_x100_int16.npz"))["ratings_x100"]
    assert (found.user_ids[[0, -1]].tolist(), found.users.ids[-1]) == ([1, 73_421], 73_421)
    np.testing.assert_array_equal(np.rint(found.value * 100).astype(np.int16), table[table != 9900])
    jokes = datasets.load_items("jester-1", progress=False)
    assert len(jokes) == 100
    assert all(text and "<" not in text and "\n" not in text for text in jokes.columns["jokeText"])


@pytest.mark.dataset
def test_jester_2_of_real_rows(cache):
    with gzip.open(data_file("jester2/jester_ratings_users_1_to_14780.csv.gz"), "rt") as file:
        rows = list(csv.reader(file))[1:]
    text = "".join("\t\t".join(row) + "\n" for row in rows)
    items = data_file("jester2/jester_items.dat").read_bytes()
    archive(cache, "jester-2", {"jester_ratings.dat": text, "jester_items.dat": items})
    found = datasets.load("jester-2")
    assert (len(found), len(found.users), len(found.items)) == (385_494, 13_173, 140)
    assert found.value.mean(dtype=np.float64) == pytest.approx(1.4478, abs=5e-5)
    lecture = found.where("userId <= 4000")
    assert (len(lecture), len(lecture.users), len(lecture.items)) == (141_359, 3_632, 140)
    with data_file("jester2/jester_items.csv").open(encoding="utf-8", newline="") as file:
        edited = {int(row["jokeId"]): words(row["jokeText"]) for row in csv.DictReader(file)}
    titles = datasets.load_items("jester-2")
    for number, text in zip(titles.items.ids.tolist(), titles.columns["jokeText"], strict=True):
        mine, theirs = words(text), edited[number]  # another edition, with its spelling mended
        assert len(mine & theirs) > 0.7 * len(mine | theirs), number


def words(text: str) -> set[str]:
    return set(re.findall("[a-z]+", text.lower()))


@pytest.mark.dataset
def test_jester_3_of_real_rows(cache):
    with gzip.open(data_file("jester2/jester_ratings_users_1_to_1000.csv.gz"), "rt") as file:
        rows = [(int(u), int(j), float(r)) for u, j, r in list(csv.reader(file))[1:]]
    whole = np.full((1000, 150), np.nan)
    for user, joke, value in rows:
        whole[user - 1, joke - 1] = value
    make_wide(cache, "jester-3", [whole])
    check_wide(datasets.load("jester-3"), whole)
    archive(
        cache, "jester-3",
        {"Dataset3JokeSet.xlsx": data_file("jester2/Dataset3JokeSet.xlsx").read_bytes()}, "items",
    )  # fmt: skip
    jokes = datasets.load_items("jester-3")
    assert len(jokes) == 150
    # Most of the texts are those of Jester 2, number for number.
    archive(cache, "jester-2", {"jester_items.dat": data_file("jester2/jester_items.dat").read_bytes()})
    others = datasets.load_items("jester-2").columns["jokeText"]
    starts = [a[:12] == b[:12] for a, b in zip(jokes.columns["jokeText"], others, strict=True)]
    assert sum(starts) > 120


@pytest.mark.dataset
def test_jester_4_of_the_real_workbooks(cache, caplog):
    ratings = data_file("jester4/jester_dataset_4_ratings.xlsx").read_bytes()
    member = "[final] April 2015 to Nov 30 2019 - Transformed Jester Data - .xlsx"
    archive(cache, "jester-4", {member: ratings})
    found = datasets.load("jester-4")
    assert (len(found), len(found.users), len(found.items)) == (106_489, 7_699, 136)
    assert (found.value.min(), found.value.max()) == (np.float32(-42.28), np.float32(28.58))
    assert found.scale is None
    (warning,) = caplog.records
    assert "541 ratings lie outside the published scale" in warning.getMessage()
    jokes = data_file("jester4/jester_dataset_4_jokes.xlsx").read_bytes()
    archive(cache, "jester-4", {"Dataset4JokeSet.xlsx": jokes}, "items")
    assert len(datasets.load_items("jester-4")) == 158


@pytest.mark.dataset
def test_movielens_100k_of_the_real_files(cache, caplog):
    folder = data_file("ml-100k/u.data").parent
    archive(cache, "movielens-100k", {f"ml-100k/{p.name}": p.read_bytes() for p in folder.iterdir()})
    found = datasets.load("movielens-100k")
    assert (len(found), len(found.users), len(found.items)) == (100_000, 943, 1_682)
    assert caplog.records == []
    assert found.value.mean() == pytest.approx(3.5299, abs=5e-5)
    assert len(found.item_table.columns) == 18
    assert len([c for c in found.user_table.columns if c.startswith("occupation=")]) == 21
    first = dict(zip(found.user_table.columns, found.user_table.values[0], strict=True))
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
    archive(cache, "movielens-1m", {"ml-1m/ratings.dat": rows, **members})
    found = datasets.load("movielens-1m")
    assert (len(found), len(found.users), len(found.items)) == (1_000_209, 6_040, 3_706)
    assert caplog.records == []
    assert np.bincount(found.value.astype(int))[1:].tolist() == [56_174, 107_557, 261_197, 348_971, 226_310]
    assert len([c for c in found.user_table.columns if c.startswith("occupation=")]) == 21
    assert len(datasets.load_items("movielens-1m")) == 3_883


@pytest.mark.dataset
@pytest.mark.parametrize("name", ["movielens-10m", "movielens-20m", "movielens-latest-small"])
def test_other_movielens_layouts_of_real_rows(cache, name):
    data = archives_rows()
    films = [(n, title, genres) for n, title, genres in data[1]]
    make_members = {
        "movielens-10m": lambda: dat_members("ml-10M100K", data[0], films, "utf-8"),
    }.get(name, lambda: csv_members(name.replace("movielens", "ml"), data[0], films))
    archive(cache, name, make_members())
    found = datasets.load(name)
    assert (len(found), len(found.users), len(found.items)) == (100_000, 943, 1_682)
    assert found.when.tolist() == [row[3] for row in data[0]]
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
