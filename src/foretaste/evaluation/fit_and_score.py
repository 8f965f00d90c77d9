"""Fitting one model on one part and judging it by another."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from foretaste._utils.progress import Progress
from foretaste.errors import ForetasteError, InvalidParameter, did_you_mean
from foretaste.evaluation.plan import Protocol
from foretaste.metrics.rating import METRICS, rmse
from foretaste.models import Model
from foretaste.ratings import Ratings
from foretaste.validation import encode_pairs

Figures = dict[str, float | int]
Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Judgement:
    """What came of one fold: figures, and the predictions of the rows judged, shape (n,)."""

    figures: Figures
    predicted: Floats


def fresh(model: Model) -> Model:
    """Return an unfitted model with the same parameters, so that the one given is never changed."""
    return type(model)(**model.get_params(deep=False))


def judge(
    model: Model, train: Ratings, test: Ratings, metrics: Sequence[str], progress: bool | Progress = False
) -> Judgement:
    """Fit on ``train``, predict ``test``, and measure.

    The model is asked about pairs: the ratings of ``test`` never reach it, they are only compared with.

    Returns
    -------
    Judgement
        Figures: ``train_rmse``, each of ``metrics``, ``fit_seconds``, ``predict_seconds`` (of all of
        ``test``) and ``fallback_rows``, how many of them named an unknown user or item.
    """
    fitted = fresh(model)
    start = time.perf_counter()
    fitted.fit(train, progress=progress)
    fit_seconds = time.perf_counter() - start
    start = time.perf_counter()
    prediction = fitted.predict_details(encode_pairs(test, fitted.users_, fitted.items_))
    predict_seconds = time.perf_counter() - start
    trained = fitted.predict(encode_pairs(train, fitted.users_, fitted.items_))
    figures: Figures = {
        "train_rmse": rmse(train.value, trained),
        **{name: measure(name, test, prediction.value) for name in metrics},
        "fit_seconds": fit_seconds,
        "predict_seconds": predict_seconds,
        "fallback_rows": int(np.count_nonzero(prediction.fallback)),
    }
    return Judgement(figures, np.asarray(prediction.value, np.float32))


def refusal(error: BaseException) -> dict[str, str | None]:
    """Return why a model was not judged, as it stands in a row of results."""
    if isinstance(error, ForetasteError):
        return {"code": error.code, "message": error.message, "hint": error.hint}
    return {
        "code": "too_large",
        "message": "it ran out of memory",
        "hint": "a smaller model, or fewer ratings",
    }


def measure(name: str, test: Ratings, predicted: Any) -> float:
    """Return one metric of predictions for ``test``."""
    metric = METRICS[name]
    if metric.needs == "user":
        return metric.function(test.value, predicted, test.user)
    if metric.needs == "scale":
        return metric.function(test.value, predicted, test.scale)
    return metric.function(test.value, predicted)


def checked_metrics(metrics: Sequence[str], protocol: Protocol) -> tuple[str, ...]:
    """Return the metrics wanted, RMSE always among them, after trying that each can be computed.

    Raises
    ------
    InvalidParameter
        If a name is no metric, or NMAE is wanted and no scale was declared.
    BadData
        If the rows to judge by cannot give a metric (FCP of one row a user).
    """
    names = [metrics] if isinstance(metrics, str) else list(metrics)
    for name in names:
        if name not in METRICS:
            near = did_you_mean(name, METRICS)
            raise InvalidParameter(f'no metric "{name}"{near}', hint="one of " + ", ".join(METRICS))
    names = list(dict.fromkeys(["rmse", *names] if "rmse" not in names else names))
    for fold in range(len(protocol)):
        test = protocol.judged(fold)
        for name in names:
            if METRICS[name].needs == "scale" and test.scale is None:
                raise InvalidParameter(
                    f"{name} needs the scale of the ratings", hint="read_ratings(..., scale=(1, 5))"
                )
            measure(name, test, test.value)
    return tuple(names)
