"""Samplers, which choose the next setting of a search: grid, random, TPE.

A proposal depends only on the seed, the trial number and the earlier trials, so a resumed search tries what
it would have tried without the interruption.
"""

from __future__ import annotations

import math
import warnings
from typing import Any, Protocol

import numpy as np

from foretaste.errors import Hint, InvalidParameterError, MissingDependencyError
from foretaste.evaluation.tuning.search_space import Categorical, Interval, SearchSpace
from foretaste.evaluation.tuning.study import COMPLETE, Trial, params_key

_N_STARTUP_TRIALS = 10  # random trials before the estimators are used; the first is the initial model
_MAX_ATTEMPTS = 200  # samples before the space counts as exhausted
_MAX_GRID_SIZE = 1_000_000

Params = dict[str, Any]


class Sampler(Protocol):
    """Chooses settings."""

    def tell(self, trial: Trial, params: Params) -> None:
        """Add a finished trial."""

    def ask(self, trial_number: int, known_keys: set[str]) -> Params | None:
        """Return a setting whose ``setting_key`` is not in ``known_keys``; None if there is none left."""


def setting_key(space: SearchSpace, params: Params) -> str:
    """Return a setting as text, equal for equal settings."""
    return params_key({name: space[name].to_json(value) for name, value in params.items()})


class GridSampler:
    """Every combination once, in shuffled order, so that an unfinished grid is a random sample of it."""

    def __init__(self, space: SearchSpace, seed: int) -> None:
        self.space = space
        self.values = {name: dimension.grid() for name, dimension in space.items()}
        self.size = math.prod(map(len, self.values.values()))
        if self.size > _MAX_GRID_SIZE:
            raise InvalidParameterError(
                f"this grid has {self.size:,} settings; at most {_MAX_GRID_SIZE:,} are allowed",
                hint=Hint({"method": "random"}, "or fewer values"),
            )
        self.permutation = np.random.default_rng(seed).permutation(self.size)
        self.position = 0

    def tell(self, trial: Trial, params: Params) -> None:
        """Do nothing: a grid does not depend on scores."""

    def ask(self, trial_number: int, known_keys: set[str]) -> Params | None:
        """Return the next combination that is not known."""
        while self.position < self.size:
            remainder, params = int(self.permutation[self.position]), {}
            self.position += 1
            for name, values in self.values.items():
                remainder, index = divmod(remainder, len(values))
                params[name] = values[index]
            if setting_key(self.space, params) not in known_keys:
                return params
        return None


class RandomSampler:
    """Samples each parameter independently at random."""

    def __init__(self, space: SearchSpace, seed: int) -> None:
        self.space, self.seed = space, seed

    def tell(self, trial: Trial, params: Params) -> None:
        """Do nothing: samples do not depend on scores."""

    def ask(self, trial_number: int, known_keys: set[str]) -> Params | None:
        """Return a setting that is not known; after many attempts the space counts as exhausted."""
        rng = np.random.default_rng([self.seed, trial_number])
        for _ in range(_MAX_ATTEMPTS):
            params = {name: dimension.sample(rng) for name, dimension in self.space.items()}
            if setting_key(self.space, params) not in known_keys:
                return params
        return None


class TPESampler:
    """Optuna's multivariate tree-structured Parzen estimator (Bergstra et al., NIPS 2011)."""

    def __init__(self, space: SearchSpace, seed: int, maximize: bool) -> None:
        try:
            import optuna
        except ImportError:
            raise MissingDependencyError(
                "tuning by {method} needs optuna; by gp, random and grid it does not",
                arguments={"method": "tpe"},
                hint='pip install "foretaste[tune]"',
            ) from None
        self.optuna, self.space, self.seed, self.maximize = optuna, space, seed, maximize
        self.random_sampler = RandomSampler(space, seed)
        self.distributions = {name: self._distribution(dimension) for name, dimension in space.items()}
        verbosity = optuna.logging.get_verbosity()
        optuna.logging.set_verbosity(optuna.logging.WARNING)  # creating a study is logged otherwise
        try:
            self.study = optuna.create_study(direction="maximize" if maximize else "minimize")
        finally:
            optuna.logging.set_verbosity(verbosity)

    def _distribution(self, dimension: Interval | Categorical) -> Any:
        module = self.optuna.distributions
        if isinstance(dimension, Categorical):  # by index: values of any type, numbers in their order
            last = len(dimension.values) - 1
            if dimension.sorted_values() is not None:
                return module.IntDistribution(0, last)
            return module.CategoricalDistribution(range(last + 1))
        kind = module.IntDistribution if dimension.is_integer else module.FloatDistribution
        return kind(dimension.low, dimension.high, log=dimension.log)

    def _encode(self, name: str, value: Any) -> Any:
        dimension = self.space[name]
        return value if isinstance(dimension, Interval) else dimension.index_of(value)

    def _decode(self, name: str, value: Any) -> Any:
        dimension = self.space[name]
        if isinstance(dimension, Interval):
            return dimension.round_value(value)
        return dimension.ordered_values[int(value)]

    def tell(self, trial: Trial, params: Params) -> None:
        """Add a finished trial if the space contains it; a failed one counts as the worst."""
        if not all(self.space[name].contains(value) for name, value in params.items()):
            return  # the initial model may lie outside
        states = self.optuna.trial.TrialState
        is_complete = trial.state == COMPLETE
        means = np.cumsum(trial.scores) / np.arange(1, len(trial.scores) + 1)
        self.study.add_trial(
            self.optuna.trial.create_trial(
                params={name: self._encode(name, value) for name, value in params.items()},
                distributions=self.distributions,
                value=trial.mean if is_complete else None,
                state=states.COMPLETE if is_complete else states.PRUNED,
                intermediate_values=dict(enumerate(means.tolist())),
            )
        )

    def ask(self, trial_number: int, known_keys: set[str]) -> Params | None:
        """Return the setting that the estimators propose; a random one if that is known."""
        if len(known_keys) < _N_STARTUP_TRIALS:
            return self.random_sampler.ask(trial_number, known_keys)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", self.optuna.exceptions.ExperimentalWarning)
            self.study.sampler = self.optuna.samplers.TPESampler(
                seed=int(np.random.default_rng([self.seed, trial_number]).integers(2**31)),
                n_startup_trials=1,
                multivariate=True,
            )
        optuna_trial = self.study.ask(self.distributions)
        self.study.tell(
            optuna_trial, state=self.optuna.trial.TrialState.FAIL
        )  # tell() adds it later, rounded
        params = {name: self._decode(name, value) for name, value in optuna_trial.params.items()}
        return (
            params
            if setting_key(self.space, params) not in known_keys
            else self.random_sampler.ask(trial_number, known_keys)
        )
