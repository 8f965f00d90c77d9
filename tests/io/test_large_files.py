"""Large files are read in chunks, with the same result as in one piece."""

from __future__ import annotations

import codecs
import logging

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from foretaste.errors import ForetasteError
from foretaste.io import read_ratings, read_ratings_with_report, table_source, text_source


@pytest.fixture
def parts(monkeypatch):
    """Read every file as a large one, in parts of a few lines, or as a small one."""

    def use(*, large: bool, batch: int = 64) -> None:
        monkeypatch.setattr(table_source, "_LARGE_FILE_SIZE", 0 if large else 1 << 60)
        monkeypatch.setattr(text_source, "_BATCH_SIZE", batch)
        monkeypatch.setattr(text_source, "_START_SIZE", 96 if large else 1 << 18)

    return use


def outcome(path, read=read_ratings, **options):
    """Return all that can be seen of reading a file."""
    try:
        found = read(path, **options)
    except ForetasteError as error:
        return type(error), str(error)
    faults = [
        (f.kind, f.problem, f.where, f.rows.tolist(), f.row_labels) for f in getattr(found, "row_errors", ())
    ]
    ratings = getattr(found, "ratings", found)
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
def test_chunks_equal_one_piece(tmp_path_factory, table, end, last, mark, skip, batch):
    path = tmp_path_factory.getbasetemp() / "large.csv"
    lines = ["user,item,rating,timestamp", *(",".join(row) for row in table)]
    data = (end.join(lines) + last).encode()
    path.write_bytes(codecs.BOM_UTF8 + data if mark else data)
    with pytest.MonkeyPatch.context() as patch:
        found = []
        for large in (False, True):
            patch.setattr(table_source, "_LARGE_FILE_SIZE", 0 if large else 1 << 60)
            patch.setattr(text_source, "_BATCH_SIZE", batch)
            patch.setattr(text_source, "_START_SIZE", 80 if large else 1 << 18)
            read = read_ratings_with_report if skip else read_ratings
            found.append(outcome(path, read, separator=",", header=True))
    assert found[0] == found[1]


@pytest.mark.parametrize("separator", [",", "\t", "::", " "])
@pytest.mark.parametrize("header", [True, False])
def test_every_separator_in_chunks(tmp_path, parts, caplog, separator, header):
    caplog.set_level(logging.INFO, "foretaste")
    path = tmp_path / "large.dat"
    lines = [separator.join((str(n % 7), f"i{n}", str(n / 4), str(881_250_949 + n))) for n in range(50)]
    lines = [separator.join(("user", "item", "rating", "timestamp")), *lines] if header else lines
    path.write_text("\n".join(lines) + "\n")
    parts(large=False)
    expected = outcome(path)
    said = [record.getMessage() for record in caplog.records]
    caplog.clear()
    parts(large=True)
    assert outcome(path) == expected
    assert [record.getMessage() for record in caplog.records] == said
    assert len(expected[0]) == 50


def test_error_in_a_late_chunk_is_located(tmp_path, parts):
    path = tmp_path / "large.csv"
    lines = [
        "user,item,rating",
        *(f"{n},1,3" for n in range(1000)),
        "x,1,bad",
        *(f"{n},2,3" for n in range(9)),
    ]
    path.write_text("\n".join(lines))
    parts(large=True)
    with pytest.raises(ForetasteError, match=r'large\.csv, line 1,002: rating is "bad", not a number'):
        read_ratings(path)
    assert len(read_ratings(path, on_error="skip")) == 1009


@pytest.mark.parametrize("data", [b"", b"\n\n", b"\0\0\0\n1,2,3\n", "é".encode("latin-1") * 90 + b"\n"])
def test_binary_content_raises(tmp_path, parts, data):
    path = tmp_path / "large.csv"
    path.write_bytes(data)
    parts(large=False)
    expected = outcome(path)
    parts(large=True)
    assert outcome(path) == expected
    assert issubclass(expected[0], ForetasteError)


@pytest.mark.slow
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
