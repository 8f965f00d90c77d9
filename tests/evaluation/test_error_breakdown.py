"""Error breakdown: every row is in one bin of each part, and bins equal those counted by hand."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from foretaste.errors import DataError, NotFoundError
from foretaste.evaluation import breakdown, compare
from foretaste.evaluation.error_breakdown import SUPPORT_EDGES
from foretaste.evaluation.plan import make_plan
from foretaste.evaluation.results import PredictionStore
from foretaste.metrics.rating import mae, rmse
from foretaste.models import Bias, ItemMean
from foretaste.ratings import Ratings
from foretaste.splits import HoldOut, KFold


@pytest.fixture(scope="module")
def parts(larger_ratings: Ratings) -> tuple[Ratings, Ratings, np.ndarray]:
    timed = larger_ratings.replace(
        timestamp=np.random.default_rng(0).integers(10**9, 10**9 + 10**8, len(larger_ratings))
    )
    train_rows, test_rows = next(HoldOut(0.3, seed=5).split(timed))
    train, test = timed[train_rows], timed[test_rows]
    return train, test, Bias().fit(train).predict(test)


def test_every_row_is_in_one_bin_of_each_part_and_no_error_is_lost(parts) -> None:
    train, test, predicted = parts
    found = breakdown(test, predicted, train)
    assert list(found.parts) == ["user_support", "item_support", "rating", "time", "prediction"]
    assert found.rows == len(test)
    assert found.rmse == pytest.approx(rmse(test.value, predicted))
    for bins in found.parts.values():
        rows = np.array([one["rows"] for one in bins])
        assert rows.sum() == len(test)
        assert (rows > 0).all()
        for name, overall in (("mae", mae(test.value, predicted)), ("mean_rating", test.value.mean())):
            assert rows @ [one[name] for one in bins] / len(test) == pytest.approx(overall, rel=1e-5)
        squares = rows @ [one["rmse"] ** 2 for one in bins]
        assert squares / len(test) == pytest.approx(rmse(test.value, predicted) ** 2)


@pytest.mark.parametrize("side", ["user", "item"])
def test_support_is_the_number_of_training_ratings(parts, side: str) -> None:
    train, test, predicted = parts
    ids, known = getattr(test, f"{side}_ids"), getattr(train, f"{side}_ids")
    support = np.array([np.count_nonzero(known == one) for one in ids])
    bins = breakdown(test, predicted, train).parts[f"{side}_support"]
    for one in bins:
        after = one["high"] + 1 if one["high"] is not None else np.inf
        rows = (support >= one["low"]) & (support < after)
        assert one["low"] in SUPPORT_EDGES
        assert one["rows"] == rows.sum()
        assert one["rmse"] == pytest.approx(rmse(test.value[rows], predicted[rows]))
        assert one["mean_prediction"] == pytest.approx(predicted[rows].mean(), rel=1e-4)


def test_cold_users_and_items_are_bin_0(parts) -> None:
    train, test, predicted = parts
    some = train.where("user > 200 and item > 50")
    found = breakdown(test, predicted, some)
    for side in ("user", "item"):
        new = ~np.isin(getattr(test, f"{side}_ids"), getattr(some, f"{side}_ids"))
        cold = found.parts[f"{side}_support"][0]
        assert (cold["bin"], cold["rows"]) == ("0 (cold)", new.sum())


@given(st.lists(st.tuples(st.integers(0, 40), st.integers(1, 5)), min_size=1, max_size=60))
def test_few_values_are_bins_and_ties_are_not_split(cells) -> None:
    items = np.arange(len(cells))
    predicted = np.array([cell for cell, _ in cells], float)
    test = Ratings.from_columns(np.zeros(len(cells), int), items, [value for _, value in cells])
    found = breakdown(test, predicted, test)
    values, counts = np.unique(test.value, return_counts=True)
    assert [(one["low"], one["rows"]) for one in found.parts["rating"]] == list(
        zip(values, counts, strict=True)
    )
    assert [one["bin"] for one in found.parts["rating"]] == [f"{value:g}" for value in values]
    assert "time" not in found.parts
    bins = found.parts["prediction"]
    assert sum(one["rows"] for one in bins) == len(cells)
    for one in bins:
        last = one is bins[-1]
        inside = (predicted >= one["low"]) & (
            (predicted <= one["high"]) if last else (predicted < one["high"])
        )
        assert one["rows"] == inside.sum()


def test_calibration_shows_overconfident_predictions(parts) -> None:
    train, test, predicted = parts
    bold = predicted.mean() + 2 * (predicted - predicted.mean())

    def tilt(values: np.ndarray) -> float:
        bins = breakdown(test, values, train).parts["prediction"]
        assert len(bins) == 10
        overconfidence = [one["mean_prediction"] - one["mean_rating"] for one in bins]
        return overconfidence[-1] - overconfidence[0]

    assert abs(tilt(predicted)) < 1
    assert tilt(bold) > 3


def test_time_periods_are_ordered_and_dated(parts) -> None:
    train, test, predicted = parts
    bins = breakdown(test, predicted, train).parts["time"]
    assert len(bins) == 8
    assert bins[0]["low"] == test.timestamp.min()
    assert bins[-1]["high"] == test.timestamp.max()
    assert bins[0]["bin"].startswith("2001-09-09 to ")
    assert max(one["rows"] for one in bins) - min(one["rows"] for one in bins) <= 2


def test_mismatched_arguments_raise(parts) -> None:
    train, test, predicted = parts
    for wrong in (predicted[1:], predicted * np.nan, predicted[:, None]):
        with pytest.raises(DataError, match="one finite number for each"):
            breakdown(test, wrong, train)
    with pytest.raises(DataError, match="the test set is empty"):
        breakdown(test[[]], [], train)


# Of a comparison -----------------------------------------------------------------------------------------


def test_results_break_down_the_best_or_a_named_model(ratings: Ratings) -> None:
    split = HoldOut(0.3, seed=2)
    results = compare(ratings, ["Bias", ItemMean(clip=False)], split=split)
    train_rows, test_rows = next(split.split(ratings))
    train, test = ratings[train_rows], ratings[test_rows]
    for model, name in ((Bias(), None), (ItemMean(clip=False), "ItemMean(clip=False)")):
        expected = breakdown(test, model.fit(train).predict(test), train)
        found = results.breakdown(name)
        assert found.parts == expected.parts
        assert found.model == (name or "Bias")
    with pytest.raises(NotFoundError, match='no model "Bais" was evaluated; did you mean "Bias"'):
        results.breakdown("Bais")


def test_support_counts_are_per_fold(ratings: Ratings) -> None:
    results = compare(ratings, ["Bias"], split=KFold(3, seed=1))
    support = []
    for train_rows, test_rows in KFold(3, seed=1).split(ratings):
        train, test = ratings.user_ids[train_rows], ratings.user_ids[test_rows]
        support += [np.count_nonzero(train == user) for user in test]
    found = results.breakdown()
    assert found.rows == len(ratings)
    for one in found.parts["user_support"]:
        high = np.inf if one["high"] is None else one["high"]
        assert one["rows"] == sum(one["low"] <= n <= high for n in support)


def test_breakdown_with_separate_train_and_test(ratings: Ratings) -> None:
    train, test = ratings[:600], ratings[600:]
    found = compare(train, ["Bias"], test=test).breakdown()
    assert found.parts == breakdown(test, Bias().fit(train).predict(test), train).parts


def test_predictions_of_the_worst_models_are_evicted_first(ratings: Ratings) -> None:
    protocol = make_plan(ratings, HoldOut(0.2), None)
    rows = len(protocol.test_users(0))
    store = PredictionStore(protocol, max_bytes=2 * 4 * rows)
    values = np.zeros(rows, np.float32)
    for name, error in (("A()", 3.0), ("B()", 1.0), ("C()", 2.0)):
        store.add(name, error, [values])
    assert set(store.predictions) == {"B()", "C()"}
    assert store.nbytes == 8 * rows
    with pytest.raises(NotFoundError, match="predictions of A were dropped"):
        store.breakdown("A()", "A")
    tight = PredictionStore(protocol, max_bytes=1)
    for name, error in (("A()", 1.0), ("B()", 2.0)):
        tight.add(name, error, [values])
    assert set(tight.predictions) == {"A()"}  # the best is always there


def test_text_html_dict_and_frame_output(parts) -> None:
    train, test, predicted = parts
    found = breakdown(test, predicted, train, model="Bias")
    text = str(found)
    assert text.startswith(f"Where Bias errs: {len(test):,} test rows, RMSE {found.rmse:.4g} over all")
    for words in ("training ratings of the user", "training ratings of the item", "mean prediction"):
        assert words in text
        assert words in found._repr_html_()
    assert repr(found) == text
    data = found.to_dict()
    assert json.loads(json.dumps(data, allow_nan=False)) == data
    frame = found.to_frame()
    assert len(frame) == sum(len(bins) for bins in found.parts.values())
    assert frame["rows"].sum() == 5 * len(test)
