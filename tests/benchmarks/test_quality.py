"""The quality benchmark, on a few synthetic ratings in the layout of MovieLens 100K."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from quality import NEEDED, ROOT, aims, command, judged_on, make_cell, peers, rows, store, worker

from foretaste.errors import NotSupportedError
from foretaste.metrics.rating import mae, rmse
from foretaste.models import MODELS, Bias, GlobalMean
from foretaste.ratings import Ratings
from foretaste.splits import KFold

ROWS = 400


@pytest.fixture
def columns():
    """Return users, items, stars and timestamps: 30 users, 20 films, no repeated pair."""
    rng = np.random.default_rng(7)
    cells = rng.permutation(600)[:ROWS]
    user, item = cells // 20 + 3, 5 * (cells % 20) + 1
    stars = np.clip(np.round(3 + 0.1 * (user % 9) - 0.02 * item + rng.normal(size=ROWS)), 1, 5).astype(int)
    return user, item, stars, rng.integers(874_724_710, 893_286_638, ROWS)


@pytest.fixture
def folder(columns, tmp_path, monkeypatch):
    """Write the ratings as u.data, and set FORETASTE_DATA."""
    path = tmp_path / "data" / "ml-100k" / "u.data"
    path.parent.mkdir(parents=True)
    path.write_text("".join("\t".join(map(str, row)) + "\n" for row in zip(*columns, strict=True)))
    monkeypatch.setenv("FORETASTE_DATA", str(tmp_path / "data"))
    return tmp_path


def run(folder, *options, data="ml-100k"):
    """Run the command in this process; models still have processes of their own."""
    arguments = ["--data", data, *options, "--results", str(folder / "results"), "--page"]
    code = command.main([*arguments, str(folder / "page.md")])
    return code, *written(folder)


def written(folder):
    (path,) = (folder / "results").iterdir()
    return json.loads(path.read_text()), (folder / "page.md").read_text()


def job(model, library="foretaste", **more):
    return {"data": "ml-100k", "library": library, "model": model, "planned": 5, "patience": 1e9, **more}


# The same folds -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("n", [5, 11, 397, 100_000])
def test_folds_equal_scikit_learn(n):
    selection = pytest.importorskip("sklearn.model_selection", reason='needs pip install "foretaste[test]"')
    theirs = list(selection.KFold(5, shuffle=True, random_state=0).split(np.zeros(n)))
    ours = list(KFold(5, seed=0).split(np.zeros(n)))
    assert len(ours) == len(theirs) == 5
    for mine, yours in zip(ours, theirs, strict=True):
        np.testing.assert_array_equal(mine[0], yours[0])
        np.testing.assert_array_equal(mine[1], yours[1])


def test_rows_are_read_in_the_order_of_the_file(folder, columns):
    protocol = judged_on.DATA["ml-100k"].folds()
    ratings = protocol.ratings
    kept = ratings.users.ids[ratings.user], ratings.items.ids[ratings.item], ratings.value, ratings.timestamp
    for ours, true in zip(kept, columns, strict=True):
        np.testing.assert_array_equal(ours, true)
    assert (len(protocol), ratings.scale) == (judged_on.DATA["ml-100k"].n_folds, (1, 5))


def test_fingerprint_ignores_row_order():
    user, item, value = np.array([3, 1, 3]), np.array([2, 9, 1]), np.array([1, 2, 5], np.float32)
    one = worker.fingerprint((user, item, value))
    order = [2, 0, 1]
    assert worker.fingerprint((user[order], item[order], value[order])) == one
    assert worker.fingerprint((user, item, value + (item == 1))) != one
    assert worker.fingerprint((user, item[order], value)) != one
    assert worker.fingerprint((user[:2], item[:2], value[:2]), (user[2:], item[2:], value[2:])) != one


@pytest.mark.peer
@pytest.mark.nightly
def test_both_libraries_get_the_same_rows(folder):
    pytest.importorskip("surprise", reason=NEEDED)
    ours = worker.evaluate(job("Bias"))
    theirs = worker.evaluate(job("BaselineOnly", "surprise"))
    assert [fold["rows"] for fold in ours["folds"]] == [fold["rows"] for fold in theirs["folds"]]
    assert len({fold["rows"] for fold in ours["folds"]}) == 5


# The figures of a cell ------------------------------------------------------------------------------------


def test_cell_scores_equal_a_direct_computation(folder, columns):
    code, content, _ = run(folder, "--models", "GlobalMean,Bias", "--no-peers")
    assert code == 0
    user, item, stars, _ = columns
    ratings = Ratings.from_columns(user, item, stars, scale=(1, 5))
    cells = {cell["model"]: cell for cell in content["cells"]}
    assert set(cells) == {"GlobalMean", "Bias"}
    for model in (GlobalMean, Bias):
        folds = cells[model.__name__]["folds"]
        assert len(folds) == 5
        for fold, (train, test) in zip(folds, KFold(5, seed=0).split(ratings), strict=True):
            predicted = model().fit(ratings[train]).predict(ratings[test])
            assert fold["rmse"] == rmse(stars[test], predicted)
            assert fold["mae"] == mae(stars[test], predicted)
            assert (fold["train_rows"], fold["test_rows"]) == (320, 80)
            assert fold["fit_seconds"] > 0
            assert fold["test_seconds"] > 0
        figures = rows.Figures.of(cells[model.__name__])
        assert figures.rmse == pytest.approx(np.mean([fold["rmse"] for fold in folds]))
        assert figures.memory == max(fold["memory_mb"] for fold in folds)


@pytest.mark.peer
@pytest.mark.nightly
def test_peer_scores_equal_a_direct_computation(folder, columns):
    """The folds go to surprise as files, by its own reader, and its own accuracy is asked."""
    surprise = pytest.importorskip("surprise", reason=NEEDED)
    selection = pytest.importorskip("sklearn.model_selection", reason='needs pip install "foretaste[test]"')
    code, content, _ = run(folder, "--models", "SVD", "--folds", "2")
    assert code == 0
    (peer,) = (cell for cell in content["cells"] if cell["library"] == "surprise")
    assert (peer["model"], peer["call"], len(peer["folds"])) == ("SVD", "SVD(random_state=0)", 2)
    reader = surprise.Reader(line_format="user item rating", sep="\t", rating_scale=(1, 5))
    splits = selection.KFold(5, shuffle=True, random_state=0).split(columns[0])
    for fold, (train_rows, test_rows) in zip(peer["folds"], splits, strict=False):
        paths = []
        for name, part in (("train", train_rows), ("test", test_rows)):
            paths.append(folder / name)
            np.savetxt(paths[-1], np.column_stack(columns[:3])[part], fmt="%d", delimiter="\t")
        data = surprise.Dataset.load_from_folds([tuple(map(str, paths))], reader)
        ((train, test),) = surprise.model_selection.PredefinedKFold().split(data)
        predicted = surprise.SVD(random_state=0).fit(train).test(test)
        assert fold["rmse"] == pytest.approx(surprise.accuracy.rmse(predicted, verbose=False), abs=1e-12)
        assert fold["mae"] == pytest.approx(surprise.accuracy.mae(predicted, verbose=False), abs=1e-12)


def test_memory_is_measured_above_the_baseline():
    before = np.ones(30_000_000)  # a peak of 240 MB that is over when work begins
    del before

    def work():
        return float(np.ones(8_000_000).sum())

    value, megabytes = worker.run_with_peak(work)
    assert value == 8e6
    assert 60 < megabytes < 70


def test_warm_up_does_not_affect_folds(folder, monkeypatch):
    """Each fold starts from scratch, the first after a warm-up on a few rows that is not timed."""
    seen = []

    class Subject(peers.Ours):
        def fit(self):
            seen.append((len(self.train), getattr(self.model, "mean_", None)))
            super().fit()

    monkeypatch.setattr(worker, "make_subject", lambda library, model, scale: Subject(model))
    found = worker.evaluate(job("GlobalMean", planned=2))
    assert seen == [(worker.WARM_UP_ROWS, None), (320, None), (320, None)]
    assert len(found["folds"]) == 2


# Refusing and failing -------------------------------------------------------------------------------------


class Refuses(GlobalMean):
    def _fit(self, train, progress):
        raise NotSupportedError("these ratings do not fit", hint="others")


class Faulty(GlobalMean):
    def _fit(self, train, progress):
        raise KeyError("a fault")


@pytest.fixture
def in_this_process(monkeypatch):
    """Evaluate in this process, so that the models above are known."""
    monkeypatch.setitem(MODELS, "Refuses", Refuses)
    monkeypatch.setitem(MODELS, "Faulty", Faulty)

    def evaluate_here(one):
        try:
            return worker.evaluate(one)
        except KeyError as error:
            return {"failed": repr(error)}

    monkeypatch.setattr(command, "evaluate_in_subprocess", evaluate_here)


def test_failing_model_becomes_a_row(folder, in_this_process):
    code, content, _ = run(folder, "--models", "Refuses,GlobalMean", "--no-peers")
    assert code == 0
    assert {cell["model"]: cell["refused"] for cell in content["cells"]} == {
        "Refuses": "these ratings do not fit",
        "GlobalMean": None,
    }


def test_internal_error_is_not_a_row(folder, in_this_process, capsys):
    code, content, _ = run(folder, "--models", "Faulty,GlobalMean", "--no-peers")
    assert code == 1
    assert [cell["model"] for cell in content["cells"]] == ["GlobalMean"]
    assert "KeyError('a fault')" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("end", "code", "message"),
    [
        ("kill -9 $$", 0, "refused: its process was killed, most likely for memory"),
        ("exit 3", 1, "GlobalMean: FAILED\nthe process ended with exit code 3"),
        ("exit 130", 130, "interrupted; finished cells are saved"),
    ],
)
def test_crashed_process_is_a_row_or_stops_the_run(folder, monkeypatch, capfd, end, code, message):
    script = folder / "python"
    script.write_text(f"#!/bin/sh\n{end}\n")
    script.chmod(0o755)
    monkeypatch.setattr(command.sys, "executable", str(script))
    options = ["--data", "ml-100k", "--models", "GlobalMean", "--no-peers"]
    paths = ["--results", str(folder / "results"), "--page", str(folder / "page.md")]
    assert command.main([*options, *paths]) == code
    assert message in "".join(capfd.readouterr())
    assert (folder / "results").exists() is (code == 0)


@pytest.mark.peer
def test_failing_peer_becomes_a_row(folder, monkeypatch):
    surprise = pytest.importorskip("surprise", reason=NEEDED)

    def fit(self, trainset):
        raise ZeroDivisionError("float division")

    monkeypatch.setattr(surprise.SlopeOne, "fit", fit)
    assert worker.evaluate(job("SlopeOne", "surprise")) == {
        "folds": [],
        "slow": False,
        "refused": "ZeroDivisionError: float division",
    }


def test_neighbors_beyond_memory_are_skipped(folder, monkeypatch):
    monkeypatch.setattr(peers.memory, "available_bytes", lambda: 2 * 24 * 30**2 - 1)
    reason = worker.evaluate(job("KNNBasic, user-based", "surprise"))["refused"]
    assert reason == (
        "its user-based similarities need about 21.6 kB (30 x 30), "
        "more than half of the 43.2 kB that were free"
    )
    train, _ = judged_on.DATA["ml-100k"].folds().train_test(0)
    assert peers.ALL_PEERS["KNNBasic, item-based"].shortage(train) is None  # 20 items
    assert peers.ALL_PEERS["SVD"].shortage(train) is None


@pytest.mark.peer
@pytest.mark.nightly
def test_slow_peer_is_evaluated_on_its_first_fold(folder):
    pytest.importorskip("surprise", reason=NEEDED)
    slow = worker.evaluate(job("BaselineOnly", "surprise", patience=0))
    assert (len(slow["folds"]), slow["slow"]) == (1, True)
    quick = worker.evaluate(job("BaselineOnly", "surprise"))
    assert (len(quick["folds"]), quick["slow"]) == (5, False)
    assert len(worker.evaluate(job("GlobalMean", patience=0))["folds"]) == 5  # ours always by all


# Resuming -------------------------------------------------------------------------------------------------


@pytest.mark.nightly
def test_resume_skips_finished_cells(folder, monkeypatch):
    run(folder, "--models", "GlobalMean", "--no-peers")
    asked = []

    def evaluate_here(one):
        asked.append(one["model"])
        return worker.evaluate(one)

    monkeypatch.setattr(command, "evaluate_in_subprocess", evaluate_here)
    _, content, _ = run(folder, "--models", "GlobalMean,Bias", "--no-peers", "--resume")
    assert asked == ["Bias"]
    assert [cell["model"] for cell in content["cells"]] == ["GlobalMean", "Bias"]
    run(folder, "--models", "GlobalMean,Bias", "--no-peers", "--resume", "--folds", "2")
    assert asked == ["Bias", "Bias", "GlobalMean"]  # other folds: other cells
    _, content, _ = run(folder, "--models", "Bias", "--no-peers")
    assert asked[3:] == ["Bias"]  # without resume, evaluated again, replacing the old
    assert len(content["cells"]) == 4


@pytest.mark.parametrize("ground", ["code", "version", "processor"])
@pytest.mark.nightly
def test_resume_repeats_outdated_cells(folder, monkeypatch, ground):
    monkeypatch.setattr(command, "evaluate_in_subprocess", worker.evaluate)
    run(folder, "--models", "GlobalMean", "--no-peers")
    (path,) = (folder / "results").iterdir()
    content = json.loads(path.read_text())
    content["cells"][0]["grounds"][ground] = "other"
    content["cells"][0]["folds"][0]["rmse"] = 99.0
    path.write_text(json.dumps(content))
    _, content, _ = run(folder, "--models", "GlobalMean", "--no-peers", "--resume")
    (cell,) = content["cells"]
    assert cell["folds"][0]["rmse"] < 2


def test_resume_continues_the_newest_file(tmp_path):
    for name in ("2026-01-01", "2026-01-02"):
        cells = {"format": 2, "runs": [], "cells": []}
        (tmp_path / f"{name}-quality.json").write_text(json.dumps(cells))
    (tmp_path / "2026-01-03-quality.json").write_text('{"tables": []}')  # of another form
    assert store.ResultStore(tmp_path, resume=True).path.name == "2026-01-02-quality.json"
    assert store.ResultStore(tmp_path, resume=False).path.name not in {
        path.name for path in tmp_path.iterdir()
    }


def test_results_are_written_atomically(tmp_path, monkeypatch):
    path = tmp_path / "kept.json"
    store.write_atomically(path, "old")

    def full(_):
        raise OSError("no space left")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="no space left"):
        store.write_atomically(path, "new, and longer")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.nightly
def test_interrupted_run_keeps_finished_cells(folder):
    """Ctrl-C after the first line, to the whole group of processes as a terminal does it."""
    arguments = ["--data", "ml-100k", "--no-peers", "--results", str(folder / "results")]
    package = str(Path(command.foretaste.__file__).parents[1])
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.quality", *arguments, "--page", str(folder / "page.md")],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": package},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        start_new_session=True,
    )
    first = process.stdout.readline()
    os.killpg(process.pid, signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "continue with --resume" in err
    content, _ = written(folder)
    finished = [cell["model"] for cell in content["cells"]]
    assert 1 <= len(finished) < len(MODELS)
    assert first.split()[2] == finished[0]
    assert all(len(cell["folds"]) == 5 for cell in content["cells"])


# Asking ----------------------------------------------------------------------------------------------------


def test_unknown_arguments_raise(capsys):
    for arguments, message in (
        (["--data", "ml-100k,nonsense"], 'no data set "nonsense"; one of ml-100k, u1'),
        (["--models", "SVDD"], 'no model "SVDD"; one of NormalRandom'),
        (["--folds", "0"], "--folds 0: at least 1"),
    ):
        with pytest.raises(SystemExit) as stopped:
            command.main(arguments)
        assert stopped.value.code == 2
        assert message in capsys.readouterr().err


def test_missing_ratings_are_named(folder, monkeypatch):
    with pytest.raises(SystemExit, match=r"needs u1\.base"):
        run(folder, "--no-peers", data="u1")
    monkeypatch.delenv("FORETASTE_DATA")
    with pytest.raises(SystemExit, match="set FORETASTE_DATA"):
        run(folder, "--no-peers")


# Rows and targets ------------------------------------------------------------------------------------------


def test_slow_peer_is_compared_on_the_same_fold():
    cells = [
        make_cell("SVD", [0.7, 0.8, 0.9, 1.0, 1.1]),
        make_cell("SVD", [0.95], library="surprise", slow=True),
    ]
    whole, first = rows.rows_of(cells, "ml-100k")
    assert (whole.ours.folds, whole.ours.rmse, whole.theirs) == (5, pytest.approx(0.9), None)
    assert (first.ours.folds, first.ours.rmse, first.theirs.rmse) == (1, 0.7, 0.95)
    assert (first.ratio, whole.ratio) == (20, None)
    assert whole.aims == ["<= 0.905: yes", "< surprise: yes"]


def test_partial_run_does_not_replace_a_complete_one():
    cells = [make_cell("SVD", [0.9] * 5), make_cell("SVD", [0.7]) | {"planned": 1}]
    for order in (cells, cells[::-1]):
        (row,) = rows.rows_of(order, "ml-100k")
        assert (row.ours.folds, row.ours.rmse) == (5, pytest.approx(0.9))


def test_failed_model_is_listed_with_its_peers():
    cells = [make_cell("SVD", [], refused="no room"), make_cell("SVD", [0.9] * 5, library="surprise")]
    (row,) = rows.rows_of(cells, "ml-100k")
    assert (row.ours, row.theirs.rmse, row.ratio, row.aims) == ("SVD", pytest.approx(0.9), None, [])
    cells = [make_cell("SVD", [0.9] * 5), make_cell("SVD", [], library="surprise", refused="no room")]
    (row, peer) = rows.rows_of(cells, "ml-100k")
    assert (row.ours.folds, row.theirs, row.aims) == (5, None, ["<= 0.905: yes"])
    assert (peer.theirs, peer.repeated) == ("SVD", True)


def test_targets_need_all_folds():
    (row,) = rows.rows_of([make_cell("SVD", [0.7, 0.8])], "ml-100k")
    assert row.aims == []


def test_targets_compare_with_every_peer():
    peers_of_items = [
        make_cell(f"KNN{name}, item-based", [error] * 5, library="surprise")
        for name, error in (("Basic", 0.97), ("Baseline", 0.93))
    ]
    for error, met in ((0.92, "yes"), (0.94, "no")):
        verdicts = aims.verdicts(
            "ml-100k", "ItemKNN", error, best=False, peers=[(error, 0.93), (error, 0.97)]
        )
        assert verdicts == [f"<= 0.913: {'yes' if error <= 0.913 else 'no'}", f"< surprise: {met}"]
    found = rows.rows_of(peers_of_items, "ml-100k")
    assert [row.theirs.name for row in found] == ["KNNBaseline, item-based", "KNNBasic, item-based"]
    assert [row.ours for row in found] == [None, None]
    assert [row.theirs.folds for row in found] == [5, 5]
    assert aims.verdicts("ml-100k", "NormalRandom", 1.5, best=False, peers=[(1.5, 1.4)]) == []  # luck


def test_targets_met_and_missed():
    assert aims.Aim("ml-100k", "SVD", 0.905).verdict(0.905) == "<= 0.905: yes"
    assert aims.Aim("ml-100k", "SVD", 0.905).verdict(0.90501) == "<= 0.905: no"
    assert aims.Aim("lecture", "UserMean", 4.9, within=0.02).verdict(4.915) == "4.9 +- 0.02: yes"
    assert aims.Aim("lecture", "UserMean", 4.9, within=0.02).verdict(4.875) == "4.9 +- 0.02: no"
    assert aims.verdicts("jester-2", "ALS", 4.5, best=False, bias=4.48) == ["< Bias: no"]
    assert aims.verdicts("jester-2", "EASE", 4.5, best=False, bias=4.48) == []  # no factor model


def test_jester_1_target_is_nmae():
    cells = [
        make_cell("Bias", [4.3], data="jester-1"),  # MAE 3.44, NMAE .172
        make_cell("Blend", [3.8], data="jester-1"),  # MAE 3.04, NMAE .152
    ]
    best, other = rows.rows_of(cells, "jester-1")
    assert (best.ours.name, best.aims, other.aims) == ("Blend", ["<= 0.154: yes"], [])


def test_mixed_folds_raise():
    cells = [make_cell("Bias", [0.9]), make_cell("BaselineOnly", [1.0], library="surprise")]
    cells[1]["folds"][0]["rows"] = "other"
    with pytest.raises(ValueError, match="Bias and surprise's BaselineOnly were not tested on the same rows"):
        rows.rows_of(cells, "ml-100k")
