"""Compares models on the same folds."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from typing import Any, Protocol

import numpy as np

from foretaste._utils.progress import Progress, ProgressTask, get_progress
from foretaste.errors import ForetasteError, Hint, InvalidParameterError, NotFoundError
from foretaste.evaluation.fit_and_score import FoldResult, error_entry, evaluate_folds, validate_metrics
from foretaste.evaluation.leakage import count_exact, leakage_warning
from foretaste.evaluation.plan import EvaluationPlan, make_plan
from foretaste.evaluation.results import PredictionStore, Results, Row
from foretaste.evaluation.significance import PerUserErrors, bootstrap_intervals
from foretaste.models import MODELS, Model
from foretaste.models.baselines import GlobalMean
from foretaste.models.spec import params_as_json
from foretaste.splits import KFold
from foretaste.typing import Float64Array
from foretaste.validation import as_ratings

log = logging.getLogger("foretaste")


def compare(
    ratings: Any,
    models: Iterable[str | Model] | str | Model | None = None,
    *,
    test: Any = None,
    split: Any = None,
    folds: int | None = None,
    metrics: Sequence[str] = ("rmse", "mae"),
    warm_only: bool = False,
    overlap: str = "error",
    measure_memory: bool = False,
    threads: int | None = None,
    progress: bool | Progress = False,
    name: str = "ratings",
) -> Results:
    """Fit and evaluate models on the same folds, and rank them by RMSE.

    ``GlobalMean`` is always included as the baseline. A model that cannot be evaluated (out of memory, not
    supported, missing data) becomes a row with its error. Sample weights, if any, are used in fitting only.

    Models get the (user, item) pairs of the test set only; a warning names a model that predicts test rows
    without any error. Predictions are stored (4 bytes per test row and model, 256 MB in all, those of the
    worst models dropped first) for ``Results.breakdown``.

    Parameters
    ----------
    ratings : Ratings, or a data frame with ratings
    models : list of names and models, optional
        Default: every model of ``foretaste.models.MODELS`` with default parameters. Models passed in are left
        unfitted.
    test : Ratings, or a data frame with ratings, optional
        An external test set, instead of a split.
    split : splitter, optional
        Default: ``HoldOut(0.2, seed=0)``. With several folds, metrics and seconds are means with their
        standard deviation (ddof 0); counts of rows that used a fallback are sums.
    folds : int, optional
        Short for ``split=KFold(folds, seed=0)``.
    metrics : sequence of str
        Names of ``foretaste.metrics.METRICS``; RMSE is always included.
    warm_only : bool
        Test only on rows whose user and item occur in the training set.
    overlap : {"error", "drop_from_train", "drop_from_test"}
        How to treat (user, item) pairs that occur in both ``ratings`` and ``test``.
    measure_memory : bool
        Measure by how much memory rises at its peak while a model is fitted and evaluated, one fold after
        another (Linux only; elsewhere the rows lack it).
    threads : int, optional
        Total number of threads; folds run in parallel, each fit with an equal share. None uses all cores.
        Changes only the seconds.
    progress : bool or Progress
    name : str
        Name of the dataset in the results.

    Returns
    -------
    Results
        After an interruption (Ctrl-C), of the models evaluated so far, with ``interrupted`` set.

    Raises
    ------
    NotFoundError
        If there is no model of a name.
    InvalidParameterError
        If a hyperparameter, metric or splitter is not allowed.
    DataError
        If the ratings cannot be split or evaluated as requested.
    """
    ratings = as_ratings(ratings)
    model_list, notes = _resolve_models(models)
    if folds is not None:
        if split is not None or test is not None:
            raise InvalidParameterError(
                "folds cannot be combined with split or test", hint=Hint({"split": None, "test": None})
            )
        split = KFold(folds, seed=0)
    test = None if test is None else as_ratings(test)
    plan = make_plan(ratings, split, test, warm_only=warm_only, overlap=overlap)
    metric_names = validate_metrics(metrics, plan)
    comparison = _Comparison(plan, metric_names, get_progress(progress), threads, measure_memory)
    named_models = [(model_label(model), model) for model in model_list]
    interrupted = evaluate_in_turn("compare", named_models, comparison, len(plan), notes)
    for note in notes:
        log.info(note)
    for warning in comparison.warnings:
        log.warning(warning)
    dataset = {"name": name, **plan.ratings.describe()}
    rows = comparison.add_intervals(sorted(comparison.rows, key=_sort_key))
    notes += comparison.warnings
    return Results(
        dataset,
        plan.description,
        tuple(rows),
        tuple(notes),
        interrupted,
        comparison.user_errors.n_users,
        comparison.predictions,
    )


def _sort_key(row: Row) -> tuple[bool, float]:
    return ("error" in row, row["rmse"] or 0.0)


def _resolve_models(models: Iterable[str | Model] | str | Model | None) -> tuple[list[Model], list[str]]:
    """Return the models to evaluate, the baseline included, and notes about them."""
    if models is None:
        return [model() for model in MODELS.values()], []
    requested = [models] if isinstance(models, str | Model) else list(models)
    resolved = [resolve_model(model) for model in requested]
    if not resolved:
        raise InvalidParameterError(
            "models is empty", hint="None for all of them, or some of " + ", ".join(MODELS)
        )
    if any(type(model) is GlobalMean for model in resolved):
        return resolved, []
    return [GlobalMean(), *resolved], ["GlobalMean added as the baseline"]


class ModelEvaluator(Protocol):
    """Evaluates models; ``rows`` holds one entry per evaluated model."""

    progress: Progress
    rows: list[Any]

    def evaluate(self, name: str, model: Model, task: ProgressTask) -> None:
        """Evaluate one model, report its steps to ``task``, and append its row."""


def evaluate_in_turn(
    label: str,
    models: Sequence[tuple[str, Model]],
    evaluator: ModelEvaluator,
    steps_per_model: int,
    notes: list[str],
) -> bool:
    """Evaluate models one after another; return whether it was interrupted, which ``notes`` then says."""
    try:
        with evaluator.progress.start_task(label, len(models) * steps_per_model) as task:
            for index, (name, model) in enumerate(models, 1):
                task.step(0, f"{name}, {index} of {len(models)} models")
                evaluator.evaluate(name, model, task)
    except KeyboardInterrupt:
        notes.append(f"interrupted: {len(evaluator.rows)} of {len(models)} models evaluated")
        return True
    return False


def resolve_model(model: Any) -> Model:
    """Return a model, or the one of a name, after validating its hyperparameters."""
    resolved = model_from_name(model) if isinstance(model, str) else model
    if not isinstance(resolved, Model):
        hint = "SVD(factors=20), not SVD" if isinstance(resolved, type) else "a name, or a foretaste model"
        raise InvalidParameterError(f"{resolved!r} is neither a name nor a model", hint=hint)
    resolved._check_extra()
    resolved.check_params()
    return resolved


def model_from_name(name: str) -> Model:
    """Return the model of a name with default parameters; case, ``-`` and ``_`` do not matter.

    Raises
    ------
    NotFoundError
        If there is none; the message names the closest.
    """
    names = MODELS.names()
    lower_names = {key.lower(): key for key in names}
    key = lower_names.get(name.replace("-", "").replace("_", "").lower())
    if key is None:
        raise NotFoundError(f'no model "{name}"', misspelled=(name, names), hint="one of " + ", ".join(names))
    return MODELS[key]()


class _Comparison:
    """A comparison in progress."""

    def __init__(
        self,
        plan: EvaluationPlan,
        metrics: tuple[str, ...],
        progress: Progress,
        threads: int | None,
        measure_memory: bool,
    ) -> None:
        self.plan, self.metrics, self.progress = plan, metrics, progress
        self.threads, self.measure_memory = threads, measure_memory
        self.rows: list[Row] = []
        self.warnings: list[str] = []
        self.user_errors = PerUserErrors(plan)
        self.errors_by_model: dict[str, Float64Array] = {}
        self.predictions = PredictionStore(plan)

    def evaluate(self, name: str, model: Model, task: ProgressTask) -> None:
        """Evaluate one model on all folds and append its row."""
        with self.progress.start_item(name) as item:
            results: list[FoldResult] = []

            def collect(result: FoldResult) -> None:
                results.append(result)
                task.step()

            try:
                evaluate_folds(
                    model,
                    self.plan,
                    self.metrics,
                    self.progress.inside_item(),
                    collect,
                    self.threads,
                    self.measure_memory,
                )
            except (ForetasteError, MemoryError) as error:
                entry = error_entry(error)
                self.rows.append(self._error_row(model, entry))
                item.step(note=f"failed: {entry['message']}")
                task.step(len(self.plan) - len(results))
                return
            row = self._result_row(model, results)
            self.rows.append(row)
            predictions = [result.predictions for result in results]
            self.errors_by_model[row["repr"]] = self.user_errors.sum_errors(predictions)
            self.predictions.add(row["repr"], row["rmse"], predictions)
            exact_counts = [
                count_exact(self.plan.test_values(fold), values) for fold, values in enumerate(predictions)
            ]
            warning = leakage_warning(name, exact_counts)
            self.warnings += [] if warning is None else [warning]
            item.step(note=f"RMSE {row['rmse']:.4g}")

    def add_intervals(self, rows: list[Row]) -> list[Row]:
        """Add the intervals of the RMSE and of the gap to the best model; return the rows, best first."""
        evaluated_rows = [row for row in rows if "error" not in row]
        if not evaluated_rows or not self.user_errors.has_enough_users:
            return rows
        estimates = bootstrap_intervals(
            [self.errors_by_model[row["repr"]] for row in evaluated_rows], self.user_errors.counts
        )
        for index, (row, uncertainty) in enumerate(zip(evaluated_rows, estimates, strict=True)):
            row["rmse_interval"] = [uncertainty.rmse.low, uncertainty.rmse.high]
            if index:
                interval = [uncertainty.interval.low, uncertainty.interval.high]
                row["gap_to_best"] = {
                    "rmse": uncertainty.difference,
                    "interval": interval,
                    "p": uncertainty.p,
                }
        return rows

    def _base_row(self, model: Model) -> Row:
        return {"model": type(model).__name__, "params": json_params(model), "repr": repr(model)}

    def _result_row(self, model: Model, results: list[FoldResult]) -> Row:
        row = self._base_row(model)
        has_several_folds = len(results) > 1
        for key in results[0].metrics:
            values = [result.metrics[key] for result in results]
            if key == "fallback_rows":
                row[key] = int(sum(values))
                continue
            row[key] = float(np.mean(values))
            if has_several_folds:
                row[f"{key}_std"] = float(np.std(values))
        peaks = [result.peak_memory_mb for result in results if result.peak_memory_mb is not None]
        if len(peaks) == len(results):
            row["peak_memory_mb"] = max(peaks)
        if has_several_folds:
            row["folds"] = [result.metrics for result in results]
        return row

    def _error_row(self, model: Model, error: dict[str, str | None]) -> Row:
        keys = ("train_rmse", *self.metrics, "fit_seconds", "predict_seconds", "fallback_rows")
        return self._base_row(model) | dict.fromkeys(keys) | {"error": error}


def json_params(model: Model) -> dict[str, Any]:
    """Return the hyperparameters of a model as JSON-serializable values."""
    return {name: _json_value(value) for name, value in params_as_json(model).items()}


def model_label(model: Model) -> str:
    """Return the label of a model: its class and the parameters that differ from their defaults."""
    return repr(model).removesuffix("()")


def _json_value(value: Any) -> Any:
    """Return a hyperparameter as a JSON-serializable value."""
    is_json = value is None or isinstance(value, bool | int | float | str | list | dict)
    return value if is_json else repr(value)
