"""One search: propose a setting, evaluate it fold by fold, prune it where it falls behind."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from foretaste._utils.checks import check_choice
from foretaste._utils.progress import ProgressTask
from foretaste.errors import ForetasteError, InvalidParameterError, NotEnoughMemoryError
from foretaste.evaluation.fit_and_score import clone, compute_metric, error_entry
from foretaste.evaluation.plan import EvaluationPlan
from foretaste.evaluation.tuning.gp_sampler import GPSampler
from foretaste.evaluation.tuning.samplers import GridSampler, RandomSampler, Sampler, TPESampler, setting_key
from foretaste.evaluation.tuning.search_space import SearchSpace
from foretaste.evaluation.tuning.study import COMPLETE, FAILED, PRUNED, Study, Trial
from foretaste.metrics.registry import METRICS
from foretaste.models import Model
from foretaste.ratings import Ratings

METHODS = ("gp", "tpe", "random", "grid")
_N_WARMUP_TRIALS = 5  # trials before any is pruned
# The fraction of trials that continue after the first fold and after each later one. One fold ranks settings
# nearly as another does, except among the best.
_SURVIVAL_FIRST, _SURVIVAL_LATER = 0.25, 0.5


def make_sampler(method: str, space: SearchSpace, seed: int, maximize: bool) -> Sampler:
    """Return the sampler of one of ``METHODS``.

    Raises
    ------
    InvalidParameterError
        If there is no such method, or a grid is too large.
    MissingDependencyError
        If optuna is needed and not installed.
    """
    check_choice("method", method, METHODS)
    if method == "gp":
        return GPSampler(space, seed, maximize)
    if method == "grid":
        return GridSampler(space, seed)
    if method == "random":
        return RandomSampler(space, seed)
    return TPESampler(space, seed, maximize)


@dataclass
class Search:
    """A search on one set of ratings.

    Parameters
    ----------
    model : Model
        The initial model; parameters outside the space keep its values.
    space : SearchSpace
    method : str
    metric : str
    seed : int
    prune : bool
        Whether a setting that falls behind is evaluated on no further folds.
    """

    model: Model
    space: SearchSpace
    method: str
    metric: str
    seed: int
    prune: bool
    last_tick: float = field(default_factory=time.perf_counter)

    @property
    def maximize(self) -> bool:
        """Whether a greater score is better."""
        return METRICS[self.metric].greater_is_better

    def make_sampler(self) -> Sampler:
        """Return a new sampler."""
        return make_sampler(self.method, self.space, self.seed, self.maximize)

    def run(
        self, study: Study, search_name: str, plan: EvaluationPlan, budget: Budget, task: ProgressTask
    ) -> list[Trial]:
        """Run the missing trials; return all trials of this search."""
        sampler, known_keys = self.make_sampler(), set[str]()
        trials = study.trials(search_name)
        unfinished = trials.pop() if trials and trials[-1].state is None else None
        known_keys.update(self._tell_sampler(sampler, trial) for trial in trials)
        task.step(len(trials), self.progress_note(trials))
        self.last_tick = time.perf_counter()
        while unfinished or budget.allows(trials, study.total_seconds(search_name)):
            trial = unfinished or self._next_trial(sampler, len(trials), known_keys)
            if trial is None:  # the space is exhausted
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
        """Return the next trial; the first is the initial model."""
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
                study.add_fold_score(search_name, trial, score, self.take_elapsed())
        except (ForetasteError, MemoryError) as error:
            if trial.number == 0 and not isinstance(error, InvalidParameterError | NotEnoughMemoryError):
                raise  # the model cannot be fitted to these ratings at all
            study.finish_trial(search_name, trial, FAILED, error_entry(error)["message"])
            return
        study.finish_trial(search_name, trial, COMPLETE)

    def score(self, model: Model, train: Ratings, test: Ratings) -> float:
        """Fit a model on the training set and return its score on the test set."""
        fitted_model = clone(model).fit(train)
        score = compute_metric(self.metric, test, fitted_model.predict(test))
        if not np.isfinite(score):
            raise InvalidParameterError(f"{self.metric} is {score}")
        return score

    def take_elapsed(self) -> float:
        """Return the seconds since the last call, and start the clock again."""
        previous, self.last_tick = self.last_tick, time.perf_counter()
        return self.last_tick - previous

    def should_prune(self, trial: Trial, earlier: Sequence[Trial]) -> bool:
        """Return whether a trial is worse, on its folds so far, than the surviving earlier trials."""
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
        """Return the parameters of a trial."""
        return {name: self.space[name].from_json(value) for name, value in trial.params.items()}

    def build_model(self, trial: Trial) -> Model:
        """Return the unfitted model of a trial."""
        return type(self.model)(**{**self.model.get_params(deep=False), **self.trial_params(trial)})

    def best_trial(self, trials: Sequence[Trial]) -> Trial | None:
        """Return the complete trial with the best score, the first of several."""
        complete_trials = [trial for trial in trials if trial.state == COMPLETE]
        sign = -1 if self.maximize else 1
        return min(complete_trials, key=lambda trial: sign * trial.mean, default=None)

    def progress_note(self, trials: Sequence[Trial]) -> str:
        """Return the best score so far and the number of trials, as text."""
        best = self.best_trial(trials)
        if best is None:
            return ""
        return f"best {METRICS[self.metric].label} {best.mean:.4f} of {len(trials)} trials"


@dataclass(frozen=True)
class Budget:
    """Limits of a search.

    Parameters
    ----------
    max_trials : int or None
    timeout : float or None
        Seconds, including those that the study file holds of earlier calls.
    reserved_fits : float
        Time to reserve for the fits after the search, in fits of one fold.
    """

    max_trials: int | None
    timeout: float | None
    reserved_fits: float = 0.0

    def allows(self, trials: Sequence[Trial], used_seconds: float) -> bool:
        """Return whether another trial fits the budget; the first one always does."""
        if self.max_trials is not None and len(trials) >= self.max_trials:
            return False
        if self.timeout is None or not trials:
            return True
        n_folds = max(1, sum(len(trial.scores) for trial in trials))
        trial_seconds = sum(trial.seconds for trial in trials) / len(trials)
        reserved_seconds = self.reserved_fits * sum(trial.seconds for trial in trials) / n_folds
        return used_seconds + trial_seconds + reserved_seconds <= self.timeout
