"""One search: propose a setting, judge it fold by fold, drop it early where it falls behind."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from foretaste._utils.progress import ProgressTask
from foretaste.errors import ForetasteError, InvalidParameterError, NotEnoughMemoryError
from foretaste.evaluation.fit_and_score import compute_metric, error_entry
from foretaste.evaluation.plan import EvaluationPlan
from foretaste.evaluation.tuning.samplers import Sampler, make_sampler, setting_key
from foretaste.evaluation.tuning.search_space import Space
from foretaste.evaluation.tuning.study import COMPLETE, FAILED, PRUNED, Study, Trial
from foretaste.metrics.registry import METRICS
from foretaste.models import Model
from foretaste.ratings import Ratings

_N_WARMUP_TRIALS = 5  # trials before any is dropped: they say what to expect
# The share that goes on after the first fold, and after each later one: a fold orders settings nearly as
# another fold does, but among the best it cannot tell.
_SURVIVAL_FIRST, _SURVIVAL_LATER = 0.25, 0.5


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
    last_tick: float = field(default_factory=time.perf_counter)

    @property
    def maximize(self) -> bool:
        """Whether a greater score is a better one."""
        return METRICS[self.metric].greater_is_better

    def make_sampler(self) -> Sampler:
        """Return a new chooser of settings."""
        return make_sampler(self.method, self.space, self.seed, self.maximize)

    def run(
        self, study: Study, search_name: str, plan: EvaluationPlan, budget: Budget, task: ProgressTask
    ) -> list[Trial]:
        """Run the trials that are missing; return all of this part."""
        sampler, known_keys = self.make_sampler(), set[str]()
        trials = study.trials(search_name)
        unfinished = trials.pop() if trials and trials[-1].state is None else None
        known_keys.update(self._tell_sampler(sampler, trial) for trial in trials)
        task.step(len(trials), self.progress_note(trials))
        self.last_tick = time.perf_counter()
        while unfinished or budget.allows(trials, study.total_seconds(search_name)):
            trial = unfinished or self._next_trial(sampler, len(trials), known_keys)
            if trial is None:  # nothing is left to try
                break
            if trial is not unfinished:
                study.start_trial(search_name, trial)
            unfinished = None
            self._run_trial(study, search_name, plan, trial, trials)
            known_keys.add(self._tell_sampler(sampler, trial))
            trials.append(trial)
            task.step(1, self.progress_note(trials))
        return trials

    def _tell_sampler(self, sampler: Sampler, trial: Trial) -> str:
        params = self.trial_params(trial)
        sampler.tell(trial, params)
        return setting_key(self.space, params)

    def _next_trial(self, sampler: Sampler, trial_number: int, known_keys: set[str]) -> Trial | None:
        """Return the next trial; the first is the model as it is."""
        initial_params = {name: getattr(self.model, name) for name in self.space}
        params = sampler.ask(trial_number, known_keys) if trial_number else initial_params
        if params is None:
            return None
        return Trial(trial_number, {name: self.space[name].to_json(value) for name, value in params.items()})

    def _run_trial(
        self, study: Study, search_name: str, plan: EvaluationPlan, trial: Trial, earlier: list[Trial]
    ) -> None:
        try:
            model = self.build_model(trial)
            while len(trial.scores) < len(plan):
                if self.prune and self.should_prune(trial, earlier):
                    study.finish_trial(search_name, trial, PRUNED)
                    return
                train, test = plan.train_test(len(trial.scores))
                score = self.score(model, train, test)
                study.add_fold_score(search_name, trial, score, self.elapsed())
        except (ForetasteError, MemoryError) as error:
            if trial.number == 0 and not isinstance(error, InvalidParameterError | NotEnoughMemoryError):
                raise  # these ratings are not for this model at all
            study.finish_trial(search_name, trial, FAILED, error_entry(error)["message"])
            return
        study.finish_trial(search_name, trial, COMPLETE)

    def score(self, model: Model, train: Ratings, test: Ratings) -> float:
        """Fit a model on one part and return its score on the other."""
        fitted_model = type(model)(**model.get_params(deep=False)).fit(train)
        score = compute_metric(self.metric, test, fitted_model.predict(test))
        if not np.isfinite(score):
            raise InvalidParameterError(f"{self.metric} is {score}")
        return score

    def elapsed(self) -> float:
        """Return the seconds since the last lap."""
        previous, self.last_tick = self.last_tick, time.perf_counter()
        return self.last_tick - previous

    def should_prune(self, trial: Trial, earlier: Sequence[Trial]) -> bool:
        """Whether a trial is worse, on the folds judged so far, than what goes on of those before it."""
        n_folds = len(trial.scores)
        if n_folds == 0 or len(earlier) < _N_WARMUP_TRIALS:
            return False
        scores = [
            float(np.mean(earlier_trial.scores[:n_folds]))
            for earlier_trial in earlier
            if len(earlier_trial.scores) >= n_folds
        ]
        if not scores:
            return False
        survival = _SURVIVAL_FIRST if n_folds == 1 else _SURVIVAL_LATER
        threshold = float(np.quantile(scores, 1 - survival if self.maximize else survival))
        return trial.mean < threshold if self.maximize else trial.mean > threshold

    def trial_params(self, trial: Trial) -> dict[str, Any]:
        """Return the parameters that a trial tried."""
        return {name: self.space[name].from_json(value) for name, value in trial.params.items()}

    def build_model(self, trial: Trial) -> Model:
        """Return the unfitted model that a trial tried."""
        return type(self.model)(**{**self.model.get_params(deep=False), **self.trial_params(trial)})

    def best_trial(self, trials: Sequence[Trial]) -> Trial | None:
        """Return the trial with the best score on all folds, the first of several."""
        complete_trials = [trial for trial in trials if trial.state == COMPLETE]
        sign = -1 if self.maximize else 1
        return min(complete_trials, key=lambda trial: sign * trial.mean, default=None)

    def progress_note(self, trials: Sequence[Trial]) -> str:
        """Say how good the best is so far, and after how many trials."""
        best = self.best_trial(trials)
        if best is None:
            return ""
        return f"best {METRICS[self.metric].label} {best.mean:.4f} of {len(trials)} trials"


@dataclass(frozen=True)
class Budget:
    """When a search ends.

    Parameters
    ----------
    max_trials : int or None
        The most trials.
    timeout : float or None
        What the search may take, what a study file tells of earlier calls included.
    reserved_fits : float
        The time to keep for what comes after the search, in fits of one fold.
    """

    max_trials: int | None
    timeout: float | None
    reserved_fits: float = 0.0

    def allows(self, trials: Sequence[Trial], used_seconds: float) -> bool:
        """Whether there is room for another trial; the first one always has."""
        if self.max_trials is not None and len(trials) >= self.max_trials:
            return False
        if self.timeout is None or not trials:
            return True
        n_folds = max(1, sum(len(trial.scores) for trial in trials))
        trial_seconds = sum(trial.seconds for trial in trials) / len(trials)
        reserved_seconds = self.reserved_fits * sum(trial.seconds for trial in trials) / n_folds
        return used_seconds + trial_seconds + reserved_seconds <= self.timeout
