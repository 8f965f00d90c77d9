"""The fingerprint distinguishes sets of ratings and ignores the order of their rows."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from foretaste.fingerprint import fingerprint
from foretaste.models import GlobalMean
from foretaste.ratings import Ratings


def columns(ratings: Ratings) -> dict[str, np.ndarray]:
    n = len(ratings)
    return {
        "user": ratings.user_ids, "item": ratings.item_ids, "value": ratings.value,
        "weight": np.arange(n) % 5 + 0.5, "timestamp": 10**9 + np.arange(n),
    }  # fmt: skip


@given(seed=st.integers(0, 2**32 - 1), full=st.booleans())
def test_row_order_does_not_change_the_fingerprint(ratings, seed, full):
    order = np.random.default_rng(seed).permutation(len(ratings))
    all_columns = columns(ratings)
    kept = all_columns if full else {name: all_columns[name] for name in ("user", "item", "value")}
    one, other = Ratings.from_columns(**kept), Ratings.from_columns(**{k: v[order] for k, v in kept.items()})
    assert fingerprint(one) == fingerprint(other) == fingerprint(one[order])


@given(row=st.integers(0, 899), name=st.sampled_from(["user", "item", "value", "weight", "timestamp"]))
def test_every_cell_changes_the_fingerprint(ratings, row, name):
    before, after = columns(ratings), columns(ratings)
    after[name] = after[name].copy()
    after[name][row] += 1 if name in ("value", "weight", "timestamp") else 100_000
    assert fingerprint(Ratings.from_columns(**before)) != fingerprint(Ratings.from_columns(**after))


def test_smallest_rating_change_changes_the_fingerprint(ratings):
    value = ratings.value.copy()
    value[5] = np.nextafter(value[5], np.float32(9))
    assert fingerprint(ratings.replace(value=value)) != fingerprint(ratings)


def test_swapped_ratings_change_the_fingerprint(ratings):
    value = ratings.value.copy()
    assert value[0] != value[1]
    value[[0, 1]] = value[[1, 0]]
    assert fingerprint(ratings.replace(value=value)) != fingerprint(ratings)


def test_ids_change_the_fingerprint(ratings):
    renamed = Ratings.from_columns(ratings.user_ids + 1, ratings.item_ids, ratings.value)
    texts = Ratings.from_columns(ratings.user_ids.astype(str), ratings.item_ids, ratings.value)
    cut_elsewhere = [Ratings.from_columns(ids, [1, 2], [1, 2]) for ids in (["a", "bc"], ["ab", "c"])]
    found = [fingerprint(r) for r in (ratings, renamed, texts, *cut_elsewhere)]
    assert len(set(found)) == len(found)


def test_additional_row_changes_the_fingerprint(ratings):
    assert fingerprint(ratings[1:]) != fingerprint(ratings)
    assert fingerprint(ratings[[]]) != fingerprint(ratings)


def test_negative_zero_equals_zero():
    one, other = (Ratings.from_columns([1, 2], [1, 2], [zero, 3]) for zero in (0.0, -0.0))
    assert fingerprint(one) == fingerprint(other)


def test_declared_scale_does_not_change_the_fingerprint(ratings):
    assert fingerprint(ratings.replace(scale=(-10.0, 10.0))) == fingerprint(ratings)


@pytest.mark.parametrize("block_rows", [1, 7, 900, 901])
def test_rows_per_block_do_not_change_the_fingerprint(ratings, block_rows):
    assert fingerprint(ratings, block_rows=block_rows) == fingerprint(ratings)


def test_fingerprint_is_stable_across_versions():
    """Files hold it; if the method has to change, the text that it starts from must change too."""
    known = Ratings.from_columns(
        [7, 7, 9], ["b", "a", "a"], [0, 1.5, -2], weight=[1, 2, 3], timestamp=[1, 2, 3]
    )
    assert fingerprint(known) == "33a5a699aba614ffc15642f8ad2e5ac6"


def test_model_has_the_fingerprint_of_its_training_ratings(ratings):
    order = np.random.default_rng(0).permutation(len(ratings))
    assert GlobalMean().fit(ratings).fingerprint_ == fingerprint(ratings)
    assert GlobalMean().fit(ratings[order]).fingerprint_ == fingerprint(ratings)
