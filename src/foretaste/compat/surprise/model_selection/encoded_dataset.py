"""Ratings encoded once, so that each fold's trainset is sliced from arrays."""

from __future__ import annotations

from typing import Any

import numpy as np

from foretaste.compat.surprise.dataset import Dataset
from foretaste.compat.surprise.trainset import Trainset, assign_inner_ids
from foretaste.errors import InvalidParameterError
from foretaste.typing import IndexArray, Int64Array

Fold = tuple[Trainset, list[tuple[Any, Any, float]]]


class EncodedRatings:
    """The ratings of a dataset as they are now, with a number for each raw id.

    Parameters
    ----------
    data : Dataset
        With ``raw_ratings``.

    Attributes
    ----------
    raw : list of (user, item, rating, time)
    users : int32 array, shape (n,)
        Codes of users, in the order in which they first appear.

    Raises
    ------
    InvalidParameterError
        If the dataset has its folds in files and so no ratings of its own.
    """

    def __init__(self, data: Any) -> None:
        if not hasattr(data, "raw_ratings"):
            raise InvalidParameterError(
                f"a {type(data).__name__} has no raw_ratings that could be divided"
                + ("; its folds are files" if hasattr(data, "folds_files") else ""),
                hint="cv=PredefinedKFold()"
                if hasattr(data, "folds_files")
                else "data = Dataset.load_from_df(frame, Reader(rating_scale=(1, 5)))",
            )
        self.data = data
        self.raw = list(data.raw_ratings)
        self.users, users = assign_inner_ids([row[0] for row in self.raw])
        self._items, items = assign_inner_ids([row[1] for row in self.raw])
        self._values = np.fromiter((row[2] for row in self.raw), np.float64, len(self.raw))
        self._user_ids, self._item_ids = list(users), list(items)
        # A dataset of the program's own may make its trainsets in its own way.
        self._has_custom_trainsets = (
            getattr(type(data), "construct_trainset", None) is not Dataset.construct_trainset
        )

    def __len__(self) -> int:
        return len(self.raw)

    def make_fold(self, train: Int64Array, test: Int64Array) -> Fold:
        """Return the trainset and the testset of these rows.

        Parameters
        ----------
        train, test : int64 array
            Row numbers, in the order in which the rows shall be seen.
        """
        testset: list[tuple[Any, Any, float]] = self.data.construct_testset(
            [self.raw[row] for row in test.tolist()]
        )
        if self._has_custom_trainsets:
            return self.data.construct_trainset([self.raw[row] for row in train.tolist()]), testset
        users, inner_users = _renumber(self.users[train], self._user_ids)
        items, inner_items = _renumber(self._items[train], self._item_ids)
        scale = self.data.reader.rating_scale
        return (
            Trainset._from_codes(users, items, self._values[train], scale, inner_users, inner_items),
            testset,
        )


def _renumber(codes: IndexArray, ids: list[Any]) -> tuple[IndexArray, dict[Any, int]]:
    """Return codes numbered by where they first appear, and the number of each raw id that does."""
    present, first = np.unique(codes, return_index=True)
    order = present[np.argsort(first)]
    inner = np.empty(len(ids), np.int32)
    inner[order] = np.arange(len(order), dtype=np.int32)
    return inner[codes], {ids[code]: number for number, code in enumerate(order.tolist())}
