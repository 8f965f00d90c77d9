"""The Jester datasets: archives in the published layouts, with synthetic and real ratings."""

from __future__ import annotations

import csv
import gzip
import logging
import re

import numpy as np
import pytest
from dataset_archives import add_count_column, join_rows, make_workbook, write_archive, write_named_archive
from hypothesis import given
from hypothesis import strategies as st
from real_data import data_file

from foretaste import datasets
from foretaste.datasets import jester
from foretaste.errors import DataError

pytest.importorskip("python_calamine", reason='needs pip install "foretaste[test]"')
pytest.importorskip("openpyxl", reason='needs pip install "foretaste[test]"')


# Jester, made up -----------------------------------------------------------------------------------------


def matrix(users: int, jokes: int, seed: int = 0) -> np.ndarray:
    """Return ratings in hundredths, NaN where there is none; one user has none at all."""
    rng = np.random.default_rng(seed)
    found = np.round(rng.uniform(-10, 10, (users, jokes)), 2)
    found[rng.random((users, jokes)) < 0.6] = np.nan
    found[1] = np.nan
    return found


def make_wide(cache, name, parts):
    for published, part in zip(datasets.info(name).archives_with("ratings"), parts, strict=True):
        write_named_archive(
            cache, name, published.file, {"ratings.xls": make_workbook(add_count_column(part))}
        )


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
    assert found.timestamp is None
    assert "4,136,360 ratings were published" in caplog.text


@given(
    st.lists(st.lists(st.sampled_from([99.0, np.nan, 0.0, -3.25, 10.0]), min_size=3, max_size=3), min_size=1)
)
def test_melt_preserves_every_rating(rows):
    table = np.array(rows)
    rated = {(u + 1, j + 1): v for u, row in enumerate(rows) for j, v in enumerate(row) if v == v and v != 99}
    cut = len(rows) // 2
    found = jester.from_wide([table[:cut], table[cut:]], (-10.0, 10.0)) if rated else None
    if found is not None:
        pairs = zip(found.user_ids.tolist(), found.item_ids.tolist(), strict=True)
        assert dict(zip(pairs, found.value.tolist(), strict=True)) == rated


@pytest.mark.parametrize(("name", "jokes"), [("jester-3", 150), ("jester-4", 158)])
def test_scale_is_declared_if_all_ratings_are_within(cache, name, jokes, caplog):
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
    assert f"{name}: 2 ratings lie outside the published scale, so it is not declared" in caplog.text
    hint = re.search(r'where="(.*?)"', caplog.text)[1]
    kept = found.where(hint)
    assert len(kept) == len(found) - 2


def test_wrong_rating_count_is_logged(cache, caplog):
    rows = add_count_column(matrix(5, 158))
    rows[2][0] += 1
    write_archive(cache, "jester-4", {"ratings.xlsx": make_workbook(rows)})
    datasets.load("jester-4")
    assert "in 1 rows the first column is not the number of ratings (first: row 3 says" in caplog.text


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([[1, 5.0, 99.0]], "has 3 columns, not a count and 158 jokes"),
        ([[1, *["x"] * 158]], "has text in column 2"),
    ],
)
def test_unexpected_workbook_layout_raises(cache, rows, message):
    write_archive(cache, "jester-4", {"ratings.xlsx": make_workbook(rows)})
    with pytest.raises(DataError, match=message):
        datasets.load("jester-4")


def test_unreadable_workbooks_raise(cache):
    write_archive(cache, "jester-4", {"ratings.xlsx": b"no workbook"})
    with pytest.raises(DataError, match="truncated or damaged"):
        datasets.load("jester-4")
    write_archive(cache, "jester-4", {"a.xls": b"1", "b.xls": b"2", "._b.xls": b"3"})
    with pytest.raises(DataError, match="contains 2 workbooks, not one") as caught:
        datasets.load("jester-4")
    assert caught.value.where == "a.xls, b.xls"


def test_missing_calamine_names_the_extra(cache, monkeypatch):
    from foretaste.errors import MissingDependencyError

    monkeypatch.setitem(__import__("sys").modules, "python_calamine", None)
    make_wide(cache, "jester-4", [matrix(5, 158)])
    with pytest.raises(MissingDependencyError) as caught:
        datasets.load("jester-4")
    assert caught.value.hint == 'pip install "foretaste[excel]"'


JOKES = [f"Joke {n}: why? Because it is “{n}” & no more." for n in range(1, 151)]


def test_jester_2_ratings_and_joke_texts_are_read(cache, caplog):
    caplog.set_level(logging.INFO, "foretaste")
    rows = [(1, 5, 0.219), (1, 7, -9.281), (63978, 150, 10.0)]
    marks = {"“": "&quot;", "”": "&#034;", "& ": "&amp; "}
    marked = []
    for number, text in enumerate(JOKES, 1):
        for plain, written in marks.items():
            text = text.replace(plain, written)
        marked.append(f"{number}:\n<p>\r\n{text}\n<br />\r\nEnd.</p>\r\n\n")
    write_archive(
        cache,
        "jester-2",
        {"jester_ratings.dat": join_rows(rows, "\t\t"), "jester_items.dat": "".join(marked)},
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
    write_archive(cache, "jester-1", members, "items")
    found = datasets.load_items("jester-1")
    assert found.title == "jokeText"
    assert found.titles(np.array([1, 100])) == ["Why? Because of 1.", "Why? Because of 100."]
    assert "jester_dataset_1_1.zip" not in [p.name for p in (cache / "datasets/jester-1").iterdir()]
    del members["jokes/init44.html"]
    write_archive(cache, "jester-1", members, "items")
    with pytest.raises(DataError, match="does not contain the texts of jokes 1 to 100") as caught:
        datasets.load_items("jester-1")
    assert caught.value.where == "first: joke 44"


@pytest.mark.parametrize("heading", [[], [["Jokes"]]])
def test_joke_texts_in_a_workbook(cache, heading):
    write_archive(
        cache,
        "jester-3",
        {"Dataset3JokeSet.xlsx": make_workbook(heading + [[text + "\n!"] for text in JOKES])},
        "items",
    )
    assert datasets.load_items("jester-3").titles(np.array([1, 150])) == [JOKES[0] + " !", JOKES[149] + " !"]


@given(st.lists(st.text(st.characters(codec="ascii", exclude_characters="<>&\0"), min_size=1)))
def test_html_is_stripped_from_joke_texts(parts):
    html = "<p>" + "<br />".join(parts) + "</p>"
    assert jester.html_to_text(html) == " ".join(" ".join(parts).split())


# Real archives and real rows -----------------------------------------------------------------------------


@pytest.mark.nightly
@pytest.mark.dataset
def test_jester_1_as_published(monkeypatch):
    names = [found.file for found in datasets.info("jester-1").archives]
    for name in names:
        data_file(f"jester1/{name}")
    monkeypatch.setenv("FORETASTE_MIRROR", str(data_file(f"jester1/{names[0]}").parent))
    found = datasets.load("jester-1", progress=False)  # byte for byte, by the checksums of the registry
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
    write_archive(cache, "jester-2", {"jester_ratings.dat": text, "jester_items.dat": items})
    found = datasets.load("jester-2")
    assert (len(found), len(found.users), len(found.items)) == (385_494, 13_173, 140)
    assert found.value.mean(dtype=np.float64) == pytest.approx(1.4478, abs=5e-5)
    lecture = found.where("userId <= 4000")
    assert (len(lecture), len(lecture.users), len(lecture.items)) == (141_359, 3_632, 140)
    with data_file("jester2/jester_items.csv").open(encoding="utf-8", newline="") as file:
        edited = {int(row["jokeId"]): words(row["jokeText"]) for row in csv.DictReader(file)}
    titles = datasets.load_items("jester-2")
    for number, text in zip(titles.items.ids.tolist(), titles.columns["jokeText"], strict=True):
        mine, theirs = words(text), edited[number]  # another edition, with corrected spelling
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
    write_archive(
        cache, "jester-3",
        {"Dataset3JokeSet.xlsx": data_file("jester2/Dataset3JokeSet.xlsx").read_bytes()}, "items",
    )  # fmt: skip
    jokes = datasets.load_items("jester-3")
    assert len(jokes) == 150
    # Most of the texts are those of Jester 2, number for number.
    write_archive(cache, "jester-2", {"jester_items.dat": data_file("jester2/jester_items.dat").read_bytes()})
    others = datasets.load_items("jester-2").columns["jokeText"]
    starts = [a[:12] == b[:12] for a, b in zip(jokes.columns["jokeText"], others, strict=True)]
    assert sum(starts) > 120


@pytest.mark.nightly
@pytest.mark.dataset
def test_jester_4_of_the_real_workbooks(cache, caplog):
    ratings = data_file("jester4/jester_dataset_4_ratings.xlsx").read_bytes()
    member = "[final] April 2015 to Nov 30 2019 - Transformed Jester Data - .xlsx"
    write_archive(cache, "jester-4", {member: ratings})
    found = datasets.load("jester-4")
    assert (len(found), len(found.users), len(found.items)) == (106_489, 7_699, 136)
    assert (found.value.min(), found.value.max()) == (np.float32(-42.28), np.float32(28.58))
    assert found.scale is None
    (warning,) = caplog.records
    assert "541 ratings lie outside the published scale" in warning.getMessage()
    jokes = data_file("jester4/jester_dataset_4_jokes.xlsx").read_bytes()
    write_archive(cache, "jester-4", {"Dataset4JokeSet.xlsx": jokes}, "items")
    assert len(datasets.load_items("jester-4")) == 158
