"""GlobalEffects against plain Python, rating by rating."""

from __future__ import annotations

import numpy as np
import pytest
from synthetic import shuffled

from foretaste.metrics.rating import rmse
from foretaste.models import GlobalEffects
from foretaste.models.global_effects import EFFECTS
from foretaste.ratings import Pairs


def with_timestamps(ratings, seed=0):
    rng = np.random.default_rng(seed)
    return ratings.replace(timestamp=rng.integers(0, 400 * 86_400, len(ratings)))


def effects_by_hand(r, user_damping, item_damping, slope_damping):
    """Climb the ladder once, rating by rating and in dictionaries of Python's own numbers."""
    weight = np.ones(len(r)) if r.weight is None else r.weight.astype(float)
    value = r.value.astype(float)
    mean = float(np.average(value, weights=weight))
    of = {"user": r.user.tolist(), "item": r.item.tolist()}
    rows = range(len(r))
    damping = {"user": user_damping, "item": item_damping}
    facts = {}
    for side, codes in of.items():
        for one in set(codes):
            own = [n for n in rows if codes[n] == one]
            count = sum(weight[n] for n in own)
            above = sum(weight[n] * (value[n] - mean) for n in own)
            facts[side, "average", one] = mean + above / (count + damping[side])
            facts[side, "support", one] = count**0.5
            facts[side, "time", one] = min(r.timestamp[n] for n in own)
    left = {n: value[n] - mean for n in rows}
    for step in EFFECTS:
        codes, x = of[step.entity], dict.fromkeys(rows, 1.0)
        if step.statistic != "constant":
            side, what = step.statistic_entity, step.statistic
            for n in rows:
                fact = facts[side, what, of[side][n]]
                x[n] = ((r.timestamp[n] - fact) / 86_400) ** 0.5 if what == "time" else fact
            for one in set(codes):
                own = [n for n in rows if codes[n] == one]
                centre = sum(weight[n] * x[n] for n in own) / sum(weight[n] for n in own)
                x |= {n: x[n] - centre for n in own}
        spread = sum(weight[n] * x[n] ** 2 for n in rows) / sum(weight)
        damped = slope_damping if step.statistic != "constant" else damping[step.entity]
        for one in set(codes):
            own = [n for n in rows if codes[n] == one]
            along = sum(weight[n] * x[n] * left[n] for n in own)
            power = sum(weight[n] * x[n] ** 2 for n in own) + damped * spread
            left |= {n: left[n] - along / power * x[n] for n in own}
    return value - np.array([left[n] for n in rows])


@pytest.mark.parametrize("weighted", [False, True])
def test_one_sweep_equals_sequential_effects_by_hand(ratings, weighted):
    given = with_timestamps(ratings)
    if weighted:
        weight = np.random.default_rng(1).choice([0.5, 1, 3], len(given)).astype(np.float32)
        given = given.replace(weight=weight)
    model = GlobalEffects(sweeps=1, user_damping=3, item_damping=7, slope_damping=11, clip=False).fit(given)
    by_hand = effects_by_hand(given, 3, 7, 11)
    np.testing.assert_allclose(model.predict(given), by_hand, rtol=0, atol=2e-5)


def test_sweeps_converge_to_a_stationary_point(ratings):
    given = with_timestamps(ratings)
    model = GlobalEffects(sweeps=400, user_damping=4, item_damping=6, slope_damping=70, clip=False).fit(given)
    residual = given.value - model.predict(given).astype(np.float64)
    contributions = model.contributions(given)
    for effect in EFFECTS:
        codes = given.axis(effect.entity).codes
        coefficient = model.entity_array(effect.entity, "effect")[:, effect.column].astype(np.float64)
        assert (coefficient != 0).mean() > 0.9  # it is 0 where all ratings have the same x
        part = contributions.values[:, contributions.parts.index(effect.name)].astype(np.float64)
        x = np.divide(part, coefficient[codes], out=np.zeros(len(given)), where=coefficient[codes] != 0)
        pull = np.bincount(codes, x * residual)
        mean_square = model.entity_array(effect.entity, "mean_square")[effect.column]
        damping = 70 if effect.statistic != "constant" else {"user": 4, "item": 6}[effect.entity]
        wanted = damping * mean_square * coefficient
        np.testing.assert_allclose(pull, wanted, rtol=0, atol=2e-3 * mean_square**0.5)


def test_planted_time_drift_is_recovered(ratings):
    given = with_timestamps(ratings)
    first = np.full(len(given.users), 1 << 60)
    np.minimum.at(first, given.user, given.timestamp)
    drift = np.random.default_rng(4).normal(0, 0.6, len(given.users))
    moved = drift[given.user] * np.sqrt((given.timestamp - first[given.user]) / 86_400)
    given = given.replace(value=(given.value + moved).astype(np.float32))
    timed, timeless = GlobalEffects().fit(given), GlobalEffects().fit(given.replace(timestamp=None))
    assert (timed.has_timestamps_, timeless.has_timestamps_) == (1, 0)
    assert rmse(given.value, timed.predict(given)) < 0.9 * rmse(given.value, timeless.predict(given))
    place = next(
        step.column
        for step in EFFECTS
        if (step.statistic, step.statistic_entity, step.entity) == ("time", "user", "user")
    )
    assert np.corrcoef(timed.user_effect_[:, place], drift)[0, 1] > 0.5
    untimed = timed.predict_details(given.replace(timestamp=None))
    assert np.isfinite(untimed.value).all()
    contributions = timed.contributions(Pairs(given.user, given.item))
    time_parts = [place for place, name in enumerate(contributions.parts) if "time" in name]
    assert len(time_parts) == 4
    assert not contributions.values[:, time_parts].any()


def test_folded_in_effects_equal_trained_effects(ratings):
    for given in (ratings, with_timestamps(ratings)):
        model = GlobalEffects(sweeps=300).fit(given)
        folded = model.fold_in(shuffled(given))
        np.testing.assert_allclose(folded.predict(given), model.predict(given), rtol=0, atol=2e-3)
