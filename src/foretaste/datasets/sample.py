"""The bundled synthetic data set: users, jokes and ratings with known structure.

Each joke belongs to one of four latent tastes. A rating is a mean, plus a user and an item bias, plus the
user's affinity to the joke's taste, plus noise. Users rate what they like more often, and a few jokes are
rated by nearly everyone: ratings are missing not at random.

Only sums and products of ``random.Random(seed).random()`` are used, whose sequence Python guarantees, so that
every machine generates the same file byte for byte.
"""

from __future__ import annotations

import gzip
from collections.abc import Iterable, Iterator
from importlib.resources import as_file, files
from pathlib import Path
from random import Random

from foretaste.features import ItemCatalog
from foretaste.ratings import Ratings

TASTES = ("home", "computers", "animals", "science")
SCALE = (-10.0, 10.0)

_N_USERS, _N_JOKES, _N_SINGLE_RATING_USERS = 300, 60, 8
_START_TIMESTAMP, _N_DAYS = 1_767_225_600, 150  # 1 January 2026, seconds since 1970
_RATINGS_FILE, _ITEMS_FILE = "sample_ratings.csv.gz", "sample_items.csv"


def joke_taste(joke_id: int) -> str:
    """Return the taste of a joke."""
    return TASTES[(joke_id - 1) % len(TASTES)]


def load_ratings() -> Ratings:
    """Return the bundled ratings."""
    from foretaste.io import read_ratings

    with as_file(files("foretaste.datasets") / "data" / _RATINGS_FILE) as path:
        return read_ratings(
            path, user="userId", item="jokeId", rating="rating", timestamp="timestamp",
            separator=",", header=True, scale=SCALE,
        )  # fmt: skip


def load_items() -> ItemCatalog:
    """Return the joke texts."""
    from foretaste.io import read_items

    with as_file(files("foretaste.datasets") / "data" / _ITEMS_FILE) as path:
        return read_items(path, item="jokeId", title="jokeText", separator=",", header=True)


def generate(seed: int = 0) -> str:
    """Generate the ratings, as CSV text in order of time.

    Parameters
    ----------
    seed : int
        Random seed; the bundled file uses 0.
    """
    random = Random(seed)
    jokes = [_make_joke(random, index) for index in range(_N_JOKES)]
    user_ids = _make_user_ids(random)
    rows = [
        row for index, id_ in enumerate(user_ids) for row in _generate_user_ratings(random, id_, index, jokes)
    ]
    lines = [f"{user},{joke},{rating:.1f},{timestamp}" for timestamp, user, joke, rating in sorted(rows)]
    return "\n".join(["userId,jokeId,rating,timestamp", *lines, ""])


def write_ratings_file(folder: Path) -> None:
    """Write the bundled ratings file."""
    (folder / _RATINGS_FILE).write_bytes(gzip.compress(generate().encode(), mtime=0))


def _sum_in_order(numbers: Iterable[float]) -> float:
    """Return the sum, added in order: ``sum`` rounds differently since Python 3.12."""
    total = 0.0
    for number in numbers:
        total += number
    return total


def _sample_normal(random: Random) -> float:
    """Return a nearly standard normal number: the centered sum of twelve uniform ones."""
    return _sum_in_order(random.random() for _ in range(12)) - 6


def _make_joke(random: Random, index: int) -> tuple[float, float, list[float]]:
    """Return bias, popularity and taste weights of a joke."""
    taste_weights = [0.15 * _sample_normal(random) for _ in TASTES]
    taste_weights[index % len(TASTES)] += 1
    popularity = random.random()
    return (
        1.5 * _sample_normal(random),
        8.0 if index % 12 == 5 else 0.3 + 2 * popularity * popularity,
        taste_weights,
    )


def _make_user_ids(random: Random) -> list[int]:
    """Return increasing user ids with gaps."""
    ids, last = [], 0
    for _ in range(_N_USERS):
        last += 1 if random.random() < 0.85 else 2
        ids.append(last)
    return ids


def _generate_user_ratings(
    random: Random, user: int, index: int, jokes: list[tuple[float, float, list[float]]]
) -> Iterator[tuple[int, int, int, float]]:
    """Yield the ratings of one user: timestamp, user, joke, rating."""
    user_bias = 1.6 * _sample_normal(random)
    tastes = [3.2 * _sample_normal(random) for _ in TASTES]
    preference = [
        0.9 + user_bias + joke + _sum_in_order(t * s for t, s in zip(tastes, taste_weights, strict=True))
        for joke, _, taste_weights in jokes
    ]
    activity = random.random()
    n_ratings = (
        1
        if index % (_N_USERS // _N_SINGLE_RATING_USERS) == 7
        else 6 + int(34 * activity * activity + 8 * random.random())
    )
    # Preferred jokes are rated more often; each is rated at most once.
    weights = {
        joke: popularity * (1 + max(-0.8, 0.25 * preference[joke]))
        for joke, (_, popularity, _) in enumerate(jokes)
    }
    timestamp = _START_TIMESTAMP + int(86_400 * _N_DAYS * random.random())
    for _ in range(n_ratings):
        joke = _sample_joke(random, weights)
        del weights[joke]
        rating = min(10.0, max(-10.0, preference[joke] + 1.7 * _sample_normal(random)))
        yield timestamp, user, joke + 1, round(rating, 1) + 0.0  # + 0.0: no negative zero
        timestamp += 8 + int(50 * random.random()) + (86_400 * (random.random() < 0.04))


def _sample_joke(random: Random, weights: dict[int, float]) -> int:
    """Sample a joke in proportion to its weight."""
    remaining = random.random() * _sum_in_order(weights.values())
    for joke, weight in weights.items():
        remaining -= weight
        if remaining <= 0:
            return joke
    return joke
