"""What autoencoders and side columns gain on real ratings, cheaply: a sixth of the users of MovieLens 1M.

The figures on all ratings come of ``python -m benchmarks.quality.torch_ml1m``, which this runs parts of.
"""

from __future__ import annotations

import needs_torch  # noqa: F401 - skips where torch is missing
import numpy as np
import pytest
import quality  # noqa: F401 - puts the benchmarks, which are no part of the package, on the path
from real_data import data_file

from foretaste import Ratings

pytestmark = [pytest.mark.dataset, pytest.mark.slow]

USERS = 1000


@pytest.fixture(scope="module")
def benchmark():
    """The benchmark's own data and splits."""
    for name in ("ratings_no_timestamps.dat.gz", "users.dat", "movies.dat"):
        data_file(f"ml-1m/{name}")
    from benchmarks.quality import torch_ml1m

    return torch_ml1m


@pytest.fixture(scope="module")
def some(benchmark) -> Ratings:
    ratings = benchmark.load()
    return ratings[np.flatnonzero(ratings.user < USERS)]


@pytest.mark.parametrize("name", ["AutoRec", "SparseFC"])
def test_autoencoders_are_better_than_factors(name, benchmark, some):
    """The ninth and tenth of the published comparison, of which all ratings are judged in the benchmark."""
    train_rows, test_rows = benchmark.nine_to_one(len(some))
    train, test = some[train_rows], some[test_rows]
    model = BY_NAME[name](hidden=200, refit=False).fit(train)
    error = rmse(test.value, model.predict(test))
    print(f"{name}: RMSE {error:.4f}, SVD {rmse(test.value, SVD().fit(train).predict(test)):.4f}")
