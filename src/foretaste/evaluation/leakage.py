"""Rows that must not be judged by: those learned from, and those a model has seen in another way."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from foretaste._utils.formatting import format_count
from foretaste.errors import DataError, InvalidParameterError
from foretaste.ratings import Ratings
from foretaste.typing import Float32Array, IntpArray

OVERLAP_POLICIES = ("error", "drop_from_train", "drop_from_test")
OVERLAP_DESCRIPTIONS = {
    "drop_from_train": "that stood in both only judged by",
    "drop_from_test": "that stood in both only learned from",
}
_EXACT_TOLERANCE = 1e-6  # of the range of the ratings judged: hardly more than float32 can tell


def check_no_overlap(split: Any, fold: Any, ratings: Ratings) -> tuple[IntpArray, IntpArray]:
    """Return the rows of one fold, after looking whether any is both learned from and judged by.

    Raises
    ------
    DataError
        If there are such rows, a part is empty, or a number is none of a row.
    """
    train_rows, test_rows = (np.asarray(rows) for rows in fold)
    for rows in (train_rows, test_rows):
        if len(rows) and (rows.dtype.kind not in "iu" or rows.min() < 0 or rows.max() >= len(ratings)):
            raise DataError(
                f"{split!r} must yield row numbers, 0 to {len(ratings) - 1}", hint="numpy.flatnonzero(mask)"
            )
    if len(train_rows) == 0 or len(test_rows) == 0:
        raise DataError(
            f"{split!r} leaves {len(train_rows)} rows to learn from and {len(test_rows)} to judge by"
        )
    in_train = np.zeros(len(ratings), dtype=bool)
    in_train[train_rows] = True
    overlap = np.flatnonzero(in_train[test_rows])
    if len(overlap):
        row = test_rows[overlap[0]]
        raise DataError(
            f"{split!r} has {format_count(len(overlap), 'row')} both to learn from and to judge by; a model would be "
            "judged by what it was told",
            where=f"the first is row {row}: user {ratings.user_ids[row]}, item {ratings.item_ids[row]}",
            hint="numpy.setdiff1d(train_rows, test_rows) as the rows to learn from",
        )
    return train_rows, test_rows


def drop_overlap(ratings: Ratings, test: Ratings, overlap: str) -> tuple[Ratings, Ratings, str]:
    """Return ratings to learn from and to judge by that share no (user, item), and what was done, in words.

    Raises
    ------
    DataError
        If they share pairs and ``overlap`` is "error", or nothing would be left.
    InvalidParameterError
        If ``overlap`` is none of ``OVERLAP_POLICIES``.
    """
    if overlap not in OVERLAP_POLICIES:
        raise InvalidParameterError(
            f'overlap={overlap!r} is not allowed; it must be "error", "drop_from_train" or "drop_from_test"',
            hint='overlap="drop_from_train"',
        )
    train_pairs, test_pairs = _pair_codes(ratings, test)
    is_shared = np.isin(test_pairs, train_pairs)
    count = int(np.count_nonzero(is_shared))
    if count == 0:
        return ratings, test, ""
    if overlap == "error":
        row = int(np.flatnonzero(is_shared)[0])
        raise DataError(
            f"{count:,} of the {format_count(len(test), 'row')} to judge by are also among those to learn from; "
            "a model would be judged by what it was told",
            where=f"the first is user {test.user_ids[row]}, item {test.item_ids[row]}",
            hint='overlap="drop_from_train" to learn from the others only, or "drop_from_test" to judge by the others only',
        )
    if overlap == "drop_from_train":
        train = ratings[~np.isin(train_pairs, test_pairs)]
        if len(train) == 0:
            raise DataError(
                "every row to learn from is also to judge by; nothing would be left to learn from"
            )
        return train, test, f" ({count:,} {OVERLAP_DESCRIPTIONS['drop_from_train']})"
    if count == len(test):
        raise DataError("every row to judge by is also to learn from; nothing would be left to judge by")
    return ratings, test[~is_shared], f" ({count:,} {OVERLAP_DESCRIPTIONS['drop_from_test']})"


def _pair_codes(ratings: Ratings, test: Ratings) -> tuple[Any, Any]:
    """Return one number for each (user, item), the same in both; unknown ones of the second get -1."""
    user = ratings.users.indices_of(test.users.ids)[test.user].astype(np.int64)
    item = ratings.items.indices_of(test.items.ids)[test.item].astype(np.int64)
    n_items = len(ratings.items)
    is_known = (user >= 0) & (item >= 0)
    return ratings.user.astype(np.int64) * n_items + ratings.item, np.where(
        is_known, user * n_items + item, -1
    )


def count_exact(y_true: Float32Array, y_pred: Float32Array) -> int:
    """Return how many rows of a fold are predicted without any error, or 0 if that is plausible.

    Rows with the most frequent rating are left out, since always guessing that one is easy. Of the others
    (10 at least) nine in ten must be exact, not all, because predictions are clipped.
    """
    values, value_index, counts = np.unique(y_true, return_inverse=True, return_counts=True)
    is_informative = value_index != counts.argmax()
    if np.count_nonzero(is_informative) < 10:
        return 0
    error = np.abs(y_true.astype(np.float64) - y_pred)
    is_exact = error <= _EXACT_TOLERANCE * float(values[-1] - values[0])
    return int(np.count_nonzero(is_exact)) if is_exact[is_informative].mean() > 0.9 else 0


def leakage_warning(name: str, exact_counts: Sequence[int]) -> str | None:
    """Say so if a model predicts rows that it cannot know without any error.

    Parameters
    ----------
    name : str
        What the model is called.
    exact_counts : sequence of int
        Of each fold, by ``count_exact``.
    """
    if not any(exact_counts):
        return None
    folds = (
        f" in {np.count_nonzero(exact_counts)} of {len(exact_counts)} folds" if len(exact_counts) > 1 else ""
    )
    return (
        f"{name} predicts {format_count(sum(exact_counts), 'judged row')} without any error{folds}: it has seen them, or "
        "they follow from the others. A model may learn only from the ratings given to fit, and must forget "
        "them when it is fitted again"
    )
