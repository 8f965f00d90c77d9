"""Tuning: scores equal those computed by hand, no leakage, resumable without loss or repetition."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

import foretaste
from foretaste._utils.progress import LineProgress, Progress
from foretaste.errors import (
    DataError,
    InvalidParameterError,
    MissingDependencyError,
    NotEnoughMemoryError,
    NotFoundError,
)
from foretaste.evaluation import TuningResult, tune
from foretaste.evaluation.tuning.search import Budget, Search
from foretaste.evaluation.tuning.study import COMPLETE, FAILED, PRUNED, Trial
from foretaste.metrics.rating import fcp, rmse
from foretaste.models import SVD, Bias, Blend, TimeSVDpp
from foretaste.params import estimator, param
from foretaste.ratings import Ratings
from foretaste.splits import HoldOut, KFold

DAMPING = {"user_damping": ("log", 0.5, 50.0), "item_damping": ("log", 0.5, 50.0)}
ROOT = str(Path(foretaste.__file__).parent.parent)


@estimator
class Counting(Bias):
    """Records every fit, and can be set to stop or to fail."""

    fits: ClassVar[list[tuple[float, str]]] = []
    stop_after: ClassVar[int | None] = None
    refuse_above: ClassVar[float] = 1e9

    def _fit(self, train: Ratings, progress: Progress) -> None:
        if self.stop_after is not None and len(self.fits) >= self.stop_after:
            raise KeyboardInterrupt
        if self.user_damping > self.refuse_above:
            raise NotEnoughMemoryError("it would not fit")
        self.fits.append((self.user_damping, self.fingerprint_))
        super()._fit(train, progress)


@pytest.fixture(autouse=True)
def fresh_counting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Counting, "fits", [])


def tune_quickly(ratings: Any, model: Any = "Bias", space: Any = None, **options: Any) -> TuningResult:
    options = {"trials": 12, "folds": 3, "method": "random"} | options
    return tune(model, ratings, DAMPING if space is None else space, **options)


def reproducible_part(tuned: TuningResult) -> str:
    """Return all that may not depend on the machine or on stops."""
    rows = [{key: value for key, value in row.items() if key != "seconds"} for row in tuned.trials]
    return json.dumps([rows, tuned.nested])


# The scores ----------------------------------------------------------------------------------------------


def test_scores_equal_those_computed_by_hand(ratings: Ratings) -> None:
    tuned = tune_quickly(ratings, space={"user_damping": [1.0, 40.0]}, method="grid", prune=False)
    assert [row["params"] for row in tuned.trials[:1]] == [{"user_damping": 5.0}]
    assert sorted(row["params"]["user_damping"] for row in tuned.trials[1:]) == [1.0, 40.0]
    for row in tuned.trials:
        model = Bias(user_damping=row["params"]["user_damping"])
        scores = [
            rmse(ratings[test].value, model.fit(ratings[train]).predict(ratings[test]))
            for train, test in KFold(3, 0).split(ratings)
        ]
        assert row["folds"] == scores
        assert row["rmse"] == pytest.approx(np.mean(scores), abs=1e-12)
        assert row["rmse_std"] == pytest.approx(np.std(scores), abs=1e-12)
    assert tuned.score == min(row["rmse"] for row in tuned.trials)
    assert tuned.model.get_params() == Bias(**tuned.best_trial["params"]).get_params()
    assert not tuned.model.__sklearn_is_fitted__()
    assert eval(repr(tuned.model), {"Bias": Bias}).get_params() == tuned.model.get_params()  # noqa: S307


def test_first_trial_is_the_given_model(ratings: Ratings) -> None:
    given = Bias(user_damping=7.0, epochs=33)
    tuned = tune_quickly(ratings, given)
    assert tuned.trials[0]["params"] == {"user_damping": 7.0, "item_damping": 5.0}
    assert tuned.trials[0]["repr"] == repr(given)
    assert all("epochs=33" in row["repr"] for row in tuned.trials)
    assert tuned.model.epochs == 33
    assert not given.__sklearn_is_fitted__()


def test_greatest_score_is_best_if_greater_is_better(ratings: Ratings) -> None:
    tuned = tune_quickly(ratings, metric="fcp", prune=False)
    assert tuned.score == max(row["fcp"] for row in tuned.trials)
    train, test = next(KFold(3, 0).split(ratings))
    predicted = tuned.model.fit(ratings[train]).predict(ratings[test])
    assert tuned.best_trial["folds"][0] == fcp(ratings[test].value, predicted, ratings[test].user)
    assert "better in" in tuned.headline


def test_custom_split_instead_of_folds(ratings: Ratings) -> None:
    tuned = tune_quickly(ratings, folds=HoldOut(0.3, 1))
    assert all(len(row["folds"]) == 1 and "rmse_std" not in row for row in tuned.trials)
    assert "hold-out, 30 %" in tuned.protocol
    assert " +- " not in tuned.headline


@pytest.mark.parametrize("method", ["random", "gp", "tpe", "grid"])
def test_the_same_seed_gives_the_same_trials(method: str, ratings: Ratings) -> None:
    options: dict[str, Any] = {"method": method, "trials": 16}
    one, again = (tune_quickly(ratings, **options, outer_folds=2) for _ in range(2))
    assert reproducible_part(one) == reproducible_part(again)
    tried = [row["params"] for row in one.trials]
    assert tried != [row["params"] for row in tune_quickly(ratings, **options, seed=1).trials]
    assert len({json.dumps(params) for params in tried}) == len(tried)  # nothing twice


def test_tpe_beats_random_search(larger_ratings: Ratings) -> None:
    """A bowl with its bottom at (0.3, 0.7): what comes after the start lies nearer to it than draws do."""
    ones = larger_ratings.replace(value=np.ones_like(larger_ratings.value))
    options: dict[str, Any] = {"trials": 40, "folds": 2, "prune": False}
    found = {
        m: tune_quickly(ones, Bowl(clip=False), BOWL, method=m, **options) for m in ("gp", "tpe", "random")
    }
    late = {
        m: np.mean([abs(r["params"]["x"] - 0.3) + abs(r["params"]["y"] - 0.7) for r in t.trials[20:]])
        for m, t in found.items()
    }
    assert late["tpe"] < 0.6 * late["random"]
    assert found["tpe"].score <= found["random"].score
    assert found["gp"].score < 1e-3 < found["random"].score


@estimator
class Bowl(Bias):
    """Predicts 1, but for how far its parameters are from the best."""

    x: float = param(0.9, "first", low=0, high=1)
    y: float = param(0.1, "second", low=0, high=1)

    def _predict(self, pairs: Any) -> Any:
        off = (self.x - 0.3) ** 2 + (self.y - 0.7) ** 2
        return self._make_prediction(pairs, np.full(len(pairs), 1 + off, np.float32))


BOWL = {"x": (0.0, 1.0), "y": (0.0, 1.0)}


def test_small_space_ends_the_search(ratings: Ratings) -> None:
    for method in ("random", "gp", "tpe", "grid"):
        tuned = tune_quickly(ratings, space={"user_damping": [1.0, 2.0, 3.0]}, method=method, trials=50)
        assert sorted(row["params"]["user_damping"] for row in tuned.trials) == [1.0, 2.0, 3.0, 5.0]


# Nested --------------------------------------------------------------------------------------------------


def test_outer_scores_equal_those_computed_by_hand(ratings: Ratings) -> None:
    tuned = tune_quickly(ratings, Counting(), outer_folds=3)
    outer = [(ratings[train], ratings[test]) for train, test in KFold(3, 0).split(ratings)]
    nested = tuned.nested
    assert nested is not None
    for (train, test), fold in zip(outer, nested["folds"], strict=True):
        separate = tune_quickly(train, Counting())
        assert fold["repr"] == repr(separate.model)
        assert fold["inner"] == separate.score
        assert fold["outer"] == rmse(test.value, separate.model.fit(train).predict(test))
        assert fold["initial"] == rmse(test.value, Counting().fit(train).predict(test))
    assert nested["rmse"] == pytest.approx(np.mean([fold["outer"] for fold in nested["folds"]]))
    assert nested["initial_std"] == pytest.approx(np.std([fold["initial"] for fold in nested["folds"]]))
    assert tuned.nested_score == nested["rmse"]
    assert "the best of 12 trials and therefore optimistic; on outer folds that took no" in str(tuned)


def test_missing_outer_folds_are_stated(ratings: Ratings) -> None:
    tuned = tune_quickly(ratings)
    assert tuned.nested is tuned.nested_score is tuned.nested_table() is None
    assert "no outer folds were held out to evaluate the search (try outer_folds=5)" in str(tuned)


# Pruning, refusals, limits -------------------------------------------------------------------------------


def trial(number: int, *scores: float, state: str = COMPLETE) -> Trial:
    return Trial(number, {}, list(scores), state=state)


@pytest.mark.parametrize("metric", ["rmse", "r2"])
def test_poor_settings_are_pruned(metric: str) -> None:
    search = Search(Bias(), {}, "random", metric, 0, True)
    sign = -1 if search.maximize else 1
    before = [trial(n, sign * (1.0 + n / 10), sign * (1.0 + n / 10)) for n in range(5)]
    assert not search.should_prune(trial(9, sign * 1.1), before)  # the best quarter goes on
    assert search.should_prune(trial(9, sign * 1.15), before)
    assert not search.should_prune(trial(9, sign * 1.1, sign * 1.29), before)  # then the better half
    assert search.should_prune(trial(9, sign * 1.1, sign * 1.32), before)
    assert not search.should_prune(trial(9, sign * 9.0), before[:4])  # too few to compare with
    assert not search.should_prune(trial(9), before)
    assert not search.should_prune(trial(9, sign * 9.0), [trial(n, state=FAILED) for n in range(9)])


def test_pruned_trials_have_fewer_folds_and_never_win(ratings: Ratings) -> None:
    tuned = tune_quickly(ratings, trials=30)
    uninterrupted = tune_quickly(ratings, trials=30, prune=False)
    states = [row["state"] for row in tuned.trials]
    assert states.count(PRUNED) > 5
    assert states[:6] == [COMPLETE] * 6 or PRUNED not in states[:5]
    for row, full in zip(tuned.trials, uninterrupted.trials, strict=True):
        assert row["params"] == full["params"]
        assert row["folds"] == full["folds"][: len(row["folds"])]
        assert (len(row["folds"]) == 3) == (row["state"] == COMPLETE)
    assert tuned.best_trial["state"] == COMPLETE
    assert tuned.trials_summary.startswith(f"30 trials: {states.count(COMPLETE)} evaluated on all folds, ")
    assert f"{states.count(PRUNED)} pruned" in tuned.trials_summary


@pytest.mark.parametrize("method", ["random", "gp", "tpe"])
def test_failing_setting_is_a_trial_with_its_error(
    method: str, ratings: Ratings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Counting, "refuse_above", 20.0)
    tuned = tune_quickly(ratings, Counting(), method=method, trials=25)
    failed_rows = [row for row in tuned.trials if row["state"] == FAILED]
    assert failed_rows
    assert all(row["params"]["user_damping"] > 20 for row in failed_rows)
    assert {row["reason"] for row in failed_rows} == {"it would not fit"}
    assert all(row["rmse"] is None and row["folds"] == [] for row in failed_rows)
    assert f"{len(failed_rows)} failed" in tuned.trials_summary
    monkeypatch.setattr(Counting, "refuse_above", 0.0)
    with pytest.raises(
        DataError, match="none of 25 settings could be evaluated; the first: it would not fit"
    ):
        tune_quickly(ratings, Counting(), trials=25)


def test_unsuitable_ratings_raise_at_once(ratings: Ratings) -> None:
    with pytest.raises(DataError, match="TimeSVDpp needs timestamp"):
        tune(TimeSVDpp(), ratings.replace(timestamp=None), method="random")


def test_trials_and_timeout_limits() -> None:
    done = [Trial(n, {}, [1.0, 1.0], seconds=2.0, state=COMPLETE) for n in range(4)]
    assert Budget(5, None).allows(done, 1e9)
    assert not Budget(4, None).allows(done, 0)
    assert Budget(None, 10.0).allows(done, 8.0)  # the next takes 2 s, as those before
    assert not Budget(None, 10.0).allows(done, 8.1)
    assert not Budget(None, 10.0, reserved_fits=2.5).allows(done, 8.0)  # and 2.5 fits of 1 s come after
    assert Budget(None, 10.0, reserved_fits=2.5).allows(done, 5.5)
    assert Budget(None, 0.0).allows([], 5.0)  # the first one always


def test_timeout_is_respected_and_shared(ratings: Ratings) -> None:
    start = time.perf_counter()
    tuned = tune_quickly(ratings, trials=None, timeout=1.5, outer_folds=2)
    assert time.perf_counter() - start < 6
    assert 0.5 < tuned.seconds < 3
    assert tuned.nested is not None
    counts = [len(tuned.trials), *(fold["trials"] for fold in tuned.nested["folds"])]
    assert min(counts) > 3


# The study -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "stop_after"),
    [
        pytest.param(method, stop_after, marks=[] if method == "grid" else pytest.mark.nightly)
        for method in ("random", "gp", "tpe", "grid")
        for stop_after in (1, 4, 40, 75)
    ],
)
def test_resumed_search_equals_an_uninterrupted_one(
    method: str, stop_after: int, ratings: Ratings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options: dict[str, Any] = {"method": method, "trials": 18, "outer_folds": 2}
    uninterrupted = tune_quickly(ratings, Counting(), **options)
    fits, study = sorted(Counting.fits), tmp_path / "t.db"
    Counting.fits.clear()
    monkeypatch.setattr(Counting, "stop_after", stop_after)
    if stop_after == 1:
        with pytest.raises(KeyboardInterrupt):
            tune_quickly(ratings, Counting(), study=study, **options)
    elif stop_after < len(fits):
        stopped = tune_quickly(ratings, Counting(), study=study, **options)
        assert stopped.interrupted
        assert stopped.to_dict()["interrupted"] is True
        assert f"saved in {study}" in str(stopped)
    monkeypatch.setattr(Counting, "stop_after", None)
    resumed = tune_quickly(ratings, Counting(), study=study, **options)
    assert reproducible_part(resumed) == reproducible_part(uninterrupted)
    assert sorted(Counting.fits) == fits  # nothing was run twice, nothing left out
    again = tune_quickly(ratings, Counting(), study=study, **options)
    assert len(Counting.fits) == len(fits)
    assert reproducible_part(again) == reproducible_part(uninterrupted)


def test_interrupt_without_a_study_keeps_finished_trials(
    ratings: Ratings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Counting, "stop_after", 7)
    tuned = tune_quickly(ratings, Counting())
    assert tuned.interrupted
    assert len(tuned.trials) == 2
    assert "not saved in a study file" in str(tuned)


def test_search_is_extended_with_more_trials(ratings: Ratings, tmp_path: Path) -> None:
    short_search = tune_quickly(ratings, study=tmp_path / "t.db")
    assert short_search.notes == ()
    resumed = tune_quickly(ratings, study=tmp_path / "t.db", trials=20, outer_folds=2)
    assert reproducible_part(resumed) == reproducible_part(tune_quickly(ratings, trials=20, outer_folds=2))
    assert "holds 12 trials on all ratings; resuming" in str(resumed)
    assert resumed.seconds > short_search.seconds


SCRIPT = """
import sys
from foretaste import load_dataset
from foretaste.evaluation import tune
from foretaste.evaluation.tuning.study import Study

keep = Study.add_fold_score

def add_fold(self, *more):
    keep(self, *more)
    print("fold", flush=True)

Study.add_fold_score = add_fold
tune("SVD", load_dataset("sample"), {"factors": (2, 9), "learning_rate": ("log", 0.005, 0.05)},
     trials=14, folds=3, outer_folds=2, study=sys.argv[1])
"""


def read_table(study: Path, table: str) -> list[Any]:
    with sqlite3.connect(study) as base:
        rows = base.execute(f"SELECT rowid, * FROM {table} ORDER BY rowid").fetchall()
    base.close()
    return rows


@pytest.mark.nightly
def test_killed_search_loses_and_repeats_no_finished_fold(tmp_path: Path) -> None:
    study = tmp_path / "t.db"
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([ROOT, os.environ.get("PYTHONPATH", "")])}
    command = [sys.executable, "-c", SCRIPT, str(study)]
    saved_rows: list[Any] = []
    for more in (7, 30):  # killed twice: in the first search, and in an outer one
        process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        try:
            output = [process.stdout.readline() for _ in range(more)]
            assert output == ["fold\n"] * more
        finally:
            process.send_signal(signal.SIGKILL)
            process.wait()
            process.stdout.close()
        assert process.returncode == -signal.SIGKILL
        rows_on_disk = read_table(study, "folds")
        assert rows_on_disk[: len(saved_rows)] == saved_rows
        assert len(rows_on_disk) >= len(saved_rows) + more
        saved_rows = rows_on_disk
    assert {row[1] for row in saved_rows} == {"all ratings", "KFold(folds=2, seed=0) without fold 1"}
    subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL)
    folds = read_table(study, "folds")
    assert folds[: len(saved_rows)] == saved_rows  # as they were, seconds and all
    uninterrupted = tmp_path / "whole.db"
    subprocess.run(
        [*command[:-1], str(uninterrupted)], env=environment, check=True, stdout=subprocess.DEVNULL
    )
    assert [row[1:5] for row in folds] == [row[1:5] for row in read_table(uninterrupted, "folds")]
    assert [row[1:] for row in read_table(study, "trials")] == [
        row[1:] for row in read_table(uninterrupted, "trials")
    ]
    assert [row[1:4] for row in read_table(study, "outer_scores")] == [
        row[1:4] for row in read_table(uninterrupted, "outer_scores")
    ]


MISMATCHES: dict[str, tuple[dict[str, Any], str]] = {
    "fingerprint": ({"ratings": "others"}, "of other ratings"),
    "order": ({"ratings": "turned"}, "in another order, so that its folds differ"),
    "scale": ({"ratings": "scaled"}, "of ratings with another declared scale"),
    "model": ({"model": Bias(epochs=7)}, "of another model"),
    "space": ({"space": {"user_damping": (1.0, 2.0)}}, "with another space"),
    "method": ({"method": "grid"}, "with another method: random there, grid now"),
    "split": ({"folds": 4}, "on other folds"),
    "metric": ({"metric": "mae"}, "with another metric: rmse there, mae now"),
    "seed": ({"seed": 3}, "with another seed: 0 there, 3 now"),
    "prune": ({"prune": False}, "with other pruning"),
}


@pytest.mark.parametrize("changed_name", MISMATCHES)
def test_mismatched_study_raises(
    changed_name: str, ratings: Ratings, other_ratings: Ratings, tmp_path: Path
) -> None:
    study = tmp_path / "t.db"
    tune_quickly(ratings, study=study, trials=2)
    before = study.read_bytes()
    options, words = MISMATCHES[changed_name]
    options = dict(options)
    changed = {
        "others": other_ratings,
        "turned": ratings[np.arange(len(ratings))[::-1]],
        "scaled": ratings.replace(scale=(-99.0, 99.0)),
    }.get(options.pop("ratings", ""), ratings)
    with pytest.raises(InvalidParameterError, match=words) as caught:
        tune_quickly(changed, study=study, trials=2, **options)
    assert caught.value.hint == f'study="{tmp_path / "t-2.db"}"'
    assert study.read_bytes() == before


def test_foreign_study_file_raises(ratings: Ratings, tmp_path: Path) -> None:
    text, foreign = tmp_path / "a.csv", tmp_path / "b.db"
    text.write_text("userId,itemId,rating\n" * 99)
    with pytest.raises(DataError, match="is not a study of foretaste"):
        tune_quickly(ratings, study=text)
    with sqlite3.connect(foreign) as base:
        base.execute("CREATE TABLE studies (x)")
    base.close()
    before = foreign.read_bytes()
    with pytest.raises(DataError, match="is a database, but not a study of foretaste") as caught:
        tune_quickly(ratings, study=foreign)
    assert caught.value.hint == f'study="{tmp_path / "b-2.db"}"'
    assert foreign.read_bytes() == before
    with pytest.raises(NotFoundError, match="there is no folder") as caught_missing:
        tune_quickly(ratings, study=tmp_path / "none" / "t.db")
    assert (caught_missing.value.hint or "").startswith("mkdir -p ")


def test_two_searches_do_not_share_a_file(ratings: Ratings, tmp_path: Path) -> None:
    study = tmp_path / "t.db"
    tune_quickly(ratings, study=study, trials=1)
    holder = sqlite3.connect(study, isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    with pytest.raises(DataError, match="is in use by another search"):
        tune_quickly(ratings, study=study)
    holder.close()
    assert len(tune_quickly(ratings, study=study).trials) == 12


# Arguments and appearance --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"trials": 0}, "trials=0 is not allowed"),
        ({"trials": True}, "trials=True"),
        ({"timeout": 0}, "timeout=0 is not allowed; it must be a number of seconds above 0"),
        ({"timeout": "5m"}, 'timeout="5m"'),
        ({"seed": -1}, "seed=-1"),
        ({"folds": 1}, "folds=1 is not allowed; it must be an integer, at least 2, or a splitter"),
        ({"outer_folds": 1}, "outer_folds=1"),
        ({"outer_folds": "KFold"}, 'outer_folds="KFold"'),
        ({"metric": "rsme"}, 'did you mean "rmse"'),
        ({"method": "bayes"}, 'method="bayes" is not allowed'),
        ({"model": Bias}, "neither a name nor a model"),
        ({"model": Bias(user_damping=-1)}, "user_damping=-1"),
    ],
)
def test_invalid_arguments_raise(options: dict[str, Any], words: str, ratings: Ratings) -> None:
    with pytest.raises(InvalidParameterError) as caught:
        tune_quickly(ratings, **options)
    assert words in caught.value.message
    assert caught.value.hint


def test_missing_optuna_names_the_extra(ratings: Ratings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(MissingDependencyError, match="needs optuna") as caught:
        tune(Counting(), ratings, DAMPING, method="tpe")
    assert caught.value.hint == 'pip install "foretaste[tune]"'
    assert Counting.fits == []
    assert len(tune_quickly(ratings, trials=2).trials) == 2
    assert len(tune("Bias", ratings, DAMPING, trials=12, folds=2).trials) == 12
    assert len(tune_quickly(ratings, space={"user_damping": [1.0]}, method="grid").trials) == 2


def test_optuna_is_imported_only_for_tpe_and_is_silent(tmp_path: Path) -> None:
    code = """
        import sys
        from foretaste import load_dataset, tune
        ratings = load_dataset("sample")
        tune("Bias", ratings, method="random", trials=2)
        assert "optuna" not in sys.modules
        tune("Bias", ratings, trials=12, folds=2)
        assert "optuna" not in sys.modules
        tune("Bias", ratings, method="tpe", trials=12, folds=2)
        assert "optuna" in sys.modules and "sqlalchemy" not in sys.modules
    """
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([ROOT, os.environ.get("PYTHONPATH", "")])}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(code)],
        capture_output=True, text=True, env=environment, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_nested_models_can_be_tuned(ratings: Ratings, tmp_path: Path) -> None:
    choices: list[Any] = [["Bias", "EASE"], [Bias(user_damping=2.0), SVD(factors=2, epochs=3)]]
    space = {"models": choices}
    options: dict[str, Any] = {"method": "grid", "study": tmp_path / "t.db", "folds": 2}
    tuned = tune_quickly(ratings, Blend(folds=2), space, **options)
    again = tune_quickly(ratings, Blend(folds=2), space, **options)
    assert reproducible_part(tuned) == reproducible_part(again)
    saved_rows = json.loads(json.dumps(tuned.to_dict()))["trials"][0]["params"]["models"]
    assert saved_rows == Blend().models
    tried = [row["repr"] for row in tuned.trials[1:]]
    assert sorted("user_damping=2.0" in python for python in tried) == [False, True]


def test_text_html_and_json_agree(ratings: Ratings) -> None:
    tuned = tune_quickly(ratings, outer_folds=2, trials=20, name="ours <1>")
    text, page = str(tuned), tuned._repr_html_()
    assert repr(tuned) == text
    assert text.startswith(f"{tuned.headline}\n{tuned.score_caveat}\n")
    assert "is the best of 20 settings: RMSE " in tuned.headline
    assert "data: ours <1>: " in text
    assert "ours &lt;1&gt;" in page
    assert page.count("<table>") == 2
    headers, rows, align = tuned.table()
    assert headers == ["trial", "user_damping", "item_damping", "RMSE", "seconds"]
    assert len(align) == len(headers)
    assert len(rows) <= 11
    assert sum(row[0] == "0, initial" for row in rows) == 1
    assert rows[0][0].split(",")[0] == str(tuned.best_trial["trial"])
    assert all(cell in page for row in rows for cell in row)
    data = json.loads(json.dumps(tuned.to_dict(), allow_nan=False))
    assert data["best"] == data["trials"][tuned.best_trial["trial"]]
    assert data["nested"]["rmse"] == tuned.nested_score


def test_initial_model_may_be_best(ratings: Ratings) -> None:
    tuned = tune_quickly(ratings, Bias(), {"user_damping": [5000.0, 9000.0]})
    assert tuned.headline.startswith("The initial model, Bias(), is the best of 3 settings: RMSE ")
    assert tuned.model.get_params() == Bias().get_params()


def test_progress_shows_the_best_score(ratings: Ratings, capsys: pytest.CaptureFixture[str]) -> None:
    tune_quickly(ratings, outer_folds=2, progress=LineProgress())
    lines = capsys.readouterr().err.splitlines()
    assert [line.split("  ")[0] for line in lines] == ["tune Bias", "outer fold 1 of 2", "outer fold 2 of 2"]
    assert all("best RMSE " in line and line.endswith("of 12 trials") for line in lines)
