"""ItemKNN and UserKNN against plain numpy, loop by loop."""

from __future__ import annotations

import numpy as np
import pytest
from contract.contract_table import every_pair

from foretaste._utils import memory
from foretaste.errors import (
    DataError,
    InvalidParameterError,
    ModelFileError,
    NotEnoughMemoryError,
    NotSupportedError,
)
from foretaste.models import Bias, ItemKNN, UserKNN
from foretaste.models._knn import neighbor_lists_bytes
from foretaste.ratings import Pairs, Ratings
from foretaste.recommendation import recommend

MODELS = [ItemKNN, UserKNN]


def center_by_hand(model, matrix):
    """Return what predictions start from, the deviations from it and their unit; (items, users) or turned.

    ``matrix`` has the rows that are compared as rows, NaN where there is no rating.
    """
    mean = np.nanmean(matrix)
    if model.centering == "none":
        start, unit = np.full(matrix.shape, mean), np.ones(len(matrix))
    elif model.centering == "bias":
        items_first = model.bias_epochs is not None
        bias = Bias(
            method="als" if items_first else "exact", epochs=model.bias_epochs or 200, clip=False,
            user_damping=model.user_damping, item_damping=model.item_damping,
        )  # fmt: skip
        side, other = np.nonzero(~np.isnan(matrix))
        user, item = (other, side) if model.row_entity == "item" else (side, other)
        full = bias.fit(Ratings.from_columns(user, item, matrix[side, other])).predict_matrix()
        start, unit = full.T if model.row_entity == "item" else full, np.ones(len(matrix))
    else:
        own = np.nanmean(matrix, axis=1, keepdims=True)
        unit = np.ones(len(matrix))
        if model.centering == "z_score":
            unit = np.nanstd(matrix, axis=1)
            unit[unit < 1e-6 * np.nanstd(matrix)] = np.nanstd(matrix)
        start = np.broadcast_to(own, matrix.shape)
    return start, (matrix - start) / unit[:, None], unit


def compared_values(model, matrix, deviation):
    value = (matrix - np.nanmean(matrix)) / np.nanstd(matrix) if model.standardize else matrix
    if model.similarity == "pearson_bias":
        return deviation
    if model.similarity == "adjusted_cosine":
        return value - np.nanmean(value, axis=0, keepdims=True)
    if (model.similarity, model.norm_over) == ("pearson", "all"):
        return value - np.nanmean(value, axis=1, keepdims=True)
    return value


def similarities_by_hand(model, value):
    rows = len(value)
    norm = np.sqrt(np.nansum(value**2, axis=1))
    table = np.zeros((rows, rows))
    for i in range(rows):
        for j in range(rows):
            both = ~np.isnan(value[i]) & ~np.isnan(value[j])
            n = both.sum()
            if i == j or n < model.min_support:
                continue
            x, y = value[i, both], value[j, both]
            if model.similarity == "msd":
                s = 1 / (np.mean((x - y) ** 2) + 1)
            else:
                if (model.similarity, model.norm_over) == ("pearson", "common"):
                    x, y = x - x.mean(), y - y.mean()
                length = norm[i] * norm[j] if model.norm_over == "all" else np.sqrt(x @ x) * np.sqrt(y @ y)
                s = x @ y / length if length > 1e-9 else 0.0
            s *= (n - 1) / (n - 1 + model.shrinkage) if model.shrinkage else 1.0
            s *= min(1.0, n / model.significance_weighting) if model.significance_weighting else 1.0
            table[i, j] = s if abs(s) > 1e-9 and (s > 0 or model.negative) else 0.0
    return table


def predictions_by_hand(model, ratings):
    """Return all predictions, shape (users, items)."""
    matrix = ratings.to_matrix(dtype=np.float64)
    matrix = matrix.T if model.row_entity == "item" else matrix
    start, deviation, unit = center_by_hand(model, matrix)
    table = similarities_by_hand(model, compared_values(model, matrix, deviation))
    found = start.copy()
    for i in range(len(matrix)):
        size = np.round(np.abs(table[i]), 9)  # equal but for rounding is equal
        order = np.lexsort((np.arange(len(size)), -size))
        order = order[size[order] > 0]
        order = order[: len(order) if model.max_stored_neighbors is None else model.max_stored_neighbors]
        for c in range(matrix.shape[1]):
            there = order[~np.isnan(matrix[order, c])]
            near = there[: model.neighbors]
            if len(near) >= max(1, model.min_neighbors):
                weight = np.abs(table[i, near]).sum() + model.damping
                found[i, c] += unit[i] * (table[i, near] @ deviation[near, c]) / weight
    return found.T if model.row_entity == "item" else found


SETTINGS = [
    {},
    {"neighbors": 3},
    {"max_stored_neighbors": 4, "min_neighbors": 2},
    {"similarity": "cosine", "norm_over": "all"},
    {"similarity": "cosine", "norm_over": "common", "standardize": False},
    {"similarity": "adjusted_cosine", "norm_over": "all", "negative": True},
    {"similarity": "adjusted_cosine", "norm_over": "common", "min_support": 4},
    {"similarity": "pearson", "norm_over": "all", "significance_weighting": 6},
    {"similarity": "pearson", "norm_over": "common", "min_support": 3, "negative": True},
    {"similarity": "msd", "standardize": False, "centering": "none"},
    {"similarity": "msd", "significance_weighting": 4, "shrinkage": 5.0, "centering": "mean"},
    {"similarity": "pearson_bias", "norm_over": "common", "bias_epochs": 3, "damping": 0.0},
    {"centering": "z_score", "similarity": "cosine", "negative": True},
    {"shrinkage": 0.0, "damping": 3.0, "user_damping": 1.0, "item_damping": 9.0},
]


@pytest.mark.parametrize("cls", MODELS)
@pytest.mark.parametrize("setting", SETTINGS, ids=str)
def test_knn_predictions_equal_numpy(ratings, cls, setting):
    model = cls(clip=False, **setting).fit(ratings)
    wanted = predictions_by_hand(model, ratings)
    np.testing.assert_allclose(model.predict_matrix(), wanted, rtol=0, atol=2e-4)
    if not setting:
        assert np.abs(wanted - Bias(clip=False).fit(ratings).predict_matrix()).max() > 0.5


@pytest.mark.parametrize("cls", MODELS)
def test_similarity_and_centering_are_independent(ratings, cls):
    mixed = cls(clip=False, centering="mean", similarity="pearson_bias").fit(ratings)
    alike = cls(clip=False, similarity="pearson_bias").fit(ratings)
    about_means = cls(clip=False, centering="mean", similarity="cosine").fit(ratings)
    for name in ("list_start_", "neighbor_", "similarity_"):
        assert np.array_equal(getattr(mixed, name), getattr(alike, name))
    for name in ("user_bias_", "item_bias_", "deviation_", "rated_"):
        assert np.array_equal(getattr(mixed, name), getattr(about_means, name))


@pytest.mark.parametrize("cls", MODELS)
def test_user_knn_equals_transposed_item_knn(ratings, cls):
    other = UserKNN if cls is ItemKNN else ItemKNN
    turned = Ratings.from_columns(ratings.item_ids, ratings.user_ids, ratings.value)
    one = cls(user_damping=2.0, item_damping=7.0, bias_epochs=None).fit(ratings)
    two = other(user_damping=7.0, item_damping=2.0).fit(turned)
    np.testing.assert_allclose(one.predict_matrix(), two.predict_matrix().T, rtol=0, atol=1e-4)


@pytest.mark.parametrize("cls", MODELS)
def test_stored_neighbors_are_bounded(larger_ratings, cls):
    for stored in (1, 5, 17):
        model = cls(max_stored_neighbors=stored).fit(larger_ratings)
        assert np.diff(model.list_start_).max() == stored
        assert len(model.neighbor_) <= stored * len(model.row_std_)
    everything = cls(max_stored_neighbors=None).fit(larger_ratings)
    nearest = cls(max_stored_neighbors=17).fit(larger_ratings)
    for r in range(len(nearest.row_std_)):
        kept = nearest.neighbor_[nearest.list_start_[r] : nearest.list_start_[r + 1]]
        first = everything.list_start_[r]
        assert kept.tolist() == everything.neighbor_[first : first + len(kept)].tolist()


@pytest.mark.parametrize("cls", MODELS)
def test_unknown_ids_get_the_documented_fallback(ratings, cls):
    model = cls(clip=False).fit(ratings)
    bias = Bias(clip=False).fit(ratings)
    asked = [(-5, int(ratings.items.ids[3])), (int(ratings.users.ids[4]), -5), (-5, -5)]
    details = model.predict_details(asked)
    assert details.fallback.tolist() == [1, 2, 3]
    np.testing.assert_allclose(details.value, bias.predict(asked), rtol=0, atol=1e-6)


@pytest.mark.parametrize("cls", MODELS)
@pytest.mark.parametrize("centring", ["none", "mean", "z_score", "bias"])
def test_neighbor_contributions_sum_to_their_part(ratings, cls, centring):
    model = cls(centering=centring, clip=False, neighbors=6).fit(ratings)
    pairs = every_pair(ratings)
    user, item = model.users_.indices_of(pairs[:, 0]), model.items_.indices_of(pairs[:, 1])
    pairs = Pairs(user, item)
    contributions = model.contributions(pairs)
    assert contributions.parts == ("mean", "user", "item", "neighbors")
    np.testing.assert_allclose(
        contributions.values.sum(axis=1, dtype=np.float64),
        model.predict_encoded(pairs).value,
        rtol=0,
        atol=1e-5,
    )
    is_rated = ~np.isnan(ratings.to_matrix())
    for u, i, part in zip(user.tolist(), item.tolist(), contributions.values[:, 3].tolist(), strict=True):
        if min(u, i) < 0:
            assert part == 0  # an unknown one has no neighbors
            continue
        attribution = model.attribute_ratings(u, i, None)
        assert attribution.contribution.sum() == pytest.approx(part, abs=1e-5)
        neighbors = attribution.indices
        assert (is_rated[u, neighbors] if cls is ItemKNN else is_rated[neighbors, i]).all()


def test_recommendations_for_folded_in_users(ratings, other_ratings):
    model = ItemKNN().fit(ratings)
    known = other_ratings[np.isin(other_ratings.item_ids, ratings.items.ids)]
    folded = model.fold_in(known)
    user = known.users.ids[5]
    found = recommend(folded, [user], 4, exclude=known)
    assert len(next(iter(found))[1].ids) == 4


@pytest.mark.parametrize("cls", MODELS)
def test_neighbor_lists_beyond_memory_raise(larger_ratings, cls, monkeypatch):
    monkeypatch.setattr(memory, "available_bytes", lambda: 300_000)
    with pytest.raises(
        NotEnoughMemoryError, match=rf"{cls.__name__} with up to .* needs .* of memory"
    ) as caught:
        cls(threads=1).fit(larger_ratings)
    assert "max_stored_neighbors=" in caught.value.hint


def test_memory_estimate_grows_with_items_times_stored_neighbors():
    others = np.full(100_000, 99_999.0)
    one, two = (neighbor_lists_bytes(others, keep, 0, 1) for keep in (50, 100))
    assert one < 100_000 * 50 * 50
    assert 1.6 < two / one < 2.1
    assert (
        neighbor_lists_bytes(others, 500, 0, 16) < 3e9
    )  # where threads gather too much, pairs are met twice


@pytest.mark.parametrize("cls", MODELS)
def test_invalid_neighbor_lists_in_a_file_raise(ratings, cls):
    model = cls().fit(ratings)
    state = model.get_state()
    for name, value in (
        ("neighbor_", np.full_like(state["neighbor_"], 1000)),
        ("rated_", state["rated_"] - np.int32(1)),
        ("list_start_", state["list_start_"][::-1].copy()),
        ("rated_start_", state["rated_start_"][:-1].copy()),
    ):
        with pytest.raises(ModelFileError):
            cls().set_state(state | {name: value})


@pytest.mark.parametrize("cls", MODELS)
def test_invalid_parameters_raise(ratings, cls):
    for setting, words in (
        ({"neighbors": 0}, "neighbors=0"),
        ({"similarity": "cosin"}, 'similarity="cosin"'),
        ({"shrinkage": -1.0}, "shrinkage=-1.0"),
        ({"max_stored_neighbors": 0}, "max_stored_neighbors=0"),
        ({"bias_epochs": 0}, "bias_epochs=0"),
        ({"centering": "biases"}, 'centering="biases"'),
    ):
        with pytest.raises(InvalidParameterError, match=words):
            cls(**setting).fit(ratings)
    with pytest.raises(NotSupportedError, match="does not support sample weights"):
        cls().fit(ratings, sample_weight=np.ones(len(ratings)))
    with pytest.raises(DataError):
        cls().fit(ratings[[]])
