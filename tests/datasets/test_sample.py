"""The bundled dataset: its contents, how it was generated, and its planted structure."""

from __future__ import annotations

import gzip
from importlib.resources import files

import numpy as np
import pytest

from foretaste import datasets
from foretaste.datasets import sample
from foretaste.errors import NotFoundError
from foretaste.metrics.rating import rmse
from foretaste.models import MODELS


@pytest.fixture(scope="module")
def bundled():
    return datasets.load("sample")


@pytest.fixture(scope="module")
def jokes():
    return datasets.load_items("sample")


def test_unknown_dataset_name_raises_with_a_suggestion():
    assert datasets.names()[0] == "sample"
    for load in (datasets.load, datasets.load_items):
        with pytest.raises(NotFoundError, match=r'no data set "smaple"; did you mean "sample"\?') as caught:
            load("smaple")
        assert caught.value.hint == "one of " + ", ".join(datasets.names())


def test_bundled_file_equals_generate_output():
    packed = (files("foretaste.datasets") / "data" / "sample_ratings.csv.gz").read_bytes()
    assert gzip.decompress(packed).decode() == sample.generate()
    assert sample.generate(1) != sample.generate()


def test_write_reproduces_the_bundled_file(tmp_path):
    sample.write_ratings_file(tmp_path)
    assert gzip.decompress((tmp_path / "sample_ratings.csv.gz").read_bytes()).decode() == sample.generate()


def test_loading_logs_nothing(caplog):
    caplog.set_level("DEBUG")
    datasets.load("sample")
    datasets.load_items("sample")
    assert caplog.records == []


def test_size_and_scale(bundled):
    assert 5_000 <= len(bundled) <= 7_000
    assert (len(bundled.users), len(bundled.items)) == (300, 60)
    assert bundled.items.ids.tolist() == list(range(1, 61))
    assert bundled.users.dtype == "int"
    assert bundled.scale == (-10, 10)
    assert (bundled.value.min(), bundled.value.max()) == (-10, 10)
    assert np.array_equal(bundled.value, np.round(bundled.value, 1).astype(np.float32))
    assert (bundled.value == 0).sum() >= 20
    assert (np.bincount(bundled.user) == 1).sum() == 8


def test_timestamps_span_months_in_order(bundled):
    assert (np.diff(bundled.timestamp) >= 0).all()
    assert 100 < (bundled.timestamp[-1] - bundled.timestamp[0]) / 86_400 < 200


def test_ratings_are_missing_not_at_random(bundled):
    counts = np.bincount(bundled.item)
    assert counts.max() > 2 * np.median(counts)
    taste = np.array([sample.TASTES.index(sample.joke_taste(i)) for i in bundled.item_ids.tolist()])
    liked = [bundled.value[taste[rows] == t] for t in range(4) for rows in [slice(None)]]
    assert min(map(len, liked)) > 1_000
    # The topic that a user rates most often is the one that this user likes most.
    most = [np.bincount(taste[bundled.user == u], minlength=4).argmax() for u in range(len(bundled.users))]
    favourite = taste == np.array(most)[bundled.user]
    assert bundled.value[favourite].mean() > bundled.value[~favourite].mean() + 1


def test_sample_has_learnable_structure(bundled):
    test = np.random.default_rng(0).random(len(bundled)) < 0.2
    train, valid = bundled[~test], bundled[test]
    error = {
        name: rmse(valid.value, MODELS[name]().fit(train).predict(valid))
        for name in ("GlobalMean", "UserMean", "ItemMean", "Bias", "SVD")
    }
    assert error["SVD"] < 0.9 * error["Bias"]
    assert error["Bias"] < 0.95 * min(error["UserMean"], error["ItemMean"])
    assert max(error["UserMean"], error["ItemMean"]) < error["GlobalMean"]


def test_items_have_titles(bundled, jokes):
    assert jokes.title == "jokeText"
    assert jokes.items == bundled.items
    texts = jokes.titles(jokes.items.ids)
    assert len({text.lower() for text in texts}) == 60
    assert all(20 < len(text) < 160 and text.isascii() for text in texts)
    assert {sample.joke_taste(i): 15 for i in jokes.items.ids.tolist()}.keys() == set(sample.TASTES)
