"""Ratings to measure on: real ones where FORETASTE_DATA has them, else generated ones of the same shape."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from foretaste import Ratings, read_ratings

REAL = {
    "ml-100k": "ml-100k/u.data",
    "ml-1m": "ml-1m/ratings_no_timestamps.dat.gz",
    "jester-2 lecture": "jester2/jester_ratings_users_1_to_4000.csv.gz",
    "jester-2": "jester2/jester_ratings_users_1_to_14780.csv.gz",
}


def real(name: str) -> Ratings | None:
    """Return real ratings, or None where they are not at hand."""
    folder = os.environ.get("FORETASTE_DATA")
    path = Path(folder or ".") / REAL[name]
    return read_ratings(path) if folder and path.exists() else None


def generated(users: int, items: int, rows: int, seed: int = 0) -> Ratings:
    """Return ratings 1 to 5 with MovieLens-like popularity: long tails on both sides, three tastes."""
    rng = np.random.default_rng(seed)
    activity = rng.lognormal(0, 1.1, users)
    popularity = 1 / (np.arange(items) + 40.0) ** 1.1
    wanted = np.minimum(rng.multinomial(rows, activity / activity.sum()), items // 3)
    wanted[:] = np.maximum(wanted, 1)
    cumulated = np.cumsum(popularity / popularity.sum())
    user = np.repeat(np.arange(users, dtype=np.int64), 2 * wanted)
    item = np.searchsorted(cumulated, rng.random(len(user))).clip(max=items - 1)
    cells = np.unique(user * items + item)
    cells = cells[np.sort(rng.permutation(len(cells))[:rows])]
    user, item = cells // items, rng.permutation(items)[cells % items]
    taste, kind = rng.normal(size=(users, 3)), rng.normal(size=(items, 3))
    score = 3.5 + 0.4 * rng.normal(size=users)[user] + 0.5 * rng.normal(size=items)[item]
    score += 0.3 * np.einsum("nk,nk->n", taste[user], kind[item]) + 0.8 * rng.normal(size=len(user))
    return Ratings.from_columns(user, item, np.clip(np.round(score), 1, 5))
