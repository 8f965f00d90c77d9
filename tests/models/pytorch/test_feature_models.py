"""Models with user and item features: the equation, and users and items known by features alone."""

from __future__ import annotations

from itertools import combinations

import needs_torch  # noqa: F401 - skips where torch is missing
import numpy as np
import polars as pl
import pytest

from foretaste import Bias, Ratings, load, recommend, rmse, save
from foretaste.errors import DataError, NotSupportedError
from foretaste.models import MODELS
from foretaste.models.outputs import Fallback

NAMES = ["FactorizationMachine", "NeuralMF"]
each = pytest.mark.parametrize("name", NAMES)


QUICK = {"factors": 4, "epochs": 4, "batch_size": 128, "learning_rate": 0.02, "threads": 1}


def make(name: str, **params):
    return MODELS[name](**(QUICK | params))


def user_frame(ids) -> pl.DataFrame:
    ids = np.asarray(ids)
    age = (ids * 37 % 60 + 10).astype(float)
    return pl.DataFrame({"user": ids, "town": [f"t{k % 3}" for k in ids], "age": age})


def item_frame(ids) -> pl.DataFrame:
    ids = np.asarray(ids)
    return pl.DataFrame({"item": ids, "funny": (ids % 2).astype(float), "kind": [f"k{k % 4}" for k in ids]})


@pytest.fixture(scope="module")
def ratings_with_features() -> Ratings:
    """Ratings that follow from the features of both sides, and hardly from who it is."""
    random = np.random.default_rng(3)
    user, item = np.nonzero(random.random((120, 60)) < 0.4)
    town, age = user % 3, (user * 37 % 60 + 10) / 60
    value = 3 + (town == 1) * 0.8 - (item % 4 == 2) * 0.9 + np.where(item % 2, 1, -1) * (age - 0.6) * 3
    value = value + random.normal(0, 0.1, len(value))
    ratings = Ratings.from_columns(user, item, value)
    return ratings.with_features(users=user_frame(np.arange(120)), items=item_frame(np.arange(60)))


@pytest.fixture(scope="module")
def parts(ratings_with_features) -> tuple[Ratings, Ratings, Ratings, Ratings]:
    """Training rows without the last 30 users and 15 items; rows of these users; of these items; of both."""
    user, item = ratings_with_features.user >= 90, ratings_with_features.item >= 45
    return tuple(
        ratings_with_features[rows] for rows in (~user & ~item, user & ~item, ~user & item, user & item)
    )


def test_factorization_machine_equals_the_sum_over_feature_pairs(parts):
    train, _, _, new = parts
    networks = []

    class Recorded(MODELS["FactorizationMachine"]):
        def _set_fitted_network(self, network):
            networks.append(network)
            super()._set_fitted_network(network)

    model = Recorded(**QUICK, clip=False, id_dropout=0.5).fit(train)
    network = networks[-1]
    sides = {
        side: {name: value.detach().numpy().astype(float) for name, value in module.state_dict().items()}
        for side, module in (("user", network.user), ("item", network.item))
    }

    def terms(name: str, index: int, values: np.ndarray) -> list[tuple[float, np.ndarray]]:
        side = sides[name]
        own = [(side["bias"][index], side["factors"][index])] if index >= 0 else []
        return own + [
            (x * w, x * v) for x, w, v in zip(values, side["weights"], side["feature_factors"], strict=True)
        ]

    def second_order(user: int, item: int, of_user: np.ndarray, of_item: np.ndarray) -> float:
        both = terms("user", user, of_user) + terms("item", item, of_item)
        pairs = sum(one @ other for (_, one), (_, other) in combinations(both, 2))
        return model.mean_ + model.std_ * (sum(w for w, _ in both) + pairs)

    units = {side: getattr(model, f"{side}_units_").astype(float) for side in ("user", "item")}
    for ratings, known in ((train, True), (new, False)):
        user_values = (ratings.user_features.values - units["user"][:, 0]) / units["user"][:, 1]
        item_values = (ratings.item_features.values - units["item"][:, 0]) / units["item"][:, 1]
        rows = np.arange(0, len(ratings), 40)
        wanted = [
            second_order(u if known else -1, i if known else -1, user_values[u], item_values[i])
            for u, i in zip(ratings.user[rows], ratings.item[rows], strict=True)
        ]
        np.testing.assert_allclose(model.predict(ratings)[rows], wanted, rtol=0, atol=1e-4)


@each
def test_features_improve_predictions_for_unknown_users(name, parts):
    train, *new = parts
    model = make(name, factors=8, epochs=60).fit(train)
    biases = Bias().fit(train)
    details = [model.predict_details(test) for test in new]
    for test, detail, mark in zip(new, details, (Fallback.USER, Fallback.ITEM, Fallback.BOTH), strict=True):
        assert (detail.fallback == mark).all()
        assert rmse(test.value, detail.value) < 0.6 * rmse(test.value, biases.predict(test))
        bare = model.predict(test.replace(user_features=None, item_features=None))
        assert np.abs(bare - detail.value).max() > 0.3
    assert (model.predict_details(train).fallback == Fallback.NONE).all()


@each
def test_added_users_are_predicted_from_their_features(name, parts, tmp_path):
    train, new_users, new_items, both = parts
    model = make(name).fit(train)
    before = {key: np.copy(value) for key, value in vars(model).items() if isinstance(value, np.ndarray)}
    more = model.with_new(users=user_frame(np.arange(60, 120)), items=item_frame(np.arange(60)))
    assert len(more.users_) == 120
    assert len(more.items_) == 60
    for test in (train, new_users, new_items, both):
        bare = test.replace(user_features=None, item_features=None)
        np.testing.assert_allclose(more.predict(bare), model.predict(test), rtol=0, atol=1e-5)
        assert (more.predict_details(bare).fallback == Fallback.NONE).all()
    assert all(np.array_equal(value, getattr(model, key)) for key, value in before.items())
    assert len(model.users_) == 90
    best = recommend(more, 119, n=60)
    assert set(best.ids.tolist()) == set(range(60))
    save(more, tmp_path / "more.foretaste")
    again = load(tmp_path / "more.foretaste")
    assert again.predict(both).tobytes() == more.predict(both).tobytes()
    assert len(again.with_new(users=user_frame([500])).users_) == 121


@each
def test_slice_is_predicted_like_the_whole(name, parts):
    """Slices carry the features of their own users and items, in their own order."""
    train, new_users, _, _ = parts
    model = make(name).fit(train)
    rows = np.random.default_rng(0).permutation(len(new_users))[:40]
    np.testing.assert_allclose(
        model.predict(new_users[rows]), model.predict(new_users)[rows], rtol=0, atol=1e-6
    )


@each
def test_numeric_features_are_scale_free(name, parts):
    train, test, _, _ = parts
    one = make(name).fit(train)
    users = user_frame(np.arange(120)).with_columns(pl.col("age") * 1000 - 5)
    other = make(name).fit(train.with_features(users=users))
    np.testing.assert_allclose(
        other.predict(test.with_features(users=users)), one.predict(test), rtol=0, atol=1e-3
    )


@each
def test_unknown_columns_raise_and_unknown_values_are_ignored(name, parts):
    train, test, _, _ = parts
    model = make(name).fit(train)
    frame = user_frame(test.users.ids)
    with pytest.raises(DataError, match='user feature "height" was not in the training data') as odd:
        model.predict(test.with_features(users=frame.with_columns(height=1.5)))
    assert "town, age" in odd.value.hint
    for lost in ("age", "town"):
        with pytest.raises(DataError, match=f'user feature "{lost}" is missing'):
            model.predict(test.with_features(users=frame.drop(lost)))
    far = model.with_new(users=frame.with_columns(town=pl.lit("nowhere"), user=pl.col("user") + 1000))
    nowhere = [
        model.predict(test.with_features(users=frame.with_columns(town=pl.lit(t)))) for t in ("x", "y")
    ]
    np.testing.assert_array_equal(*nowhere)
    pairs = np.column_stack([test.user_ids + 1000, test.item_ids])
    np.testing.assert_allclose(far.predict(pairs), nowhere[0], rtol=0, atol=1e-5)


@each
def test_adding_users_without_features_raises(name, ratings):
    model = make(name).fit(ratings)
    with pytest.raises(NotSupportedError, match=f"this {name} was trained without item features"):
        model.with_new(items=item_frame([1, 2]))


@each
def test_adding_ids_of_another_type_raises(name, parts):
    model = make(name).fit(parts[0])
    frame = user_frame([200]).with_columns(user=pl.lit("somebody"))
    with pytest.raises(DataError, match="user"):
        model.with_new(users=frame)


@each
def test_id_dropout_applies_only_with_features(name, parts, ratings):
    train, test, _, _ = parts
    never, often = (make(name, id_dropout=share).fit(train).predict(test) for share in (0.0, 0.8))
    assert np.abs(never - often).max() > 0.01
    same = [make(name, id_dropout=share).fit(ratings).predict(ratings) for share in (0.0, 0.8)]
    np.testing.assert_array_equal(*same)
