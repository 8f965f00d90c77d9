"""Contract ratings have timestamps, so that models that require them pass the same checks."""

from __future__ import annotations

import numpy as np
import pytest

from foretaste.ratings import Ratings


def with_timestamps(ratings: Ratings) -> Ratings:
    """Return the ratings with times: each user comes two or three times within a year, for some minutes."""
    rng = np.random.default_rng(len(ratings))
    users = len(ratings.users)
    sittings = 1_700_000_000 + rng.integers(0, 365 * 86_400, size=(users, 3))
    when = sittings[ratings.user, rng.integers(0, 3, size=len(ratings))] + rng.integers(0, 600, len(ratings))
    return ratings.replace(timestamp=when)


@pytest.fixture(scope="session")
def ratings(ratings) -> Ratings:
    """About 900 ratings of 60 users for 40 items, with times."""
    return with_timestamps(ratings)


@pytest.fixture(scope="session")
def larger_ratings(larger_ratings) -> Ratings:
    """Enough ratings that work is shared between threads, with times."""
    return with_timestamps(larger_ratings)


@pytest.fixture(scope="session")
def other_ratings(other_ratings) -> Ratings:
    """Other ratings, with times."""
    return with_timestamps(other_ratings)
