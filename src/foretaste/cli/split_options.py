"""The options that name a train/test split, for ``compare`` and ``report``."""

from __future__ import annotations

from typing import Any

import click

SPLITS = ("holdout", "folds", "by-time", "leave-one-out", "cold-users", "cold-items")

SPLIT_OPTIONS = (
    click.option(
        "--split",
        "split_name",
        type=click.Choice(SPLITS),
        help="How test rows are chosen.  [default: holdout, or folds with --folds]",
    ),
    click.option(
        "--test-size",
        type=float,
        default=0.2,
        show_default=True,
        help="Fraction held out (of rows; of users or items for cold-* splits).",
    ),
    click.option("--folds", type=int, help="Number of cross-validation folds.  [with --split folds: 5]"),
    click.option("--seed", default=0, show_default=True, help="Random seed of the split."),
    click.option(
        "--warm-only", is_flag=True, help="Evaluate only rows whose user and item occur in training."
    ),
)
SPLIT_PARAMS = ("split_name", "test_size", "folds", "seed", "warm_only")  # their parameter names


def make_split(
    split_name: str | None, test_size: float, folds: int | None, seed: int, warm_only: bool
) -> Any:
    """Return the split that the options name.

    Parameters
    ----------
    split_name : one of SPLITS, or None
    test_size : float
    folds : int or None
    seed : int
    warm_only : bool

    Raises
    ------
    click.UsageError
        If options contradict each other.
    """
    from foretaste import splits
    from foretaste._utils.checks import check_fraction

    if folds is not None and split_name not in (None, "folds"):
        raise click.UsageError(
            f"--folds goes with --split folds, not {split_name}", click.get_current_context()
        )
    if folds is None and split_name != "folds":
        check_fraction("test_size", test_size)
    split: Any
    match split_name:
        case "by-time":
            split = splits.TimeSplit(test_size)
        case "leave-one-out":
            split = splits.LeaveNOut(1, seed)
        case "cold-users":
            split = splits.ColdUsers(test_size, seed)
        case "cold-items":
            split = splits.ColdItems(test_size, seed)
        case _ if split_name == "folds" or folds is not None:
            split = splits.KFold(5 if folds is None else folds, seed)
        case _:
            split = splits.HoldOut(test_size, seed)
    return splits.WarmOnly(split) if warm_only else split
