"""Datasets of raw ratings, which build trainsets and testsets."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from foretaste.compat.surprise._warnings import warn_about_ratings
from foretaste.compat.surprise.builtin_datasets import BUILTIN_DATASETS, download_builtin_dataset
from foretaste.compat.surprise.reader import Reader
from foretaste.compat.surprise.trainset import Trainset, assign_inner_ids
from foretaste.errors import DataError, ForetasteError, InvalidParameterError, NotFoundError, did_you_mean

Rating = tuple[Any, Any, float, Any]


class UnknownNameError(NotFoundError, ValueError):
    """A dataset or a file that does not exist; programs written for scikit-surprise catch ``ValueError``."""


class Dataset:
    """Ratings from a file, a frame or a published dataset; use one of the ``load_`` methods."""

    def __init__(self, reader: Reader) -> None:
        self.reader = reader

    @classmethod
    def load_builtin(cls, name: str = "ml-100k", prompt: bool = True) -> DatasetAutoFolds:
        """Load a published dataset, downloaded first if missing."""
        if name not in BUILTIN_DATASETS:
            raise UnknownNameError(
                f"unknown dataset {name}. Accepted values are {', '.join(BUILTIN_DATASETS)}"
                f"{did_you_mean(name, BUILTIN_DATASETS)}",
                hint="Dataset.load_builtin('ml-100k'); your own file: Dataset.load_from_file(path, reader)",
            )
        if not Path(BUILTIN_DATASETS[name].path).is_file():
            if prompt and not _confirm_download(name):
                print("Ok then, I'm out!")  # noqa: T201 - a dialog on the terminal
                sys.exit()
            download_builtin_dataset(name)
        builtin = BUILTIN_DATASETS[name]
        return cls.load_from_file(builtin.path, Reader(**builtin.reader_params))

    @classmethod
    def load_from_file(cls, file_path: Any, reader: Reader) -> DatasetAutoFolds:
        """Load ratings from one file."""
        return DatasetAutoFolds(ratings_file=file_path, reader=reader)

    @classmethod
    def load_from_folds(cls, folds_files: Any, reader: Reader) -> DatasetUserFolds:
        """Load ratings that are divided into folds already; a file is read when ``split`` yields its fold."""
        return DatasetUserFolds(folds_files=folds_files, reader=reader)

    @classmethod
    def load_from_df(cls, df: Any, reader: Reader) -> DatasetAutoFolds:
        """Load ratings from a frame of pandas, polars, pyarrow or any library that supports Arrow."""
        return DatasetAutoFolds(reader=reader, df=df)

    def read_ratings(self, file_name: Any) -> list[Rating]:
        """Read a file with the reader of this dataset."""
        skip = self.reader.skip_lines
        ratings: list[Rating] = []
        with Path(file_name).expanduser().open(encoding="utf-8") as lines:
            try:
                ratings.extend(self.reader._parse_lines(islice(lines, skip, None)))
            except ForetasteError as error:
                where = f"line {skip + len(ratings) + 1} of {file_name}"
                raise DataError(error.message, where=where, hint=error.hint) from None
            except UnicodeDecodeError as error:
                raise DataError(
                    f"{file_name} is not utf-8 text: {error.reason}", hint="write it as utf-8 first"
                ) from None
        warn_about_ratings(
            ratings, self.reader.rating_scale, lambda row: f"line {skip + row + 1} of {file_name}"
        )
        return ratings

    def construct_trainset(self, raw_trainset: Any) -> Trainset:
        """Build a trainset; inner ids are assigned in the order in which raw ids first appear."""
        raw = list(raw_trainset)
        user, users = assign_inner_ids([row[0] for row in raw])
        item, items = assign_inner_ids([row[1] for row in raw])
        value = np.fromiter((rating for _, _, rating, _ in raw), np.float64, len(raw))
        return Trainset._from_codes(user, item, value, self.reader.rating_scale, users, items)

    def construct_testset(self, raw_testset: Any) -> list[tuple[Any, Any, float]]:
        """Make a testset: the same without times."""
        return [(user, item, rating) for user, item, rating, _ in raw_testset]


class DatasetUserFolds(Dataset):
    """Ratings in files of folds; made by ``Dataset.load_from_folds``."""

    def __init__(self, folds_files: Any = None, reader: Any = None) -> None:
        super().__init__(reader)
        self.folds_files = list(folds_files)
        for file in (file for pair in self.folds_files for file in pair):
            if not Path(file).expanduser().is_file():
                raise UnknownNameError(
                    f"File {file} does not exist.",
                    hint="folds_files=[('u1.base', 'u1.test')], with their folder",
                )


class DatasetAutoFolds(Dataset):
    """Ratings in one piece; made by ``Dataset.load_from_file``, ``load_from_df`` or ``load_builtin``."""

    def __init__(self, ratings_file: Any = None, reader: Any = None, df: Any = None) -> None:
        super().__init__(reader)
        self.has_been_split = False
        if ratings_file is not None:
            self.ratings_file = ratings_file
            self.raw_ratings = self.read_ratings(ratings_file)
        elif df is not None:
            self.df = df
            self.raw_ratings = _frame_ratings(df)
            warn_about_ratings(self.raw_ratings, reader.rating_scale, lambda row: f"row {row} of the frame")
        else:
            raise InvalidParameterError(
                "Must specify ratings file or dataframe.", hint="Dataset.load_from_file(path, reader)"
            )

    def build_full_trainset(self) -> Trainset:
        """Make a trainset of all ratings."""
        return self.construct_trainset(self.raw_ratings)


def _confirm_download(name: str) -> bool:
    """Ask whether a dataset may be downloaded, until there is an answer."""
    while True:
        message = f"Dataset {name} could not be found. Do you want to download it? [Y/n] "
        print(message, end="", flush=True)  # noqa: T201 - a dialog on the terminal
        answer = input().strip().lower()
        if answer in ("", "y", "yes"):
            return True
        if answer in ("n", "no"):
            return False


def _frame_ratings(df: Any) -> list[Rating]:
    rows = _frame_rows(df)
    ratings: list[Rating] = []
    try:
        ratings.extend((user, item, float(rating), None) for user, item, rating in rows)
    except (TypeError, ValueError) as error:
        width = len(list(getattr(df, "columns", ())))
        if width != 3:
            raise InvalidParameterError(
                f"the frame has {width} columns; it must have three: user, item and rating, in this order",
                hint='df[["user", "item", "rating"]]',
            ) from None
        raise DataError(
            f"a rating is not a number: {error}",
            where=f"row {len(ratings)} of the frame",
            hint="look at that row",
        ) from None
    return ratings


def _frame_rows(df: Any) -> Iterable[Any]:
    """Return the rows of a frame as Python values, without importing libraries that are not needed."""
    if hasattr(df, "itertuples"):
        rows: Iterable[Any] = df.itertuples(index=False, name=None)
        return rows
    if hasattr(df, "iter_rows"):
        return list(df.iter_rows())
    if hasattr(df, "__arrow_c_stream__") or hasattr(df, "collect"):
        import polars as pl

        frame = df.collect() if isinstance(df, pl.LazyFrame) else pl.DataFrame(df)
        return frame.iter_rows()
    raise InvalidParameterError(
        f"df is a {type(df).__name__}; it must be a frame of pandas, polars, pyarrow or another library that "
        "supports Arrow",
        hint='pandas.DataFrame({"user": users, "item": items, "rating": ratings})',
    )
