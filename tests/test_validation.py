"""Input validation: ``as_ratings`` and ``encode_pairs``."""

from __future__ import annotations

import numpy as np
import pandas as pd
import polars as pl
import pytest

from foretaste.errors import DataError
from foretaste.ids import IdIndex
from foretaste.ratings import Pairs, Ratings
from foretaste.validation import as_ratings, encode_pairs

SMALL = Ratings.from_columns(
    [3, 1, 3, 2, 1], ["b", "a", "a", "c", "c"], [4, 0, 2.5, -1, 5],
    timestamp=[50, 40, 30, 20, 10], weight=[1, 2, 3, 4, 5], scale=(-1, 5),
)  # fmt: skip


def rows_of(ratings: Ratings) -> list[tuple]:
    """Return the rows with their original ids."""
    columns = [ratings.user_ids, ratings.item_ids, ratings.value]
    columns += [c for c in (ratings.timestamp, ratings.weight) if c is not None]
    return list(zip(*(c.tolist() for c in columns), strict=True))


def test_as_ratings_accepts_every_input_form():
    pairs, value = list(zip(SMALL.user_ids.tolist(), SMALL.item_ids.tolist(), strict=True)), SMALL.value
    table = {
        "user_id": SMALL.user_ids,
        "jokeId": SMALL.item_ids.astype(str),
        "stars": value,
        "ts": SMALL.timestamp,
    }
    wanted = [row[:3] for row in rows_of(SMALL)]
    assert as_ratings(SMALL) is SMALL
    assert rows_of(as_ratings(pairs, value)) == wanted
    assert rows_of(as_ratings(np.array(pairs, dtype=object), value)) == wanted
    for frame in (pd.DataFrame(table), pl.DataFrame(table), pl.DataFrame(table).to_arrow()):
        found = as_ratings(frame)
        assert [row[:3] for row in rows_of(found)] == wanted
        assert found.timestamp.tolist() == SMALL.timestamp.tolist()
        assert as_ratings(frame, value + 1).value.tolist() == (value + 1).tolist()


def test_replaced_values_are_validated():
    assert as_ratings(SMALL, SMALL.value / 2).value.tolist() == (SMALL.value / 2).tolist()
    assert as_ratings(SMALL, sample_weight=[1] * 5).weight.tolist() == [1] * 5
    for arguments, words in (
        (([1, 2],), "value has 2 rows, the ratings have 5"),
        (([1, 2, 3, 4, float("nan")],), "rating in row 4 is nan"),
        (([1, 2, 3, 4, 9],), "outside the declared scale"),
        ((None, [1, 1, 1, 1, -1]), "weight in row 4 is -1"),
        ((None, [1, 1]), "weight has 2 rows"),
    ):
        with pytest.raises(DataError, match=words):
            as_ratings(SMALL, *arguments)


def test_pairs_of_the_wrong_shape_raise():
    for pairs, words in (
        (np.zeros((3, 3), int), r"pairs must have shape \(n, 2\)"),
        (np.zeros(3, int), r"pairs must have shape \(n, 2\)"),
        ([(1, 2), (3,)], "two entries"),
        (pd.DataFrame({"a": [1], "b": [2]}), "no column for the user was recognized"),
        (pd.DataFrame({"user": [1], "b": [2]}), "no column for the item was recognized"),
    ):
        with pytest.raises(DataError, match=words):
            as_ratings(pairs, [1])


def test_encode_pairs_marks_unknown_ids():
    found = encode_pairs([(3, "b"), (9, "a"), (1, "z"), (0, "?")], SMALL.users, SMALL.items)
    assert found.user.tolist() == [2, -1, 0, -1]
    assert found.item.tolist() == [1, 0, -1, -1]
    part = SMALL[[0, 3]]
    there = encode_pairs(SMALL, part.users, part.items)
    assert there.user.tolist() == [1, -1, 1, 0, -1]
    assert there.timestamp.tolist() == SMALL.timestamp.tolist()
    others = IdIndex(SMALL.users.ids + 1)  # as many ids, but others
    known = dict(zip(others.ids.tolist(), range(len(others)), strict=True))
    wanted = [known.get(user, -1) for user in SMALL.user_ids.tolist()]
    assert encode_pairs(SMALL, others, SMALL.items).user.tolist() == wanted
    same = encode_pairs(SMALL, IdIndex(SMALL.users.ids.copy()), SMALL.items)
    assert same.user.tolist() == SMALL.user.tolist()
    assert encode_pairs(found, SMALL.users, SMALL.items) is found
    assert isinstance(found, Pairs)
    framed = encode_pairs(pl.DataFrame({"user": [3], "item": ["b"], "time": [7]}), SMALL.users, SMALL.items)
    assert (framed.user.tolist(), framed.item.tolist(), framed.timestamp.tolist()) == ([2], [1], [7])
