"""Kernels of compat.surprise's neighbors against Python references, and their memory."""

from __future__ import annotations

import heapq
import subprocess
import sys
import textwrap
from math import sqrt

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from foretaste._native import SurpriseDeviations, SurpriseNeighbors, UndefinedSimilarity
from foretaste.compat.surprise.row_stats import apply_by_row

VALUES = {
    "stars": [0.0, 1.0, 2.0, 5.0],
    "eighths": [0.125, 2.5, 4.0],
    "thirds": [0.1, 0.7, 3.3],
    "signed": [-1.0, 0.5, 2.0],
    "large": [300.0, 1.0, 7.0],
}


@st.composite
def columns(draw):
    """Entries of some columns: starts, rows and values; rows may repeat within a column."""
    rows = draw(st.integers(1, 7))
    values = VALUES[draw(st.sampled_from(sorted(VALUES)))]
    unique = draw(st.booleans())
    entry = st.tuples(st.integers(0, rows - 1), st.sampled_from(values))
    lists = draw(
        st.lists(st.lists(entry, max_size=6, unique_by=(lambda one: one[0]) if unique else None), max_size=6)
    )
    starts = np.cumsum([0] + [len(one) for one in lists]).astype(np.int64)
    row = np.array([r for one in lists for r, _ in one], np.int32)
    return rows, lists, starts, row, np.array([v for one in lists for _, v in one], np.float64)


def twin_similarity(lists, x, z, measure, min_support, shrinkage):
    """Return the similarity of two rows, or None if it divides by 0."""
    a, b = min(x, z), max(x, z)
    met = [(v, w) for one in lists for r, v in one if r == a for s, w in one if s == b]
    n = len(met)
    if n < (max(min_support, 2) if measure == "pearson_baseline" else min_support):
        return 0.0
    product = own = other = first = second = gaps = 0.0
    for v, w in met:
        product, own, other = product + v * w, own + v * v, other + w * w
        first, second, gaps = first + v, second + w, gaps + (v - w) * (v - w)
    if measure == "msd":
        return 1 / (gaps / n + 1) if n else None
    if measure == "pearson":
        under = (n * own - first * first) * (n * other - second * second)
        if under < 0:
            return np.nan
        return (n * product - first * second) / sqrt(under) if sqrt(under) else 0.0
    if sqrt(own * other) == 0:
        return None
    cosine = product / sqrt(own * other)
    return cosine * ((n - 1) / (n - 1 + shrinkage)) if measure == "pearson_baseline" else cosine


@given(columns(), st.sampled_from(["cosine", "msd", "pearson", "pearson_baseline"]), st.integers(0, 3))
@settings(max_examples=100, deadline=None)
def test_similarities_equal_python_reference(entries, measure, min_support):
    rows, lists, starts, row, value = entries
    kernel = SurpriseNeighbors(starts, row, value, value, rows, measure, min_support, 5.0, 2)
    undefined = False
    for x in range(rows):
        wanted = [
            1.0 if z == x else twin_similarity(lists, x, z, measure, min_support, 5.0) for z in range(rows)
        ]
        if None in wanted:
            undefined = True
            with pytest.raises(UndefinedSimilarity, match=f"of {x} and {'|'.join(map(str, range(rows)))}"):
                kernel.row(x)
            continue
        np.testing.assert_array_equal(kernel.row(x), np.array(wanted))
    if undefined:
        with pytest.raises(ZeroDivisionError):
            kernel.matrix(2)
    else:
        np.testing.assert_array_equal(kernel.matrix(2), [kernel.row(x) for x in range(rows)])


@given(columns(), st.integers(0, 9), st.integers(0, 3), st.data())
@settings(max_examples=100, deadline=None)
def test_means_equal_python_reference(entries, k, form, data):
    rows, lists, starts, row, value = entries
    kernel = SurpriseNeighbors(starts, row, value, value, rows, "msd", 1, 0.0, 1)
    sim = kernel.matrix(1)
    if data.draw(st.booleans()):
        sim = np.array(
            data.draw(
                st.lists(st.sampled_from([-1.0, 0.0, 0.25, 0.5, 0.75]), min_size=rows**2, max_size=rows**2)
            )
        ).reshape(rows, rows)
        given_sim = True
    else:
        given_sim = False
    centre, spread, offset = np.arange(rows) / 8, 1 + np.arange(rows) / 4, np.arange(len(lists)) / 16
    parts = [(None, None, None), (centre, None, None), (centre, None, spread), (centre, offset, None)][form]
    pairs = [(x, y) for x in range(-1, rows) for y in range(-1, len(lists))]
    x, y = (np.array(one, np.int32) for one in zip(*pairs, strict=True))
    if given_sim:
        found = kernel.means_from(sim, x, y, k, *parts, 0.5, 2)
    else:
        found = kernel.means(x, y, k, *parts, 0.5, 2)
    for at, (one, column) in enumerate(pairs):
        ratings = similarities = count = 0
        nearest = (
            heapq.nlargest(k, lists[column], key=lambda e, one=one: sim[one, e[0]])
            if min(one, column) >= 0
            else []
        )
        for other, rating in nearest:
            alike = sim[one, other]
            if alike > 0:
                base = [0, centre[other], centre[other], 0.5 + centre[other] + (offset[column])][form]
                ratings += alike * (rating - base) / (spread[other] if form == 2 else 1)
                similarities, count = similarities + alike, count + 1
        assert (found[0][at], found[1][at], found[2][at], found[3][at]) == (
            ratings,
            similarities,
            count,
            False,
        )


def test_nan_similarities_are_delegated():
    starts, row, value = np.array([0, 3]), np.array([0, 1, 2], np.int32), np.array([1.0, 2.0, 3.0])
    kernel = SurpriseNeighbors(starts, row, value, value, 3, "msd", 1, 0.0, 1)
    sim = np.array([[1.0, 0.5, np.nan], [1.0, 0.5, 0.25]])
    at, column = np.array([0, 1], np.int32), np.zeros(2, np.int32)
    assert kernel.means_from(sim, at, column, 2, None, None, None, 0.0, 1)[3].tolist() == [True, False]


@given(columns())
@settings(max_examples=60, deadline=None)
def test_deviations_equal_python_reference(entries):
    rows, lists, starts, row, value = entries
    value = np.trunc(value)
    lists = [[(r, float(int(v))) for r, v in one] for one in lists]
    kernel = SurpriseDeviations(starts, row, value, rows, 2)
    common, mean = np.zeros((rows, rows)), np.full((rows, rows), np.nan)
    for x in range(rows):
        for z in range(rows):
            met = [v - w for one in lists for r, v in one if r == x for s, w in one if s == z]
            common[x, z] = len(met)
            if met:
                mean[x, z] = sum(met) / len(met)
        mean[x, x] = 0
    np.testing.assert_array_equal(kernel.common(2), common)
    np.testing.assert_array_equal(kernel.matrix(2), mean)
    pairs = [(x, y) for x in range(-1, rows) for y in range(-1, len(lists))]
    x, y = (np.array(one, np.int32) for one in zip(*pairs, strict=True))
    total, count = kernel.sums(x, y, 2)
    for at, (one, column) in enumerate(pairs):
        known = [] if min(one, column) < 0 else [mean[one, r] for r, _ in lists[column]]
        known = [dev for dev in known if dev == dev]
        assert count[at] == len(known)
        assert total[at] == pytest.approx(sum(known), abs=1e-12)
        if min(one, column) >= 0:
            assert kernel.sum_from(kernel.row(one), column) == (total[at], count[at])


@given(st.lists(st.lists(st.floats(-1e3, 1e3), max_size=300), max_size=8))
@settings(max_examples=50, deadline=None)
def test_row_stats_equal_numpy_bit_for_bit(lists):
    lists = [one * 3 for one in lists]
    starts = np.cumsum([0] + [len(one) for one in lists]).astype(np.int64)
    values = np.array([value for one in lists for value in one], np.float64)
    for statistic in (np.mean, np.std):
        expected = [statistic(one) if one else 0 for one in lists]
        np.testing.assert_array_equal(apply_by_row(statistic, values, starts), expected)


def test_constant_rows_have_the_std_of_numpy():
    for size in (1, 7, 8, 9, 130, 1000):
        values, starts = np.full(3 * size, 0.1), np.arange(4) * size
        assert apply_by_row(np.std, values, starts).tolist() == [np.std(np.full(size, 0.1))] * 3


GOOD = {
    "start": np.array([0, 1, 2]),
    "row": np.array([0, 1], np.int32),
    "rating": np.array([1.0, 2.0]),
    "compared": np.array([1.0, 2.0]),
    "rows": 2, "measure": "msd", "min_support": 1.0, "shrinkage": 0.0, "threads": 1,
}  # fmt: skip


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ({"start": np.array([0, 2, 1])}, "rise"),
        ({"start": np.array([0, 1, 3])}, "rise"),
        ({"start": np.array([], np.int64)}, "starts must rise"),
        ({"row": np.array([0, 2], np.int32)}, "out of range"),
        ({"row": np.array([-1, 0], np.int32)}, "out of range"),
        ({"compared": np.array([1.0])}, "equally long"),
        ({"measure": "jaccard"}, "no such"),
        ({"threads": 0}, "threads"),
    ],
)
def test_mismatched_kernel_arguments_raise(bad, message):
    with pytest.raises(ValueError, match=message):
        SurpriseNeighbors(**(GOOD | bad))


def test_mismatched_queries_raise():
    kernel = SurpriseNeighbors(**GOOD)
    two = np.array([0, 1], np.int32)
    for wrong in (-2, 2):
        at = np.array([0, wrong], np.int32)
        for rows, column in ((at, two), (two, at)):
            with pytest.raises(ValueError, match="out of range"):
                kernel.means(rows, column, 1, None, None, None, 0.0, 1)
            with pytest.raises(ValueError, match="out of range"):
                kernel.means_from(np.eye(2), rows, column, 1, None, None, None, 0.0, 1)
    for wrong in (-1, 2):
        with pytest.raises(ValueError, match="out of range"):
            kernel.row(wrong)
    with pytest.raises(ValueError, match="wide"):
        kernel.means_from(np.eye(3), two, two, 1, None, None, None, 0.0, 1)
    with pytest.raises(ValueError, match="centre"):
        kernel.means(two, two, 1, None, None, np.ones(2), 0.0, 1)
    with pytest.raises(ValueError, match="as long as"):
        kernel.means(two, two, 1, np.ones(3), None, None, 0.0, 1)


def test_memory_is_linear_in_the_ratings():
    """With 20,000 users a matrix of their similarities would take 3.2 GB."""
    program = """
        import numpy as np
        from foretaste.compat.surprise import Dataset, KNNWithMeans, Reader, SlopeOne

        rng = np.random.default_rng(0)
        users, items, stars = (rng.integers(*ends, 60_000) for ends in ((0, 20_000), (0, 500), (1, 6)))
        rows = [(int(u), int(i), float(r), None) for (u, i), r in dict(zip(zip(users, items), stars)).items()]
        trainset = Dataset(Reader()).construct_trainset(rows)

        def peak():
            with open("/proc/self/status") as status:
                return next(int(line.split()[1]) for line in status if line.startswith("VmHWM"))

        before = peak()
        for algo in (KNNWithMeans(verbose=False), SlopeOne()):
            algo.fit(trainset)
            algo.test([row[:3] for row in rows[::5]])
            for user in range(500):
                algo.predict(rows[user][0], rows[user][1])
        print(peak() - before)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)], capture_output=True, text=True, check=True
    )
    assert int(done.stdout) < 300_000  # kB
