"""Real ratings from the folder in FORETASTE_DATA; tests are skipped without it."""

from __future__ import annotations

import os
from pathlib import Path

import polars as pl
import pytest

from foretaste.ratings import Ratings
from foretaste.splits import HoldOut

VARIABLE = "FORETASTE_DATA"


def data_file(name: str) -> Path:
    """Return the path of a file in the folder of real data, or skip the test."""
    folder = os.environ.get(VARIABLE)
    if not folder:
        pytest.skip(f"needs real ratings: set {VARIABLE} to the folder that holds {name}")
    path = Path(folder) / name
    if not path.exists():
        pytest.skip(f"needs {name}, which is not in the folder that {VARIABLE} names")
    return path


def lecture_parts() -> tuple[Ratings, Ratings]:
    """Return the training and test ratings of Jester 2, users with ids up to 4000."""
    frame = pl.read_csv(data_file("jester2/jester_ratings_users_1_to_4000.csv.gz"))
    ratings = Ratings.from_columns(
        frame["userId"].to_numpy(), frame["jokeId"].to_numpy(), frame["rating"].to_numpy()
    )
    ((train, valid),) = HoldOut(0.2, seed=42).split(ratings)
    return ratings[train], ratings[valid]
