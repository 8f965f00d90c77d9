"""Which setting a search tries next: every one of a grid, drawn, or by what the trials before it say.

Each proposal depends on the seed, the number of the trial and the trials before it, and on nothing else:
a search that goes on from a file tries what it would have tried without the stop.
"""

from __future__ import annotations

import math
import warnings
from typing import Any, Protocol

import numpy as np

from foretaste.errors import InvalidParameter, MissingExtra
from foretaste.evaluation.tuning.search_space import Choice, Range, Space
from foretaste.evaluation.tuning.study import COMPLETE, Trial, key_of

METHODS = ("gp", "tpe", "random", "grid")
_STARTUP = 10  # trials before the estimators have something to say; the first is the model as it is
_ATTEMPTS = 200  # draws until one is taken for the last of a space
_LARGEST_GRID = 1_000_000

Params = dict[str, Any]


class Proposer(Protocol):
    """Something that chooses settings."""

    def learn(self, trial: Trial, params: Params) -> None:
        """Take in a finished trial."""

    def propose(self, number: int, seen: set[str]) -> Params | None:
        """Return a setting whose ``key`` is not among those seen; None if there is none left."""


def make_proposer(method: str, space: Space, seed: int, maximize: bool) -> Proposer:
    """Return what chooses settings by one of ``METHODS``.

    Raises
    ------
    InvalidParameter
        If there is no such method, or a grid is too large.
    MissingExtra
        If optuna is needed and not installed.
    """
    if method == "gp":
        from foretaste.evaluation.tuning.gp_sampler import Surface

        return Surface(space, seed, maximize)
    if method == "grid":
        return Grid(space, seed)
    if method == "random":
        return Drawn(space, seed)
    if method == "tpe":
        return Parzen(space, seed, maximize)
    raise InvalidParameter(f"method={method!r} is not allowed", hint="one of " + ", ".join(METHODS))


def key(space: Space, params: Params) -> str:
    """Return a setting as text, equal for equal settings."""
    return key_of({name: space[name].to_json(value) for name, value in params.items()})


class Grid:
    """Every combination once, in an order drawn by the seed, so that a part of a grid is a fair one."""

    def __init__(self, space: Space, seed: int) -> None:
        self.space = space
        self.points = {name: dimension.points() for name, dimension in space.items()}
        self.size = math.prod(map(len, self.points.values()))
        if self.size > _LARGEST_GRID:
            raise InvalidParameter(
                f"this grid has {self.size:,} settings; at most {_LARGEST_GRID:,} are allowed",
                hint='fewer values, or method="random"',
            )
        self.order = np.random.default_rng(seed).permutation(self.size)
        self.place = 0

    def learn(self, trial: Trial, params: Params) -> None:
        """Nothing: a grid does not learn."""

    def propose(self, number: int, seen: set[str]) -> Params | None:
        """Return the next combination that was not seen."""
        while self.place < self.size:
            left, params = int(self.order[self.place]), {}
            self.place += 1
            for name, points in self.points.items():
                left, at = divmod(left, len(points))
                params[name] = points[at]
            if key(self.space, params) not in seen:
                return params
        return None


class Drawn:
    """Settings drawn at random, each parameter for itself."""

    def __init__(self, space: Space, seed: int) -> None:
        self.space, self.seed = space, seed

    def learn(self, trial: Trial, params: Params) -> None:
        """Nothing: draws do not learn."""

    def propose(self, number: int, seen: set[str]) -> Params | None:
        """Return a setting that was not seen; after many vain draws the space counts as exhausted."""
        random = np.random.default_rng([self.seed, number])
        for _ in range(_ATTEMPTS):
            params = {name: dimension.draw(random) for name, dimension in self.space.items()}
            if key(self.space, params) not in seen:
                return params
        return None


class Parzen:
    """optuna's tree of Parzen estimators, all parameters together (Bergstra et al., NIPS 2011)."""

    def __init__(self, space: Space, seed: int, maximize: bool) -> None:
        try:
            import optuna
        except ImportError:
            raise MissingExtra(
                'tuning by method="tpe" needs optuna; method="gp", method="random" and method="grid" do not',
                hint='pip install "foretaste[tune]"',
            ) from None
        self.optuna, self.space, self.seed, self.maximize = optuna, space, seed, maximize
        self.drawn = Drawn(space, seed)
        self.distributions = {name: self._distribution(dimension) for name, dimension in space.items()}
        said = optuna.logging.get_verbosity()
        optuna.logging.set_verbosity(optuna.logging.WARNING)  # it would print that there is a study now
        try:
            self.study = optuna.create_study(direction="maximize" if maximize else "minimize")
        finally:
            optuna.logging.set_verbosity(said)

    def _distribution(self, dimension: Range | Choice) -> Any:
        known = self.optuna.distributions
        if isinstance(dimension, Choice):  # by place: any value may stand there, and numbers keep their order
            last = len(dimension.values) - 1
            if dimension.ordered() is not None:
                return known.IntDistribution(0, last)
            return known.CategoricalDistribution(range(last + 1))
        kind = known.IntDistribution if dimension.whole else known.FloatDistribution
        return kind(dimension.low, dimension.high, log=dimension.log)

    def _encoded(self, name: str, value: Any) -> Any:
        dimension = self.space[name]
        if isinstance(dimension, Range):
            return value
        return [dimension.to_json(one) for one in dimension.ordered() or dimension.values].index(
            dimension.to_json(value)
        )

    def _decoded(self, name: str, value: Any) -> Any:
        dimension = self.space[name]
        if isinstance(dimension, Range):
            return dimension.rounded(value)
        return (dimension.ordered() or dimension.values)[int(value)]

    def learn(self, trial: Trial, params: Params) -> None:
        """Take in a finished trial, if the space holds it; one that was refused counts as the worst."""
        if not all(self.space[name].holds(value) for name, value in params.items()):
            return  # the model as it was given may lie outside
        states = self.optuna.trial.TrialState
        complete = trial.state == COMPLETE
        means = np.cumsum(trial.scores) / np.arange(1, len(trial.scores) + 1)
        self.study.add_trial(
            self.optuna.trial.create_trial(
                params={name: self._encoded(name, value) for name, value in params.items()},
                distributions=self.distributions,
                value=trial.mean if complete else None,
                state=states.COMPLETE if complete else states.PRUNED,
                intermediate_values=dict(enumerate(means.tolist())),
            )
        )

    def propose(self, number: int, seen: set[str]) -> Params | None:
        """Return what the estimators expect most of; if that was seen, a drawn setting."""
        if len(seen) < _STARTUP:
            return self.drawn.propose(number, seen)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", self.optuna.exceptions.ExperimentalWarning)
            self.study.sampler = self.optuna.samplers.TPESampler(
                seed=int(np.random.default_rng([self.seed, number]).integers(2**31)),
                n_startup_trials=1,
                multivariate=True,
            )
        asked = self.study.ask(self.distributions)
        self.study.tell(asked, state=self.optuna.trial.TrialState.FAIL)  # it comes back by learn, rounded
        params = {name: self._decoded(name, value) for name, value in asked.params.items()}
        return params if key(self.space, params) not in seen else self.drawn.propose(number, seen)
