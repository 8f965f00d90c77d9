"""Accuracy: scikit-surprise's numbers, what it prints, and refusals that say the row."""

from __future__ import annotations

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
def test_the_numbers_are_those_of_the_peer(peer, name, found):
    try:
        wanted = getattr(peer.accuracy, name)(as_predictions(peer.Prediction, found), verbose=False)
    except ValueError:
        with pytest.raises(ValueError, match="cannot compute fcp"):
            getattr(accuracy, name)(as_predictions(Prediction, found), verbose=False)
        return
    assert getattr(accuracy, name)(as_predictions(Prediction, found), verbose=False) == pytest.approx(
        wanted, rel=1e-12, abs=1e-300
    )


def test_fcp_of_a_user_with_many_ratings_needs_little_memory(monkeypatch):
    rng = np.random.RandomState(0)
    found = as_predictions(Prediction, [(0, row, rng.rand(), rng.rand()) for row in range(50)])
    whole = accuracy.fcp(found, verbose=False)
    monkeypatch.setattr(accuracy, "_CELLS", 120)
    assert accuracy.fcp(found, verbose=False) == whole


@pytest.mark.peer
@pytest.mark.parametrize("name", MEASURES)
def test_what_is_printed_is_what_the_peer_prints(peer, name, capsys):
    found = [(0, 1, 3.0, 3.5), (0, 2, 4.0, 3.75), (1, 1, 2.0, 2.125), (1, 3, 5.0, 1.0)]
    getattr(peer.accuracy, name)(as_predictions(peer.Prediction, found))
    wanted = capsys.readouterr().out
    getattr(accuracy, name)(as_predictions(Prediction, found))
    assert capsys.readouterr().out == wanted
    getattr(accuracy, name)(as_predictions(Prediction, found), verbose=False)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("name", MEASURES)
def test_what_cannot_be_judged_is_refused(name):
    measure = getattr(accuracy, name)
    with pytest.raises(ValueError, match=r"Prediction list is empty\."):
        measure([])
    with pytest.raises(ValueError, match="no true rating") as caught:
        measure([Prediction("a", "b", 1.0, 2.0, {}), Prediction("a", "b", None, 2.0, {})])
    assert "row 1" in caught.value.where
