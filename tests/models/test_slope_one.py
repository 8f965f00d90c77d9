"""SlopeOne against plain numpy."""

from __future__ import annotations

import numpy as np
import pytest

from foretaste._utils import memory
from foretaste.errors import ModelFileError, NotEnoughMemoryError
from foretaste.models import SlopeOne
from foretaste.models.slope_one import slope_one_bytes
from foretaste.ratings import Ratings

SCHEMES = ("weighted", "plain", "bi_polar")


def slope_one_by_hand(ratings, scheme):
    """Return all predictions, shape (users, items), pair of items by pair of items."""
    r = ratings.to_matrix(dtype=np.float64)
    users, items = r.shape
    mean = np.nanmean(r, axis=1)
    there = ~np.isnan(r)
    poles = [there]
    if scheme == "bi_polar":
        liked = r > mean.astype(np.float32)[:, None]
        poles = [there & liked, there & ~liked]
    predicted = np.empty((users, items))
    for u in range(users):
        for i in range(items):
            total = weight = 0.0
            for pole in poles:
                for j in np.flatnonzero(pole[u]):
                    both = pole[:, i] & pole[:, j]
                    if j == i or not both.any():
                        continue
                    deviation, count = np.mean(r[both, i] - r[both, j]), both.sum()
                    total += deviation if scheme == "plain" else count * (deviation + r[u, j])
                    weight += 1 if scheme == "plain" else count
            predicted[u, i] = (
                mean[u] if weight == 0 else total / weight + (mean[u] if scheme == "plain" else 0)
            )
    return predicted


@pytest.mark.parametrize("scheme", SCHEMES)
def test_slope_one_predictions_equal_numpy(ratings, scheme):
    model = SlopeOne(scheme=scheme, clip=False).fit(ratings)
    np.testing.assert_allclose(model.predict_matrix(), slope_one_by_hand(ratings, scheme), rtol=0, atol=1e-4)


def test_prediction_equals_the_example_of_lemire_and_maclachlan():
    """User A gave item I 1 and item J 1.5; B gave I 2: J gets 2 + (1.5 - 1)."""
    ratings = Ratings.from_columns(["A", "A", "B"], ["I", "J", "I"], [1, 1.5, 2], scale=(0, 5))
    for scheme in ("weighted", "plain"):
        assert SlopeOne(scheme=scheme).fit(ratings).predict([("B", "J")]) == pytest.approx([2.5])


@pytest.mark.parametrize("scheme", SCHEMES)
def test_user_without_a_common_item_gets_the_user_mean(scheme):
    ratings = Ratings.from_columns([1, 1, 2], [1, 2, 3], [4, 2, 1])
    details = SlopeOne(scheme=scheme).fit(ratings).predict_details([(2, 1), (1, 3), (9, 1), (1, 9), (9, 9)])
    np.testing.assert_allclose(details.value, [1, 3, 4, 3, 7 / 3], rtol=1e-6)
    assert details.fallback.tolist() == [0, 0, 1, 2, 3]


def test_fold_in_ignores_weights(ratings, other_ratings):
    model = SlopeOne().fit(ratings)
    weighted = other_ratings.replace(weight=np.zeros(len(other_ratings), np.float32))
    np.testing.assert_array_equal(
        model.fold_in(weighted).predict_matrix(), model.fold_in(other_ratings).predict_matrix()
    )


@pytest.mark.parametrize("scheme", SCHEMES)
def test_items_beyond_memory_raise(ratings, scheme, monkeypatch):
    monkeypatch.setattr(memory, "available_bytes", lambda: 40_000)
    with pytest.raises(NotEnoughMemoryError, match=r"SlopeOne of 40 x 40 items needs .* of memory") as caught:
        SlopeOne(scheme=scheme).fit(ratings)
    assert "ItemKNN()" in caught.value.hint


def test_memory_estimate_equals_the_fitted_size(ratings):
    for scheme, poles in (("weighted", 1), ("bi_polar", 2)):
        model = SlopeOne(scheme=scheme).fit(ratings)
        kept = model.difference_.nbytes + model.common_.nbytes
        assert kept == slope_one_bytes(len(ratings.items), 0, poles) == 8 * poles * 40 * 40


def test_invalid_state_in_a_file_raises(ratings):
    state = SlopeOne().fit(ratings).get_state()
    for changes in (
        {"rated_": state["rated_"] + np.int32(1000)},
        {"rated_start_": state["rated_start_"][::-1].copy()},
        {"common_": -state["common_"] - np.int32(1)},
    ):
        with pytest.raises(ModelFileError, match="the lists of rated items in the file are malformed"):
            SlopeOne().set_state(state | changes)
    with pytest.raises(ModelFileError, match="'bi_polar' has 2 tables"):
        SlopeOne(scheme="bi_polar").set_state(state)
