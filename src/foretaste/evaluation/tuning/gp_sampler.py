"""Bayesian optimization: Gaussian-process surrogate with expected improvement.

Rasmussen and Williams, "Gaussian processes for machine learning", 2006; expected improvement: Jones, Schonlau
and Welch, Journal of Global Optimization 13, 1998.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from foretaste.evaluation.tuning.samplers import Params, RandomSampler, setting_key
from foretaste.evaluation.tuning.search_space import Categorical, Interval, SearchSpace
from foretaste.evaluation.tuning.study import FAILED, Trial
from foretaste.typing import Float64Array, IntpArray

_N_RANDOM = 2000  # candidates sampled from the whole space
_N_BEST, _STEP_SIZES = 5, (0.1, 0.03, 0.01)  # and around the best points, at these distances
_N_PER_STEP = 100
# Every third trial requires a margin of improvement (in standard deviations of the scores), which favors
# exploration: another category may have a better optimum than the one that looked good early.
_EXPLORE_MARGIN, _EXPLORE_EVERY = 0.2, 3
# Normal priors (mean, std) of the log length scales (in units of the cube), of the log signal variance and of
# the log noise variance (in units of the scores' variance): they regularize the fit to few trials.
_LENGTH_PRIOR, _SIGNAL_PRIOR, _NOISE_PRIOR = (np.log(0.5), 1.0), (0.0, 1.0), (np.log(0.01), 2.0)
_REFIT_FACTOR = 1.1  # hyperparameters are refitted when the number of trials has grown by this factor


def n_startup_trials(dimensions: int) -> int:
    """Return the number of random trials before the surrogate model is used."""
    return max(8, 3 * dimensions)


class GPSampler:
    """Samples settings by expected improvement under a Gaussian process.

    A score on few folds has a larger noise variance, so that pruned trials contribute, too; differences in
    difficulty between folds are removed first.

    Parameters
    ----------
    space : SearchSpace
    seed : int
    maximize : bool
        Whether a greater score is better.
    max_trials : int
        Number of trials that the process is fitted to: the cost grows with its cube.
    """

    def __init__(self, space: SearchSpace, seed: int, maximize: bool, max_trials: int = 256) -> None:
        self.space, self.seed, self.max_trials = space, seed, max_trials
        self.sign = -1.0 if maximize else 1.0
        self.random_sampler = RandomSampler(space, seed)
        self.cube = UnitCube(space)
        self.trials: list[Trial] = []
        self.points: list[Float64Array] = []
        self.hyperparameters = 0, np.empty(0)  # number of trials fitted to, and the result

    def tell(self, trial: Trial, params: Params) -> None:
        """Add a finished trial if the space contains it; a failed one counts as the worst."""
        if all(self.space[name].contains(value) for name, value in params.items()):
            self.trials.append(trial)
            self.points.append(self.cube.encode(params))

    def ask(self, index: int, known_keys: set[str]) -> Params | None:
        """Return the setting with the largest expected improvement; a random one if all are known."""
        if len(self.trials) < n_startup_trials(len(self.space)) - 1:
            return self.random_sampler.ask(index, known_keys)
        from threadpoolctl import threadpool_limits

        with threadpool_limits(1):  # bit-identical for any number of cores
            margin = _EXPLORE_MARGIN if index % _EXPLORE_EVERY == 0 else 0.0
            candidates = self._rank_candidates(np.random.default_rng([self.seed, index]), margin)
        for point in candidates:
            params = self.cube.decode(point)
            if setting_key(self.space, params) not in known_keys:
                return params
        return self.random_sampler.ask(index, known_keys)

    def _rank_candidates(self, rng: np.random.Generator, margin: float) -> Float64Array:
        """Return candidate points by decreasing expected improvement beyond ``margin``."""
        score, n_folds = comparable_scores(self.trials, self.sign)
        points = np.array(self.points)
        process = self._build_process(points, score, n_folds)
        mean, _ = process.predict(points)
        best = points[np.argsort(mean, kind="stable")[:_N_BEST]]
        candidates = np.concatenate([self.cube.sample(rng, _N_RANDOM), self.cube.perturb(rng, best)])
        improvement = process.expected_improvement(candidates, float(mean.min()) - margin * process.std)
        return candidates[np.argsort(-improvement, kind="stable")]

    def _build_process(
        self, points: Float64Array, score: Float64Array, n_folds: Float64Array
    ) -> GaussianProcess:
        """Return the process; its hyperparameters are refitted at fixed numbers of trials."""
        selected = select_trials(score, self.max_trials)
        refit_at = 1
        while refit_at * _REFIT_FACTOR + 1 <= len(score):  # depends on the number of trials only
            refit_at = int(refit_at * _REFIT_FACTOR + 1)
        if self.hyperparameters[0] != refit_at:
            first_scores, first_n_folds = comparable_scores(self.trials[:refit_at], self.sign)
            subset = select_trials(first_scores, self.max_trials)
            self.hyperparameters = (
                refit_at,
                fit_hyperparameters(
                    points[:refit_at][subset], first_scores[subset], first_n_folds[subset], self.cube.groups
                ),
            )
        return GaussianProcess(
            points[selected], score[selected], n_folds[selected], self.cube.groups, self.hyperparameters[1]
        )


def select_trials(score: Float64Array, max_trials: int) -> IntpArray:
    """Return the trials to fit to, at most ``max_trials``: half of them the best, half the latest."""
    if len(score) <= max_trials:
        return np.arange(len(score))
    best = np.argsort(score, kind="stable")[: max_trials // 2]
    latest = np.setdiff1d(np.arange(len(score)), best)[-(max_trials // 2) :]
    return np.sort(np.concatenate([best, latest]))


def comparable_scores(trials: list[Trial], sign: float) -> tuple[Float64Array, Float64Array]:
    """Return one score per trial, less being better and independent of its folds, and its number of folds.

    Trials are evaluated on the first fold, the second, and so on; the difficulty of a fold relative to those
    before is the median over the trials that reached it.
    """
    rows = [sign * np.array(trial.scores) for trial in trials]
    fold_offsets: list[float] = []
    for fold in range(max(map(len, rows), default=0)):
        differences = [
            row[fold] - np.mean(row[:fold] - fold_offsets) if fold else 0.0 for row in rows if len(row) > fold
        ]
        fold_offsets.append(float(np.median(differences)))
    score = np.array([np.mean(row - fold_offsets[: len(row)]) if len(row) else np.nan for row in rows])
    finite_scores = score[np.isfinite(score)]
    if len(finite_scores) == 0:
        return np.zeros(len(rows)), np.ones(len(rows))
    # Clip outliers: a diverged trial would distort the surrogate everywhere.
    median = float(np.median(finite_scores))
    worst = median + 2 * (median - float(finite_scores.min()))
    failed_mask = np.array([trial.state == FAILED for trial in trials])
    score[failed_mask | ~np.isfinite(score)] = worst
    return np.minimum(score, worst), np.array([max(1, len(row)) for row in rows], np.float64)


@dataclass
class UnitCube:
    """A search space encoded as a unit cube: log scales where declared, one axis per category."""

    space: SearchSpace

    def __post_init__(self) -> None:
        groups: list[int] = []  # parameter of each axis
        for index, dimension in enumerate(self.space.values()):
            is_nominal = isinstance(dimension, Categorical) and dimension.sorted_values() is None
            groups += [index] * (
                len(dimension.values) if is_nominal and isinstance(dimension, Categorical) else 1
            )
        self.groups = np.array(groups)

    def encode(self, params: Params) -> Float64Array:
        """Return the point of a setting."""
        axes: list[float] = []
        for name, dimension in self.space.items():
            if isinstance(dimension, Interval):
                axes.append(_to_unit(dimension, params[name]))
            else:
                axes += _encode_category(dimension, dimension.index_of(params[name]))
        return np.array(axes)

    def decode(self, point: Float64Array) -> Params:
        """Return the setting at a point."""
        params: Params = {}
        for index, (name, dimension) in enumerate(self.space.items()):
            axes = point[self.groups == index]
            if isinstance(dimension, Interval):
                params[name] = dimension.from_unit(float(axes[0]))
            elif (sorted_values := dimension.sorted_values()) is not None:
                params[name] = sorted_values[round(float(axes[0]) * (len(sorted_values) - 1))]
            else:
                params[name] = dimension.values[int(np.argmax(axes))]
        return params

    def sample(self, rng: np.random.Generator, n: int) -> Float64Array:
        """Return random points, shape (n, axes)."""
        columns = []
        for dimension in self.space.values():
            if isinstance(dimension, Interval):
                columns.append(rng.random((n, 1)))
            else:
                encoded_values = [
                    _encode_category(dimension, index) for index in range(len(dimension.values))
                ]
                columns.append(np.array(encoded_values)[rng.integers(len(encoded_values), size=n)])
        return np.concatenate(columns, axis=1)

    def perturb(self, rng: np.random.Generator, centers: Float64Array) -> Float64Array:
        """Return random points near ``centers``; categories are resampled with probability 0.2."""
        base = np.repeat(centers, _N_PER_STEP * len(_STEP_SIZES), axis=0)
        steps = np.tile(np.repeat(_STEP_SIZES, _N_PER_STEP), len(centers))[:, None]
        resampled = self.sample(rng, len(base))
        perturbed = np.clip(base + steps * rng.normal(size=base.shape), 0, 1)
        for index, dimension in enumerate(self.space.values()):
            if isinstance(dimension, Categorical):
                is_resampled = (rng.random(len(base)) < 0.2)[:, None]
                axes = self.groups == index
                perturbed[:, axes] = np.where(is_resampled, resampled[:, axes], base[:, axes])
        return perturbed


def _to_unit(dimension: Interval, value: float) -> float:
    low, high = dimension.low, dimension.high
    if dimension.log:
        return float(np.log(value / low) / np.log(high / low))
    return float((value - low) / (high - low))


def _encode_category(categorical: Categorical, index: int) -> list[float]:
    """Return the coordinates of a value: ordered numbers on a line, categories one-hot."""
    n_values = len(categorical.values)
    if categorical.sorted_values() is not None:
        return [index / max(1, n_values - 1)]
    return [float(point == index) for point in range(n_values)]


# The Gaussian process ------------------------------------------------------------------------------------


def _matern52(
    a: Float64Array, b: Float64Array, length_scales: Float64Array
) -> tuple[Float64Array, Float64Array]:
    """Return the Matern 5/2 correlation of points, and minus its derivative by the squared distance."""
    from scipy.spatial.distance import cdist

    scaled_distance = np.sqrt(5) * cdist(a / length_scales, b / length_scales)
    decay = np.exp(-scaled_distance)
    return (1 + scaled_distance + scaled_distance**2 / 3) * decay, 5 / 6 * (1 + scaled_distance) * decay


@dataclass
class GaussianProcess:
    """A Gaussian process conditioned on scores.

    Parameters
    ----------
    points : array, shape (n, axes)
    scores : array, shape (n,)
    n_folds : array, shape (n,)
        Number of folds that a score is the mean of; divides its noise variance.
    groups : array, shape (axes,)
        Parameter of each axis.
    log_hyperparameters : array
        Logarithms of a length scale per parameter, of the signal variance and of the noise variance.
    """

    points: Float64Array
    scores: Float64Array
    n_folds: Float64Array
    groups: IntpArray
    log_hyperparameters: Float64Array

    def __post_init__(self) -> None:
        from scipy.linalg import cho_factor, cho_solve

        self.mean, self.std = float(np.mean(self.scores)), float(np.std(self.scores)) or 1.0
        *length_scales, signal_variance, noise_variance = np.exp(self.log_hyperparameters)
        self.length_scales, self.signal_variance = np.array(length_scales)[self.groups], signal_variance
        covariance = signal_variance * _matern52(self.points, self.points, self.length_scales)[0]
        covariance[np.diag_indices_from(covariance)] += noise_variance / self.n_folds + 1e-8
        self.cholesky = cho_factor(covariance, lower=True)
        self.alpha = cho_solve(self.cholesky, (self.scores - self.mean) / self.std)

    def predict(self, points: Float64Array) -> tuple[Float64Array, Float64Array]:
        """Return the mean and the standard deviation at points, without noise."""
        from scipy.linalg import solve_triangular

        cross_covariance = self.signal_variance * _matern52(points, self.points, self.length_scales)[0]
        whitened = solve_triangular(self.cholesky[0], cross_covariance.T, lower=True)
        std = np.sqrt(np.maximum(self.signal_variance - np.sum(whitened**2, axis=0), 1e-12))
        return self.mean + self.std * (cross_covariance @ self.alpha), self.std * std

    def expected_improvement(self, points: Float64Array, best: float) -> Float64Array:
        """Return the expected improvement below ``best`` at points."""
        from scipy.special import ndtr

        mean, std = self.predict(points)
        z = (best - mean) / std
        improvement = (best - mean) * ndtr(z) + std * np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi)
        return np.asarray(improvement, np.float64)


def fit_hyperparameters(
    points: Float64Array, score: Float64Array, n_folds: Float64Array, groups: IntpArray
) -> Float64Array:
    """Return the maximum a posteriori log hyperparameters."""
    from scipy.optimize import minimize

    standardized = (score - np.mean(score)) / (float(np.std(score)) or 1.0)
    n_length_scales = int(groups.max()) + 1
    priors = np.array([*[_LENGTH_PRIOR] * n_length_scales, _SIGNAL_PRIOR, _NOISE_PRIOR])

    def objective(log_hyperparameters: Float64Array) -> tuple[float, Float64Array]:
        return negative_log_posterior(log_hyperparameters, points, standardized, n_folds, groups, priors)

    bounds = np.log([*[(0.03, 10.0)] * n_length_scales, (0.05, 20.0), (1e-6, 2.0)])
    return np.asarray(minimize(objective, priors[:, 0], jac=True, method="L-BFGS-B", bounds=bounds).x)


def negative_log_posterior(
    log_hyperparameters: Float64Array,
    points: Float64Array,
    standardized: Float64Array,
    n_folds: Float64Array,
    groups: IntpArray,
    priors: Float64Array,
) -> tuple[float, Float64Array]:
    """Return the negative log posterior of the hyperparameters and its gradient."""
    from scipy.linalg import cho_factor, cho_solve

    *length_scales, signal_variance, noise_variance = np.exp(log_hyperparameters)
    axis_scales = np.array(length_scales)[groups]
    kernel, decay = _matern52(points, points, axis_scales)
    covariance = signal_variance * kernel
    covariance[np.diag_indices_from(covariance)] += noise_variance / n_folds + 1e-8
    cholesky = cho_factor(covariance, lower=True)
    inverse = cho_solve(cholesky, np.eye(len(standardized)))
    alpha = inverse @ standardized
    # -2 times the derivative of the log likelihood by the covariance
    covariance_gradient = inverse - np.outer(alpha, alpha)
    z = (log_hyperparameters - priors[:, 0]) / priors[:, 1]
    value = 0.5 * float(standardized @ alpha) + float(np.log(np.diag(cholesky[0])).sum()) + 0.5 * float(z @ z)
    gradient = z / priors[:, 1]
    weighted = signal_variance * covariance_gradient * decay
    for axis, group in enumerate(groups):
        difference = (points[:, axis, None] - points[:, axis]) / axis_scales[axis]
        gradient[group] += float(np.sum(weighted * difference**2))
    gradient[-2] += 0.5 * float(np.sum(covariance_gradient * signal_variance * kernel))
    gradient[-1] += 0.5 * float(np.sum(np.diag(covariance_gradient) * noise_variance / n_folds))
    return value, gradient
