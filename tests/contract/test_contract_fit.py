"""Contract: fit depends on its ratings and parameters only, and predict changes nothing."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest
from contract_table import (
    SMALL,
    assert_same_state,
    each_model,
    every_pair,
    make,
    pairs_of,
    same_bits,
    same_value,
)

from foretaste.errors import DataError, InvalidParameterError
from foretaste.models import MODELS
from foretaste.persistence import inspect, load, save


def fitted_names(model):
    return sorted(set(vars(model)) & set(model.fitted_shapes()))


@each_model()
def test_fit_sets_the_declared_attributes(name, ratings):
    model = make(name)
    assert model.fit(ratings) is model
    assert set(vars(model)) == set(model.param_specs()) | set(model.fitted_shapes())
    assert (model.n_ratings_, model.users_, model.items_) == (900, ratings.users, ratings.items)
    assert model.set_state(model.get_state()) is model  # shapes and finiteness


@each_model()
def test_refit_resets_the_state(name, ratings, other_ratings):
    twice = make(name).fit(ratings).fit(other_ratings)
    assert_same_state(twice, make(name).fit(other_ratings))
    assert set(vars(twice)) == set(vars(make(name).fit(other_ratings)))


@each_model()
@pytest.mark.parametrize("stop", [KeyboardInterrupt, MemoryError, DataError("no")])
def test_failed_fit_leaves_the_model_unfitted(name, ratings, other_ratings, stop):
    class Failing(MODELS[name]):
        fails = False

        def _fit(self, train, progress):
            super()._fit(train, progress)
            if self.fails:
                raise stop

    model = Failing(**SMALL.get(name, {})).fit(ratings)
    Failing.fails = True
    with pytest.raises(stop if isinstance(stop, type) else type(stop)):
        model.fit(other_ratings)
    assert fitted_names(model) == []


@each_model()
def test_non_finite_fit_leaves_the_model_unfitted(name, ratings):
    state = make(name).fit(ratings).get_state()
    for key, value in state.items():
        if (
            not isinstance(value, np.ndarray | float)
            or np.size(value) == 0
            or np.asarray(value).dtype.kind != "f"
        ):
            continue  # whole numbers are always finite

        class Diverging(MODELS[name]):
            def _fit(self, train, progress, key=key, value=value):
                super()._fit(train, progress)
                setattr(self, key, float("nan") if isinstance(value, float) else np.full_like(value, np.inf))

        model = Diverging(**SMALL.get(name, {}))
        with pytest.raises(InvalidParameterError, match=rf"training diverged \({key} is not finite\)"):
            model.fit(ratings)
        assert fitted_names(model) == []


@each_model()
def test_refused_fit_leaves_the_model_unfitted(name, ratings):
    model = make(name).fit(ratings)
    for nothing in ((ratings[[]],), (np.empty((0, 2), int), []), ([], [])):
        with pytest.raises(DataError, match="no ratings to train on"):
            model.fit(*nothing)
        assert fitted_names(model) == []
    with pytest.raises(DataError, match="no ratings were given"):
        model.fit(pairs_of(ratings))
    assert fitted_names(model) == []


@each_model()
def test_predict_changes_nothing(name, ratings, other_ratings):
    model = make(name).fit(ratings)
    asked = copy.deepcopy((ratings, other_ratings))
    before = copy.deepcopy(vars(model))
    for X in (ratings, other_ratings, every_pair(ratings)):
        model.predict(X)
        model.predict_details(X)
    model.predict_matrix()
    model.score(ratings)
    repr(model), model._repr_html_()
    assert vars(model).keys() == before.keys()
    assert [key for key, value in vars(model).items() if not same_value(value, before[key])] == []
    for now, then in zip((ratings, other_ratings), asked, strict=True):
        assert same_bits(now.user, then.user)
        assert same_bits(now.value, then.value)
        assert now.users == then.users


@each_model()
def test_fit_does_not_change_the_ratings(name, ratings):
    before = copy.deepcopy(ratings)
    make(name).fit(ratings)
    for column in ("user", "item", "value"):
        assert same_bits(getattr(ratings, column), getattr(before, column))
    assert ratings.users == before.users
    assert ratings.items == before.items


@each_model()
def test_same_seed_gives_the_same_bits(name, ratings):
    assert_same_state(make(name).fit(ratings), make(name).fit(ratings))


@each_model(parameter="seed")
def test_another_seed_gives_other_predictions(name, ratings):
    first = make(name, seed=1).fit(ratings).predict(ratings)
    assert not np.array_equal(first, make(name, seed=2).fit(ratings).predict(ratings))


@each_model(parameter="threads", without=["bits_depend_on_threads"])
def test_threads_do_not_change_a_bit(name, larger_ratings):
    asked = every_pair(larger_ratings)
    one = make(name, threads=1).fit(larger_ratings)
    for threads in (2, 3):
        other = make(name, threads=threads).fit(larger_ratings)
        assert_same_state(one, other)
        assert same_bits(one.predict(asked), other.predict(asked))


@each_model()
def test_save_and_load_preserve_every_bit(name, ratings, other_ratings, tmp_path):
    texts = type(ratings).from_columns(
        [f"ü{u}" for u in ratings.user_ids],
        [f"i{i:03}" for i in ratings.item_ids],
        ratings.value,
        timestamp=ratings.timestamp,
    )
    for train, asked in ((ratings, every_pair(other_ratings)), (texts, texts)):
        model = make(name).fit(train)
        save(model, tmp_path / "model.foretaste")
        back = load(tmp_path / "model.foretaste")
        assert type(back) is type(model)
        assert repr(back) == repr(model)
        assert_same_state(back, model)
        one, other = back.predict_details(asked), model.predict_details(asked)
        assert same_bits(one.value, other.value)
        assert same_bits(one.fallback, other.fallback)
        assert same_bits(back.predict_matrix(), model.predict_matrix())
        assert inspect(tmp_path / "model.foretaste")["learned"]["fingerprint_"] == model.fingerprint_


@each_model()
def test_copy_and_pickle_preserve_every_bit(name, ratings):
    model = make(name).fit(ratings)
    asked = every_pair(ratings)
    for back in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):  # noqa: S301 - joblib does it
        assert_same_state(back, model)
        assert same_bits(back.predict(asked), model.predict(asked))
