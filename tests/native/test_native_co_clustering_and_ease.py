"""Kernels of co-clustering and EASE against numpy references."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from foretaste import _native


def grouped(rng, rows, others, n, weighted):
    """Return random ratings grouped by row: starts, other, value, weight."""
    row = np.sort(rng.integers(rows, size=n)) if rows else np.empty(0, int)
    starts = np.searchsorted(row, np.arange(rows + 1)).astype(np.int64)
    other = rng.integers(others, size=len(row)).astype(np.int32)
    value = rng.normal(size=len(row)).astype(np.float32)
    weight = rng.choice([0, 0.5, 2], len(row)).astype(np.float32) if weighted else None
    return row, (starts, other, value, weight)


SHAPES = {
    "seed": st.integers(0, 2**32 - 1),
    "rows": st.integers(0, 1300),  # more than one part
    "others": st.integers(1, 9),
    "n": st.integers(0, 400),
    "own": st.integers(1, 5),
    "other_clusters": st.integers(1, 4),
    "clusterings": st.integers(1, 3),
    "weighted": st.booleans(),
    "threads": st.integers(1, 3),
}


@settings(max_examples=150)
@given(**SHAPES)
def test_assign_clusters_minimizes_the_squared_error(
    seed, rows, others, n, own, other_clusters, clusterings, weighted, threads
):
    rng = np.random.default_rng(seed)
    row, given_rows = grouped(rng, rows, others, n, weighted)
    _, other, value, weight = given_rows
    cluster = rng.integers(other_clusters, size=(clusterings, others), dtype=np.int32)
    block = rng.normal(size=(clusterings, own, other_clusters))
    block[:, -1] = block[:, 0]  # the first of equals
    found = _native.assign_clusters(*given_rows, cluster, block, threads)
    assert found.dtype == np.int32
    assert found.shape == (clusterings, rows)
    for s in range(clusterings):
        wrong = (value[:, None] - block[s][:, cluster[s][other]].T) ** 2  # (n, own)
        wrong *= 1 if weight is None else weight[:, None]
        error = np.zeros((rows, own))
        np.add.at(error, row, wrong)
        assert (found[s] != own - 1).all() or own == 1
        np.testing.assert_allclose(error[np.arange(rows), found[s]], error.min(axis=1), rtol=1e-5, atol=1e-5)
        alone = np.setdiff1d(np.arange(rows), row)
        assert (found[s][alone] == 0).all()


@settings(max_examples=150)
@given(**SHAPES)
def test_block_sums_equal_numpy(seed, rows, others, n, own, other_clusters, clusterings, weighted, threads):
    rng = np.random.default_rng(seed)
    row, given_rows = grouped(rng, rows, others, n, weighted)
    _, other, value, weight = given_rows
    weight = np.ones(len(row)) if weight is None else weight
    own_cluster = rng.integers(own, size=(clusterings, rows), dtype=np.int32)
    cluster = rng.integers(other_clusters, size=(clusterings, others), dtype=np.int32)
    sums = _native.block_sums(*given_rows, own_cluster, cluster, own, other_clusters, threads)
    expected = np.zeros((clusterings, own, other_clusters, 2))
    for s in range(clusterings):
        place = own_cluster[s][row], cluster[s][other]
        np.add.at(expected[s, ..., 0], place, weight)
        np.add.at(expected[s, ..., 1], place, weight * value.astype(np.float64))
    np.testing.assert_allclose(sums, expected, rtol=1e-12, atol=1e-12)


def test_sums_have_the_same_bits_at_any_number_of_threads():
    rng = np.random.default_rng(2)
    _, given_rows = grouped(rng, 5000, 50, 40_000, True)
    own = rng.integers(3, size=(2, 5000), dtype=np.int32)
    other = rng.integers(4, size=(2, 50), dtype=np.int32)
    sums = [_native.block_sums(*given_rows, own, other, 3, 4, threads).tobytes() for threads in (1, 2, 5)]
    assert sums[0] == sums[1] == sums[2]


def sparse(rng, rows, columns, n):
    """Return a random matrix with distinct cells, as rows and as columns."""
    cells = np.sort(rng.choice(rows * columns, min(n, rows * columns), replace=False))
    row, column = cells // columns, cells % columns
    value = rng.normal(size=len(cells)).astype(np.float32)
    matrix = np.zeros((rows, columns))
    matrix[row, column] = value
    order = np.lexsort((row, column))
    by_row = np.searchsorted(row, np.arange(rows + 1)).astype(np.int64), column.astype(np.int32), value
    starts = np.searchsorted(column[order], np.arange(columns + 1)).astype(np.int64)
    return matrix, by_row, (starts, row[order].astype(np.int32), value[order])


@settings(max_examples=100)
@given(
    seed=st.integers(0, 2**32 - 1),
    rows=st.integers(1, 40),
    columns=st.integers(1, 90),
    n=st.integers(0, 600),
    threads=st.integers(1, 3),
)
def test_gram_matrix_and_item_scores_equal_numpy(seed, rows, columns, n, threads):
    rng = np.random.default_rng(seed)
    matrix, by_row, by_column = sparse(rng, rows, columns, n)
    gram = _native.gram_matrix(*by_row, *by_column, threads)
    np.testing.assert_allclose(gram, matrix.T @ matrix, rtol=1e-12, atol=1e-12)
    assert np.array_equal(gram, gram.T)
    weight = rng.normal(size=(columns, columns)).astype(np.float32)
    user, item = (rng.integers(-1, k, 5000).astype(np.int32) for k in (rows, columns))
    found = _native.item_scores(*by_row, weight, user, item, threads)
    expected = np.where((user >= 0) & (item >= 0), (matrix @ weight.T.astype(np.float64))[user, item], 0)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)


# What the bindings refuse --------------------------------------------------------------------------------


def co_arguments(**changes):
    given_rows = {
        "starts": np.array([0, 1, 2]),
        "other": np.array([0, 1], np.int32),
        "value": np.ones(2, np.float32),
        "weight": None,
        "other_cluster": np.zeros((1, 2), np.int32),
        "block": np.zeros((1, 2, 2)),
        "threads": 1,
    }
    return given_rows | changes


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"starts": np.array([0, 1])}, "starts must rise"),
        ({"starts": np.array([0, 3, 2])}, "starts must rise"),
        ({"starts": np.array([1, 1, 2])}, "starts must rise"),
        ({"starts": np.empty(0, np.int64)}, "starts must rise"),
        ({"other": np.array([0, 2], np.int32)}, "index of the other side is out of range"),
        ({"other": np.array([0, -1], np.int32)}, "index of the other side is out of range"),
        ({"value": np.ones(3, np.float32)}, "same length"),
        ({"weight": np.ones(3, np.float32)}, "same length"),
        ({"other_cluster": np.full((1, 2), 2, np.int32)}, "a cluster is out of range"),
        ({"other_cluster": np.full((1, 2), -1, np.int32)}, "a cluster is out of range"),
        ({"other_cluster": np.zeros((2, 2), np.int32)}, "one set of blocks a clustering"),
        ({"block": np.zeros((1, 0, 2))}, "at least one cluster"),
    ],
)
def test_invalid_clusters_raise(changes, words):
    with pytest.raises(ValueError, match=words):
        _native.assign_clusters(**co_arguments(**changes))


def test_invalid_row_clusters_raise():
    given_rows = {key: value for key, value in co_arguments().items() if key != "block"}
    sizes = {"own": 2, "other_clusters": 2}
    with pytest.raises(ValueError, match="a cluster is out of range"):
        _native.block_sums(own_cluster=np.full((1, 2), 2, np.int32), **given_rows, **sizes)
    with pytest.raises(ValueError, match="one cluster a row and clustering"):
        _native.block_sums(own_cluster=np.zeros((1, 3), np.int32), **given_rows, **sizes)


def test_invalid_sparse_rows_raise():
    starts, column, value = np.array([0, 1]), np.array([0], np.int32), np.ones(1, np.float32)
    out = np.array([1], np.int32)
    none = np.array([0], np.int32)
    for rows, columns in (
        ((starts, out, value), (starts, column, value)),
        ((starts, column, value), (starts, out, value)),
    ):
        with pytest.raises(ValueError, match="a column is out of range"):
            _native.gram_matrix(*rows, *columns, 1)
    weight = np.zeros((1, 1), np.float32)
    with pytest.raises(ValueError, match="weight must be square"):
        _native.item_scores(starts, column, value, np.zeros((1, 2), np.float32), none, none, 1)
    with pytest.raises(ValueError, match="a user index is out of range"):
        _native.item_scores(starts, column, value, weight, out, none, 1)
    with pytest.raises(ValueError, match="an item index is out of range"):
        _native.item_scores(starts, column, value, weight, none, np.array([-2], np.int32), 1)
    with pytest.raises(TypeError):  # never converted in silence
        _native.item_scores(starts, column, value, weight.astype(np.float64), none, none, 1)
