"""Strategies of asking new users: by expected gain, by number of ratings, or at random."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from foretaste import Ratings, read_ratings, rmse
from foretaste.models import Model
from foretaste.recommendation import fold_in, next_question

GAUGE = (5, 7, 8, 13, 15, 16, 17, 18, 19, 20)  # the jokes that Jester 2 shows to every user first
NOBODY = 10**9  # an id that no model knows


@dataclass(frozen=True)
class QuestionedUser:
    """The answers that a user can give, and the test ratings."""

    answers: dict[int, float]
    item: np.ndarray
    value: np.ndarray


def split_questioned_users(
    path: Path, gauge: Sequence[int], new: int = 1000, seed: int = 0
) -> tuple[Ratings, list[QuestionedUser]]:
    """Return the training ratings, and new users who rated at least 8 items of the gauge and 5 others."""
    ratings = read_ratings(path)
    selected = np.random.default_rng(seed).permutation(len(ratings.users))[:new]
    is_new, in_gauge = np.isin(ratings.user, selected), np.isin(ratings.item_ids, gauge)
    users = []
    for user in np.sort(selected):
        rows = np.flatnonzero(ratings.user == user)
        questioned, others = rows[in_gauge[rows]], rows[~in_gauge[rows]]
        if len(questioned) >= 8 and len(others) >= 5:
            answers = zip(
                ratings.item_ids[questioned].tolist(), ratings.value[questioned].tolist(), strict=True
            )
            users.append(QuestionedUser(dict(answers), ratings.item_ids[others], ratings.value[others]))
    return ratings[~is_new], users


QuestionCache = dict[Any, int]


def choose_questions(
    model: Model,
    user: QuestionedUser,
    counts: dict[int, int],
    strategy: str,
    n: int,
    rng: np.random.Generator,
    cache: QuestionCache,
) -> list[int]:
    """Return the first n items to ask a user about, among those that the user can answer."""
    answerable = sorted(user.answers)
    if strategy == "count":
        return sorted(answerable, key=lambda item: -counts[item])[:n]
    if strategy == "random":
        return rng.permutation(answerable)[:n].tolist()
    questioned: list[int] = []
    for _ in range(n):
        remaining = [item for item in answerable if item not in questioned]
        answers = {item: user.answers[item] for item in questioned}
        # Factor models depend on which items were answered, not on the answers: such questions are cached.
        key = (frozenset(questioned), tuple(remaining)) if hasattr(model, "train_rmse_") else None
        if key not in cache or key is None:
            cache[key] = next_question(model, answers, remaining)
        questioned.append(cache[key])
    return questioned


def rmse_after(
    model: Model,
    train: Ratings,
    users: list[QuestionedUser],
    gauge: Sequence[int],
    strategy: str,
    sizes: Sequence[int],
) -> list[float]:
    """Return the error on items outside the gauge set after each number of answers."""
    counts = {item: int((train.item_ids == item).sum()) for item in gauge}
    rng = np.random.default_rng(1)
    cache: QuestionCache = {}
    orders = [choose_questions(model, user, counts, strategy, max(sizes), rng, cache) for user in users]
    row_user = np.repeat(np.arange(len(users)), [len(user.item) for user in users])
    item, value = (np.concatenate([getattr(user, name) for user in users]) for name in ("item", "value"))
    errors = []
    for n in sizes:
        if n == 0:
            guess = model.predict(np.column_stack([np.full(len(item), NOBODY), item]))
        else:
            rows = [(k, i, users[k].answers[i]) for k, order in enumerate(orders) for i in order[:n]]
            guess = fold_in(model, users=Ratings.from_columns(*zip(*rows, strict=True))).predict(
                np.column_stack([row_user, item])
            )
        errors.append(rmse(value, guess))
    return errors
