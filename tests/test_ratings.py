"""Ratings: slices, filters, matrices and validation."""

from __future__ import annotations

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from foretaste.errors import DataError, InvalidParameterError, NotEnoughMemoryError
from foretaste.ids import IdIndex
from foretaste.ratings import Interactions, Pairs, Ratings, RatingsStore
from foretaste.typing import Entity
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


# Encoding ------------------------------------------------------------------------------------------------


def test_columns_are_encoded_in_order():
    assert SMALL.users.ids.tolist() == [1, 2, 3]
    assert SMALL.items.ids.tolist() == ["a", "b", "c"]
    assert SMALL.user.tolist() == [2, 0, 2, 1, 0]
    assert (SMALL.user.dtype, SMALL.item.dtype, SMALL.value.dtype) == (np.int32, np.int32, np.float32)
    assert (SMALL.weight.dtype, SMALL.timestamp.dtype) == (np.float32, np.int64)
    assert rows_of(SMALL)[3] == (2, "c", -1.0, 20, 4.0)
    assert SMALL.shape == (5, 2)
    assert len(SMALL) == 5


@given(st.data())
def test_a_slice_holds_only_the_ids_that_occur(ratings, data):
    n = len(ratings)
    rows = data.draw(
        st.lists(st.integers(-n, n - 1), max_size=30).map(lambda r: np.array(r, np.int64))
        | st.builds(slice, st.integers(0, n), st.integers(0, n), st.integers(1, 50))
        | st.integers(0, 2**32).map(lambda seed: np.random.default_rng(seed).random(n) < 0.05)
    )
    part = ratings[rows]
    for index, codes, ids in (
        (part.users, part.user, ratings.user_ids[rows]),
        (part.items, part.item, ratings.item_ids[rows]),
    ):
        assert index.ids.tolist() == np.unique(ids).tolist()
        assert index.ids[codes].tolist() == ids.tolist()
        assert codes.dtype == np.int32
    np.testing.assert_array_equal(part.value, ratings.value[rows])


def test_every_kind_of_slice():
    wanted = [rows_of(SMALL)[k] for k in (1, 3)]
    mask = np.array([False, True, False, True, False])
    for asked in ([1, 3], np.array([1, 3]), mask, mask.tolist(), slice(1, 4, 2), (np.array([1, 3]), ...)):
        assert rows_of(SMALL[asked]) == wanted
    assert SMALL[[1, 3]].scale == (-1, 5)
    assert rows_of(SMALL[[True, False, False, False, False]]) == rows_of(SMALL)[:1]
    assert rows_of(SMALL[[-1]]) == rows_of(SMALL)[-1:]
    assert len(SMALL[[]]) == len(SMALL[[]].users) == len(SMALL[[]].items) == 0
    assert rows_of(SMALL[::-1]) == rows_of(SMALL)[::-1]
    for one in (2, np.int64(2), -1):
        with pytest.raises(InvalidParameterError, match="selects a single row") as refused:
            SMALL[one]
        assert refused.value.hint == f"ratings[[{one}]]"
    with pytest.raises(IndexError):
        SMALL[[5]]


def test_slices_do_not_change_the_original():
    before = rows_of(SMALL)
    SMALL[[1, 3]][[0]]
    assert rows_of(SMALL) == before


def test_slices_carry_their_share_of_features():
    users = pl.DataFrame({"userId": [2, 3, 1, 9], "age": [20.0, 30, 10, 90], "sex": ["f", "m", "f", "m"]})
    items = pd.DataFrame({"item": ["c", "b", "a"], "length": [3, 2, 1]})
    full = SMALL.with_features(users=users, items=items)
    assert SMALL.user_features is None
    assert full.user_features.columns == ("age", "sex=f", "sex=m")
    assert full.user_features.values.tolist() == [[10, 1, 0], [20, 1, 0], [30, 0, 1]]
    part = full[[0, 3]]
    assert part.users.ids.tolist() == [2, 3]
    assert part.user_features.values[:, 0].tolist() == [20, 30]
    assert part.item_features.values[:, 0].tolist() == [2, 3]
    assert full.with_features(items=items).user_features is full.user_features
    with pytest.raises(DataError, match=r"1 of 3 users have no row of features \(first: 3\)"):
        SMALL.with_features(users=users[[0, 2]])


# Refusals ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        (([1, 2], [1, 2], [1, float("nan")]), "rating in row 1 is nan"),
        (([1, 2], [1, 2], [float("inf"), 1]), "rating in row 0 is inf"),
        (([1, 2], [1, 2], [1, 1e39]), "rating in row 1 is 1e"),
        (([1, 2], [1, 2], ["1", "2"]), "rating in row 0 is '1', not a number"),
        (([1, 2], [1, 2], [1, None]), "rating in row 1 is None, not a number"),
        (([1, 2], [1, 2], [[1], [2]]), "rating must be one column"),
        (([1, 2], [1, 2, 3], [1, 2]), "item has 3 rows, user has 2"),
        (([1, 2], [1, 2], [1, 2, 3]), "rating has 3 rows, user has 2"),
        (([1, "1"], [1, 2], [1, 2]), "the user column mixes numbers and text"),
        (([1, 2], [1.5, 2.5], [1, 2]), "item ids are of type float64"),
        (([1, 2], ["a", None], [1, 2]), "item id in row 1 is None"),
        (([1, 2], [True, False], [1, 2]), "item ids are of type bool"),
    ],
)
def test_invalid_columns_raise(columns, words):
    with pytest.raises(DataError, match=words):
        Ratings.from_columns(*columns)


def test_invalid_weights_and_timestamps_raise():
    with pytest.raises(DataError, match="weight in row 1 is -2; weights must be at least 0"):
        Ratings.from_columns([1, 2], [1, 2], [1, 2], weight=[1, -2])
    with pytest.raises(DataError, match="weight has 1 rows"):
        Ratings.from_columns([1, 2], [1, 2], [1, 2], weight=[1])
    with pytest.raises(DataError, match="timestamp is of type"):
        Ratings.from_columns([1, 2], [1, 2], [1, 2], timestamp=[1.5, 2])
    with pytest.raises(DataError, match="timestamp in row 1 is missing"):
        Ratings.from_columns(
            [1, 2], [1, 2], [1, 2], timestamp=np.array(["2020-01-01", "NaT"], "datetime64[s]")
        )


def test_timestamps_are_seconds_since_1970():
    when = np.array(["1970-01-02", "2000-01-01"], "datetime64[D]")
    fine, seconds = when.astype("datetime64[ns]"), [86400, 946684800]
    for column in (when, fine, pd.Series(fine), pl.Series(fine), seconds, np.array(seconds, float)):
        ratings = Ratings.from_columns([1, 2], [1, 2], [1, 2], timestamp=column)
        assert ratings.timestamp.tolist() == [86400, 946684800]


def test_declared_scale_is_enforced():
    with pytest.raises(
        DataError, match=r"1 ratings lie outside the declared scale 1 to 5 \(first: 7 in row 1\)"
    ):
        Ratings.from_columns([1, 2], [1, 2], [1, 7], scale=(1, 5))
    for scale in ((5, 1), (1, 1), (1,), "ab", (0, float("inf")), (None, 2), 3):
        with pytest.raises(InvalidParameterError, match="scale="):
            Ratings.from_columns([1, 2], [1, 2], [1, 2], scale=scale)
    assert Ratings.from_columns([1, 2], [1, 2], [1, 5], scale=(1, 5)).scale == (1, 5)
    assert Ratings.from_columns([1, 2], [1, 2], [1, 5]).scale is None


REPEATED = ([1, 2, 1, 1], ["x", "x", "x", "y"], [5, 4, 2, 1])


def test_duplicate_pair_raises():
    with pytest.raises(
        DataError, match="user 1 rated item 'x' more than once: 5 in row 0, 2 in row 2"
    ) as refused:
        Ratings.from_columns(*REPEATED)
    assert "1 repeated rows in all" in refused.value.message
    assert 'duplicates="last"' in refused.value.hint
    with pytest.raises(InvalidParameterError, match='duplicates="sum" is not allowed'):
        Ratings.from_columns(*REPEATED, duplicates="sum")


@pytest.mark.parametrize(
    ("keep", "rows"),
    [
        ("first", [(1, "x", 5), (2, "x", 4), (1, "y", 1)]),
        ("last", [(2, "x", 4), (1, "x", 2), (1, "y", 1)]),
        ("mean", [(2, "x", 4), (1, "x", 3.5), (1, "y", 1)]),
    ],
)
def test_duplicates_option_resolves_repeated_pairs(keep, rows):
    assert rows_of(Ratings.from_columns(*REPEATED, duplicates=keep)) == rows


def test_the_mean_of_weighted_repeats_is_weighted():
    merged = Ratings.from_columns(*REPEATED, weight=[3, 1, 1, 1], timestamp=[1, 2, 3, 4], duplicates="mean")
    assert rows_of(merged) == [(2, "x", 4, 2, 1), (1, "x", 4.25, 3, 4), (1, "y", 1, 4, 1)]
    none = Ratings.from_columns(*REPEATED, weight=[0, 1, 0, 1], duplicates="mean")
    assert rows_of(none)[1] == (1, "x", 3.5, 0)


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4), st.integers(-4, 4)), min_size=1, max_size=30))
def test_duplicates_equal_a_dictionary(rows):
    user, item, value = zip(*rows, strict=True)
    groups: dict[tuple, list] = {}
    for u, i, v in rows:
        groups.setdefault((u, i), []).append(v)
    for keep, choose in (("first", lambda g: g[0]), ("last", lambda g: g[-1]), ("mean", np.mean)):
        kept = Ratings.from_columns(user, item, value, duplicates=keep)
        found = {(u, i): v for u, i, v in rows_of(kept)}
        assert len(found) == len(kept) == len(groups)
        assert all(found[pair] == np.float32(choose(group)) for pair, group in groups.items())


# Parts of ratings ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("expression", "rows"),
    [
        ("user = 3", [0, 2]),
        ("userId <= 2 AND rating > -1", [1, 4]),
        ("item != 'c'", [0, 1, 2]),
        ("USER = 3 and item <> 'user'", [0, 2]),
        ('"user" = 3', [0, 2]),
        ("jokeId = 'c' OR rating = 0", [1, 3, 4]),
        ("timestamp BETWEEN 20 AND 40", [1, 2, 3]),
        ("weight >= 4", [3, 4]),
        ("rating > 100", []),
    ],
)
def test_where_filters_rows(expression, rows):
    assert rows_of(SMALL.where(expression)) == rows_of(SMALL[rows])


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        ("usr = 3", 'no column "usr"'),
        ("user =", "cannot be parsed"),
        ("rating + 1", "not true or false"),
        ("user = 'x' + ", "cannot be parsed"),
        ("item > 3", "cannot be applied"),
    ],
)
def test_invalid_where_raises(expression, words):
    with pytest.raises(InvalidParameterError, match=words):
        SMALL.where(expression)


@given(user=st.integers(1, 30), item=st.integers(1, 30))
def test_k_core_holds_for_all_remaining_ids(ratings, user, item):
    kept = ratings.k_core(min_user_ratings=user, min_item_ratings=item)
    if len(kept):
        assert np.bincount(kept.user).min() >= user
        assert np.bincount(kept.item).min() >= item
    pairs, left = set(zip(ratings.user_ids, ratings.item_ids, strict=True)), list(rows_of(kept))
    assert {row[:2] for row in left} <= pairs
    assert [row for row in rows_of(ratings) if row in set(left)] == left  # in the order of the rows


def test_k_core_is_maximal(ratings):
    """Against leaving out one user or item at a time."""
    rows = rows_of(ratings)
    while True:
        users, items = {}, {}
        for user, item, _ in rows:
            users[user], items[item] = users.get(user, 0) + 1, items.get(item, 0) + 1
        bad = [u for u, n in users.items() if n < 12]
        worse = [i for i, n in items.items() if n < 20]
        if bad:
            rows = [row for row in rows if row[0] != bad[0]]
        elif worse:
            rows = [row for row in rows if row[1] != worse[0]]
        else:
            break
    assert 0 < len(rows) < len(ratings)
    assert rows_of(ratings.k_core(min_user_ratings=12, min_item_ratings=20)) == rows


def test_sample_is_random_and_seeded(ratings):
    part = ratings.sample(100, seed=3)
    assert len(part) == 100
    assert rows_of(part) == rows_of(ratings.sample(100, seed=3))
    assert rows_of(part) != rows_of(ratings.sample(100, seed=4))
    chosen = set(rows_of(part))
    assert [row for row in rows_of(ratings) if row in chosen] == rows_of(part)
    few = ratings.sample(users=5)
    assert len(few.users) == 5
    assert len(few) == np.isin(ratings.user_ids, few.users.ids).sum()
    for wrong in ({}, {"n": 3, "users": 3}, {"n": 0}, {"n": 901}, {"users": 1000}, {"n": 2.5}):
        with pytest.raises(
            InvalidParameterError, match=r"sample takes either|is not allowed; it must be an integer"
        ):
            ratings.sample(**wrong)


def test_rows_grouped_by_user_and_item(ratings):
    by_user, by_item = ratings.group_by_user(), ratings.group_by_item()
    for starts, order, codes in ((*by_user, ratings.user), (*by_item, ratings.item)):
        np.testing.assert_array_equal(order, np.argsort(codes, kind="stable"))
        np.testing.assert_array_equal(np.diff(starts), np.bincount(codes))
        assert starts[0] == 0


# Matrices ------------------------------------------------------------------------------------------------


def test_dense_matrix_has_ratings_at_their_indices():
    nan = np.nan
    wanted = [[0, nan, 5], [nan, nan, -1], [2.5, 4, nan]]
    np.testing.assert_array_equal(SMALL.to_matrix(), np.array(wanted, np.float32))
    assert SMALL.to_matrix(dtype=np.float64).dtype == np.float64


@given(rows=st.sets(st.integers(0, 899), min_size=1, max_size=200))
def test_matrices_of_slices_align(ratings, rows):
    rows = np.array(sorted(rows))
    part, whole = ratings[rows], ratings.to_matrix()
    dense = part.to_matrix(users=ratings.users, items=ratings.items)
    wanted = np.full(whole.shape, np.nan, np.float32)
    wanted[ratings.user[rows], ratings.item[rows]] = ratings.value[rows]
    np.testing.assert_array_equal(dense, wanted)
    # rows and columns that the narrower map does not know are left out
    np.testing.assert_array_equal(
        ratings.to_matrix(part.users, part.items),
        whole[np.isin(ratings.users.ids, part.users.ids)][:, np.isin(ratings.items.ids, part.items.ids)],
    )
    sparse = part.to_sparse(users=ratings.users, items=ratings.items)
    assert sparse.shape == whole.shape
    assert sparse.nnz == len(rows)
    assert sparse.has_sorted_indices
    at = sparse.tocoo()
    np.testing.assert_array_equal(at.data, dense[at.coords])


def test_a_sparse_matrix_stores_ratings_of_zero():
    sparse = SMALL.to_sparse()
    assert sparse.nnz == 5
    assert (sparse.data == 0).sum() == 1
    assert type(sparse).__name__ == "csr_array"


def test_a_matrix_with_no_common_ids_is_empty():
    apart = IdIndex(np.array([77]))
    assert np.isnan(SMALL.to_matrix(users=apart)).all()
    assert SMALL.to_sparse(users=apart).nnz == 0


def test_matrix_beyond_memory_raises():
    many = IdIndex(np.arange(10_000_000))
    with pytest.raises(
        NotEnoughMemoryError, match="a dense matrix of 10000000 x 10000000 needs 400"
    ) as refused:
        SMALL.to_matrix(users=many, items=many)
    assert refused.value.hint == "to_sparse()"


# Output --------------------------------------------------------------------------------------------------


def test_describe_counts():
    assert SMALL.describe() == {
        "ratings": 5, "users": 3, "items": 3, "density": 5 / 9, "mean": pytest.approx(2.1),
        "std": pytest.approx(np.std([4, 0, 2.5, -1, 5])), "min": -1.0, "max": 5.0,
        "ratings_per_user": 2.0, "ratings_per_item": 2.0,
    }  # fmt: skip
    nothing = SMALL[[]].describe()
    assert (nothing["ratings"], nothing["mean"], nothing["density"]) == (0, None, None)
    assert list(nothing) == list(SMALL.describe())


def test_repr_and_html():
    assert repr(SMALL) == "<Ratings: 5 ratings, 3 users x 3 items, scale -1 to 5>"
    undeclared = SMALL.replace(scale=None)
    assert repr(undeclared[[0, 2]]) == "<Ratings: 2 ratings, 1 users x 2 items, range 2.5 to 4>"
    assert repr(SMALL[[]]) == "<Ratings: 0 ratings, 0 users x 0 items>"
    html = SMALL._repr_html_()
    assert html.startswith("<table>")
    assert "ratings per user" in html
    assert "-" in SMALL[[]]._repr_html_()


# Axes, interactions and stores ---------------------------------------------------------------------------


@pytest.mark.parametrize("entity", Entity)
def test_axis_is_the_users_or_the_items(ratings, entity):
    axis = ratings.axis(entity)
    assert axis.entity is entity
    np.testing.assert_array_equal(axis.ids.ids[axis.codes], getattr(ratings, f"{entity}_ids"))
    starts, order = axis.group_rows()
    expected = ratings.group_by_user() if entity == "user" else ratings.group_by_item()
    np.testing.assert_array_equal(starts, expected[0])
    np.testing.assert_array_equal(order, expected[1])
    assert ratings.axis(str(entity)).entity is entity


def test_axis_carries_features():
    frame = pl.DataFrame({"item": SMALL.items.ids, "year": [1990.0, 2000.0, 2010.0]})
    with_years = SMALL.with_features(items=frame)
    assert with_years.axis("item").features is with_years.item_features
    assert with_years.axis("user").features is None
    pairs = encode_pairs(with_years, SMALL.users, SMALL.items)
    np.testing.assert_array_equal(pairs.axis("item").feature_row, SMALL.item)
    assert pairs.axis("item").ids is None


def test_axis_of_anything_else_is_an_error():
    with pytest.raises(ValueError, match="movie"):
        SMALL.axis("movie")


def interactions_of(ratings):
    return Interactions(
        ratings.user, ratings.item, ratings.timestamp, weight=ratings.weight,
        users=ratings.users, items=ratings.items,
    )  # fmt: skip


def test_ratings_are_interactions():
    assert isinstance(SMALL, Interactions)
    assert isinstance(SMALL, Pairs)


def test_interactions_slice_like_ratings(ratings):
    interactions, rows = interactions_of(ratings), np.arange(0, len(ratings), 2)
    part, expected = interactions[rows], ratings[rows]
    assert type(part) is Interactions
    assert (part.users, part.items) == (expected.users, expected.items)
    for name in ("user", "item", "timestamp", "weight"):
        np.testing.assert_array_equal(getattr(part, name), getattr(expected, name))
    assert part.axis("item").ids == expected.items


def test_interactions_are_filtered_sampled_and_described():
    interactions = interactions_of(SMALL)
    assert interactions.where("user = 3").user_ids.tolist() == [3, 3]
    assert len(interactions.sample(n=2, seed=1)) == 2
    assert len(interactions.k_core(min_user_ratings=2)) == len(SMALL.k_core(min_user_ratings=2))
    assert interactions.describe() == {
        "interactions": 5, "users": 3, "items": 3, "density": 5 / 9,
        "interactions_per_user": 2.0, "interactions_per_item": 2.0,
    }  # fmt: skip
    assert repr(interactions) == "<Interactions: 5, 3 users x 3 items>"
    empty = interactions[[]]
    assert (empty.describe()["density"], empty.describe()["interactions_per_user"]) == (None, None)


class Store:
    """A store of ratings, with the method of the protocol and nothing else."""

    def __init__(self, ratings):
        self.ratings, self.reads = ratings, 0

    def to_ratings(self):
        self.reads += 1
        return self.ratings


def test_ratings_are_read_from_a_store():
    store = Store(SMALL)
    assert isinstance(store, RatingsStore)
    assert as_ratings(store) is SMALL
    np.testing.assert_array_equal(as_ratings(store, y=[1, 1, 1, 1, 1]).value, np.ones(5, np.float32))
    pairs = encode_pairs(store, SMALL.users, SMALL.items)
    np.testing.assert_array_equal(pairs.user, SMALL.user)
    assert store.reads == 3


def test_a_model_fits_and_predicts_from_a_store():
    from foretaste import Bias

    expected = Bias().fit(SMALL)
    model = Bias().fit(Store(SMALL))
    np.testing.assert_array_equal(model.predict(Store(SMALL)), expected.predict(SMALL))


def test_ratings_themselves_are_no_store():
    assert not isinstance(SMALL, RatingsStore)
