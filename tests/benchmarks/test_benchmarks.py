"""The benchmarks run, record everything that a row needs, and generate ratings of the documented shape."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
from benchmarks import data, timing
from benchmarks.speed import growth, rows, subprocess_run

from foretaste.models import MODELS


@pytest.mark.parametrize("size", [5_000, 100_000])
def test_generated_ratings_have_the_size_and_shape_that_was_asked_for(size: int) -> None:
    ratings = data.movielens_like(size)
    users, items = data.shape_of(size)
    assert len(ratings) == size
    assert 0.97 * users <= len(ratings.users) <= users
    assert 0.97 * items <= len(ratings.items) <= items
    assert set(np.unique(ratings.value)) == {1, 2, 3, 4, 5}
    assert len(np.unique(ratings.user.astype(np.int64) * items + ratings.item)) == size
    assert ratings.timestamp is not None
    assert ratings.timestamp.min() >= data.FIRST_DAY


def test_item_popularity_is_skewed_as_in_movielens() -> None:
    ratings = data.movielens_like(100_000)
    counts = np.sort(np.bincount(ratings.item))[::-1]
    assert 0.3 < counts[: len(counts) // 10].sum() / len(ratings) < 0.6  # MovieLens 100K: 0.43
    ratings_per_user = np.sort(np.bincount(ratings.user))[::-1]
    assert ratings_per_user[0] > 4 * np.median(ratings_per_user)


def test_seed_determines_the_ratings() -> None:
    one, two, other = (data.movielens_like(5_000, seed) for seed in (1, 1, 2))
    for name in ("user", "item", "value", "timestamp"):
        assert np.array_equal(getattr(one, name), getattr(two, name))
    assert not np.array_equal(one.item, other.item)


def test_generated_shapes_grow_like_movielens() -> None:
    assert [data.shape_of(size) for size in (100_000, 1_000_000)] == [(943, 1682), (6040, 3706)]
    users, items = zip(
        *(data.shape_of(size) for size in (1_000, 10_000, 100_000, 400_000, 10**7)), strict=True
    )
    assert list(users) == sorted(users)
    assert list(items) == sorted(items)


def test_saved_columns_round_trip(tmp_path: Path) -> None:
    ratings = data.movielens_like(2_000)
    data.save_columns(ratings, tmp_path)
    back = data.load_columns(tmp_path)
    for name in ("user", "item", "value", "timestamp"):
        assert np.array_equal(getattr(ratings, name), getattr(back, name))
    assert (len(back.users), len(back.items)) == (len(ratings.users), len(ratings.items))


def test_runs_are_interleaved_and_the_median_is_reported() -> None:
    order: list[str] = []
    work = {"a": lambda: order.append("a"), "b": lambda: order.append("b")}
    assert set(timing.time_in_turns(work, 3)) == {"a", "b"}
    assert order == ["a", "b"] * 3


def test_row_has_ratio_and_target_status() -> None:
    reached = rows.row("work", 1.0, peer="peer 1", peer_seconds=30.0, min_ratio=30, equality={"rmse": 0.9})
    assert tuple(reached) == rows.FIELDS
    assert (reached["ratio"], reached["aim"], reached["met"]) == (30.0, ">= 30x", True)
    short = rows.row("work", 1.1, peer="peer 1", peer_seconds=30.0, min_ratio=30)
    assert short["met"] is False
    slow = rows.row("work", 0.08, max_seconds=0.075)
    assert (slow["aim"], slow["met"], slow["ratio"]) == ("<= 75 ms", False, None)
    large = rows.row("work", 5.0, max_seconds=6, also={"MB_added": (1200.0, 1000.0)})
    assert (large["met"], large["equality"]) == (False, {"MB_added": 1200.0})
    assert rows.row("work", 1.0)["met"] is None


def test_module_replaces_only_its_own_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timing, "RESULTS", tmp_path)
    monkeypatch.setattr(rows, "RESULTS", tmp_path)
    monkeypatch.setattr(rows, "README", tmp_path / "README.md")
    about = timing.machine()
    rows.save("sgd", about, [rows.row("first", 1.0, peer="peer 1", peer_seconds=9.0, min_ratio=5)])
    rows.save("growth", about, [{**rows.row("second", 2.0), "picture": "growth.svg"}])
    path = rows.save("sgd", about, [rows.row("third", 3.0)])
    sections = json.loads(path.read_text())["sections"]
    assert [sections[name]["rows"][0]["work"] for name in ("sgd", "growth")] == ["third", "second"]


@pytest.mark.parametrize("power", [0.5, 1.0, 2.0])
def test_fitted_exponent_of_a_power_law(power: float) -> None:
    sizes = list(data.SHAPES)
    assert growth.slope(sizes, [3e-8 * size**power for size in sizes]) == pytest.approx(power, abs=1e-9)


def test_exponent_of_a_single_size_is_unknown() -> None:
    assert np.isnan(growth.slope([1000], [1.0]))


def test_measured_memory_excludes_the_baseline() -> None:
    """In a process of its own: this one may hold memory that it has used before."""
    code = """
import json, numpy as np
from benchmarks.speed import subprocess_run
first = subprocess_run.measure_memory(lambda: np.ones(5_000_000).sum())
then = subprocess_run.measure_memory(lambda: None)
print(json.dumps([first["added"], then["added"]]))
"""
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=subprocess_run.ROOT, capture_output=True, text=True, check=True)
    first, then = json.loads(done.stdout)
    assert 35e6 < first < 80e6
    assert then < 5e6  # the earlier peak does not count


def test_growth_runs_in_subprocesses(capsys: pytest.CaptureFixture[str]) -> None:
    found = growth.grow(["Bias", "SVD"], (1_000, 4_000), 1, 60)
    assert [one["ratings"] for one in found["SVD"]] == [1_000, 4_000]
    one = growth.row_of("SVD", found["SVD"])
    assert set(rows.FIELDS) == set(one)
    assert one["seconds"] > 0
    assert one["equality"]["MB_of_the_ratings"] == pytest.approx(4_000 * 20 / 1e6)


def test_growth_records_errors(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    data.save_columns(data.movielens_like(1_000), tmp_path)
    monkeypatch.setattr("foretaste._utils.memory.available_bytes", lambda: 10_000)
    refused = growth.fit_here("EASE", tmp_path)
    assert "of memory" in refused["refused"]


def test_growth_stops_after_the_time_limit() -> None:
    found = growth.grow(["Bias"], (1_000, 2_000), 1, 0.01)
    assert found == {"Bias": [{"ratings": 1_000, "refused": "not done after 0.01 s"}]}


def test_growth_skips_models_only_with_a_reason() -> None:
    for name in MODELS:
        model = growth.build_model(name)
        if "epochs" in model.param_specs():
            assert model.epochs == growth.EPOCHS
    assert set(growth.LEFT_OUT) <= set(MODELS)


@pytest.mark.parametrize(
    "name",
    [
        "sgd",
        "als",
        "neighbors",
        "imputation",
        "top_items",
        "families",
        "cross_validation",
        "compat_imputer",
        "compat_factors",
        "compat_neighbors",
        "pytorch",
    ],
)
@pytest.mark.peer
@pytest.mark.nightly
@pytest.mark.filterwarnings("ignore")  # of the peers
def test_every_speed_module_gives_complete_rows_at_a_small_size(name: str) -> None:
    module = import_module(f"benchmarks.speed.{name}")
    found = list(module.rows(True, 1))
    if not found:
        pytest.skip("needs a peer or a model that is not here: pip install '.[bench]'")
    for one in found:
        assert set(rows.FIELDS) == set(one)
        assert one["seconds"] != 0
        assert one["equality"], one["work"]
        assert one["objective"] in ("same", "other", None)
        assert (one["peer"] is None) == (one["ratio"] is None)
        if one["peer"]:
            assert any(character.isdigit() for character in one["peer"])  # its version
