"""Real files, each read by one call, with the published counts.

Only counts of the files are stored here; they are read from the folder in FORETASTE_DATA.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from real_data import VARIABLE, data_file

from foretaste.errors import DataError
from foretaste.io import encode_file_pairs, read_items, read_pairs, read_ratings, read_ratings_with_report

pytestmark = pytest.mark.dataset

WIDE = {"layout": "wide"}
# Options, ratings, users, items, mean; published, but for the two first parts of files, which were counted.
RATINGS: dict[str, tuple] = {
    "jester1/jester_dataset_1_1.zip": (WIDE, 1_810_455, 24_983, 100, 0.8798),
    "jester1/jester_dataset_1_2.zip": (WIDE, 1_708_993, 23_500, 100, 0.7573),
    "jester1/jester_dataset_1_3.zip": (WIDE, 616_912, 24_938, 100, 0.2964),
    "jester1/jester1_ratings_x100_int16.npz": (WIDE | {"missing": 9900}, 4_136_360, 73_421, 100, 74.2147),
    "jester2/jester_ratings_users_1_to_1000.csv.gz": ({}, 38_217, 906, 140, 1.3236),
    "jester2/jester_ratings_users_1_to_4000.csv.gz": ({}, 141_359, 3_632, 140, 1.2001),
    "jester2/jester_ratings_users_1_to_14780.csv.gz": ({}, 385_494, 13_173, 140, 1.4478),
    "jester4/jester_dataset_4_ratings.xlsx": (WIDE, 106_489, 7_699, 136, 0.5217),
    "jester4/jester_dataset_4_long.csv.gz": ({}, 106_489, 7_699, 136, 0.5217),
    "jester5k/Jester5k.rda": ({}, 363_209, 5_000, 100, 0.9159),
    "jester5k/Jester5k_long.csv.gz": ({}, 363_209, 5_000, 100, 0.9159),
    "ml-100k/u.data": ({}, 100_000, 943, 1_682, 3.5299),
    "ml-1m/ratings_no_timestamps.dat.gz": ({}, 1_000_209, 6_040, 3_706, 3.5816),
    "ml-1m/ratings_first_487650_with_timestamps.dat.gz": ({}, 487_650, 2_999, 3_615, 3.5719),
    "filmtrust/ratings.txt": ({"duplicates": "last"}, 35_494, 1_508, 2_071, 3.0027),
    "coat/train.ascii": (WIDE | {"missing": 0}, 6_960, 290, 300, 2.6115),
    "coat/test.ascii": (WIDE | {"missing": 0}, 4_640, 290, 300, 2.2289),
    "restaurants/rating_final.csv": ({}, 1_161, 138, 130, 1.1998),
}
# Rows of the parts of MovieLens 100K.
PARTS = {
    "ml-100k/" + name: rows
    for name, rows in [(f"u{n}.base", 80_000) for n in range(1, 6)]
    + [(f"u{n}.test", 20_000) for n in range(1, 6)]
    + [("ua.base", 90_570), ("ub.base", 90_570), ("ua.test", 9_430), ("ub.test", 9_430)]
}
LATIN = {"encoding": "latin-1"}
ITEMS: dict[str, tuple] = {
    "jester2/jester_items.csv": ({}, 150),
    "jester2/Dataset3JokeSet.xlsx": ({"header": True}, 150),
    "jester4/jester_dataset_4_jokes.xlsx": ({"header": False}, 158),
    "jester5k/JesterJokes.csv": ({}, 100),
    "ml-100k/u.item": (LATIN, 1_682),
    "ml-1m/movies.dat": (LATIN, 3_883),
}
OTHERS = {
    "README.md": "words", "SHA256SUMS": "sums", "coat/README.txt": "words", "filmtrust/readme.txt": "words",
    "ml-100k/README": "words", "ml-1m/README": "words", "ml-100k/u.info": "counts, in words",
    "coat/item_features.ascii": "features without ids", "coat/user_features.ascii": "features without ids",
    "coat/item_features_map.txt": "words", "coat/user_features_map.txt": "words",
    "filmtrust/trust.txt": "who trusts whom: no ratings", "ml-100k/u.genre": "names of genres",
    "ml-100k/u.occupation": "names of occupations",
    "ml-100k/u.user": "features of users: read with the data set", "ml-1m/users.dat": "the same",
    "jester1/jester_dataset_1_joke_texts.zip": "100 web pages: read with the data set",
    "jester2/jester_items.dat": "texts in HTML: read with the data set",
}  # fmt: skip


def test_every_file_is_covered():
    data_file("README.md")
    folder = Path(os.environ[VARIABLE])
    files = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    known = {*RATINGS, *PARTS, *ITEMS, *OTHERS}
    assert files <= known, files - known


@pytest.mark.parametrize("name", RATINGS)
def test_ratings_have_the_published_counts(name):
    options, count, users, items, mean = RATINGS[name]
    ratings = read_ratings(data_file(name), **options)
    assert (len(ratings), len(ratings.users), len(ratings.items)) == (count, users, items)
    assert ratings.value.mean(dtype=float) == pytest.approx(mean, abs=6e-5)
    assert (ratings.timestamp is not None) == (name == "ml-100k/u.data" or "with_timestamps" in name)


@pytest.mark.parametrize("name", PARTS)
def test_predefined_splits_have_the_published_counts(name):
    assert len(read_ratings(data_file(name))) == PARTS[name]


@pytest.mark.parametrize("name", ITEMS)
def test_items_have_the_published_counts(name):
    options, count = ITEMS[name]
    catalogue = read_items(data_file(name), **options)
    assert len(catalogue) == count
    assert all(catalogue.titles(catalogue.items.ids))


def test_three_formats_give_the_same_ratings():
    """R's own file, its conversion to text; the sheets of three archives and their conversion to an array."""
    kept, text = (read_ratings(data_file(f"jester5k/Jester5k{end}")) for end in (".rda", "_long.csv.gz"))
    assert kept.users == text.users
    assert set(kept.items) == set(text.items)
    assert np.array_equal(kept.to_matrix(items=text.items), text.to_matrix(), equal_nan=True)
    assert int((kept.value == 0).sum()) == 1_025
    name = "jester1/jester1_ratings_x100_int16.npz"
    whole = read_ratings(data_file(name), layout="wide", missing=9900).value / np.float32(100)
    parts = [read_ratings(data_file(f"jester1/jester_dataset_1_{n}.zip"), layout="wide") for n in (1, 2, 3)]
    assert np.allclose(np.concatenate([part.value for part in parts]), whole, atol=1e-6)


def test_duplicate_pairs_raise_or_are_counted():
    path = data_file("filmtrust/ratings.txt")
    with pytest.raises(DataError, match=r"\(3 repeated rows in all\)"):
        read_ratings(path)
    found = read_ratings_with_report(path)
    assert (found.n_rows, len(found.ratings)) == (35_497, 35_494)
    assert [(fault.kind, len(fault.rows)) for fault in found.row_errors] == [("duplicate", 3)]


def test_condition_on_a_real_file():
    path = data_file("jester2/jester_ratings_users_1_to_14780.csv.gz")
    part = read_ratings(path, where="userId <= 4000")
    assert part.user_ids[:3].tolist() == read_ratings(path).user_ids[:3].tolist()
    assert (len(part), len(part.users)) == (141_359, 3_632)


def test_pairs_of_a_real_file():
    known = read_ratings(data_file("ml-100k/u1.base"))
    encoded = encode_file_pairs(read_pairs(data_file("ml-100k/u1.test")), known.users, known.items)
    assert (len(encoded), int((encoded.item < 0).sum())) == (20_000, 32)
    assert encoded.timestamp is not None
