"""Rows that must not be judged by: those learned from, and those a model has seen in another way."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from foretaste._utils.formatting import plural
from foretaste.errors import BadData, InvalidParameter
from foretaste.ratings import Ratings
from foretaste.splits import Rows

SHARED = ("refuse", "judge", "learn")
SHARED_WORDS = {"judge": "that stood in both only judged by", "learn": "that stood in both only learned from"}
_EXACT = 1e-6  # of the range of the ratings judged: hardly more than float32 can tell


def checked_rows(split: Any, part: Any, ratings: Ratings) -> tuple[Rows, Rows]:
    """Return the rows of one fold, after looking whether any is both learned from and judged by.

    Raises
    ------
    BadData
        If there are such rows, a part is empty, or a number is none of a row.
    """
    train_rows, test_rows = (np.asarray(rows) for rows in part)
    for rows in (train_rows, test_rows):
        if len(rows) and (rows.dtype.kind not in "iu" or rows.min() < 0 or rows.max() >= len(ratings)):
            raise BadData(
                f"{split!r} must yield row numbers, 0 to {len(ratings) - 1}", hint="numpy.flatnonzero(mask)"
            )
    if len(train_rows) == 0 or len(test_rows) == 0:
        raise BadData(
            f"{split!r} leaves {len(train_rows)} rows to learn from and {len(test_rows)} to judge by"
        )
    learned = np.zeros(len(ratings), dtype=bool)
    learned[train_rows] = True
    both = np.flatnonzero(learned[test_rows])
    if len(both):
        row = test_rows[both[0]]
        raise BadData(
            f"{split!r} has {plural(len(both), 'row')} both to learn from and to judge by; a model would be "
            "judged by what it was told",
            where=f"the first is row {row}: user {ratings.user_ids[row]}, item {ratings.item_ids[row]}",
            hint="numpy.setdiff1d(train_rows, test_rows) as the rows to learn from",
        )
    return train_rows, test_rows


def without_shared(ratings: Ratings, test: Ratings, how: str) -> tuple[Ratings, Ratings, str]:
    """Return ratings to learn from and to judge by that share no (user, item), and what was done, in words.

    Raises
    ------
    BadData
        If they share pairs and ``how`` is "refuse", or nothing would be left.
    InvalidParameter
        If ``how`` is none of ``SHARED``.
    """
    if how not in SHARED:
        raise InvalidParameter(
            f'shared_rows={how!r} is not allowed; it must be "refuse", "judge" or "learn"',
            hint='shared_rows="judge"',
        )
    given, judged = _pair_numbers(ratings, test)
    seen = np.isin(judged, given)
    count = int(np.count_nonzero(seen))
    if count == 0:
        return ratings, test, ""
    if how == "refuse":
        row = int(np.flatnonzero(seen)[0])
        raise BadData(
            f"{count:,} of the {plural(len(test), 'row')} to judge by are also among those to learn from; "
            "a model would be judged by what it was told",
            where=f"the first is user {test.user_ids[row]}, item {test.item_ids[row]}",
            hint='shared_rows="judge" to learn from the others only, or "learn" to judge by the others only',
        )
    if how == "judge":
        kept = ratings[~np.isin(given, judged)]
        if len(kept) == 0:
            raise BadData("every row to learn from is also to judge by; nothing would be left to learn from")
        return kept, test, f" ({count:,} {SHARED_WORDS['judge']})"
    if count == len(test):
        raise BadData("every row to judge by is also to learn from; nothing would be left to judge by")
    return ratings, test[~seen], f" ({count:,} {SHARED_WORDS['learn']})"


def _pair_numbers(ratings: Ratings, test: Ratings) -> tuple[Any, Any]:
    """Return one number for each (user, item), the same in both; unknown ones of the second get -1."""
    user = ratings.users.remap(test.users.ids)[test.user].astype(np.int64)
    item = ratings.items.remap(test.items.ids)[test.item].astype(np.int64)
    width = len(ratings.items)
    known = (user >= 0) & (item >= 0)
    return ratings.user.astype(np.int64) * width + ratings.item, np.where(known, user * width + item, -1)


def exact_rows(true: npt.NDArray[np.float32], predicted: npt.NDArray[np.float32]) -> int:
    """Return how many rows of a fold are predicted without any error, or 0 if that is plausible.

    Rows with the most frequent rating are left out, since always guessing that one is easy. Of the others
    (10 at least) nine in ten must be exact, not all, because predictions are clipped.
    """
    values, place, counts = np.unique(true, return_inverse=True, return_counts=True)
    other = place != counts.argmax()
    if np.count_nonzero(other) < 10:
        return 0
    error = np.abs(true.astype(np.float64) - predicted)
    exact = error <= _EXACT * float(values[-1] - values[0])
    return int(np.count_nonzero(exact)) if exact[other].mean() > 0.9 else 0


def too_good(name: str, exact: Sequence[int]) -> str | None:
    """Say so if a model predicts rows that it cannot know without any error.

    Parameters
    ----------
    name : str
        What the model is called.
    exact : sequence of int
        Of each fold, by ``exact_rows``.
    """
    if not any(exact):
        return None
    folds = f" in {np.count_nonzero(exact)} of {len(exact)} folds" if len(exact) > 1 else ""
    return (
        f"{name} predicts {plural(sum(exact), 'judged row')} without any error{folds}: it has seen them, or "
        "they follow from the others. A model may learn only from the ratings given to fit, and must forget "
        "them when it is fitted again"
    )
