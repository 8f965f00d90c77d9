"""A search on all ratings, and again without each outer fold, to be judged by it."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from foretaste._utils.formatting import plural
from foretaste._utils.progress import Progress
from foretaste.errors import BadData
from foretaste.evaluation.plan import Protocol, make_protocol
from foretaste.evaluation.tuning.results import Row, Tuned
from foretaste.evaluation.tuning.search import Limits, Search
from foretaste.evaluation.tuning.study import Study, Trial

log = logging.getLogger("foretaste")

_ALL = "all ratings"


@dataclass
class Work:
    """All searches of one call.

    Parameters
    ----------
    search : Search
    study : Study
    inner : Split
        The inner folds of any part of the ratings.
    protocol : Protocol
        Those of all ratings.
    outer : Protocol or None
    outer_name : str
        What the outer folds are called in the study, so that other outer folds are searched anew.
    """

    search: Search
    study: Study
    inner: Any
    protocol: Protocol
    outer: Protocol | None
    outer_name: str
    trials: list[Trial] = field(default_factory=list)
    judged: list[Row] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    stopped: bool = False

    def run(self, trials: int | None, budget: float | None, show: Progress) -> None:
        """Do what is missing; the search on all ratings comes first, so that its best is there soonest."""
        before = len(self.study.trials(_ALL))
        if before:
            self._say(
                f"{self.study.path} holds {plural(before, 'trial')} on all ratings; going on from there"
            )
        folds = 0 if self.outer is None else len(self.outer)
        try:
            for fold in range(folds + 1):
                limits = Limits(trials, self._share(budget, fold, folds), 2.5 if fold else 0.0)
                label = (
                    f"outer fold {fold} of {folds}" if fold else f"tune {type(self.search.model).__name__}"
                )
                with show.task(label, trials or 0) as task:
                    if fold == 0:
                        self.trials = self.search.run(self.study, _ALL, self.protocol, limits, task)
                        self._check()
                    else:
                        self._without(fold, limits, task)
        except KeyboardInterrupt:
            self.stopped = True
            self.trials = self.trials or [t for t in self.study.trials(_ALL) if t.state is not None]
            if self.search.best(self.trials) is None:
                raise
            self._say(self._where_it_stopped(folds))

    def _say(self, note: str) -> None:
        self.notes.append(note)
        log.info(note)

    def _share(self, budget: float | None, fold: int, folds: int) -> float | None:
        """Return what one search may take: an equal share of what those before it left."""
        if budget is None:
            return None
        used = sum(self.study.seconds(self._part(before)) for before in range(fold))
        return max(0.0, budget - used) / (folds + 1 - fold)

    def _part(self, fold: int) -> str:
        """Return what a search is called in the study."""
        return f"{self.outer_name} without fold {fold}" if fold else _ALL

    def _without(self, fold: int, limits: Limits, task: Any) -> None:
        """Search without an outer fold (from 1), and judge by it what is found, and the model as given."""
        part = self._part(fold)
        train, test = (self.outer or self.protocol).parts(fold - 1)
        protocol = make_protocol(train, self.inner, None)
        trials = self.search.run(self.study, part, protocol, limits, task)
        best = self.search.best(trials)
        if best is None:
            raise BadData(f"no setting could be judged without outer fold {fold}: {trials[0].reason}")
        scores = []
        for params, model in (
            (best.params, self.search.model_of(best)),
            (trials[0].params, self.search.model),
        ):
            score = self.study.judged(part, params)
            if score is None:
                self.search.lap()
                score = self.search.score(model, train, test)
                self.study.add_judged(part, params, score, self.search.lap())
            scores.append(score)
        self.judged.append(
            {
                "params": best.params,
                "python": repr(self.search.model_of(best)),
                "trials": len(trials),
                "inner": best.mean,
                "outer": scores[0],
                "given": scores[1],
            }
        )

    def _check(self) -> None:
        if self.search.best(self.trials) is None:
            raise BadData(
                f"none of {len(self.trials)} settings could be judged; the first: {self.trials[0].reason}",
                hint="another space",
            )

    def _where_it_stopped(self, folds: int) -> str:
        outer = f" and {len(self.judged)} of {folds} outer folds" if folds else ""
        kept = f"kept in {self.study.path}" if self.study.path else "and no study file keeps them"
        return f"stopped: {plural(len(self.trials), 'trial')}{outer} done, {kept}"

    # What comes of it ----------------------------------------------------------------------------------

    def result(self, dataset: dict[str, Any]) -> Tuned:
        """Return the result of what is done."""
        search = self.search
        return Tuned(
            model=search.model_of(search.best(self.trials) or self.trials[0]),
            given=search.model,
            metric=search.metric,
            dataset=dataset,
            protocol=self.protocol.words,
            trials=tuple(self._row(trial) for trial in self.trials),
            nested=self._nested(),
            seconds=self.study.seconds(),
            notes=tuple(self.notes),
            stopped=self.stopped,
        )

    def _row(self, trial: Trial) -> Row:
        row: Row = {
            "trial": trial.number,
            "params": trial.params,
            "python": repr(self.search.model_of(trial)),
            "state": trial.state,
            self.search.metric: trial.mean if trial.scores else None,
        }
        if len(trial.scores) > 1:
            row[f"{self.search.metric}_std"] = float(np.std(trial.scores))
        row |= {"folds": trial.scores, "seconds": trial.seconds}
        return row | ({"reason": trial.reason} if trial.reason else {})

    def _nested(self) -> dict[str, Any] | None:
        if self.outer is None or not self.judged:
            return None
        metric, several = self.search.metric, len(self.judged) > 1
        columns = {name: [row[name] for row in self.judged] for name in ("outer", "given")}
        nested: dict[str, Any] = {"protocol": self.outer.words, metric: float(np.mean(columns["outer"]))}
        if several:
            nested[f"{metric}_std"] = float(np.std(columns["outer"]))
        nested["given"] = float(np.mean(columns["given"]))
        if several:
            nested["given_std"] = float(np.std(columns["given"]))
        return nested | {"folds": list(self.judged)}
