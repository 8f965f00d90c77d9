"""The bundled data set: people, jokes and ratings made up so that there is something to find.

Each joke belongs to one of four tastes. A rating is a mean, plus the leaning of the person and of the
joke, plus how much the person likes its taste, plus chance. People rate what they like more often, and a
few jokes are rated by nearly everybody: what is missing is not missing at random.

Only sums and products of ``random.Random(seed).random()`` are used, whose numbers Python promises to keep,
so that every machine makes the same file to the last byte.
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
    """Return the taste that a joke belongs to."""
    return TASTES[(joke_id - 1) % len(TASTES)]


def load_ratings() -> Ratings:
    """Return the ratings that come with the package."""
    from foretaste.io import read_ratings

    with as_file(files("foretaste.datasets") / "data" / _RATINGS_FILE) as path:
        return read_ratings(
            path, user="userId", item="jokeId", rating="rating", timestamp="timestamp",
            separator=",", header=True, scale=SCALE,
        )  # fmt: skip


def load_items() -> ItemCatalog:
    """Return the jokes."""
    from foretaste.io import read_items

    with as_file(files("foretaste.datasets") / "data" / _ITEMS_FILE) as path:
        return read_items(path, item="jokeId", title="jokeText", separator=",", header=True)


def generate(seed: int = 0) -> str:
    """Make the ratings anew, as the text of a CSV file in the order of time.

    Parameters
    ----------
    seed : int
        The bundled file is made with 0.
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
    """Write the file of ratings that comes with the package."""
    (folder / _RATINGS_FILE).write_bytes(gzip.compress(generate().encode(), mtime=0))


def _sum_in_order(numbers: Iterable[float]) -> float:
    """Add one by one: Python's own ``sum`` rounds otherwise since 3.12."""
    total = 0.0
    for number in numbers:
        total += number
    return total


def _sample_normal(random: Random) -> float:
    """Return a number that is nearly normal, with mean 0 and deviation 1: a sum of twelve."""
    return _sum_in_order(random.random() for _ in range(12)) - 6


def _make_joke(random: Random, index: int) -> tuple[float, float, list[float]]:
    """Return a joke's leaning, how widely it is known, and how much it has of each taste."""
    taste_weights = [0.15 * _sample_normal(random) for _ in TASTES]
    taste_weights[index % len(TASTES)] += 1
    popularity = random.random()
    return (
        1.5 * _sample_normal(random),
        8.0 if index % 12 == 5 else 0.3 + 2 * popularity * popularity,
        taste_weights,
    )


def _make_user_ids(random: Random) -> list[int]:
    """Return the ids of the people: increasing, with gaps."""
    ids, last = [], 0
    for _ in range(_N_USERS):
        last += 1 if random.random() < 0.85 else 2
        ids.append(last)
    return ids


def _generate_user_ratings(
    random: Random, user: int, index: int, jokes: list[tuple[float, float, list[float]]]
) -> Iterator[tuple[int, int, int, float]]:
    """Yield the ratings of one person: when, who, which joke, rating."""
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
    # A joke is met the more often the better it is liked; each is met once at most.
    weights = {
        joke: popularity * (1 + max(-0.8, 0.25 * preference[joke]))
        for joke, (_, popularity, _) in enumerate(jokes)
    }
    timestamp = _START_TIMESTAMP + int(86_400 * _N_DAYS * random.random())
    for _ in range(n_ratings):
        joke = _sample_joke(random, weights)
        del weights[joke]
        rating = min(10.0, max(-10.0, preference[joke] + 1.7 * _sample_normal(random)))
        yield timestamp, user, joke + 1, round(rating, 1) + 0.0  # + 0.0: no minus before a zero
        timestamp += 8 + int(50 * random.random()) + (86_400 * (random.random() < 0.04))


def _sample_joke(random: Random, weights: dict[int, float]) -> int:
    """Draw a joke by its chance."""
    remaining = random.random() * _sum_in_order(weights.values())
    for joke, weight in weights.items():
        remaining -= weight
        if remaining <= 0:
            return joke
    return joke
