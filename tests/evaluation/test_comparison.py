"""Comparisons: scores equal those computed by hand, no leakage, failing models become rows."""

from __future__ import annotations

import json
import logging
import os
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import polars as pl
import pytest

from foretaste._utils.memory import run_with_peak
from foretaste._utils.progress import LineProgress, Progress
from foretaste.errors import DataError, InvalidParameterError, NotEnoughMemoryError, NotFoundError
from foretaste.evaluation import Results, compare
from foretaste.metrics.rating import mae, rmse
from foretaste.models import MODELS, SVD, Bias, GlobalMean, ItemMean, Prediction, UserMean
from foretaste.params import estimator
from foretaste.ratings import Pairs, Ratings
from foretaste.splits import ColdItems, ColdUsers, HoldOut, KFold, LeaveNOut, TimeSplit

QUICK = SVD(factors=2, epochs=3)


@estimator
class Recording(Bias):
    """Remembers what it predicted, over all instances."""

    seen: ClassVar[list[np.ndarray]] = []

    def _predict(self, pairs: Pairs) -> Prediction:
        prediction = super()._predict(pairs)
        self.seen.append(prediction.value.copy())
        return prediction


@estimator
class Huge(Bias):
    """Refuses everything for want of memory."""

    def _fit(self, train: Ratings, progress: Progress) -> None:
        raise NotEnoughMemoryError("it needs 900 GB of memory; 1 GB is available", hint="Bias()")


@estimator
class Interrupted(Bias):
    """Is interrupted at its second fold."""

    fits: ClassVar[list[int]] = []

    def _fit(self, train: Ratings, progress: Progress) -> None:
        self.fits.append(1)
        if len(self.fits) == 2:
            raise KeyboardInterrupt
        super()._fit(train, progress)


@estimator
class Timed(Bias):
    """Needs times."""

    requires: ClassVar[frozenset[str]] = frozenset({"timestamp"})


def by_name(results: Results) -> dict[str, dict[str, Any]]:
    return {row["model"]: row for row in results.rows}


# The numbers ---------------------------------------------------------------------------------------------


def test_hold_out_scores_equal_those_computed_by_hand(ratings: Ratings) -> None:
    results = compare(ratings, [Bias(user_damping=1.0), "UserMean"], split=HoldOut(0.25, seed=7))
    train_rows, test_rows = next(HoldOut(0.25, seed=7).split(ratings))
    train, test = ratings[train_rows], ratings[test_rows]
    for model in (GlobalMean(), UserMean(), Bias(user_damping=1.0)):
        row = by_name(results)[type(model).__name__]
        model.fit(train)
        assert row["rmse"] == rmse(test.value, model.predict(test))
        assert row["mae"] == mae(test.value, model.predict(test))
        assert row["train_rmse"] == rmse(train.value, model.predict(train))
        unknown = ~np.isin(test.user_ids, train.user_ids) | ~np.isin(test.item_ids, train.item_ids)
        assert row["fallback_rows"] == unknown.sum()
        assert row["fit_seconds"] > 0
        assert row["predict_seconds"] > 0
    assert by_name(results)["Bias"]["params"]["user_damping"] == 1.0
    assert results.protocol == "hold-out, 25 % of the rows, seed 7: 675 train, 225 test rows"


def test_fold_scores_have_mean_std_and_each_fold(ratings: Ratings) -> None:
    results = compare(ratings, "Bias", split=KFold(3, seed=2), metrics=("rmse", "fcp"))
    row = by_name(results)["Bias"]
    errors, fallbacks = [], 0
    for train_rows, test_rows in KFold(3, seed=2).split(ratings):
        model = Bias().fit(ratings[train_rows])
        details = model.predict_details(ratings[test_rows])
        errors.append(rmse(ratings.value[test_rows], details.value))
        fallbacks += np.count_nonzero(details.fallback)
    assert [fold["rmse"] for fold in row["folds"]] == errors
    assert row["rmse"] == pytest.approx(np.mean(errors), rel=1e-12)
    assert row["rmse_std"] == pytest.approx(np.std(errors), rel=1e-12)
    assert row["fallback_rows"] == fallbacks > 0
    assert 0 < row["fcp"] < 1
    assert "mae" not in row
    assert "each of the 900 rows tested once" in results.protocol


def test_folds_is_short_for_a_k_fold_split(ratings: Ratings) -> None:
    short, long = compare(ratings, "Bias", folds=3), compare(ratings, "Bias", split=KFold(3, seed=0))
    assert short.protocol == long.protocol
    assert [row["rmse"] for row in short.rows] == [row["rmse"] for row in long.rows]
    for options in ({"split": KFold(3)}, {"test": ratings}):
        with pytest.raises(InvalidParameterError, match="folds cannot be combined with split or test"):
            compare(ratings, "Bias", folds=3, **options)


def test_test_set_may_be_a_data_frame(ratings: Ratings) -> None:
    train, test = ratings[:700], ratings[700:]
    frame = pl.DataFrame({"user": test.user_ids, "item": test.item_ids, "rating": test.value})
    assert (
        compare(train, "Bias", test=frame).rows[0]["rmse"]
        == compare(train, "Bias", test=test).rows[0]["rmse"]
    )


def test_rows_are_sorted_by_rmse_and_the_best_is_the_first(ratings: Ratings) -> None:
    timed = ratings.replace(timestamp=np.arange(len(ratings)))  # some models need times
    results = compare(timed)
    errors = [row["rmse"] for row in results.rows]
    assert errors == sorted(errors)
    assert {row["model"] for row in results.rows} == set(MODELS)
    assert results.best_row == results.rows[0]
    assert results.baseline_row == by_name(results)["GlobalMean"]


@pytest.mark.parametrize(
    ("split", "words"),
    [
        (LeaveNOut(2, seed=3), "2 ratings of each user who has more held out, seed 3"),
        (ColdUsers(0.25, seed=1), "25 % of the users held out entirely, seed 1"),
        (ColdItems(0.2), "20 % of the items held out entirely, seed 0"),
    ],
)
def test_splits_are_described_and_cold_rows_counted(ratings: Ratings, split: Any, words: str) -> None:
    results = compare(ratings, ["ItemMean"], split=split)
    assert results.protocol.startswith(words)
    if isinstance(split, ColdUsers | ColdItems):
        n_test = len(next(split.split(ratings))[1])
        assert by_name(results)["ItemMean"]["fallback_rows"] >= n_test


def test_split_by_time_and_one_from_scikit_learn(ratings: Ratings) -> None:
    from sklearn.model_selection import ShuffleSplit

    timed = ratings.replace(timestamp=np.arange(len(ratings)))
    assert compare(timed, "Bias", split=TimeSplit(0.1)).protocol.startswith(
        "the latest 10 % of the rows held out"
    )
    results = compare(ratings, "Bias", split=ShuffleSplit(2, test_size=50, random_state=0))
    assert "100 test rows in 2 folds" in results.protocol
    assert len(by_name(results)["Bias"]["folds"]) == 2


def test_external_test_set(ratings: Ratings) -> None:
    train, test = ratings[:700], ratings[700:]
    results = compare(train, "Bias", test=test)
    assert by_name(results)["Bias"]["rmse"] == rmse(test.value, Bias().fit(train).predict(test))
    assert results.protocol == "external test set: 700 train, 200 test rows"
    assert results.dataset["ratings"] == 700


# No leak -------------------------------------------------------------------------------------------------


def test_test_ratings_do_not_change_predictions(ratings: Ratings) -> None:
    def predictions(given: Ratings) -> list[np.ndarray]:
        Recording.seen.clear()
        compare(given, [Recording()], split=HoldOut(0.3, seed=1))
        return list(Recording.seen)

    before = predictions(ratings)
    _, test_rows = next(HoldOut(0.3, seed=1).split(ratings))
    changed = ratings.value.copy()
    changed[test_rows] = -changed[test_rows] + 3
    after = predictions(ratings.replace(value=changed))
    assert len(before) == len(after) == 2
    for old, new in zip(before, after, strict=True):
        np.testing.assert_array_equal(old, new)


def test_models_passed_in_stay_unfitted(ratings: Ratings) -> None:
    model = Bias()
    compare(ratings, [model])
    assert not model.__sklearn_is_fitted__()


# What refuses, and what is refused -----------------------------------------------------------------------


def test_failing_model_becomes_a_row_with_its_error(ratings: Ratings) -> None:
    results = compare(ratings, [Huge(), Timed(), Bias()], metrics=["mae"])
    assert [row["model"] for row in results.rows] == ["Bias", "GlobalMean", "Huge", "Timed"]
    huge, timed = results.rows[2:]
    assert huge["error"]["code"] == "too_large"
    assert huge["error"]["hint"] == "Bias()"
    assert huge["rmse"] is None
    assert huge["mae"] is None
    assert "needs timestamp" in timed["error"]["message"]
    assert "failed: it needs 900 GB" in str(results)
    assert "failed: it needs 900 GB" in results._repr_html_()


def test_model_without_weight_support_fails_alone(ratings: Ratings) -> None:
    @estimator
    class Unweighted(Bias):
        tags: ClassVar[frozenset[str]] = frozenset()

    weighted = ratings.replace(weight=np.ones(len(ratings), np.float32))
    results = compare(weighted, [Unweighted(), Bias()])
    assert results.rows[-1]["error"]["code"] == "not_supported"
    assert results.rows[0]["model"] == "Bias"


def test_no_best_model_if_all_fail(ratings: Ratings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(GlobalMean, "requires", frozenset({"timestamp"}))
    results = compare(ratings, [Huge()])
    assert results.best_row is None
    assert results.headline == "No model was evaluated."
    assert "failed: it needs 900 GB of memory" in str(results)


@pytest.mark.parametrize(
    ("models", "options", "error", "words"),
    [
        (["SVDD"], {}, NotFoundError, 'did you mean "SVD"'),
        ([], {}, InvalidParameterError, "empty"),
        ([Bias], {}, InvalidParameterError, "neither a name nor a model"),
        ([Bias(epochs=0)], {}, InvalidParameterError, "epochs=0"),
        ("Bias", {"metrics": ["rmsee"]}, InvalidParameterError, 'did you mean "rmse"'),
        ("Bias", {"metrics": ["nmae"]}, InvalidParameterError, "needs the scale"),
        ("Bias", {"metrics": ["fcp"], "split": LeaveNOut(1)}, DataError, "FCP needs a user"),
        ("Bias", {"split": 5}, InvalidParameterError, "is not a splitter"),
    ],
)
def test_invalid_arguments_are_named(
    ratings: Ratings, models: Any, options: dict[str, Any], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        compare(ratings, models, **options)


def test_test_set_without_known_ids_raises(ratings: Ratings) -> None:
    strangers = Ratings.from_columns(ratings.user_ids + 10_000, ratings.item_ids + 10_000, ratings.value)
    with pytest.raises(DataError, match="no user and no item"):
        compare(ratings, "Bias", test=strangers)
    texts = Ratings.from_columns(ratings.user_ids.astype(str), ratings.item_ids, ratings.value)
    with pytest.raises(DataError, match="user ids are given as str"):
        compare(ratings, "Bias", test=texts)
    with pytest.raises(InvalidParameterError, match="cannot be combined"):
        compare(ratings, "Bias", test=ratings, split=KFold(2))
    with pytest.raises(DataError, match="the test set is empty"):
        compare(ratings, "Bias", test=ratings[[]])


def test_baseline_is_added_once_and_logged(ratings: Ratings, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "foretaste"):
        assert len(compare(ratings, ["Bias"])) == 2
    assert "GlobalMean added" in caplog.text
    caplog.clear()
    with caplog.at_level(logging.INFO, "foretaste"):
        assert len(compare(ratings, ["Bias", "global_mean"])) == 2
    assert "added" not in caplog.text


def test_nmae_with_a_declared_scale(ratings: Ratings) -> None:
    row = compare(ratings.replace(scale=(-8.0, 8.0)), "Bias", metrics=["nmae", "mae", "r2"]).rows[0]
    assert row["nmae"] == pytest.approx(row["mae"] / 16)
    assert list(row)[4:8] == ["rmse", "nmae", "mae", "r2"]


# Peak memory ---------------------------------------------------------------------------------------------

needs_peak_reset = pytest.mark.skipif(
    run_with_peak(lambda: None)[1] is None,
    reason="the system does not let this process reset its peak memory",
)


@estimator
class Allocating(Bias):
    """Fills 200 MB in every fit and frees them."""

    def _fit(self, train: Ratings, progress: Progress) -> None:
        np.ones(25_000_000).sum()
        super()._fit(train, progress)


def metrics_of(row: dict[str, Any]) -> dict[str, Any]:
    return {
        key: value
        for key, value in row.items()
        if "seconds" not in key and "memory" not in key and key != "folds"
    }


@needs_peak_reset
@pytest.mark.parametrize("is_external", [False, True])
def test_measured_memory_changes_no_score(ratings: Ratings, is_external: bool) -> None:
    train, options = (ratings[:600], {"test": ratings[600:]}) if is_external else (ratings, {"folds": 2})
    plain = compare(train, [Bias(epochs=3), QUICK], **options)
    measured = compare(train, [Bias(epochs=3), QUICK], measure_memory=True, **options)
    for row, measured_row in zip(plain.rows, measured.rows, strict=True):
        assert metrics_of(row) == metrics_of(measured_row)
        assert 0 <= measured_row["peak_memory_mb"] < 100
        assert "peak_memory_mb" not in row
    assert "peak MB" in str(measured)
    assert "peak MB" not in str(plain)


@needs_peak_reset
@pytest.mark.parametrize("models", [[Allocating(), Bias()], [Bias(), Allocating()]])
def test_peak_memory_is_that_of_each_model_in_any_order(ratings: Ratings, models: list[Any]) -> None:
    rows = by_name(compare(ratings, models, folds=2, measure_memory=True))
    assert 190 <= rows["Allocating"]["peak_memory_mb"] - rows["Bias"]["peak_memory_mb"] <= 260


def test_peak_memory_is_absent_where_it_cannot_be_measured(ratings: Ratings) -> None:
    results, _ = run_with_peak(lambda: compare(ratings, ["Bias"], measure_memory=True))  # one at a time
    assert all("peak_memory_mb" not in row for row in results.rows)
    assert "peak MB" not in str(results)
    assert "peak_memory_mb" not in json.dumps(results.to_dict())


def test_failing_model_has_a_row_while_memory_is_measured(ratings: Ratings) -> None:
    weighted = ratings.replace(weight=np.zeros(len(ratings), np.float32))
    results = compare(weighted, ["Bias"], measure_memory=True)
    assert all("all sample weights are 0" in row["error"]["message"] for row in results.rows)


# Interrupted, watched, shown -----------------------------------------------------------------------------


def test_interrupt_keeps_finished_results(ratings: Ratings, capsys: pytest.CaptureFixture[str]) -> None:
    Interrupted.fits.clear()
    models = ["ItemMean", Interrupted(), "Bias"]
    results = compare(ratings, models, split=KFold(3), progress=LineProgress())
    assert [line.split("  ")[0] for line in capsys.readouterr().err.splitlines()] == [
        "GlobalMean",
        "ItemMean",
    ]
    assert results.interrupted
    assert {row["model"] for row in results.rows} == {"GlobalMean", "ItemMean"}
    assert results.notes[-1] == "interrupted: 2 of 4 models evaluated"
    assert results.to_dict()["interrupted"] is True
    assert "interrupted: 2 of 4" in str(results)


def test_progress_prints_one_line_per_model(ratings: Ratings, capsys: pytest.CaptureFixture[str]) -> None:
    compare(ratings, ["Bias", QUICK], progress=LineProgress())
    lines = capsys.readouterr().err.splitlines()
    assert [line.split("  ")[0] for line in lines] == [
        "GlobalMean",
        "Bias",
        "SVD(factors=2, epochs=3)",
        "compare",
    ]
    assert "RMSE" in lines[1]


def test_progress_of_fits_is_shown(ratings: Ratings) -> None:
    class RecordingProgress(Progress):
        def __init__(self) -> None:
            self.tasks: list[tuple[str, int]] = []

        def start_task(self, label: str, total: int) -> Any:
            self.tasks.append((label, total))
            return super().start_task(label, total)

    recording = RecordingProgress()
    compare(ratings, [QUICK], progress=recording, measure_memory=True)
    assert ("compare", 2) in recording.tasks
    assert any(label.startswith("SVD") and total >= 3 for label, total in recording.tasks)


def test_results_repr_has_baseline_and_plan(ratings: Ratings) -> None:
    results = compare(ratings, ["Bias", Bias(user_damping=9.0)], name="tiny")
    text = str(results)
    gain = 100 * (1 - results.rows[0]["rmse"] / results.baseline_row["rmse"])
    assert f"{gain:.3g} % better than always guessing the mean" in text
    assert "protocol: hold-out, 20 % of the rows, seed 0: 720 train, 180 test rows" in text
    assert "data: tiny: 900 ratings, 58 users x 40 items, density 38.8 %" in text
    assert "Bias(user_damping=9.0)" in text
    assert repr(results) == text
    rows = [line for line in text.splitlines() if line.startswith(("Bias", "GlobalMean"))]
    assert len({line.index(".", 24) for line in rows[-3:]}) == 1  # decimal points stand in one line
    assert "<table" in results._repr_html_()
    assert "better than always" in results._repr_html_()


def test_no_better_than_the_mean_is_reported() -> None:
    rng = np.random.default_rng(0)
    user, item = np.divmod(np.arange(400), 20)
    noise = Ratings.from_columns(user, item, rng.normal(size=400))
    results = compare(noise, [ItemMean(), UserMean()])
    assert results.headline.startswith("No model is better than always guessing the mean")


def test_to_dict_round_trips_through_json(ratings: Ratings) -> None:
    data = compare(ratings, [Bias(), Huge()], split=KFold(2)).to_dict()
    assert list(data) == ["dataset", "protocol", "sentences", "results"]
    expected_keys = {
        "model",
        "params",
        "train_rmse",
        "rmse",
        "mae",
        "fit_seconds",
        "predict_seconds",
        "fallback_rows",
    }
    assert all(expected_keys <= set(row) for row in data["results"])
    assert json.loads(json.dumps(data, allow_nan=False)) == data


@pytest.mark.dataset
def test_lecture_baselines() -> None:
    folder = os.environ.get("FORETASTE_DATA")
    if not folder:
        pytest.skip("FORETASTE_DATA is not set; set it to a folder that holds jester2/")
    from foretaste.io import read_ratings

    file = Path(folder) / "jester2" / "jester_ratings_users_1_to_4000.csv.gz"
    results = compare(read_ratings(file, where="userId <= 4000"), split=HoldOut(0.2, seed=42))
    rows = by_name(results)
    expected = {"GlobalMean": (5.75, 5.77), "UserMean": (4.73, 4.90), "ItemMean": (5.50, 5.53)}
    expected |= {"KNNImputation": (0.0, 4.78)}  # three one-rating users are missing, hence the tolerance
    for name, (train, valid) in expected.items():
        assert rows[name]["train_rmse"] == pytest.approx(train, abs=0.02)
        assert rows[name]["rmse"] == pytest.approx(valid, abs=0.02)
    assert rows["SVD"]["rmse"] <= 4.44
    assert results.best_row["rmse"] <= rows["Blend"]["rmse"] <= 4.42
