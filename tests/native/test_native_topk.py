"""Top-k kernels against numpy, on every supported instruction set."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from foretaste import _native

FACTORS = st.sampled_from([0, 1, 2, 3, 7, 16, 31, 64, 70])


@pytest.fixture(autouse=True)
def _best_instruction_set_afterwards():
    yield
    _native.use_isa(_native.isas()[0])


def ranked(score, item, keep):
    """Return the best of a row by score, then item; -1 and minus infinity where there are none."""
    there = score > -np.inf
    score, item = score[there], item[there]
    order = np.lexsort((item, -score))[:keep]
    items, scores = np.full(keep, -1, np.int32), np.full(keep, -np.inf, np.float32)
    items[: len(order)], scores[: len(order)] = item[order], score[order]
    return items, scores


def random_seen(rng, rows, items, most):
    length = rng.integers(0, most + 1, rows)
    starts = np.r_[0, np.cumsum(length)].astype(np.int64)
    return starts, rng.integers(0, items, starts[-1]).astype(np.int32)


def exact_tables(rng, users, items, factors):
    """Return factors and biases whose scores are exact in float32 in any order, with many ties."""
    return (
        rng.integers(-2, 3, (users, factors)).astype(np.float32),
        rng.integers(-2, 3, (items, factors)).astype(np.float32),
        rng.integers(-3, 4, items).astype(np.float32) / 4,
    )


# The best items of users by biases and factors -----------------------------------------------------------


@pytest.mark.parametrize("isa", _native.isas())
@settings(max_examples=200)
@given(
    seed=st.integers(0, 2**32 - 1),
    users=st.integers(1, 30),
    items=st.integers(1, 130),
    rows=st.integers(0, 40),
    factors=FACTORS,
    keep=st.sampled_from([1, 2, 5, 10, 64, 200]),
    most_seen=st.sampled_from([None, 0, 3, 100, 400]),
    threads=st.integers(1, 3),
)
def test_top_items_equals_numpy_reference(isa, seed, users, items, rows, factors, keep, most_seen, threads):
    _native.use_isa(isa)
    rng = np.random.default_rng(seed)
    p, q, bias = exact_tables(rng, users, items, factors)
    user = rng.integers(0, users, rows).astype(np.int32)
    chosen = np.sort(rng.choice(items, rng.integers(0, items + 1), replace=False)).astype(np.int32)
    starts, seen = (None, None) if most_seen is None else random_seen(rng, rows, items, most_seen)
    got_items, got_scores = _native.top_items(p, q, bias, user, chosen, starts, seen, keep, threads)
    assert got_items.shape == got_scores.shape == (rows, keep)
    for row, u in enumerate(user):
        left = chosen if seen is None else np.setdiff1d(chosen, seen[starts[row] : starts[row + 1]])
        items_, scores_ = ranked((bias + q @ p[u])[left], left, keep)
        np.testing.assert_array_equal(got_items[row], items_)
        np.testing.assert_array_equal(got_scores[row], scores_)


@pytest.mark.parametrize("isa", _native.isas())
@settings(max_examples=60)
@given(
    seed=st.integers(0, 2**32 - 1), items=st.integers(1, 200), factors=FACTORS,
    keep=st.sampled_from([1, 7, 300]),
)  # fmt: skip
def test_scores_are_dot_products_in_order(isa, seed, items, factors, keep):
    _native.use_isa(isa)
    rng = np.random.default_rng(seed)
    p, q = (rng.normal(size=(n, factors)).astype(np.float32) for n in (9, items))
    bias = rng.normal(size=items).astype(np.float32)
    order = rng.permutation(items).astype(np.int32)  # they need not be met in the order of their indices
    found, score = _native.top_items(p, q, bias, np.arange(9, dtype=np.int32), order, None, None, keep, 2)
    whole = bias + p.astype(np.float64) @ q.T.astype(np.float64)
    size = np.abs(bias) + np.abs(p).astype(np.float64) @ np.abs(q).T
    there = found >= 0
    assert (there.sum(axis=1) == min(keep, items)).all()
    row = np.nonzero(there)[0]
    error = np.abs(score[there] - whole[row, found[there]])
    assert (error <= (factors + 2) * 2.0**-24 * size[row, found[there]]).all()
    assert (np.diff(np.where(there, score, -1e30)) <= 0).all()
    for r in range(9):  # nothing better was left out
        left = np.setdiff1d(np.arange(items), found[r])
        if len(left):
            slack = (2 * factors + 4) * 2.0**-24 * size[r].max()
            assert whole[r, left].max() <= whole[r, found[r]].min() + slack


@pytest.mark.parametrize("isa", _native.isas())
def test_ties_are_in_visiting_order(isa):
    _native.use_isa(isa)
    q, bias = np.zeros((100, 3), np.float32), np.zeros(100, np.float32)
    met = np.arange(99, -1, -1, dtype=np.int32)
    found, _ = _native.top_items(
        np.ones((1, 3), np.float32), q, bias, np.zeros(1, np.int32), met, None, None, 4, 1
    )
    assert found.tolist() == [[96, 97, 98, 99]]


@pytest.mark.parametrize("isa", _native.isas())
def test_threads_and_other_users_change_no_bit(isa):
    _native.use_isa(isa)
    rng = np.random.default_rng(0)
    p, q = (rng.normal(size=(n, 33)).astype(np.float32) for n in (700, 400))
    bias, item = rng.normal(size=400).astype(np.float32), np.arange(400, dtype=np.int32)
    starts, seen = random_seen(rng, 700, 400, 60)
    everyone = np.arange(700, dtype=np.int32)
    results = [
        [array.tobytes() for array in _native.top_items(p, q, bias, everyone, item, starts, seen, 9, threads)]
        for threads in (1, 2, 5)
    ]
    assert results[0] == results[1] == results[2]
    whole = _native.top_items(p, q, bias, everyone, item, starts, seen, 9, 2)
    for u in (0, 3, 511, 699):
        own = starts[u : u + 2] - starts[u]
        args = np.array([u], np.int32), item, own, seen[starts[u] : starts[u + 1]]
        for one, all_ in zip(_native.top_items(p, q, bias, *args, 9, 2), whole, strict=True):
            assert one[0].tobytes() == all_[u].tobytes()


def test_nan_and_minus_infinity_are_never_selected():
    bias = np.array([np.nan, 1, -np.inf, np.inf, 2], np.float32)
    none, item = np.zeros((5, 0), np.float32), np.arange(5, dtype=np.int32)
    found, score = _native.top_items(none[:1], none, bias, item[:1], item, None, None, 5, 1)
    assert found.tolist() == [[3, 4, 1, -1, -1]]
    assert score.tolist() == [[np.inf, 2, 1, -np.inf, -np.inf]]
    found, _ = _native.top_of_rows(np.tile(bias, (1, 7)), None, 20, 1)
    assert np.isnan(np.tile(bias, 7)[found[found >= 0]]).sum() == 0
    assert (found[0] >= 0).sum() == 20


@pytest.mark.parametrize("isa", _native.isas())
def test_many_factors_and_many_items_at_once(isa):
    _native.use_isa(isa)
    rng = np.random.default_rng(1)
    p, q, bias = exact_tables(rng, 40, 3000, 700)  # blocks of users are cut smaller than by default
    found, score = _native.top_items(
        p, q, bias, np.arange(40, dtype=np.int32), np.arange(3000, dtype=np.int32), None, None, 5, 2
    )
    for u in range(40):
        items_, scores_ = ranked(bias + q @ p[u], np.arange(3000), 5)
        np.testing.assert_array_equal(found[u], items_)
        np.testing.assert_array_equal(score[u], scores_)


# The best of rows of known scores ------------------------------------------------------------------------


@pytest.mark.parametrize("isa", _native.isas())
@settings(max_examples=200)
@given(
    seed=st.integers(0, 2**32 - 1), rows=st.integers(0, 20), columns=st.integers(0, 90),
    keep=st.sampled_from([1, 2, 3, 10, 100]), named=st.booleans(), threads=st.integers(1, 3),
)  # fmt: skip
def test_top_of_rows_equals_numpy_reference(isa, seed, rows, columns, keep, named, threads):
    _native.use_isa(isa)
    rng = np.random.default_rng(seed)
    score = rng.integers(-4, 5, (rows, columns)).astype(np.float32)
    score[rng.random(score.shape) < 0.2] = -np.inf
    names = np.array([rng.permutation(columns + 5)[:columns] for _ in range(rows)], np.int32)
    names = names.reshape(rows, columns)
    found, best = _native.top_of_rows(score, names if named else None, keep, threads)
    for row in range(rows):
        items_, scores_ = ranked(score[row], names[row] if named else np.arange(columns), keep)
        np.testing.assert_array_equal(found[row], items_)
        np.testing.assert_array_equal(best[row], scores_)


# What the bindings refuse --------------------------------------------------------------------------------


def arguments(**changes):
    given = {
        "user_factors": np.zeros((2, 3), np.float32),
        "item_factors": np.zeros((4, 3), np.float32),
        "item_bias": np.zeros(4, np.float32),
        "user": np.array([0, 1], np.int32),
        "item": np.arange(4, dtype=np.int32),
        "starts": np.array([0, 1, 2], np.int64),
        "seen": np.array([3, 0], np.int32),
        "keep": 2,
        "threads": 1,
    }
    return given | changes


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"user_factors": np.zeros((2, 2), np.float32)}, "same number of factors"),
        ({"item_bias": np.zeros(3, np.float32)}, "same length"),
        ({"user": np.array([2], np.int32)}, "a user index is out of range"),
        ({"user": np.array([-1, 0], np.int32)}, "a user index is out of range"),
        ({"item": np.array([4], np.int32)}, "an item index is out of range"),
        ({"seen": np.array([4, 0], np.int32)}, "a seen item is out of range"),
        ({"seen": None}, "come together"),
        ({"starts": np.array([0, 2], np.int64)}, "one more entry"),
        ({"starts": np.array([1, 1, 2], np.int64)}, "starts must rise"),
        ({"starts": np.array([0, 2, 1], np.int64)}, "starts must rise"),
        ({"starts": np.array([0, 1, 3], np.int64)}, "starts must rise"),
        ({"keep": 0}, "keep must be at least 1"),
        ({"threads": 0}, "threads must be at least 1"),
    ],
)
def test_invalid_arguments_raise(changes, words):
    with pytest.raises(ValueError, match=words):
        _native.top_items(**arguments(**changes))


def test_invalid_types_and_rows_raise():
    with pytest.raises(TypeError):
        _native.top_items(**arguments(user_factors=np.zeros((2, 3))))
    rows = np.zeros((2, 3), np.float32)
    with pytest.raises(ValueError, match="shape of the rows"):
        _native.top_of_rows(rows, np.zeros((2, 2), np.int32), 1, 1)
    for keep, threads in ((0, 1), (1, 0)):
        with pytest.raises(ValueError, match="at least 1"):
            _native.top_of_rows(rows, None, keep, threads)


INTERRUPTED = """
import time
import numpy as np
from foretaste import _native
p, q, bias = np.ones((512, 128), np.float32), np.ones((1000, 128), np.float32), np.ones(1000, np.float32)
everyone, item = np.arange(512, dtype=np.int32), np.tile(np.arange(1000, dtype=np.int32), 20_000)
print("ready", flush=True)
start = time.perf_counter()
try:
    _native.top_items(p, q, bias, everyone, item, None, None, 5, 1)
    print("finished")
except KeyboardInterrupt:
    print("interrupted", time.perf_counter() - start)
"""


@pytest.mark.slow
def test_ctrl_c_interrupts_the_kernel():
    command = [sys.executable, "-c", INTERRUPTED]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parent) as process:
        assert process.stdout.readline() == "ready\n"
        time.sleep(0.5)
        process.send_signal(signal.SIGINT)
        word, *seconds = process.stdout.readline().split()
        assert word == "interrupted"
        assert float(seconds[0]) < 2.5  # it is two tasks of many seconds each
        assert process.wait(timeout=30) == 0
