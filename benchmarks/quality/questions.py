"""What a new person is asked: by gain, by number of ratings, or at random; the error after some answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from foretaste import Ratings, read_ratings, rmse
from foretaste.models import Model
from foretaste.recommendation import fold_in, next_question

GAUGE = (5, 7, 8, 13, 15, 16, 17, 18, 19, 20)  # the jokes that Jester 2 shows everybody first
NOBODY = 10**9  # an id that no model knows


@dataclass(frozen=True)
class Person:
    """What somebody can answer, and the ratings by which the predictions are judged."""

    answers: dict[int, float]
    item: np.ndarray
    value: np.ndarray


def people_asked(
    path: Path, gauge: Sequence[int], new: int = 1000, seed: int = 0
) -> tuple[Ratings, list[Person]]:
    """Return the ratings to learn from, and new people who rated at least 8 of the gauge and 5 others."""
    ratings = read_ratings(path)
    chosen = np.random.default_rng(seed).permutation(len(ratings.users))[:new]
    is_new, in_gauge = np.isin(ratings.user, chosen), np.isin(ratings.item_ids, gauge)
    people = []
    for user in np.sort(chosen):
        rows = np.flatnonzero(ratings.user == user)
        asked, rest = rows[in_gauge[rows]], rows[~in_gauge[rows]]
        if len(asked) >= 8 and len(rest) >= 5:
            answers = zip(ratings.item_ids[asked].tolist(), ratings.value[asked].tolist(), strict=True)
            people.append(Person(dict(answers), ratings.item_ids[rest], ratings.value[rest]))
    return ratings[~is_new], people


Known = dict[Any, int]


def order_of(
    model: Model,
    person: Person,
    counts: dict[int, int],
    how: str,
    n: int,
    random: np.random.Generator,
    known: Known,
) -> list[int]:
    """Return the first n items that a person is asked: only what they can answer."""
    can = sorted(person.answers)
    if how == "count":
        return sorted(can, key=lambda item: -counts[item])[:n]
    if how == "random":
        return random.permutation(can)[:n].tolist()
    asked: list[int] = []
    for _ in range(n):
        left = [item for item in can if item not in asked]
        answers = {item: person.answers[item] for item in asked}
        # Models of factors look at what was answered, not at the answers: such a question is found once.
        key = (frozenset(asked), tuple(left)) if hasattr(model, "train_rmse_") else None
        if key not in known or key is None:
            known[key] = next_question(model, answers, left)
        asked.append(known[key])
    return asked


def rmse_after(
    model: Model, train: Ratings, people: list[Person], gauge: Sequence[int], how: str, sizes: Sequence[int]
) -> list[float]:
    """Return the error for items outside the gauge set, after so many answers each."""
    counts = {item: int((train.item_ids == item).sum()) for item in gauge}
    random = np.random.default_rng(1)
    known: Known = {}
    orders = [order_of(model, person, counts, how, max(sizes), random, known) for person in people]
    who = np.repeat(np.arange(len(people)), [len(person.item) for person in people])
    item, value = (np.concatenate([getattr(person, name) for person in people]) for name in ("item", "value"))
    errors = []
    for n in sizes:
        if n == 0:
            guess = model.predict(np.column_stack([np.full(len(item), NOBODY), item]))
        else:
            rows = [(k, i, people[k].answers[i]) for k, order in enumerate(orders) for i in order[:n]]
            guess = fold_in(model, users=Ratings.from_columns(*zip(*rows, strict=True))).predict(
                np.column_stack([who, item])
            )
        errors.append(rmse(value, guess))
    return errors
