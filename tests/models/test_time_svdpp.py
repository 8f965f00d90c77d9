"""timeSVD++: sessions, bins and drift are recovered, and unknown times give averages."""

from __future__ import annotations

import numpy as np
import pytest

from foretaste.errors import DataError, InvalidParameterError, ModelFileError, NotEnoughMemoryError
from foretaste.metrics.rating import rmse
from foretaste.models import SVDpp, TimeSVDpp
from foretaste.models.time_svdpp import (
    compute_drift,
    index_sessions,
    lookup_sessions,
    session_number,
    time_bin,
)
from foretaste.ratings import Pairs, Ratings
from foretaste.splits import HoldOut

DAY = 86_400
SMALL = {"factors": 4, "epochs": 20}
OFF = {"session_hours": 0.0, "bins": 0, "drift": "none"}


def planted_in_time(kind, seed=0, users=120, items=40, each=30):
    """Ratings whose only pattern beside biases is one of time."""
    rng = np.random.default_rng(seed)
    user = np.repeat(np.arange(users), each)
    item = np.concatenate([rng.choice(items, each, replace=False) for _ in range(users)])
    when = rng.integers(0, 1000 * DAY, len(user))
    value = rng.normal(size=users)[user] + rng.normal(size=items)[item] + 0.2 * rng.normal(size=len(user))
    if kind == "sessions":
        sitting = rng.integers(0, 4, len(user))
        when = sitting * 100 * DAY + user * 3600 + rng.integers(0, 1800, len(user))
        value += 2 * rng.normal(size=(users, 4))[user, sitting]
    if kind == "bins":
        value += 2 * rng.normal(size=(items, 5))[item, when * 5 // (1000 * DAY)]
    if kind == "drift":
        value += 3 * rng.normal(size=users)[user] * (when / (500 * DAY) - 1)
    if kind == "taste":
        kinds = rng.normal(size=items)
        value += 3 * rng.normal(size=users)[user] * kinds[item] * np.sign(when / (500 * DAY) - 1)
    return Ratings.from_columns(user, item, value, timestamp=when + 1_000_000_000)


@pytest.mark.parametrize(
    ("kind", "settings"),
    [
        ("sessions", {"session_hours": 24.0, "session_damping": 1.0}),
        ("bins", {"bins": 5, "bin_damping": 2.0}),
        ("drift", {"drift": "bias", "drift_damping": 1.0, "drift_exponent": 1.0}),
        ("taste", {"drift": "factors", "drift_damping": 1.0, "init_std": 0.1, "epochs": 60}),
    ],
)
def test_planted_pattern_is_fitted_by_its_component_alone(kind, settings):
    ratings = planted_in_time(kind)
    ((train_rows, test_rows),) = HoldOut(0.2).split(ratings)
    train, test = ratings[train_rows], ratings[test_rows]
    basis = SMALL | OFF | {key: settings[key] for key in ("initial_std", "epochs") if key in settings}
    timeless = SVDpp(**{key: value for key, value in basis.items() if key not in OFF}).fit(train)
    error = rmse(test.value, timeless.predict(test))
    found = TimeSVDpp(**(basis | settings)).fit(train)
    in_time, timeless_too = found.predict(test), found.predict(test.replace(timestamp=None))
    assert rmse(test.value, in_time) < 0.85 * min(error, rmse(test.value, timeless_too))
    without = TimeSVDpp(**basis).fit(train)
    assert np.array_equal(without.predict(test), timeless.predict(test))  # nothing of time left: SVD++


def test_missing_timestamp_gives_the_user_average():
    """By biases alone, so that an item's and a user's part are identifiable."""
    ratings = planted_in_time("sessions")
    settings = {"init_std": 0.0, "clip": False, "factors": 1, "epochs": 20, "bins": 0}
    for parts in ({"drift": "none"}, {"drift": "bias", "session_hours": 0.0}, {"drift": "factors"}):
        model = TimeSVDpp(**(settings | parts)).fit(ratings)
        in_time, timeless = model.predict(ratings), model.predict(ratings.replace(timestamp=None))
        assert np.abs(in_time - timeless).max() > 0.05
        mean = np.bincount(ratings.user, in_time - timeless) / np.bincount(ratings.user)
        np.testing.assert_allclose(mean, 0, atol=1e-5)
    bins = TimeSVDpp(**(settings | {"bins": 7, "drift": "none", "session_hours": 0.0})).fit(ratings)
    in_time, timeless = bins.predict(ratings), bins.predict(ratings.replace(timestamp=None))
    assert np.abs(in_time - timeless).max() > 0.05
    mean = np.bincount(ratings.item, in_time - timeless) / np.bincount(ratings.item)
    np.testing.assert_allclose(mean, 0, atol=1e-5)


def test_unknown_session_or_bin_gives_the_average():
    ratings = planted_in_time("sessions")
    model = TimeSVDpp(**(SMALL | OFF | {"session_hours": 24.0}), clip=False).fit(ratings)
    asked = ratings.replace(timestamp=ratings.timestamp + 50 * DAY)  # between the sittings
    np.testing.assert_array_equal(model.predict(asked), model.predict(asked.replace(timestamp=None)))
    one_item = Ratings.from_columns([1, 2, 3, 1], [7, 7, 7, 8], [1, 2, 3, 4], timestamp=[0, 10, 90, 100])
    binned = TimeSVDpp(**(SMALL | OFF | {"bins": 4}), clip=False).fit(one_item)
    assert np.flatnonzero(binned.bin_bias_[0]).tolist() == [0, 3]
    when = np.array([60], np.int64)
    pair = Pairs(np.array([0], np.int32), np.array([0], np.int32))
    unseen = binned.predict_encoded(Pairs(pair.user, pair.item, when)).value
    assert unseen == binned.predict_encoded(pair).value


def test_timestamps_outside_training_are_clamped():
    ratings = planted_in_time("drift")
    model = TimeSVDpp(**(SMALL | OFF | {"drift": "bias", "bins": 5}), clip=False).fit(ratings)
    last = np.full(len(ratings.users), -1)
    np.maximum.at(last, ratings.user, ratings.timestamp)
    latest = int(last.max())
    at_end, later = (
        ratings.replace(timestamp=last[ratings.user]),
        ratings.replace(timestamp=last[ratings.user] + 1),
    )
    is_early = later.timestamp < latest - 300 * DAY
    np.testing.assert_array_equal(model.predict(later)[is_early], model.predict(at_end)[is_early])
    far, farther = ratings.replace(timestamp=np.full_like(last[ratings.user], latest)), latest + 10_000 * DAY
    np.testing.assert_array_equal(
        model.predict(far), model.predict(far.replace(timestamp=np.full_like(far.timestamp, farther)))
    )


def test_unknown_user_gets_item_time_effects_only(ratings):
    timed = ratings.replace(timestamp=np.arange(len(ratings), dtype=np.int64) * 3600)
    model = TimeSVDpp(**SMALL, clip=False, drift="factors").fit(timed)
    when = np.array([0, 400 * 3600], np.int64)
    nobody, item = np.array([-1, -1], np.int32), np.array([3, 3], np.int32)
    found = model.predict_encoded(Pairs(nobody, item, when)).value
    bins = time_bin(when.astype(float), model.first_, model.last_, model.bins)
    wanted = model.mean_ + model.std_ * (model.item_bias_[3] + model.bin_bias_[3, bins])
    np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-5)
    both = model.predict_encoded(Pairs(nobody, nobody, when)).value
    np.testing.assert_allclose(both, model.mean_, rtol=0, atol=1e-6)


def test_contributions_have_a_time_part(ratings):
    timed = ratings.replace(timestamp=np.arange(len(ratings), dtype=np.int64) * 3600)
    model = TimeSVDpp(**SMALL, clip=False, drift="factors").fit(timed)
    user = np.r_[timed.user, -1, 0, -1].astype(np.int32)
    item = np.r_[timed.item, 0, -1, -1].astype(np.int32)
    pairs = Pairs(user, item, np.r_[timed.timestamp, 0, 0, 0])
    contributions = model.contributions(pairs)
    assert contributions.parts == ("mean", "user", "item", "taste", "time")
    assert np.abs(contributions.values[:, 4]).max() > 0.01
    np.testing.assert_allclose(
        contributions.values.sum(axis=1), model.predict_encoded(pairs).value, rtol=0, atol=2e-5
    )


def test_missing_timestamps_raise(ratings):
    with pytest.raises(DataError, match="TimeSVDpp needs timestamp, and the ratings have none") as refused:
        TimeSVDpp(**SMALL).fit(ratings)
    assert refused.value.hint == "name its column when reading: timestamp=..."


def test_predictions_are_independent_of_the_time_unit():
    """Drift and bins follow the span of the ratings: years or minutes, from 1970 or from 2020."""
    ratings = planted_in_time("drift")
    other = ratings.replace(timestamp=(ratings.timestamp - 1_000_000_000) // 60)
    settings = SMALL | {"session_hours": 0.0, "clip": False}
    here = TimeSVDpp(**settings).fit(ratings).predict(ratings)
    there = TimeSVDpp(**settings).fit(other).predict(other)
    np.testing.assert_allclose(here, there, rtol=0, atol=2e-3)


def test_weight_zero_rows_have_no_time_effect():
    ratings = planted_in_time("sessions")
    weight = np.ones(len(ratings), np.float32)
    weight[::7] = 0
    model = TimeSVDpp(**SMALL, drift="factors", session_hours=24.0, clip=False).fit(
        ratings.replace(weight=weight)
    )
    other = ratings.value.copy()
    other[::7] = -50
    changed = ratings.replace(weight=weight, value=other)
    again = TimeSVDpp(**SMALL, drift="factors", session_hours=24.0, clip=False).fit(changed)
    np.testing.assert_array_equal(model.predict(ratings), again.predict(ratings))


def test_new_users_have_neither_sessions_nor_drift(ratings, other_ratings):
    timed = ratings.replace(timestamp=np.arange(len(ratings), dtype=np.int64) * 3600)
    new = other_ratings.replace(timestamp=np.arange(len(other_ratings), dtype=np.int64) * 3600)
    model = TimeSVDpp(**SMALL, drift="factors", clip=False).fit(timed)
    folded = model.fold_in(new)
    assert folded.users_ is new.users
    assert folded.set_state(folded.get_state()) is folded
    known = np.flatnonzero(folded.items_.indices_of(new.items.ids)[new.item] >= 0)
    part = new.replace(**{c: getattr(new, c)[known] for c in ("user", "item", "value", "timestamp")})
    item = folded.items_.indices_of(new.items.ids)[part.item]
    strangers = Pairs(np.full(len(part), -1, np.int32), item, part.timestamp)
    as_strangers = model.predict_encoded(strangers).value
    assert rmse(part.value, folded.predict(part)) < 0.9 * rmse(part.value, as_strangers)
    # only the items' bins change with time
    bins = time_bin(part.timestamp.astype(float), model.first_, model.last_, model.bins)
    gap = folded.predict(part) - folded.predict(part.replace(timestamp=None))
    np.testing.assert_allclose(gap, model.std_ * model.bin_bias_[item, bins], rtol=0, atol=1e-4)
    # and new users are folded in from the ratings less their bins
    timeless = model.fold_in(new.replace(timestamp=None))
    assert not np.array_equal(timeless.user_bias_, folded.user_bias_)


def test_too_many_bins_raise(ratings, monkeypatch):
    timed = ratings.replace(timestamp=np.zeros(len(ratings), np.int64))
    monkeypatch.setattr("foretaste._utils.memory.available_bytes", lambda: 1_000_000)
    with pytest.raises(NotEnoughMemoryError, match="5000 bins of 40 items") as refused:
        TimeSVDpp(bins=5000).fit(timed)
    assert refused.value.hint == "bins=500"
    monkeypatch.setattr("foretaste._utils.memory.available_bytes", lambda: None)
    item = np.arange(300_000)
    many = Ratings.from_columns(item % 9, item, item % 5, timestamp=item)
    with pytest.raises(InvalidParameterError, match="bins=10000 for 300000 items") as refused:
        TimeSVDpp(bins=10_000).fit(many)
    assert refused.value.hint == "bins=1000"


def test_identical_timestamps_give_no_drift(ratings):
    timed = ratings.replace(timestamp=np.full(len(ratings), 5, np.int64))
    model = TimeSVDpp(**SMALL, drift="factors").fit(timed)
    assert np.isfinite(model.predict(timed)).all()
    assert not model.drift_bias_.any()


def test_malformed_drift_in_a_file_raises(ratings):
    timed = ratings.replace(timestamp=np.arange(len(ratings), dtype=np.int64))
    model = TimeSVDpp(**SMALL, drift="factors").fit(timed)
    state = model.get_state()
    for width in (0, 3, 5):
        bad = state | {"drift_factors_": np.zeros((len(model.users_), width), np.float32)}
        with pytest.raises(ModelFileError, match="do not fit drift='factors'"):
            TimeSVDpp(**SMALL, drift="factors").set_state(bad)
    with pytest.raises(ModelFileError, match="do not fit drift='bias'"):
        TimeSVDpp(**SMALL).set_state(state)


# The parts -----------------------------------------------------------------------------------------


def test_sessions_are_user_time_intervals():
    user = np.array([0, 0, 1, 0, 1], np.int32)
    when = np.array([-1, 0, 3599, 3601, 7300], np.float64)
    number = session_number(when, 1.0)
    assert number.tolist() == [-1, 0, 0, 1, 2]
    numbers, keys, session = index_sessions(user, number)
    assert numbers.tolist() == [-1, 0, 1, 2]
    assert session.tolist() == [0, 1, 3, 2, 4]
    assert lookup_sessions(user, number, numbers, keys).tolist() == session.tolist()
    nowhere = np.array([1, 1, 0, 0, 1], np.int32), np.array([-1, 1, 2, 99, -99])
    assert lookup_sessions(*nowhere, numbers, keys).tolist() == [-1] * 5
    assert lookup_sessions(user, number, numbers[:0], keys[:0]).tolist() == [-1] * 5
    assert session_number(np.array([0.5, 1.5]), 1e-300).tolist() == [0, 1]  # at least a second


def test_bins_are_equal_and_open_ended():
    when = np.array([-50, 0, 24, 26, 99, 100, 500], np.float64)
    assert time_bin(when, 0.0, 100.0, 4).tolist() == [0, 0, 0, 1, 3, 3, 3]
    assert time_bin(when, 0.0, 0.0, 1).tolist() == [0] * 7


def test_drift_is_the_signed_power_of_the_time_gap():
    moved = compute_drift(np.array([0.0, 50, 75, 100]), np.full(4, 50.0), 100.0, 0.5)
    np.testing.assert_allclose(moved, [-np.sqrt(0.5), 0, 0.5, np.sqrt(0.5)], rtol=1e-6)
