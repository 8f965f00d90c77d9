"""Leakage checks: test rows that are also in the training set, and models that have seen the test set."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from foretaste._utils.checks import check_choice
from foretaste._utils.formatting import format_count
from foretaste.errors import DataError, Hint
from foretaste.ratings import Ratings
from foretaste.typing import Float32Array, IntpArray

OVERLAP_POLICIES = ("error", "drop_from_train", "drop_from_test")
OVERLAP_DESCRIPTIONS = {
    "drop_from_train": "shared pairs dropped from the training set",
    "drop_from_test": "shared pairs dropped from the test set",
}
_EXACT_TOLERANCE = 1e-6  # fraction of the range of the test ratings, a little above float32 resolution


def check_no_overlap(split: Any, fold: Any, ratings: Ratings) -> tuple[IntpArray, IntpArray]:
    """Return the training and test rows of one fold after checking that they are disjoint.

    Raises
    ------
    DataError
        If a row is in both, a part is empty, or a value is not a row number.
    """
    train_rows, test_rows = (np.asarray(rows) for rows in fold)
    for rows in (train_rows, test_rows):
        if len(rows) and (rows.dtype.kind not in "iu" or rows.min() < 0 or rows.max() >= len(ratings)):
            raise DataError(
                f"{split!r} must yield row numbers, 0 to {len(ratings) - 1}", hint="numpy.flatnonzero(mask)"
            )
    if len(train_rows) == 0 or len(test_rows) == 0:
        raise DataError(f"{split!r} yields {len(train_rows)} training rows and {len(test_rows)} test rows")
    in_train = np.zeros(len(ratings), dtype=bool)
    in_train[train_rows] = True
    overlap = np.flatnonzero(in_train[test_rows])
    if len(overlap):
        row = test_rows[overlap[0]]
        raise DataError(
            f"{split!r} has {format_count(len(overlap), 'row')} in both the training and the test set "
            "(leakage)",
            where=f"first: row {row}, user {ratings.user_ids[row]}, item {ratings.item_ids[row]}",
            hint="numpy.setdiff1d(train_rows, test_rows) as training rows",
        )
    return train_rows, test_rows


def drop_overlap(ratings: Ratings, test: Ratings, overlap: str) -> tuple[Ratings, Ratings, str]:
    """Return training and test sets without shared (user, item) pairs, and a phrase saying what was dropped.

    Raises
    ------
    DataError
        If they share pairs and ``overlap`` is "error", or a set would be empty.
    InvalidParameterError
        If ``overlap`` is not one of ``OVERLAP_POLICIES``.
    """
    check_choice("overlap", overlap, OVERLAP_POLICIES)
    train_pairs, test_pairs = _pair_codes(ratings, test)
    is_shared = np.isin(test_pairs, train_pairs)
    count = int(np.count_nonzero(is_shared))
    if count == 0:
        return ratings, test, ""
    if overlap == "error":
        row = int(np.flatnonzero(is_shared)[0])
        raise DataError(
            f"{count:,} of {format_count(len(test), 'test row')} also occur in the training data (leakage)",
            where=f"first: user {test.user_ids[row]}, item {test.item_ids[row]}",
            hint=Hint({"overlap": "drop_from_train"}, 'or "drop_from_test"'),
        )
    if overlap == "drop_from_train":
        train = ratings[~np.isin(train_pairs, test_pairs)]
        if len(train) == 0:
            raise DataError("every training row is also in the test set; no training rows would be left")
        return train, test, f" ({count:,} {OVERLAP_DESCRIPTIONS['drop_from_train']})"
    if count == len(test):
        raise DataError("every test row also occurs in the training data; no test rows would be left")
    return ratings, test[~is_shared], f" ({count:,} {OVERLAP_DESCRIPTIONS['drop_from_test']})"


def _pair_codes(ratings: Ratings, test: Ratings) -> tuple[Any, Any]:
    """Return an integer per (user, item) pair, the same in both sets; pairs unknown to ``ratings`` are -1."""
    user = ratings.users.indices_of(test.users.ids)[test.user].astype(np.int64)
    item = ratings.items.indices_of(test.items.ids)[test.item].astype(np.int64)
    n_items = len(ratings.items)
    is_known = (user >= 0) & (item >= 0)
    return ratings.user.astype(np.int64) * n_items + ratings.item, np.where(
        is_known, user * n_items + item, -1
    )


def count_exact(y_true: Float32Array, y_pred: Float32Array) -> int:
    """Return the number of rows predicted without error, or 0 where that is plausible.

    Rows with the most frequent rating are ignored, as a constant predicts them. At least 10 others must
    remain and 90 % of them be exact; not all, because predictions are clipped.
    """
    values, value_index, counts = np.unique(y_true, return_inverse=True, return_counts=True)
    is_informative = value_index != counts.argmax()
    if np.count_nonzero(is_informative) < 10:
        return 0
    error = np.abs(y_true.astype(np.float64) - y_pred)
    is_exact = error <= _EXACT_TOLERANCE * float(values[-1] - values[0])
    return int(np.count_nonzero(is_exact)) if is_exact[is_informative].mean() > 0.9 else 0


def leakage_warning(name: str, exact_counts: Sequence[int]) -> str | None:
    """Return a warning if a model predicts test rows without error, else None.

    Parameters
    ----------
    name : str
        Name of the model.
    exact_counts : sequence of int
        ``count_exact`` of each fold.
    """
    if not any(exact_counts):
        return None
    folds = (
        f" in {np.count_nonzero(exact_counts)} of {len(exact_counts)} folds" if len(exact_counts) > 1 else ""
    )
    return (
        f"{name} predicts {format_count(sum(exact_counts), 'test row')} without any error{folds}: it has "
        "seen them, or they follow from the training rows. A model must use only the ratings passed to "
        "fit, and drop what it learned before when it is fitted again"
    )
