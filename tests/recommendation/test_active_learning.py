"""Active learning: gains equal the equations, and questions beat popularity and chance."""

from __future__ import annotations

import numpy as np
import pytest
from benchmarks.quality.questions import GAUGE, rmse_after, split_questioned_users
from real_data import data_file

from foretaste.errors import (
    DataError,
    InvalidParameterError,
    NotFittedError,
    NotFoundError,
    NotSupportedError,
)
from foretaste.models import ALS, EASE, SVD, Bias, Blend, CoClustering, ItemKNN, NormalRandom, SVDpp
from foretaste.ratings import Ratings
from foretaste.recommendation import fold_in, next_question, question_gains


@pytest.mark.parametrize("model", [SVD(factors=4), ALS(factors=4), SVDpp(factors=4)], ids=repr)
@pytest.mark.parametrize("answered", [[], [5, 31, 17]])
def test_factor_gains_equal_the_posterior_variance_reduction(ratings, model, answered):
    model.fit(ratings)
    linear, noise = model.as_linear(), float(model.train_rmse_[-1]) ** 2
    v = np.column_stack([np.ones(len(model.items_)), linear.item_factors]).astype(np.float64)

    people = np.column_stack([linear.user_bias, linear.user_factors]).astype(np.float64)
    if isinstance(model, SVDpp):  # whose factors are not separate from those of the rated items
        prior = noise * np.linalg.inv(model.user_penalty_)
    else:
        people = people[(people != 0).any(axis=1)]
        prior = people.T @ people / len(people)

    def error(rows):
        seen = v[rows]
        across = seen @ prior
        left = prior - across.T @ np.linalg.solve(across @ seen.T + noise * np.eye(len(rows)), across)
        return np.mean(np.einsum("ia,ab,ib->i", v, left, v))

    known = model.items_.encode(np.array(answered, dtype=np.int64), "item").tolist()
    ids, gain = question_gains(model, dict.fromkeys(answered, 1.0))
    assert ids.tolist() == [i for i in model.items_.ids.tolist() if i not in answered]
    before = error(known)
    expected = [before - error([*known, place]) for place in model.items_.encode(ids, "item").tolist()]
    np.testing.assert_allclose(gain, expected, rtol=1e-3, atol=1e-9)
    assert next_question(model, dict.fromkeys(answered, -3.0)) == ids[np.argmax(gain)]


@pytest.mark.parametrize(
    "model",
    [ItemKNN(), EASE(), Bias(), CoClustering(n_init=2), Blend(models=["EASE", "Bias"], folds=2)],
    ids=repr,
)
@pytest.mark.parametrize("answered", [{}, {5: 3.0, 31: -2.0}])
def test_other_gains_equal_the_effect_of_two_answers(ratings, model, answered):
    model.fit(ratings)
    ids, gain = question_gains(model, answered)
    for place in (0, 7, 20):
        item = int(ids[place])
        if answered:
            now = fold_in(model, users=one("me", answered))
            expected = model.set_params(clip=False) and now.set_params(clip=False).predict([("me", item)])[0]
        else:
            expected = model.set_params(clip=False).predict([(100_001, item)])[0]
        step = (model.high_ - model.low_) / 4
        up, down = (
            fold_in(model, users=one("me", answered | {item: expected + way * step})).predict_matrix()
            for way in (1, -1)
        )
        assert gain[place] == pytest.approx(np.mean(((up - down) / 2) ** 2), rel=2e-3, abs=1e-6)
    assert next_question(model, answered) == ids[np.argmax(gain)]


def one(who, answers):
    return Ratings.from_columns([who] * len(answers), list(answers), list(answers.values()))


def test_answers_and_candidates_come_in_any_form(ratings):
    model = ALS(factors=4, epochs=5).fit(ratings)
    answers = one(1, {5: 2.0, 7: 1.0})
    asked = next_question(model, answers)
    assert type(asked) is int
    assert next_question(model, {"5": 2.0, "7": 1.0}) == asked
    assert next_question(model, answers, candidates=[5, 7, 9]) == 9
    assert next_question(model, {}) == next_question(model)
    texts = Ratings.from_columns(ratings.user_ids, [f"i{i}" for i in ratings.item_ids], ratings.value)
    assert next_question(ALS(factors=4, epochs=5).fit(texts), {"i5": 2.0}).startswith("i")


def test_gains_decrease_with_answers(ratings):
    model, answers, before = ALS(factors=4).fit(ratings), {}, np.inf
    for _ in range(6):
        ids, gain = question_gains(model, answers)
        assert gain.max() <= before + 1e-12
        assert gain.min() >= 0
        before = gain.max()
        answers[int(ids[np.argmax(gain)])] = 1.0
    assert len(answers) == 6


def test_mistakes_have_hints(ratings):
    model = SVD(factors=3, epochs=3).fit(ratings)
    with pytest.raises(NotFoundError, match="every candidate has been answered"):
        next_question(model, {5: 1.0}, candidates=[5])
    with pytest.raises(NotFoundError, match="none of the 1 candidates is known"):
        next_question(model, candidates=[99_999])
    with pytest.raises(NotFittedError):
        next_question(SVD())
    with pytest.raises(InvalidParameterError, match="not Ratings"):
        next_question(ratings)
    with pytest.raises(DataError, match="of 58 users"):
        next_question(model, ratings)
    with pytest.raises(NotSupportedError, match="NormalRandom does not support fold-in") as refused:
        next_question(NormalRandom().fit(ratings))
    assert "ItemKNN" in refused.value.hint
    assert "NormalRandom" not in refused.value.hint


@pytest.mark.dataset
@pytest.mark.parametrize("model", [ALS(), EASE()], ids=repr)
def test_questions_beat_popularity_and_chance_on_jester(model):
    path = data_file("jester2/jester_ratings_users_1_to_4000.csv.gz")
    train, people = split_questioned_users(path, GAUGE)
    model.fit(train)
    errors = {
        how: rmse_after(model, train, people, GAUGE, how, (1, 2, 3)) for how in ("gain", "count", "random")
    }
    for first, second, third in zip(*errors.values(), strict=True):
        assert first < second - 0.02
        assert first < third - 0.02
