"""Which rows are learned from and which are judged by, fixed once for all models, and in words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from foretaste._utils.formatting import format_count
from foretaste.errors import DataError, InvalidParameterError
from foretaste.evaluation.leakage import OVERLAP_DESCRIPTIONS, check_no_overlap, drop_overlap
from foretaste.ratings import Ratings
from foretaste.splits import ColdItems, ColdUsers, HoldOut, KFold, LeaveNOut, TimeSplit, WarmOnly
from foretaste.typing import Float32Array, IndexArray, IntpArray
from foretaste.validation import check_id_types


@dataclass(frozen=True, eq=False)
class EvaluationPlan:
    """The folds of one comparison.

    Parameters
    ----------
    ratings : Ratings
        All ratings; with ``test``, only those learned from.
    test : Ratings, optional
        Judged by instead of a part of ``ratings``.
    fold_rows : tuple of (train_rows, test_rows)
        One pair a fold; empty with ``test``.
    description : str
        The protocol as a sentence.
    """

    ratings: Ratings
    test: Ratings | None
    fold_rows: tuple[tuple[IntpArray, IntpArray], ...]
    description: str

    def __len__(self) -> int:
        return len(self.fold_rows) or 1

    def train_test(self, fold: int) -> tuple[Ratings, Ratings]:
        """Return the ratings to learn from and those to judge by; ids of one part stay in that part."""
        if self.test is not None:
            return self.ratings, self.test
        train_rows, test_rows = self.fold_rows[fold]
        return self.ratings[train_rows], self.ratings[test_rows]

    def test_ratings(self, fold: int) -> Ratings:
        """Return the ratings to judge by."""
        return self.ratings[self.fold_rows[fold][1]] if self.test is None else self.test

    def test_users(self, fold: int) -> IndexArray:
        """Return the user of each row judged, as one number in all folds, shape (n,)."""
        return self.ratings.user[self.fold_rows[fold][1]] if self.test is None else self.test.user

    def test_values(self, fold: int) -> Float32Array:
        """Return the rating of each row judged, shape (n,)."""
        return self.ratings.value[self.fold_rows[fold][1]] if self.test is None else self.test.value


def make_plan(
    ratings: Ratings,
    split: Any,
    test: Ratings | None,
    *,
    warm_only: bool = False,
    overlap: str = "error",
) -> EvaluationPlan:
    """Fix the folds of a comparison.

    Parameters
    ----------
    ratings : Ratings
    split : Split, optional
        Default: ``HoldOut(0.2, seed=0)``.
    test : Ratings, optional
        Instead of a split.
    warm_only : bool
        Judge only rows whose user and item are learned from.
    overlap : {"error", "drop_from_train", "drop_from_test"}
        What to do with pairs that stand in ``ratings`` and in ``test``.

    Raises
    ------
    InvalidParameterError
        If both are given, or the split is none.
    DataError
        If a part is empty, a row stands in both parts, or no id of ``test`` occurs in ``ratings``.
    """
    if test is not None:
        if split is not None:
            raise InvalidParameterError(
                "split and test are both given; rows are either split or given apart", hint="test="
            )
        return _external_test_plan(ratings, test, warm_only, overlap)
    split = HoldOut(0.2, seed=0) if split is None else split
    if not hasattr(split, "split"):
        raise InvalidParameterError(
            f"split={split!r} is no split", hint="HoldOut(0.2, seed=0), KFold(5), ByTime(0.2), ..."
        )
    split = WarmOnly(split) if warm_only and not isinstance(split, WarmOnly) else split
    rows = tuple(check_no_overlap(split, fold, ratings) for fold in split.split(ratings))
    if not rows:
        raise DataError(f"{split!r} yields no rows to learn from and to judge by")
    return EvaluationPlan(
        ratings, None, rows, f"{_describe_split(split)}: {_describe_counts(rows, len(ratings))}"
    )


def _external_test_plan(ratings: Ratings, test: Ratings, warm_only: bool, overlap: str) -> EvaluationPlan:
    """Return the protocol of rows given apart."""
    _check_external_test(ratings, test)
    ratings, test, overlap_text = drop_overlap(ratings, test, overlap)
    if warm_only:
        user, item = (
            train_ids.indices_of(test_ids.ids)[codes] >= 0
            for train_ids, test_ids, codes in (
                (ratings.users, test.users, test.user),
                (ratings.items, test.items, test.item),
            )
        )
        if not (user & item).any():
            raise DataError("no row to judge by has a user and an item that are learned from")
        test = test[user & item]
    source = "rows given apart" + overlap_text + (_WARM_ONLY_TEXT if warm_only else "")
    description = f"{source}: {len(ratings):,} to learn from, {len(test):,} to judge by"
    return EvaluationPlan(ratings, test, (), description)


_WARM_ONLY_TEXT = ", judged only where user and item are known"


def arguments_from_description(description: str) -> list[str]:
    """Return the arguments of ``compare`` that the words of a protocol of rows given apart tell of.

    Parameters
    ----------
    description : str
        Of a ``EvaluationPlan``.
    """
    arguments = [
        f'overlap="{policy}"' for policy, text in OVERLAP_DESCRIPTIONS.items() if text in description
    ]
    return arguments + ["warm_only=True"] * (_WARM_ONLY_TEXT in description)


def _check_external_test(ratings: Ratings, test: Ratings) -> None:
    for subset, name in ((ratings, "learn from"), (test, "judge by")):
        if len(subset) == 0:
            raise DataError(f"there are no ratings to {name}")
    check_id_types(test.users, ratings.users, "user")
    check_id_types(test.items, ratings.items, "item")
    any_known = (ratings.users.indices_of(test.users.ids) >= 0).any() or (
        ratings.items.indices_of(test.items.ids) >= 0
    ).any()
    if not any_known:
        raise DataError(
            "no user and no item to judge by occurs in the ratings to learn from; are both of one data set?"
        )


def _describe_split(split: Any) -> str:
    """Say in words what a split does, without its counts."""
    match split:
        case HoldOut():
            return f"hold-out, {_format_percent(split.test_size)} of the rows, seed {split.seed}"
        case KFold():
            return f"{split.folds}-fold cross-validation, seed {split.seed}"
        case WarmOnly():
            return _describe_split(split.splitter) + _WARM_ONLY_TEXT
        case LeaveNOut(n=1):
            return f"leave one out: 1 rating of each user who has more held out, seed {split.seed}"
        case LeaveNOut():
            return f"{format_count(split.n, 'rating')} of each user who has more held out, seed {split.seed}"
        case TimeSplit():
            return f"the latest {_format_percent(split.test_size)} of the rows held out"
        case ColdUsers():
            return f"{_format_percent(split.test_size)} of the users never learned from, seed {split.seed}"
        case ColdItems():
            return f"{_format_percent(split.test_size)} of the items never learned from, seed {split.seed}"
    return f"split by {split!r}"


def _format_percent(fraction: float) -> str:
    return f"{100 * fraction:.4g} %"


def _describe_counts(rows: tuple[tuple[IntpArray, IntpArray], ...], total: int) -> str:
    if len(rows) == 1:
        return f"{len(rows[0][0]):,} to learn from, {len(rows[0][1]):,} to judge by"
    n_test = sum(len(test_rows) for _, test_rows in rows)
    if n_test == total:
        return (
            f"each of the {total:,} rows judged once; means of {len(rows)} folds, +- their standard deviation"
        )
    return f"{n_test:,} rows judged in {len(rows)} folds; their means, +- their standard deviation"
