"""Contract: sample weights are honored or refused, never ignored."""

from __future__ import annotations

import numpy as np
import pytest
from contract_table import all_models, each_model, every_pair, make, unvalidated_pairs

from foretaste.errors import DataError, NotSupportedError
from foretaste.models import MODELS


@each_model()
def test_weights_are_honored_or_refused(name, ratings):
    ones = np.ones(len(ratings))
    able = [other for other, cls in all_models().items() if "weights" in cls.tags]
    assert able
    if name not in able:
        with pytest.raises(NotSupportedError, match=f"{name} does not support sample weights") as refused:
            make(name).fit(ratings, sample_weight=ones)
        assert all(other in str(refused.value) for other in able)
        with pytest.raises(NotSupportedError, match="does not support"):
            make(name).fit(ratings.replace(weight=ones.astype(np.float32)))
        return
    asked = every_pair(ratings)
    plain = make(name).fit(ratings).predict(asked)
    weighted = make(name).fit(ratings, sample_weight=ones).predict(asked)
    np.testing.assert_allclose(weighted, plain, rtol=0, atol=1e-5)
    uneven = np.where(np.arange(len(ratings)) % 3 == 0, 5.0, 0.5)
    assert np.abs(make(name).fit(ratings, sample_weight=uneven).predict(asked) - plain).max() > 1e-2


@each_model(tags=["weights"])
def test_fit_weight_argument_equals_weight_column(name, ratings):
    weight = np.random.default_rng(0).random(len(ratings)).astype(np.float32)
    asked, pairs = every_pair(ratings), unvalidated_pairs(name, ratings)
    wanted = make(name).fit(ratings.replace(weight=weight)).predict(asked)
    np.testing.assert_array_equal(make(name).fit(ratings, sample_weight=weight).predict(asked), wanted)
    np.testing.assert_array_equal(make(name).fit(pairs, ratings.value, weight).predict(asked), wanted)


@each_model(tags=["weights_exact"])
def test_weight_two_is_the_row_given_twice(name, ratings):
    chosen = np.random.default_rng(5).random(len(ratings)) < 0.4
    rows = np.r_[np.arange(len(ratings)), np.flatnonzero(chosen)]
    columns = {name: getattr(ratings, name)[rows] for name in ("user", "item", "value", "timestamp")}
    twice = ratings.replace(**columns)
    asked = every_pair(ratings)
    wanted = make(name).fit(twice).predict(asked)
    weighted = make(name).fit(ratings, sample_weight=np.where(chosen, 2, 1)).predict(asked)
    np.testing.assert_allclose(weighted, wanted, rtol=0, atol=1e-5)


@each_model(tags=["weights_exact"])
def test_weight_zero_row_has_no_influence(name, ratings):
    chosen = np.random.default_rng(6).random(len(ratings)) < 0.8
    weighted = make(name, clip=False).fit(ratings, sample_weight=chosen.astype(float))
    fewer = make(name, clip=False).fit(ratings[chosen])
    known = ratings[chosen]
    if "random" not in MODELS[name].tags:  # its number depends on the places of user and item
        np.testing.assert_allclose(weighted.predict(known), fewer.predict(known), rtol=0, atol=1e-5)
    assert weighted.n_ratings_ == len(ratings)


@each_model()
def test_invalid_weights_raise(name, ratings):
    pairs = unvalidated_pairs(name, ratings)
    for bad, words in (
        (-1.0, "weight in row 7 is -1"),
        (np.nan, "weight in row 7 is nan"),
        (np.inf, "row 7 is inf"),
    ):
        weight = np.ones(len(ratings))
        weight[7] = bad
        for X in (ratings, pairs):
            with pytest.raises(DataError, match=words):
                make(name).fit(X, ratings.value, weight)
    with pytest.raises(DataError, match="weight has 3 rows"):
        make(name).fit(ratings, sample_weight=[1, 1, 1])
    with pytest.raises((DataError, NotSupportedError), match=r"weights are 0|does not support"):
        make(name).fit(ratings, sample_weight=np.zeros(len(ratings)))
