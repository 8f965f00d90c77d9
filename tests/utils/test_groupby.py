"""Sums and means of groups against plain numpy, group by group."""

from __future__ import annotations

import numpy as np
import pytest

from foretaste._utils.groupby import group_mean, group_sum, safe_divide

N = 5  # group 3 has no rows, group 4 only rows of weight 0


@pytest.fixture
def rows():
    rng = np.random.default_rng(0)
    codes = np.r_[rng.integers(0, 3, 40), [4, 4]].astype(np.int32)
    weight = np.r_[rng.choice([0.5, 1, 3], 40), [0, 0]].astype(np.float32)
    return codes, rng.normal(size=42).astype(np.float32), weight


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("damping", [0, 2.5])
def test_group_mean_is_the_damped_weighted_mean(rows, weighted, damping):
    codes, value, weight = rows
    weights = weight.astype(float) if weighted else np.ones(42)
    means = group_mean(codes, value, N, weight if weighted else None, damping=damping, default=7.0)
    assert means.dtype == np.float64
    for group in range(N):
        mask = codes == group
        total, count = (weights * value)[mask].sum(), weights[mask].sum() + damping
        assert means[group] == pytest.approx(total / count if count else 7.0)


def test_group_mean_takes_a_default_per_group(rows):
    codes, value, weight = rows
    unweighted = group_mean(codes, value, N)
    means = group_mean(codes, value, N, weight, default=unweighted)
    assert means[4] == unweighted[4] == pytest.approx(value[40:].mean())
    assert means[3] == unweighted[3] == 0


def test_group_sum_and_safe_divide_keep_empty_groups(rows):
    codes, value, _ = rows
    total = group_sum(codes, value, N)
    np.testing.assert_allclose(total.sum(), value.sum(), rtol=1e-6)
    assert total[3] == 0
    np.testing.assert_array_equal(safe_divide(np.array([3.0, 1.0]), np.array([2.0, 0.0])), [1.5, 0.0])
