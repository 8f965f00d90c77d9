"""Rating metrics against scikit-learn's and scikit-surprise's."""

from __future__ import annotations

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from sklearn import metrics as theirs

import foretaste
from foretaste.errors import DataError, InvalidParameterError
from foretaste.metrics import (
    METRICS,
    RANKING_METRICS,
    fcp,
    get_metric,
    get_ranking_metric,
    mae,
    nmae,
    r2,
    rmse,
    rmse_per_user,
    scorer,
)
from foretaste.models import Bias

NUMBERS = st.floats(-100, 100, width=32)


@st.composite
def pairs(draw, least=1):
    n = draw(st.integers(least, 30))
    return [draw(arrays.arrays(np.float32, n, elements=NUMBERS)) for _ in range(2)] + [
        draw(arrays.arrays(np.float64, n, elements=st.floats(0.125, 5, width=32)))
    ]


@given(pairs(), st.booleans())
def test_errors_equal_sklearn(case, weighted):
    true, pred, weight = case
    weight = weight if weighted else None
    one, other = true.astype(np.float64), pred.astype(np.float64)
    close = {"rtol": 1e-9, "atol": 1e-9}
    np.testing.assert_allclose(
        rmse(true, pred, weight), theirs.root_mean_squared_error(one, other, sample_weight=weight), **close
    )
    np.testing.assert_allclose(
        mae(true, pred, weight), theirs.mean_absolute_error(one, other, sample_weight=weight), **close
    )
    assert nmae(true, pred, (-10, 10), weight) == mae(true, pred, weight) / 20


@given(pairs(least=2), st.booleans())
def test_r2_equals_sklearn(case, weighted):
    true, pred, weight = case
    true = np.round(true)  # differences below float64 resolution test neither
    weight = weight if weighted else None
    expected = theirs.r2_score(true.astype(np.float64), pred.astype(np.float64), sample_weight=weight)
    if np.ptp(true) > 0:
        np.testing.assert_allclose(r2(true, pred, weight), expected, rtol=1e-7, atol=1e-7)


def test_r2_of_constant_ratings_equals_sklearn():
    for pred in ([2, 2, 2], [2, 2, 3]):
        assert r2([2, 2, 2], pred) == theirs.r2_score([2, 2, 2], pred)
    with pytest.raises(DataError, match="R squared needs at least two ratings; there are 1"):
        r2([1], [1])


def test_metrics_equal_those_computed_by_hand():
    assert rmse([0, 0, 0, 0], [3, 4, 0, 0]) == 2.5
    assert mae([0, 0, 0, 0], [3, -4, 0, 1]) == 2
    assert nmae([1, 5], [2, 3], scale=(1, 5)) == 1.5 / 4
    assert fcp([1, 2, 3], [1, 3, 2], [0, 0, 0]) == pytest.approx(2 / 3)
    assert fcp([1, 2, 1, 1], [5, 6, 1, 2], [0, 0, 1, 1]) == 1  # equal ratings are no pair
    assert fcp([1, 2], [5, 5], [0, 0]) == 0  # a tie in the prediction is discordant


def plain_fcp(true, pred, user) -> float:
    """Count pair by pair; average over users; divide."""
    concordant, discordant = [], []
    for who in set(user):
        rows = [k for k in range(len(user)) if user[k] == who]
        both = [(a, b) for a in rows for b in rows if true[a] > true[b]]
        concordant.append(sum(pred[a] > pred[b] for a, b in both))
        discordant.append(len(both) - concordant[-1])
    return np.mean(concordant) / (np.mean(concordant) + np.mean(discordant))


@st.composite
def ranked(draw):
    n = draw(st.integers(2, 60))
    grades = st.integers(0, 4).map(float)
    return [np.array(draw(st.lists(s, min_size=n, max_size=n))) for s in (grades, grades, st.integers(-3, 3))]


@given(ranked())
def test_fcp_counts_pairs_within_users(case):
    true, pred, user = case
    if all(np.ptp(true[user == who]) == 0 for who in set(user.tolist())):
        with pytest.raises(DataError, match="FCP needs a user who rated two items differently"):
            fcp(true, pred, user)
    else:
        assert fcp(true, pred, user) == pytest.approx(plain_fcp(true, pred, user.tolist()), rel=1e-12)


@pytest.mark.peer
@settings(max_examples=50)
@given(seed=st.integers(0, 2**32 - 1), users=st.integers(1, 8))
def test_fcp_equals_surprise(seed, users):
    """Where each user has pairs of both kinds: surprise leaves the others out of one mean only."""
    accuracy = pytest.importorskip("surprise", reason='needs a peer: pip install "foretaste[peers]"').accuracy
    rng = np.random.default_rng(seed)
    user = np.r_[np.repeat(np.arange(users), 3), rng.integers(users, size=20)]
    true = np.r_[np.tile([1.0, 2, 3], users), rng.integers(1, 6, 20)]
    pred = np.r_[np.tile([1.0, 3, 2], users), rng.integers(1, 6, 20)]  # a pair right, a pair wrong
    predictions = [
        (u, k, t, p, {}) for k, (u, t, p) in enumerate(zip(user.tolist(), true, pred, strict=True))
    ]
    assert fcp(true, pred, user) == pytest.approx(accuracy.fcp(predictions, verbose=False), rel=1e-12)


def test_matrices_count_their_rated_cells(ratings):
    model = Bias().fit(ratings)
    for name in ("rmse", "mae", "r2"):
        metric = METRICS[name].function
        flat = metric(ratings.value, model.predict(ratings))
        assert metric(ratings.to_matrix(), model.predict_matrix()) == pytest.approx(flat, rel=1e-6)
    hole = model.predict_matrix()
    hole[np.isnan(ratings.to_matrix())] = np.nan
    assert rmse(ratings.to_matrix(), hole) == rmse(ratings.to_matrix(), model.predict_matrix())


def test_mismatched_arrays_raise():
    for call, words in (
        (lambda: rmse([1, 2], [1]), r"y_true has the shape \(2,\), y_pred \(1,\)"),
        (lambda: mae([1, 2], [1, 2], [1]), r"weight has the shape \(1,\)"),
        (lambda: rmse([1, np.nan], [1, 2]), "y_true in row 1 is not a finite number"),
        (lambda: rmse([1, 2], [1, np.nan]), "y_pred has no finite number where"),
        (lambda: rmse([[np.nan]], [[1]]), "no rating to compare"),
        (lambda: rmse([], []), "no rating to compare"),
        (lambda: fcp([1, 2], [1, 2], [0]), r"user has the shape \(1,\)"),
    ):
        with pytest.raises(DataError, match=words):
            call()
    with pytest.raises(InvalidParameterError, match="the low end must be below"):
        nmae([1], [1], (5, 1))


def test_scorers_are_greater_for_the_better(ratings):
    model = Bias().fit(ratings)
    pred, pair = model.predict(ratings), np.column_stack([ratings.user_ids, ratings.item_ids])
    named = {"userId": ratings.user_ids, "itemId": ratings.item_ids}
    expected = {
        "rmse": -rmse(ratings.value, pred),
        "rmse_per_user": -rmse_per_user(ratings.value, pred, ratings.user),
        "mae": -mae(ratings.value, pred),
        "r2": r2(ratings.value, pred),
        "fcp": fcp(ratings.value, pred, ratings.user),
        "nmae": -nmae(ratings.value, pred, (-8, 8)),
    }
    assert set(expected) == set(METRICS)
    for name, score in expected.items():
        ours = scorer(name, **({"scale": (-8, 8)} if name == "nmae" else {}))
        assert repr(ours) == f"scorer({name!r})"
        assert ours(model, ratings) == score
        for X in (ratings, pair, pd.DataFrame(named), pl.DataFrame(named)):
            assert ours(model, X, ratings.value) == pytest.approx(score, rel=1e-12)


def test_unknown_metrics_are_refused():
    with pytest.raises(InvalidParameterError, match='no metric "rsme"; did you mean "rmse"'):
        scorer("rsme")
    with pytest.raises(InvalidParameterError, match="nmae requires the scale"):
        scorer("nmae")


@given(st.data())
def test_error_per_user_is_the_mean_of_each_users_error(data):
    true, pred, _ = data.draw(pairs())
    user = np.array(data.draw(st.lists(st.integers(3, 6), min_size=len(true), max_size=len(true))))
    each = [rmse(true[user == one], pred[user == one]) for one in set(user.tolist())]
    assert rmse_per_user(true, pred, user) == pytest.approx(np.mean(each), rel=1e-9, abs=1e-9)
    with pytest.raises(DataError, match="they must agree"):
        rmse_per_user(true, pred, user[1:])


# Names ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [*METRICS, *(m.label for m in METRICS.values()), "RMSE-per-user", " Rmse "])
def test_metric_names_ignore_case(name):
    expected = name.strip().lower().replace(" ", "_").replace("-", "_")
    assert get_metric(name) is METRICS[expected]


def test_ranking_metric_names_ignore_case_and_may_carry_the_cutoff():
    for metric in RANKING_METRICS.values():
        for label in (metric.name, metric.name.upper(), metric.label.format(n="")[:-1]):
            assert get_ranking_metric(label) == (metric, None)
        assert get_ranking_metric(metric.label.format(n=20)) == (metric, 20)
    assert get_ranking_metric("NDCG@10") == (RANKING_METRICS["ndcg"], 10)


@pytest.mark.parametrize("name", ["NDGC@10", "ndcg@", "ndcg@ten", "ndcg@-1", "", 7, None])
def test_unknown_ranking_metrics_are_an_error(name):
    with pytest.raises(InvalidParameterError, match="no ranking metric") as error:
        get_ranking_metric(name)
    assert "ndcg" in error.value.hint


def test_the_nearest_metric_is_suggested_in_any_case():
    with pytest.raises(InvalidParameterError, match='no metric "RSME"; did you mean "rmse"'):
        get_metric("RSME")
    with pytest.raises(InvalidParameterError, match='no ranking metric "NDGC"; did you mean "ndcg"'):
        get_ranking_metric("NDGC")


def test_scorers_ignore_case():
    assert repr(scorer("RMSE")) == "scorer('rmse')"


def test_comparing_and_tuning_ignore_case(ratings):
    found = foretaste.cross_validate(Bias(), ratings, 2, metrics=["RMSE", "Mae", "R2"])
    assert found.metrics == ("rmse", "mae", "r2")
    table = foretaste.compare(ratings, [Bias()], metrics=["MAE"])
    assert "mae" in table.rows[0]
    tuned = foretaste.tune(
        "Bias", ratings, space={"user_damping": (1.0, 5.0)}, method="random", trials=2, metric="MAE"
    )
    assert tuned.metric == "mae"
