"""Which setting to try next, by a Gaussian process: a smooth surface through the scores, and its doubt.

Rasmussen and Williams, "Gaussian processes for machine learning", 2006; expected improvement: Jones, Schonlau
and Welch, Journal of Global Optimization 13, 1998.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from foretaste.evaluation.tuning.samplers import Drawn, Params, key
from foretaste.evaluation.tuning.search_space import Choice, Range, Space
from foretaste.evaluation.tuning.study import REFUSED, Trial

Floats = npt.NDArray[np.float64]

_MOST = 256  # trials that the surface goes through: its cost grows with their cube
_DRAWN = 2000  # places looked at everywhere
_NEAR, _STEPS = 5, (0.1, 0.03, 0.01)  # and around so many of the best, at such distances
_EACH = 100
# Each third trial asks where there may be much to gain (in standard deviations of the scores), not a little
# more beside the best: another word may have a better bottom than the one that looked good early.
_FAR, _FAR_EVERY = 0.2, 3
# What is expected of lengths (of a side of the space), and of the variances of surface and noise (of the
# variance of the scores), as logarithms and their spread: enough to hold them where there are few trials.
_LENGTH, _SURFACE, _NOISE = (np.log(0.5), 1.0), (0.0, 1.0), (np.log(0.01), 2.0)
_AGAIN = 1.1  # lengths and variances are found again when there are so many times the trials


def surface_start(dimensions: int) -> int:
    """Return how many settings are drawn before the surface has something to say."""
    return max(8, 3 * dimensions)


class Surface:
    """Settings of which a Gaussian process expects most.

    A score of few folds counts with more noise than one of many, so that what was dropped early tells its
    part; how hard each fold is, is taken out first.
    """

    def __init__(self, space: Space, seed: int, maximize: bool) -> None:
        self.space, self.seed = space, seed
        self.sign = -1.0 if maximize else 1.0
        self.drawn = Drawn(space, seed)
        self.cube = Cube(space)
        self.trials: list[Trial] = []
        self.places: list[Floats] = []
        self.found = 0, np.empty(0)  # after how many trials, which constants

    def learn(self, trial: Trial, params: Params) -> None:
        """Take in a finished trial, if the space holds it; one that was refused counts as the worst."""
        if all(self.space[name].holds(value) for name, value in params.items()):
            self.trials.append(trial)
            self.places.append(self.cube.place(params))

    def propose(self, number: int, seen: set[str]) -> Params | None:
        """Return the setting of which most improvement is expected; if all were seen, a drawn one."""
        if len(self.trials) < surface_start(len(self.space)) - 1:
            return self.drawn.propose(number, seen)
        from threadpoolctl import threadpool_limits

        with threadpool_limits(1):  # the same bits whatever the number of cores
            wanted = _FAR if number % _FAR_EVERY == 0 else 0.0
            ranked = self._ranked(np.random.default_rng([self.seed, number]), wanted)
        for place in ranked:
            params = self.cube.params(place)
            if key(self.space, params) not in seen:
                return params
        return self.drawn.propose(number, seen)

    def _ranked(self, random: np.random.Generator, wanted: float) -> Floats:
        """Return places to try, those first of which most is expected beyond the gain wanted."""
        score, folds = comparable(self.trials, self.sign)
        places = np.array(self.places)
        process = self._process(places, score, folds)
        mean, _ = process.at(places)
        best = places[np.argsort(mean, kind="stable")[:_NEAR]]
        candidates = np.concatenate([self.cube.draw(random, _DRAWN), self.cube.around(random, best)])
        gain = process.expected_gain(candidates, float(mean.min()) - wanted * process.spread)
        return candidates[np.argsort(-gain, kind="stable")]

    def _process(self, places: Floats, score: Floats, folds: Floats) -> Process:
        """Return the process, its constants found again from time to time (from the first trials only)."""
        kept = _most_telling(score)
        due = 1
        while due * _AGAIN + 1 <= len(score):  # a row of numbers that follows from nothing but itself
            due = int(due * _AGAIN + 1)
        if self.found[0] != due:
            first, count = comparable(self.trials[:due], self.sign)
            some = _most_telling(first)
            self.found = due, fitted(places[:due][some], first[some], count[some], self.cube.groups)
        return Process(places[kept], score[kept], folds[kept], self.cube.groups, self.found[1])


def _most_telling(score: Floats) -> npt.NDArray[np.intp]:
    """Return which trials the surface goes through: the better half of what there is room for, the latest."""
    if len(score) <= _MOST:
        return np.arange(len(score))
    best = np.argsort(score, kind="stable")[: _MOST // 2]
    late = np.setdiff1d(np.arange(len(score)), best)[-(_MOST // 2) :]
    return np.sort(np.concatenate([best, late]))


def comparable(trials: list[Trial], sign: float) -> tuple[Floats, Floats]:
    """Return one score a trial, less being better, whatever folds it was judged on, and how many those were.

    Trials are judged on the first fold, the second, and so on; how much harder a fold is than those before it
    is the median of what the trials say that came as far.
    """
    rows = [sign * np.array(trial.scores) for trial in trials]
    harder: list[float] = []
    for fold in range(max(map(len, rows), default=0)):
        more = [row[fold] - np.mean(row[:fold] - harder) if fold else 0.0 for row in rows if len(row) > fold]
        harder.append(float(np.median(more)))
    score = np.array([np.mean(row - harder[: len(row)]) if len(row) else np.nan for row in rows])
    judged = score[np.isfinite(score)]
    if len(judged) == 0:
        return np.zeros(len(rows)), np.ones(len(rows))
    # Far off it matters not how far: one that diverged would bend the surface everywhere.
    middle = float(np.median(judged))
    worst = middle + 2 * (middle - float(judged.min()))
    refused = np.array([trial.state == REFUSED for trial in trials])
    score[refused | ~np.isfinite(score)] = worst
    return np.minimum(score, worst), np.array([max(1, len(row)) for row in rows], np.float64)


@dataclass
class Cube:
    """A space as a cube of side 1: logarithms where they are meant, one axis for each word."""

    space: Space

    def __post_init__(self) -> None:
        groups: list[int] = []  # which parameter an axis belongs to
        for number, dimension in enumerate(self.space.values()):
            words = isinstance(dimension, Choice) and dimension.ordered() is None
            groups += [number] * (len(dimension.values) if words and isinstance(dimension, Choice) else 1)
        self.groups = np.array(groups)

    def place(self, params: Params) -> Floats:
        """Return where a setting lies."""
        axes: list[float] = []
        for name, dimension in self.space.items():
            if isinstance(dimension, Range):
                axes.append(_share(dimension, params[name]))
            else:
                axes += _axes(dimension, _index(dimension, params[name]))
        return np.array(axes)

    def params(self, place: Floats) -> Params:
        """Return the setting at a place."""
        params: Params = {}
        for number, (name, dimension) in enumerate(self.space.items()):
            axes = place[self.groups == number]
            if isinstance(dimension, Range):
                params[name] = dimension.at(float(axes[0]))
            elif (numbers := dimension.ordered()) is not None:
                params[name] = numbers[round(float(axes[0]) * (len(numbers) - 1))]
            else:
                params[name] = dimension.values[int(np.argmax(axes))]
        return params

    def draw(self, random: np.random.Generator, n: int) -> Floats:
        """Return random places, shape (n, axes)."""
        columns = []
        for dimension in self.space.values():
            if isinstance(dimension, Range):
                columns.append(random.random((n, 1)))
            else:
                each = [_axes(dimension, index) for index in range(len(dimension.values))]
                columns.append(np.array(each)[random.integers(len(each), size=n)])
        return np.concatenate(columns, axis=1)

    def around(self, random: np.random.Generator, centres: Floats) -> Floats:
        """Return random places near some; each parameter that is a choice changes in one of five."""
        near = np.repeat(centres, _EACH * len(_STEPS), axis=0)
        steps = np.tile(np.repeat(_STEPS, _EACH), len(centres))[:, None]
        anew = self.draw(random, len(near))
        moved = np.clip(near + steps * random.normal(size=near.shape), 0, 1)
        for number, dimension in enumerate(self.space.values()):
            if isinstance(dimension, Choice):
                changed = (random.random(len(near)) < 0.2)[:, None]
                axes = self.groups == number
                moved[:, axes] = np.where(changed, anew[:, axes], near[:, axes])
        return moved


def _share(dimension: Range, value: float) -> float:
    low, high = dimension.low, dimension.high
    if dimension.log:
        return float(np.log(value / low) / np.log(high / low))
    return float((value - low) / (high - low))


def _index(choice: Choice, value: Any) -> int:
    values = [choice.to_json(one) for one in choice.ordered() or choice.values]
    return values.index(choice.to_json(value))


def _axes(choice: Choice, index: int) -> list[float]:
    """Return the place of one of some values: numbers along a line, words each on an axis of its own."""
    count = len(choice.values)
    if choice.ordered() is not None:
        return [index / max(1, count - 1)]
    return [float(place == index) for place in range(count)]


# The process ---------------------------------------------------------------------------------------------


def _kernel(a: Floats, b: Floats, lengths: Floats) -> tuple[Floats, Floats]:
    """Return Matern's covariance (5/2) of places, and how it falls with the square of the distance."""
    from scipy.spatial.distance import cdist

    far = np.sqrt(5) * cdist(a / lengths, b / lengths)
    fall = np.exp(-far)
    return (1 + far + far**2 / 3) * fall, 5 / 6 * (1 + far) * fall


@dataclass
class Process:
    """A Gaussian process through scores.

    Parameters
    ----------
    places : array, shape (n, axes)
    score : array, shape (n,)
    folds : array, shape (n,)
        How many folds a score is the mean of: its noise is so many times smaller.
    groups : array, shape (axes,)
        Which parameter an axis belongs to.
    constants : array
        The logarithms of a length a parameter, of the variance of the surface, and of that of the noise.
    """

    places: Floats
    score: Floats
    folds: Floats
    groups: npt.NDArray[np.intp]
    constants: Floats

    def __post_init__(self) -> None:
        from scipy.linalg import cho_factor, cho_solve

        self.middle, self.spread = float(np.mean(self.score)), float(np.std(self.score)) or 1.0
        *lengths, surface, noise = np.exp(self.constants)
        self.lengths, self.surface = np.array(lengths)[self.groups], surface
        covariance = surface * _kernel(self.places, self.places, self.lengths)[0]
        covariance[np.diag_indices_from(covariance)] += noise / self.folds + 1e-8
        self.factor = cho_factor(covariance, lower=True)
        self.solved = cho_solve(self.factor, (self.score - self.middle) / self.spread)

    def at(self, places: Floats) -> tuple[Floats, Floats]:
        """Return what is expected at places, without noise, and its standard deviation."""
        from scipy.linalg import solve_triangular

        across = self.surface * _kernel(places, self.places, self.lengths)[0]
        known = solve_triangular(self.factor[0], across.T, lower=True)
        doubt = np.sqrt(np.maximum(self.surface - np.sum(known**2, axis=0), 1e-12))
        return self.middle + self.spread * (across @ self.solved), self.spread * doubt

    def expected_gain(self, places: Floats, best: float) -> Floats:
        """Return how much below ``best`` a place is expected to be, what is above counting as 0."""
        from scipy.special import ndtr

        mean, doubt = self.at(places)
        off = (best - mean) / doubt
        gain = (best - mean) * ndtr(off) + doubt * np.exp(-(off**2) / 2) / np.sqrt(2 * np.pi)
        return np.asarray(gain, np.float64)


def fitted(places: Floats, score: Floats, folds: Floats, groups: npt.NDArray[np.intp]) -> Floats:
    """Return the constants of a process that are likeliest, given the scores and what is expected of them."""
    from scipy.optimize import minimize

    standard = (score - np.mean(score)) / (float(np.std(score)) or 1.0)
    count = int(groups.max()) + 1
    expected = np.array([*[_LENGTH] * count, _SURFACE, _NOISE])

    def cost(constants: Floats) -> tuple[float, Floats]:
        return _cost(constants, places, standard, folds, groups, expected)

    bounds = np.log([*[(0.03, 10.0)] * count, (0.05, 20.0), (1e-6, 2.0)])
    return np.asarray(minimize(cost, expected[:, 0], jac=True, method="L-BFGS-B", bounds=bounds).x)


def _cost(
    constants: Floats,
    places: Floats,
    standard: Floats,
    folds: Floats,
    groups: npt.NDArray[np.intp],
    expected: Floats,
) -> tuple[float, Floats]:
    """Return the negative logarithm of likelihood and expectation together, and its gradient."""
    from scipy.linalg import cho_factor, cho_solve

    *lengths, surface, noise = np.exp(constants)
    axes = np.array(lengths)[groups]
    kernel, fall = _kernel(places, places, axes)
    covariance = surface * kernel
    covariance[np.diag_indices_from(covariance)] += noise / folds + 1e-8
    factor = cho_factor(covariance, lower=True)
    inverse = cho_solve(factor, np.eye(len(standard)))
    solved = inverse @ standard
    pull = inverse - np.outer(solved, solved)  # twice the derivative by the covariance
    off = (constants - expected[:, 0]) / expected[:, 1]
    value = 0.5 * float(standard @ solved) + float(np.log(np.diag(factor[0])).sum()) + 0.5 * float(off @ off)
    slope = off / expected[:, 1]
    weighed = surface * pull * fall
    for axis, group in enumerate(groups):
        apart = (places[:, axis, None] - places[:, axis]) / axes[axis]
        slope[group] += float(np.sum(weighed * apart**2))
    slope[-2] += 0.5 * float(np.sum(pull * surface * kernel))
    slope[-1] += 0.5 * float(np.sum(np.diag(pull) * noise / folds))
    return value, slope
