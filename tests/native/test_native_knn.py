"""Kernels of neighborhood models against numpy references.

They are compiled once for all processors, so there is one instruction set to test.
"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from foretaste import _native

KINDS = ("product", "cosine", "pearson", "msd")


def sparse(rng, rows, columns, n, values):
    """Return distinct cells in random order: row, column, value; values from few or from many."""
    cells = rng.permutation(rng.choice(rows * columns, min(n, rows * columns), replace=False))
    row, column = (cells // columns).astype(np.int32), (cells % columns).astype(np.int32)
    if values == "stars":
        return row, column, rng.integers(1, 6, len(cells)).astype(np.float64)
    if values == "signs":  # many products of exactly 0
        return row, column, rng.integers(-1, 2, len(cells)).astype(np.float64)
    return row, column, rng.normal(size=len(cells)).astype(np.float32).astype(np.float64)


def similarity_by_numpy(kind, x, y, own_norm, other_norm):
    """Return how alike two rows are from what they have in the columns in common, float64."""
    n = len(x)
    if n == 0:
        return 0.0
    if kind == "product":
        length = own_norm * other_norm
        return x @ y / length if length > 0 else 0.0
    if kind == "cosine":
        length = np.sqrt((x @ x) * (y @ y))
        return x @ y / length if length > 0 else 0.0
    if kind == "msd":
        return 1 / (np.mean((x - y) ** 2) + 1)
    x, y = x - x.mean(), y - y.mean()
    length = np.sqrt((x @ x) * (y @ y))
    return x @ y / length if length > 1e-9 else 0.0


def table_by_numpy(kind, matrix, rules):
    """Return the similarity of every two rows after the rules, 0 on the diagonal; NaN is empty."""
    rows = len(matrix)
    table = np.zeros((rows, rows))
    norm = np.sqrt(np.nansum(matrix**2, axis=1))
    for i in range(rows):
        for j in range(rows):
            both = ~np.isnan(matrix[i]) & ~np.isnan(matrix[j])
            n = both.sum()
            if i == j or n == 0 or n < rules["min_support"]:
                continue
            s = similarity_by_numpy(kind, matrix[i, both], matrix[j, both], norm[i], norm[j])
            if rules["shrinkage"] > 0:
                s *= (n - 1) / (n - 1 + rules["shrinkage"])
            s *= min(1.0, n / rules["significance"]) if rules["significance"] else 1.0
            table[i, j] = s if s > 0 or rules["negative"] else 0.0
    return table


RULES = {
    "shrinkage": st.sampled_from([0.0, 2.5]),
    "min_support": st.sampled_from([1, 3]),
    "significance": st.sampled_from([0, 4]),
    "negative": st.booleans(),
    "as_computed": st.booleans(),
}


@settings(max_examples=120)
@given(
    seed=st.integers(0, 2**32 - 1), rows=st.integers(1, 14), columns=st.integers(1, 40),
    n=st.integers(0, 300),
    values=st.sampled_from(["stars", "signs", "spread"]), kind=st.sampled_from(KINDS),
    keep=st.integers(1, 16),
    single=st.booleans(), threads=st.integers(1, 3), **RULES,
)  # fmt: skip
def test_nearest_rows_equal_numpy(seed, rows, columns, n, values, kind, keep, single, threads, **rules):
    rng = np.random.default_rng(seed)
    row, column, value = sparse(rng, rows, columns, n, values)
    matrix = np.full((rows, columns), np.nan)
    matrix[row, column] = value
    given_value = value.astype(np.float32) if single else value
    start, other, similarity = _native.nearest_rows(
        row, column, given_value, rows, columns, kind, keep, *rules.values(), threads
    )
    assert (start.dtype, other.dtype, similarity.dtype) == (np.int64, np.int32, np.float32)
    assert start[-1] == len(other) == len(similarity)
    wanted = table_by_numpy(kind, matrix, rules)
    for i in range(rows):
        mine, alike = other[start[i] : start[i + 1]], similarity[start[i] : start[i + 1]]
        assert i not in mine
        assert len(set(mine.tolist())) == len(mine)
        np.testing.assert_allclose(alike, wanted[i, mine], rtol=1e-6, atol=1e-6)
        assert (np.diff(np.abs(alike)) <= 0).all()
        real = np.abs(wanted[i]) > 1e-8  # below, what rounding leaves of nothing may count or not
        assert min(keep, real.sum()) <= len(mine) <= keep
        left = np.setdiff1d(np.flatnonzero(real), mine)
        if len(left):
            assert np.abs(wanted[i, left]).max() <= np.abs(alike).min() + 1e-6


def ordered_by_numpy(table, keep):
    """Return each row's others by similarity, equal ones by their number, as lists."""
    return [np.lexsort((np.arange(len(s)), -np.abs(s)))[: min(keep, (s != 0).sum())].tolist() for s in table]


@settings(max_examples=100)
@given(
    seed=st.integers(0, 2**32 - 1), rows=st.integers(1, 40), columns=st.integers(1, 6),
    keep=st.integers(1, 12),
    threads=st.integers(1, 3), kind=st.sampled_from(["product", "msd"]),
)  # fmt: skip
def test_ties_are_ordered_by_index(seed, rows, columns, keep, threads, kind):
    """Rows of ones in 1, 2 or 4 columns: all similarities are exact, and most are equal."""
    rng = np.random.default_rng(seed)
    size = rng.choice([s for s in (1, 4) if s <= columns], rows)
    row = np.repeat(np.arange(rows, dtype=np.int32), size)
    column = np.concatenate([rng.choice(columns, s, replace=False) for s in size]).astype(np.int32)
    matrix = np.full((rows, columns), np.nan)
    matrix[row, column] = 1
    rules = {"shrinkage": 0.0, "min_support": 1, "significance": 0, "negative": False}
    found = _native.nearest_rows(
        row, column, np.ones(len(row), np.float32), rows, columns, kind, keep, *rules.values(), False, threads
    )
    wanted = ordered_by_numpy(table_by_numpy(kind, matrix, rules), keep)
    assert [part.tolist() for part in np.split(found[1], found[0][1:-1])] == wanted


def test_ties_up_to_rounding_are_ties():
    """Two rows that are thrice and a seventh of a third are alike to it in the same way."""
    base = np.array([0.1, 0.7, 0.3, 0.9])
    value = np.concatenate([base, base / 7, base * 3, base * 1.1, base / 3])
    row, column = np.repeat(np.arange(5, dtype=np.int32), 4), np.tile(np.arange(4, dtype=np.int32), 5)
    for kind in ("product", "cosine", "pearson"):
        _, other, similarity = _native.nearest_rows(
            row, column, value, 5, 4, kind, 4, 0.0, 1, 0, False, False, 1
        )
        assert (similarity == 1).all()
        assert other.reshape(5, 4).tolist() == [[j for j in range(5) if j != i] for i in range(5)]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("values", ["stars", "spread"])
@pytest.mark.parametrize("keep", [7, 10_000])
def test_the_same_bits_at_any_number_of_threads(kind, values, keep):
    """Also where threads collect so much that every pair is visited from both rows instead (keep 10,000)."""
    rng = np.random.default_rng(4)
    rows = 1700
    row, column, value = sparse(rng, rows, 90, 15_000, values)
    rules = (3.0, 2, 5, True, False)
    found = [
        _native.nearest_rows(row, column, value, rows, 90, kind, keep, *rules, threads)
        for threads in (1, 2, 3, 16)
    ]
    for other in found[1:]:
        assert [a.tobytes() for a in found[0]] == [b.tobytes() for b in other]


def test_the_order_of_the_cells_does_not_change_a_bit():
    rng = np.random.default_rng(5)
    for values in ("stars", "spread"):
        cells = sparse(rng, 60, 50, 900, values)
        shuffled = rng.permutation(900)
        one, other = (
            _native.nearest_rows(*part, 60, 50, "pearson", 9, 1.0, 1, 0, True, True, 2)
            for part in (cells, [a[shuffled] for a in cells])
        )
        assert [a.tobytes() for a in one] == [b.tobytes() for b in other]


def test_packed_and_unpacked_values_agree():
    """257 distinct values are stored unpacked, 256 packed; one different cell cannot change much."""
    rng = np.random.default_rng(6)
    row, column, value = sparse(rng, 50, 60, 1500, "stars")
    value[:] = np.arange(1500) % 256
    packed = _native.nearest_rows(row, column, value, 50, 60, "product", 50, 0.0, 1, 0, False, False, 1)
    value[0] = np.nextafter(value[0], 1000)
    whole = _native.nearest_rows(row, column, value, 50, 60, "product", 50, 0.0, 1, 0, False, False, 1)
    assert packed[1].tolist() == whole[1].tolist()
    np.testing.assert_allclose(packed[2], whole[2], rtol=0, atol=1e-6)


# Neighbor means ------------------------------------------------------------------------------------------


def lists(rng, rows, most):
    """Return neighbor lists with decreasing similarities, some negative."""
    count = rng.integers(0, min(most, rows - 1) + 1, rows) if rows > 1 else np.zeros(rows, int)
    other = [rng.permutation(np.delete(np.arange(rows), r))[:c] for r, c in enumerate(count)]
    alike = [np.sort(rng.random(c))[::-1] * rng.choice([-1, 1], c, p=[0.2, 0.8]) for c in count]
    start = np.r_[0, np.cumsum(count)].astype(np.int64)
    return start, np.concatenate(other).astype(np.int32), np.concatenate(alike).astype(np.float32)


@settings(max_examples=80)
@given(
    seed=st.integers(0, 2**32 - 1), rows=st.integers(1, 30), columns=st.integers(1, 30),
    n=st.integers(0, 400),
    pairs=st.sampled_from([0, 50, 6000]), neighbors=st.integers(1, 8), min_neighbors=st.integers(0, 4),
    damping=st.sampled_from([0.0, 0.7]), threads=st.integers(1, 3),
)  # fmt: skip
def test_neighbor_means_and_contributions_equal_numpy(
    seed, rows, columns, n, pairs, neighbors, min_neighbors, damping, threads
):
    rng = np.random.default_rng(seed)
    start, other, similarity = lists(rng, rows, 12)
    row, column, value = sparse(rng, rows, columns, n, "spread")
    matrix = np.full((rows, columns), np.nan)
    matrix[row, column] = value
    order = np.lexsort((row, column))
    by_column = np.searchsorted(column[order], np.arange(columns + 1)).astype(np.int64)
    entries = by_column, row[order], value[order].astype(np.float32)
    asked_row, asked_column = (rng.integers(-1, k, pairs).astype(np.int32) for k in (rows, columns))
    asked = asked_row, asked_column, start, other, similarity, *entries, neighbors, min_neighbors, damping
    means = _native.neighbor_means(*asked, threads)
    who, share = _native.neighbor_shares(*asked)
    assert who.shape == share.shape == (pairs, min(neighbors, rows))
    known = {}
    wanted_who, wanted_share = np.full_like(who, -1), np.zeros_like(share)
    for p, (r, c) in enumerate(zip(asked_row.tolist(), asked_column.tolist(), strict=True)):
        if (r, c) not in known:
            known[r, c] = mean_by_numpy(
                matrix, r, c, other[start[r] : start[r + 1]], similarity[start[r] : start[r + 1]],
                neighbors, min_neighbors, damping,
            )  # fmt: skip
        chosen, parts = known[r, c]
        wanted_who[p, : len(chosen)], wanted_share[p, : len(chosen)] = chosen, parts
    np.testing.assert_array_equal(who, wanted_who)
    np.testing.assert_allclose(share, wanted_share, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(means, wanted_share.sum(axis=1), rtol=1e-5, atol=1e-5)


def mean_by_numpy(matrix, row, column, others, alike, neighbors, min_neighbors, damping):
    """Return the neighbors used and the contribution of each to the mean."""
    if row < 0 or column < 0:
        return [], []
    there = [
        (o, float(s)) for o, s in zip(others.tolist(), alike, strict=True) if not np.isnan(matrix[o, column])
    ]
    there = there[:neighbors]
    if len(there) < max(1, min_neighbors):
        return [], []
    weight = damping + sum(abs(s) for _, s in there)
    return [o for o, _ in there], [s * matrix[o, column] / weight for o, s in there]


def test_neighbor_means_do_not_depend_on_threads():
    rng = np.random.default_rng(7)
    start, other, similarity = lists(rng, 300, 40)
    row, column, value = sparse(rng, 300, 200, 20_000, "spread")
    order = np.lexsort((row, column))
    by_column = np.searchsorted(column[order], np.arange(201)).astype(np.int64)
    asked = [rng.integers(-1, k, 50_000).astype(np.int32) for k in (300, 200)]
    found = [
        _native.neighbor_means(
            *asked, start, other, similarity, by_column, row[order], value[order].astype(np.float32),
            10, 1, 0.1, threads,
        ).tobytes()
        for threads in (1, 2, 3)
    ]  # fmt: skip
    assert found[0] == found[1] == found[2]


# Slope One and biases by descent -------------------------------------------------------------------------


@settings(max_examples=150)
@given(
    seed=st.integers(0, 2**32 - 1), items=st.integers(1, 25), users=st.integers(1, 30), n=st.integers(0, 500),
    values=st.sampled_from(["stars", "spread"]), weighted=st.booleans(), threads=st.integers(1, 3),
)  # fmt: skip
def test_deviations_and_their_sums_equal_numpy(seed, items, users, n, values, weighted, threads):
    rng = np.random.default_rng(seed)
    item, user, value = sparse(rng, items, users, n, values)
    mean, common = np.full((items, items), 7, np.float32), np.full((items, items), 7, np.int32)
    _native.deviations(item, user, value.astype(np.float32), users, mean, common, threads)
    matrix = np.full((items, users), np.nan)
    matrix[item, user] = value
    there = ~np.isnan(matrix)
    filled = np.nan_to_num(matrix)
    both = there.astype(float) @ there.T
    np.fill_diagonal(both, 0)
    wanted = (filled @ there.T - there @ filled.T) / np.maximum(both, 1)
    assert np.array_equal(common, both)
    np.testing.assert_allclose(mean, np.where(both > 0, wanted, 0), rtol=1e-5, atol=1e-5)
    assert np.array_equal(mean, -mean.T)

    order = np.lexsort((item, user))
    starts = np.searchsorted(user[order], np.arange(users + 1)).astype(np.int64)
    asked_item, asked_user = (rng.integers(-1, k, 5000).astype(np.int32) for k in (items, users))
    total, weight = _native.deviation_sums(
        asked_item,
        asked_user,
        mean,
        common,
        starts,
        item[order],
        value[order].astype(np.float32),
        weighted,
        threads,
    )
    counts = both if weighted else (both > 0).astype(float)
    sums = (counts * mean) @ there + (counts @ filled if weighted else 0)
    known = (asked_item >= 0) & (asked_user >= 0)
    np.testing.assert_allclose(total, np.where(known, sums[asked_item, asked_user], 0), rtol=1e-5, atol=1e-4)
    np.testing.assert_allclose(weight, np.where(known, (counts @ there)[asked_item, asked_user], 0))


def test_deviations_have_the_same_bits_at_any_number_of_threads():
    rng = np.random.default_rng(8)
    item, user, value = sparse(rng, 600, 300, 30_000, "spread")
    found = []
    for threads in (1, 2, 3):
        mean, common = np.empty((600, 600), np.float32), np.empty((600, 600), np.int32)
        _native.deviations(item, user, value.astype(np.float32), 300, mean, common, threads)
        found.append(mean.tobytes() + common.tobytes())
    assert found[0] == found[1] == found[2]


@settings(max_examples=60)
@given(
    seed=st.integers(0, 2**32 - 1), users=st.integers(1, 9), items=st.integers(1, 9), n=st.integers(0, 60),
    epochs=st.integers(0, 4), weighted=st.booleans(),
)  # fmt: skip
def test_bias_descent_equals_numpy(seed, users, items, n, epochs, weighted):
    rng = np.random.default_rng(seed)
    user, item = (rng.integers(k, size=n).astype(np.int32) for k in (users, items))
    value = rng.normal(size=n)
    weight = rng.choice([0, 0.5, 2], n).astype(np.float32) if weighted else None
    found = _native.bias_descent(user, item, value, weight, users, items, epochs, 0.03, 0.2)
    user_bias, item_bias = np.zeros(users), np.zeros(items)
    for _ in range(epochs):
        for k in range(n):
            rate = 0.03 if weight is None else 0.03 * float(weight[k])
            error = value[k] - user_bias[user[k]] - item_bias[item[k]]
            user_bias[user[k]] += rate * (error - 0.2 * user_bias[user[k]])
            item_bias[item[k]] += rate * (error - 0.2 * item_bias[item[k]])
    np.testing.assert_allclose(found[0], user_bias, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(found[1], item_bias, rtol=1e-12, atol=1e-12)


def test_bias_descent_resumes_across_chunks():
    """More rows than one part has (a million) of one user and one item, whose biases are the same."""
    n = 1_000_003
    zeros = np.zeros(n, np.int32)
    value = np.r_[np.zeros(n - 1), 1.0]
    user, item = _native.bias_descent(zeros, zeros, value, None, 1, 1, 1, 0.25, 0.0)
    assert user[0] == item[0] == 0.25


# What the bindings refuse --------------------------------------------------------------------------------


def near(**changes):
    usual = {
        "row": np.array([0, 1], np.int32), "column": np.array([0, 0], np.int32),
        "value": np.ones(2, np.float32),
        "rows": 2, "columns": 1, "similarity": "product", "keep": 1, "shrinkage": 0.0, "min_support": 1,
        "significance": 0, "negative": False, "as_computed": False, "threads": 1,
    }  # fmt: skip
    return usual | changes


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"row": np.array([0, 2], np.int32)}, "a row index is out of range"),
        ({"row": np.array([0, -1], np.int32)}, "a row index is out of range"),
        ({"column": np.array([0, 1], np.int32)}, "a column index is out of range"),
        ({"value": np.ones(3, np.float32)}, "same length"),
        ({"rows": -1}, "too large"),
        ({"columns": 2**31}, "too large"),
        ({"similarity": "cosin"}, "no such similarity"),
        ({"keep": 0}, "at least 1"),
        ({"threads": 0}, "at least 1"),
        ({"shrinkage": -1.0}, "may be negative"),
        ({"min_support": -1}, "may be negative"),
        ({"significance": -1}, "may be negative"),
    ],
)
def test_invalid_cells_and_rules_raise(changes, words):
    with pytest.raises(ValueError, match=words):
        _native.nearest_rows(**near(**changes))


def test_no_implicit_type_conversion():
    for changes in ({"row": np.array([0, 1])}, {"value": np.ones(2, int)}, {"column": np.zeros(2, np.int16)}):
        with pytest.raises(TypeError):
            _native.nearest_rows(**near(**changes))


def mean_arguments(**changes):
    usual = {
        "row": np.zeros(1, np.int32), "column": np.zeros(1, np.int32), "list_start": np.array([0, 1, 2]),
        "other": np.array([1, 0], np.int32), "similarity": np.ones(2, np.float32),
        "column_start": np.array([0, 2]),
        "entry_row": np.array([0, 1], np.int32), "value": np.ones(2, np.float32), "neighbors": 1,
        "min_neighbors": 1, "damping": 0.0,
    }  # fmt: skip
    return usual | changes


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"row": np.array([2], np.int32)}, "a row index is out of range"),
        ({"row": np.array([-2], np.int32)}, "a row index is out of range"),
        ({"column": np.array([1], np.int32)}, "a column index is out of range"),
        ({"row": np.zeros(2, np.int32)}, "same length"),
        ({"list_start": np.array([0, 2, 1])}, "starts must rise"),
        ({"list_start": np.array([1, 1, 2])}, "starts must rise"),
        ({"list_start": np.empty(0, np.int64)}, "starts must rise"),
        ({"other": np.array([1, 2], np.int32)}, "a neighbor is out of range"),
        ({"other": np.array([1, -1], np.int32)}, "a neighbor is out of range"),
        ({"similarity": np.ones(3, np.float32)}, "same length"),
        ({"column_start": np.array([0, 3])}, "starts must rise"),
        ({"entry_row": np.array([0, 2], np.int32)}, "a row index is out of range"),
        ({"value": np.ones(3, np.float32)}, "same length"),
        ({"neighbors": 0}, "no number may be negative"),
        ({"min_neighbors": -1}, "no number may be negative"),
        ({"damping": -1.0}, "no number may be negative"),
    ],
)
def test_invalid_neighbors_raise(changes, words):
    with pytest.raises(ValueError, match=words):
        _native.neighbor_means(**mean_arguments(**changes), threads=1)
    with pytest.raises(ValueError, match=words):
        _native.neighbor_shares(**mean_arguments(**changes))


def test_invalid_deviations_raise():
    item, user, value = np.array([0, 1], np.int32), np.zeros(2, np.int32), np.ones(2, np.float32)
    mean, common = np.zeros((2, 2), np.float32), np.zeros((2, 2), np.int32)
    with pytest.raises(ValueError, match="must be square"):
        _native.deviations(item, user, value, 1, mean[:1].copy(), common, 1)
    with pytest.raises(ValueError, match="a row index is out of range"):
        _native.deviations(item + np.int32(1), user, value, 1, mean, common, 1)
    starts, asked = np.array([0, 2]), np.zeros(1, np.int32)
    rated = item, value
    for arguments, words in (
        ((asked + np.int32(2), asked, mean, common, starts, *rated), "a row index is out of range"),
        ((asked, asked + np.int32(1), mean, common, starts, *rated), "a column index is out of range"),
        ((asked, asked, mean, common[:1].copy(), starts, *rated), "must be square"),
        ((asked, asked, mean, common, np.array([0, 3]), *rated), "must rise from 0"),
        ((asked, asked, mean, common, starts, item + np.int32(1), value), "a row index is out of range"),
        ((asked, asked, mean, common, starts, item, value[:1].copy()), "equally long"),
    ):
        with pytest.raises(ValueError, match=words):
            _native.deviation_sums(*arguments, True, 1)


def test_invalid_descents_raise():
    one, value = np.zeros(1, np.int32), np.ones(1)
    for arguments, words in (
        ((one + np.int32(1), one, value, None, 1, 1, 1), "a user index is out of range"),
        ((one, one - np.int32(1), value, None, 1, 1, 1), "an item index is out of range"),
        ((one, one, np.ones(2), None, 1, 1, 1), "same length"),
        ((one, one, value, np.ones(2, np.float32), 1, 1, 1), "as long as value"),
        ((one, one, value, None, 1, 1, -1), "may be negative"),
    ):
        with pytest.raises(ValueError, match=words):
            _native.bias_descent(*arguments, 0.1, 0.1)
