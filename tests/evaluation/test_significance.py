"""Uncertainty: bootstrap intervals with nominal coverage, and scipy's paired t-test."""

from __future__ import annotations

import math
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import special, stats

from foretaste.evaluation import compare
from foretaste.evaluation.plan import EvaluationPlan, make_plan
from foretaste.evaluation.results import MIN_USERS
from foretaste.evaluation.significance import PerUserErrors, bootstrap_intervals, paired_t_test
from foretaste.models import Bias, ItemMean, UserItemMean
from foretaste.params import estimator, param
from foretaste.ratings import Ratings
from foretaste.splits import HoldOut, KFold

# Intervals -----------------------------------------------------------------------------------------------


def simulated(rng: np.random.Generator, users: int = 120, rows: int = 8) -> tuple[np.ndarray, ...]:
    """Return errors of two models with shared user effects: (users, rows) each."""
    user_effect = rng.normal(size=(users, 1))
    return user_effect + rng.normal(size=(users, rows)), 1.1 * user_effect + rng.normal(size=(users, rows))


TRUTH = np.sqrt(2.0), np.sqrt(1 + 1.1**2)  # the RMSE of both, over infinitely many users


def test_intervals_hold_as_often_as_they_say() -> None:
    rng = np.random.default_rng(0)
    n_covered = np.zeros(3)
    runs = 400
    for seed in range(runs):
        errors = [(error**2).sum(axis=1, keepdims=True) for error in simulated(rng)]
        one, other = bootstrap_intervals(errors, np.full((120, 1), 8.0), n_resamples=400, seed=seed)
        for place, (interval, truth) in enumerate(
            [(one.rmse, TRUTH[0]), (other.rmse, TRUTH[1]), (other.interval, TRUTH[1] - TRUTH[0])]
        ):
            n_covered[place] += interval.low <= truth <= interval.high
    # 95 % of 400, less a little for percentiles of 120 users; three standard deviations of chance.
    assert (n_covered / runs >= 0.91).all()
    assert (n_covered / runs <= 0.985).all()


def test_resampling_rows_gives_too_narrow_intervals() -> None:
    rng = np.random.default_rng(1)
    one, other = simulated(rng)
    users = [(error**2).sum(axis=1, keepdims=True) for error in (one, other)]
    rows = [(error**2).reshape(-1, 1) for error in (one, other)]
    by_user = bootstrap_intervals(users, np.full((120, 1), 8.0))[1].rmse
    by_row = bootstrap_intervals(rows, np.ones((960, 1)))[1].rmse
    assert by_user.high - by_user.low > 1.3 * (by_row.high - by_row.low)


def test_intervals_equal_scipy_bootstrap() -> None:
    rng = np.random.default_rng(2)
    counts = rng.integers(1, 30, 200).astype(float)
    one, other = (rng.gamma(counts, scale) for scale in (2.0, 2.1))

    def difference(a: np.ndarray, b: np.ndarray, n: np.ndarray, axis: int = -1) -> np.ndarray:
        total = n.sum(axis=axis)
        return np.sqrt(b.sum(axis=axis) / total) - np.sqrt(a.sum(axis=axis) / total)

    theirs = stats.bootstrap(
        (one, other, counts), difference, paired=True, vectorized=True, n_resamples=20_000,
        method="percentile", rng=np.random.default_rng(3),
    ).confidence_interval  # fmt: skip
    ours = bootstrap_intervals([one[:, None], other[:, None]], counts[:, None], n_resamples=20_000)[1]
    width = theirs.high - theirs.low
    assert ours.interval.low == pytest.approx(theirs.low, abs=0.04 * width)
    assert ours.interval.high == pytest.approx(theirs.high, abs=0.04 * width)
    assert ours.difference == pytest.approx(difference(one, other, counts), rel=1e-10)


@given(st.integers(0, 2**32 - 1), st.integers(2, 60))
def test_paired_t_test_equals_student_distribution(seed: int, users: int) -> None:
    first, second = np.random.default_rng(seed).gamma(2, size=(2, users))
    differences = first - second
    t = differences.mean() / (np.std(differences, ddof=1) / np.sqrt(users))
    assert paired_t_test(first, second) == pytest.approx(2 * special.stdtr(users - 1, -abs(t)), rel=1e-12)


def test_paired_t_test_of_ties_and_of_one_user() -> None:
    one = np.array([1.0, 2.0, 3.0])
    assert paired_t_test(one, one) == 1
    assert paired_t_test(one, one + 1) == 0
    assert paired_t_test(one[:1], one[:1] + 1) == 1


def test_resample_with_an_empty_fold_is_dropped() -> None:
    counts = np.zeros((25, 2))
    counts[:, 0], counts[0, 1] = 1, 1  # one user stands for the second fold
    uncertainty = bootstrap_intervals([counts * 2.0, counts * 3.0], counts)[1]
    assert np.isfinite([uncertainty.interval.low, uncertainty.interval.high]).all()


# Sums by user --------------------------------------------------------------------------------------------


def test_per_user_sums_are_exact(ratings: Ratings) -> None:
    protocol = make_plan(ratings, KFold(3, seed=1), None)
    predicted = [np.zeros(len(protocol.test_users(fold)), np.float32) for fold in range(3)]
    sums = PerUserErrors(protocol)
    errors = sums.sum_errors(predicted)
    assert sums.n_users == sums.n_groups == len(ratings.users) == len(errors)
    for user in range(len(ratings.users)):
        for fold in range(3):
            values_of_user = protocol.test_values(fold)[protocol.test_users(fold) == user]
            assert errors[user, fold] == pytest.approx((values_of_user.astype(float) ** 2).sum())
            assert sums.counts[user, fold] == len(values_of_user)


def test_grouping_many_users_keeps_interval_width() -> None:
    rng = np.random.default_rng(0)
    one, other = simulated(rng, users=3000)
    many = Ratings.from_columns(np.repeat(np.arange(3000), 8), np.tile(np.arange(8), 3000), np.zeros(24_000))
    predicted = [error.ravel().astype(np.float32) for error in (one, other)]
    found = []
    for groups in (10_000, 300):
        sums = PerUserErrors(EvaluationPlan(many, many, (), ""), max_groups=groups)
        assert (sums.n_users, sums.n_groups) == (3000, min(groups, 3000))
        assert sums.counts.sum() == 24_000
        found.append(bootstrap_intervals([sums.sum_errors([values]) for values in predicted], sums.counts)[1])
    assert found[0].difference == pytest.approx(found[1].difference, rel=1e-9)
    widths = [uncertainty.interval.high - uncertainty.interval.low for uncertainty in found]
    assert widths[1] == pytest.approx(widths[0], rel=0.2)


def test_a_million_rows_take_about_a_second() -> None:
    rows = 1_000_000
    rng = np.random.default_rng(0)
    users, items = rng.integers(0, 200_000, rows).astype(np.int32), np.zeros(rows, np.int32)
    many = Ratings(user=users, item=items, value=rng.normal(size=rows).astype(np.float32))
    predicted = [rng.normal(size=rows).astype(np.float32) for _ in range(2)]
    start = time.process_time()
    sums = PerUserErrors(EvaluationPlan(many, many, (), ""))
    bootstrap_intervals([sums.sum_errors([values]) for values in predicted], sums.counts)
    assert time.process_time() - start < 5  # about 0.6 s; a margin for busy machines


# In a comparison -----------------------------------------------------------------------------------------


@estimator
class Shaken(Bias):
    """Predicts a little off at random, so that it is as good but not the same."""

    size: float = param(0.01, "how far off", low=0)

    def _predict(self, pairs):
        found = super()._predict(pairs)
        noise = np.random.default_rng(0).normal(size=len(pairs), scale=self.size)
        return type(found)((found.value + noise).astype(np.float32), found.fallback)


@pytest.mark.parametrize("split", [HoldOut(0.3), KFold(3)])
def test_result_rows_have_intervals(larger_ratings: Ratings, split) -> None:
    results = compare(larger_ratings, [Bias(), UserItemMean(), ItemMean()], split=split)
    best, *other_rows = results.rows
    assert "gap_to_best" not in best
    for row in results.rows:
        low, high = row["rmse_interval"]
        assert low < row["rmse"] < high
    for row in other_rows:
        gap = row["gap_to_best"]
        assert gap["rmse"] == pytest.approx(row["rmse"] - best["rmse"], rel=1e-6)
        assert gap["interval"][0] <= gap["rmse"] <= gap["interval"][1]
        assert 0 <= gap["p"] <= 1
    assert other_rows[-1]["gap_to_best"]["p"] < 1e-6
    assert other_rows[-1]["gap_to_best"]["interval"][0] > 0


def test_sentences_name_best_ties_and_useless_models(larger_ratings: Ratings) -> None:
    results = compare(larger_ratings, [Bias(), Shaken(), UserItemMean(), Shaken(size=9.0)], metrics=["rmse"])
    rows = {row["repr"]: row for row in results.rows}
    sentences = results.sentences
    assert sentences[0] == results.headline
    best = "Bias" if results.best_row["model"] == "Bias" else "Shaken"
    other = rows["Shaken()" if best == "Bias" else "Bias()"]
    low, high = results.best_row["rmse_interval"]
    assert sentences[1] == (
        f"95 % confidence interval of the best RMSE: {low:.3f} to {high:.3f} (bootstrap over the "
        f"{results.n_test_users} test users)."
    )
    low, high = other["gap_to_best"]["interval"]
    assert low < 0 < high < 0.01
    decimals = 1 - math.floor(math.log10(max(-low, high)))  # two figures, however small
    assert decimals > 3
    name = "Shaken" if best == "Bias" else "Bias"
    assert sentences[2] == (
        "Not significantly different from it (95 % interval of the difference): "
        f"{name} ({low:.{decimals}f} to {high:.{decimals}f})."
    )
    low, high = rows["UserItemMean()"]["gap_to_best"]["interval"]
    gap = rows["UserItemMean()"]["gap_to_best"]["rmse"]
    assert sentences[3] == f"Next: UserItemMean, worse by {gap:.3f} (95 % interval {low:.3f} to {high:.3f})."
    assert sentences[4:] == ("No better than always guessing the mean: Shaken(size=9.0).",)
    assert str(results).startswith("\n".join(sentences))
    assert all(f"<p>{line}</p>" in results._repr_html_() for line in sentences)
    assert results.to_dict()["sentences"] == list(sentences)


def test_runner_up_is_named_without_ties(larger_ratings: Ratings) -> None:
    sentences = compare(larger_ratings, [Bias(), ItemMean()]).sentences
    assert len(sentences) == 3
    assert sentences[2].startswith("Runner-up: ItemMean, worse by ")


def test_too_few_users_replace_the_interval(ratings: Ratings) -> None:
    few = ratings.where("user < 60")
    assert 2 < len(few.users) < MIN_USERS
    results = compare(few, [Bias()])
    assert all("rmse_interval" not in row and "gap_to_best" not in row for row in results.rows)
    assert results.sentences[1] == (
        f"No confidence interval: {results.n_test_users} test users, and it takes 20 in each fold."
    )


def test_intervals_are_deterministic(ratings: Ratings) -> None:
    first, second = (
        compare(ratings, [Bias(), ItemMean()], split=KFold(2), threads=threads) for threads in (1, 2)
    )
    for row, same_row in zip(first.rows, second.rows, strict=True):
        assert row["rmse_interval"] == same_row["rmse_interval"]
        assert row.get("gap_to_best") == same_row.get("gap_to_best")
