"""Scorers for scikit-learn made of the metrics of this package."""

from __future__ import annotations

from typing import Any

import numpy as np

from foretaste.errors import Hint, InvalidParameterError
from foretaste.metrics.registry import Metric, get_metric
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
            options["user"] = _user_codes(X)
        score = self.metric.function(true, model.predict(X), **options)
        return score if self.metric.greater_is_better else -score

    def __repr__(self) -> str:
        return f"scorer({self.metric.name!r})"


def _user_codes(X: Any) -> Int64Array:
    """Return a code for each row's user, for any kind of pairs."""
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
        One of ``METRICS``, in any case: rmse, rmse_per_user, mae, nmae (with ``scale=``), r2, fcp.
    **options
        Passed to the metric, such as ``scale``.

    Raises
    ------
    InvalidParameterError
        If there is no such metric, or nmae has no scale.
    """
    metric = get_metric(name)
    if metric.requires == "scale" and "scale" not in options:
        raise InvalidParameterError("nmae requires the scale", hint=Hint({"scale": (1, 5)}))
    return Scorer(metric, **options)
