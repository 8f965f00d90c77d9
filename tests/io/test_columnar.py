"""Parquet and Arrow files."""

from __future__ import annotations

import io

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from foretaste.errors import DataError, NotFoundError
from foretaste.io.columnar import read_columnar

FRAME = pl.DataFrame({"user": [1, 2], "item": ["007", None], "rating": [3.5, 4.0]})


def written(how: str, frame: pl.DataFrame = FRAME) -> bytes:
    target = io.BytesIO()
    getattr(frame, f"write_{how}")(target)
    return target.getvalue()


KINDS = pytest.mark.parametrize("how", ["parquet", "ipc", "ipc_stream"])


@KINDS
@pytest.mark.parametrize("as_path", [True, False])
def test_parquet_and_arrow_round_trip(how, as_path, tmp_path):
    source = written(how)
    if as_path:
        source = tmp_path / "data.csv"  # known by its content, not by its name
        source.write_bytes(written(how))
    assert_frame_equal(read_columnar(source, "r"), FRAME)
    assert_frame_equal(read_columnar(source, "r", ["rating", "user"]), FRAME.select("rating", "user"))


@KINDS
def test_missing_column_raises(how):
    with pytest.raises(DataError, match=r'r: no column "ratin"; did you mean "rating"\?') as caught:
        read_columnar(written(how), "r", ["user", "ratin"])
    assert caught.value.where == "columns are: user, item, rating"


@KINDS
@pytest.mark.parametrize("columns", [None, ["user"]])
def test_corrupt_files_raise(how, columns):
    data = written(how, pl.concat([FRAME] * 500))
    for damaged in (data[:100], data[: len(data) // 2], data[:8] + b"\xff" * 60 + data[68:-40]):
        with pytest.raises(DataError, match=r"(Arrow|Parquet) file that is truncated"):
            read_columnar(damaged, "r", columns)


def test_foreign_files_raise(tmp_path):
    for data, what in ((b"user,item\n1,2\n", "not a Parquet or Arrow file"), (b"%PDF-1", "a PDF document")):
        with pytest.raises(DataError, match=what):
            read_columnar(data, "r")
    with pytest.raises(NotFoundError):
        read_columnar(tmp_path / "none.parquet", "r")
    with pytest.raises(DataError, match="cannot be read"):
        read_columnar(tmp_path, "r")


def test_empty_table_is_read():
    assert read_columnar(written("parquet", FRAME.clear()), "r").shape == (0, 3)
