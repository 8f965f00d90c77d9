"""Evaluation plans: the training and test rows of each fold, the same for all models."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from foretaste._utils.formatting import format_count
from foretaste.errors import DataError, Hint, InvalidParameterError
from foretaste.evaluation.leakage import OVERLAP_DESCRIPTIONS, check_no_overlap, drop_overlap
from foretaste.ratings import Ratings
from foretaste.splits import ColdItems, ColdUsers, HoldOut, KFold, LeaveNOut, TimeSplit, WarmOnly
from foretaste.typing import Float32Array, IndexArray, IntpArray
from foretaste.validation import check_id_types


@dataclass(frozen=True, eq=False)
class EvaluationPlan:
    """The folds of one evaluation.

    Parameters
    ----------
    ratings : Ratings
        All ratings; with ``test``, the training set.
    test : Ratings or None
        An external test set.
    fold_rows : tuple of (train_rows, test_rows)
        One pair per fold; empty with ``test``.
    description : str
        The evaluation protocol in one sentence.
    """

    ratings: Ratings
    test: Ratings | None
    fold_rows: tuple[tuple[IntpArray, IntpArray], ...]
    description: str

    def __len__(self) -> int:
        return len(self.fold_rows) or 1

    def train_test(self, fold: int) -> tuple[Ratings, Ratings]:
        """Return the training and the test set of a fold; ids that occur in only one stay in that one."""
        if self.test is not None:
            return self.ratings, self.test
        train_rows, test_rows = self.fold_rows[fold]
        return self.ratings[train_rows], self.ratings[test_rows]

    def test_ratings(self, fold: int) -> Ratings:
        """Return the test set of a fold."""
        return self.ratings[self.fold_rows[fold][1]] if self.test is None else self.test

    def test_users(self, fold: int) -> IndexArray:
        """Return the user index of each test row, the same index in all folds, shape (n,)."""
        return self.ratings.user[self.fold_rows[fold][1]] if self.test is None else self.test.user

    def test_values(self, fold: int) -> Float32Array:
        """Return the rating of each test row, shape (n,)."""
        return self.ratings.value[self.fold_rows[fold][1]] if self.test is None else self.test.value


def make_plan(
    ratings: Ratings,
    split: Any,
    test: Ratings | None,
    *,
    warm_only: bool = False,
    overlap: str = "error",
) -> EvaluationPlan:
    """Fix the folds of an evaluation.

    Parameters
    ----------
    ratings : Ratings
    split : splitter, optional
        Default: ``HoldOut(0.2, seed=0)``.
    test : Ratings, optional
        An external test set, instead of a split.
    warm_only : bool
        Test only on rows whose user and item occur in the training set.
    overlap : {"error", "drop_from_train", "drop_from_test"}
        How to treat (user, item) pairs that occur in both ``ratings`` and ``test``.

    Raises
    ------
    InvalidParameterError
        If ``split`` and ``test`` are both passed, or ``split`` has no method ``split``.
    DataError
        If a part is empty, a row is in both parts, or no id of ``test`` occurs in ``ratings``.
    """
    if test is not None:
        if split is not None:
            raise InvalidParameterError(
                "split and test cannot be combined: test is an external test set", hint=Hint({"split": None})
            )
        return _external_test_plan(ratings, test, warm_only, overlap)
    split = HoldOut(0.2, seed=0) if split is None else split
    if not hasattr(split, "split"):
        raise InvalidParameterError(
            f"split={split!r} is not a splitter", hint="HoldOut(0.2, seed=0), KFold(5), TimeSplit(0.2), ..."
        )
    split = WarmOnly(split) if warm_only and not isinstance(split, WarmOnly) else split
    rows = tuple(check_no_overlap(split, fold, ratings) for fold in split.split(ratings))
    if not rows:
        raise DataError(f"{split!r} yields no training and test rows")
    return EvaluationPlan(
        ratings, None, rows, f"{_describe_split(split)}: {_describe_counts(rows, len(ratings))}"
    )


def _external_test_plan(ratings: Ratings, test: Ratings, warm_only: bool, overlap: str) -> EvaluationPlan:
    """Return the plan of an external test set."""
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
            raise DataError("no test row has a user and an item that occur in the training set")
        test = test[user & item]
    source = "external test set" + overlap_text + (_WARM_ONLY_TEXT if warm_only else "")
    description = f"{source}: {len(ratings):,} train, {len(test):,} test rows"
    return EvaluationPlan(ratings, test, (), description)


_WARM_ONLY_TEXT = ", only test rows with known user and item"


def arguments_from_description(description: str) -> list[str]:
    """Return the arguments of ``compare`` that the description of a plan with an external test set implies.

    Parameters
    ----------
    description : str
        Of an ``EvaluationPlan``.
    """
    arguments = [
        f'overlap="{policy}"' for policy, text in OVERLAP_DESCRIPTIONS.items() if text in description
    ]
    return arguments + ["warm_only=True"] * (_WARM_ONLY_TEXT in description)


def _check_external_test(ratings: Ratings, test: Ratings) -> None:
    for subset, name in ((ratings, "training"), (test, "test")):
        if len(subset) == 0:
            raise DataError(f"the {name} set is empty")
    check_id_types(test.users, ratings.users, "user")
    check_id_types(test.items, ratings.items, "item")
    any_known = (ratings.users.indices_of(test.users.ids) >= 0).any() or (
        ratings.items.indices_of(test.items.ids) >= 0
    ).any()
    if not any_known:
        raise DataError(
            "no user and no item of the test set occurs in the training set; are both from the same dataset?"
        )


def _describe_split(split: Any) -> str:
    """Describe a splitter in words, without counts."""
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
            return f"{_format_percent(split.test_size)} of the users held out entirely, seed {split.seed}"
        case ColdItems():
            return f"{_format_percent(split.test_size)} of the items held out entirely, seed {split.seed}"
    return f"split by {split!r}"


def _format_percent(fraction: float) -> str:
    return f"{100 * fraction:.4g} %"


def _describe_counts(rows: tuple[tuple[IntpArray, IntpArray], ...], total: int) -> str:
    if len(rows) == 1:
        return f"{len(rows[0][0]):,} train, {len(rows[0][1]):,} test rows"
    n_test = sum(len(test_rows) for _, test_rows in rows)
    if n_test == total:
        return (
            f"each of the {total:,} rows tested once; means of {len(rows)} folds, +- their standard deviation"
        )
    return f"{n_test:,} test rows in {len(rows)} folds; their means, +- their standard deviation"
