"""Result of hyperparameter tuning."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from foretaste._utils.formatting import count_decimals, format_count, format_text_table
from foretaste._utils.html import notebook_html, notebook_table
from foretaste.errors import format_argument
from foretaste.evaluation.results import Row, describe_dataset
from foretaste.evaluation.tuning.study import COMPLETE, FAILED, PRUNED
from foretaste.metrics.registry import METRICS
from foretaste.models import Model

TableLayout = tuple[list[str], list[list[str]], str]

_MAX_TABLE_ROWS = 10  # ``trials`` holds all of them


@dataclass(frozen=True, eq=False, repr=False)
class TuningResult:
    """Result of ``tune``; ``model`` is the best model.

    Parameters
    ----------
    model : Model
        The model with the best setting, not fitted; its ``repr`` is Python that builds it.
    initial_model : Model
        The model passed to ``tune``.
    metric : str
        The optimized metric, one of ``foretaste.metrics.METRICS``.
    dataset : dict
        ``name`` and the values of ``Ratings.describe``.
    protocol : str
        The evaluation protocol in one sentence.
    trials : tuple of dict
        All trials in order: ``trial`` (0 is the initial model), ``params``, ``repr``, ``state`` (complete,
        pruned, failed), the metric by its name (mean over the evaluated folds) with ``..._std``, ``folds``
        (the score of each) and ``seconds``; ``reason`` for failed ones.
    nested : dict or None
        Unbiased scores on outer folds that took no part in the search: ``protocol``, the metric with
        ``..._std``, ``initial`` with ``initial_std`` for the initial model, and ``folds``: for each the
        ``repr`` of the best setting, its ``inner`` and ``outer`` scores, and ``initial``.
    seconds : float
        Duration of all searches, earlier calls with the same study file included.
    notes : tuple of str
        Further remarks.
    interrupted : bool
        Whether the search was interrupted.
    """

    model: Model
    initial_model: Model
    metric: str
    dataset: dict[str, Any]
    protocol: str
    trials: tuple[Row, ...]
    nested: dict[str, Any] | None
    seconds: float
    notes: tuple[str, ...] = ()
    interrupted: bool = False

    @property
    def best_trial(self) -> Row:
        """The trial with the best score, the first of several."""
        sign = -1 if METRICS[self.metric].greater_is_better else 1
        return min(self._complete_trials, key=lambda row: (sign * row[self.metric], row["trial"]))

    @property
    def score(self) -> float:
        """The best score: the mean over the inner folds, and so optimistic."""
        return float(self.best_trial[self.metric])

    @property
    def nested_score(self) -> float | None:
        """The score to report: the mean over the outer folds; None without outer folds."""
        return None if self.nested is None else float(self.nested[self.metric])

    @property
    def headline(self) -> str:
        """One sentence: the best setting, its score, and a comparison with the initial model."""
        best, first = self.best_trial, self.trials[0]
        name = f"The initial model, {best['repr']}," if best is first else best["repr"]
        text = f"{name} is the best of {format_count(len(self.trials), 'setting')}: {self._metric_label} "
        text += self._format_score(best[self.metric], best.get(f"{self.metric}_std"))
        if best is first or first["state"] != COMPLETE:
            return text + "."
        return text + self._compare_with_initial(best["folds"], first["folds"], first["repr"]) + "."

    @property
    def score_caveat(self) -> str:
        """One or two sentences: how far the best score can be trusted."""
        return self.describe_score()

    def describe_score(self, notation: Callable[[str, object], str] = format_argument) -> str:
        """Return ``score_caveat``, with arguments in the given notation."""
        text = (
            f"The best inner score is the best of {format_count(len(self.trials), 'trial')} "
            "and therefore optimistic; "
        )
        if self.nested is None:
            hint = notation("outer_folds", 5)
            return text + f"no outer folds were held out to evaluate the search (try {hint})."
        folds = self.nested["folds"]
        tuned_scores, initial_scores = ([fold[name] for fold in folds] for name in ("outer", "initial"))
        return (
            text + f"on outer folds that took no part: {self._metric_label} "
            f"{self._format_score(self.nested[self.metric], self.nested.get(f'{self.metric}_std'))}"
            f"{self._compare_with_initial(tuned_scores, initial_scores, repr(self.initial_model))}."
        )

    def _compare_with_initial(
        self, tuned_scores: Sequence[float], initial_scores: Sequence[float], name: str
    ) -> str:
        """Compare scores with those of the initial model on the same folds, in words."""
        sign = 1 if METRICS[self.metric].greater_is_better else -1
        gains = sign * (np.array(tuned_scores) - np.array(initial_scores))
        mean = float(gains.mean())
        direction = "better" if mean >= 0 else "worse"
        std = float(gains.std()) if len(gains) > 1 else None
        folds_text = f", better in {int((gains > 0).sum())} of {len(gains)} folds" if len(gains) > 1 else ""
        initial_text = f"{float(np.mean(initial_scores)):{self._score_format}}"
        return f", {self._format_score(abs(mean), std)} {direction} than {name} ({initial_text}){folds_text}"

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-serializable dict."""
        best = self.best_trial
        data = {
            "dataset": dict(self.dataset),
            "protocol": self.protocol,
            "metric": self.metric,
            "best": dict(best),
            "trials": [dict(row) for row in self.trials],
            "nested": None if self.nested is None else dict(self.nested),
            "seconds": self.seconds,
        }
        return data | ({"interrupted": True} if self.interrupted else {})

    def table(self, max_rows: int = _MAX_TABLE_ROWS) -> TableLayout:
        """Return headers, cells and column alignment of the best trials and of the initial model.

        Parameters
        ----------
        max_rows : int
            Number of best trials; the initial model is added if it is not among them.
        """
        sign = -1 if METRICS[self.metric].greater_is_better else 1
        sorted_trials = sorted(self._complete_trials, key=lambda row: (sign * row[self.metric], row["trial"]))
        displayed = sorted_trials[:max_rows]
        if self.trials[0] not in displayed:
            displayed.append(self.trials[0])
        names = list(self.trials[0]["params"])
        headers = ["trial", *names, self._metric_label, "seconds"]
        lines = [
            [
                "0, initial" if row["trial"] == 0 else str(row["trial"]),
                *(_format_value(row["params"][name]) for name in names),
                self._format_score(row[self.metric], row.get(f"{self.metric}_std"))
                if row["state"] == COMPLETE
                else row["state"],
                f"{row['seconds']:.2f}",
            ]
            for row in displayed
        ]
        return headers, lines, "l" + "r" * (len(headers) - 1)

    def nested_table(self) -> TableLayout | None:
        """Return headers, cells and column alignment of the outer folds, or None without outer folds."""
        if self.nested is None:
            return None
        headers = [
            "outer fold",
            "best setting without it",
            f"inner {self._metric_label}",
            f"outer {self._metric_label}",
            "initial model",
        ]
        lines = [
            [
                str(fold_number),
                fold["repr"],
                *(f"{fold[name]:{self._score_format}}" for name in ("inner", "outer", "initial")),
            ]
            for fold_number, fold in enumerate(self.nested["folds"], 1)
        ]
        return headers, lines, "llrrr"

    @property
    def trials_summary(self) -> str:
        """One line: the number of trials by state, and the duration."""
        states = [row["state"] for row in self.trials]
        text = f"{format_count(len(states), 'trial')}: {states.count(COMPLETE)} evaluated on all folds"
        text += f", {states.count(PRUNED)} pruned" if PRUNED in states else ""
        text += f", {states.count(FAILED)} failed" if FAILED in states else ""
        n_outer_folds = len(self.nested["folds"]) if self.nested else 0
        nested_text = f" (including {format_count(n_outer_folds, 'outer fold')})" if n_outer_folds else ""
        return f"{text}; {self.seconds:.1f} s in all{nested_text}"

    @property
    def dataset_summary(self) -> str:
        """One line about the ratings."""
        return describe_dataset(self.dataset)

    @property
    def _summary_lines(self) -> list[str]:
        text = [
            self.headline,
            self.score_caveat,
            f"data: {self.dataset_summary}",
            f"protocol: {self.protocol}",
        ]
        return text + ([f"outer: {self.nested['protocol']}"] if self.nested else [])

    def __str__(self) -> str:
        nested = self.nested_table()
        parts = ["\n".join(self._summary_lines), format_text_table(*self.table()), self.trials_summary]
        parts += [format_text_table(*nested)] if nested else []
        return "\n\n".join(parts) + "".join(f"\nnote: {note}" for note in self.notes)

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        nested = self.nested_table()
        nested_node = notebook_table(*nested) if nested else None
        notes = [f"Note: {note}" for note in self.notes]
        return notebook_html(
            *self._summary_lines, notebook_table(*self.table()), self.trials_summary, nested_node, *notes
        )

    @property
    def _complete_trials(self) -> list[Row]:
        return [row for row in self.trials if row["state"] == COMPLETE]

    @property
    def _metric_label(self) -> str:
        return METRICS[self.metric].label

    @property
    def _score_format(self) -> str:
        scores = [row[self.metric] for row in self._complete_trials]
        return f".{count_decimals(scores)}f"

    def _format_score(self, mean: float, std: float | None) -> str:
        return f"{mean:{self._score_format}}" + ("" if std is None else f" +- {std:{self._score_format}}")


def _format_value(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
