"""How sure a figure and a difference are: resampling of users, and a paired test over users.

Ratings of one user are not independent: a model that misjudges a person misjudges most of their ratings. So
whole users are drawn, with replacement, and every model is judged by the same draws (a paired bootstrap).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from foretaste.evaluation.plan import Protocol
from foretaste.evaluation.results import LEAST_USERS

Sums = npt.NDArray[np.float64]

GROUPS = 10_000  # users are drawn in so many groups at most: as sure, and quick for millions of users
RESAMPLES = 2_000
_CHUNK = 100  # resamples at a time, 8 MB of weights


@dataclass(frozen=True)
class Interval:
    """A 95 % interval, ``low`` to ``high``."""

    low: float
    high: float


@dataclass(frozen=True)
class Uncertainty:
    """How sure the RMSE of one model is, and its difference to another.

    Parameters
    ----------
    rmse : Interval
        Of its RMSE, in rating units.
    difference : float
        Its RMSE less that of the other model.
    interval : Interval
        Of the difference.
    p : float
        Of a paired t-test over users: how often a difference of this size or larger would come about by
        chance if both were equally good.
    """

    rmse: Interval
    difference: float
    interval: Interval
    p: float


class UserSums:
    """Adds up squared errors by groups of users, so that models can be compared without their predictions.

    With at most ``GROUPS`` users judged every user is a group; else users are dealt out at random. Needs
    ``8 * groups * folds`` bytes a model.
    """

    def __init__(self, protocol: Protocol, seed: int = 0) -> None:
        self.protocol = protocol
        folds = range(len(protocol))
        users = [protocol.judged_users(fold) for fold in folds]
        seen = np.zeros(1 + max(int(codes.max()) for codes in users), dtype=bool)
        for codes in users:
            seen[codes] = True
        self.users = int(np.count_nonzero(seen))
        self.groups = min(self.users, GROUPS)
        places = np.full(len(seen), -1, np.int32)
        dealt = np.random.default_rng(seed).permutation(self.users) % self.groups
        places[seen] = np.arange(self.users) if self.groups == self.users else dealt
        self.places = places
        self.counts = np.stack(  # (groups, folds)
            [np.bincount(places[codes], minlength=self.groups) for codes in users], axis=1
        ).astype(np.float64)

    @property
    def enough(self) -> bool:
        """Whether each fold judges enough users for intervals."""
        return bool((np.count_nonzero(self.counts, axis=0) >= LEAST_USERS).all())

    def of(self, predicted: Sequence[npt.NDArray[np.float32]]) -> Sums:
        """Return the summed squared errors of predictions, one array a fold, shape (groups, folds)."""
        columns = []
        for fold, values in enumerate(predicted):
            error = self.protocol.judged_values(fold).astype(np.float64) - values
            group = self.places[self.protocol.judged_users(fold)]
            columns.append(np.bincount(group, error * error, self.groups))
        return np.stack(columns, axis=1)


def uncertainties(
    sums: Sequence[Sums], counts: Sums, *, best: int = 0, resamples: int = RESAMPLES, seed: int = 0
) -> list[Uncertainty]:
    """Say how sure the RMSE of each model is, and its difference to the best.

    Parameters
    ----------
    sums : sequence of float64 arrays, shape (groups, folds)
        Summed squared errors of each model.
    counts : float64 array, shape (groups, folds)
        How many rows of each group were judged.
    best : int
        Which of the models the others are compared with.
    resamples : int
        How often all groups are drawn anew; the intervals are the middle 95 % of the figures that result.
    seed : int
    """
    errors = np.stack(sums, axis=1)  # (groups, models, folds)
    exact = _rmse(errors.sum(axis=0)[None], counts.sum(axis=0)[None])[0]
    drawn = _resampled(errors, counts, resamples, seed)  # (resamples, models)
    apart = drawn - drawn[:, [best]]
    found = []
    for model in range(len(sums)):
        difference = float(exact[model] - exact[best])
        p = paired_p(sums[model].sum(axis=1), sums[best].sum(axis=1))
        found.append(Uncertainty(_middle(drawn[:, model]), difference, _middle(apart[:, model]), p))
    return found


def paired_p(one: Sums, other: Sums) -> float:
    """Return p of a paired t-test (two-sided) that two models have equal summed squared errors a user.

    Parameters
    ----------
    one, other : float64 arrays, shape (groups,)
    """
    from scipy.special import stdtr

    apart = one - other
    if len(apart) < 2 or not apart.any():
        return 1.0
    spread = float(np.std(apart, ddof=1)) / math.sqrt(len(apart))
    if spread == 0:
        return 0.0
    return float(2 * stdtr(len(apart) - 1, -abs(float(apart.mean())) / spread))


def _resampled(errors: Sums, counts: Sums, resamples: int, seed: int) -> Sums:
    """Return the RMSE of each model in each resample, a mean over folds, shape (resamples, models)."""
    from threadpoolctl import threadpool_limits

    groups, models, folds = errors.shape
    flat = errors.reshape(groups, models * folds)
    random = np.random.default_rng(seed)
    parts = []
    with threadpool_limits(1):  # the same bits whatever the number of cores
        for start in range(0, resamples, _CHUNK):
            n = min(_CHUNK, resamples - start)
            draws = random.integers(0, groups, (n, groups), dtype=np.int32) + (
                groups * np.arange(n, dtype=np.int32)[:, None]
            )
            times = np.bincount(draws.ravel(), minlength=n * groups).reshape(n, groups).astype(np.float64)
            parts.append(_rmse((times @ flat).reshape(n, models, folds), times @ counts))
    drawn = np.concatenate(parts)
    return drawn[np.isfinite(drawn).all(axis=1)]  # but for draws that leave a fold without a row


def _rmse(errors: Sums, counts: Sums) -> Sums:
    """Return means over folds of RMSE, shape (n, models), from sums (n, models, folds), (n, folds)."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.sqrt(errors / counts[:, None, :]).mean(axis=2))


def _middle(values: Sums) -> Interval:
    low, high = np.quantile(values, (0.025, 0.975))
    return Interval(float(low), float(high))
