"""Kernels of scikit-surprise's factor models against numpy references, on every instruction set."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from foretaste import _native


@pytest.fixture(autouse=True)
def _best_instruction_set_afterwards():
    yield
    _native.use_isa(_native.isas()[0])


EVERY_ISA = pytest.mark.parametrize("isa", _native.isas())
RATES = np.array([0.003, 0.005, 0.002, 0.004, 0.006])  # so small that nothing grows without bound
REGS = np.array([0.1, 0.2, 0.3, 0.05, 0.4])
SHAPES = {
    "seed": st.integers(0, 2**32 - 1),
    "users": st.integers(1, 12),
    "items": st.integers(1, 10),
    "n": st.integers(0, 80),
}
FACTORS = st.sampled_from([0, 1, 3, 4, 8, 9, 15, 20, 24, 31, 32, 33, 40, 64, 65, 100])


class Case:
    """Random ratings grouped by user and by item; some pairs stand twice, some users have none."""

    def __init__(self, seed, users, items, n, factors=1, *, whole=False):
        rng = np.random.default_rng(seed)
        self.rng, self.users, self.items = rng, users, items
        user, item = rng.integers(0, users, n), rng.integers(0, items, n)
        value = rng.integers(1, 6, n).astype(float) if whole else rng.normal(3, 1, n)
        self.by_user = self._group_rows(user, item, value, users)
        self.by_item = self._group_rows(item, user, value, items)
        self.tables = [rng.normal(0, 0.2, (size, factors)) for size in (users, items, items)]
        self.biases = [rng.normal(0, 0.3, size) for size in (users, items)]

    @staticmethod
    def _group_rows(own, other, value, size):
        order = np.argsort(own, kind="stable")
        starts = np.append(0, np.cumsum(np.bincount(own, minlength=size))).astype(np.int64)
        return starts, other[order].astype(np.int32), value[order]

    def rows(self):
        starts, item, value = self.by_user
        user = np.repeat(np.arange(self.users), np.diff(starts))
        return zip(user.tolist(), item.tolist(), value.tolist(), strict=True)


def close(got, wanted):
    for one, other in zip(got, wanted, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-9)


def settled(tables):
    """Whether training stayed bounded: divergence amplifies rounding errors, too."""
    return all(np.isfinite(table).all() and np.abs(table).max(initial=0) < 100 for table in tables)


@np.errstate(over="ignore", invalid="ignore")
def sgd_by_numpy(case, epochs, *, implicit):
    """Train by definition, rating by rating."""
    p, q, y = (table.copy() for table in case.tables)
    bu, bi = (bias.copy() for bias in case.biases)
    starts, item, _ = case.by_user
    for _ in range(epochs):
        for u, i, r in case.rows():
            rated = item[starts[u] : starts[u + 1]]
            root = np.sqrt(len(rated))
            z = y[rated].sum(axis=0) / root if implicit else np.zeros(p.shape[1])
            error = r - (3.0 + bu[u] + bi[i] + q[i] @ (p[u] + z))
            bu[u] += RATES[0] * (error - REGS[0] * bu[u])
            bi[i] += RATES[1] * (error - REGS[1] * bi[i])
            old_p, old_q = p[u].copy(), q[i].copy()
            p[u] += RATES[2] * (error * old_q - REGS[2] * old_p)
            q[i] += RATES[3] * (error * (old_p + z) - REGS[3] * old_q)
            if implicit:
                for j in rated:
                    y[j] += RATES[4] * (error * old_q / root - REGS[4] * y[j])
    return [p, q, y, bu, bi]


@EVERY_ISA
@settings(max_examples=120, deadline=None)
@given(**SHAPES, factors=FACTORS, epochs=st.integers(0, 3))
def test_svd_equals_numpy_reference(isa, seed, users, items, n, factors, epochs):
    _native.use_isa(isa)
    case = Case(seed, users, items, n, factors)
    wanted = sgd_by_numpy(case, epochs, implicit=False)
    assume(settled(wanted))
    p, q, y = case.tables
    _native.surprise_svd(*case.by_user, 3.0, p, q, *case.biases, RATES[:4].copy(), REGS[:4].copy(), epochs)
    close([p, q, y, *case.biases], wanted)


@EVERY_ISA
@settings(max_examples=120, deadline=None)
@given(**SHAPES, factors=FACTORS, epochs=st.integers(0, 2), once=st.booleans())
def test_svdpp_equals_numpy_reference(isa, seed, users, items, n, factors, epochs, once):
    _native.use_isa(isa)
    case = Case(seed, users, items, n, factors)
    if once:  # no pair twice: the way without |N|^2
        pairs = case.rng.permutation(users * items)[:n]
        value = case.rng.normal(3, 1, len(pairs))
        case.by_user = case._group_rows(pairs // items, pairs % items, value, users)
    wanted = sgd_by_numpy(case, epochs, implicit=True)
    assume(settled(wanted))
    _native.surprise_svdpp(*case.by_user, 3.0, *case.tables, *case.biases, RATES, REGS, epochs)
    close([*case.tables, *case.biases], wanted)


def nmf_by_numpy(case, epochs, *, biased, reg):
    p, q = (np.abs(table) for table in case.tables[:2])
    bu, bi = (bias.copy() * biased for bias in case.biases)
    users, items = np.diff(case.by_user[0]), np.diff(case.by_item[0])
    for _ in range(epochs):
        sums = [np.zeros_like(table) for table in (p, p, q, q)]
        for u, i, r in case.rows():
            estimate = 2.0 * biased + bu[u] + bi[i] + q[i] @ p[u]
            if biased:
                bu[u] += RATES[0] * (r - estimate - REGS[0] * bu[u])
                bi[i] += RATES[1] * (r - estimate - REGS[1] * bi[i])
            sums[0][u] += q[i] * r
            sums[1][u] += q[i] * estimate
            sums[2][i] += p[u] * r
            sums[3][i] += p[u] * estimate
        below = sums[1] + users[:, None] * reg * p, sums[3] + items[:, None] * reg * q
        if ((p != 0) & (below[0] == 0)).any() or ((q != 0) & (below[1] == 0)).any():
            return None
        p = np.divide(p * sums[0], below[0], out=np.zeros_like(p), where=p != 0)
        q = np.divide(q * sums[2], below[1], out=np.zeros_like(q), where=q != 0)
    return [p, q, bu, bi]


@EVERY_ISA
@settings(max_examples=120, deadline=None)
@given(
    **SHAPES, factors=FACTORS, epochs=st.integers(0, 3), biased=st.booleans(), reg=st.sampled_from([0, 0.3])
)
def test_nmf_equals_numpy_reference(isa, seed, users, items, n, factors, epochs, biased, reg):
    _native.use_isa(isa)
    case = Case(seed, users, items, n, factors, whole=True)
    wanted = nmf_by_numpy(case, epochs, biased=biased, reg=reg)
    p, q = (np.abs(table) for table in case.tables[:2])
    bu, bi = (bias * biased for bias in case.biases)
    regs = np.array([*REGS[:2], reg, reg])
    good = _native.surprise_nmf(
        *case.by_user, 2.0 * biased, p, q, bu, bi, RATES[:2].copy(), regs, biased, epochs
    )
    assert good == (wanted is not None)
    if wanted is not None:
        close([p, q, bu, bi], wanted)


@EVERY_ISA
@settings(max_examples=60, deadline=None)
@given(**SHAPES, factors=FACTORS)
def test_dot_products_and_implicit_sums_equal_numpy_reference(isa, seed, users, items, n, factors):
    _native.use_isa(isa)
    case = Case(seed, users, items, n, factors)
    (p, q, y), (bu, bi) = case.tables, case.biases
    user = case.rng.integers(-1, users, 50).astype(np.int32)
    item = case.rng.integers(-1, items, 50).astype(np.int32)
    wanted = 3.0 + np.where(user < 0, 0, bu[user]) + np.where(item < 0, 0, bi[item])
    wanted += np.where((user < 0) | (item < 0), 0, np.einsum("nf,nf->n", p[user], q[item]))
    close([_native.surprise_dots(user, item, p, q, bu, bi, 3.0)], [wanted])
    starts, rated, _ = case.by_user
    asked = np.flatnonzero(np.diff(starts)).astype(np.int32)
    sums = [
        y[rated[starts[u] : starts[u + 1]]].sum(axis=0) / np.sqrt(starts[u + 1] - starts[u]) for u in asked
    ]
    got = _native.surprise_implicit(starts, rated, y, asked)
    np.testing.assert_allclose(got, np.reshape(sums, (len(asked), factors)), rtol=1e-9, atol=1e-9)


@settings(max_examples=100, deadline=None)
@given(**SHAPES, epochs=st.integers(0, 3), reg=st.sampled_from([0.0, 2.5, -1.0]))
def test_baselines_equal_numpy_reference(seed, users, items, n, epochs, reg):
    case = Case(seed, users, items, n)
    bu, bi = np.zeros(users), np.zeros(items)
    good, sides = True, ((case.by_item, bi, bu), (case.by_user, bu, bi))
    for _ in range(epochs):
        for (starts, other, value), own, others in sides:
            for k in range(len(own)):
                part = slice(starts[k], starts[k + 1])
                weight = reg + starts[k + 1] - starts[k]
                good &= weight != 0
                own[k] = (value[part] - 3.0 - others[other[part]]).sum() / weight if weight else 0
    got = np.zeros(users), np.zeros(items)
    assert _native.surprise_als(*case.by_user, *case.by_item, 3.0, reg, reg, *got, epochs) == good
    if good:
        close(got, [bu, bi])
    bu, bi = (bias.copy() for bias in case.biases)
    for u, i, r in [row for _ in range(epochs) for row in case.rows()]:
        error = r - (3.0 + bu[u] + bi[i])
        bu[u] += 0.05 * (error - 0.3 * bu[u])
        bi[i] += 0.05 * (error - 0.3 * bi[i])
    _native.surprise_sgd_biases(*case.by_user, 3.0, 0.05, 0.3, *case.biases, epochs)
    close(case.biases, [bu, bi])


def averages_by_numpy(case, cu, ci, shape):
    user, item, value = (np.array(column) for column in zip(*case.rows(), strict=True))
    a, b = cu[user], ci[item]
    wanted = np.full(shape[0], 3.0), np.full(shape[1], 3.0), np.full(shape, 3.0)
    for k in range(shape[0]):
        wanted[0][k] = value[a == k].mean() if (a == k).any() else 3.0
        for m in range(shape[1]):
            both = (a == k) & (b == m)
            wanted[2][k, m] = value[both].mean() if both.any() else 3.0
    for m in range(shape[1]):
        wanted[1][m] = value[b == m].mean() if (b == m).any() else 3.0
    return wanted


@settings(max_examples=100, deadline=None)
@given(**SHAPES, epochs=st.integers(0, 3), shape=st.tuples(st.integers(1, 5), st.integers(1, 5)))
def test_coclustering_equals_numpy_reference(seed, users, items, n, epochs, shape):
    case = Case(seed, users, items, max(n, 1), whole=True)
    cu, ci = case.rng.integers(0, shape[0], users), case.rng.integers(0, shape[1], items)
    um, im = case.rng.normal(3, 1, users), case.rng.normal(3, 1, items)
    got = cu.copy(), ci.copy(), np.zeros(shape[0]), np.zeros(shape[1]), np.zeros(shape)
    _native.surprise_cocluster(*case.by_user, *case.by_item, um, im, 3.0, *got, epochs)
    for _ in range(epochs):
        au, ai, both = averages_by_numpy(case, cu, ci, shape)
        for (starts, other, value), own, of_user in ((case.by_user, cu, True), (case.by_item, ci, False)):
            for k in range(len(own)):
                errors = np.zeros(shape[0 if of_user else 1])
                for c in range(len(errors)):
                    for r in range(starts[k], starts[k + 1]):
                        u, i = (k, other[r]) if of_user else (other[r], k)
                        a, b = (c, ci[i]) if of_user else (cu[u], c)
                        errors[c] += (value[r] - (both[a, b] + um[u] - au[a] + im[i] - ai[b])) ** 2
                own[k] = np.argmin(errors)
    np.testing.assert_array_equal(got[0], cu)
    np.testing.assert_array_equal(got[1], ci)
    close(got[2:], averages_by_numpy(case, cu, ci, shape))


# What the bindings refuse, and Ctrl-C ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"starts": [1, 2, 2]}, "starts must rise"),
        ({"starts": [0, 2, 1]}, "starts must rise"),
        ({"starts": [0, 1, 3]}, "starts must rise"),
        ({"item": [0, 3]}, "an item index is out of range"),
        ({"item": [0, -1]}, "an item index is out of range"),
        ({"value": [1.0]}, "same length"),
        ({"starts": [0, 2]}, "one row a user"),
        ({"user_factors": np.zeros((2, 5))}, "same number of factors"),
        ({"item_bias": np.zeros(4)}, "one row an item"),
        ({"user_bias": np.zeros(1)}, "one row a user"),
        ({"rates": np.zeros(3)}, "are needed"),
    ],
)
@pytest.mark.parametrize("name", ["svd", "svdpp", "nmf"])
def test_invalid_factor_arguments_raise(name, changes, words):
    counts = {"svd": (4, 4), "svdpp": (5, 5), "nmf": (2, 4)}[name]
    given = {
        "starts": [0, 1, 2], "item": [0, 2], "value": [1.0, 2.0], "mean": 0.0,
        "user_factors": np.ones((2, 4)), "item_factors": np.ones((3, 4)),
        "user_bias": np.zeros(2), "item_bias": np.zeros(3),
        "rates": np.zeros(counts[0]), "regs": np.zeros(counts[1]), "epochs": 1,
    } | changes  # fmt: skip
    kinds = {"starts": np.int64, "item": np.int32, "value": np.float64}
    given |= {key: np.array(given[key], kind) for key, kind in kinds.items()}
    extra = {"svdpp": {"implicit_factors": np.ones((3, 4))}, "nmf": {"biased": True}}.get(name, {})
    with pytest.raises(ValueError, match=words):
        getattr(_native, f"surprise_{name}")(**given, **extra)


def test_clusters_out_of_range_raise():
    case = Case(0, 3, 3, 9, whole=True)
    cu, ci, means = np.array([0, 1, 2]), np.array([0, 1, 1]), np.zeros(3)
    averages = np.zeros(2), np.zeros(2), np.zeros((2, 2))
    with pytest.raises(ValueError, match="a cluster of users is out of range"):
        _native.surprise_cocluster(*case.by_user, *case.by_item, means, means, 3.0, cu, ci, *averages, 1)


PROGRAM = """
import numpy as np
from foretaste import _native
n, users = 200_000, 1000
item = np.tile(np.arange(200, dtype=np.int32), users)
starts = np.arange(users + 1, dtype=np.int64) * 200
tables = np.ones((users, 32)) / 9, np.ones((200, 32)) / 9, np.zeros(users), np.zeros(200)
print("ready", flush=True)
_native.surprise_svd(starts, item, np.ones(n), 1.0, *tables, np.full(4, 1e-3), np.full(4, 1e-3), 10**9)
"""


def test_ctrl_c_interrupts_training():
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout.readline() == "ready\n"
        time.sleep(0.3)
        os.kill(process.pid, signal.SIGINT)
        _, error = process.communicate(timeout=30)
    assert process.returncode != 0
    assert "KeyboardInterrupt" in error
