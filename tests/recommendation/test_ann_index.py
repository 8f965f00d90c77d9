"""The approximate item index, compared with exact search."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from real_data import data_file

from foretaste.errors import MissingDependencyError, NotSupportedError
from foretaste.ids import IdIndex
from foretaste.io import read_ratings
from foretaste.models import SVD, ItemKNN
from foretaste.ratings import Ratings
from foretaste.recommendation.ann_index import RECALL_AT, ItemIndex
from foretaste.recommendation.topk import ExcludedItems, TopKRanker

NOTHING = np.empty(0, np.int32)


def exactly(model, user, seen, n):
    rows = ExcludedItems(np.array([0, len(seen)], np.int64), seen)
    every = np.arange(len(model.items_), dtype=np.int32)
    return (one[0] for one in TopKRanker(model, every, n, 1).topk(np.array([user], np.int32), rows))


def with_many_items(items, factors):
    """Return a model whose items are generated, of five hundred kinds; some tastes count more than others."""
    rng = np.random.default_rng(1)
    users, few = rng.integers(0, 300, 3000), rng.permutation(3000)
    model = SVD(factors=factors, epochs=1, threads=1)
    model.fit(Ratings.from_columns(users, few, rng.integers(1, 6, 3000)))
    users, strength = len(model.users_), (np.arange(factors) + 1.0) ** -0.5
    kinds = rng.normal(size=(500, factors))
    taste = 0.7 * kinds[rng.integers(500, size=users)] + rng.normal(size=(users, factors))
    kind = 0.7 * kinds[rng.integers(500, size=items)] + rng.normal(size=(items, factors))
    model.items_ = IdIndex(np.arange(items))
    model.user_factors_ = (taste * strength).astype(np.float32)
    model.item_factors_ = (kind * strength * rng.lognormal(0, 0.5, (items, 1)) / 4).astype(np.float32)
    model.item_bias_ = rng.normal(0, 0.4, items).astype(np.float32)
    return model


def agreement(index, model, users, seen, n=RECALL_AT):
    """Return the share of the best of all that the index finds, having checked that it ranks them rightly."""
    share = []
    for user in users:
        wanted, scores = exactly(model, user, seen, n)
        found, predicted = index.topk(model, user, seen, n)
        assert len(found) == n
        assert not np.isin(found, seen).any()
        assert (np.diff(predicted) <= 0).all()
        places = dict(zip(wanted.tolist(), scores.tolist(), strict=True))
        for item, score in zip(found.tolist(), predicted.tolist(), strict=True):
            assert places.get(item, score) == score  # the model's own prediction, to the bit
        share.append(len(np.intersect1d(wanted, found)) / n)
    return float(np.mean(share))


@pytest.fixture(scope="module")
def many():
    pytest.importorskip("faiss", reason='needs pip install "foretaste[index]"')
    model = with_many_items(40_000, 16)
    return model, ItemIndex(model, threads=1)


@pytest.mark.peer
def test_index_has_high_recall(many):
    model, index = many
    assert index.recall_ >= 0.99
    assert 4 * index.candidates_ < 40_000  # or all would be scored
    assert agreement(index, model, range(20), NOTHING) >= 0.97


@pytest.mark.peer
def test_excluded_items_are_replaced(many):
    model, index = many
    best, _ = exactly(model, 3, NOTHING, 500)  # the best items of one user
    found, _ = index.topk(model, 3, best[::-1].copy(), 10)
    wanted, _ = exactly(model, 3, best, 10)
    assert len(np.intersect1d(found, wanted)) >= 8
    assert agreement(index, model, [3], best) >= 0.8


@pytest.mark.peer
def test_large_n_falls_back_to_exact_search(many):
    model, index = many
    seen = np.arange(0, 40_000, 2, dtype=np.int32)
    assert agreement(index, model, [5], seen, 1000) == 1.0


@pytest.mark.peer
def test_folded_in_users_are_searched(many):
    model, index = many
    new = Ratings.from_columns([999] * 6, [3, 5, 7, 11, 13, 17], [5, 1, 4, 2, 5, 3])
    folded = model.fold_in(new)
    assert agreement(index, folded, [0], model.items_.indices_of(new.items.ids)) >= 0.8


@pytest.mark.peer
def test_models_without_factors_raise(ratings):
    pytest.importorskip("faiss", reason='needs pip install "foretaste[index]"')
    with pytest.raises(NotSupportedError, match="ItemKNN has no item factors"):
        ItemIndex(ItemKNN().fit(ratings))


def test_missing_faiss_names_the_extra(ratings, monkeypatch):
    monkeypatch.setitem(sys.modules, "faiss", None)
    with pytest.raises(MissingDependencyError, match="requires faiss") as caught:
        ItemIndex(SVD(factors=2).fit(ratings))
    assert caught.value.hint == 'pip install "foretaste[index]"'


@pytest.mark.peer
@pytest.mark.dataset
@pytest.mark.slow
def test_recall_on_real_ratings():
    pytest.importorskip("faiss", reason='needs pip install "foretaste[index]"')
    ratings = read_ratings(data_file("ml-1m/ratings_no_timestamps.dat.gz"))
    index = ItemIndex(SVD(factors=64, threads=2).fit(ratings), threads=1)
    assert index.recall_ >= 0.99
    assert index.candidates_ <= 400  # of 3,706


@pytest.mark.nightly
@pytest.mark.peer
def test_recall_of_three_hundred_thousand_items():
    pytest.importorskip("faiss", reason='needs pip install "foretaste[index]"')
    index = ItemIndex(with_many_items(300_000, 64), threads=1)
    assert index.recall_ >= 0.99
    assert index.candidates_ <= 6400
