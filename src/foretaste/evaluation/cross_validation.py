"""Cross-validation of one model, printed as the usual table of folds."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from foretaste._utils.html import notebook_html, notebook_table
from foretaste._utils.progress import Progress, get_progress
from foretaste.evaluation.comparison import json_params, model_label, resolve_model
from foretaste.evaluation.fit_and_score import FoldResult, Metrics, evaluate_folds, validate_metrics
from foretaste.evaluation.leakage import count_exact, leakage_warning
from foretaste.evaluation.plan import EvaluationPlan, make_plan
from foretaste.metrics.registry import METRICS
from foretaste.models import Model
from foretaste.splits import KFold
from foretaste.validation import as_ratings

log = logging.getLogger("foretaste")

_SECONDS = {"fit_seconds": "Fit time", "predict_seconds": "Test time"}


@dataclass(frozen=True, eq=False, repr=False)
class CrossValidation:
    """Result of ``cross_validate``: metrics of each fold, their means and standard deviations.

    Parameters
    ----------
    model : str
        The ``repr`` of the model.
    params : dict
        Its hyperparameters.
    protocol : str
        The evaluation protocol in one sentence.
    metrics : tuple of str
        The computed metrics, of ``foretaste.metrics.METRICS``.
    folds : tuple of dict
        One per fold: ``train_rmse``, each of the metrics, ``fit_seconds``, ``predict_seconds``,
        ``fallback_rows`` (test rows with an unknown user or item), and ``mean_rmse``, the RMSE of predicting
        the mean of the training rows.
    notes : tuple of str
        Further remarks.
    """

    model: str
    params: dict[str, Any]
    protocol: str
    metrics: tuple[str, ...]
    folds: tuple[Metrics, ...]
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.folds)

    @property
    def mean(self) -> dict[str, float]:
        """Mean of each metric over the folds."""
        return {key: float(np.mean([fold[key] for fold in self.folds])) for key in self.folds[0]}

    @property
    def std(self) -> dict[str, float]:
        """Standard deviation of each metric over the folds (ddof 0)."""
        return {key: float(np.std([fold[key] for fold in self.folds])) for key in self.folds[0]}

    @property
    def summary(self) -> str:
        """One sentence: the RMSE, compared with the baseline."""
        mean, std = self.mean, self.std
        gain = 100 * (1 - mean["rmse"] / mean["mean_rmse"]) if mean["mean_rmse"] else 0.0
        direction = "better" if gain >= 0 else "worse"
        std_text = f" +- {std['rmse']:.4f}" if len(self) > 1 else ""
        return (
            f"RMSE {mean['rmse']:.4f}{std_text}: {abs(gain):.3g} % {direction} than always guessing the mean "
            f"({mean['mean_rmse']:.4f})."
        )

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-serializable dict."""
        return {
            "model": self.model,
            "params": dict(self.params),
            "protocol": self.protocol,
            "folds": [dict(fold) for fold in self.folds],
            "mean": self.mean,
            "std": self.std,
            "notes": list(self.notes),
        }

    def to_frame(self) -> Any:
        """Return a polars frame with one row per fold; its first column ``fold`` starts at 1."""
        import polars as pl

        return pl.DataFrame([{"fold": fold_number} | fold for fold_number, fold in enumerate(self.folds, 1)])

    def table(self) -> tuple[list[str], list[list[str]], str]:
        """Return headers, cells and column alignment, formatted for display."""
        headers = ["", *(f"Fold {fold_number}" for fold_number in range(1, len(self) + 1)), "Mean", "Std"]
        mean, std = self.mean, self.std
        rows = []
        for key in (*self.metrics, *_SECONDS):
            fmt = ".2f" if key in _SECONDS else ".4f"
            name = _SECONDS.get(key) or f"{METRICS[key].label} (testset)"
            values = [*(fold[key] for fold in self.folds), mean[key], std[key]]
            rows.append([name, *(format(value, fmt) for value in values)])
        return headers, rows, "l" + "r" * (len(self) + 2)

    @property
    def _title(self) -> str:
        labels = ", ".join(METRICS[name].label for name in self.metrics)
        return f"Evaluating {labels} of algorithm {self.model.removesuffix('()')} on {len(self)} split(s)."

    def __str__(self) -> str:
        headers, rows, _ = self.table()
        name_width = max(18, *(len(row[0]) + 2 for row in rows))
        cell_width = max(8, *(len(cell) + 2 for row in [headers, *rows] for cell in row[1:]))
        lines = [
            row[0].ljust(name_width) + "".join(cell.ljust(cell_width) for cell in row[1:])
            for row in [headers, *rows]
        ]
        notes = (f"note: {note}" for note in self.notes)
        return "\n".join([self._title, "", *lines, "", self.summary, f"protocol: {self.protocol}", *notes])

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        paragraphs = [self.summary, f"Protocol: {self.protocol}", *(f"Note: {note}" for note in self.notes)]
        return notebook_html(self._title, notebook_table(*self.table()), *paragraphs)


def cross_validate(
    model: str | Model,
    ratings: Any,
    folds: int = 5,
    metrics: Sequence[str] = ("rmse", "mae"),
    *,
    seed: int = 0,
    split: Any = None,
    warm_only: bool = False,
    threads: int | None = None,
    progress: bool | Progress = False,
) -> CrossValidation:
    """Fit a model on all folds but one and evaluate it on that one, for each fold in turn.

    Folds run in parallel threads, each fit with an equal share of the cores, so memory is needed for as many
    fits as there are cores. Results are bit-identical to those of one fold after another. The model gets the
    (user, item) pairs of the test rows only.

    Parameters
    ----------
    model : str or Model
        A name of ``foretaste.models.MODELS``, or a model, which is left unfitted.
    ratings : Ratings, or a data frame with ratings
    folds : int
        Number of folds, at least 2; the same folds as those of scikit-learn's
        ``KFold(folds, shuffle=True, random_state=seed)``.
    metrics : sequence of str
        Names of ``foretaste.metrics.METRICS``; RMSE is always included.
    seed : int
        Random seed of the folds.
    split : splitter, optional
        Instead of ``KFold(folds, seed)``: ``TimeSplit(0.2)``, ``LeaveNOut(1)``, ``ColdUsers(0.2)``, or
        anything that scikit-learn accepts as ``cv=`` and that has a method ``split``.
    warm_only : bool
        Test only on rows whose user and item occur in the training set.
    threads : int, optional
        Total number of threads; None uses all cores, 1 runs one fold after another.
    progress : bool or Progress

    Raises
    ------
    NotFoundError
        If there is no model of this name.
    InvalidParameterError
        If a hyperparameter, metric, splitter or number is not allowed.
    DataError
        If the ratings cannot be split or evaluated as requested, or a row is in both the training and the
        test set.
    """
    ratings = as_ratings(ratings)
    estimator = resolve_model(model)
    plan = make_plan(ratings, KFold(folds, seed) if split is None else split, None, warm_only=warm_only)
    metric_names = validate_metrics(metrics, plan)
    fold_metrics: list[Metrics] = []
    exact_counts: list[int] = []
    label, display = model_label(estimator), get_progress(progress)
    with display.start_task(f"cross-validate {label}", len(plan)) as task:

        def collect(result: FoldResult) -> None:
            exact_counts.append(count_exact(plan.test_values(len(fold_metrics)), result.predictions))
            fold_metrics.append(result.metrics | {"mean_rmse": _global_mean_rmse(plan, len(fold_metrics))})
            task.step(note=f"fold {len(fold_metrics)} of {len(plan)}, RMSE {result.metrics['rmse']:.4g}")

        evaluate_folds(estimator, plan, metric_names, display.inside_item(), collect, threads)
    warning = leakage_warning(label, exact_counts)
    if warning is not None:
        log.warning(warning)
    notes = () if warning is None else (warning,)
    return CrossValidation(
        repr(estimator), json_params(estimator), plan.description, metric_names, tuple(fold_metrics), notes
    )


def _global_mean_rmse(plan: EvaluationPlan, fold: int) -> float:
    """Return the RMSE of predicting the mean of the training rows."""
    train_rows, test_rows = plan.fold_rows[fold]
    value = plan.ratings.value
    weight = None if plan.ratings.weight is None else plan.ratings.weight[train_rows]
    mean = np.average(value[train_rows].astype(np.float64), weights=weight)
    return float(np.sqrt(np.mean((value[test_rows] - mean) ** 2)))
