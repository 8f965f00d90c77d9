"""R files: recommenderlab's matrix, with and without names, and corrupt files."""

from __future__ import annotations

import gzip

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from r_files import (
    NULL,
    SMALL,
    compact_sequence,
    instance,
    items,
    rating_matrix,
    saved,
    texts,
    whole_numbers,
)

from foretaste.errors import DataError, ForetasteError
from foretaste.io import read_ratings
from foretaste.io.archive import CorruptFileError
from foretaste.io.rdata import read_matrix
from foretaste.io.rdata_format import parse_rdata


def rows(ratings) -> list[tuple]:
    columns = (ratings.user_ids, ratings.item_ids, ratings.value)
    return list(zip(*(column.tolist() for column in columns), strict=True))


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_matrix_with_names(tmp_path, pack):
    path = tmp_path / "jokes.rda"
    path.write_bytes(pack(SMALL))
    assert rows(read_ratings(path)) == [
        ("u1", "j1", 3.5), ("u1", "j3", 5.0), ("u2", "j2", -1.0), ("u3", "j1", 0.0),
    ]  # fmt: skip


def test_without_names_rows_and_columns_are_numbered_from_one(tmp_path):
    path = tmp_path / "jokes.rda"
    path.write_bytes(saved("x", rating_matrix([0, 1], [0, 1, 2], [3.0, 4.0], (2, 2), [NULL, NULL])))
    assert rows(read_ratings(path)) == [(1, 1, 3.0), (2, 2, 4.0)]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (saved("x", whole_numbers([1, 2])), "with no realRatingMatrix"),
        (
            saved("x", instance({"data": NULL, "class": texts(["realRatingMatrix"])})),
            "is not a valid dgCMatrix",
        ),
        (saved("x", rating_matrix([0], [0, 2], [3.0], (1, 1), [NULL, NULL])), "is not a valid dgCMatrix"),
        (
            saved("x", rating_matrix([9], [0, 1], [3.0], (1, 1), [texts(["u"]), NULL])),
            "is not a valid dgCMatrix",
        ),
        (SMALL[:60], "is an R data file that is damaged"),
    ],
)
def test_other_objects_raise(tmp_path, data, message):
    path = tmp_path / "jokes.rda"
    path.write_bytes(data)
    with pytest.raises(DataError, match=message):
        read_ratings(path)


@settings(max_examples=1500, deadline=2000)
@given(st.lists(st.tuples(st.integers(7, len(SMALL) - 1), st.integers(0, 255)), min_size=1, max_size=4))
def test_corrupt_bytes_raise_or_are_read(spoilt):
    data = bytearray(SMALL)
    for place, byte in spoilt:
        data[place] = byte
    try:
        columns = read_matrix(bytes(data), "r")
    except ForetasteError:
        return
    assert len(columns["user"]) == len(columns["item"]) == len(columns["rating"])


def test_compact_sequence_is_expanded():
    sequence = parse_rdata(saved("x", compact_sequence(4, 2, 3)))["x"]
    assert sequence.value.tolist() == [2, 5, 8, 11]


def test_compact_sequences_longer_than_the_file_raise():
    """Each of them would take gigabytes from a hundred bytes, or all of them together."""
    with pytest.raises(CorruptFileError, match="a compact sequence is too long"):
        parse_rdata(saved("x", compact_sequence(9e7)))
    with pytest.raises(CorruptFileError, match="a compact sequence is too long"):
        parse_rdata(saved("x", items([compact_sequence(1000)] * 20)))
