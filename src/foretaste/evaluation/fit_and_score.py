"""Fitting one model on one part and judging it by another."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from foretaste._utils.progress import Progress
from foretaste.errors import ForetasteError, InvalidParameterError
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
    """What came of one fold: figures, and the predictions of the rows judged, shape (n,)."""

    metrics: Metrics
    predictions: Float32Array


def clone(model: Model) -> Model:
    """Return an unfitted model with the same parameters, so that the one given is never changed."""
    return type(model)(**model.get_params(deep=False))


def fit_and_score(
    model: Model, train: Ratings, test: Ratings, metrics: Sequence[str], progress: bool | Progress = False
) -> FoldResult:
    """Fit on ``train``, predict ``test``, and measure.

    The model is asked about pairs: the ratings of ``test`` never reach it, they are only compared with.

    Returns
    -------
    Judgement
        Figures: ``train_rmse``, each of ``metrics``, ``fit_seconds``, ``predict_seconds`` (of all of
        ``test``) and ``fallback_rows``, how many of them named an unknown user or item.
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
    """Return why a model was not judged, as it stands in a row of results."""
    if isinstance(error, ForetasteError):
        return {"code": error.code, "message": error.message, "hint": error.hint}
    return {
        "code": "too_large",
        "message": "it ran out of memory",
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
    """Return the metrics wanted, RMSE always among them, after trying that each can be computed.

    Raises
    ------
    InvalidParameterError
        If a name is no metric, or NMAE is wanted and no scale was declared.
    DataError
        If the rows to judge by cannot give a metric (FCP of one row a user).
    """
    names = [metrics] if isinstance(metrics, str) else list(metrics)
    names = [get_metric(name).name for name in names]
    names = list(dict.fromkeys(["rmse", *names] if "rmse" not in names else names))
    for fold in range(len(plan)):
        test = plan.test_ratings(fold)
        for name in names:
            if METRICS[name].requires == "scale" and test.scale is None:
                raise InvalidParameterError(
                    f"{name} needs the scale of the ratings", hint="read_ratings(..., scale=(1, 5))"
                )
            compute_metric(name, test, test.value)
    return tuple(names)
