"""Synthetic ratings with planted factors."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from foretaste.ratings import Ratings


def planted(seed: int = 0, users: int = 60, items: int = 40, rows: int = 900) -> Ratings:
    """Return ratings from biases and three factors, in multiples of 1/64 between -8 and 8.

    Such numbers, and their simple multiples, are exact in float32. Some are 0, some users have one rating,
    and user ids and item ids have gaps.
    """
    rng = np.random.default_rng(seed)
    taste, kind = rng.normal(size=(users, 3)), rng.normal(size=(items, 3))
    full = 0.7 + rng.normal(size=(users, 1)) + rng.normal(size=(1, items)) + 1.2 * taste @ kind.T
    popularity = rng.exponential(size=(users, 1)) * rng.exponential(size=(1, items)) * np.exp(0.1 * full)
    popularity[-3:] = 0  # the last users: one rating each
    popularity[:-3] += 1e-3
    cells = rng.choice(users * items, rows - 3, replace=False, p=(popularity / popularity.sum()).ravel())
    cells = np.r_[cells, (np.arange(users - 3, users) * items + rng.integers(items, size=3))]
    cells = rng.permutation(cells)
    value = np.clip(np.round((full + 0.3 * rng.normal(size=full.shape)).ravel()[cells] * 64) / 64, -8, 8)
    value[rng.random(rows) < 0.04] = 0
    return Ratings.from_columns(3 * (cells // items) + 11, 2 * (cells % items) + 5, value)


def write_csv(ratings: Ratings, path: str = "ratings.csv") -> None:
    """Write ratings to a CSV file."""
    rows = zip(ratings.user_ids, ratings.item_ids, ratings.value, strict=True)
    lines = ["userId,itemId,rating", *(f"{user},{item},{value:g}" for user, item, value in rows)]
    Path(path).write_text("\n".join(lines) + "\n")


def shuffled(ratings: Ratings, seed: int = 3) -> Ratings:
    """Return the same ratings with the rows in random order."""
    return ratings[np.random.default_rng(seed).permutation(len(ratings))]
