"""The Gaussian-process sampler of ``tune``: formulas by other means, encoding, fold difficulty."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from foretaste.evaluation.tuning.gp_sampler import (
    GaussianProcess,
    GPSampler,
    UnitCube,
    comparable_scores,
    fit_hyperparameters,
    n_startup_trials,
    negative_log_posterior,
    select_trials,
)
from foretaste.evaluation.tuning.samplers import setting_key
from foretaste.evaluation.tuning.search_space import Categorical, Interval, SearchSpace
from foretaste.evaluation.tuning.study import COMPLETE, FAILED, PRUNED, Trial

SPACE: SearchSpace = {
    "many": Interval(2, 200, log=True, is_integer=True),
    "rate": Interval(0.001, 0.1, log=True),
    "share": Interval(-1.0, 3.0),
    "size": Categorical((8, 2, 4)),
    "word": Categorical(("a", "b", "c")),
}


def random_scores(n: int, axes: int = 3) -> tuple[Any, Any, Any]:
    random = np.random.default_rng(n)
    return random.random((n, axes)), random.normal(size=n), random.integers(1, 6, n).astype(float)


def matern(a: Any, b: Any, lengths: Any) -> float:
    """Return Matern's covariance of two places, 5/2, as it stands in the book (4.17)."""
    r = float(np.sqrt(np.sum(((a - b) / lengths) ** 2)))
    return (1 + 5**0.5 * r + 5 * r * r / 3) * float(np.exp(-(5**0.5) * r))


def test_posterior_equals_the_textbook() -> None:
    points, score, folds = random_scores(12)
    groups, constants = np.array([0, 1, 1]), np.log([0.4, 0.7, 1.3, 0.2])
    process = GaussianProcess(points, score, folds, groups, constants)
    lengths = np.array([0.4, 0.7, 0.7])
    query = np.random.default_rng(0).random((5, 3))
    covariance = 1.3 * np.array([[matern(a, b, lengths) for b in points] for a in points])
    cross_covariance = 1.3 * np.array([[matern(a, b, lengths) for b in points] for a in query])
    inverse = np.linalg.inv(covariance + np.diag(0.2 / folds + 1e-8))
    standard = (score - score.mean()) / score.std()
    mean, std = process.predict(query)
    assert_allclose(mean, score.mean() + score.std() * cross_covariance @ inverse @ standard, atol=1e-9)
    variance = 1.3 - np.sum((cross_covariance @ inverse) * cross_covariance, axis=1)
    assert_allclose(std, score.std() * np.sqrt(variance), atol=1e-9)
    samples = np.random.default_rng(1).normal(mean[:, None], std[:, None], (5, 400_000))
    gain = np.maximum(0.3 - samples, 0).mean(axis=1)
    assert_allclose(process.expected_improvement(query, 0.3), gain, atol=0.005)


@given(st.integers(3, 30), st.integers(0, 99))
def test_gradient_equals_finite_differences(n: int, seed: int) -> None:
    points, score, folds = random_scores(n)
    groups = np.array([0, 1, 1])
    expected = np.array([(-0.5, 1.0), (-0.5, 1.0), (0.0, 1.0), (-4.0, 2.0)])
    constants = np.random.default_rng(seed).normal(-0.5, 0.5, 4)

    def cost(query: Any) -> Any:
        return negative_log_posterior(query, points, score, folds, groups, expected)

    steps = 1e-5 * np.eye(4)
    slope = [(cost(constants + step)[0] - cost(constants - step)[0]) / 2e-5 for step in steps]
    assert_allclose(cost(constants)[1], slope, rtol=1e-4, atol=1e-4)


def test_length_scales_identify_relevant_parameters() -> None:
    points, _, folds = random_scores(60, 2)
    constants = fit_hyperparameters(points, np.sin(6 * points[:, 0]), folds, np.array([0, 1]))
    assert np.exp(constants[1]) > 4 * np.exp(constants[0])
    assert np.exp(constants[-1]) < 0.01  # there is no noise


@given(st.integers(0, 999))
def test_encode_and_decode_round_trip(seed: int) -> None:
    cube = UnitCube(SPACE)
    place = cube.sample(np.random.default_rng(seed), 1)[0]
    assert place.shape == cube.groups.shape == (7,)
    params = cube.decode(place)
    assert all(SPACE[name].contains(value) for name, value in params.items())
    assert cube.decode(cube.encode(params)) == params
    assert_allclose(cube.encode(params), place, atol=0.15)  # whole numbers are rounded
    assert cube.encode({**params, "size": 2})[3] == 0
    assert cube.encode({**params, "size": 8})[3] == 1  # numbers of a list by size, not by place
    near = cube.perturb(np.random.default_rng(seed), place[None])
    assert ((near >= 0) & (near <= 1)).all()
    assert (near[:, 4:].sum(axis=1) == 1).all()


def test_fold_difficulty_is_removed() -> None:
    """Trial 3 saw only the easy folds; it is the worst on each of them."""
    harder = np.array([0.0, 0.5, -0.2, 1.0])
    trials = [Trial(n, {}, list(1 + n / 10 + harder), state=COMPLETE) for n in range(3)]
    trials.append(Trial(3, {}, list(1.3 + harder[:1]), state=PRUNED))
    score, folds = comparable_scores(trials, 1.0)
    assert_allclose(score, [1.0, 1.1, 1.2, 1.3])
    assert folds.tolist() == [4, 4, 4, 1]
    greater, _ = comparable_scores(trials, -1.0)
    assert_allclose(np.diff(greater), -np.diff(score))


def test_failed_trials_count_as_the_worst() -> None:
    trials = [Trial(n, {}, [1 + n / 10], state=COMPLETE) for n in range(5)]
    trials += [Trial(5, {}, [1e9], state=PRUNED), Trial(6, {}, [], state=FAILED)]
    score, _ = comparable_scores(trials, 1.0)
    assert_allclose(score[:5], 1 + np.arange(5) / 10)
    assert score[5] == score[6] == pytest.approx(1.25 + 2 * 0.25)
    assert (comparable_scores([Trial(0, {}, [], state=FAILED)] * 3, 1.0)[0] == 0).all()


def run_sampler(
    space: SearchSpace,
    target: Any,
    trials: int,
    maximize: bool = False,
    seed: int = 0,
    max_trials: int = 256,
) -> list[Any]:
    """Run a search over a function; return the settings in their order."""
    sampler, seen, settings = GPSampler(space, seed, maximize, max_trials), set[str](), []
    for number in range(1, trials + 1):
        params = sampler.ask(number, seen)
        assert params is not None
        seen.add(setting_key(space, params))
        settings.append(params)
        sign = -1 if maximize else 1
        sampler.tell(Trial(number, params, [sign * target(params)] * 3, state=COMPLETE), params)
    return settings


@pytest.mark.parametrize("maximize", [False, True])
def test_mixed_optimum_is_found(maximize: bool) -> None:
    """The bottom for the word b lies elsewhere and is the deepest; a and c look better at the start."""
    space: SearchSpace = {"word": Categorical(("a", "b", "c")), "rate": Interval(0.001, 0.1, log=True)}
    bottoms = {"a": (0.003, 0.1), "b": (0.03, 0.0), "c": (0.003, 0.05)}

    def target(params: Any) -> float:
        where, floor = bottoms[params["word"]]
        return floor + float(np.log(params["rate"] / where)) ** 2 / (1 if params["word"] == "b" else 10)

    settings = run_sampler(space, target, 45, maximize)
    best = min(settings, key=target)
    assert best["word"] == "b"
    assert best["rate"] == pytest.approx(0.03, rel=0.05)


def test_curved_valley_is_minimized() -> None:
    """Of two parameters hardly more than the product matters, as of a learning rate and epochs."""
    space: SearchSpace = {
        "x": Interval(0.01, 1.0, log=True),
        "y": Interval(1.0, 100.0, log=True),
        "z": Interval(0.0, 1.0),
    }

    def target(params: Any) -> float:
        valley, along = params["x"] * params["y"], params["y"] / 20
        return float(10 * np.log(valley) ** 2 + np.log(along) ** 2 + params["z"] ** 2)

    for seed in range(3):
        assert min(map(target, run_sampler(space, target, 45, seed=seed))) < 0.05


def test_sample_depends_on_seed_number_and_history_only() -> None:
    """A sampler that gets all trials at once, as from a file, samples like one that got them one by one."""
    space: SearchSpace = {"x": Interval(0.0, 1.0), "y": Interval(0.0, 1.0)}

    def target(params: Any) -> float:
        return float(params["x"] - 0.3) ** 2 + float(params["y"] - 0.6) ** 2

    settings = run_sampler(space, target, 40)
    for before in (3, n_startup_trials(2) - 1, 17, 39):
        late, seen = GPSampler(space, 0, False), set[str]()
        for number, params in enumerate(settings[:before], 1):
            late.tell(Trial(number, params, [target(params)] * 3, state=COMPLETE), params)
            seen.add(setting_key(space, params))
        assert late.ask(before + 1, seen) == settings[before]
    assert run_sampler(space, target, 12, seed=1) != settings[:12]


def test_process_is_fitted_to_the_best_and_the_latest_trials() -> None:
    assert select_trials(np.arange(20.0), 20).tolist() == list(range(20))
    selected = select_trials(np.array([*range(30), *range(30, 0, -1)], float), 20)
    assert len(selected) == 20
    assert {0, 1, 2, 59, 58, 57} <= set(selected.tolist())  # the best
    assert set(range(50, 60)) <= set(selected.tolist())  # and the latest
    space: SearchSpace = {"x": Interval(0.0, 1.0)}
    settings = run_sampler(space, lambda p: (p["x"] - 0.3) ** 2, 30, max_trials=20)
    assert min(abs(params["x"] - 0.3) for params in settings) < 0.01


def test_small_space_is_enumerated() -> None:
    space: SearchSpace = {
        "size": Categorical((1, 2, 3)),
        "word": Categorical(("a", "b")),
        "whole": Interval(1, 3, is_integer=True),
    }
    settings = run_sampler(space, lambda params: params["size"], 18)
    assert {tuple(p.values()) for p in settings} == set(itertools.product((1, 2, 3), "ab", (1, 2, 3)))
