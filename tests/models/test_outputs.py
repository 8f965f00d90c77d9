"""What models return: predictions with their bounds, and encoded pairs."""

from __future__ import annotations

import numpy as np
import pytest

from foretaste.models import Bias, Fallback, Prediction
from foretaste.params import estimator
from foretaste.ratings import Pairs

VALUE = np.array([0.5, 3.0, 5.5, 4.0], np.float32)
PREDICTION = Prediction(
    VALUE,
    np.array([0, 1, 2, 3], np.int8),
    np.array([0.1, 0.2, 0.3, 0.4], np.float32),
    VALUE - np.float32(1),
    VALUE + np.float32(1),
)


@estimator
class WithInterval(Bias):
    def _predict(self, pairs):
        found = super()._predict(pairs)
        unit = np.float32(2)
        return Prediction(found.value, found.fallback, None, found.value - unit, found.value + unit)


def test_fallback_says_which_of_the_two_is_unknown():
    assert Fallback.USER | Fallback.ITEM is Fallback.BOTH
    assert [Fallback(int(code)) for code in PREDICTION.fallback] == [
        Fallback.NONE, Fallback.USER, Fallback.ITEM, Fallback.BOTH,
    ]  # fmt: skip


@pytest.mark.parametrize("rows", [slice(1, 3), np.array([False, True, True, False]), [1, 2]], ids=str)
def test_slicing_keeps_every_column(rows):
    part = PREDICTION[rows]
    assert len(part) == 2
    for name in ("value", "fallback", "std", "lower", "upper"):
        np.testing.assert_array_equal(getattr(part, name), getattr(PREDICTION, name)[1:3])
    bare = Prediction(VALUE, np.zeros(4, np.int8))[rows]
    assert (bare.std, bare.lower, bare.upper) == (None, None, None)


def test_clipping_keeps_bounds_and_standard_deviation():
    clipped = PREDICTION.clip(1.0, 5.0)
    np.testing.assert_array_equal(clipped.value, [1, 3, 5, 4])
    np.testing.assert_array_equal(clipped.lower, [1, 2, 4.5, 3])
    np.testing.assert_array_equal(clipped.upper, [1.5, 4, 5, 5])
    assert clipped.std is PREDICTION.std
    assert clipped.fallback is PREDICTION.fallback
    assert all(column.dtype == np.float32 for column in (clipped.value, clipped.lower, clipped.upper))
    assert Prediction(VALUE, PREDICTION.fallback).clip(1, 5).lower is None


def test_bounds_reach_the_caller_clipped_to_the_scale(ratings):
    model = WithInterval().fit(ratings)
    found = model.predict_details(ratings)
    for bound, step in ((found.lower, -2), (found.upper, 2)):
        raw = model.predict_encoded(ratings, clip=False).value + np.float32(step)
        np.testing.assert_array_equal(bound, raw.clip(np.float32(model.low_), np.float32(model.high_)))


def test_predict_encoded_equals_predict(ratings):
    model = Bias().fit(ratings)
    pairs = Pairs(ratings.user, ratings.item)
    np.testing.assert_array_equal(model.predict_encoded(pairs).value, model.predict(ratings))
    unclipped = model.predict_encoded(pairs, clip=False).value
    model.high_ = 1.0
    assert (
        model.predict_encoded(pairs).value.max() == 1.0 < model.predict_encoded(pairs, clip=False).value.max()
    )
    np.testing.assert_array_equal(Bias(clip=False).fit(ratings).predict_encoded(pairs).value, unclipped)
