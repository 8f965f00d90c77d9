"""Ratings to measure on: real ones where FORETASTE_DATA has them, else generated ones of the same shape."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from foretaste import Ratings, read_ratings
from foretaste.ids import IdIndex

REAL = {
    "ml-100k": "ml-100k/u.data",
    "ml-1m": "ml-1m/ratings_no_timestamps.dat.gz",
    "jester-2 lecture": "jester2/jester_ratings_users_1_to_4000.csv.gz",
    "jester-2": "jester2/jester_ratings_users_1_to_14780.csv.gz",
}

SHAPES = {  # users and items of the MovieLens datasets of about this many ratings
    100_000: (943, 1_682),
    1_000_000: (6_040, 3_706),
    5_000_000: (30_000, 15_000),
    20_000_000: (138_000, 27_000),
}
DAY = 86_400
FIRST_DAY = 10_000 * DAY  # in May 1997
_COLUMNS = ("user", "item", "value", "timestamp")


def load_real(name: str) -> Ratings | None:
    """Return real ratings, or None where they are not available."""
    folder = os.environ.get("FORETASTE_DATA")
    path = Path(folder or ".") / REAL[name]
    return read_ratings(path) if folder and path.exists() else None


def generate_ratings(users: int, items: int, rows: int, seed: int = 0) -> Ratings:
    """Return ratings 1 to 5 with MovieLens-like popularity (long tails) and three latent factors."""
    rng = np.random.default_rng(seed)
    activity = rng.lognormal(0, 1.1, users)
    popularity = 1 / (np.arange(items) + 40.0) ** 1.1
    n_ratings = np.minimum(rng.multinomial(rows, activity / activity.sum()), items // 3)
    n_ratings[:] = np.maximum(n_ratings, 1)
    cumulated = np.cumsum(popularity / popularity.sum())
    user = np.repeat(np.arange(users, dtype=np.int64), 2 * n_ratings)
    item = np.searchsorted(cumulated, rng.random(len(user))).clip(max=items - 1)
    cells = np.unique(user * items + item)
    cells = cells[np.sort(rng.permutation(len(cells))[:rows])]
    user, item = cells // items, rng.permutation(items)[cells % items]
    taste, kind = rng.normal(size=(users, 3)), rng.normal(size=(items, 3))
    score = 3.5 + 0.4 * rng.normal(size=users)[user] + 0.5 * rng.normal(size=items)[item]
    score += 0.3 * np.einsum("nk,nk->n", taste[user], kind[item]) + 0.8 * rng.normal(size=len(user))
    return Ratings.from_columns(user, item, np.clip(np.round(score), 1, 5))


def movielens_1m(rows: int = 1_000_000) -> tuple[Ratings, str]:
    """Return MovieLens 1M and its name, or else generated ratings of its shape; fewer rows are generated."""
    ratings = load_real("ml-1m") if rows == 1_000_000 else None
    return (
        (ratings, "ml-1m")
        if ratings
        else (generate_ratings(*shape_of(rows), rows), "generated like MovieLens")
    )


def shape_of(rows: int) -> tuple[int, int]:
    """Return users and items of a MovieLens dataset of this many ratings, interpolated on log scales."""
    if rows in SHAPES:
        return SHAPES[rows]
    known = np.log(list(SHAPES))
    sizes = zip(*SHAPES.values(), strict=True)
    users, items = (int(np.exp(np.interp(np.log(rows), known, np.log(size)))) for size in sizes)
    share = min(1.0, rows / min(SHAPES))  # below the smallest dataset, both shrink by the square root
    return max(20, int(users * share**0.5)), max(30, int(items * share**0.5))


def movielens_like(rows: int, seed: int = 0) -> Ratings:
    """Return generated ratings with timestamps; users and items grow with the ratings as MovieLens's do."""
    ratings = generate_ratings(*shape_of(rows), rows, seed)
    rng = np.random.default_rng(seed + 1)
    join_day = rng.integers(0, 3_000, len(ratings.users))  # users join, rate for some days, and leave
    day = join_day[ratings.user] + rng.exponential(5, len(ratings)).astype(np.int64)
    timestamp = FIRST_DAY + day * DAY + rng.integers(0, DAY, len(ratings))
    return ratings.replace(timestamp=timestamp)


def save_columns(ratings: Ratings, folder: Path) -> None:
    """Save the arrays to files that ``load_columns`` reads without extra memory."""
    for name in _COLUMNS:
        column = getattr(ratings, name)
        if column is not None:
            np.save(folder / f"{name}.npy", column, allow_pickle=False)


def load_columns(folder: Path) -> Ratings:
    """Load the files of ``save_columns``; ids are the codes."""
    found = {name: folder / f"{name}.npy" for name in _COLUMNS}
    columns = {name: np.load(path) for name, path in found.items() if path.exists()}
    users, items = (IdIndex(np.arange(columns[name].max() + 1, dtype=np.int64)) for name in ("user", "item"))
    return Ratings(**columns, users=users, items=items)
