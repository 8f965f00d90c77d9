"""The datasets of the benchmark, each with its protocol; files are in the folder named in FORETASTE_DATA."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from foretaste import HoldOut, KFold, LeaveNOut, Ratings, read_ratings
from foretaste.evaluation.plan import EvaluationPlan, make_plan

VARIABLE = "FORETASTE_DATA"
STARS, JESTER = (1.0, 5.0), (-10.0, 10.0)
FIVE_FOLDS = (
    "5 folds of the rows in file order, each row tested once: those of scikit-learn's "
    "`KFold(5, shuffle=True, random_state=0)`"
)


@dataclass(frozen=True)
class QualityDataset:
    """A dataset and how models are evaluated on it.

    Parameters
    ----------
    label : str
        Heading of its table.
    files : tuple of str
        Its files, relative to the folder.
    scale : (float, float)
        Declared to our models and to surprise's Reader alike.
    protocol : str
        The split in words.
    load : callable
        Maps the paths of the files to an ``EvaluationPlan``.
    n_folds : int
        Number of folds of the whole protocol.
    nmae : bool
        Whether the MAE is reported as a fraction of the scale.
    """

    label: str
    files: tuple[str, ...]
    scale: tuple[float, float]
    protocol: str
    load: Callable[..., EvaluationPlan]
    n_folds: int = 1
    nmae: bool = False

    def paths(self) -> list[Path]:
        """Return the paths of its files, or exit."""
        folder = os.environ.get(VARIABLE)
        if not folder:
            sys.exit(f"needs real ratings: set {VARIABLE} to the folder that holds them")
        paths = [Path(folder) / file for file in self.files]
        for path in paths:
            if not path.exists():
                sys.exit(f"needs {path.name}, which is not in the folder that {VARIABLE} names")
        return paths

    def folds(self) -> EvaluationPlan:
        """Load the ratings and fix the folds."""
        return self.load(*self.paths())


def _movielens(path: Path) -> Ratings:
    """Read a file of MovieLens 100K: user, item, rating and time between tabs."""
    return read_ratings(path, header=False, user=0, item=1, rating=2, timestamp=3, scale=STARS)


def _u_data(path: Path) -> EvaluationPlan:
    return make_plan(_movielens(path), KFold(5, seed=0), None)


def _u1(base: Path, test: Path) -> EvaluationPlan:
    return make_plan(_movielens(base), None, _movielens(test))


def _ml_1m(path: Path) -> EvaluationPlan:
    ratings = read_ratings(path, header=False, user=0, item=1, rating=2, scale=STARS)
    return make_plan(ratings, KFold(5, seed=0), None)


def _jester_2(path: Path) -> EvaluationPlan:
    return make_plan(read_ratings(path, scale=JESTER), KFold(5, seed=0), None)


def _lecture(path: Path) -> EvaluationPlan:
    return make_plan(read_ratings(path, scale=JESTER), HoldOut(0.2, seed=42), None)


def _jester_1(path: Path) -> EvaluationPlan:
    """The users of the first of the three files, in hundredths, 9900 where there is no rating."""
    matrix = np.load(path, allow_pickle=False)["ratings_x100"][:24_983]
    user, item = np.nonzero(matrix != 9900)
    ratings = Ratings.from_columns(user, item, matrix[user, item] / 100, scale=JESTER)
    return make_plan(ratings, LeaveNOut(2, seed=0), None)


DATA = {
    "ml-100k": QualityDataset("MovieLens 100K", ("ml-100k/u.data",), STARS, FIVE_FOLDS, _u_data, 5),
    "u1": QualityDataset(
        "MovieLens 100K, first published split",
        ("ml-100k/u1.base", "ml-100k/u1.test"),
        STARS,
        "train on u1.base, test on u1.test",
        _u1,
    ),
    "ml-1m": QualityDataset(
        "MovieLens 1M", ("ml-1m/ratings_no_timestamps.dat.gz",), STARS, FIVE_FOLDS + "; no times", _ml_1m, 5
    ),
    "jester-2": QualityDataset(
        "Jester 2, users to 14780",
        ("jester2/jester_ratings_users_1_to_14780.csv.gz",),
        JESTER,
        FIVE_FOLDS,
        _jester_2,
        5,
    ),
    "lecture": QualityDataset(
        "Jester 2, users to 4000 (the lecture)",
        ("jester2/jester_ratings_users_1_to_4000.csv.gz",),
        JESTER,
        "a fifth of the rows held out: scikit-learn's `train_test_split(test_size=0.2, random_state=42)`; "
        "the lecture had 3 rows more, so figures of both agree to 0.02",
        _lecture,
    ),
    "jester-1": QualityDataset(
        "Jester 1, first file",
        ("jester1/jester1_ratings_x100_int16.npz",),
        JESTER,
        "two random ratings of each user held out, seed 0; NMAE is the MAE over the 20 of the scale",
        _jester_1,
        nmae=True,
    ),
}
