"""Data frames of every library: the same ratings, numbers read without copies."""

from __future__ import annotations

import subprocess
import sys

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from foretaste.column_roles import frame_columns
from foretaste.io import read_items, read_pairs, read_ratings
from foretaste.io.frame_table import column_values

COLUMNS = {
    "userId": [7, 3, 7, 9],
    "movieId": ["b", "a", "a", "007"],
    "rating": [1.5, 0.0, -2.25, 4.0],
    "timestamp": [100, 99, 98, 1_112_486_027],
}


class Stream:
    """Nothing but an Arrow stream, which can be read once."""

    def __init__(self, table: pa.Table) -> None:
        self._iter_batches = table.to_batches(max_chunksize=3)
        self._schema = table.schema

    def __arrow_c_stream__(self, requested_schema=None):
        reader = pa.RecordBatchReader.from_batches(self._schema, self._iter_batches)
        return reader.__arrow_c_stream__(requested_schema)


def relation(columns):
    table = pa.table(columns)
    return duckdb.connect().from_arrow(table)


MAKERS = {
    "pandas": pd.DataFrame,
    "pandas with Arrow types": lambda columns: pd.DataFrame(columns).convert_dtypes(dtype_backend="pyarrow"),
    "pandas with objects": lambda columns: pd.DataFrame(columns).astype({"movieId": object}),
    "pandas with categories": lambda columns: pd.DataFrame(columns).astype({"movieId": "category"}),
    "polars": pl.DataFrame,
    "polars with categories": lambda columns: pl.DataFrame(columns).cast({"movieId": pl.Categorical}),
    "pyarrow": pa.table,
    "pyarrow with a dictionary": lambda columns: pa.table(
        columns | {"movieId": pa.array(columns["movieId"]).dictionary_encode()}
    ),
    "a duckdb relation": relation,
    "an Arrow stream": lambda columns: Stream(pa.table(columns)),
    "a record batch reader": lambda columns: pa.table(columns).to_reader(max_chunksize=3),
}


@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
def test_every_frame_gives_the_same_ratings(make):
    ratings = read_ratings(make(COLUMNS))
    assert ratings.user_ids.tolist() == COLUMNS["userId"]
    assert ratings.item_ids.tolist() == COLUMNS["movieId"]
    assert ratings.value.tolist() == COLUMNS["rating"]
    assert ratings.timestamp.tolist() == COLUMNS["timestamp"]
    assert (ratings.users.dtype, ratings.items.dtype) == ("int", "str")


@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
def test_pairs_and_items_take_every_frame(make):
    pairs = read_pairs(make(COLUMNS))
    assert pairs.frame[pairs.user_column].to_list() == ["7", "3", "7", "9"]
    items = read_items(make({"movieId": ["b", "a", "c", "007"], "title": list("pqrs")}))
    assert items.items.ids.tolist() == ["007", "a", "b", "c"]
    assert items.columns["title"].tolist() == list("sqpr")


@pytest.mark.parametrize("make", [pd.DataFrame, pl.DataFrame, pa.table], ids=["pandas", "polars", "pyarrow"])
def test_numeric_columns_are_not_copied(make):
    numbers = np.arange(1000)
    frame = make({"user": numbers, "rating": numbers / 8})
    assert np.shares_memory(column_values(frame_columns(frame)["user"]), _stored(frame, "user"))
    assert np.shares_memory(column_values(frame_columns(frame)["rating"]), _stored(frame, "rating"))


def _stored(frame, name):
    if isinstance(frame, pa.Table):
        return np.frombuffer(frame[name].chunk(0).buffers()[1], np.uint8)
    return frame[name].to_numpy()


PEAK = """
import resource, sys
import numpy as np, pandas as pd, polars as pl, pyarrow as pa
from foretaste import read_ratings
n, kind = 2_000_000, sys.argv[1]
user, item = np.divmod(np.random.default_rng(0).permutation(n), 1000)
frame = pl.DataFrame({"user": user, "item": item, "rating": np.ones(n)}).cast({"item": pl.String})
if kind != "polars":
    frame = frame.to_pandas() if kind == "pandas" else frame.to_arrow()
read_ratings(frame[:1000])
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
ratings = read_ratings(frame)
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024 / n)
"""


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["pandas", "polars", "pyarrow"])
def test_reading_a_frame_creates_no_python_objects_per_row(kind):
    """A Python text takes at least 50 bytes and a pointer of 8; two columns of codes and one of values 12."""
    done = subprocess.run([sys.executable, "-c", PEAK, kind], capture_output=True, text=True, check=True)
    assert float(done.stdout) < 75  # bytes a row at the peak, the finished 12 among them
