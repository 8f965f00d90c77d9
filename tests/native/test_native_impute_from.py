"""Imputation of rows from a second matrix, in float32 and float64: the kernel against numpy."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from foretaste import _native
from foretaste._native import impute_from, impute_nearest


@pytest.fixture(scope="module", params=_native.isas())
def isa(request):
    """Run with each instruction set that this machine has."""
    before = _native.isa()
    _native.use_isa(request.param)
    yield request.param
    _native.use_isa(before)


def distances(own, donors):
    """Return the mean squared difference to each donor, summed column by column; infinite without any."""
    both = ~np.isnan(own) & ~np.isnan(donors)
    squares = np.where(both, (np.nan_to_num(own) - np.nan_to_num(donors)) ** 2, 0).cumsum(axis=1)[:, -1]
    count = both.sum(axis=1)
    return np.divide(squares, count, out=np.full(len(donors), np.inf), where=count > 0)


def impute_by_numpy(asked, donors, neighbors, by_distance):
    """Return the rows imputed: the definition, word for word."""
    asked, donors = asked.astype(np.float64), donors.astype(np.float64)
    known, out = ~np.isnan(donors), asked.copy()
    for row, own in enumerate(asked):
        distance = np.sqrt(distances(own, donors))
        for column in np.flatnonzero(np.isnan(own)):
            have = np.flatnonzero(known[:, column])
            near = have[np.isfinite(distance[have])]
            near = near[np.argsort(distance[near], kind="stable")][:neighbors]
            if len(near) == 0:
                out[row, column] = donors[have, column].mean() if len(have) else 0
                continue
            weight = np.ones(len(near))
            if by_distance:
                same = distance[near] == 0
                weight = same * 1.0 if same.any() else 1 / distance[near]
            out[row, column] = np.average(donors[near, column], weights=weight)
    return out


@st.composite
def problems(draw):
    """Draw two small matrices with many equal distances, rows in both, empty rows and empty columns."""
    kind = draw(st.sampled_from([np.float32, np.float64]))
    columns, levels = draw(st.integers(1, 70)), draw(st.sampled_from([1, 2, 5, 1000]))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    made = []
    for rows in (draw(st.integers(1, 20)), draw(st.integers(1, 45))):
        matrix = rng.choice(np.arange(levels) / 8 - draw(st.sampled_from([0, 1, 300])), (rows, columns))
        matrix[rng.random(matrix.shape) >= draw(st.sampled_from([0.0, 0.05, 0.3, 0.8, 1.0]))] = np.nan
        matrix[draw(st.lists(st.integers(0, rows - 1), max_size=3))] = np.nan
        matrix[:, draw(st.lists(st.integers(0, columns - 1), max_size=3))] = np.nan
        made.append(matrix.astype(kind))
    asked, donors = made
    if draw(st.booleans()):
        asked[0] = donors[-1]
    return asked, donors


@settings(max_examples=150)
@given(problem=problems(), neighbors=st.integers(1, 12), by_distance=st.booleans())
def test_kernel_equals_numpy(isa, problem, neighbors, by_distance):
    asked, donors = problem
    got = impute_from(asked, donors, neighbors, by_distance, 2)
    assert got.dtype == asked.dtype
    near = 1e-6 if asked.dtype == np.float32 else 1e-12
    np.testing.assert_allclose(
        got, impute_by_numpy(asked, donors, neighbors, by_distance), rtol=near, atol=near
    )
    known = ~np.isnan(asked)
    assert np.array_equal(got[known], asked[known])


@pytest.mark.parametrize("by_distance", [False, True])
@pytest.mark.parametrize(
    ("donors", "columns", "values"),
    [(1500, 33, None), (1500, 33, [1.0, 2, 3, 4, 5]), (300, 600, None), (1501, 1, None), (1500, 7, [0.0])],
)
def test_many_donors_equal_numpy(isa, donors, columns, values, by_distance):
    rng = np.random.default_rng(5)
    shape = (donors + 40, columns)
    cells = rng.normal(size=shape) if values is None else rng.choice(values, shape)
    cells[rng.random(shape) >= 0.4] = np.nan
    asked, matrix = cells[:40].copy(), cells[40:].copy()
    wanted = impute_by_numpy(asked, matrix, 10, by_distance)
    np.testing.assert_allclose(impute_from(asked, matrix, 10, by_distance, 2), wanted, rtol=0, atol=1e-12)


def test_distances_that_float32_cannot_tell_apart(isa):
    """Years and identity numbers: float32 would round the differences away."""
    rng = np.random.default_rng(1)
    donors = np.column_stack([1e9 + rng.permutation(400) * 1e-3, rng.normal(size=400)])
    got = impute_from(np.array([[1e9, np.nan]]), donors, 7, False, 1)
    nearest = np.argsort(donors[:, 0])[:7]
    assert got[0, 1] == pytest.approx(donors[nearest, 1].mean(), abs=1e-12)


def test_ties_do_not_depend_on_rounding(isa):
    """Sums of the same squares in other orders differ in the last bits; they are ranked as numpy's are."""
    rng = np.random.default_rng(2)
    spread = rng.normal(size=301)
    donors = np.array([[*rng.permutation(spread), value] for value in range(500)], dtype=float)
    asked = np.zeros((1, 302))
    asked[0, -1] = np.nan
    order = np.argsort(distances(asked[0], donors), kind="stable")
    assert len(np.unique(distances(asked[0], donors))) > 3
    for neighbors in (1, 3, 50):
        got = impute_from(asked, donors, neighbors, False, 1)[0, -1]
        assert got == pytest.approx(donors[order[:neighbors], -1].mean(), rel=1e-12)


@pytest.mark.parametrize("power", [-900, -460, 460, 900])
def test_extreme_scales(isa, power):
    rng = np.random.default_rng(3)
    cells = rng.normal(size=(340, 40))
    cells[rng.random(cells.shape) >= 0.4] = np.nan
    asked, donors = cells[:40].copy(), cells[40:].copy()
    got = impute_from(asked * 2.0**power, donors * 2.0**power, 5, True, 2)
    np.testing.assert_array_equal(got, impute_from(asked, donors, 5, True, 2) * 2.0**power)


@pytest.mark.parametrize("kind", [np.float32, np.float64])
@pytest.mark.parametrize("by_distance", [False, True])
def test_same_bits_at_any_number_of_threads_and_any_instruction_set(kind, by_distance):
    rng = np.random.default_rng(3)
    cells = rng.normal(size=(700, 65)).astype(kind)
    cells[rng.random(cells.shape) >= 0.2] = np.nan
    before, results = _native.isa(), []
    for name in _native.isas():
        _native.use_isa(name)
        results += [impute_from(cells[:90], cells, 7, by_distance, n).tobytes() for n in (1, 2, 5)]
    _native.use_isa(before)
    assert len(set(results)) == 1
    if kind is np.float32:  # the same as the matrix imputed from itself
        assert results[0] == impute_nearest(cells, 7, by_distance, 2)[:90].tobytes()


@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_empty_donor_matrix(kind):
    nothing = np.full((3, 4), np.nan, kind)
    asked = np.array([[1, np.nan, 2, np.nan]], kind)
    assert np.array_equal(impute_from(asked, nothing, 2, False, 1), [[1, 0, 2, 0]])
    assert np.array_equal(impute_from(nothing, asked, 2, True, 1), [[1, 0, 2, 0]] * 3)
    assert impute_from(np.empty((0, 4), kind), asked, 2, False, 1).shape == (0, 4)
    assert impute_from(np.empty((3, 0), kind), np.empty((2, 0), kind), 2, False, 1).shape == (3, 0)


@pytest.mark.parametrize(
    ("asked", "matrix", "neighbors", "threads", "message"),
    [
        ([[1, np.inf]], [[1, 2]], 1, 1, "finite"),
        ([[1, 2]], [[1, -np.inf]], 1, 1, "finite"),
        ([[1, 2]], [[1, 2]], 0, 1, "neighbors"),
        ([[1, 2]], [[1, 2]], 1, 0, "threads"),
        ([[1, 2]], [[1, 2, 3]], 1, 1, "same columns"),
        ([[1, 2]], np.empty((0, 2)), 1, 1, "a row"),
    ],
)
def test_binding_validates_arguments(asked, matrix, neighbors, threads, message):
    with pytest.raises(ValueError, match=message):
        impute_from(np.array(asked, float), np.array(matrix, float), neighbors, False, threads)


def test_binding_converts_no_types():
    with pytest.raises(TypeError):
        impute_from(np.ones((2, 2)), np.ones((2, 2), np.float32), 1, False, 1)
    with pytest.raises(TypeError):
        impute_from(np.ones((4, 4)).T[::2], np.ones((2, 4)), 1, False, 1)
