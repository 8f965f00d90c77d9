"""The predictor equals the library, for the user's current ratings."""

from __future__ import annotations

import numpy as np
import pytest

from foretaste.errors import NotFoundError, NotSupportedError
from foretaste.ids import IdIndex
from foretaste.models import MODELS, SVD, Bias, NormalRandom, Popularity, UserKNN
from foretaste.ratings import Ratings
from foretaste.recommendation import explain, fold_in, next_question, recommend, similar_items
from foretaste.service import predictor

FOLDING = [name for name, model in MODELS.items() if "user" in model.fold_in_entities]


def of_user(ratings, user):
    rows = ratings.user_ids == user
    return ratings.item_ids[rows], ratings.value[rows].tolist(), [None] * int(rows.sum())


def alone(user, items, values):
    order = np.argsort(items)
    return Ratings.from_columns([user] * len(items), items[order], np.array(values, np.float32)[order])


@pytest.mark.parametrize("name", [name for name in FOLDING if not MODELS[name].requires])
def test_predictions_equal_the_folded_in_model(ratings, name):
    model = MODELS[name]().fit(ratings)
    items, values, times = of_user(ratings, 41)
    mine = alone(41, items, values)
    folded = model.fold_in(mine)
    who = predictor.make_profile(model, 41, items[::-1], values[::-1], times)
    assert (who.basis, who.n_ratings_used) == ("your ratings", len(items))
    wanted = recommend(folded, 41, 5, exclude=mine)
    found = predictor.recommend(who, 5)
    assert [one.item for one in found] == wanted.ids.tolist()
    assert np.float32([one.prediction for one in found]).tolist() == wanted.scores.tolist()
    pairs = [(41, item) for item in ratings.items.ids]
    predicted = predictor.predict_items(who, ratings.items.ids)
    assert np.float32([one.prediction for one in predicted]).tolist() == folded.predict(pairs).tolist()


def test_new_rating_changes_the_predictions(ratings):
    model = SVD(factors=4).fit(ratings)
    items, values, times = of_user(ratings, 41)
    before = predictor.predict_items(
        predictor.make_profile(model, 41, items, values, times), ratings.items.ids
    )
    new = np.setdiff1d(ratings.items.ids, items)[:1]
    who = predictor.make_profile(model, 41, np.r_[items, new], [*values, 8.0], [*times, None])
    after = predictor.predict_items(who, ratings.items.ids)
    assert before != after
    assert new[0] not in [one.item for one in predictor.recommend(who, 100)]


def test_user_without_ratings_gets_the_fallback(ratings):
    model = SVD(factors=4).fit(ratings)
    nobody = np.array([], np.int64)
    one, other = (predictor.make_profile(model, user, nobody, [], []) for user in (41, 10_000))
    assert one.basis == other.basis == "what most people like"
    assert predictor.recommend(one, 5) == predictor.recommend(other, 5)
    assert predictor.recommend(one, 5) != predictor.recommend(
        predictor.make_profile(model, 41, *of_user(ratings, 41)), 5
    )


def test_model_without_fold_in_uses_its_training(ratings):
    model = NormalRandom().fit(ratings)
    items, values, times = of_user(ratings, 41)
    who = predictor.make_profile(model, 41, items, values, times)
    assert who.basis == "ratings at the last training"
    new = np.setdiff1d(ratings.items.ids, items)
    found = [one.prediction for one in predictor.predict_items(who, new)]
    assert np.float32(found).tolist() == model.predict([(41, item) for item in new]).tolist()
    stranger = predictor.make_profile(model, 10_000, items, values, times)
    assert (stranger.basis, stranger.n_ratings_used) == ("what most people like", 0)


def test_rated_items_are_excluded(ratings):
    model = Bias().fit(ratings)
    items, values, times = of_user(ratings, 41)
    found = predictor.recommend(predictor.make_profile(model, 41, items, values, times), 1000)
    assert sorted(one.item for one in found) == sorted(set(ratings.items) - set(items.tolist()))


def test_unknown_items_are_ignored(ratings):
    model = SVD(factors=4).fit(ratings)
    items, values, times = of_user(ratings, 41)
    strange = predictor.make_profile(model, 41, np.r_[items, 999], [*values, 1.0], [*times, None])
    plain = predictor.make_profile(model, 41, items, values, times)
    assert predictor.recommend(strange, 5) == predictor.recommend(plain, 5)
    with pytest.raises(NotFoundError, match="'999'"):
        predictor.predict_items(plain, np.array([5, 999]))


def test_predictor_with_text_ids(ratings):
    texts = Ratings.from_columns(
        [f"u{u}" for u in ratings.user_ids], [f"i{i}" for i in ratings.item_ids], ratings.value
    )
    model = SVD(factors=4).fit(texts)
    items = np.array(["i7", "i5"], object)
    who = predictor.make_profile(model, "new", items, [8.0, -8.0], [None, None])
    mirrored = predictor.make_profile(model, "new", items[::-1], [-8.0, 8.0], [None, None])
    assert predictor.recommend(who, 5) == predictor.recommend(mirrored, 5)
    swapped = predictor.make_profile(model, "new", items, [-8.0, 8.0], [None, None])
    assert predictor.recommend(who, 5) != predictor.recommend(swapped, 5)


def test_similar_items_equal_the_library(ratings):
    model = SVD(factors=4).fit(ratings)
    wanted = similar_items(model, 5, 4)
    assert predictor.find_similar(model, 5, 4) == list(
        zip(wanted.ids.tolist(), wanted.similarity.tolist(), strict=True)
    )
    with pytest.raises(NotSupportedError, match="imputed ratings to compare"):
        predictor.find_similar(Popularity().fit(ratings), 5, 4)
    with pytest.raises(NotFoundError, match="999"):
        predictor.find_similar(model, 999, 4)


def test_single_id_index():
    from foretaste.service.id_codec import single_id_index

    assert single_id_index("a") == IdIndex(np.array(["a"], object))
    assert single_id_index(3).dtype == "int"


def test_explanation_equals_the_library(ratings):
    model = SVD(factors=4).fit(ratings)
    items, values, times = of_user(ratings, 41)
    mine = alone(41, items, values)
    wanted = explain(fold_in(model, users=mine), 41, 5, ratings=mine)
    found = predictor.explain_prediction(predictor.make_profile(model, 41, items, values, times), 41, 5)
    assert found.to_dict() == wanted.to_dict()
    assert sum(part.value for part in found.parts) == pytest.approx(found.prediction, abs=1e-4)
    assert {reason.id for reason in found.reasons} <= set(items.tolist())
    nobody = predictor.make_profile(model, 41, items[:0], [], [])
    with pytest.raises(NotFoundError, match="unknown user"):
        predictor.explain_prediction(nobody, 41, 5)


def test_explanation_names_no_other_users(ratings):
    model = UserKNN().fit(ratings)
    items, values, times = of_user(ratings, 41)
    body = explain(model, 41, 5)
    assert body.entity == "user"
    assert body.reasons
    found = predictor.explain_prediction(predictor.make_profile(model, 41, items, values, times), 41, 5)
    assert found.reasons == ()
    assert found.parts == body.parts
    assert not any(str(reason.id) in found.sentence() for reason in body.reasons)


def test_next_question_equals_the_library(ratings):
    model = SVD(factors=4).fit(ratings)
    nothing = np.array([], np.int64)
    asked = []
    for _ in range(3):
        who = predictor.make_profile(
            model, 10_000, np.array(asked, np.int64), [3.0] * len(asked), [None] * len(asked)
        )
        item = predictor.next_item(model, who.ratings, nothing)
        assert item == next_question(model, dict.fromkeys(asked, 3.0))
        assert item not in asked
        asked.append(item)
    assert predictor.next_item(model, None, np.array(asked[:1])) != asked[0]
    with pytest.raises(NotFoundError, match="no item is left"):
        predictor.next_item(model, None, ratings.items.ids)
