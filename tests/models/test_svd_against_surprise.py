"""SVD against scikit-surprise's, at its settings, on the first of five folds of MovieLens 100K."""

from __future__ import annotations

import numpy as np
import pytest
from real_data import data_file

from foretaste.metrics.rating import rmse
from foretaste.models import SVD
from foretaste.ratings import Ratings
from foretaste.splits import KFold

pytestmark = [pytest.mark.peer, pytest.mark.dataset, pytest.mark.nightly]


@pytest.fixture(scope="module")
def train_and_test() -> tuple[Ratings, Ratings]:
    table = np.loadtxt(data_file("ml-100k/u.data"))
    ratings = Ratings.from_columns(table[:, 0].astype(int), table[:, 1].astype(int), table[:, 2])
    train_rows, test_rows = next(iter(KFold(5, seed=0).split(ratings)))
    return ratings[train_rows], ratings[test_rows]


def surprise_rmse(train_and_test: tuple[Ratings, Ratings], seeds: int, **settings: object) -> list[float]:
    surprise = pytest.importorskip("surprise", reason='needs a peer: pip install "foretaste[peers]"')
    train, test = train_and_test
    columns = train.user_ids, train.item_ids, train.value.astype(float), [None] * len(train)
    trainset = surprise.Dataset(surprise.Reader()).construct_trainset(list(zip(*columns, strict=True)))
    found = []
    for seed in range(seeds):
        fitted = surprise.SVD(random_state=seed, **settings).fit(trainset)
        guess = [fitted.predict(u, i).est for u, i in zip(test.user_ids, test.item_ids, strict=True)]
        found.append(rmse(test.value, np.array(guess)))
    return found


def foretaste_rmse(train_and_test: tuple[Ratings, Ratings], seeds: int, **settings: object) -> list[float]:
    train, test = train_and_test
    return [rmse(test.value, SVD(**settings, seed=seed).fit(train).predict(test)) for seed in range(seeds)]


def test_svd_is_as_accurate_as_surprise(train_and_test):
    """Means over seeds, whose spread is .002; the order of the updates is another one."""
    settings = {
        "factors": 100, "epochs": 20, "learning_rate": 0.005, "regularization": 0.02, "init_std": 0.1,
        "schedule": "constant",
    }  # fmt: skip
    own, theirs = (
        np.mean(foretaste_rmse(train_and_test, 20, **settings)),
        np.mean(surprise_rmse(train_and_test, 5)),
    )
    print(f"RMSE: {own:.4f}, of scikit-surprise {theirs:.4f}")
    assert abs(own - theirs) <= 0.002


def test_default_svd_is_more_accurate_than_surprise(train_and_test):
    """Without biases, scikit-surprise's predicts the product of the factors alone; ours adds the mean."""
    for biased, gain in ((True, 0.03), (False, 0.03)):
        own, theirs = (
            np.mean(foretaste_rmse(train_and_test, 1, biased=biased)),
            np.mean(surprise_rmse(train_and_test, 1, biased=biased)),
        )
        print(f"biased={biased}: RMSE {own:.4f}, of scikit-surprise {theirs:.4f}")
        assert own <= theirs - gain
