"""Kernels of ranking metrics and of the bootstrap against numpy references."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from foretaste import _native

MASK = 2**64 - 1


def metrics_by_numpy(ranked, relevant, gains, most):
    """Return the six figures of one list by their definitions."""
    n = len(ranked)
    hits = np.array([item in relevant for item in ranked], float)
    gain = np.array([gains.get(item, 0.0) for item in ranked])
    discount = 1 / np.log2(np.arange(n) + 2)
    best = np.sort(list(gains.values()))[::-1][:n]
    ideal = (best * discount[: len(best)]).sum()
    first = np.flatnonzero(hits)
    size = len(relevant)
    precisions = np.cumsum(hits) / np.arange(1, n + 1)
    return [
        hits.mean(),
        hits.sum() / size if size else 0,
        (gain * discount).sum() / ideal if ideal else 0,
        (hits * precisions).sum() / min(size, most) if size else 0,
        1 / (first[0] + 1) if len(first) else 0,
        float(hits.any()),
    ]


@settings(max_examples=300)
@given(
    seed=st.integers(0, 2**32 - 1),
    rows=st.integers(0, 12),
    n=st.integers(1, 12),
    items=st.integers(1, 30),
    most=st.sampled_from([1, 3, 10, 2**31 - 1]),
    with_gain=st.booleans(),
)
def test_metrics_equal_numpy(seed, rows, n, items, most, with_gain):
    rng = np.random.default_rng(seed)
    lists = np.full((rows, n), -1, np.int32)
    parts, weights = [], []
    for row in range(rows):
        length = rng.integers(0, min(n, items) + 1)
        lists[row, :length] = rng.permutation(items)[:length]
        parts.append(rng.permutation(items)[: rng.integers(0, items + 1)].astype(np.int32))
        weights.append(rng.integers(0, 4, len(parts[-1])).astype(float))
    starts = np.r_[0, np.cumsum([len(part) for part in parts])].astype(np.int64)
    item = np.concatenate([*parts, np.empty(0, np.int32)])
    gain = np.concatenate([*weights, np.empty(0)])
    found = _native.rank_figures(lists, starts, item, gain if with_gain else None, items, most, 2)
    for row, part in enumerate(parts):
        ones = np.ones(len(part))
        gains = dict(zip(part.tolist(), weights[row] if with_gain else ones, strict=True))
        listed = lists[row].tolist()
        assert found[row] == pytest.approx(
            metrics_by_numpy(listed, set(part.tolist()), gains, most), abs=1e-12
        )


def test_threads_change_no_bit():
    rng = np.random.default_rng(0)
    rows, items = 3000, 200
    lists = np.argsort(rng.random((rows, items)), axis=1)[:, :10].astype(np.int32)
    starts = (np.arange(rows + 1) * 7).astype(np.int64)
    item = np.argsort(rng.random((rows, items)), axis=1)[:, :7].astype(np.int32).ravel()
    gain = rng.random(len(item))
    one, many = (_native.rank_figures(lists, starts, item, gain, items, 10, t) for t in (1, 5))
    assert one.tobytes() == many.tobytes()
    table = rng.random((500, 3))
    one, many = (_native.resampled_means(table, 40, 7, t) for t in (1, 5))
    assert one.tobytes() == many.tobytes()


def arguments(**changes):
    usual = {
        "lists": np.array([[0, 1]], np.int32),
        "starts": np.array([0, 1], np.int64),
        "item": np.array([1], np.int32),
        "gain": None,
        "items": 3,
        "most": 5,
        "threads": 1,
    }
    return list((usual | changes).values())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"lists": np.array([[0, 3]], np.int32)}, "a listed item is out of range"),
        ({"lists": np.array([[-2, 1]], np.int32)}, "a listed item is out of range"),
        ({"lists": np.empty((1, 0), np.int32)}, "must have a position"),
        ({"lists": np.array([[1, 1]], np.int32)}, "twice in a list"),
        ({"item": np.array([3], np.int32)}, "a relevant item is out of range"),
        ({"item": np.array([-1], np.int32)}, "a relevant item is out of range"),
        ({"item": np.array([1, 1], np.int32), "starts": np.array([0, 2], np.int64)}, "relevant twice"),
        ({"item": np.array([2, 2], np.int32), "starts": np.array([0, 2], np.int64)}, "relevant twice"),
        ({"starts": np.array([0, 2], np.int64)}, "starts must rise"),
        ({"starts": np.array([1, 1], np.int64)}, "starts must rise"),
        ({"starts": np.array([0, 1, 1], np.int64)}, "one more entry"),
        ({"gain": np.ones(2)}, "as long as item"),
        ({"most": 0}, "most must be"),
        ({"threads": 0}, "threads must be"),
        ({"items": -1}, "items must be"),
    ],
)
def test_mismatched_arguments_raise(changes, message):
    _native.rank_figures(*arguments())
    with pytest.raises(ValueError, match=message):
        _native.rank_figures(*arguments(**changes))


def test_error_leaves_no_state_behind():
    lists = np.array([[0, 0], [0, 1]], np.int32)
    starts, item = np.array([0, 1, 2], np.int64), np.array([1, 0], np.int32)
    with pytest.raises(ValueError, match="twice in a list"):
        _native.rank_figures(lists, starts, item, None, 2, 5, 1)
    lists[0, 1] = 1
    assert _native.rank_figures(lists, starts, item, None, 2, 5, 1)[:, 4].tolist() == [0.5, 1.0]


def split_mix(state):
    state = (state + 0x9E3779B97F4A7C15) & MASK
    z = ((state ^ (state >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
    return state, z ^ (z >> 31)


@settings(max_examples=60)
@given(seed=st.integers(0, MASK), rows=st.integers(1, 40), columns=st.integers(0, 4), draws=st.integers(0, 5))
def test_resampled_means_equal_numpy_reference(seed, rows, columns, draws):
    table = np.random.default_rng(rows).random((rows, columns))
    found = _native.resampled_means(table, draws, seed, 2)
    assert found.shape == (draws, columns)
    for draw in range(draws):
        state = split_mix(seed)[1] ^ ((draw * 0xD1342543DE82EF95) & MASK)
        chosen = []
        for _ in range(rows):
            state, number = split_mix(state)
            chosen.append(((number >> 32) * rows) >> 32)
        assert found[draw] == pytest.approx(table[chosen].mean(axis=0), abs=1e-12)


def test_resampled_means_have_the_theoretical_std():
    table = np.random.default_rng(1).normal(3, 2, (400, 2))
    means = _native.resampled_means(table, 4000, 0, 2)
    assert means.mean(axis=0) == pytest.approx(table.mean(axis=0), abs=0.01)
    assert means.std(axis=0) == pytest.approx(table.std(axis=0) / 20, rel=0.05)


def test_empty_table_raises():
    with pytest.raises(ValueError, match="a row at least"):
        _native.resampled_means(np.empty((0, 2)), 3, 0, 1)
    with pytest.raises(ValueError, match="draws"):
        _native.resampled_means(np.ones((1, 2)), -1, 0, 1)
