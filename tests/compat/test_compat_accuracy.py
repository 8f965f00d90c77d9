"""Accuracy: scikit-surprise's numbers and output, and errors that name the row."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from foretaste.compat.surprise import Prediction, accuracy

MEASURES = ("rmse", "mse", "mae", "fcp")
ratings = st.floats(-10, 10).map(lambda value: round(value, 1))
rows = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 9), ratings, ratings), min_size=1, max_size=40)


def as_predictions(kind, found):
    return [kind(f"u{user}", item, true, estimate, {}) for user, item, true, estimate in found]


@pytest.mark.peer
@pytest.mark.parametrize("name", MEASURES)
@given(rows)
def test_metrics_equal_the_peer(peer, name, found):
    try:
        wanted = getattr(peer.accuracy, name)(as_predictions(peer.Prediction, found), verbose=False)
    except ValueError:
        with pytest.raises(ValueError, match="cannot compute fcp"):
            getattr(accuracy, name)(as_predictions(Prediction, found), verbose=False)
        return
    assert getattr(accuracy, name)(as_predictions(Prediction, found), verbose=False) == pytest.approx(
        wanted, rel=1e-12, abs=1e-300
    )


def test_fcp_of_a_long_user_needs_little_memory():
    rng = np.random.RandomState(0)
    true, guess = rng.rand(2, 6000)
    found = as_predictions(
        Prediction, zip([0] * 6000, range(6000), true.tolist(), guess.tolist(), strict=True)
    )
    tracemalloc.start()
    whole = accuracy.fcp(found, verbose=False)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 10_000_000  # 36 million pairs
    assert whole == np.mean(np.concatenate([guess[k] > guess[true < true[k]] for k in range(6000)]))


@pytest.mark.peer
def test_fcp_with_nan_predictions_equals_the_peer(peer):
    rows = [(0, 1, 3.0, np.nan), (0, 2, 4.0, 3.5), (0, 3, 5.0, 4.5), (1, 1, 2.0, 2.5), (1, 2, 1.0, 2.5)]
    wanted = peer.accuracy.fcp(as_predictions(peer.Prediction, rows), verbose=False)
    assert accuracy.fcp(as_predictions(Prediction, rows), verbose=False) == wanted


@pytest.mark.peer
@pytest.mark.parametrize("name", MEASURES)
def test_printed_output_equals_the_peer(peer, name, capsys):
    found = [(0, 1, 3.0, 3.5), (0, 2, 4.0, 3.75), (1, 1, 2.0, 2.125), (1, 3, 5.0, 1.0)]
    getattr(peer.accuracy, name)(as_predictions(peer.Prediction, found))
    wanted = capsys.readouterr().out
    getattr(accuracy, name)(as_predictions(Prediction, found))
    assert capsys.readouterr().out == wanted
    getattr(accuracy, name)(as_predictions(Prediction, found), verbose=False)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("name", MEASURES)
def test_invalid_predictions_raise(name):
    measure = getattr(accuracy, name)
    with pytest.raises(ValueError, match=r"Prediction list is empty\."):
        measure([])
    with pytest.raises(ValueError, match="no true rating") as caught:
        measure([Prediction("a", "b", 1.0, 2.0, {}), Prediction("a", "b", None, 2.0, {})])
    assert "row 1" in caught.value.where
