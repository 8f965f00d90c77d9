"""Fold-in of neighborhood models equals training."""

from __future__ import annotations

import numpy as np
import pytest

from foretaste import _native
from foretaste.errors import NotSupportedError
from foretaste.models import Blend, ItemKNN, UserKNN
from foretaste.persistence import load, save
from foretaste.ratings import Ratings
from foretaste.recommendation import explain, fold_in, next_question

ROW_ENTITY = {ItemKNN: "item", UserKNN: "user"}
MODELS = list(ROW_ENTITY)
SETTINGS = [
    {},
    {"neighbors": 3, "max_stored_neighbors": 7},
    {"max_stored_neighbors": None, "min_neighbors": 4, "min_support": 3},
    {"similarity": "cosine", "centering": "mean", "significance_weighting": 6},
    {"similarity": "cosine", "norm_over": "common", "centering": "none", "negative": True},
    {"similarity": "pearson", "centering": "z_score", "shrinkage": 0.0},
    {"similarity": "pearson", "norm_over": "common", "min_support": 2},
    {"similarity": "adjusted_cosine", "centering": "bias", "negative": True},
    {"similarity": "msd", "centering": "mean"},
    {"similarity": "pearson_bias", "centering": "z_score"},
    {"similarity": "pearson_bias", "norm_over": "common", "user_damping": 1.0, "item_damping": 9.0},
    {"similarity": "adjusted_cosine", "centering": "none", "standardize": False},
]


def fold_in_rows(model, rows):
    return fold_in(model, **{f"{ROW_ENTITY[type(model)]}s": rows})


@pytest.mark.parametrize("cls", MODELS)
@pytest.mark.parametrize("setting", SETTINGS, ids=str)
def test_fold_in_of_training_rows_reproduces_training(ratings, cls, setting):
    """They are not their own neighbors, and have the neighbors that training found."""
    model = cls(clip=False, **setting).fit(ratings)
    folded = fold_in_rows(model, ratings[np.random.default_rng(3).permutation(len(ratings))])
    np.testing.assert_allclose(folded.predict_matrix(), model.predict_matrix(), rtol=0, atol=1e-4)
    assert folded.list_start_.tolist() == model.list_start_.tolist()
    np.testing.assert_allclose(folded.similarity_, model.similarity_, rtol=0, atol=1e-5)


@pytest.mark.parametrize("cls", MODELS)
@pytest.mark.parametrize("setting", SETTINGS[:2] + SETTINGS[5:6], ids=str)
def test_duplicate_user_has_its_original_as_first_neighbor(ratings, cls, setting):
    model = cls(clip=False, **setting).fit(ratings)
    side = ROW_ENTITY[cls]
    ids = {name: getattr(ratings, f"{name}_ids") for name in ("user", "item")}
    one = int(np.bincount(getattr(ratings, side)).argmax())
    rows = np.flatnonzero(getattr(ratings, side) == one)
    twin = {name: found[rows] for name, found in ids.items()} | {side: np.full(len(rows), 123_456)}
    folded = fold_in_rows(model, Ratings.from_columns(twin["user"], twin["item"], ratings.value[rows]))
    assert folded.neighbor_[0] == one
    assert getattr(folded, f"{side}s_").ids.tolist() == [123_456]
    assert len(folded.neighbor_) == folded.list_start_[-1]
    assert model.max_stored_neighbors != 7 or len(folded.neighbor_) == 7


@pytest.mark.parametrize("cls", MODELS)
def test_reasons_name_training_rows(ratings, other_ratings, cls, tmp_path):
    texts = Ratings.from_columns(
        [f"u{u}" for u in ratings.user_ids], [f"i{i}" for i in ratings.item_ids], ratings.value
    )
    new = Ratings.from_columns(
        [f"u{u}" for u in other_ratings.user_ids],
        [f"i{i}" for i in other_ratings.item_ids],
        other_ratings.value,
    )
    side = ROW_ENTITY[cls]
    folded = fold_in_rows(cls(clip=False).fit(texts), new)
    save(folded, tmp_path / "folded.foretaste")
    given = {(u, i): v for u, i, v in zip(texts.user_ids, texts.item_ids, texts.value.tolist(), strict=True)}
    n_reasons = 0
    for model in (folded, load(tmp_path / "folded.foretaste")):
        for user in model.users_.ids[::5].tolist():
            for item in model.items_.ids[::5].tolist():
                explanation = explain(model, user, item)
                part = next(part.value for part in explanation.parts if part.name == "neighbors")
                assert sum(reason.contribution for reason in explanation.reasons) == pytest.approx(
                    part, abs=1e-4
                )
                for reason in explanation.reasons:
                    pair = (reason.id, item) if side == "user" else (user, reason.id)
                    assert reason.rating == pytest.approx(given[pair], abs=1e-4)
                    n_reasons += 1
    assert n_reasons > 100


@pytest.mark.parametrize("cls", MODELS)
def test_folded_in_model_folds_in_like_the_original(ratings, other_ratings, cls):
    model = cls().fit(ratings)
    first = fold_in_rows(model, ratings[:200])
    np.testing.assert_allclose(
        fold_in_rows(first, other_ratings).predict_matrix(),
        fold_in_rows(model, other_ratings).predict_matrix(),
        rtol=0,
        atol=1e-4,
    )


@pytest.mark.parametrize("cls", MODELS)
def test_columns_are_folded_in_before_rows(ratings, other_ratings, cls):
    model, side = cls().fit(ratings), ROW_ENTITY[cls]
    other = "item" if side == "user" else "user"
    after = fold_in_rows(model, other_ratings)
    with pytest.raises(
        NotSupportedError, match=f"new {other}s need the {side}s of the training ratings"
    ) as refused:
        fold_in(after, **{f"{other}s": ratings})
    assert f"fold_in(model, {other}s=...) first" in refused.value.hint
    both = fold_in_rows(fold_in(model, **{f"{other}s": ratings}), other_ratings)
    np.testing.assert_allclose(both.predict_matrix(), after.predict_matrix(), rtol=0, atol=1e-4)


def test_blend_with_folded_in_neighbors_can_be_saved(ratings, other_ratings, tmp_path):
    blend = Blend(models=["UserKNN", "Bias"], folds=2).fit(ratings)
    folded = fold_in(blend, users=other_ratings)
    save(folded, tmp_path / "blend.foretaste")
    again = load(tmp_path / "blend.foretaste")
    np.testing.assert_array_equal(again.predict_matrix(), folded.predict_matrix())
    assert again.members_[0].source_ids_ == ratings.users


def test_next_question_depends_on_the_answers(ratings):
    model = UserKNN().fit(ratings)
    first = next_question(model)
    assert next_question(model, {first: 4.0}) != first


@pytest.mark.parametrize("kind", ["product", "cosine", "pearson", "msd"])
@pytest.mark.parametrize("threads", [1, 3])
def test_neighbors_of_last_rows_are_earlier_rows(kind, threads):
    """The kernel, against itself: all others of all rows, of which only those before count."""
    rng = np.random.default_rng(2)
    rows, columns, first = 40, 25, 30
    where = rng.permutation(rows * columns)[:420]
    row, column = (where // columns).astype(np.int32), (where % columns).astype(np.int32)
    value = rng.normal(size=420)
    rules = 2.0, 2, 3, True, False, threads
    whole = _native.nearest_rows(row, column, value, rows, columns, kind, rows, *rules)
    start, other, similarity = _native.nearest_rows(row, column, value, rows, columns, kind, 6, *rules, first)
    assert start[: first + 1].tolist() == [0] * (first + 1)
    for k in range(first, rows):
        mine = slice(*whole[0][k : k + 2])
        before = whole[1][mine] < first
        assert other[start[k] : start[k + 1]].tolist() == whole[1][mine][before][:6].tolist()
        assert similarity[start[k] : start[k + 1]].tolist() == whole[2][mine][before][:6].tolist()
    for wrong in (-1, rows + 1):
        with pytest.raises(ValueError, match="first must be a row"):
            _native.nearest_rows(row, column, value, rows, columns, kind, 6, *rules, wrong)
