"""Imputation from the nearest rows: the kernel against numpy and scikit-learn."""

from __future__ import annotations

import signal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from imputation_reference import distances, tied_cells
from real_data import lecture_parts
from sklearn.impute import KNNImputer

from foretaste import _native
from foretaste._native import impute_nearest


@pytest.fixture(scope="module", params=_native.isas())
def isa(request):
    """Run with each instruction set that this machine has."""
    before = _native.isa()
    _native.use_isa(request.param)
    yield request.param
    _native.use_isa(before)


def impute_by_numpy(matrix, neighbors, by_distance, rows):
    """Return some rows imputed: the definition, word for word."""
    known, out = ~np.isnan(matrix), matrix[rows].astype(np.float64)
    for place, row in enumerate(rows):
        distance = distances(matrix, row)
        for column in np.flatnonzero(~known[row]):
            donors = np.flatnonzero(known[:, column] & np.isfinite(distance))
            donors = donors[np.argsort(distance[donors], kind="stable")][:neighbors]
            given_by = known[:, column] if len(donors) == 0 else donors
            weight = np.ones(len(matrix))
            if by_distance and len(donors):
                same = distance == 0
                weight = same * 1.0 if same[donors].any() else 1 / np.where(same, np.nan, distance)
            values = matrix[given_by, column].astype(np.float64)
            out[place, column] = np.average(values, weights=weight[given_by]) if len(values) else 0
    return out


def random_matrix(seed, rows, columns, filled, values=None):
    """Return normal numbers, or a choice of ``values``, with cells missing at random."""
    rng = np.random.default_rng(seed)
    cells = rng.normal(size=(rows, columns)) if values is None else rng.choice(values, (rows, columns))
    cells[rng.random((rows, columns)) >= filled] = np.nan
    return cells.astype(np.float32)


@st.composite
def matrices(draw):
    """Draw small matrices with many equal distances, empty rows and empty columns."""
    rows, columns = draw(st.integers(1, 45)), draw(st.integers(1, 70))
    levels = draw(st.sampled_from([1, 2, 5, 1000]))
    values = np.arange(levels) / 8 - draw(st.sampled_from([0, 1, 300]))
    filled = draw(st.sampled_from([0.0, 0.05, 0.3, 0.8, 1.0]))
    matrix = random_matrix(draw(st.integers(0, 2**32 - 1)), rows, columns, filled, values)
    matrix[draw(st.lists(st.integers(0, rows - 1), max_size=3))] = np.nan
    matrix[:, draw(st.lists(st.integers(0, columns - 1), max_size=3))] = np.nan
    return matrix


@settings(max_examples=150)
@given(matrix=matrices(), neighbors=st.integers(1, 12), by_distance=st.booleans())
def test_kernel_equals_numpy(isa, matrix, neighbors, by_distance):
    wanted = impute_by_numpy(matrix, neighbors, by_distance, range(len(matrix)))
    got = impute_nearest(matrix, neighbors, by_distance, 2)
    np.testing.assert_allclose(got, wanted, rtol=1e-6, atol=1e-6)
    known = ~np.isnan(matrix)
    assert np.array_equal(got[known], matrix[known])


@pytest.mark.parametrize("by_distance", [False, True])
@pytest.mark.parametrize(
    ("rows", "columns", "values"),
    [(1500, 33, None), (1500, 33, [1.0, 2, 3, 4, 5]), (1500, 7, [0.0]), (150, 700, None), (1501, 1, None)],
)
def test_large_matrices_equal_numpy(isa, rows, columns, values, by_distance):
    matrix = random_matrix(5, rows, columns, 0.3, values)
    rare = np.arange(columns) % 5 == 4  # columns that few rows have
    matrix[:, rare] = np.where(np.arange(rows)[:, None] % 97 == 3, matrix[:, rare], np.nan)
    asked = np.arange(0, rows, rows // 8)
    got = impute_nearest(matrix, 10, by_distance, 2)[asked]
    np.testing.assert_allclose(got, impute_by_numpy(matrix, 10, by_distance, asked), rtol=1e-6, atol=1e-6)


def test_distances_that_float32_cannot_tell_apart_are_ranked_exactly(isa):
    rng = np.random.default_rng(2)
    rows, columns = 600, 301
    matrix = np.zeros((rows + 1, columns + 2), np.float32)
    spread = rng.normal(size=columns).astype(np.float32)
    for row in range(rows):
        matrix[row, :columns] = rng.permutation(spread)  # the same sum of squares, rounded differently
    matrix[:rows, columns] = rng.permutation(rows) * np.float32(1e-3)
    matrix[:rows, columns + 1] = rng.normal(size=rows)
    matrix[rows, columns + 1] = np.nan
    gaps = np.diff(np.sort(distances(matrix, rows)[:rows]))
    assert 1e-12 < gaps.min() < 1e-8  # closer than float32 resolves, further apart than float64 rounds
    order = np.argsort(matrix[:rows, columns])
    for neighbors in (1, 2, 17, 300):
        got = impute_nearest(matrix, neighbors, False, 1)[rows, columns + 1]
        assert got == pytest.approx(matrix[order[:neighbors], columns + 1].mean(dtype=np.float64), abs=1e-6)


@pytest.mark.parametrize("power", [-100, -60, 60, 120])
def test_extreme_scales(isa, power):
    matrix = random_matrix(1, 300, 40, 0.4)
    factor = np.float32(2.0) ** np.float32(power)
    np.testing.assert_array_equal(
        impute_nearest(matrix * factor, 5, True, 2), impute_nearest(matrix, 5, True, 2) * factor
    )


@pytest.mark.parametrize("by_distance", [False, True])
def test_same_bits_at_any_number_of_threads_and_any_instruction_set(by_distance):
    matrix = random_matrix(3, 700, 65, 0.2)
    before, results = _native.isa(), []
    for name in _native.isas():
        _native.use_isa(name)
        results += [impute_nearest(matrix, 7, by_distance, threads).tobytes() for threads in (1, 2, 5)]
    _native.use_isa(before)
    assert len(set(results)) == 1


def test_empty_rows_and_columns():
    nothing = np.full((3, 4), np.nan, np.float32)
    assert np.array_equal(impute_nearest(nothing, 2, False, 1), np.zeros((3, 4)))
    assert impute_nearest(np.empty((0, 4), np.float32), 2, False, 1).shape == (0, 4)
    assert impute_nearest(np.empty((3, 0), np.float32), 2, False, 1).shape == (3, 0)
    apart = np.array([[1, np.nan, np.nan], [np.nan, 5, 2], [np.nan, 7, np.nan]], np.float32)
    wanted = [[1, 6, 2], [1, 5, 2], [1, 7, 2]]  # row 0 shares nothing: means of the columns
    assert np.array_equal(impute_nearest(apart, 1, False, 1), np.array(wanted))


@pytest.mark.parametrize(
    ("matrix", "neighbors", "threads", "message"),
    [
        (np.array([[1, np.inf]], np.float32), 1, 1, "finite"),
        (np.array([[1, -np.inf]], np.float32), 1, 1, "finite"),
        (np.ones((2, 2), np.float32), 0, 1, "neighbors"),
        (np.ones((2, 2), np.float32), 1, 0, "threads"),
    ],
)
def test_binding_validates_arguments(matrix, neighbors, threads, message):
    with pytest.raises(ValueError, match=message):
        impute_nearest(matrix, neighbors, False, threads)


def test_binding_converts_no_types():
    with pytest.raises(TypeError):
        impute_nearest(np.ones((2, 2)), 1, False, 1)
    with pytest.raises(TypeError):
        impute_nearest(np.ones((4, 4), np.float32).T[::2], 1, False, 1)


def test_ctrl_c_interrupts_the_kernel():
    def interrupt(number, frame):
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.1)
        with pytest.raises(KeyboardInterrupt):
            impute_nearest(random_matrix(4, 20_000, 140, 0.2), 10, False, 1)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    matrix = random_matrix(4, 50, 14, 0.2)
    wanted = impute_by_numpy(matrix, 3, False, range(50))
    np.testing.assert_allclose(impute_nearest(matrix, 3, False, 2), wanted, rtol=1e-6, atol=1e-6)


def assert_equal_to_sklearn(matrix, neighbors, weights):
    theirs = KNNImputer(n_neighbors=neighbors, weights=weights, keep_empty_features=True)
    wanted = theirs.fit_transform(matrix.astype(np.float64))
    free = ~tied_cells(matrix, neighbors)
    got = impute_nearest(matrix, neighbors, weights == "distance", 2)
    np.testing.assert_allclose(got[free], wanted[free], rtol=0, atol=1e-6)
    return 1 - free[np.isnan(matrix)].mean()


@pytest.mark.peer
@pytest.mark.parametrize("weights", ["uniform", "distance"])
@pytest.mark.parametrize(
    ("rows", "columns", "filled"), [(400, 37, 0.3), (300, 9, 0.1), (60, 300, 0.6), (1, 3, 0.5)]
)
def test_equals_sklearn(weights, rows, columns, filled):
    assert assert_equal_to_sklearn(random_matrix(6, rows, columns, filled), 5, weights) < 0.01


@pytest.mark.slow
@pytest.mark.peer
@pytest.mark.dataset
def test_equals_sklearn_on_the_lecture_ratings():
    train, _ = lecture_parts()
    assert assert_equal_to_sklearn(train.to_matrix(), 10, "uniform") < 0.05
