"""Columns: their roles, and validation of their values."""

from __future__ import annotations

import numpy as np
import pandas as pd
import polars as pl
import pytest

from foretaste.column_roles import (
    ROLES,
    as_numpy,
    check_finite_column,
    check_scale,
    check_timestamp_column,
    check_weight_column,
    column_role,
    filter_rows,
    frame_columns,
    infer_roles,
    referenced_columns,
    require_roles,
)
from foretaste.errors import DataError, InvalidParameterError


@pytest.mark.parametrize(
    ("name", "role"),
    [("userId", "user"), ("USER_ID", "user"), ("jokeId", "item"), ("ISBN", "item"), ("Book-Rating", "rating"),
     ("unixReviewTime", "timestamp"), ("genre", None), ("", None)],
)  # fmt: skip
def test_usual_names_have_roles(name, role):
    assert column_role(name) == role


def guess(*names, **chosen):
    return infer_roles(names, dict.fromkeys(ROLES) | chosen)


def test_roles_are_inferred_and_overridden():
    assert guess("rating", "jokeId", "userId") == {"user": "userId", "item": "jokeId", "rating": "rating"}
    assert guess("user", "userId", "item")["user"] == "user"
    assert guess("x", "item", "score", user="x", rating="score") == {
        "user": "x",
        "rating": "score",
        "item": "item",
    }
    assert guess("item", "movie", item="movie")["item"] == "movie"


def test_unknown_column_suggests_the_closest():
    with pytest.raises(
        DataError, match=r'no column "raiting" \(requested as rating\); did you mean "rating"\?'
    ) as caught:
        guess("userId", "movieId", "rating", "timestamp", rating="raiting")
    assert caught.value.where == "columns are: userId, movieId, rating, timestamp"


def test_required_roles():
    require_roles({"user": "a"}, ["a", "b"], ["user"])
    with pytest.raises(DataError, match="no column for the item was recognized") as caught:
        require_roles({"user": "a"}, ["a", "b"], ["user", "item"])
    assert caught.value.hint == 'name the column: item="b"'


FRAME = pl.DataFrame({"userId": [1, 2, 3], "town": ["Ghent", "user", None], "rating": [1.0, 2.5, 4.0]})


@pytest.mark.parametrize(
    ("condition", "rows"),
    [
        ("userId <= 2", [0, 1]),
        ("town = 'user'", [1]),
        ("town <> 'Ghent'", [1]),
        ("town IS NULL or rating < 2", [0, 2]),
        ("userId IN (1, 3) and rating BETWEEN 3 AND 5", [2]),
    ],
)
def test_conditions_filter_rows(condition, rows):
    mask = filter_rows(FRAME, condition)
    assert mask.dtype == bool
    assert np.flatnonzero(mask).tolist() == rows


@pytest.mark.parametrize("name", ["user", "User", '"user"', "userId", "customer_id"])
def test_conditions_may_name_the_column_user(name):
    frame = pl.DataFrame({"user": [1, 2], "town": ["user", "x"]})
    assert filter_rows(frame, f"{name} = 1 and town = 'user'").tolist() == [True, False]


def test_names_in_conditions_are_found():
    assert sorted(referenced_columns("user = 1 and town = 'x'")) == ["town", "user"]
    assert referenced_columns("user =") == []


@pytest.mark.parametrize(
    ("condition", "message"),
    [
        ("userId >", "cannot be parsed"),
        ("usrId > 1", 'did you mean "userId"?'),
        ("town > 3", "cannot be applied"),
        ("rating + 1", "not true or false"),
        ("max(rating) > 1", "not true or false"),
    ],
)
def test_invalid_conditions_raise(condition, message):
    with pytest.raises(InvalidParameterError) as caught:
        filter_rows(FRAME, condition)
    assert message in caught.value.message
    assert caught.value.hint or caught.value.where


def test_scale_is_validated():
    values = np.array([1, 5, 7], np.float32)
    check_scale(None, values)
    check_scale((1, 7), values)
    check_scale((1, 2))
    with pytest.raises(
        DataError, match=r"1 ratings lie outside the declared scale 1 to 5 \(first: 7 in row 2\)"
    ):
        check_scale((1, 5), values)
    with pytest.raises(DataError, match="first: 7 in line 9"):
        check_scale((1, 5), values, row_label=lambda row: f"line {row + 7}")
    for scale in (5, (1,), ("a", "b"), (5, 1), (1, 1), (1, float("inf")), (float("nan"), 1)):
        with pytest.raises(InvalidParameterError, match="scale="):
            check_scale(scale, values)


def test_non_finite_values_raise():
    assert check_finite_column([1, 2.5], "rating").dtype == np.float32
    assert check_finite_column(np.array([1, 0.0], dtype=object), "rating").tolist() == [1, 0]
    for column, message in [
        ([1, float("nan")], "rating in row 1 is nan"),
        ([float("inf"), 1], "rating in row 0 is inf"),
        ([1e39, 1], "rating in row 0 is 1e"),
        (["3"], "rating in row 0 is '3', not a number"),
        ([1, None], "rating in row 1 is None"),
        ([[1]], "must be one column"),
    ]:
        with pytest.raises(DataError, match=message):
            check_finite_column(column, "rating")


def test_weights_are_validated():
    assert check_weight_column([0, 2]).tolist() == [0, 2]
    with pytest.raises(DataError, match="weight in row 1 is -1"):
        check_weight_column([0, -1])


def test_timestamps_are_validated():
    assert check_timestamp_column([3, 4]).tolist() == [3, 4]
    assert check_timestamp_column([3.0, -4.0]).tolist() == [3, -4]
    assert check_timestamp_column(pd.to_datetime(pd.Series(["1970-01-02"]))).tolist() == [86400]
    assert check_timestamp_column(np.array(["1969-12-31T23:59:59"], "datetime64[ms]")).tolist() == [-1]
    with pytest.raises(DataError, match="timestamp in row 1 is missing"):
        check_timestamp_column(pd.to_datetime(pd.Series(["1970-01-02", None])))
    for column in (["1970-01-02"], [1.5], [float("nan")]):
        with pytest.raises(DataError, match="it must be integer seconds"):
            check_timestamp_column(column)


@pytest.mark.parametrize("make", [pd.DataFrame, pl.DataFrame, lambda c: pl.DataFrame(c).to_arrow()])
def test_frame_columns_are_converted(make):
    columns = frame_columns(make({"a": [1, 2], "b": ["x", "y"]}))
    assert list(columns) == ["a", "b"]
    assert as_numpy(columns["a"]).tolist() == [1, 2]
    assert (as_numpy(columns["b"]).dtype, as_numpy(columns["b"]).tolist()) == (object, ["x", "y"])


@pytest.mark.parametrize(
    "series", [pd.Series(["x", "y"], dtype="category"), pl.Series(["x", "y"], dtype=pl.Categorical)]
)
def test_categories_become_text(series):
    assert as_numpy(series).tolist() == ["x", "y"]
