"""Ranking metrics: equal to TREC's by ir-measures, and to numpy references elsewhere."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from foretaste import metrics
from foretaste.errors import DataError, InvalidParameterError
from foretaste.metrics.beyond_accuracy import diversity_per_list, novelty_per_list
from foretaste.metrics.ranking import score_lists


@st.composite
def runs(draw):
    """Return lists and relevant pairs with gains: each user has a list and something relevant."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    users, k, items = draw(st.integers(1, 8)), draw(st.integers(1, 15)), draw(st.integers(1, 40))
    lists, user, item, gain = [], [], [], []
    for row in range(users):
        lists.append(rng.permutation(items)[: rng.integers(1, min(k, items) + 1)].tolist())
        relevant = rng.permutation(items)[: rng.integers(1, items + 1)]
        user += [row] * len(relevant)
        item += relevant.tolist()
        gain += rng.integers(1, 6, len(relevant)).tolist()
    order = rng.permutation(len(user))
    return lists, np.array(user)[order], np.array(item)[order], np.array(gain)[order]


def in_trec(lists, user, item, gain):
    qrels = {f"u{row}": {} for row in range(len(lists))}
    for row, thing, grade in zip(user, item, gain, strict=True):
        qrels[f"u{row}"][f"i{thing}"] = int(grade)
    run = {
        f"u{row}": {f"i{thing}": float(100 - rank) for rank, thing in enumerate(ranked)}
        for row, ranked in enumerate(lists)
    }
    return qrels, run


@settings(max_examples=200, deadline=None)
@given(ranking=runs(), n=st.integers(1, 20))
def test_values_equal_ir_measures(ranking, n):
    ir = pytest.importorskip("ir_measures", reason='needs pip install "foretaste[test]"')
    lists, user, item, gain = ranking
    qrels, run = in_trec(*ranking)
    measures = [ir.P @ n, ir.R @ n, ir.nDCG @ n, ir.AP @ n, ir.RR @ n, ir.Success @ n]
    reference = ir.calc_aggregate(measures, qrels, run)
    ours = [
        metrics.precision(lists, user, item, n=n),
        metrics.recall(lists, user, item, n=n),
        metrics.ndcg(lists, user, item, gain, n=n),
        metrics.average_precision(lists, user, item, n=n),
        metrics.reciprocal_rank(lists, user, item, n=n),
        metrics.hit_rate(lists, user, item, n=n),
    ]
    assert ours == pytest.approx([reference[one] for one in measures], abs=1e-9)
    steep = in_trec(lists, user, item, 2**gain - 1)
    reference = ir.calc_aggregate([ir.nDCG @ n], *steep)[ir.nDCG @ n]
    assert metrics.ndcg(lists, user, item, gain, n=n, gains="exponential") == pytest.approx(
        reference, abs=1e-9
    )


@settings(max_examples=100)
@given(ranking=runs(), n=st.integers(1, 20), permuted=st.randoms(use_true_random=False))
def test_the_order_of_pairs_and_large_numbers_change_nothing(ranking, n, permuted):
    lists, user, item, gain = ranking
    figures = score_lists(lists, user, item, gain, n=n)
    order = list(range(len(user)))
    permuted.shuffle(order)
    again = score_lists(lists, user[order], item[order], gain[order], n=n)
    assert again.values.tobytes() == figures.values.tobytes()
    far = [[10**6 * (thing + 1) for thing in ranked] for ranked in lists]
    again = score_lists(far, user, 10**6 * (item + 1), gain, n=n)
    assert again.values.tobytes() == figures.values.tobytes()


def test_metrics_of_one_list_equal_those_computed_by_hand():
    lists, user, item = [[3, 1, 4], [9, 8, 7]], [0, 0, 1], [1, 5, 7]
    assert metrics.precision(lists, user, item) == pytest.approx((1 / 3 + 1 / 3) / 2)
    assert metrics.precision(lists, user, item, n=10) == pytest.approx((1 / 10 + 1 / 10) / 2)
    assert metrics.recall(lists, user, item) == pytest.approx((1 / 2 + 1) / 2)
    assert metrics.average_precision(lists, user, item) == pytest.approx((1 / 2 / 2 + 1 / 3) / 2)
    assert metrics.average_precision(lists, user, item, n=1, denominator="reachable") == 0
    assert metrics.reciprocal_rank(lists, user, item) == pytest.approx((1 / 2 + 1 / 3) / 2)
    assert metrics.hit_rate(lists, user, item, n=2) == 0.5
    ideal = 1 + 1 / np.log2(3)
    assert metrics.ndcg(lists, user, item) == pytest.approx((1 / np.log2(3) / ideal + 1 / 2) / 2)


def test_reachable_lets_a_perfect_list_reach_one():
    lists, user, item = [[0, 1]], [0] * 5, range(5)
    assert metrics.average_precision(lists, user, list(item)) == pytest.approx(2 / 5)
    assert metrics.average_precision(lists, user, list(item), denominator="reachable") == 1


def test_users_without_a_relevant_item_change_no_mean():
    lists, user, item = [[0, 1], [1, 2]], [0, 1], [1, 9]
    names = ("precision", "recall", "ndcg", "average_precision", "reciprocal_rank", "hit_rate")
    before = [getattr(metrics, name)(lists, user, item) for name in names]
    after = [getattr(metrics, name)([*lists, [0, 2], []], user, item) for name in names]
    assert after == before
    assert (score_lists([*lists, [0, 2]], user, item).n_relevant == [1, 1, 0]).all()
    with pytest.raises(DataError, match="no list has a relevant item"):
        metrics.precision(lists, [], [])


def test_a_gain_of_zero_adds_nothing():
    assert metrics.ndcg([[0, 1]], [0, 0], [0, 1], [0.0, 2.0]) == pytest.approx(1 / np.log2(3))
    assert metrics.ndcg([[0, 1]], [0, 0], [0, 1], [0.0, 0.0]) == 0


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        (([[0, 0]], [0], [1]), {}, "twice in a list"),
        (([[0, 1]], [0, 0], [1, 1]), {}, "relevant twice"),
        (([[0, 1]], [1], [1]), {}, "row numbers of the 1 lists"),
        (([[0, 1]], [-1], [1]), {}, "row numbers of the 1 lists"),
        (([[0, 1]], [0], [-1]), {}, "negative number"),
        (([[0, 1]], [0, 0], [1]), {}, "item has 1 entries, user has 2"),
        (([[0.5, 1]], [0], [1]), {}, "must be item indices"),
        ((np.array([0, 1]), [0], [1]), {}, "one row per list"),
        ((np.array([[-1, 1]]), [0], [1]), {}, "after its padding"),
        ((np.array([[-2, 1]]), [0], [1]), {}, "neither an item index nor"),
        (([[0, 1]], [0], [0.5]), {}, "item is float64"),
        (([[0, 1]], [0], [1], [-1.0]), {}, "gain is -1 in row 0"),
        (([[0, 1]], [0], [1], [np.nan]), {}, "gain is nan in row 0"),
        (([[0, 1]], [0], [1], [1.0, 2.0]), {}, "gain has the shape"),
        (([[0, 1]], [0], [1], [2000.0]), {"gains": "exponential"}, "at most 1000"),
    ],
)
def test_mismatched_arrays_raise(arguments, options, message):
    with pytest.raises(DataError, match=message):
        score_lists(*arguments, **options)


@pytest.mark.parametrize(
    "options", [{"n": 0}, {"n": 2.0}, {"n": True}, {"gains": "lineer"}, {"denominator": "n"}]
)
def test_invalid_options_raise(options):
    with pytest.raises(InvalidParameterError, match="is not allowed"):
        score_lists([[0, 1]], [0], [1], **options)


# What lists are like --------------------------------------------------------------------------------------


@settings(max_examples=150)
@given(seed=st.integers(0, 2**32 - 1), users=st.integers(1, 12), k=st.integers(1, 8), extra=st.integers(0, 9))
def test_coverage_gini_novelty_and_diversity_equal_numpy(seed, users, k, extra):
    rng = np.random.default_rng(seed)
    items = k + extra
    lists = [rng.permutation(items)[: rng.integers(1, k + 1)].tolist() for _ in range(users)]
    exposure = np.bincount(np.concatenate(lists), minlength=items)
    assert metrics.coverage(lists, items) == pytest.approx(np.mean(exposure > 0))
    half_relative_difference = np.abs(exposure[:, None] - exposure[None, :]).mean() / 2 / exposure.mean()
    assert metrics.gini(lists, items) == pytest.approx(half_relative_difference, abs=1e-12)
    count = rng.integers(0, 50, items)
    bits = -np.log2(np.maximum(count, 1) / 50)
    each = [bits[ranked].mean() for ranked in lists]
    assert novelty_per_list(lists, count, 50) == pytest.approx(each)
    assert metrics.novelty(lists, count, 50) == pytest.approx(np.mean(each))
    vectors = rng.normal(size=(items, 3)) * (rng.random(items) > 0.2)[:, None]
    length = np.linalg.norm(vectors, axis=1)
    unit = vectors / np.where(length > 0, length, 1)[:, None]
    each = [
        1 - np.mean([unit[a] @ unit[b] for a, b in itertools.combinations(ranked, 2)])
        for ranked in lists
        if len(ranked) > 1
    ]
    by_list = diversity_per_list(lists, vectors=vectors)
    assert (np.isnan(by_list) == [len(ranked) < 2 for ranked in lists]).all()
    assert by_list[~np.isnan(by_list)] == pytest.approx(each, abs=1e-9)
    if each:
        assert metrics.diversity(lists, similarity=unit @ unit.T) == pytest.approx(np.mean(each), abs=1e-9)


def test_ends_of_gini_and_coverage():
    everyone = [[0], [1], [2], [3]]
    assert metrics.gini(everyone, 4) == 0
    assert metrics.gini([[0]] * 9, 4) == pytest.approx(3 / 4)
    assert metrics.coverage(everyone, 8) == 0.5


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: metrics.coverage([[0, 5]], 5), "lists hold item 5"),
        (lambda: metrics.gini([[]], 5), "all lists are empty"),
        (lambda: metrics.novelty([[0, 2]], [1, 2], 3), "lists hold item 2"),
        (lambda: metrics.novelty([[0]], [4], 3), "must be from 0 to 3"),
        (lambda: metrics.novelty([[]], [1], 3), "no list is not empty"),
        (lambda: metrics.diversity([[0]], vectors=np.ones((2, 2))), "holds two items"),
        (lambda: metrics.diversity([[0, 1]], vectors=np.ones(2)), "items, features"),
        (lambda: metrics.diversity([[0, 1]], similarity=np.ones((2, 3))), "items, items"),
        (lambda: metrics.diversity([[0, 1]], similarity=np.full((2, 2), np.nan)), "finite"),
        (lambda: metrics.diversity([[0, 2]], vectors=np.ones((2, 2))), "lists hold item 2"),
    ],
)
def test_mismatched_catalogs_raise(call, message):
    with pytest.raises(DataError, match=message):
        call()


@pytest.mark.parametrize(
    "call",
    [
        lambda: metrics.coverage([[0]], 0),
        lambda: metrics.gini([[0]], 1.0),
        lambda: metrics.novelty([[0]], [1], 0),
        lambda: metrics.diversity([[0]]),
        lambda: metrics.diversity([[0]], vectors=[[1.0]], similarity=[[1.0]]),
    ],
)
def test_invalid_counts_and_similarities_raise(call):
    with pytest.raises(InvalidParameterError):
        call()
