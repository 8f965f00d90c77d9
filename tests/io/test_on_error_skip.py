"""``on_error="skip"``: which rows are skipped and why, and nothing else."""

from __future__ import annotations

import logging
import math

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from foretaste.errors import DataError, InvalidParameterError
from foretaste.io import read_ratings, read_ratings_with_report

DIRTY = """userId,movieId,rating,timestamp
1,10,4.5,100
1,11,N/A,101
,12,3,102
2,10,5
2,11,inf,104
2,12,2,105,7
3,10,99,106
1,10,1,107
3,,4,108
3,11,4,109
"""


@pytest.fixture
def dirty(tmp_path):
    path = tmp_path / "dirty.csv"
    path.write_text(DIRTY)
    return path


def rows(ratings) -> list[tuple]:
    columns = (ratings.user_ids, ratings.item_ids, ratings.value)
    return list(zip(*(column.tolist() for column in columns), strict=True))


def test_every_error_kind_is_located_and_other_rows_are_read(dirty):
    found = read_ratings_with_report(dirty, scale=(0.5, 5))
    assert rows(found.ratings) == [(1, 10, 4.5), (3, 11, 4.0)]
    assert found.ratings.timestamp.tolist() == [100, 109]
    assert found.n_rows == 10
    assert {(f.kind, f.row_labels, tuple(f.rows)) for f in found.row_errors} == {
        ("ragged", ("line 5", "line 7"), (3, 5)),
        ("not_a_number", ("line 3", "line 6"), (1, 4)),
        ("missing_id", ("line 4",), (2,)),
        ("missing_id", ("line 10",), (8,)),
        ("outside_scale", ("line 8",), (6,)),
        ("duplicate", ("line 9",), (7,)),
    }


def test_log_counts_and_names_skipped_rows(dirty, caplog):
    with caplog.at_level(logging.WARNING, "foretaste"):
        read_ratings(dirty, scale=(0.5, 5), on_error="skip")
    (record,) = caplog.records
    assert record.getMessage() == (
        "dirty.csv: 8 of 10 rows are invalid and were skipped: "
        "2 because too many or too few fields (line 5, line 7); "
        "2 because a rating is not a finite number (line 3, line 6); "
        "1 because an id is missing (line 4); 1 because an id is missing (line 10); "
        "1 because a rating is outside the declared scale (line 8); "
        "1 because the user already rated the item (line 9)"
    )


def test_raise_mode_reports_the_first_error(dirty):
    with pytest.raises(DataError, match="line 5: 3 fields, most lines have 4"):
        read_ratings(dirty)


def test_duplicates_option_applies_when_skipping(dirty):
    found = read_ratings_with_report(dirty, scale=(0.5, 5), duplicates="last")
    assert rows(found.ratings) == [(1, 10, 1.0), (3, 11, 4.0)]
    assert "duplicate" not in {fault.kind for fault in found.row_errors}


def test_conditions_apply_before_skipping(dirty):
    found = read_ratings_with_report(dirty, where="movieId = 11")
    assert rows(found.ratings) == [(3, 11, 4.0)]
    kinds = {fault.kind: fault.row_labels for fault in found.row_errors}
    assert kinds["not_a_number"] == ("line 3", "line 6")


def test_ids_are_integers_after_skipping_invalid_rows(tmp_path):
    path = tmp_path / "ids.csv"
    path.write_text("user,item,rating\n1,10,3\n2,11,x\nthree,10,y\n")
    assert read_ratings_with_report(path).ratings.users.dtype == "int"


def test_invalid_timestamps_are_row_errors_if_most_are_valid(tmp_path):
    path = tmp_path / "times.csv"
    path.write_text("user,item,rating,timestamp\n1,10,3,100\n2,11,4,soon\n3,12,5,102\n")
    found = read_ratings_with_report(path)
    assert found.ratings.timestamp.tolist() == [100, 102]
    assert [(f.kind, f.row_labels) for f in found.row_errors] == [("bad_time", ("line 3",))]
    path.write_text("user,item,rating,timestamp\n1,10,3,often\n2,11,4,soon\n3,12,5,102\n")
    found = read_ratings_with_report(path)
    assert found.ratings.timestamp is None
    assert len(found.ratings) == 3
    assert found.row_errors == ()


def test_multi_line_records_keep_their_line_numbers(tmp_path):
    path = tmp_path / "quoted.csv"
    path.write_text('user,item,rating\n"a\nb",x,1\n"c",y\nd,z,?\n"e",x,2\n')
    found = read_ratings_with_report(path)
    assert rows(found.ratings) == [("a\nb", "x", 1.0), ("e", "x", 2.0)]
    assert [(f.kind, f.row_labels) for f in found.row_errors] == [
        ("ragged", ("line 4",)),
        ("not_a_number", ("line 5",)),
    ]


@pytest.mark.parametrize("frame", [pd.DataFrame, pl.DataFrame])
def test_frames_are_skipped_by_row(frame):
    table = frame({"user": [1, None, 2, 1], "item": ["a", "b", None, "a"], "rating": [1.0, 2.0, 3.0, 4.0]})
    found = read_ratings_with_report(table)
    assert rows(found.ratings) == [(1, "a", 1.0)]
    assert {f.kind: f.row_labels for f in found.row_errors} == {
        "missing_id": ("row 2",),
        "duplicate": ("row 3",),
    }
    assert [f.row_labels for f in found.row_errors] == [("row 1",), ("row 2",), ("row 3",)]
    with pytest.raises(DataError, match="row 1: the user id is missing"):
        read_ratings(table)


def test_no_valid_row_raises_with_the_first_error(tmp_path):
    path = tmp_path / "comma.csv"
    path.write_text('user;item;rating\n1;2;"3,5"\n1;3;"4,5"\n')
    with pytest.raises(DataError, match="no valid row") as caught:
        read_ratings(path, on_error="skip")
    assert caught.value.hint == 'decimal=","'
    assert read_ratings(path, decimal=",").value.tolist() == [3.5, 4.5]


def test_decimal_comma_option_rejects_points(tmp_path):
    path = tmp_path / "mixed.csv"
    path.write_text("user;item;rating\n1;2;3,5\n1;3;4.5\n")
    with pytest.raises(DataError, match=r'line 3: rating is "4.5", not a number'):
        read_ratings(path, decimal=",")


@pytest.mark.parametrize("option", [{"on_error": "ignore"}, {"decimal": ";"}])
def test_invalid_options_raise(dirty, option):
    with pytest.raises(InvalidParameterError, match="is not allowed"):
        read_ratings(dirty, **option)


SOUND = [(f"u{place}", "i", "1") for place in range(13)]
CELLS = st.sampled_from(["1", "2", "x", "", "1,9", "3.5", "nan", "-4", " 7", "007"])


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(CELLS, CELLS, CELLS), min_size=1, max_size=12))
def test_valid_and_skipped_rows_sum_to_the_total(tmp_path_factory, table):
    path = tmp_path_factory.getbasetemp() / "whole.csv"
    path.write_text("user,item,rating\n" + "".join(",".join(row) + "\n" for row in [*table, *SOUND]))
    found = read_ratings_with_report(path, separator=",", header=True)
    lines = [*(",".join(row).split(",") for row in table), *map(list, SOUND)]
    seen, good = set(), []
    for line in lines:
        usable = len(line) == 3 and line[0] and line[1] and _number(line[2]) and tuple(line[:2]) not in seen
        if usable:
            seen.add(tuple(line[:2]))
            good.append((line[0], line[1], np.float32(line[2])))
    assert [(str(u), str(i), v) for u, i, v in rows(found.ratings)] == good
    assert found.n_rows == len(lines)
    assert len({row for fault in found.row_errors for row in fault.rows.tolist()}) == len(lines) - len(good)


def _number(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False
