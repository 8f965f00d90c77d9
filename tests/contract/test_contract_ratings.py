"""Contract: invariances of fit, and predictions for unknown users and items."""

from __future__ import annotations

import numpy as np
import pytest
from contract_table import each_model, every_pair, make, same_bits, unvalidated_pairs

from foretaste.errors import DataError, NotSupportedError
from foretaste.models import MODELS
from foretaste.models.base import Model
from foretaste.ratings import Pairs, Ratings


@each_model()
@pytest.mark.parametrize(("factor", "shift"), [(0.25, 3.0), (4.0, -10.0), (2.5, 0.5)])
def test_predictions_are_scale_free(name, ratings, factor, shift):
    asked = every_pair(ratings)
    for clip in (True, False):
        for scale in (None, (-8.0, 8.0)):
            there = None if scale is None else tuple(factor * end + shift for end in scale)
            scaled = ratings.replace(value=(factor * ratings.value + shift).astype(np.float32), scale=there)
            here = make(name, clip=clip).fit(ratings.replace(scale=scale)).predict(asked)
            wanted = factor * here.astype(np.float64) + shift
            wrong = np.abs(make(name, clip=clip).fit(scaled).predict(asked) - wanted)
            assert wrong.max() <= 1e-3 * scaled.value.std()


@each_model()
def test_relabeled_ids_change_nothing(name, ratings):
    known = ratings.users.ids, ratings.items.ids
    numbers = [np.cumsum(np.arange(len(ids)) % 7 + 1) * 1_000 for ids in known]
    texts = [np.array([f"id {k:05}" for k in range(len(ids))], dtype=object) for ids in known]
    model = make(name).fit(ratings)
    for users, items in (numbers, texts, (numbers[0], texts[1])):
        ids = users[ratings.user], items[ratings.item]
        renamed = Ratings.from_columns(*ids, ratings.value, timestamp=ratings.timestamp)
        assert same_bits(make(name).fit(renamed).predict(renamed), model.predict(ratings))
        assert same_bits(make(name).fit(renamed).predict_matrix(), model.predict_matrix())


@each_model()
@pytest.mark.parametrize("constant", [-3.5, 0.0, 4.25])
def test_constant_ratings_predict_that_constant(name, ratings, constant):
    same = ratings.replace(value=np.full(len(ratings), constant, np.float32))
    for clip in (True, False):
        predicted = make(name, clip=clip).fit(same).predict(every_pair(ratings))
        np.testing.assert_allclose(predicted, constant, rtol=0, atol=1e-6)


@each_model()
def test_one_rating_is_enough(name, ratings):
    predicted = make(name).fit(ratings[[3]]).predict(every_pair(ratings))
    np.testing.assert_allclose(predicted, ratings.value[3], rtol=0, atol=1e-6)


@each_model()
def test_zero_is_a_valid_rating(name, ratings):
    zeros = ratings.value == 0
    assert zeros.sum() > 20
    stored = ratings.to_sparse()
    assert stored.nnz == len(ratings)
    assert (stored.data == 0).sum() == zeros.sum()
    assert np.isfinite(ratings.to_matrix()).sum() == len(ratings)
    with_zeros, without = make(name).fit(ratings), make(name).fit(ratings[~zeros])
    assert with_zeros.n_ratings_ - without.n_ratings_ == zeros.sum()
    asked = every_pair(ratings[~zeros])  # not only the training pairs, which a model may know by heart
    assert not np.array_equal(with_zeros.predict(asked), without.predict(asked))


@each_model()
def test_unknown_users_and_items_get_a_marked_fallback(name, ratings):
    model = make(name).fit(ratings)
    user, item = ratings.users.ids[0], ratings.items.ids[0]
    asked = [(user, item), (-1, item), (user, -1), (-1, -1)]
    details = model.predict_details(asked)
    assert details.fallback.dtype == np.int8
    assert details.fallback.tolist() == [0, 1, 2, 3]  # neither, user, item, both unknown
    assert np.isfinite(details.value).all()
    assert (details.value >= ratings.value.min()).all()
    assert (details.value <= ratings.value.max()).all()
    assert details.std is None or (np.isfinite(details.std).all() and (details.std >= 0).all())


@each_model()
def test_clip_keeps_predictions_inside_the_scale(name, ratings):
    asked = every_pair(ratings)
    for scale in (None, (-9.0, 8.5)):
        model = make(name).fit(ratings.replace(scale=scale))
        seen = float(ratings.value.min()), float(ratings.value.max())
        assert (model.low_, model.high_) == (scale or seen)
        free = model.set_params(clip=False).predict(asked)
        # ends inside the predictions, or beyond them, so that something is cut whatever the model
        for low, high in ((-9.0, 8.5), np.quantile(free, [0.4, 0.6]), (20.0, 21.0)):
            model.low_, model.high_ = float(low), float(high)
            clipped = model.set_params(clip=True).predict(asked)
            assert same_bits(clipped, np.clip(free, np.float32(low), np.float32(high)))
            assert same_bits(model.set_params(clip=False).predict(asked), free)


@each_model()
def test_contributions_sum_to_the_prediction(name, ratings):
    model = make(name, clip=False).fit(ratings)
    asked = every_pair(ratings)
    user, item = model.users_.encode(asked[:, 0], "user"), model.items_.encode(asked[:, 1], "item")

    pairs = Pairs(user, item)
    if type(model).as_linear is Model.as_linear and type(model).contributions is Model.contributions:
        with pytest.raises(NotSupportedError, match=f"{name} cannot be written as biases") as refused:
            model.contributions(pairs)
        assert "models that can: " in str(refused.value)
        assert "Bias" in str(refused.value)
        return
    contributions = model.contributions(pairs)
    assert contributions.values.shape == (len(asked), len(contributions.parts))
    np.testing.assert_allclose(contributions.values.sum(axis=1), model.predict(asked), rtol=0, atol=2e-5)


@each_model()
def test_linear_form_equals_the_prediction(name, ratings):
    model = make(name, clip=False).fit(ratings)
    if type(model).as_linear is Model.as_linear:
        with pytest.raises(NotSupportedError, match=f"{name} cannot be written as biases"):
            model.as_linear()
        return
    linear = model.as_linear()
    rating = linear.mean + linear.user_bias[:, None] + linear.item_bias
    rating = rating + linear.user_factors @ linear.item_factors.T
    np.testing.assert_allclose(rating, model.predict_matrix(), rtol=0, atol=2e-5)


@each_model()
def test_missing_required_columns_are_named(name, ratings):
    for need in MODELS[name].requires:
        with pytest.raises(DataError, match=f"{name} needs {need}, and the ratings have none") as refused:
            make(name).fit(ratings.replace(**{need: None}))
        assert "try: " in str(refused.value)


@each_model()
def test_score_is_r_squared(name, ratings):
    from sklearn.metrics import r2_score

    model = make(name).fit(ratings)
    wanted = r2_score(ratings.value.astype(np.float64), model.predict(ratings).astype(np.float64))
    pairs = unvalidated_pairs(name, ratings)
    np.testing.assert_allclose(model.score(ratings), wanted, rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(model.score(pairs, ratings.value), wanted, rtol=1e-6, atol=1e-9)
