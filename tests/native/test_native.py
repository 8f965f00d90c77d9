"""Native kernels against numpy references, on every supported instruction set."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
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


# Grouping ------------------------------------------------------------------------------------------


@given(st.lists(st.integers(0, 9), max_size=60), st.integers(10, 14))
def test_group_rows_is_a_stable_argsort(groups, n):
    codes = np.array(groups, np.int32)
    starts, rows = _native.group_rows(codes, n)
    np.testing.assert_array_equal(starts, np.r_[0, np.cumsum(np.bincount(codes, minlength=n))])
    np.testing.assert_array_equal(rows, np.argsort(codes, kind="stable"))


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(1, 5), st.integers(-4, 4)), max_size=40))
def test_concordant_pairs_equal_a_double_loop(rows):
    rows.sort(key=lambda row: row[0])
    user, truth, guess = (np.array([row[k] for row in rows], np.float64) for k in range(3))
    starts = np.searchsorted(user, np.arange(5)).astype(np.int64)
    same, other = np.zeros(4, int), np.zeros(4, int)
    for i in range(len(rows)):
        for j in range(i + 1, len(rows)):
            if user[i] == user[j] and truth[i] != truth[j]:
                in_order = (truth[i] - truth[j]) * (guess[i] - guess[j]) > 0
                (same if in_order else other)[int(user[i])] += 1
    found = _native.concordant_pairs(starts, truth, guess)
    assert [counts.tolist() for counts in found] == [same.tolist(), other.tolist()]


# Stochastic gradient descent -----------------------------------------------------------------------


def interleaved_order(user, runs):
    """Return the order in which the rows of one block are visited: several users' runs, row by row."""
    cuts = np.flatnonzero(np.r_[True, user[1:] != user[:-1], True]) if len(user) else np.array([0])
    waiting = [list(range(a, b)) for a, b in pairwise(cuts)]
    lanes, visited = [waiting.pop(0) if waiting else [] for _ in range(runs)], []
    while all(lanes):
        for _ in range(min(map(len, lanes))):
            visited += [lane.pop(0) for lane in lanes]
        lanes = [lane or (waiting.pop(0) if waiting else []) for lane in lanes]
    return visited + [row for lane in lanes for row in lane]


def sgd_by_numpy(plan, user, item, value, weight, tables, rates):
    """Visit the rows of every block in the plan's order, one after another, in float64."""
    p, q, bu, bi = (table.astype(np.float64) for table in tables)
    rate, reg, bias_rate, bias_reg = rates
    order, blocks, grid, loss = plan.order(), plan.blocks(), plan.grid, 0.0
    width = p.shape[1]
    runs = 4 if width in (16, 32, 48, 64) else 2 if width in (96, 128) else 1
    place_u, place_i = np.argsort(plan.user_order()), np.argsort(plan.item_order())
    for block in [i * grid + (i + stage) % grid for stage in range(grid) for i in range(grid)]:
        rows = order[blocks[block] : blocks[block + 1]]
        for r in rows[interleaved_order(user[rows], runs)]:
            u, i, w = place_u[user[r]], place_i[item[r]], 1.0 if weight is None else weight[r]
            error = value[r] - bu[u] - bi[i] - p[u] @ q[i]
            loss += w * error**2
            bu[u], bi[i] = (b + bias_rate * w * (error - bias_reg * b) for b in (bu[u], bi[i]))
            p[u], q[i] = (
                p[u] + rate * w * (error * q[i] - reg * p[u]),
                q[i] + rate * w * (error * p[u] - reg * q[i]),
            )
    return loss, (p, q, bu, bi)


def random_ratings(rng, users, items, rows, weighted):
    cells = rng.choice(users * items, min(rows, users * items), replace=False)
    user, item = (cells // items).astype(np.int32), (cells % items).astype(np.int32)
    value = rng.normal(size=len(cells)).astype(np.float32)
    weight = rng.choice([0, 0.5, 1, 2], len(cells)).astype(np.float32) if weighted else None
    return user, item, value, weight


def random_tables(rng, users, items, factors):
    width = -(-factors // 16) * 16
    p, q = np.zeros((users, width), np.float32), np.zeros((items, width), np.float32)
    p[:, :factors] = rng.normal(0, 0.3, (users, factors))
    q[:, :factors] = rng.normal(0, 0.3, (items, factors))
    return p, q, *(rng.normal(0, 0.3, n).astype(np.float32) for n in (users, items))


@pytest.mark.parametrize("isa", _native.isas())
@settings(max_examples=300)
@given(
    seed=st.integers(0, 2**32 - 1),
    users=st.integers(1, 23),
    items=st.integers(1, 19),
    rows=st.integers(0, 200),
    factors=st.sampled_from([1, 3, 16, 17, 40, 64, 65, 90, 100, 128, 130]),
    grid=st.integers(1, 6),
    weighted=st.booleans(),
    threads=st.integers(1, 3),
)
def test_sgd_equals_numpy_reference(isa, seed, users, items, rows, factors, grid, weighted, threads):
    _native.use_isa(isa)
    rng = np.random.default_rng(seed)
    user, item, value, weight = random_ratings(rng, users, items, rows, weighted)
    plan = _native.SgdPlan(user, item, value, weight, users, items, grid)
    tables = random_tables(rng, users, items, factors)
    rates = 0.05, 0.1, 0.03, 0.2
    expected_loss, expected = sgd_by_numpy(plan, user, item, value, weight, tables, rates)
    loss = plan.epoch(*tables, *rates, threads)
    assert loss == pytest.approx(expected_loss, rel=1e-4, abs=1e-4)
    for got, wanted in zip(tables, expected, strict=True):
        np.testing.assert_allclose(got, wanted, rtol=1e-3, atol=2e-5)
    assert not tables[0][:, factors:].any()  # the padding stays 0


def test_sgd_plan_partitions_rows_into_disjoint_blocks():
    rng = np.random.default_rng(5)
    user, item, value, _ = random_ratings(rng, 300, 200, 9000, weighted=False)
    plan = _native.SgdPlan(user, item, value, None, 300, 200, 8)
    order, blocks = plan.order(), plan.blocks()
    assert sorted(order) == list(range(9000))
    assert sorted(plan.user_order()) == list(range(300))
    sets = [(set(user[order[a:b]]), set(item[order[a:b]])) for a, b in pairwise(blocks)]
    for stage in range(8):
        together = [sets[i * 8 + (i + stage) % 8] for i in range(8)]
        for side in range(2):
            assert sum(len(block[side]) for block in together) == len(
                set().union(*(b[side] for b in together))
            )
    sizes = np.diff(blocks)
    assert sizes.max() < 2.5 * sizes.mean()


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("isa", _native.isas())
def test_sgd_has_the_same_bits_at_any_number_of_threads(isa, weighted):
    _native.use_isa(isa)
    results = []
    for threads in (1, 2, 5):
        rng = np.random.default_rng(1)
        user, item, value, weight = random_ratings(rng, 400, 300, 20_000, weighted)
        plan = _native.SgdPlan(user, item, value, weight, 400, 300, 7)
        tables = random_tables(rng, 400, 300, 20)
        losses = [plan.epoch(*tables, 0.02, 0.05, 0.02, 0.05, threads) for _ in range(5)]
        results.append((losses, [table.tobytes() for table in tables]))
    assert results[0] == results[1] == results[2]


@pytest.mark.parametrize("isa", _native.isas())
@settings(max_examples=40)
@given(seed=st.integers(0, 2**32 - 1), n=st.integers(0, 50), factors=st.integers(0, 40))
def test_dot_pairs_equals_numpy_reference(isa, seed, n, factors):
    _native.use_isa(isa)
    rng = np.random.default_rng(seed)
    p, q = (rng.normal(size=(k, factors)).astype(np.float32) for k in (7, 5))
    bu, bi = (rng.normal(size=k).astype(np.float32) for k in (7, 5))
    user, item = (rng.integers(-1, k, n).astype(np.int32) for k in (7, 5))
    known = (user >= 0) & (item >= 0)
    expected = 0.5 + np.where(user >= 0, bu[user], 0) + np.where(item >= 0, bi[item], 0)
    expected = expected + np.where(known, (p[user] * q[item]).sum(axis=1), 0)
    got = _native.dot_pairs(user, item, p, q, bu, bi, 0.5, 2)
    np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-5)


# What the bindings refuse --------------------------------------------------------------------------


def small_plan():
    one = np.zeros(1, np.int32)
    return _native.SgdPlan(one, one, np.zeros(1, np.float32), None, 1, 1, 1)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((np.array([1], np.int32), np.array([0], np.int32)), "a user index is out of range"),
        ((np.array([-1], np.int32), np.array([0], np.int32)), "a user index is out of range"),
        ((np.array([0], np.int32), np.array([5], np.int32)), "an item index is out of range"),
        ((np.array([0, 0], np.int32), np.array([0], np.int32)), "same length"),
    ],
)
def test_indices_out_of_range_raise(arguments, words):
    with pytest.raises(ValueError, match=words):
        _native.SgdPlan(*arguments, np.zeros(1, np.float32), None, 1, 1, 1)


def test_wrong_shapes_and_types_raise():
    plan = small_plan()
    p, b = np.zeros((1, 16), np.float32), np.zeros(1, np.float32)
    with pytest.raises(ValueError, match="multiple of 16"):
        plan.epoch(p[:, :4].copy(), p[:, :4].copy(), b, b.copy(), 0.1, 0, 0.1, 0, 1)
    with pytest.raises(ValueError, match="one row a user"):
        plan.epoch(np.zeros((2, 16), np.float32), p, b, b.copy(), 0.1, 0, 0.1, 0, 1)
    with pytest.raises(TypeError):  # never converted in silence
        plan.epoch(p.astype(np.float64), p, b, b.copy(), 0.1, 0, 0.1, 0, 1)
    with pytest.raises(ValueError, match="group is out of range"):
        _native.group_rows(np.array([3], np.int32), 3)
    with pytest.raises(ValueError, match="a user index"):
        _native.dot_pairs(np.array([1], np.int32), np.array([0], np.int32), p, p, b, b, 0.0, 1)
    with pytest.raises(ValueError, match="no such instruction set"):
        _native.use_isa("v99")


# The pool of threads -------------------------------------------------------------------------------


def long_work(seconds):
    """Return a plan and tables of which one epoch on one thread takes about so long."""
    rng = np.random.default_rng(0)
    user, item, value, _ = random_ratings(rng, 2000, 2000, 400_000, weighted=False)
    plan = _native.SgdPlan(user, item, value, None, 2000, 2000, 16)
    return plan, random_tables(rng, 2000, 2000, int(3200 * seconds))


def two_task_plan():
    """Return a plan of four blocks, so that two threads have work, and its tables."""
    user, item = np.array([0, 1], np.int32), np.array([0, 1], np.int32)
    plan = _native.SgdPlan(user, item, np.zeros(2, np.float32), None, 2, 2, 2)
    return plan, (
        *(np.zeros((2, 16), np.float32) for _ in range(2)),
        *(np.zeros(2, np.float32) for _ in range(2)),
    )


def test_the_pool_survives_fork():
    plan, tables = two_task_plan()
    plan.epoch(*tables, 0.1, 0, 0.1, 0, 2)
    child = os.fork()
    if child == 0:
        signal.alarm(20)
        loss = plan.epoch(*tables, 0.1, 0, 0.1, 0, 2)
        os._exit(0 if loss == 0 else 1)
    _, status = os.waitpid(child, 0)
    assert status == 0


STARTED_THREADS = """
import os, sys
sys.path.insert(0, {tests!r})
import numpy as np
from foretaste import _native
from test_native import two_task_plan
plan, tables = two_task_plan()
count = lambda: len(os.listdir("/proc/self/task"))
before = count()
_native.top_of_rows(np.zeros((1, 50), np.float32), None, 3, 8)
_native.concordant_pairs(np.array([0, 2]), np.zeros(2), np.zeros(2))
plan.epoch(*tables, 0.1, 0, 0.1, 0, 1)
one_task = count() - before
plan.epoch(*tables, 0.1, 0, 0.1, 0, 2)
print(one_task, count() - before)
"""


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="counts threads in /proc")
def test_one_task_or_one_thread_of_work_starts_no_thread():
    code = STARTED_THREADS.format(tests=str(Path(__file__).parent))
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.split() == ["0", "2"]


def test_concurrent_callers_get_the_same_bits():
    rng = np.random.default_rng(3)
    user, item, value, _ = random_ratings(rng, 100, 80, 4000, weighted=False)
    results = [None] * 6

    def work(k):
        own = np.random.default_rng(4)
        plan, tables = _native.SgdPlan(user, item, value, None, 100, 80, 4), random_tables(own, 100, 80, 8)
        for _ in range(20):
            plan.epoch(*tables, 0.02, 0.05, 0.02, 0.05, 2)
        results[k] = tables[0].tobytes()

    workers = [threading.Thread(target=work, args=(k,)) for k in range(6)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert len(set(results)) == 1


@pytest.mark.skipif((os.cpu_count() or 1) < 2, reason="needs two cores")
def test_single_threaded_callers_run_in_parallel():
    """A short call does not wait for the end of a long one, as it would if regions came one by one."""
    plan, tables = long_work(2)
    ended = []
    long = threading.Thread(target=lambda: ended.append(plan.epoch(*tables, 0.01, 0.01, 0.01, 0.01, 1)))
    short, own = small_plan(), (np.zeros((1, 16), np.float32),) * 2 + (np.zeros(1, np.float32),) * 2
    long.start()
    time.sleep(0.1)
    for _ in range(3):
        short.epoch(*own, 0.1, 0, 0.1, 0, 1)
    assert ended == []
    long.join()
    assert len(ended) == 1


INTERRUPTED = """
import sys, time
sys.path.insert(0, {tests!r})
from test_native import long_work
plan, tables = long_work(3)
print("ready", flush=True)
start = time.perf_counter()
try:
    plan.epoch(*tables, 0.01, 0.01, 0.01, 0.01, {threads})
    print("finished")
except KeyboardInterrupt:
    print("interrupted", time.perf_counter() - start)
"""


@pytest.mark.slow
@pytest.mark.parametrize("threads", [1, 2])
def test_ctrl_c_interrupts_native_work(threads):
    code = INTERRUPTED.format(tests=str(Path(__file__).parent), threads=threads)
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "ready\n"
        time.sleep(0.4)
        process.send_signal(signal.SIGINT)
        word, *seconds = process.stdout.readline().split()
        assert word == "interrupted"
        assert float(seconds[0]) < 2  # a machine under load may be slow to answer; the whole takes far longer
        assert process.wait(timeout=30) == 0
