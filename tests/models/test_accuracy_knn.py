"""Neighbors and Slope One on real ratings, at the defaults; see docs/decisions/0009-neighbors.md.

Folds are those of ``KFold(5, seed=0)``; the reference rows are scikit-surprise's on MovieLens.
"""

from __future__ import annotations

import pytest
from test_accuracy import folds_of, read

from foretaste.models import ItemKNN, SlopeOne, UserKNN

pytestmark = pytest.mark.dataset


@pytest.mark.parametrize(
    ("model", "most"),
    [
        (ItemKNN(), 0.913),
        (UserKNN(), 0.931),  # its KNNBaseline
        (SlopeOne(), 0.946),  # its SlopeOne
    ],
)
def test_knn_rmse_on_movielens_100k_is_bounded(model, most):
    assert folds_of(model, read("ml-100k/u.data", "\t")) <= most


@pytest.mark.nightly
def test_knn_rmse_on_movielens_1m_is_bounded():
    ratings = read("ml-1m/ratings_no_timestamps.dat.gz", ":", columns=(0, 2, 4))
    assert folds_of(ItemKNN(), ratings) <= 0.858
    assert folds_of(UserKNN(), ratings) <= 0.895
    assert folds_of(SlopeOne(), ratings) <= 0.907
