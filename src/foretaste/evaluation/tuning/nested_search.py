"""Nested search: one on all ratings, and one without each outer fold, which then scores its best setting."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from foretaste._utils.formatting import format_count
from foretaste._utils.progress import Progress
from foretaste.errors import DataError
from foretaste.evaluation.plan import EvaluationPlan, make_plan
from foretaste.evaluation.results import Row
from foretaste.evaluation.tuning.results import TuningResult
from foretaste.evaluation.tuning.search import Budget, Search
from foretaste.evaluation.tuning.study import Study, Trial

log = logging.getLogger("foretaste")

_ALL_RATINGS = "all ratings"


@dataclass
class NestedSearch:
    """All searches of one ``tune`` call.

    Parameters
    ----------
    search : Search
    study : Study
    inner_split : splitter
        Makes the inner folds of any part of the ratings.
    plan : EvaluationPlan
        The inner folds of all ratings.
    outer_plan : EvaluationPlan or None
    outer_name : str
        Name of the outer folds in the study, so that other outer folds are searched separately.
    """

    search: Search
    study: Study
    inner_split: Any
    plan: EvaluationPlan
    outer_plan: EvaluationPlan | None
    outer_name: str
    trials: list[Trial] = field(default_factory=list)
    outer_results: list[Row] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    interrupted: bool = False

    def run(self, trials: int | None, timeout: float | None, display: Progress) -> None:
        """Run the missing trials, those of the search on all ratings first."""
        n_resumed = len(self.study.trials(_ALL_RATINGS))
        if n_resumed:
            self._add_note(
                f"{self.study.path} holds {format_count(n_resumed, 'trial')} on all ratings; resuming"
            )
        folds = 0 if self.outer_plan is None else len(self.outer_plan)
        try:
            for fold in range(folds + 1):
                search_budget = Budget(
                    trials, self._timeout_share(timeout, fold, folds), 2.5 if fold else 0.0
                )
                label = (
                    f"outer fold {fold} of {folds}" if fold else f"tune {type(self.search.model).__name__}"
                )
                with display.start_task(label, trials or 0) as task:
                    if fold == 0:
                        self.trials = self.search.run(
                            self.study, _ALL_RATINGS, self.plan, search_budget, task
                        )
                        self._check_has_best()
                    else:
                        self._search_without_fold(fold, search_budget, task)
        except KeyboardInterrupt:
            self.interrupted = True
            self.trials = self.trials or [
                trial for trial in self.study.trials(_ALL_RATINGS) if trial.state is not None
            ]
            if self.search.best_trial(self.trials) is None:
                raise
            self._add_note(self._interruption_note(folds))

    def _add_note(self, note: str) -> None:
        self.notes.append(note)
        log.info(note)

    def _timeout_share(self, timeout: float | None, fold: int, folds: int) -> float | None:
        """Return the time of one search: an equal share of what the earlier ones left."""
        if timeout is None:
            return None
        used = sum(self.study.total_seconds(self._search_name(previous)) for previous in range(fold))
        return max(0.0, timeout - used) / (folds + 1 - fold)

    def _search_name(self, fold: int) -> str:
        """Return the name of a search in the study."""
        return f"{self.outer_name} without fold {fold}" if fold else _ALL_RATINGS

    def _search_without_fold(self, fold: int, budget: Budget, task: Any) -> None:
        """Search without an outer fold (from 1); score the best setting and the initial model on it."""
        search_name = self._search_name(fold)
        train, test = (self.outer_plan or self.plan).train_test(fold - 1)
        plan = make_plan(train, self.inner_split, None)
        trials = self.search.run(self.study, search_name, plan, budget, task)
        best = self.search.best_trial(trials)
        if best is None:
            raise DataError(f"no setting could be evaluated without outer fold {fold}: {trials[0].reason}")
        scores = []
        for params, model in (
            (best.params, self.search.build_model(best)),
            (trials[0].params, self.search.model),
        ):
            score = self.study.outer_score(search_name, params)
            if score is None:
                self.search.take_elapsed()
                score = self.search.score(model, train, test)
                self.study.add_outer_score(search_name, params, score, self.search.take_elapsed())
            scores.append(score)
        self.outer_results.append(
            {
                "params": best.params,
                "repr": repr(self.search.build_model(best)),
                "trials": len(trials),
                "inner": best.mean,
                "outer": scores[0],
                "initial": scores[1],
            }
        )

    def _check_has_best(self) -> None:
        if self.search.best_trial(self.trials) is None:
            raise DataError(
                f"none of {len(self.trials)} settings could be evaluated; the first: {self.trials[0].reason}",
                hint="another space",
            )

    def _interruption_note(self, folds: int) -> str:
        outer_text = f" and {len(self.outer_results)} of {folds} outer folds" if folds else ""
        storage_text = f"saved in {self.study.path}" if self.study.path else "not saved in a study file"
        return f"interrupted: {format_count(len(self.trials), 'trial')}{outer_text} done, {storage_text}"

    # Result ----------------------------------------------------------------------------------

    def build_result(self, dataset: dict[str, Any]) -> TuningResult:
        """Return the result of the trials done."""
        search = self.search
        return TuningResult(
            model=search.build_model(search.best_trial(self.trials) or self.trials[0]),
            initial_model=search.model,
            metric=search.metric,
            dataset=dataset,
            protocol=self.plan.description,
            trials=tuple(self._trial_row(trial) for trial in self.trials),
            nested=self._nested_result(),
            seconds=self.study.total_seconds(),
            notes=tuple(self.notes),
            interrupted=self.interrupted,
        )

    def _trial_row(self, trial: Trial) -> Row:
        row: Row = {
            "trial": trial.number,
            "params": trial.params,
            "repr": repr(self.search.build_model(trial)),
            "state": trial.state,
            self.search.metric: trial.mean if trial.scores else None,
        }
        if len(trial.scores) > 1:
            row[f"{self.search.metric}_std"] = float(np.std(trial.scores))
        row |= {"folds": trial.scores, "seconds": trial.seconds}
        return row | ({"reason": trial.reason} if trial.reason else {})

    def _nested_result(self) -> dict[str, Any] | None:
        if self.outer_plan is None or not self.outer_results:
            return None
        metric, has_several_folds = self.search.metric, len(self.outer_results) > 1
        columns = {name: [row[name] for row in self.outer_results] for name in ("outer", "initial")}
        nested: dict[str, Any] = {
            "protocol": self.outer_plan.description,
            metric: float(np.mean(columns["outer"])),
        }
        if has_several_folds:
            nested[f"{metric}_std"] = float(np.std(columns["outer"]))
        nested["initial"] = float(np.mean(columns["initial"]))
        if has_several_folds:
            nested["initial_std"] = float(np.std(columns["initial"]))
        return nested | {"folds": list(self.outer_results)}
