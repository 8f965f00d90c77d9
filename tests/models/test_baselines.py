"""Popularity: ranks by the number of ratings or the mean."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from foretaste.models import ItemMean, Popularity


def test_popularity_ranks_by_rating_count(ratings):
    count = np.bincount(ratings.item)
    for value in (ratings.value, -ratings.value, count[ratings.item], -count[ratings.item].astype(float)):
        given = ratings.replace(value=value.astype(np.float32))
        predicted = Popularity().fit(given).predict_matrix()
        assert (predicted == predicted[0]).all()
        for one, other in itertools.pairwise(np.argsort(count, kind="stable")):
            assert (predicted[0, other] > predicted[0, one]) == (count[other] > count[one])


def test_popularity_is_the_least_squares_line_if_increasing(ratings):
    score = np.log1p(np.bincount(ratings.item))[ratings.item]
    liked = ratings.replace(value=(0.3 * score + 0.1 * ratings.value).astype(np.float32))
    slope, intercept = np.polyfit(score, liked.value.astype(np.float64), 1)
    assert slope > 0.1
    predicted = Popularity(clip=False).fit(liked).predict(liked)
    np.testing.assert_allclose(predicted, intercept + slope * score, rtol=0, atol=1e-5)


def test_popularity_has_a_minimum_slope(ratings):
    score = np.log1p(np.bincount(ratings.item))[ratings.item]
    model = Popularity(clip=False).fit(ratings.replace(value=(-score).astype(np.float32)))
    assert np.ptp(model.item_bias_) == pytest.approx(0.1 * score.std(), rel=1e-5)
    unknown = model.predict([(1, -1)])[0]
    assert unknown < model.predict_matrix().min()  # an unknown item is less popular than any


def test_popularity_ranked_by_mean_is_the_damped_mean(ratings):
    model = Popularity(rank_by="mean", damping=0, clip=False).fit(ratings)
    np.testing.assert_allclose(model.predict(ratings), ItemMean().fit(ratings).predict(ratings), atol=1e-5)
    mean = ratings.value.mean(dtype=np.float64)
    own = ratings.value[ratings.item == 3].astype(np.float64)
    damped = Popularity(rank_by="mean", damping=2.5).fit(ratings)
    assert damped.item_bias_[3] == pytest.approx((own - mean).sum() / (len(own) + 2.5), rel=1e-5)


def test_popularity_folds_in_new_users(ratings, other_ratings):
    model = Popularity().fit(ratings)
    folded = model.fold_in(other_ratings)
    assert folded.users_ == other_ratings.users
    np.testing.assert_array_equal(folded.predict_matrix()[0], model.predict_matrix()[0])
