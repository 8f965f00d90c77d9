"""The wide layout: users, items, missing values, counts, and the location of each rating."""

from __future__ import annotations

import logging

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from real_data import data_file

from foretaste.errors import DataError, ForetasteError, InvalidParameterError, NotEnoughMemoryError
from foretaste.io.archive import unpack
from foretaste.io.wide import melt


def frame(rows, names=None) -> pl.DataFrame:
    columns = list(zip(*rows, strict=True))
    names = names or [f"column_{place + 1}" for place in range(len(columns))]
    return pl.DataFrame(
        [pl.Series(name, cells, strict=False) for name, cells in zip(names, columns, strict=True)]
    )


def long(rows, names=None, **options) -> list[tuple]:
    result = melt(frame(rows, names), name="r", header=names is not None, **options)
    return list(zip(result.user.to_list(), result.item.to_list(), result.value.tolist(), strict=True))


def refused(rows, names=None, kind: type[ForetasteError] = DataError, **options) -> ForetasteError:
    with pytest.raises(kind) as caught:
        melt(frame(rows, names), name="r", header=names is not None, **options)
    return caught.value


@pytest.fixture
def said(caplog):
    caplog.set_level(logging.INFO, logger="foretaste")
    return lambda level="INFO": [r.getMessage() for r in caplog.records if r.levelname == level]


@pytest.mark.parametrize("text", [False, True])
def test_rows_are_users_and_columns_are_items(text):
    rows = [(1.5, None, 3.0), (None, 0.0, -2.0)]
    if text:
        rows = [("1.5", "", " 3"), (" ", "0", "-2.0")]
    result = melt(frame(rows), name="r", header=False)
    assert result.user.to_list() == [1, 1, 2, 2]
    assert result.item.to_list() == [1, 3, 2, 3]
    assert result.value.tolist() == [1.5, 3, 0, -2]
    assert result.value.dtype == np.float32
    assert result.row.tolist() == [0, 0, 1, 1]
    assert result.column.tolist() == [0, 2, 1, 2]
    assert len(result.bad_row) == 0


def test_user_column_by_name_position_or_unnamed_first(said):
    rows = [("a", 1, 2), ("b", 3, None)]
    expected = [("a", "x", 1), ("a", "y", 2), ("b", "x", 3)]
    assert long(rows, ["userId", "x", "y"]) == expected
    assert said() == ['user ids: column "userId"   (override: user=...)']
    assert long(rows, ["column_1", "x", "y"]) == expected
    assert long(rows, ["column_1", "x", "y"], titles=["", "x", "y"]) == expected
    assert long(rows, ["who", "x", "y"], user="who") == expected
    assert long(rows, ["who", "x", "y"], user=0) == expected
    assert long(rows, user=0) == [("a", 1, 1), ("a", 2, 2), ("b", 1, 3)]
    turned = [(1, "a", 2), (3, "b", None)]
    assert long(turned, ["x", "user", "y"]) == expected


def test_ids_are_numbers_if_all_are():
    assert long([("7", 1), ("8", 2)], ["user", "10"]) == [(7, 10, 1), (8, 10, 2)]
    assert long([("07", 1), ("8", 2)], ["user", "10"]) == [("07", 10, 1), ("8", 10, 2)]
    assert long([(7.0, 1, 2)], ["user", "10", "x"]) == [(7, "10", 1), (7, "x", 2)]
    assert long([("", 1), ("8", 2)], ["user", "10"]) == [(None, 10, 1), (8, 10, 2)]
    assert "must be integers or strings" in refused([(7.5, 1)], ["user", "10"]).message


def test_invalid_user_column_raises():
    error = refused([("a", 1)], ["who", "x"], user="whom")
    assert 'did you mean "who"?' in error.message
    assert "read without a header" in refused([(1, 2)], user="who").where
    assert refused([(1, 2)], user=2).hint == "0 to 1"
    assert refused([(1, 2)], kind=InvalidParameterError, user=1.5).hint == "user=0"
    error = refused([("a", 1), ("b", 2)], ["who", "x"])
    assert 'the column "who" holds no number' in error.message
    assert error.hint == "if these are the user ids: user=0"


def test_unnamed_or_repeated_columns():
    rows = [(1, 2, 3, 4)]
    error = refused(rows, ["user", "a", "b", "a_4"], titles=["user", "a", "b", "a"])
    assert '2 columns are called "a"' in error.message
    assert "1, 3" in error.where
    error = refused(rows, ["user", "a", "b", "column_4"], titles=["user", "a", "b", ""])
    assert "the column at position 3 (from 0) has no name" in error.message


def test_empty_table_raises():
    assert "no columns of items" in refused([("a",)], ["user"]).message
    with pytest.raises(DataError, match="no rows"):
        melt(pl.DataFrame({"a": []}), name="r", header=True)


# What is no rating ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("missing", "left"),
    [(99, [1, -1]), ("NA", None), ([99, -1], [1]), (["99"], [1, -1]), ((), [1, 99, -1])],
)
def test_explicit_missing_value(missing, left):
    rows = [(1.0, 99.0), (None, -1.0)]
    if left is not None:
        assert [value for *_, value in long(rows, missing=missing)] == left
    texts = [("1", "NA" if left is None else "99"), ("", "-1")]
    assert [value for *_, value in long(texts, missing=missing)] == (left or [1, -1])


def test_invalid_missing_value_raises():
    assert refused([(1, 2)], kind=InvalidParameterError, missing=[None]).hint == "missing=99"
    assert refused([(1, 2)], kind=InvalidParameterError, missing=True)


def test_distant_missing_marker_is_inferred_and_logged(said):
    rows = [(1.5, 99.0, -3.0), (99.0, 2.0, 4.0)]
    assert long(rows) == [(1, 1, 1.5), (1, 3, -3), (2, 2, 2), (2, 3, 4)]
    assert said() == ["r: missing=99 in 2 of 6 cells, the others are -3 to 4   (override: missing=...)"]
    assert len(long(rows, missing=())) == 6
    assert len(long([(1, -999), (2, 3)])) == 3


def test_a_marker_within_the_scale_is_a_rating(said):
    for rows in ([(1, 99, 100), (50, 99, 3)], [(99, 99, 99)], [(95, 99, 80), (70, 60, 99)]):
        assert len(long(rows)) == sum(map(len, rows))
    assert said() == []
    assert said("WARNING") == []


def test_rare_missing_marker_is_logged(said):
    rows = [[float(n % 5), 1.0] for n in range(40)]
    rows[3][1] = 99.0
    assert len(long(rows)) == 80
    assert said("WARNING") == [
        "r: 1 cell hold 99, the others 0 to 4; if that means no rating, set missing=99"
    ]


# A first column that counts ------------------------------------------------------------------------


def counted(rows):
    return [(sum(cell != 99 for cell in row), *row) for row in rows]


MANY = [(99.0, 1.5, -3.0, 9.5)] * 3 + [(2.0, 99.0, 99.0, 1.0), (1.0, 1.0, 2.0, 3.0), (99.0, 99.0, 99.0, -1.0)]


def test_count_column_is_inferred_and_dropped(said):
    result = long(counted(MANY))
    assert result == long(MANY)
    assert {item for _, item, _ in result} == {1, 2, 3, 4}
    assert (
        "r: the first column counts the ratings of its row; dropped   (override: first_column_is_count=False)"
        in said()
    )
    named = long(counted(MANY), ["n", "a", "b", "c", "d"])
    assert {item for _, item, _ in named} == set("abcd")
    users = [(f"u{n}", *row) for n, row in enumerate(counted(MANY))]
    assert len(long(users, ["user", "n", "a", "b", "c", "d"])) == len(result)


def test_explicit_count_column():
    assert len(long(counted(MANY), first_column_is_count=False)) == len(long(MANY)) + len(MANY)
    assert long([(5, 1, 2)], first_column_is_count=True) == [(1, 1, 1), (1, 2, 2)]


def test_count_column_with_explicit_missing_value():
    assert long(counted(MANY), missing=99) == long(MANY)


def test_nearly_matching_count_column_raises():
    rows = counted(MANY * 4)
    rows[7] = (1, *rows[7][1:])
    error = refused(rows, row_label=lambda row: f"line {row + 1}")
    assert "counts the ratings of its row, but not in 1 row of 24" in error.message
    assert error.where == "line 8: it holds 1, and 3 ratings follow"
    assert len(long(rows, first_column_is_count=True)) == len(long(MANY * 4))


@pytest.mark.parametrize(
    "rows",
    [
        [(2, 5, 4)],  # one row proves nothing
        [(2, 1, 3)] * 9,  # ratings that are all alike, and a table without gaps
        [(1, 2, 3), (2, 2, 1), (3, 1, 2), (1, 1, 1), (2, 3, 3), (1, 1, 3)],
    ],
)
def test_ratings_are_not_mistaken_for_counts(rows):
    assert len(long(rows)) == 3 * len(rows)


# Cells that are no numbers -------------------------------------------------------------------------


def test_invalid_cells_have_location_and_text():
    rows = [("1", "x", "3,5"), ("inf", "2", ""), ("nan", "4", "1e99")]
    result = melt(frame(rows), name="r", header=False)
    assert result.value.tolist() == [1, 2, 4]
    assert result.bad_row.tolist() == [0, 0, 1, 2, 2]
    assert result.bad_column.tolist() == [1, 2, 0, 0, 2]
    assert result.bad_text.to_list() == ["x", "3,5", "inf", "nan", "1e99"]


def test_invalid_cells_are_located_beside_users_and_counts():
    rows = [(f"u{n}", 2, "x" if n == 4 else "1", "2") for n in range(5)] + [("z", 1, "", "3")]
    result = melt(frame(rows, ["user", "n", "a", "b"]), name="r", header=True)
    assert (result.bad_row.tolist(), result.bad_column.tolist(), result.bad_text.to_list()) == (
        [4],
        [2],
        ["x"],
    )
    assert set(result.item.to_list()) == {"a", "b"}


def test_booleans_and_dates_are_invalid_and_nan_is_blank():
    table = pl.DataFrame({"a": [True, None], "b": [float("nan"), 2.0], "c": [float("inf"), 1.0], "d": [1, 2]})
    table = table.with_columns(e=pl.Series([None, "2020-01-02"]).str.to_date())
    result = melt(table, name="r", header=True)
    assert result.value.tolist() == [1, 2, 1, 2]
    assert result.bad_text.to_list() == ["true", "inf", "2020-01-02"]


def test_table_beyond_memory_raises(monkeypatch):
    monkeypatch.setattr("foretaste._utils.memory.available_bytes", lambda: 10)
    assert "wide layout needs" in refused([(1, 2)], kind=NotEnoughMemoryError).message


CELLS = st.one_of(st.none(), st.integers(-5, 5), st.floats(-5, 5, width=16))


@given(
    st.integers(1, 4).flatmap(lambda n: st.lists(st.tuples(*[CELLS] * n), min_size=1, max_size=8)),
    st.booleans(),
)
def test_every_rating_is_returned_once(rows, text):
    table = [[None if cell is None else str(cell) for cell in row] for row in rows] if text else rows
    columns = [
        pl.Series(f"column_{n + 1}", cells, dtype=pl.String if text else pl.Float64, strict=False)
        for n, cells in enumerate(zip(*table, strict=True))
    ]
    result = melt(pl.DataFrame(columns), name="r", header=False, first_column_is_count=False)
    expected = [
        (row + 1, column + 1, float(cell))
        for row, cells in enumerate(rows)
        for column, cell in enumerate(cells)
        if cell is not None
    ]
    assert (
        list(zip(result.user.to_list(), result.item.to_list(), result.value.tolist(), strict=True))
        == expected
    )


# Jester --------------------------------------------------------------------------------------------


@pytest.mark.dataset
def test_jester_1_and_4():
    pytest.importorskip("python_calamine", reason='needs pip install "foretaste[excel]"')
    from foretaste.io.excel import read_sheet

    def sheet(name):
        path = data_file(name)
        data, _, title = unpack(path, path)
        return read_sheet(data, title).frame

    whole = pl.concat([sheet(f"jester1/jester_dataset_1_{part}.zip") for part in (1, 2, 3)])
    original = np.load(data_file("jester1/jester1_ratings_x100_int16.npz"))["ratings_x100"]
    result = melt(whole, name="Jester 1", header=False)
    assert (result.user.n_unique(), len(result.value), result.item.n_unique()) == (73_421, 4_136_360, 100)
    assert np.array_equal(original[result.row, result.item.to_numpy() - 1], np.rint(result.value * 100))
    assert np.count_nonzero(original != 9900) == len(result.value)
    result = melt(sheet("jester4/jester_dataset_4_ratings.xlsx"), name="Jester 4", header=False)
    assert (result.user.n_unique(), len(result.value), result.item.n_unique()) == (7_699, 106_489, 136)
    assert result.value.mean(dtype=float) == pytest.approx(0.5217, abs=5e-5)
