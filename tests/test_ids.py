"""Ids and indices: one type per column, sorted, lossless."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from foretaste.errors import DataError, NotFoundError
from foretaste.ids import IdIndex, as_id_column, is_plain_integer

NUMBERS = st.integers(-(2**63), 2**63 - 1)
TEXTS = st.text(max_size=6)


def index(*ids) -> IdIndex:
    return IdIndex.from_column(list(ids), "user")[0]


@pytest.mark.parametrize("text", ["0", "7", "10", "9" * 18])
def test_plain_integers_are_recognized(text):
    assert is_plain_integer(text)


@pytest.mark.parametrize(
    "text", ["", "00", "07", "+7", "-7", " 7", "7 ", "7.0", "1e3", "1_0", "٧", "²", "9" * 19]
)
def test_other_texts_are_not_plain_integers(text):
    assert not is_plain_integer(text)


@given(st.lists(NUMBERS, max_size=30) | st.lists(st.integers(0, 40), max_size=30))
def test_numbers_round_trip(ids):
    found, codes = IdIndex.from_column(np.array(ids, dtype=np.int64), "user")
    assert found.ids.tolist() == sorted(set(ids))
    assert found.ids[codes].tolist() == ids
    assert codes.dtype == np.int32
    assert found.dtype == "int"


@given(st.lists(TEXTS, min_size=1, max_size=30))
def test_texts_round_trip_on_both_paths(ids):
    found, codes = IdIndex.from_column(ids, "user")
    assert found.ids.tolist() == sorted(set(ids))  # by code point
    assert found.ids[codes].tolist() == ids
    assert found.dtype == "str"
    series, same = IdIndex.from_column(pl.Series(ids, dtype=pl.String), "user")
    assert series == found
    assert same.tolist() == codes.tolist()


@given(st.lists(NUMBERS, max_size=10) | st.lists(TEXTS, min_size=1, max_size=10), st.data())
def test_encode_finds_known_ids_only(ids, data):
    found, _ = IdIndex.from_column(ids, "user")
    others = data.draw(st.lists(NUMBERS if found.dtype == "int" else TEXTS, min_size=1, max_size=10))
    wanted = [found.ids.tolist().index(id_) if id_ in ids else -1 for id_ in ids + others]
    assert found.encode(ids + others, "user").tolist() == wanted


def test_numbers_sort_numerically_and_texts_lexically():
    assert index(10, 9).ids.tolist() == [9, 10]
    assert index("10", "9").ids.tolist() == ["10", "9"]


def test_leading_zeros_survive():
    assert index("007", "7").ids.tolist() == ["007", "7"]


@pytest.mark.parametrize("ids", [[1, "1"], ["a", 2, "b"], np.array([np.int64(1), "1"], dtype=object)])
def test_mixed_columns_raise_with_the_fix(ids):
    with pytest.raises(DataError, match="the user column mixes numbers and text") as caught:
        IdIndex.from_column(ids, "user")
    assert "np." not in caught.value.message
    assert caught.value.hint == "convert the whole user column with .astype(str)"


@pytest.mark.parametrize(
    ("ids", "message"),
    [
        ([1, None], "item id in row 1 is None"),
        (["a", float("nan")], "item id in row 1 is nan"),
        ([True, "a"], "item id in row 0 is True"),
        (pl.Series(["a", None]), "item id in row 1 is None"),
        ([1.0, 2.0], "item ids are of type float64"),
        ([True, False], "item ids are of type bool"),
        ([[1, 2]], "item ids must be one column"),
        (np.array([1.5]), r"float64 \(1.5\)"),
        (np.array([2**63], dtype=np.uint64), "do not fit"),
    ],
)
def test_invalid_ids_raise(ids, message):
    with pytest.raises(DataError, match=message) as caught:
        IdIndex.from_column(ids, "item")
    assert caught.value.hint or "one column" in message


def test_ids_of_another_type_raise():
    with pytest.raises(DataError, match=r"as str \('1'\), but the known user ids are int \(1\)") as caught:
        index(1, 2).encode(["1"], "user")
    assert caught.value.hint == "convert the user column to int first"
    with pytest.raises(DataError, match="given as int"):
        index("1").encode([1], "user")


def test_parse_returns_the_type_of_the_index():
    assert index(-5, 7).parse(["7", "07", "x"]).tolist() == [7, -6, -6]
    assert index(7).indices_of(index(7).parse(["7", "07", "x"])).tolist() == [0, -1, -1]
    assert index("07").parse(["7", "07"]).tolist() == ["7", "07"]


def test_index_of_an_id():
    assert index(7, 10).index_of("10", "user") == index(7, 10).index_of(10, "user") == 1
    with pytest.raises(
        NotFoundError,
        match=r"user 'jokr' is unknown; did you mean \"joke\"\?\n  known are 2 strings, film to joke",
    ):
        index("joke", "film").index_of("jokr", "user")


@pytest.mark.parametrize("dtype", [np.int8, np.uint16, np.int32, np.uint64])
def test_integers_of_any_width(dtype):
    column = as_id_column(np.array([3, 1], dtype=dtype), "user")
    assert (column.dtype, column.tolist()) == (np.int64, [3, 1])


def test_empty_columns():
    found, codes = IdIndex.from_column([], "user")
    assert (len(found), len(codes)) == (0, 0)
    assert found.encode([1], "user").tolist() == [-1]


def test_equality_and_repr():
    assert index(1, 2) == index(2, 1)
    assert index(1, 2) != index("1", "2")
    assert index(1) != 1
    assert repr(index(1, 2, 3, 4)) == "IdIndex(4 int ids: 1, 2, 3, ...)"
    assert list(index("b", "a")) == ["a", "b"]
    assert index(1, 2, 3).take_ids(np.array([True, False, True])) == index(1, 3)
