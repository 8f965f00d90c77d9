"""``recommend`` equals a full sort of the model's predictions; output formats."""

from __future__ import annotations

import dataclasses
import logging

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from synthetic import planted

from foretaste._utils import memory
from foretaste.errors import (
    DataError,
    InvalidParameterError,
    NotEnoughMemoryError,
    NotFittedError,
    NotFoundError,
)
from foretaste.features import ItemCatalog
from foretaste.ids import IdIndex
from foretaste.models import SVD, Bias, ItemMean, KNNImputation, UserMean
from foretaste.ratings import Pairs, Ratings
from foretaste.recommendation import Recommendations, recommend
from foretaste.recommendation.topk import TopKRanker


def sorted_in_full(model, users, n, exclude=None, candidates=None):
    """Return items and predictions of each user from all predictions, sorted."""
    items = model.items_.ids if candidates is None else np.sort(candidates)
    places, user = model.items_.indices_of(items), model.users_.indices_of(np.asarray(users))
    found = []
    for id_, place in zip(users, user, strict=True):
        pairs = Pairs(np.full(len(items), place, np.int32), places)
        score = model.predict_encoded(pairs, clip=False).value
        order = np.lexsort((places, -score))
        seen = set() if exclude is None else set(exclude.item_ids[exclude.user_ids == id_].tolist())
        order = [k for k in order if items[k] not in seen][:n]
        pairs = [(id_, item) for item in items[order]]
        found.append((items[order].tolist(), model.predict(pairs).tolist() if pairs else []))
    return found


def lists(found):
    return [(part.ids.tolist(), part.scores.tolist()) for _, part in found]


@pytest.fixture(scope="module")
def fitted(larger_ratings):
    models = SVD(epochs=4), Bias(), KNNImputation(), ItemMean()
    return {type(model).__name__: model.fit(larger_ratings) for model in models}


# The right items -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["SVD", "Bias", "KNNImputation"])
def test_recommendations_equal_a_full_sort(fitted, larger_ratings, name):
    for n, exclude in ((1, None), (7, larger_ratings), (500, larger_ratings)):
        found = recommend(fitted[name], n=n, exclude=exclude)
        assert np.array_equal(found.users, larger_ratings.users.ids)
        assert lists(found) == sorted_in_full(fitted[name], larger_ratings.users.ids, n, exclude)
        assert not found.fallback.any()


class Constant(SVD):
    """A model of biases and factors whose ratings and factors are few whole numbers: full of ties."""

    def _predict(self, pairs):
        p, q = self.user_factors_[pairs.user], self.item_factors_[pairs.item]
        return self._make_prediction(pairs, self.mean_ + self.item_bias_[pairs.item] + (p * q).sum(axis=1))

    def as_linear(self):
        linear = super().as_linear()
        none = np.zeros_like(self.user_bias_)
        return dataclasses.replace(
            linear, user_bias=none, item_bias=self.item_bias_, user_factors=self.user_factors_
        )


def tied(seed, users, items, factors):
    rng = np.random.default_rng(seed)
    model = Constant(factors=factors, epochs=1, clip=bool(rng.integers(2)))
    cells = np.unique(rng.integers(0, users * items, users + items))
    cells = np.unique(np.r_[cells, np.arange(items), np.arange(users) * items])
    ratings = Ratings.from_columns(cells // items, cells % items, rng.integers(1, 6, len(cells)))
    model.fit(ratings)
    model.item_bias_ = rng.integers(0, 3, len(ratings.items)).astype(np.float32)
    model.user_factors_ = rng.integers(0, 2, model.user_factors_.shape).astype(np.float32)
    model.item_factors_ = rng.integers(0, 2, model.item_factors_.shape).astype(np.float32)
    return model, ratings


@settings(max_examples=150)
@given(
    seed=st.integers(0, 2**32 - 1), users=st.integers(1, 12), items=st.integers(1, 60),
    factors=st.integers(1, 5), n=st.sampled_from([1, 2, 5, 100]), excluded=st.booleans(), data=st.data(),
)  # fmt: skip
def test_ties_are_in_item_order(seed, users, items, factors, n, excluded, data):
    model, ratings = tied(seed, users, items, factors)
    asked = data.draw(st.lists(st.sampled_from(ratings.users.ids.tolist()), max_size=6))
    chosen = data.draw(st.none() | st.lists(st.sampled_from(ratings.items.ids.tolist()), unique=True))
    exclude = ratings if excluded else None
    found = recommend(model, asked, n, exclude=exclude, candidates=chosen)
    assert found.users.tolist() == asked
    wanted = sorted_in_full(model, asked, n, exclude, None if chosen is None else np.array(chosen, np.int64))
    assert lists(found) == wanted


class Rough(SVD):
    """Has a linear form that only approximates its predictions."""

    off: float = 0.0

    def as_linear(self):
        linear = super().as_linear()
        noise = np.random.default_rng(3).normal(0, self.off, len(self.items_))
        return dataclasses.replace(linear, item_bias=(linear.item_bias + noise).astype(np.float32))


@pytest.mark.parametrize("off", [1e-6, 1e-3, 0.3, 5.0])
def test_approximate_linear_form_finds_the_same_items(larger_ratings, off):
    model = Rough(epochs=4)
    type(model).off = off
    model.fit(larger_ratings)
    assert lists(recommend(model, n=5, exclude=larger_ratings)) == sorted_in_full(
        model, larger_ratings.users.ids, 5, larger_ratings
    )


@settings(max_examples=40)
@given(
    seed=st.integers(0, 2**32 - 1),
    factors=st.sampled_from([5, 40]),
    apart=st.sampled_from([1e-8, 1e-7, 1e-6]),
)
@example(seed=3, factors=5, apart=3e-7)  # here the differences among the candidates are no bound
@example(seed=98, factors=40, apart=1e-8)
def test_items_that_differ_by_rounding_are_ranked_exactly(seed, factors, apart):
    model, ratings = tied(0, 5, 120, factors)
    plain, rng = SVD(factors=factors).set_state(model.get_state()), np.random.default_rng(seed)
    plain.user_factors_ = rng.normal(size=plain.user_factors_.shape).astype(np.float32)
    noise = rng.normal(0, apart, plain.item_factors_.shape)
    plain.item_factors_ = (rng.normal(size=factors) + noise).astype(np.float32)
    plain.item_bias_[:] = 0.1
    assert lists(recommend(plain, n=3)) == sorted_in_full(plain, ratings.users.ids, 3)


def counting(model):
    """Return a fitted model that appends the number of pairs of each prediction to its ``sizes``."""
    base = type(model)

    class CountingModel(base):
        def _predict(self, pairs):
            self.sizes.append(len(pairs))
            return base._predict(self, pairs)

    counted = CountingModel(**model.get_params(deep=False)).set_state(model.get_state())
    counted.sizes = []
    return counted


@pytest.mark.parametrize("name", ["SVD", "Bias"])
def test_factor_models_do_not_predict_every_pair(larger_ratings, fitted, name):
    model = counting(fitted[name])
    recommend(model, n=10, exclude=larger_ratings)
    assert sum(model.sizes) < 0.25 * len(larger_ratings.users) * len(larger_ratings.items)


def test_candidates_grow_until_the_ranking_is_certain():
    plain, _ = tied(0, 6, 60, 1)
    plain.item_bias_[:], plain.item_factors_[:] = 0, 1  # all items are the same
    model = counting(plain)
    found = recommend(model, n=2)
    assert model.sizes == [6 * 6, 6 * 48, 6 * 60]  # candidates of 6 users: few, more, all
    assert found.ids.tolist() == model.items_.ids[:2].tolist() * 6


def test_models_without_factors_are_predicted_in_blocks(larger_ratings, fitted):
    whole = recommend(fitted["KNNImputation"], n=6)
    model = counting(fitted["KNNImputation"])
    ranker = TopKRanker(model, np.arange(len(larger_ratings.items), dtype=np.int32), 6, 1, block_pairs=500)
    items, _ = ranker.topk(np.arange(len(larger_ratings.users), dtype=np.int32), None)
    assert [larger_ratings.items.ids[row].tolist() for row in items] == [ids for ids, _ in lists(whole)]
    assert max(model.sizes) <= 500
    assert sum(model.sizes) == len(larger_ratings.users) * len(larger_ratings.items)


@pytest.mark.parametrize("name", ["SVD", "Bias", "KNNImputation"])
def test_threads_and_other_users_change_nothing(larger_ratings, fitted, name):
    model = fitted[name]
    every = [recommend(model, n=8, exclude=larger_ratings, threads=threads) for threads in (1, 2, 4)]
    for other in every[1:]:
        assert other.ids.tobytes() == every[0].ids.tobytes()
        assert other.scores.tobytes() == every[0].scores.tobytes()
    for user in larger_ratings.users.ids[[0, 5, -1]]:
        alone, among = recommend(model, user, 8, exclude=larger_ratings), every[0].for_user(user)
        assert alone.ids.tobytes() == among.ids.tobytes()
        assert alone.scores.tobytes() == among.scores.tobytes()


def test_ranking_uses_unclipped_predictions():
    ratings = planted()
    model = Bias(user_damping=0, item_damping=0).fit(ratings.replace(scale=(-1, 1)).where("rating < 1"))
    model.low_, model.high_ = -8.0, -7.0
    found = recommend(model, n=5)
    assert set(found.scores.tolist()) == {-7.0}
    user = int(found.users[0])
    unclipped = Bias(clip=False, user_damping=0, item_damping=0).set_state(model.get_state())
    free = recommend(unclipped, user, 5)
    assert len(set(free.scores.tolist())) > 1
    assert found.for_user(user).ids.tolist() == free.ids.tolist()


# What is left out, and what is chosen from ---------------------------------------------------------------


def test_user_who_rated_everything_gets_an_empty_list(fitted):
    model = fitted["SVD"]
    user = model.users_.ids[3]
    seen = [(user, item) for item in model.items_.ids]
    found = recommend(model, [user, model.users_.ids[4]], 3, exclude=seen)
    assert np.diff(found.starts).tolist() == [0, 3]
    alone = recommend(model, user, 3, exclude=seen)
    assert len(alone) == 0
    assert "no items left to recommend" in repr(alone)
    assert alone.to_dict() == {user: []}
    assert alone.to_frame().shape == (0, 5)


def test_exclude_accepts_ratings_frames_and_pairs(larger_ratings, fitted):
    model = fitted["SVD"]
    part = larger_ratings[::3]
    wanted = lists(recommend(model, n=5, exclude=part))
    pairs = np.column_stack([part.user_ids, part.item_ids])
    frame = pd.DataFrame({"userId": part.user_ids, "itemId": part.item_ids, "rating": part.value})
    for exclude in (pairs, pairs.tolist(), frame, pl.from_pandas(frame)):
        assert lists(recommend(model, n=5, exclude=exclude)) == wanted
    assert wanted != lists(recommend(model, n=5))


def test_repeated_and_unknown_exclusions_are_ignored(fitted, caplog):
    model = fitted["SVD"]
    user, item = model.users_.ids[0], recommend(fitted["SVD"], model.users_.ids[0], 1).ids[0]
    for exclude in ([(user, item)] * 3, [(user, 999_999), (user, item), (-5, item)]):
        assert item not in recommend(model, user, 5, exclude=exclude).ids
    assert not caplog.records
    assert len(recommend(model, user, 5, exclude=[(user, 999_999)])) == 5
    assert "nothing is excluded" in caplog.text


def test_candidates_restrict_the_items(larger_ratings, fitted, caplog):
    for name in ("SVD", "KNNImputation"):
        model = fitted[name]
        chosen = larger_ratings.items.ids[[5, 90, 17, 44, 5]]
        found = recommend(model, n=3, candidates=chosen, exclude=larger_ratings)
        assert set(found.ids.tolist()) <= set(chosen.tolist())
        assert lists(found) == sorted_in_full(
            model, larger_ratings.users.ids, 3, larger_ratings, np.unique(chosen)
        )
        assert lists(
            recommend(model, n=3, candidates=IdIndex(np.unique(chosen)), exclude=larger_ratings)
        ) == lists(found)
        assert len(recommend(model, n=3, candidates=[])) == 0
        one = recommend(model, larger_ratings.users.ids[:2], candidates=str(chosen[0]))
        assert one.ids.tolist() == [chosen[0]] * 2
        assert not caplog.records
        some = recommend(model, 11, candidates=[5, 123_456, 654_321])
        assert some.ids.tolist() == [5]
        assert "2 of 3 candidates are unknown to the model and ignored (first: 123456)" in caplog.text
        caplog.clear()
    with pytest.raises(NotFoundError, match=r"none of the 2 candidates .*first: 123456"):
        recommend(model, 11, candidates=[123_456, 654_321])


# Users ---------------------------------------------------------------------------------------------------


def test_users_argument_accepts_every_form(larger_ratings, fitted):
    model = fitted["SVD"]
    ids = larger_ratings.users.ids[[4, 1, 4]]
    wanted = recommend(model, ids, 3)
    assert wanted.ids[:3].tolist() == wanted.ids[6:].tolist()
    for users in (ids.tolist(), tuple(ids), pl.Series(ids), pd.Series(ids), [str(id_) for id_ in ids]):
        found = recommend(model, users, 3)
        assert found.users.tolist() == ids.tolist()
        assert found.ids.tolist() == wanted.ids.tolist()
    assert recommend(model, str(ids[0]), 3).ids.tolist() == wanted.ids[:3].tolist()
    assert lists(recommend(model, larger_ratings.users, 3)) == lists(recommend(model, n=3))
    nobody = recommend(model, [], 3)
    assert len(nobody) == len(nobody.users) == 0
    assert nobody.to_dict() == {}


def test_text_ids(ratings):
    texts = Ratings.from_columns(
        [f"ü{u}" for u in ratings.user_ids], [f"i,{i}" for i in ratings.item_ids], ratings.value
    )
    model = SVD(factors=3, epochs=3).fit(texts)
    found = recommend(model, ["ü14", "ü11"], 4, exclude=texts)
    assert lists(found) == sorted_in_full(model, np.array(["ü14", "ü11"], object), 4, texts)
    frame = found.to_frame()
    assert frame.schema["user"] == frame.schema["item"] == pl.String
    with pytest.raises(DataError, match="user ids are given as int"):
        recommend(model, 14)


def test_unknown_user_raises_or_gets_a_marked_fallback(larger_ratings, fitted):
    known = int(larger_ratings.users.ids[0])
    for name in ("SVD", "Bias", "KNNImputation", "ItemMean"):
        model = fitted[name]
        with pytest.raises(NotFoundError, match=r"does not know user 999 \(and 1 more of 3\)") as caught:
            recommend(model, [known, 999, 998])
        assert 'unknown_users="fallback"' in caught.value.hint
        exclude = Ratings.from_columns([999, known], larger_ratings.items.ids[:2], [1, 1])
        found = recommend(model, [999, known], 5, exclude=exclude, unknown_users="fallback")
        assert found.fallback.tolist() == [1, 0]
        assert lists(found) == sorted_in_full(model, [999, known], 5, exclude)
        assert found.to_frame()["fallback"].to_list() == ["user unknown"] * 5 + [None] * 5
        assert "fallback of the model for 1 unknown user" in repr(found)
        assert "for 1 unknown user" in found._repr_html_()
    with pytest.raises(NotFoundError, match="the model does not know user 'x': its user ids are integers"):
        recommend(model, "x", unknown_users="fallback")
    with pytest.raises(NotFoundError, match='did you mean "110"'):
        recommend(model, 1100)


# What comes back -----------------------------------------------------------------------------------------


@pytest.fixture
def catalogue(larger_ratings):
    texts = np.array(
        [f"<b>{i}</b>" + " long" * (30 if i % 3 else 0) for i in larger_ratings.items.ids], object
    )
    return ItemCatalog(larger_ratings.items.take_ids(np.arange(100)), {"title": texts[:100]}, "title")


def test_recommendations_attributes(larger_ratings, fitted, catalogue):
    found = recommend(
        fitted["SVD"], larger_ratings.users.ids[:3], 4, exclude=larger_ratings, catalog=catalogue
    )
    assert isinstance(found, Recommendations)
    assert len(found) == 12
    assert found.model == "SVD(epochs=4)"
    assert found.ranks().tolist() == [1, 2, 3, 4] * 3
    assert found.titles == catalogue.titles(found.ids)
    frame = found.to_frame()
    assert frame.columns == ["user", "rank", "item", "prediction", "title", "fallback"]
    assert frame["user"].to_list() == np.repeat(found.users, 4).tolist()
    assert frame["item"].to_list() == found.ids.tolist()
    assert frame["prediction"].to_numpy().tobytes() == found.scores.tobytes()
    assert frame["title"].to_list() == found.titles
    second = int(found.users[1])
    row = found.to_dict()[second][0]
    assert row == {"item": found.ids[4], "prediction": found.scores[4], "title": found.titles[4]}
    assert type(row["item"]) is int
    assert type(row["prediction"]) is float
    one = found.for_user(second)
    assert (one.ids.tolist(), one.titles) == (found.ids[4:8].tolist(), found.titles[4:8])
    assert one.starts.tolist() == [0, 4]
    with pytest.raises(NotFoundError, match="user 12345 is not among the 3 users requested"):
        found.for_user(12345)
    assert "title" not in recommend(fitted["SVD"], second, 4).to_dict()[second][0]


def test_recommendations_repr_and_html(larger_ratings, fitted, catalogue):
    model = fitted["SVD"]
    one = recommend(model, larger_ratings.users.ids[0], 3, catalog=catalogue)
    head, _, first, *_ = repr(one).splitlines()
    assert head.split() == ["rank", "item", "prediction", "title"]
    assert first.split()[:2] == ["1", str(one.ids[0])]
    assert float(first.split()[2]) == pytest.approx(one.scores[0], abs=0.01)
    assert max(map(len, repr(one).splitlines())) < 90
    page = one._repr_html_()
    assert f"For user {larger_ratings.users.ids[0]}, by SVD(epochs=4)" in page
    assert "<b>" not in page
    assert "&lt;b&gt;" in page
    every = repr(recommend(model, n=3))
    assert every.splitlines()[0].split() == ["user", "rank", "item", "prediction"]
    assert every.splitlines()[-1] == "... 694 more rows"
    assert len(every.splitlines()) == 23


def test_catalog_of_other_items_is_reported(larger_ratings, fitted, caplog):
    other = ItemCatalog(IdIndex(np.array(["a"], object)), {"title": np.array(["A"], object)}, "title")
    found = recommend(fitted["SVD"], larger_ratings.users.ids[0], 3, catalog=other)
    assert found.titles == [None] * 3
    assert "no titles: none of the items is in the catalog (its ids are like 'a')" in caplog.text


# What is refused -----------------------------------------------------------------------------------------


def test_invalid_arguments_raise(larger_ratings, fitted, monkeypatch):
    model = fitted["SVD"]
    for n in (0, -1, 2.0, True, "3", None):
        with pytest.raises(InvalidParameterError, match="n="):
            recommend(model, n=n)
    for threads in (0, -1, 1.5, True, 2000):
        with pytest.raises(InvalidParameterError, match="threads="):
            recommend(model, threads=threads)
    with pytest.raises(InvalidParameterError, match='unknown_users="fall" is not allowed') as caught:
        recommend(model, unknown_users="fall")
    assert caught.value.hint == 'unknown_users="fallback"'
    with pytest.raises(InvalidParameterError, match="requires a fitted model, not Ratings"):
        recommend(larger_ratings)
    with pytest.raises(NotFittedError):
        recommend(SVD())
    with pytest.raises(InvalidParameterError, match="exclude must hold ids"):
        recommend(model, exclude=Pairs(larger_ratings.user, larger_ratings.item))
    with pytest.raises(DataError, match="item ids are given as str"):
        recommend(model, exclude=[(11, "x")])
    with pytest.raises(NotFoundError, match="the model does not know item 'x': its item ids are integers"):
        recommend(model, candidates=["x"])
    monkeypatch.setattr(memory, "available_bytes", lambda: 10_000)
    with pytest.raises(NotEnoughMemoryError, match="a list for each of 238 users") as caught:
        recommend(model)
    assert "recommend_all" in caught.value.hint


def test_nothing_is_logged_without_inference(larger_ratings, fitted, caplog):
    with caplog.at_level(logging.INFO):
        recommend(fitted["SVD"], exclude=larger_ratings, candidates=larger_ratings.items.ids[:50])
    assert not caplog.records
    assert len(recommend(UserMean().fit(larger_ratings), 11, 3)) == 3
