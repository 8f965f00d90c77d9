"""Significance of differences between models: paired bootstrap over users, and a paired t-test.

Ratings of one user are not independent, as a model that is wrong about a user is wrong about most of their
ratings. Whole users are therefore resampled, with the same samples for every model.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from foretaste.evaluation.plan import EvaluationPlan
from foretaste.evaluation.results import MIN_USERS
from foretaste.typing import Float32Array, Float64Array

MAX_GROUPS = 10_000  # more users than that are resampled in groups: as exact, and fast for millions of users
N_RESAMPLES = 2_000
_CHUNK = 100  # resamples per step: 8 MB of weights


@dataclass(frozen=True)
class ConfidenceInterval:
    """A 95 % confidence interval."""

    low: float
    high: float


@dataclass(frozen=True)
class Uncertainty:
    """Uncertainty of the RMSE of one model and of its difference to another model.

    Parameters
    ----------
    rmse : ConfidenceInterval
        Of the RMSE, in rating units.
    difference : float
        Its RMSE minus that of the other model.
    interval : ConfidenceInterval
        Of the difference.
    p : float
        p-value of a paired two-sided t-test over users.
    """

    rmse: ConfidenceInterval
    difference: float
    interval: ConfidenceInterval
    p: float


class PerUserErrors:
    """Sums squared errors per group of users, so that models can be compared without their predictions.

    With up to ``max_groups`` test users each user is a group, otherwise users are assigned at random. Takes
    ``8 * n_groups * folds`` bytes per model.
    """

    def __init__(self, plan: EvaluationPlan, seed: int = 0, max_groups: int = MAX_GROUPS) -> None:
        self.plan = plan
        folds = range(len(plan))
        users = [plan.test_users(fold) for fold in folds]
        is_test_user = np.zeros(1 + max(int(codes.max()) for codes in users), dtype=bool)
        for codes in users:
            is_test_user[codes] = True
        self.n_users = int(np.count_nonzero(is_test_user))
        self.n_groups = min(self.n_users, max_groups)
        group_of_user = np.full(len(is_test_user), -1, np.int32)
        random_groups = np.random.default_rng(seed).permutation(self.n_users) % self.n_groups
        group_of_user[is_test_user] = (
            np.arange(self.n_users) if self.n_groups == self.n_users else random_groups
        )
        self.group_of_user = group_of_user
        self.counts = np.stack(  # (groups, folds)
            [np.bincount(group_of_user[codes], minlength=self.n_groups) for codes in users], axis=1
        ).astype(np.float64)

    @property
    def has_enough_users(self) -> bool:
        """Whether each fold has enough test users for intervals."""
        return bool((np.count_nonzero(self.counts, axis=0) >= MIN_USERS).all())

    def sum_errors(self, predictions: Sequence[Float32Array]) -> Float64Array:
        """Return the summed squared errors of predictions, one array per fold, shape (groups, folds)."""
        columns = []
        for fold, values in enumerate(predictions):
            error = self.plan.test_values(fold).astype(np.float64) - values
            group = self.group_of_user[self.plan.test_users(fold)]
            columns.append(np.bincount(group, error * error, self.n_groups))
        return np.stack(columns, axis=1)


def bootstrap_intervals(
    sums: Sequence[Float64Array],
    counts: Float64Array,
    *,
    best: int = 0,
    n_resamples: int = N_RESAMPLES,
    seed: int = 0,
) -> list[Uncertainty]:
    """Return the uncertainty of the RMSE of each model and of its difference to the best.

    Parameters
    ----------
    sums : sequence of float64 arrays, shape (groups, folds)
        Summed squared errors of each model.
    counts : float64 array, shape (groups, folds)
        Number of test rows of each group.
    best : int
        Index of the model that the others are compared with.
    n_resamples : int
        Number of bootstrap samples.
    seed : int
        Random seed of the samples.
    """
    errors = np.stack(sums, axis=1)  # (groups, models, folds)
    rmse = _rmse(errors.sum(axis=0)[None], counts.sum(axis=0)[None])[0]
    resampled = _resample_rmse(errors, counts, n_resamples, seed)  # (resamples, models)
    differences = resampled - resampled[:, [best]]
    results = []
    for model in range(len(sums)):
        difference = float(rmse[model] - rmse[best])
        p = paired_t_test(sums[model].sum(axis=1), sums[best].sum(axis=1))
        results.append(
            Uncertainty(
                _central_interval(resampled[:, model]),
                difference,
                _central_interval(differences[:, model]),
                p,
            )
        )
    return results


def paired_t_test(first: Float64Array, second: Float64Array) -> float:
    """Return the p-value of a paired two-sided t-test: two models have equal summed squared errors per user.

    Parameters
    ----------
    first, second : float64 arrays, shape (groups,)
    """
    from scipy.stats import ttest_rel

    if len(first) < 2 or np.array_equal(first, second):
        return 1.0
    with warnings.catch_warnings():  # of differences that are all nearly the same, of which p is 0
        warnings.simplefilter("ignore", RuntimeWarning)
        return float(ttest_rel(first, second).pvalue)


def _resample_rmse(errors: Float64Array, counts: Float64Array, n_resamples: int, seed: int) -> Float64Array:
    """Return the RMSE of each model in each bootstrap sample, a mean over folds, shape (samples, models)."""
    from threadpoolctl import threadpool_limits

    n_groups, n_models, n_folds = errors.shape
    flat = errors.reshape(n_groups, n_models * n_folds)
    rng = np.random.default_rng(seed)
    parts = []
    with threadpool_limits(1):  # bit-identical for any number of cores
        for start in range(0, n_resamples, _CHUNK):
            n = min(_CHUNK, n_resamples - start)
            sampled_groups = rng.integers(0, n_groups, (n, n_groups), dtype=np.int32) + (
                n_groups * np.arange(n, dtype=np.int32)[:, None]
            )
            weights = (
                np.bincount(sampled_groups.ravel(), minlength=n * n_groups)
                .reshape(n, n_groups)
                .astype(np.float64)
            )
            parts.append(_rmse((weights @ flat).reshape(n, n_models, n_folds), weights @ counts))
    rmse = np.concatenate(parts)
    return rmse[np.isfinite(rmse).all(axis=1)]  # a sample can leave a fold without rows


def _rmse(errors: Float64Array, counts: Float64Array) -> Float64Array:
    """Return the RMSE as a mean over folds, shape (n, models), from sums (n, models, folds) and counts."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.sqrt(errors / counts[:, None, :]).mean(axis=2))


def _central_interval(values: Float64Array) -> ConfidenceInterval:
    low, high = np.quantile(values, (0.025, 0.975))
    return ConfidenceInterval(float(low), float(high))
