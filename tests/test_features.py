"""Features and titles: aligned to the ids, complete, unique."""

from __future__ import annotations

import numpy as np
import pandas as pd
import polars as pl
import pytest

from foretaste.errors import DataError, NotFoundError
from foretaste.features import FeatureTable, ItemCatalog
from foretaste.ids import IdIndex
from foretaste.ratings import Ratings

INDEX = IdIndex(np.array([3, 5, 9]))
COLUMNS = {
    "age": [50, 30, 90, 10],
    "movieId": [5, 3, 9, 1],
    "genre": ["b", "a", "b", "c"],
    "liked": [True, False, True, True],
}


@pytest.mark.parametrize("make", [pd.DataFrame, pl.DataFrame, lambda c: pl.DataFrame(c).to_arrow()])
def test_features_are_aligned_and_one_hot(make):
    table = FeatureTable.from_frame(make(COLUMNS), INDEX, "item")
    assert table.columns == ("age", "genre=a", "genre=b", "liked")
    assert table.values.tolist() == [[30, 1, 0, 0], [50, 0, 1, 1], [90, 0, 1, 1]]
    assert table.values.dtype == np.float32
    assert table.take_rows(np.array([True, False, True])).values[:, 0].tolist() == [30, 90]
    assert len(table) == 3


def test_first_column_holds_the_ids_by_default():
    table = FeatureTable.from_frame(pd.DataFrame({"code": [9, 5, 3], "x": [1, 2, 3]}), INDEX, "item")
    assert table.values.tolist() == [[3], [2], [1]]
    assert FeatureTable.from_frame(pd.DataFrame({"code": [9, 5, 3]}), INDEX, "item").values.shape == (3, 0)


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (pd.DataFrame({"item": [3, 5], "x": [1, 2]}), r"1 of 3 items have no row of features \(first: 9\)"),
        (pd.DataFrame({"item": [3, 5, 9, 9], "x": [1, 2, 3, 4]}), "item 9 has more than one row"),
        (pd.DataFrame({"item": [3, 5, 9], "x": [1, 2, np.nan]}), 'feature "x" is'),
        (pd.DataFrame({"item": ["3", "5", "9"], "x": [1, 2, 3]}), "3 of 3 items have no row"),
        ([[3, 5, 9]], "must be a data frame, not list"),
    ],
)
def test_invalid_features_raise(frame, message):
    with pytest.raises(DataError, match=message):
        FeatureTable.from_frame(frame, INDEX, "item")


def test_slices_carry_their_features():
    ratings = Ratings.from_columns([1, 1, 2], [3, 5, 9], [1, 2, 3]).with_features(items=pd.DataFrame(COLUMNS))
    part = ratings[[1, 2]]
    assert part.item_features.values[:, 0].tolist() == [50, 90]
    assert part.user_features is None


def catalogue() -> ItemCatalog:
    columns = {
        "title": np.array(["c", "e", "i"], dtype=object),
        "year": np.array(["1", "2", "3"], dtype=object),
    }
    return ItemCatalog(INDEX, columns, "title")


def test_titles_are_looked_up():
    assert catalogue().titles(np.array([9, 4, 3])) == ["i", None, "c"]
    assert catalogue().titles(np.array(["9"], dtype=object)) == [None]
    assert catalogue().with_title("year").titles(np.array([5])) == ["2"]
    assert len(catalogue()) == 3


def test_unknown_title_column_raises():
    with pytest.raises(NotFoundError, match=r'no column "titel"; did you mean "title"\?') as caught:
        catalogue().with_title("titel")
    assert caught.value.hint == "one of title, year"
