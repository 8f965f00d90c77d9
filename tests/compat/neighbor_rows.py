"""Ratings with ties, and helpers to inspect predictions, for comparisons with scikit-surprise."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

import foretaste.compat.surprise as ours

surprise = pytest.importorskip("surprise", reason='needs a peer: pip install "foretaste[peers]"')


def rows_of(kind, seed=3, users=25, items=20, n=220):
    """Return (user, item, rating, None): whole stars tie often; some users have rated one item alone."""
    rng = np.random.default_rng(seed)
    place = rng.integers(0, users * items, n)
    if kind != "repeated":
        place = rng.permutation(np.unique(place))
    rating = {
        "stars": lambda n: rng.integers(1, 6, n).astype(float),
        "halves": lambda n: rng.integers(1, 11, n) / 2,
        "likes": lambda n: rng.integers(1, 3, n).astype(float),
        "thirds": lambda n: rng.choice([0.1, 1.3, 3.3], n),  # no sum of these is exact
        "repeated": lambda n: rng.choice([1.1, 2.7, 4.9], n),
        "signed": lambda n: rng.uniform(-10, 10, n),
    }[kind](len(place))
    lonely = [(f"l{one}", f"i{one % items}", float(1 + one % 5), None) for one in range(6)]
    pairs = [(f"u{p // items}", f"i{p % items}", float(r), None) for p, r in zip(place, rating, strict=True)]
    return pairs + lonely


def trainsets(rows, scale=(1, 5)):
    theirs = surprise.Dataset(surprise.Reader(rating_scale=scale)).construct_trainset(rows)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ours._warnings.SurpriseCompatWarning)
        mine = ours.Dataset(ours.Reader(rating_scale=scale)).construct_trainset(rows)
    mine.theirs = theirs
    return theirs, mine


def every_pair(rows):
    users = [*dict.fromkeys(row[0] for row in rows), "nobody"]
    items = [*dict.fromkeys(row[1] for row in rows), "nothing"]
    return [(user, item, 3.0) for user in users for item in items]


def check_predictions(theirs, mine, testset):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        wanted = theirs.test(testset)
    found = mine.test(testset)
    np.testing.assert_allclose([one.est for one in found], [one.est for one in wanted], rtol=0, atol=1e-9)
    assert [one.details for one in found] == [one.details for one in wanted]
    assert [one[:3] for one in found] == [one[:3] for one in wanted]
