"""``recommend_all``: all users' recommendations in a file, in batches, in bounded memory."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from foretaste._utils.progress import Progress, ProgressTask
from foretaste.errors import InvalidParameterError, NotFoundError
from foretaste.features import ItemCatalog
from foretaste.models import SVD, KNNImputation
from foretaste.ratings import Ratings
from foretaste.recommendation import recommend, recommend_all


@pytest.fixture(scope="module")
def model(larger_ratings):
    return SVD(epochs=4).fit(larger_ratings)


COLUMNS = ["user", "rank", "item", "prediction", "fallback"]


def read(path, columns=COLUMNS):
    """Read a file as it must have been written."""
    if path.suffix == ".parquet":
        return pl.read_parquet(path)
    types = {"rank": pl.Int32, "prediction": pl.Float32, "title": pl.String, "fallback": pl.String}
    return pl.read_csv(path, schema_overrides={k: v for k, v in types.items() if k in columns})


@pytest.mark.parametrize("ending", [".parquet", ".csv", ".CSV"])
@pytest.mark.parametrize("rows", [250_000, 300, 1])
def test_file_equals_recommend_for_any_batch_size(model, larger_ratings, tmp_path, ending, rows):
    path = tmp_path / f"top{ending}"
    texts = np.array([f'item "{i}",\nof its own' for i in larger_ratings.items.ids], object)
    catalogue = ItemCatalog(larger_ratings.items, {"title": texts}, "title")
    for options in ({}, {"catalog": catalogue}, {"users": larger_ratings.users.ids[[7, 3, 7]], "n": 200}):
        wanted = recommend(model, exclude=larger_ratings, **options).to_frame()
        assert recommend_all(model, path, exclude=larger_ratings, batch_rows=rows, **options) == len(wanted)
        assert_frame_equal(read(path, wanted.columns), wanted)
        assert list(tmp_path.iterdir()) == [path]


def test_batches_of_a_model_without_factors_equal_recommend(larger_ratings, tmp_path):
    model = KNNImputation().fit(larger_ratings)
    path = tmp_path / "top.parquet"
    recommend_all(
        model, path, 3, exclude=larger_ratings, candidates=larger_ratings.items.ids[10:80], batch_rows=200
    )
    wanted = recommend(
        model, n=3, exclude=larger_ratings, candidates=larger_ratings.items.ids[10:80]
    ).to_frame()
    assert_frame_equal(pl.read_parquet(path), wanted)


def test_empty_input_writes_a_file_with_columns(model, larger_ratings, tmp_path):
    for name in ("top.parquet", "top.csv"):
        path = tmp_path / name
        for options in ({"users": []}, {"candidates": []}):
            assert recommend_all(model, path, **options) == 0
            assert read(path).columns == COLUMNS


def test_text_ids_and_fallbacks(ratings, tmp_path):
    texts = Ratings.from_columns(
        [f"ü{u}" for u in ratings.user_ids], [f"i,{i}" for i in ratings.item_ids], ratings.value
    )
    model, path = SVD(epochs=2).fit(texts), tmp_path / "top.csv"
    asked = ["ü14", "nobody"]
    recommend_all(model, path, 2, users=asked, unknown_users="fallback")
    wanted = recommend(model, asked, 2, unknown_users="fallback").to_frame()
    assert_frame_equal(read(path), wanted)
    assert path.read_text().count("user unknown") == 2


class Counting(Progress):
    def __init__(self):
        self.total = self.done = 0

    def start_task(self, label, total, unit=""):
        self.total = total
        return super().start_task(label, total, unit)


def test_progress_counts_users(model, tmp_path, monkeypatch):
    progress, steps = Counting(), []
    monkeypatch.setattr(ProgressTask, "step", lambda self, n=1, note="": steps.append(n))
    recommend_all(model, tmp_path / "top.csv", progress=progress, batch_rows=200)
    assert progress.total == sum(steps) == len(model.users_)
    assert len(steps) > 5


# Left half done ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ending", [".parquet", ".csv"])
@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError])
def test_interrupted_run_keeps_the_old_file(model, tmp_path, monkeypatch, ending, error):
    path = tmp_path / f"top{ending}"
    path.write_text("older")
    calls = []

    def step(self, n=1, note=""):
        calls.append(n)
        if len(calls) == 4:
            raise error

    monkeypatch.setattr(ProgressTask, "step", step)
    with pytest.raises(error):
        recommend_all(model, path, batch_rows=200)
    assert path.read_text() == "older"
    assert list(tmp_path.iterdir()) == [path]


def test_invalid_arguments_raise(model, tmp_path):
    with pytest.raises(InvalidParameterError, match=r"must end in \.parquet or \.csv") as caught:
        recommend_all(model, "top.xlsx")
    assert caught.value.hint == "top.parquet"
    with pytest.raises(InvalidParameterError, match="batch_rows=0 is not allowed"):
        recommend_all(model, "top.csv", batch_rows=0)
    with pytest.raises(NotFoundError, match="there is no folder"):
        recommend_all(model, tmp_path / "nowhere" / "top.csv")
    with pytest.raises(NotFoundError, match="does not know user 5"):
        recommend_all(model, tmp_path / "top.csv", users=[5])
    assert not list(tmp_path.iterdir())


# In a process of its own ---------------------------------------------------------------------------------

PLANTED = """
import sys
import numpy as np
from foretaste import SVD, Ratings, recommend_all
from foretaste.ids import IdIndex

def planted(users, items=500, factors=8):
    one = Ratings.from_columns(np.arange(items), np.arange(items), np.arange(items) % 5)
    model, rng = SVD(factors=factors, epochs=1).fit(one), np.random.default_rng(0)
    model.users_ = IdIndex(np.arange(users))
    model.user_bias_ = np.zeros(users, np.float32)
    model.user_factors_ = rng.random((users, factors), np.float32)
    model.item_factors_ = rng.random((items, factors), np.float32)
    return model

def peak():
    return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM"))
"""


def peak_of(users, path):
    """Return by how many kB a process grows beyond its model when it recommends to so many users."""
    code = PLANTED + (
        f"model = planted({users}); recommend_all(model, {str(path)!r}, users=range(1000), threads=1)\n"
        f"before = peak(); print(recommend_all(model, {str(path)!r}, threads=2), peak() - before)"
    )
    run = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    rows, grown = map(int, run.stdout.split())
    assert rows == 10 * users
    return grown


@pytest.mark.nightly
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the peak is read from /proc")
@pytest.mark.parametrize("ending", [".parquet", ".csv"])
def test_memory_does_not_grow_with_the_users(tmp_path, ending):
    path = tmp_path / f"top{ending}"
    few, many = peak_of(60_000, path), peak_of(600_000, path)
    assert many < 200_000  # kB; its 6 million rows would take 450 MB as one list
    assert many < few + 120_000


@pytest.mark.slow
def test_ctrl_c_leaves_no_file(tmp_path):
    code = PLANTED + (
        "model = planted(400_000, 5000, 64); print('ready', flush=True)\n"
        "try:\n    recommend_all(model, 'top.parquet', threads=1); print('finished')\n"
        "except KeyboardInterrupt:\n    print('interrupted')"
    )
    command = [sys.executable, "-c", code]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=tmp_path) as process:
        assert process.stdout.readline() == "ready\n"
        time.sleep(1.5)
        process.send_signal(signal.SIGINT)
        assert process.stdout.readline() == "interrupted\n"
        assert process.wait(timeout=30) == 0
    assert not list(tmp_path.iterdir())
