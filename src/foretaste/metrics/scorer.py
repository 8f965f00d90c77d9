"""Scorers for scikit-learn, made from the metrics of this package."""

from __future__ import annotations

from typing import Any

import numpy as np

from foretaste.errors import InvalidParameterError, did_you_mean
from foretaste.metrics.rating import METRICS, Metric
from foretaste.typing import Int64Array


class Scorer:
    """A callable ``scorer(model, X, y)`` for scikit-learn: greater is better, so errors are negative.

    Made by ``scorer(name)``; pass it as ``scoring=``.
    """

    def __init__(self, metric: Metric, **options: Any) -> None:
        self.metric = metric
        self.options = options

    def __call__(self, model: Any, X: Any, y: Any = None) -> float:
        """Score a fitted model on pairs (or Ratings) and their ratings."""
        true = np.asarray(X.value if y is None else y)
        options = dict(self.options)
        if self.metric.requires == "user":
            options["user"] = _user_numbers(X)
        score = self.metric.function(true, model.predict(X), **options)
        return score if self.metric.greater_is_better else -score

    def __repr__(self) -> str:
        return f"scorer({self.metric.name!r})"


def _user_numbers(X: Any) -> Int64Array:
    """Return a number for each row's user, whatever kind of pairs X is."""
    if hasattr(X, "users"):
        return np.asarray(X.user, dtype=np.int64)
    from foretaste.column_roles import as_numpy, frame_columns, infer_roles, is_frame

    if is_frame(X):
        columns = frame_columns(X)
        users = as_numpy(columns[infer_roles(columns, {"user": None})["user"]])
    else:
        users = np.asarray(X, dtype=object)[:, 0]
    return np.unique(users.astype(str), return_inverse=True)[1].astype(np.int64)


def scorer(name: str, **options: Any) -> Scorer:
    """Return the scorer of a metric, for ``scoring=`` in scikit-learn.

    Parameters
    ----------
    name : str
        One of ``METRICS``: rmse, rmse_per_user, mae, nmae (give ``scale=(low, high)``), r2, fcp.
    **options
        Passed to the metric, as ``scale`` is.

    Raises
    ------
    InvalidParameterError
        If there is no such metric, or nmae is asked for without a scale.
    """
    if name not in METRICS:
        near = did_you_mean(name, METRICS)
        raise InvalidParameterError(f'no metric "{name}"{near}', hint="one of " + ", ".join(METRICS))
    metric = METRICS[name]
    if metric.requires == "scale" and "scale" not in options:
        raise InvalidParameterError("nmae needs the scale", hint='scorer("nmae", scale=(1, 5))')
    return Scorer(metric, **options)
