"""Kernels of SVD++, timeSVD++ and ridge regression against numpy references, on every instruction set."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from foretaste import _native


@pytest.fixture(autouse=True)
def _best_instruction_set_afterwards():
    yield
    _native.use_isa(_native.isas()[0])


RATES = {
    "learning_rate": 0.05,
    "regularization": 0.1,
    "implicit_rate": 0.03,
    "implicit_regularization": 0.2,
}
DAMPING = {"drift_damping": 3.0, "bin_damping": 5.0, "session_damping": 2.0}


class Case:
    """Random ratings, tables and, where wanted, times."""

    def __init__(self, rng, users, items, rows, factors, *, weighted=False, drift="none", bins=0, sessions=0):
        cells = rng.permutation(users * items)[:rows]
        self.users, self.items, self.n = users, items, len(cells)
        self.user, self.item = (cells // items).astype(np.int32), (cells % items).astype(np.int32)
        self.value = rng.normal(size=self.n).astype(np.float32)
        self.weight = rng.choice([0, 0.5, 1, 2], self.n).astype(np.float32) if weighted else None
        self.visits = rng.permutation(users).astype(np.int32)
        width = -(-factors // 16) * 16
        self.factors = factors
        self.tables = [self._table(rng, n, width) for n in (users, items, items)]
        self.tables += [rng.normal(0, 0.3, n).astype(np.float32) for n in (users, items)]
        self.moments, self.time = {}, {}
        if drift != "none":
            self.moments["deviation"] = rng.uniform(-1, 1, self.n).astype(np.float32)
            self.time["drift_bias"] = rng.normal(0, 0.3, users).astype(np.float32)
        if drift == "factors":
            self.time["drift_factors"] = self._table(rng, users, width)
        if bins:
            self.moments |= {"bin": self._codes(rng, self.item, bins), "bins": items * bins}
            self.time["bin_bias"] = rng.normal(0, 0.3, items * bins).astype(np.float32)
        if sessions:
            self.moments |= {"session": self._codes(rng, self.user, sessions), "sessions": users * sessions}
            self.time["session_bias"] = rng.normal(0, 0.3, users * sessions).astype(np.float32)

    def _table(self, rng, n, width):
        table = np.zeros((n, width), np.float32)
        table[:, : self.factors] = rng.normal(0, 0.3, (n, self.factors))
        return table

    def _codes(self, rng, owner, each):
        return (owner * each + rng.integers(0, each, self.n)).astype(np.int32)

    def plan(self):
        columns = self.user, self.item, self.value, self.weight, self.users, self.items, self.visits
        return _native.SvdppPlan(*columns, **self.moments)

    def learn(self, threads=1, plan=None):
        damping = {
            name: value for name, value in DAMPING.items() if name.replace("damping", "bias") in self.time
        }
        return (plan or self.plan()).epoch(*self.tables, **RATES, threads=threads, **self.time, **damping)


def epoch_by_numpy(case):
    """Train as Koren published it, each implicit factor updated for each rating, in float64, in rounds."""
    p, q, y, bu, bi = (table.astype(np.float64) for table in case.tables)
    time = {name: table.astype(np.float64) for name, table in case.time.items()}
    rate, reg, y_rate, y_reg = RATES.values()
    weight = np.ones(case.n) if case.weight is None else case.weight.astype(np.float64)
    order = np.lexsort((case.item, case.user))
    loss = 0.0

    def totals(name, size):
        code = case.moments.get(name, case.user)
        return np.bincount(code, weight, size)

    def drawn(number, step, total, damping, w):
        return (number + step) / (1 + rate * w * damping / total) if w else number

    for first in range(0, case.users, _native.SvdppPlan.together):
        shared = []
        for u in case.visits[first : first + _native.SvdppPlan.together]:
            rows = order[case.user[order] == u]
            items, own = case.item[rows], {i: y[i].copy() for i in case.item[rows]}
            kept = 1.0
            for r in rows:
                i, w = case.item[r], weight[r]
                z = sum(own.values()) / np.sqrt(len(rows))
                d = case.moments["deviation"][r] if "deviation" in case.moments else 0.0
                x = p[u] + z
                if "drift_factors" in time:
                    x = x + d * time["drift_factors"][u]
                guess = bu[u] + bi[i] + x @ q[i]
                if "drift_bias" in time:
                    guess += d * time["drift_bias"][u]
                if "bin_bias" in time:
                    guess += time["bin_bias"][case.moments["bin"][r]]
                if "session_bias" in time:
                    guess += time["session_bias"][case.moments["session"][r]]
                error = case.value[r] - guess
                loss += w * error**2
                step = rate * w * error
                moved = {"q": step * x - rate * w * reg * q[i], "bi": step - rate * w * reg * bi[i]}
                bu[u] += step - rate * w * reg * bu[u]
                p[u] = p[u] + step * q[i] - rate * w * reg * p[u]
                for j in own:
                    own[j] = own[j] + y_rate * w * (error * q[i] / np.sqrt(len(rows)) - y_reg * own[j])
                kept *= 1 - y_rate * w * y_reg
                if "drift_bias" in time:
                    total, damping = totals("user", case.users)[u], DAMPING["drift_damping"]
                    time["drift_bias"][u] = drawn(time["drift_bias"][u], step * d, total, damping, w)
                    if "drift_factors" in time:
                        a = time["drift_factors"]
                        a[u] = drawn(a[u], step * d * q[i], total, damping, w)
                if "session_bias" in time:
                    s, table = case.moments["session"][r], time["session_bias"]
                    total = totals("session", len(table))[s]
                    table[s] = drawn(table[s], step, total, DAMPING["session_damping"], w)
                if "bin_bias" in time:
                    b, table = case.moments["bin"][r], time["bin_bias"]
                    total = totals("bin", len(table))[b]
                    moved["bin"] = b, drawn(table[b], step, total, DAMPING["bin_damping"], w) - table[b]
                shared.append((i, moved))
            # what is left of each implicit factor, and what this user adds to it
            shared.append((items, (kept, {j: own[j] - kept * y[j] for j in own})))
        for i, moved in shared:
            if isinstance(moved, dict):
                q[i] += moved["q"]
                bi[i] += moved["bi"]
                if "bin" in moved:
                    time["bin_bias"][moved["bin"][0]] += moved["bin"][1]
            else:
                for j in i:
                    y[j] = moved[0] * y[j] + moved[1][j]
    return loss, [p, q, y, bu, bi], time


@pytest.mark.parametrize("isa", _native.isas())
@settings(max_examples=150)
@given(
    seed=st.integers(0, 2**32 - 1),
    users=st.integers(1, 21),
    items=st.integers(1, 15),
    rows=st.integers(0, 120),
    factors=st.sampled_from([1, 3, 16, 17, 40, 64, 65, 100, 128, 130]),
    weighted=st.booleans(),
    drift=st.sampled_from(["none", "none", "bias", "factors"]),
    bins=st.sampled_from([0, 0, 1, 3]),
    sessions=st.sampled_from([0, 0, 1, 3]),
    threads=st.integers(1, 3),
)
def test_svdpp_equals_numpy_reference(
    isa, seed, users, items, rows, factors, weighted, drift, bins, sessions, threads
):
    _native.use_isa(isa)
    rng = np.random.default_rng(seed)
    shape = rng, users, items, max(rows, 1), factors
    case = Case(*shape, weighted=weighted, drift=drift, bins=bins, sessions=sessions)
    expected_loss, expected, expected_time = epoch_by_numpy(case)
    loss = case.learn(threads)
    assert loss == pytest.approx(expected_loss, rel=1e-4, abs=1e-4)
    for got, wanted in zip(case.tables, expected, strict=True):
        np.testing.assert_allclose(got, wanted, rtol=1e-3, atol=2e-5)
    for name, wanted in expected_time.items():
        np.testing.assert_allclose(case.time[name], wanted, rtol=1e-3, atol=2e-5, err_msg=name)
    assert not case.tables[0][:, factors:].any()  # the padding stays 0
    assert not case.tables[2][:, factors:].any()


def test_user_without_rows_is_unchanged():
    case = Case(np.random.default_rng(0), 3, 2, 6, 4)
    case.user[:] = 1
    before = [table.copy() for table in case.tables]
    case.learn()
    np.testing.assert_array_equal(case.tables[0][[0, 2]], before[0][[0, 2]])
    np.testing.assert_array_equal(case.tables[3][[0, 2]], before[3][[0, 2]])
    assert not np.array_equal(case.tables[0][1], before[0][1])


def test_plan_is_ordered_by_visit_then_item():
    case = Case(np.random.default_rng(0), 30, 20, 200, 4)
    order = case.plan().order()
    place = np.argsort(case.visits)
    np.testing.assert_array_equal(order, np.lexsort((case.item, place[case.user])))


@pytest.mark.parametrize("drift", ["none", "bias", "factors"])
@pytest.mark.parametrize("isa", _native.isas())
def test_svdpp_has_the_same_bits_at_any_number_of_threads(isa, drift):
    _native.use_isa(isa)
    results = []
    for threads in (1, 2, 5, 64):
        shape = np.random.default_rng(1), 200, 300, 20_000, 20
        case = Case(*shape, weighted=True, drift=drift, bins=4, sessions=2)
        plan = case.plan()
        losses = [case.learn(threads, plan) for _ in range(5)]
        results.append((losses, [table.tobytes() for table in [*case.tables, *case.time.values()]]))
    assert all(result == results[0] for result in results)


# Ridge regression ----------------------------------------------------------------------------------


@settings(max_examples=100)
@given(
    seed=st.integers(0, 2**32 - 1),
    users=st.integers(0, 20),
    size=st.integers(1, 9),
    strength=st.sampled_from([1e-6, 0.05, 2.0]),
    threads=st.integers(1, 3),
)
def test_ridge_users_equals_numpy_reference(seed, users, size, strength, threads):
    rng = np.random.default_rng(seed)
    starts = np.r_[0, np.cumsum(rng.integers(0, 12, users))].astype(np.int64)
    n = int(starts[-1])
    item, vectors = rng.integers(0, 30, n).astype(np.int32), rng.normal(size=(30, size)).astype(np.float32)
    target, weight = rng.normal(size=n), rng.choice([0, 0.5, 2], n)
    root = rng.normal(size=(size, size))
    penalty = strength * (root @ root.T + np.eye(size))
    got = _native.ridge_users(starts, item, target, weight, vectors, penalty, threads)
    for u, (a, b) in enumerate(pairwise(starts)):
        x, w = vectors[item[a:b]].astype(np.float64), weight[a:b]
        gram = x.T @ (x * w[:, None]) + penalty
        wanted = np.linalg.solve(gram, x.T @ (w * target[a:b])) if w.any() else np.zeros(size)
        np.testing.assert_allclose(got[u], wanted, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"starts": [1, 2]}, "starts must rise"),
        ({"starts": [0, 3]}, "starts must rise"),
        ({"starts": [0, 2, 1, 2]}, "starts must rise"),
        ({"item": [0, 4]}, "an item index is out of range"),
        ({"item": [0]}, "same length"),
        ({"weight": [1.0]}, "same length"),
        ({"penalty": np.eye(3)}, "a square as wide as the vectors"),
    ],
)
def test_ridge_users_validates_arguments(changes, words):
    kinds = {"starts": np.int64, "item": np.int32, "target": np.float64, "weight": np.float64}
    given = {"starts": [0, 2], "item": [0, 3], "target": [1, 2], "weight": [1, 1], "penalty": np.eye(2)}
    given |= changes
    arrays = {name: np.array(value, kinds[name]) if name in kinds else value for name, value in given.items()}
    with pytest.raises(ValueError, match=words):
        _native.ridge_users(**arrays, vectors=np.ones((4, 2), np.float32), threads=1)


# What the bindings refuse --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"user": [0, 2]}, "a user index is out of range"),
        ({"item": [0, -1]}, "an item index is out of range"),
        ({"item": [0]}, "user, item and value must have the same length"),
        ({"weight": [1.0]}, "weight must be as long"),
        ({"visits": [0, 0]}, "each user must be visited once"),
        ({"visits": [0]}, "each user must be visited once"),
        ({"visits": [0, 2]}, "each user must be visited once"),
        ({"deviation": [1.0]}, "deviation must be as long"),
        ({"bin": [0, 3], "bins": 3}, "a bin is out of range"),
        ({"bin": [0], "bins": 3}, "bin must be as long"),
        ({"session": [0, -1], "sessions": 3}, "a session is out of range"),
        ({"session": [0], "sessions": 3}, "session must be as long"),
    ],
)
def test_plan_validates_arguments(changes, words):
    given = {"user": [0, 1], "item": [0, 1], "value": [1.0, 2.0], "weight": None, "visits": [1, 0]} | changes
    whole = {"user", "item", "visits", "bin", "session"}
    arrays = {
        name: np.array(value, np.int32 if name in whole else np.float32) if isinstance(value, list) else value
        for name, value in given.items()
    }
    with pytest.raises(ValueError, match=words):
        _native.SvdppPlan(**arrays, users=2, items=2)


def replaced(case, table, shape):
    case.tables[table] = np.zeros(shape, np.float32)


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda case: replaced(case, 0, (5, 32)), "multiple of 16"),
        (lambda case: replaced(case, 2, (4, 32)), "multiple of 16"),
        (lambda case: replaced(case, 0, (6, 16)), "one row a user"),
        (lambda case: replaced(case, 3, 4), "one row a user"),
        (lambda case: replaced(case, 1, (3, 16)), "one row an item"),
        (lambda case: replaced(case, 2, (3, 16)), "one row an item"),
        (lambda case: replaced(case, 4, 5), "one row an item"),
        (lambda case: case.time.pop("drift_factors") is case.time.pop("drift_bias"), "drift_bias must"),
        (lambda case: case.time.update(drift_bias=np.zeros(4, np.float32)), "drift_bias must"),
        (lambda case: case.time.update(drift_factors=np.zeros((5, 32), np.float32)), "drift_factors must"),
        (lambda case: case.time.update(drift_factors=np.zeros((4, 16), np.float32)), "drift_factors must"),
        (lambda case: case.time.pop("drift_bias"), "drift_factors must"),
        (lambda case: case.time.pop("bin_bias"), "bin_bias must"),
        (lambda case: case.time.update(bin_bias=np.zeros(7, np.float32)), "bin_bias must"),
        (lambda case: case.time.pop("session_bias"), "session_bias must"),
        (lambda case: case.time.update(session_bias=np.zeros(9, np.float32)), "session_bias must"),
        (lambda case: case.time.update(session_damping=-1.0), "at least 0"),
    ],
)
def test_epoch_validates_arguments(spoil, words):
    case = Case(np.random.default_rng(0), 5, 4, 20, 7, drift="factors", bins=2, sessions=2)
    spoil(case)
    with pytest.raises(ValueError, match=words):
        case.plan().epoch(*case.tables, **RATES, threads=1, **case.time)


def test_no_implicit_type_conversion():
    case = Case(np.random.default_rng(0), 5, 4, 20, 7)
    case.tables[0] = case.tables[0].astype(np.float64)
    with pytest.raises(TypeError):
        case.learn()


# Ctrl-C --------------------------------------------------------------------------------------------

INTERRUPTED = """
import sys, time
import numpy as np
sys.path.insert(0, {tests!r})
from test_native_svdpp import Case
case = Case(np.random.default_rng(0), 2000, 1000, 400_000, 3200)
plan = case.plan()
print("ready", flush=True)
start = time.perf_counter()
try:
    case.learn({threads}, plan)
    print("finished")
except KeyboardInterrupt:
    print("interrupted", time.perf_counter() - start)
"""


@pytest.mark.slow
@pytest.mark.parametrize("threads", [1, 2])
def test_ctrl_c_interrupts_an_epoch(threads):
    code = INTERRUPTED.format(tests=str(Path(__file__).parent), threads=threads)
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "ready\n"
        time.sleep(0.4)
        process.send_signal(signal.SIGINT)
        word, *seconds = process.stdout.readline().split()
        assert word == "interrupted"
        assert (
            float(seconds[0]) < 2.5
        )  # a machine under load may be slow to answer; the whole takes far longer
        assert process.wait(timeout=30) == 0


def test_the_pool_survives_fork():
    case = Case(np.random.default_rng(0), 60, 50, 2500, 64)
    case.learn(2)
    child = os.fork()
    if child == 0:
        signal.alarm(20)
        os._exit(0 if np.isfinite(case.learn(2)) else 1)
    _, status = os.waitpid(child, 0)
    assert status == 0
