"""Cross-validation: scikit-learn's scores, the usual table, parallel folds with the same bits, no leakage."""

from __future__ import annotations

import itertools
import json
import logging
import re
import threading
import time
from typing import Any, ClassVar

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.model_selection import cross_val_score
from threadpoolctl import threadpool_info, threadpool_limits

import foretaste as ft
from foretaste._utils.progress import LineProgress, Progress, RichProgress
from foretaste._utils.threads import resolve_threads, thread_limit
from foretaste.errors import DataError, InvalidParameterError, NotEnoughMemoryError, NotFoundError
from foretaste.evaluation import compare, cross_validate
from foretaste.evaluation.leakage import count_exact
from foretaste.metrics import mae, rmse, scorer
from foretaste.models import EASE, SVD, Bias, Blend, GlobalMean
from foretaste.params import estimator, param
from foretaste.ratings import Pairs, Ratings
from foretaste.splits import ColdUsers, HoldOut, KFold, LeaveNOut, Splitter, TimeSplit, WarmOnly

QUICK = SVD(factors=4, epochs=5)


# The figures ---------------------------------------------------------------------------------------------


def test_scores_equal_scikit_learn(ratings: Ratings) -> None:
    found = cross_validate(QUICK, ratings, 4, seed=3)
    for name in ("rmse", "mae"):
        theirs = -cross_val_score(QUICK, ratings, ratings.value, cv=KFold(4, seed=3), scoring=scorer(name))
        assert [fold[name] for fold in found.folds] == theirs.tolist()
        assert found.mean[name] == pytest.approx(theirs.mean(), rel=1e-12)
        assert found.std[name] == pytest.approx(theirs.std(), rel=1e-12)
    assert not QUICK.__sklearn_is_fitted__()


def test_each_fold_has_its_training_error_baseline_and_fallbacks(ratings: Ratings) -> None:
    found = cross_validate("bias", ratings, 3)
    for fold, (train_rows, test_rows) in zip(found.folds, KFold(3).split(ratings), strict=True):
        train, test = ratings[train_rows], ratings[test_rows]
        model = Bias().fit(train)
        details = model.predict_details(test)
        assert fold["train_rmse"] == rmse(train.value, model.predict(train))
        assert fold["fallback_rows"] == np.count_nonzero(details.fallback)
        mean = GlobalMean().fit(train).predict(test)
        assert fold["mean_rmse"] == pytest.approx(rmse(test.value, mean), rel=1e-6)
        assert fold["fit_seconds"] > 0
        assert fold["predict_seconds"] > 0


def test_baseline_uses_the_same_weights(ratings: Ratings) -> None:
    weighted = ratings.replace(weight=np.linspace(0.1, 5, len(ratings), dtype=np.float32))
    (train_rows, test_rows), _ = KFold(2).split(weighted)
    mean = GlobalMean().fit(weighted[train_rows]).predict(weighted[test_rows])
    found = cross_validate("GlobalMean", weighted, 2).folds[0]
    assert found["mean_rmse"] == pytest.approx(found["rmse"], rel=1e-6)
    assert found["rmse"] == rmse(weighted.value[test_rows], mean)


# The table -----------------------------------------------------------------------------------------------


def test_table_has_the_usual_layout(ratings: Ratings) -> None:
    found = cross_validate(SVD(factors=4, epochs=5), ratings, metrics=["rmse", "mae"])
    head, empty, names, *rows = str(found).splitlines()
    assert head == "Evaluating RMSE, MAE of algorithm SVD(factors=4, epochs=5) on 5 split(s)."
    assert empty == ""
    assert names == "                  Fold 1  Fold 2  Fold 3  Fold 4  Fold 5  Mean    Std     "
    for line, key, title in (
        (rows[0], "rmse", "RMSE (testset)    "),
        (rows[1], "mae", "MAE (testset)     "),
    ):
        values = [*(fold[key] for fold in found.folds), found.mean[key], found.std[key]]
        assert line == title + "".join(f"{value:<8.4f}" for value in values)
    for line, key, title in (
        (rows[2], "fit_seconds", "Fit time          "),
        (rows[3], "predict_seconds", "Test time         "),
    ):
        values = [*(fold[key] for fold in found.folds), found.mean[key], found.std[key]]
        assert line == title + "".join(f"{value:<8.2f}" for value in values)
    gain = 100 * (1 - found.mean["rmse"] / found.mean["mean_rmse"])
    assert rows[5] == (
        f"RMSE {found.mean['rmse']:.4f} +- {found.std['rmse']:.4f}: {gain:.3g} % better than always guessing "
        f"the mean ({found.mean['mean_rmse']:.4f})."
    )
    assert rows[6].startswith("protocol: 5-fold cross-validation, seed 0: each of the 900 rows tested once")


def test_large_values_do_not_merge_columns(ratings: Ratings) -> None:
    large = ratings.replace(value=(ratings.value * 1e6).astype(np.float32))
    rows = str(cross_validate("NormalRandom", large, 3, metrics=["rmse", "rmse_per_user"])).splitlines()
    assert [len(line.split()) for line in rows[2:5]] == [8, 7, 9]
    assert all(line.index("  ") > 0 for line in rows[3:7])
    assert "worse than always guessing the mean" in rows[8]


def test_dict_frame_and_html_output(ratings: Ratings) -> None:
    found = cross_validate("Bias", ratings, 3, metrics="fcp")
    assert found.metrics == ("rmse", "fcp")
    data = found.to_dict()
    assert json.loads(json.dumps(data, allow_nan=False)) == data
    assert data["model"] == "Bias()"
    assert data["mean"] == found.mean
    frame = found.to_frame()
    assert frame["fold"].to_list() == [1, 2, 3]
    assert frame["fcp"].to_list() == [fold["fcp"] for fold in found.folds]
    assert "<table" in found._repr_html_()
    assert "better than always guessing the mean" in found._repr_html_()
    assert repr(found) == str(found)


# Protocols -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("split", "words"),
    [
        (TimeSplit(0.1), "the latest 10 % of the rows held out"),
        (LeaveNOut(1, seed=2), "leave one out: 1 rating of each user who has more held out, seed 2"),
        (ColdUsers(0.3), "30 % of the users held out entirely, seed 0"),
        (
            WarmOnly(HoldOut(0.5, seed=1)),
            "hold-out, 50 % of the rows, seed 1, only test rows with known user and item",
        ),
    ],
)
def test_evaluation_plan_is_described(ratings: Ratings, split: Splitter, words: str) -> None:
    timed = ratings.replace(timestamp=np.arange(len(ratings)))
    found = cross_validate("Bias", timed, split=split)
    assert len(found) == 1
    assert found.protocol.startswith(words)
    train_rows, test_rows = next(split.split(timed))
    expected = rmse(timed.value[test_rows], Bias().fit(timed[train_rows]).predict(timed[test_rows]))
    assert found.mean["rmse"] == expected
    assert " +- " not in found.summary


def test_warm_only_tests_known_users_and_items(ratings: Ratings) -> None:
    everyone = cross_validate("Bias", ratings, 3)
    warm = cross_validate("Bias", ratings, 3, warm_only=True)
    assert everyone.mean["fallback_rows"] > 0
    assert warm.mean["fallback_rows"] == 0
    assert "only test rows with known user and item" in warm.protocol
    train, test = ratings[:300], ratings[300:]
    external = compare(train, "Bias", test=test, warm_only=True)
    assert external.rows[0]["fallback_rows"] == 0
    assert "external test set, only test rows with known user and item: 300 train" in external.protocol
    strangers = Ratings.from_columns(train.user_ids, train.item_ids + 10_000, train.value)
    with pytest.raises(DataError, match="no test row has a user and an item"):
        compare(train, "Bias", test=strangers, warm_only=True)


@pytest.mark.parametrize(
    ("model", "options", "error", "words"),
    [
        ("SVDD", {}, NotFoundError, 'did you mean "SVD"'),
        (SVD, {}, InvalidParameterError, "neither a name nor a model"),
        (SVD(factors=0), {}, InvalidParameterError, "factors=0"),
        ("Bias", {"folds": 1}, InvalidParameterError, "folds=1 is not allowed"),
        ("Bias", {"metrics": ["rmsse"]}, InvalidParameterError, 'did you mean "rmse"'),
        ("Bias", {"threads": 0}, InvalidParameterError, "threads=0 is not allowed"),
        ("Bias", {"split": 3}, InvalidParameterError, "is not a splitter"),
        ("TimeSVDpp", {}, DataError, "needs timestamp"),
    ],
)
def test_invalid_arguments_are_named(
    ratings: Ratings, model: Any, options: dict[str, Any], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        cross_validate(model, ratings, **options)


# Side by side --------------------------------------------------------------------------------------------


def bits(found: ft.CrossValidation) -> list[dict[str, float]]:
    return [{key: value for key, value in fold.items() if "seconds" not in key} for fold in found.folds]


@pytest.mark.parametrize("model", [QUICK, "Bias", EASE(), Blend(models=["EASE", "Bias"]), "KNNImputation"])
def test_parallel_folds_give_the_same_bits(larger_ratings: Ratings, model: Any) -> None:
    alone = cross_validate(model, larger_ratings, 4, threads=1)
    for threads in (2, 3, 8):
        assert bits(cross_validate(model, larger_ratings, 4, threads=threads)) == bits(alone)
    rows = [compare(larger_ratings, [model], split=KFold(4), threads=threads).best_row for threads in (1, 4)]
    assert rows[0]["rmse"] == rows[1]["rmse"]


@estimator
class Counting(Bias):
    """Remembers how many threads each fit may use, and how many fits are at work."""

    shares: ClassVar[list[int]] = []
    running: ClassVar[list[int]] = []
    now: ClassVar[set[int]] = set()
    barrier: ClassVar[threading.Barrier] = threading.Barrier(1)

    def _fit(self, train: Ratings, progress: Progress) -> None:
        self.shares.append(resolve_threads())
        self.now.add(threading.get_ident())
        self.barrier.wait(timeout=60)  # until as many as there should be are at work
        self.running.append(len(self.now))
        super()._fit(train, progress)
        self.now.discard(threading.get_ident())


@pytest.mark.parametrize(
    ("threads", "folds", "at_once", "share"), [(1, 3, 1, 1), (2, 4, 2, 1), (8, 3, 3, 2), (7, 2, 2, 3)]
)
def test_folds_times_threads_never_exceed_the_cores(
    ratings: Ratings, threads: int, folds: int, at_once: int, share: int
) -> None:
    for seen in (Counting.shares, Counting.running, Counting.now):
        seen.clear()
    Counting.barrier = threading.Barrier(at_once)
    cross_validate(Counting(), ratings, folds, threads=threads)
    assert Counting.shares == [share] * folds
    assert max(Counting.running) == at_once


def test_last_round_of_folds_uses_all_threads(ratings: Ratings) -> None:
    for seen in (Counting.shares, Counting.running, Counting.now):
        seen.clear()
    Counting.barrier = threading.Barrier(1)
    cross_validate(Counting(), ratings, 5, threads=4)
    assert sorted(Counting.shares) == [1, 1, 1, 1, 4]


def test_thread_limit_is_scoped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORETASTE_THREADS", "6")
    with thread_limit(2):
        assert (resolve_threads(), resolve_threads(5)) == (2, 5)
        others = []
        thread = threading.Thread(target=lambda: others.append(resolve_threads()))
        thread.start()
        thread.join()
        assert others == [6]
    assert resolve_threads() == 6


def test_blas_limits_are_restored(larger_ratings: Ratings) -> None:
    before = [pool["num_threads"] for pool in threadpool_info()]
    cross_validate("EASE", larger_ratings, 4, threads=2)
    assert [pool["num_threads"] for pool in threadpool_info()] == before


@estimator
class Limited(Bias):
    """Limits BLAS for itself, as models do; the second is at work when the first is done with it."""

    number: ClassVar[Any] = itertools.count()
    both: ClassVar[threading.Barrier] = threading.Barrier(2)
    first_done: ClassVar[threading.Event] = threading.Event()
    seen: ClassVar[list[int]] = []

    def _fit(self, train: Ratings, progress: Progress) -> None:
        first = next(self.number) == 0
        if not first:
            self.both.wait(timeout=60)
        with threadpool_limits(1):
            if first:
                self.both.wait(timeout=60)
            self.both.wait(timeout=60)  # both have set their limit, the second last
            if not first:
                self.first_done.wait(timeout=60)
                self.seen += [pool["num_threads"] for pool in threadpool_info()]
        if first:
            self.first_done.set()
        super()._fit(train, progress)


def test_finished_fold_does_not_lift_the_blas_limit(ratings: Ratings) -> None:
    cross_validate(Limited(), ratings, 2, threads=2)
    assert set(Limited.seen) == {1}


@estimator
class Stopped(Bias):
    """The first fit is interrupted while the second is at work, which would take a minute."""

    number: ClassVar[Any] = itertools.count()
    entered: ClassVar[list[int]] = []
    finished: ClassVar[list[int]] = []

    def _fit(self, train: Ratings, progress: Progress) -> None:
        first = next(self.number) == 0
        self.entered.append(1)
        if first:
            while len(self.entered) < 2:
                time.sleep(0.001)
            raise KeyboardInterrupt
        with progress.start_task("slow", 6000) as task:
            for _ in range(6000):
                time.sleep(0.01)
                task.step()
        self.finished.append(1)


def test_interrupt_stops_all_folds(ratings: Ratings) -> None:
    Stopped.entered.clear()
    Stopped.finished.clear()
    start = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        cross_validate(Stopped(), ratings, 5, threads=2)
    assert time.monotonic() - start < 20
    assert Stopped.finished == []
    assert len(Stopped.entered) <= 3  # what waited never began


@estimator
class Hungry(Bias):
    """Two of them at once are too much; or even one is."""

    lock: ClassVar[Any] = threading.Lock()
    refusals: ClassVar[list[int]] = []
    alone_too: bool = param(False, "refuse in any case")

    def _fit(self, train: Ratings, progress: Progress) -> None:
        if self.alone_too or not self.lock.acquire(blocking=False):
            self.refusals.append(1)
            raise NotEnoughMemoryError("it needs 900 GB of memory; 1 GB is available")
        try:
            time.sleep(0.2)
            super()._fit(train, progress)
        finally:
            self.lock.release()


def test_folds_too_large_in_parallel_run_alone(ratings: Ratings) -> None:
    Hungry.refusals.clear()
    found = cross_validate(Hungry(), ratings, 4, threads=4)
    assert bits(found) == bits(cross_validate("Bias", ratings, 4))
    assert Hungry.refusals
    with pytest.raises(NotEnoughMemoryError):
        cross_validate(Hungry(alone_too=True), ratings, 4, threads=4)


def test_progress_reports_each_fold(ratings: Ratings, capsys: pytest.CaptureFixture[str]) -> None:
    found = cross_validate(QUICK, ratings, 3, progress=LineProgress())
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("cross-validate SVD(factors=4, epochs=5)  ")
    assert line.endswith(f"fold 3 of 3, RMSE {found.folds[2]['rmse']:.4g}")
    notes = []

    class Noting(Progress):
        def start_task(self, label: str, total: int, unit: str = "") -> Any:
            if label.startswith("cross-validate"):
                notes.append((label, total))
            return super().start_task(label, total, unit)

    cross_validate(QUICK, ratings, 3, progress=Noting())
    assert notes == [("cross-validate SVD(factors=4, epochs=5)", 3)]
    with_bars = cross_validate(QUICK, ratings, 4, threads=2, progress=RichProgress())
    assert bits(with_bars) == bits(cross_validate(QUICK, ratings, 4))


# No leak -------------------------------------------------------------------------------------------------


@estimator
class Curious(Bias):
    """Remembers what it is asked, in every way that a model can be asked."""

    asked: ClassVar[list[Any]] = []

    def predict_details(self, X: Any) -> Any:
        self.asked.append(X)
        return super().predict_details(X)

    def predict(self, X: Any) -> Any:
        self.asked.append(X)
        return super().predict(X)


@pytest.mark.parametrize("how", ["cross_validate", "compare", "apart"])
def test_test_ratings_never_reach_the_model(ratings: Ratings, how: str) -> None:
    Curious.asked.clear()
    if how == "cross_validate":
        cross_validate(Curious(), ratings, 2, threads=1)
    elif how == "compare":
        compare(ratings, [Curious()])
    else:
        compare(ratings[:600], [Curious()], test=ratings[600:])
    assert Curious.asked
    for asked in Curious.asked:
        assert type(asked) is Pairs
        assert not hasattr(asked, "value")


@estimator
class Memoriser(Bias):
    """Remembers every rating it ever saw, over all fits: in the second fold it knows the test ratings."""

    memory: ClassVar[dict[tuple[int, int], float]] = {}

    def _fit(self, train: Ratings, progress: Progress) -> None:
        super()._fit(train, progress)
        ids = zip(train.user_ids.tolist(), train.item_ids.tolist(), strict=True)
        self.memory.update(zip(ids, train.value.tolist(), strict=True))

    def _predict(self, pairs: Pairs) -> Any:
        found = super()._predict(pairs)
        value = found.value.copy()
        for row, (user, item) in enumerate(zip(pairs.user, pairs.item, strict=True)):
            if user >= 0 and item >= 0:
                known = self.users_.ids[user], self.items_.ids[item]
                value[row] = self.memory.get(tuple(int(one) for one in known), value[row])
        return type(found)(value, found.fallback)


def test_memorizing_model_gains_nothing(ratings: Ratings, caplog: pytest.LogCaptureFixture) -> None:
    enough = ratings.k_core(min_user_ratings=8, min_item_ratings=8)
    Memoriser.memory.clear()
    found = cross_validate(Memoriser(), enough, 3, threads=1)
    assert found.folds[0]["rmse"] > 0.5
    assert max(fold["rmse"] for fold in found.folds[1:]) < 0.05  # not 0: predictions are clipped
    match = re.search(r"Memoriser predicts (\d+) test rows without any error in 2 of 3 folds", caplog.text)
    assert int(match[1]) == pytest.approx(2 * len(enough) / 3, abs=3)
    assert found.notes[0] in str(found)
    assert "drop what it learned before" in found.notes[0]
    caplog.clear()
    results = compare(enough, [Memoriser(), Bias()])
    assert "Memoriser predicts" in caplog.text
    assert [note for note in results.notes if "Bias predicts" in note] == []
    assert any(record.levelno == logging.WARNING for record in caplog.records)


@given(st.integers(0, 10_000), st.sampled_from([0.0, 0.5, 0.85, 0.95, 1.0]))
def test_exact_predictions_are_counted(seed: int, share: float) -> None:
    rng = np.random.default_rng(seed)
    true = np.r_[np.full(500, 5.0), rng.integers(1, 5, 400)].astype(np.float32)
    known = np.r_[np.ones(500, bool), np.arange(400) < 400 * share]
    predicted = np.where(known, true, true + 0.01).astype(np.float32)
    assert count_exact(true, predicted) == (0 if share < 0.9 else np.count_nonzero(known))


def test_constant_ratings_are_no_leak(ratings: Ratings) -> None:
    alike = ratings.replace(value=np.full(len(ratings), 3, np.float32))
    found = cross_validate("GlobalMean", alike, 3)
    assert found.mean["rmse"] == 0
    assert found.notes == ()


class Leaky(Splitter):
    """Includes training rows in the test set."""

    def __init__(self, train: Any, test: Any) -> None:
        self.rows = np.asarray(train), np.asarray(test)

    def split(self, X: Any, y: Any = None, groups: Any = None) -> Any:
        yield self.rows

    def __repr__(self) -> str:
        return "Leaky()"


def test_leaking_split_raises_with_the_count(ratings: Ratings) -> None:
    leaky = Leaky(np.arange(0, 700), np.arange(690, 900))
    for call in (cross_validate, lambda model, ratings, split: compare(ratings, model, split=split)):
        with pytest.raises(
            DataError, match=r"Leaky\(\) has 10 rows in both the training and the test set \(leakage\)"
        ) as caught:
            call("Bias", ratings, split=leaky)
        user, item = ratings.user_ids[690], ratings.item_ids[690]
        assert caught.value.where == f"first: row 690, user {user}, item {item}"
        assert "numpy.setdiff1d" in caught.value.hint


@pytest.mark.parametrize(
    ("train", "test", "words"),
    [
        ([], [1], "yields 0 training rows and 1 test rows"),
        ([1], [], "yields 1 training rows and 0 test rows"),
        ([0, 1], [900], "must yield row numbers, 0 to 899"),
        ([0, 1], [-1], "must yield row numbers"),
        ([True, False], [1], "must yield row numbers"),
    ],
)
def test_empty_split_raises(ratings: Ratings, train: Any, test: Any, words: str) -> None:
    with pytest.raises(DataError, match=words):
        cross_validate("Bias", ratings, split=Leaky(train, test))


def test_overlapping_rows_raise_or_are_dropped(ratings: Ratings) -> None:
    train, test = ratings[:700], ratings[650:]
    with pytest.raises(
        DataError, match=r"50 of 250 test rows also occur in the training data \(leakage\)"
    ) as no:
        compare(train, "Bias", test=test)
    assert no.value.where == f"first: user {test.user_ids[0]}, item {test.item_ids[0]}"
    judge = compare(train, "Bias", test=test, overlap="drop_from_train")
    assert judge.protocol == (
        "external test set (50 shared pairs dropped from the training set): 650 train, 250 test rows"
    )
    assert judge.best_row["rmse"] == rmse(test.value, Bias().fit(ratings[:650]).predict(test))
    assert judge.dataset["ratings"] == 650
    learn = compare(train, "Bias", test=test, overlap="drop_from_test")
    assert learn.protocol.endswith("(50 shared pairs dropped from the test set): 700 train, 200 test rows")
    assert learn.best_row["mae"] == mae(ratings.value[700:], Bias().fit(train).predict(ratings[700:]))
    with pytest.raises(DataError, match="no training rows would be left"):
        compare(train, "Bias", test=train, overlap="drop_from_train")
    with pytest.raises(DataError, match="no test rows would be left"):
        compare(train, "Bias", test=train, overlap="drop_from_test")
    with pytest.raises(InvalidParameterError, match='overlap="both"'):
        compare(train, "Bias", test=ratings[700:], overlap="both")


def test_overlap_compares_pairs_not_ratings() -> None:
    train = Ratings.from_columns([1, 1, 2, 3], [5, 6, 5, 7], [1, 2, 3, 4])
    other = Ratings.from_columns([2, 3, 9], [6, 5, 9], [4, 3, 2])
    assert compare(train, "Bias", test=other).protocol == "external test set: 4 train, 3 test rows"
    again = Ratings.from_columns([2, 3], [5, 5], [1, 3])
    with pytest.raises(DataError, match="1 of 2 test rows"):
        compare(train, "Bias", test=again)
