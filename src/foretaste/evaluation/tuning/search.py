"""One search: propose a setting, judge it fold by fold, drop it early where it falls behind."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from foretaste._utils.progress import Task
from foretaste.errors import ForetasteError, InvalidParameter, TooLarge
from foretaste.evaluation.fit_and_score import measure, refusal
from foretaste.evaluation.plan import Protocol
from foretaste.evaluation.tuning.samplers import Proposer, key, make_proposer
from foretaste.evaluation.tuning.search_space import Space
from foretaste.evaluation.tuning.study import COMPLETE, PRUNED, REFUSED, Study, Trial
from foretaste.metrics.rating import METRICS
from foretaste.models import Model
from foretaste.ratings import Ratings

_WARM_UP = 5  # trials before any is dropped: they say what to expect
# The share that goes on after the first fold, and after each later one: a fold orders settings nearly as
# another fold does, but among the best it cannot tell.
_KEPT_FIRST, _KEPT_LATER = 0.25, 0.5


@dataclass
class Search:
    """A search on one set of ratings.

    Parameters
    ----------
    model : Model
        What is tuned; the parameters that are not in the space stay as they are there.
    space : Space
    method : str
    metric : str
    seed : int
    prune : bool
        Whether a setting that falls behind is judged on no further folds.
    """

    model: Model
    space: Space
    method: str
    metric: str
    seed: int
    prune: bool
    mark: float = field(default_factory=time.perf_counter)

    @property
    def maximize(self) -> bool:
        """Whether a greater score is a better one."""
        return METRICS[self.metric].greater_is_better

    def proposer(self) -> Proposer:
        """Return a new chooser of settings."""
        return make_proposer(self.method, self.space, self.seed, self.maximize)

    def run(self, study: Study, part: str, protocol: Protocol, limits: Limits, task: Task) -> list[Trial]:
        """Run the trials that are missing; return all of this part."""
        proposer, seen = self.proposer(), set[str]()
        trials = study.trials(part)
        unfinished = trials.pop() if trials and trials[-1].state is None else None
        seen.update(self._learned(proposer, trial) for trial in trials)
        task.step(len(trials), self.best_in_words(trials))
        self.mark = time.perf_counter()
        while unfinished or limits.allow(trials, study.seconds(part)):
            trial = unfinished or self._next(proposer, len(trials), seen)
            if trial is None:  # nothing is left to try
                break
            if trial is not unfinished:
                study.begin(part, trial)
            unfinished = None
            self._judge(study, part, protocol, trial, trials)
            seen.add(self._learned(proposer, trial))
            trials.append(trial)
            task.step(1, self.best_in_words(trials))
        return trials

    def _learned(self, proposer: Proposer, trial: Trial) -> str:
        params = self.params_of(trial)
        proposer.learn(trial, params)
        return key(self.space, params)

    def _next(self, proposer: Proposer, number: int, seen: set[str]) -> Trial | None:
        """Return the next trial; the first is the model as it is."""
        given = {name: getattr(self.model, name) for name in self.space}
        params = proposer.propose(number, seen) if number else given
        if params is None:
            return None
        return Trial(number, {name: self.space[name].to_json(value) for name, value in params.items()})

    def _judge(self, study: Study, part: str, protocol: Protocol, trial: Trial, before: list[Trial]) -> None:
        try:
            model = self.model_of(trial)
            while len(trial.scores) < len(protocol):
                if self.prune and self.falls_behind(trial, before):
                    study.finish(part, trial, PRUNED)
                    return
                train, test = protocol.parts(len(trial.scores))
                score = self.score(model, train, test)
                study.add_fold(part, trial, score, self.lap())
        except (ForetasteError, MemoryError) as error:
            if trial.number == 0 and not isinstance(error, InvalidParameter | TooLarge):
                raise  # these ratings are not for this model at all
            study.finish(part, trial, REFUSED, refusal(error)["message"])
            return
        study.finish(part, trial, COMPLETE)

    def score(self, model: Model, train: Ratings, test: Ratings) -> float:
        """Fit a model on one part and return its score on the other."""
        fitted = type(model)(**model.get_params(deep=False)).fit(train)
        score = measure(self.metric, test, fitted.predict(test))
        if not np.isfinite(score):
            raise InvalidParameter(f"{self.metric} is {score}")
        return score

    def lap(self) -> float:
        """Return the seconds since the last lap."""
        before, self.mark = self.mark, time.perf_counter()
        return self.mark - before

    def falls_behind(self, trial: Trial, before: Sequence[Trial]) -> bool:
        """Whether a trial is worse, on the folds judged so far, than what goes on of those before it."""
        folds = len(trial.scores)
        if folds == 0 or len(before) < _WARM_UP:
            return False
        others = [float(np.mean(other.scores[:folds])) for other in before if len(other.scores) >= folds]
        if not others:
            return False
        kept = _KEPT_FIRST if folds == 1 else _KEPT_LATER
        border = float(np.quantile(others, 1 - kept if self.maximize else kept))
        return trial.mean < border if self.maximize else trial.mean > border

    def params_of(self, trial: Trial) -> dict[str, Any]:
        """Return the parameters that a trial tried."""
        return {name: self.space[name].from_json(value) for name, value in trial.params.items()}

    def model_of(self, trial: Trial) -> Model:
        """Return the unfitted model that a trial tried."""
        return type(self.model)(**{**self.model.get_params(deep=False), **self.params_of(trial)})

    def best(self, trials: Sequence[Trial]) -> Trial | None:
        """Return the trial with the best score on all folds, the first of several."""
        done = [trial for trial in trials if trial.state == COMPLETE]
        sign = -1 if self.maximize else 1
        return min(done, key=lambda trial: sign * trial.mean, default=None)

    def best_in_words(self, trials: Sequence[Trial]) -> str:
        """Say how good the best is so far, and after how many trials."""
        best = self.best(trials)
        if best is None:
            return ""
        return f"best {METRICS[self.metric].label} {best.mean:.4f} of {len(trials)} trials"


@dataclass(frozen=True)
class Limits:
    """When a search ends.

    Parameters
    ----------
    trials : int or None
        The most trials.
    seconds : float or None
        What the search may take, what a study file tells of earlier calls included.
    reserve : float
        The time to keep for what comes after the search, in fits of one fold.
    """

    trials: int | None
    seconds: float | None
    reserve: float = 0.0

    def allow(self, done: Sequence[Trial], used: float) -> bool:
        """Whether there is room for another trial; the first one always has."""
        if self.trials is not None and len(done) >= self.trials:
            return False
        if self.seconds is None or not done:
            return True
        folds = max(1, sum(len(trial.scores) for trial in done))
        typical = sum(trial.seconds for trial in done) / len(done)
        after = self.reserve * sum(trial.seconds for trial in done) / folds
        return used + typical + after <= self.seconds
