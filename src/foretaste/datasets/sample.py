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

from foretaste.features import Catalogue
from foretaste.ratings import Ratings

TASTES = ("home", "computers", "animals", "science")
SCALE = (-10.0, 10.0)

_PEOPLE, _JOKES, _LONELY = 300, 60, 8
_START, _DAYS = 1_767_225_600, 150  # 1 January 2026, seconds since 1970
_RATINGS_FILE, _ITEMS_FILE = "sample_ratings.csv.gz", "sample_items.csv"


def taste_of(joke_id: int) -> str:
    """Return the taste that a joke belongs to."""
    return TASTES[(joke_id - 1) % len(TASTES)]


def ratings() -> Ratings:
    """Return the ratings that come with the package."""
    from foretaste.io import read_ratings

    with as_file(files("foretaste.datasets") / "data" / _RATINGS_FILE) as path:
        return read_ratings(
            path, user="userId", item="jokeId", rating="rating", timestamp="timestamp",
            separator=",", header=True, scale=SCALE,
        )  # fmt: skip


def items() -> Catalogue:
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
    jokes = [_joke(random, place) for place in range(_JOKES)]
    person_ids = _ids(random)
    rows = [row for place, id_ in enumerate(person_ids) for row in _ratings_of(random, id_, place, jokes)]
    lines = [f"{person},{joke},{rating:.1f},{when}" for when, person, joke, rating in sorted(rows)]
    return "\n".join(["userId,jokeId,rating,timestamp", *lines, ""])


def write(folder: Path) -> None:
    """Write the file of ratings that comes with the package."""
    (folder / _RATINGS_FILE).write_bytes(gzip.compress(generate().encode(), mtime=0))


def _total(numbers: Iterable[float]) -> float:
    """Add one by one: Python's own ``sum`` rounds otherwise since 3.12."""
    total = 0.0
    for number in numbers:
        total += number
    return total


def _normal(random: Random) -> float:
    """Return a number that is nearly normal, with mean 0 and deviation 1: a sum of twelve."""
    return _total(random.random() for _ in range(12)) - 6


def _joke(random: Random, place: int) -> tuple[float, float, list[float]]:
    """Return a joke's leaning, how widely it is known, and how much it has of each taste."""
    share = [0.15 * _normal(random) for _ in TASTES]
    share[place % len(TASTES)] += 1
    known = random.random()
    return 1.5 * _normal(random), 8.0 if place % 12 == 5 else 0.3 + 2 * known * known, share


def _ids(random: Random) -> list[int]:
    """Return the ids of the people: increasing, with gaps."""
    ids, last = [], 0
    for _ in range(_PEOPLE):
        last += 1 if random.random() < 0.85 else 2
        ids.append(last)
    return ids


def _ratings_of(
    random: Random, person: int, place: int, jokes: list[tuple[float, float, list[float]]]
) -> Iterator[tuple[int, int, int, float]]:
    """Yield the ratings of one person: when, who, which joke, rating."""
    leaning = 1.6 * _normal(random)
    tastes = [3.2 * _normal(random) for _ in TASTES]
    liking = [
        0.9 + leaning + joke + _total(t * s for t, s in zip(tastes, share, strict=True))
        for joke, _, share in jokes
    ]
    busy = random.random()
    wanted = 1 if place % (_PEOPLE // _LONELY) == 7 else 6 + int(34 * busy * busy + 8 * random.random())
    # A joke is met the more often the better it is liked; each is met once at most.
    chances = {joke: known * (1 + max(-0.8, 0.25 * liking[joke])) for joke, (_, known, _) in enumerate(jokes)}
    when = _START + int(86_400 * _DAYS * random.random())
    for _ in range(wanted):
        joke = _drawn(random, chances)
        del chances[joke]
        rating = min(10.0, max(-10.0, liking[joke] + 1.7 * _normal(random)))
        yield when, person, joke + 1, round(rating, 1) + 0.0  # + 0.0: no minus before a zero
        when += 8 + int(50 * random.random()) + (86_400 * (random.random() < 0.04))


def _drawn(random: Random, chances: dict[int, float]) -> int:
    """Draw a joke by its chance."""
    left = random.random() * _total(chances.values())
    for joke, chance in chances.items():
        left -= chance
        if left <= 0:
            return joke
    return joke
