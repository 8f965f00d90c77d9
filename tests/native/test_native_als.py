"""Kernels of ALS and NMF against numpy references, on every instruction set."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import lsq_linear

from foretaste import _native

FACTORS = (1, 2, 7, 8, 15, 16, 17, 33, 64, 128, 200)


@pytest.fixture(autouse=True)
def _best_instruction_set_afterwards():
    yield
    _native.use_isa(_native.isas()[0])


class Case:
    """Random ratings of some rows, what is known of the other side, and what the rows know beforehand."""

    def __init__(self, rng, rows, others, n, factors, *, weighted=False, biased=True, positive=False):
        self.factors, self.biased, self.rows = factors, biased, rows
        own = np.sort(rng.integers(0, rows, n))
        self.starts = np.searchsorted(own, np.arange(rows + 1)).astype(np.int64)
        self.other = rng.integers(0, others, n).astype(np.int32)
        self.value = rng.normal(size=n).astype(np.float32)
        self.weight = rng.choice([0.25, 1, 2], n).astype(np.float32) if weighted else None
        width = -(-factors // 16) * 16
        self.features, self.own = (np.zeros((k, width), np.float32) for k in (others, rows))
        for table in (self.features, self.own):
            drawn = rng.normal(0, 0.5, (len(table), factors))
            table[:, :factors] = np.abs(drawn) if positive else drawn
        self.other_bias = rng.normal(0, 0.5, others).astype(np.float32) if biased else None
        self.own_bias = rng.normal(0, 0.5, rows).astype(np.float32) if biased else None
        self.ridge = rng.uniform(0.5, 3, rows).astype(np.float32)
        self.growth = (np.arange(1.0, width + 1) ** 0.3).astype(np.float32)
        self.bias_ridge = rng.uniform(0.5, 3, rows).astype(np.float32) if biased else None

    def learn(self, solver, steps=1, threads=1):
        """Return factors, biases and the squared error; the case stays as it is."""
        own, bias = self.own.copy(), None if self.own_bias is None else self.own_bias.copy()
        error = _native.als_half(
            self.starts, self.other, self.value, self.weight, self.features, self.other_bias, own, bias,
            self.ridge, self.growth, self.bias_ridge, self.factors, solver, steps, threads,
        )  # fmt: skip
        assert (own[:, self.factors :] == 0).all()  # the padding stays
        return own[:, : self.factors], np.zeros(self.rows) if bias is None else bias, error

    def system(self, row):
        """Return the design of a row (a column of ones last), its target, weights, ridge, in float64."""
        rows = slice(self.starts[row], self.starts[row + 1])
        other = self.other[rows]
        design = self.features[other, : self.factors].astype(np.float64)
        target = self.value[rows].astype(np.float64)
        ridge = self.ridge[row] * self.growth[: self.factors].astype(np.float64)
        if self.biased:
            design = np.column_stack([design, np.ones(len(other))])
            target = target - self.other_bias[other]
            ridge = np.r_[ridge, self.bias_ridge[row]]
        weight = np.ones(len(other)) if self.weight is None else self.weight[rows].astype(np.float64)
        return design, target, weight, ridge

    def known(self, row):
        start = self.own[row, : self.factors].astype(np.float64)
        return np.r_[start, self.own_bias[row]] if self.biased else start

    def unknowns(self, row, factors, bias):
        return np.r_[factors[row], bias[row]] if self.biased else factors[row]

    def objective(self, row, x):
        """Return the objective of a row at x."""
        design, target, weight, ridge = self.system(row)
        return float(weight @ (target - design @ x) ** 2 + ridge @ x**2)

    def solve_rows(self, solve):
        """Return factors, biases and the squared error by ``solve(design, target, weight, ridge, start)``."""
        factors, biases, errors = np.zeros((self.rows, self.factors)), np.zeros(self.rows), 0.0
        for row in range(self.rows):
            design, target, weight, ridge = self.system(row)
            x = solve(design, target, weight, ridge, self.known(row))
            errors += float(weight @ (target - design @ x) ** 2)
            factors[row] = x[: self.factors]
            if self.biased:
                biases[row] = x[-1]
        return factors, biases, errors


def normal_equations(design, target, weight, ridge, start):
    gram = design.T @ (weight[:, None] * design) + np.diag(ridge)
    return np.linalg.solve(gram, design.T @ (weight * target))


def conjugate_gradients(steps):
    def solve(design, target, weight, ridge, start):
        gram = design.T @ (weight[:, None] * design) + np.diag(ridge)
        x, scale = start.copy(), 1 / np.diag(gram)
        residual = design.T @ (weight * target) - gram @ x
        direction = scale * residual
        left = residual @ direction
        for _ in range(steps):
            if left <= 1e-14:
                break
            step = left / (direction @ gram @ direction)
            x, residual = x + step * direction, residual - step * (gram @ direction)
            before, left = left, residual @ (scale * residual)
            direction = scale * residual + left / before * direction
        return x

    return solve


cases = st.fixed_dictionaries(
    {
        "seed": st.integers(0, 2**32 - 1),
        "rows": st.integers(1, 9),
        "others": st.integers(1, 40),
        "n": st.integers(0, 300),
        "factors": st.sampled_from(FACTORS),
        "weighted": st.booleans(),
        "biased": st.booleans(),
        "isa": st.sampled_from(_native.isas()),
    }
)


def made(case, **more):
    case = dict(case)
    _native.use_isa(case.pop("isa"))
    return Case(np.random.default_rng(case.pop("seed")), **case, **more)


@settings(max_examples=120)
@given(cases)
def test_cholesky_solves_the_normal_equations(case):
    case = made(case)
    factors, bias, error = case.learn("cholesky")
    wanted = case.solve_rows(normal_equations)
    np.testing.assert_allclose(factors, wanted[0], rtol=2e-3, atol=2e-4)
    np.testing.assert_allclose(bias, wanted[1], rtol=2e-3, atol=2e-4)
    assert error == pytest.approx(wanted[2], rel=2e-3, abs=1e-2)


@settings(max_examples=100)
@given(cases, st.integers(1, 3))
def test_conjugate_gradients_equal_numpy(case, steps):
    """The first step by the factors; later, rounding may turn the direction where the solution is near."""
    case = made(case)
    factors, bias, error = case.learn("gradients", steps)
    wanted = case.solve_rows(conjugate_gradients(steps))
    if steps == 1:
        np.testing.assert_allclose(factors, wanted[0], rtol=5e-3, atol=1e-3)
        np.testing.assert_allclose(bias, wanted[1], rtol=5e-3, atol=1e-3)
    for row in range(case.rows):
        start = case.objective(row, case.known(row))
        found = case.objective(row, case.unknowns(row, factors, bias))
        expected = case.objective(row, case.unknowns(row, wanted[0], wanted[1]))
        assert found == pytest.approx(expected, rel=0, abs=5e-4 * start)
    assert error == pytest.approx(wanted[2], rel=5e-3, abs=2e-2)


@settings(max_examples=40)
@given(cases)
def test_conjugate_gradients_converge_to_the_solution(case):
    """By the objective: with few distinct rows it hardly determines the factors."""
    case = made(case)
    factors, bias, _ = case.learn("gradients", 300)
    for row in range(case.rows):
        found = case.objective(row, case.unknowns(row, factors, bias))
        least = case.objective(row, normal_equations(*case.system(row), None))
        assert found - least <= 1e-6 * case.objective(row, case.known(row))


def not_negative(biased):
    """Least squares with all but the bias at 0 or above."""

    def solve(design, target, weight, ridge, start):
        tall = np.vstack([np.sqrt(weight)[:, None] * design, np.diag(np.sqrt(ridge))])
        aim = np.r_[np.sqrt(weight) * target, np.zeros(len(ridge))]
        low = np.zeros(len(start))
        if biased:
            low[-1] = -np.inf
        return lsq_linear(tall, aim, (low, np.inf), tol=1e-13, max_iter=500).x

    return solve


@settings(max_examples=40)
@given(cases.filter(lambda case: case["factors"] <= 17))
def test_coordinate_descent_finds_the_non_negative_optimum(case):
    case = made(case, positive=True)
    factors, bias, error = case.learn("coordinates", 2000)
    wanted = case.solve_rows(not_negative(case.biased))
    assert (factors >= 0).all()
    np.testing.assert_allclose(factors, wanted[0], rtol=1e-2, atol=3e-3)
    np.testing.assert_allclose(bias, wanted[1], rtol=1e-2, atol=3e-3)
    assert error == pytest.approx(wanted[2], rel=5e-3, abs=2e-2)


@settings(max_examples=80)
@given(cases, st.integers(1, 3))
def test_multiplicative_updates_equal_numpy(case, steps):
    case = made(case, positive=True)

    def solve(design, target, weight, ridge, start):
        x, b = start.copy(), 0.0
        q = design
        if case.biased:
            q, x = design[:, :-1], x[:-1]
            b = float(weight @ (target - q @ x)) / (weight.sum() + ridge[-1])
        left = target - b
        for _ in range(steps):
            above = q.T @ (weight * np.maximum(left, 0))
            below = q.T @ (weight * (q @ x - np.minimum(left, 0))) + ridge[: len(x)] * x
            x = np.where(below > 0, x * above / np.where(below > 0, below, 1), 0)
        return np.r_[x, b] if case.biased else x

    factors, bias, _ = case.learn("multiplicative", steps)
    wanted = case.solve_rows(solve)
    np.testing.assert_allclose(factors, wanted[0], rtol=5e-3, atol=1e-5)
    np.testing.assert_allclose(bias, wanted[1], rtol=5e-3, atol=1e-4)


@pytest.mark.parametrize("solver", ["cholesky", "gradients", "coordinates", "multiplicative"])
@pytest.mark.parametrize("factors", [7, 64, 200])
def test_threads_change_no_bit(solver, factors):
    rng = np.random.default_rng(1)
    case = Case(
        rng, 700, 90, 20_000, factors, weighted=True, positive=solver in ("coordinates", "multiplicative")
    )
    for isa in _native.isas():
        _native.use_isa(isa)
        one = case.learn(solver, 3)
        for threads in (2, 3, 5):
            other = case.learn(solver, 3, threads)
            assert one[0].tobytes() == other[0].tobytes()
            assert one[1].tobytes() == other[1].tobytes()
            assert one[2] == other[2]


@pytest.mark.parametrize("solver", ["cholesky", "gradients", "coordinates", "multiplicative"])
def test_row_without_ratings_is_zero(solver):
    case = Case(np.random.default_rng(2), 3, 5, 0, 7, positive=True)
    factors, bias, error = case.learn(solver, 50)
    np.testing.assert_allclose(factors, 0, atol=1e-6)
    np.testing.assert_allclose(bias, 0, atol=1e-6)
    assert error == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"solver": "lu"}, "solver must be"),
        ({"steps": 0}, "steps must be at least 1"),
        ({"threads": 0}, "threads must be at least 1"),
        ({"factors": 0}, "factors must be"),
        ({"factors": 17}, "factors must be"),
        ({"other": np.array([0, 9], np.int32)}, "out of range"),
        ({"other": np.array([0, -1], np.int32)}, "out of range"),
        ({"starts": np.array([0, 1, 3])}, "starts must rise"),
        ({"starts": np.array([0, 2, 1])}, "starts must rise"),
        ({"value": np.zeros(3, np.float32)}, "same length"),
        ({"weight": np.zeros(3, np.float32)}, "same length"),
        ({"own_bias": None}, "biases need"),
        ({"own": np.zeros((2, 15), np.float32)}, "padded"),
        ({"growth": np.zeros(3, np.float32)}, "growth"),
        ({"ridge": np.zeros(3, np.float32)}, "one row"),
    ],
)
def test_binding_validates_arguments(change, words):
    usual = {
        "starts": np.array([0, 1, 2]), "other": np.array([0, 1], np.int32), "value": np.ones(2, np.float32),
        "weight": None, "features": np.ones((2, 16), np.float32), "other_bias": np.zeros(2, np.float32),
        "own": np.zeros((2, 16), np.float32), "own_bias": np.zeros(2, np.float32),
        "ridge": np.ones(2, np.float32), "growth": np.ones(16, np.float32),
        "bias_ridge": np.ones(2, np.float32), "factors": 16, "solver": "cholesky", "steps": 1, "threads": 1,
    }  # fmt: skip
    _native.als_half(*usual.values())
    with pytest.raises(ValueError, match=words):
        _native.als_half(*(usual | change).values())
