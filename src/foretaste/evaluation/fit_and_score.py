"""Fits a model on a training set and scores it on a test set."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from foretaste._utils.progress import Progress
from foretaste.errors import ForetasteError, Hint, InvalidParameterError
from foretaste.evaluation.plan import EvaluationPlan
from foretaste.metrics.rating import rmse
from foretaste.metrics.registry import METRICS, get_metric
from foretaste.models import Model
from foretaste.ratings import Ratings
from foretaste.typing import Float32Array
from foretaste.validation import encode_pairs

Metrics = dict[str, float | int]


@dataclass(frozen=True)
class FoldResult:
    """Result of one fold: metrics, predictions of its test rows, shape (n,), and peak memory in MB."""

    metrics: Metrics
    predictions: Float32Array
    peak_memory_mb: float | None = None


def clone(model: Model) -> Model:
    """Return an unfitted model with the same parameters."""
    return type(model)(**model.get_params(deep=False))


def fit_and_score(
    model: Model, train: Ratings, test: Ratings, metrics: Sequence[str], progress: bool | Progress = False
) -> FoldResult:
    """Fit on ``train``, predict ``test`` and compute metrics.

    The model gets the (user, item) pairs of ``test`` only; its ratings are used for scoring alone.

    Returns
    -------
    FoldResult
        Metrics: ``train_rmse``, each of ``metrics``, ``fit_seconds``, ``predict_seconds`` (for all of
        ``test``) and ``fallback_rows``, the number of test rows with an unknown user or item.
    """
    fitted_model = clone(model)
    start = time.perf_counter()
    fitted_model.fit(train, progress=progress)
    fit_seconds = time.perf_counter() - start
    start = time.perf_counter()
    prediction = fitted_model.predict_details(encode_pairs(test, fitted_model.users_, fitted_model.items_))
    predict_seconds = time.perf_counter() - start
    train_predictions = fitted_model.predict(encode_pairs(train, fitted_model.users_, fitted_model.items_))
    values: Metrics = {
        "train_rmse": rmse(train.value, train_predictions),
        **{name: compute_metric(name, test, prediction.value) for name in metrics},
        "fit_seconds": fit_seconds,
        "predict_seconds": predict_seconds,
        "fallback_rows": int(np.count_nonzero(prediction.fallback)),
    }
    return FoldResult(values, np.asarray(prediction.value, np.float32))


def error_entry(error: BaseException) -> dict[str, str | None]:
    """Return an exception as the ``error`` entry of a row of results: code, message and hint."""
    if isinstance(error, ForetasteError):
        return {"code": error.code, "message": error.message, "hint": error.hint}
    return {
        "code": "too_large",
        "message": "out of memory",
        "hint": "a smaller model, or fewer ratings",
    }


def compute_metric(name: str, test: Ratings, y_pred: Any) -> float:
    """Return one metric of predictions for ``test``."""
    metric = METRICS[name]
    if metric.requires == "user":
        return metric.function(test.value, y_pred, test.user)
    if metric.requires == "scale":
        return metric.function(test.value, y_pred, test.scale)
    return metric.function(test.value, y_pred)


def validate_metrics(metrics: Sequence[str], plan: EvaluationPlan) -> tuple[str, ...]:
    """Return the names of the metrics, RMSE included, after checking that each can be computed on the plan.

    Raises
    ------
    InvalidParameterError
        If there is no metric of a name, or NMAE is requested and the scale of the ratings is not declared.
    DataError
        If the test rows do not allow a metric (FCP with one row per user).
    """
    names = [metrics] if isinstance(metrics, str) else list(metrics)
    names = [get_metric(name).name for name in names]
    names = list(dict.fromkeys(["rmse", *names] if "rmse" not in names else names))
    for fold in range(len(plan)):
        test = plan.test_ratings(fold)
        for name in names:
            if METRICS[name].requires == "scale" and test.scale is None:
                raise InvalidParameterError(
                    f"{name} needs the scale of the ratings",
                    hint=Hint({"scale": (1, 5)}, lead="read_ratings with"),
                )
            compute_metric(name, test, test.value)
    return tuple(names)
