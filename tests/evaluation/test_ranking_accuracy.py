"""Ranking on MovieLens 100K as in a published table: a quarter of each user's ratings held out.

``recommenders-team/recommenders``: README, "Algorithm Comparison", and examples/06_benchmarks; popularity in
examples/02_model_collaborative_filtering/baseline_deep_dive.ipynb. Candidates are all items without a
training rating of the user, every held-out rating is relevant, lists have ten items. Their split is
another random one: popularity's metrics differ by as much as another seed makes them.
"""

from __future__ import annotations

import numpy as np
import pytest
from documents import DOCS, tables
from real_data import data_file

from foretaste.evaluation import evaluate_ranking
from foretaste.models import EASE
from foretaste.ratings import Ratings

pytestmark = pytest.mark.dataset

PUBLISHED_POPULARITY = {"ndcg": 0.2529, "map": 0.0550, "precision": 0.2246, "recall": 0.1117}
FIGURES = tuple(PUBLISHED_POPULARITY)


def quarter_of_each_user(ratings: Ratings, seed: int) -> tuple[Ratings, Ratings]:
    """Return three quarters of the ratings of each user, and the rest."""
    order = np.random.default_rng(seed).permutation(len(ratings))
    order = order[np.argsort(ratings.user[order], kind="stable")]
    count = np.bincount(ratings.user)
    place = np.arange(len(ratings)) - np.repeat(np.cumsum(count) - count, count)
    test = np.zeros(len(ratings), bool)
    test[order[place < np.round(0.25 * count)[ratings.user[order]]]] = True
    return ratings[~test], ratings[test]


@pytest.fixture(scope="module")
def results():
    table = np.loadtxt(data_file("ml-100k/u.data"), dtype=int)
    ratings = Ratings.from_columns(table[:, 0], table[:, 1], table[:, 2].astype(float))
    train, test = quarter_of_each_user(ratings, 42)
    assert (len(train), len(test)) == (74_992, 25_008)  # as theirs
    models = [EASE(target="binary"), "EASE", "ALS", "ItemKNN", "SVDpp", "Bias", "SVD"]
    return evaluate_ranking(train, models, test=test, relevant="all")


def row_of(results, name):
    return next(row for row in results.rows if row["name"] == name)


def test_popularity_reproduces_the_published_scores(results):
    row = row_of(results, "Popularity")
    assert [row[name] for name in FIGURES] == pytest.approx(list(PUBLISHED_POPULARITY.values()), abs=0.01)


def test_binary_ease_beats_popularity(results):
    row = row_of(results, "EASE(target='binary')")
    assert results.best_row is row
    assert row["over_popularity_low"] > 0.18
    assert row["ndcg"] > 0.45  # the best of the published table: 0.475
    assert row["map"] > 0.135
    assert row["precision"] > 0.39
    assert row["recall"] > 0.205


@pytest.mark.parametrize("name", ["EASE", "ALS", "ItemKNN", "SVDpp", "Bias", "SVD"])
def test_models_of_ratings_are_below_popularity(results, name):
    """They predict how much a rated item is liked, not what will be rated; see docs/ranking.md."""
    row = row_of(results, name)
    assert row["over_popularity_high"] < 0
    assert 0.05 < row["ndcg"] < 0.2


def test_documentation_shows_these_scores(results):
    ours, theirs = (table for table in tables(DOCS / "ranking.md") if "nDCG@10" in table[0])
    documented = {row[0]: row[1:] for row in ours[1:]}
    assert len(documented) == len(results)
    for row in results.rows:
        name = row["name"].replace("'", '"')
        figures = [float(text) for text in documented[f"`{name}`"]]
        assert figures == pytest.approx([row[key] for key in FIGURES], abs=0.006), name
    popular = next(row for row in theirs if row[0].startswith("most popular"))
    assert [float(text) for text in popular[1:]] == pytest.approx(
        list(PUBLISHED_POPULARITY.values()), abs=0.0005
    )
