"""Contract: every input form of ratings and pairs gives the same model."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from contract_table import (
    FRAMES,
    assert_same_state,
    each_model,
    every_pair,
    frame_of,
    make,
    pairs_of,
    same_bits,
    unvalidated_pairs,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from foretaste.errors import DataError, NotFittedError
from foretaste.models import MODELS
from foretaste.ratings import Ratings


@each_model()
def test_fit_accepts_every_input_form_alike(name, ratings):
    model = make(name).fit(ratings)
    if not model.requires:  # bare pairs carry nothing but ids
        pairs, bare = pairs_of(ratings), make(name).fit(ratings.replace(timestamp=None))
        assert_same_state(make(name).fit(pairs, ratings.value), bare)
        assert_same_state(make(name).fit([tuple(p) for p in pairs.tolist()], ratings.value.tolist()), bare)
    for kind in FRAMES:
        assert_same_state(make(name).fit(frame_of(kind, ratings, value=True)), model)
        assert_same_state(make(name).fit(frame_of(kind, ratings), ratings.value), model)


@each_model()
def test_predict_accepts_every_input_form_alike(name, ratings, other_ratings):
    model = make(name).fit(ratings)
    for asked in (ratings, other_ratings):
        pairs = pairs_of(asked)
        for rows in (asked, asked.replace(timestamp=None)):
            value = model.predict(rows)
            assert value.dtype == np.float32
            assert value.shape == (len(asked),)
            for kind in FRAMES:
                assert same_bits(model.predict(frame_of(kind, rows)), value)
        assert same_bits(model.predict(pairs), value)
        assert same_bits(model.predict([tuple(p) for p in pairs.tolist()]), value)


@each_model()
@settings(max_examples=25)
@given(rows=st.sets(st.integers(0, 899), min_size=2, max_size=120), shuffle=st.randoms())
def test_slice_fits_like_its_pairs(name, ratings, rows, shuffle):
    """A user without training rows must be unknown, not merely without ratings."""
    rows = sorted(rows)
    shuffle.shuffle(rows)
    rows = np.array(rows)
    pairs, part = pairs_of(ratings)[rows], ratings[rows]
    part = part if MODELS[name].requires else part.replace(timestamp=None)
    sliced, anew = make(name).fit(part), make(name).fit(unvalidated_pairs(name, part), part.value)
    assert_same_state(sliced, anew)
    asked = every_pair(ratings)
    one, other = sliced.predict_details(asked), anew.predict_details(asked)
    assert same_bits(one.value, other.value)
    assert same_bits(one.fallback, other.fallback)
    known = np.isin(asked[:, 0], pairs[:, 0])
    assert ((one.fallback & 1 == 0) == known).all()


@each_model()
def test_predict_matrix_equals_predict_on_all_pairs(name, ratings, other_ratings):
    model = make(name).fit(ratings)
    for users, items in ((None, None), (other_ratings.users, other_ratings.items)):
        rows, columns = (users or ratings.users).ids, (items or ratings.items).ids
        pairs = np.column_stack([np.repeat(rows, len(columns)), np.tile(columns, len(rows))])
        assert same_bits(
            model.predict_matrix(users, items), model.predict(pairs).reshape(len(rows), len(columns))
        )


@each_model()
def test_ids_of_the_wrong_type_raise(name, ratings):
    model = make(name).fit(ratings)
    for pairs in ([("11", 5)], [(11, "5")], [("a", "b")], pl.DataFrame({"user": ["11"], "item": ["5"]})):
        with pytest.raises(DataError, match="ids are given as str"):
            model.predict(pairs)
    with pytest.raises(DataError, match="mixes numbers and text"):
        model.predict([(11, 5), ("11", 5)])
    texts = Ratings.from_columns(["a", "b"], ["x", "y"], [1, 2], timestamp=[3, 4])
    with pytest.raises(DataError, match="ids are given as str"):
        model.predict(texts)
    with pytest.raises(DataError, match="ids are given as int"):
        make(name).fit(texts).predict([(11, 5)])


@each_model()
def test_empty_pairs_give_empty_predictions(name, ratings):
    model = make(name).fit(ratings)
    for nothing in (ratings[[]], np.empty((0, 2), int), []):
        assert model.predict(nothing).shape == (0,)


@each_model()
def test_methods_before_fit_raise(name, ratings):
    model = make(name)
    for ask in (model.predict, model.predict_details, model.score, lambda _: model.predict_matrix()):
        with pytest.raises(NotFittedError, match=f"this {name} has not been fitted"):
            ask(ratings)
    with pytest.raises(NotFittedError, match=f"this {name} has not been fitted"):
        model.get_state()
