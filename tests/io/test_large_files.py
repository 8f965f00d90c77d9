"""Large files are read in batches, with the same result as in one piece."""

from __future__ import annotations

import codecs
import logging

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from foretaste.errors import ForetasteError
from foretaste.io import read_ratings
from foretaste.io.ratings_reader import read_source
from foretaste.io.text_source import TextSizes
from foretaste.read_options import ReadOptions

IN_ONE_PIECE = TextSizes(large_file=1 << 60)
IN_BATCHES = TextSizes(large_file=0, start=96, batch=64)


def outcome(path, sizes, **options):
    """Return all that can be seen of reading a file."""
    try:
        report = read_source(path, ReadOptions(**options), sizes)
    except ForetasteError as error:
        return type(error), str(error)
    faults = [(f.kind, f.problem, f.where, f.rows.tolist(), f.row_labels) for f in report.row_errors]
    ratings = report.ratings
    when = None if ratings.timestamp is None else ratings.timestamp.tolist()
    return ratings.user_ids.tolist(), ratings.item_ids.tolist(), ratings.value.tolist(), when, faults


IDS = st.sampled_from(
    ["1", "2", "30", "007", "é", "x y", "", '"q"', "999999999999999999", "9999999999999999999"]
)
NUMBERS = st.sampled_from(
    ["1", "2.5", "-3", "0.219", "4.", ".5", "1e1", " 2", "x", "", "nan", "16777217", "0.1234567"]
)
TIMES = st.sampled_from(["100", "881250949", "-5", "soon", "2026-01-01", "1e3"])
ENDS = st.sampled_from(["\n", "\r\n"])


@settings(max_examples=300, deadline=None)
@given(
    st.lists(st.tuples(IDS, IDS, NUMBERS, TIMES), min_size=4, max_size=30),
    ENDS,
    st.sampled_from(["", "\n", "\n \n\n"]),
    st.booleans(),
    st.booleans(),
    st.integers(20, 200),
)
def test_batches_equal_one_piece(tmp_path_factory, table, end, last, mark, skip, batch):
    path = tmp_path_factory.getbasetemp() / "large.csv"
    lines = ["user,item,rating,timestamp", *(",".join(row) for row in table)]
    data = (end.join(lines) + last).encode()
    path.write_bytes(codecs.BOM_UTF8 + data if mark else data)
    options = {"separator": ",", "header": True, "on_error": "skip" if skip else "raise"}
    in_batches = outcome(path, TextSizes(large_file=0, start=80, batch=batch), **options)
    assert in_batches == outcome(path, IN_ONE_PIECE, **options)


@pytest.mark.parametrize("separator", [",", "\t", "::", " "])
@pytest.mark.parametrize("header", [True, False])
def test_every_separator_in_batches(tmp_path, caplog, separator, header):
    caplog.set_level(logging.INFO, "foretaste")
    path = tmp_path / "large.dat"
    lines = [separator.join((str(n % 7), f"i{n}", str(n / 4), str(881_250_949 + n))) for n in range(50)]
    lines = [separator.join(("user", "item", "rating", "timestamp")), *lines] if header else lines
    path.write_text("\n".join(lines) + "\n")
    expected = outcome(path, IN_ONE_PIECE)
    messages = [record.getMessage() for record in caplog.records]
    caplog.clear()
    assert outcome(path, IN_BATCHES) == expected
    assert [record.getMessage() for record in caplog.records] == messages
    assert len(expected[0]) == 50


def test_error_in_a_late_batch_is_located(tmp_path):
    path = tmp_path / "large.csv"
    lines = [
        "user,item,rating",
        *(f"{n},1,3" for n in range(1000)),
        "x,1,bad",
        *(f"{n},2,3" for n in range(9)),
    ]
    path.write_text("\n".join(lines))
    with pytest.raises(ForetasteError, match=r'large\.csv, line 1,002: rating is "bad", not a number'):
        read_source(path, ReadOptions(), IN_BATCHES)
    assert len(read_source(path, ReadOptions(on_error="skip"), IN_BATCHES).ratings) == 1009


@pytest.mark.parametrize("data", [b"", b"\n\n", b"\0\0\0\n1,2,3\n", "é".encode("latin-1") * 90 + b"\n"])
def test_binary_content_raises(tmp_path, data):
    path = tmp_path / "large.csv"
    path.write_bytes(data)
    expected = outcome(path, IN_ONE_PIECE)
    assert outcome(path, IN_BATCHES) == expected
    assert issubclass(expected[0], ForetasteError)


@pytest.mark.nightly
def test_text_id_first_seen_in_row_two_million(tmp_path):
    path = tmp_path / "late.csv"
    rows = 2_000_001
    user, item = np.divmod(np.arange(rows), 1000)
    text = "\n".join(f"{u},{i},3" for u, i in zip(user.tolist(), item.tolist(), strict=True))
    path.write_text(f"user,item,rating\n{text}\nlate,007,4\n")
    ratings = read_ratings(path)
    assert len(ratings) == rows + 1
    assert ratings.users.dtype == ratings.items.dtype == "str"
    assert ratings.user_ids[[0, -2, -1]].tolist() == ["0", "2000", "late"]
    assert ratings.item_ids[-1] == "007"
