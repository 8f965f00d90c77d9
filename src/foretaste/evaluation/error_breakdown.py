"""Breaks the error of a model down by training support, rating, time and predicted value (calibration)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np

from foretaste._utils.formatting import count_decimals, format_text_table
from foretaste._utils.groupby import group_mean
from foretaste._utils.html import notebook_html, notebook_table
from foretaste.errors import DataError
from foretaste.evaluation.plan import EvaluationPlan
from foretaste.ids import IdIndex
from foretaste.ratings import Ratings
from foretaste.typing import AnyArray, Float32Array, Float64Array, IndexArray, Int64Array

Bin = dict[str, Any]

SUPPORT_EDGES = (0, 1, 5, 10, 20, 50, 100, 500)  # lower edges of the bins of training ratings
_MAX_DISTINCT_VALUES = 21  # up to this many distinct ratings get a bin each
_N_BINS = 10
_N_PERIODS = 8
_TITLES = {
    "user_support": "training ratings of the user",
    "item_support": "training ratings of the item",
    "rating": "rating",
    "time": "time",
    "prediction": "prediction",
}


@dataclass(frozen=True)
class _EvaluatedRows:
    """Columns of the test rows of all folds, shape (n,) each."""

    y_true: Float64Array
    y_pred: Float64Array
    user_support: Int64Array
    item_support: Int64Array
    timestamp: Int64Array | None


@dataclass(frozen=True, eq=False, repr=False)
class Breakdown:
    """The error of one model by group of test rows; made by ``breakdown`` or ``Results.breakdown``.

    Parameters
    ----------
    model : str
        The evaluated model.
    rows : int
        Number of test rows.
    rmse : float
        RMSE over all test rows, in rating units.
    parts : dict of list of dict
        ``user_support`` and ``item_support``: by the number of training ratings of the user and of the item
        (bins starting at 0, which is cold start, 1, 5, 10, 20, 50, 100 and 500); ``rating``: by the true
        rating, one bin per value up to 21 values, else 10 bins of equal width; ``time``, if there are
        timestamps: 8 periods with about the same number of rows; ``prediction``: by tenths of the predictions
        (calibration). Each bin has ``bin`` (its label), ``low``, ``high``, ``rows``, ``rmse``, ``mae``,
        ``mean_rating`` and ``mean_prediction``; the last two are equal for a calibrated model. Empty bins are
        left out.
    """

    model: str
    rows: int
    rmse: float
    parts: dict[str, list[Bin]]

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-serializable dict."""
        parts = {name: [dict(entry) for entry in bins] for name, bins in self.parts.items()}
        return {"model": self.model, "rows": self.rows, "rmse": self.rmse, "parts": parts}

    def to_frame(self) -> Any:
        """Return a polars frame with one row per bin; its first column is ``part``."""
        import polars as pl

        return pl.DataFrame([{"part": part} | entry for part, bins in self.parts.items() for entry in bins])

    def table(self, part: str) -> tuple[list[str], list[list[str]], str]:
        """Return headers, cells and column alignment of one part, formatted for display."""
        keys = ("rmse", "mae", "mean_rating", "mean_prediction")
        bins = self.parts[part]
        decimals = count_decimals(abs(entry[key]) for entry in bins for key in keys)
        rows = [
            [entry["bin"], f"{entry['rows']:,}", *(f"{entry[key]:.{decimals}f}" for key in keys)]
            for entry in bins
        ]
        return [_TITLES[part], "rows", "RMSE", "MAE", "mean rating", "mean prediction"], rows, "lrrrrr"

    def __str__(self) -> str:
        tables = "\n\n".join(format_text_table(*self.table(part)) for part in self.parts)
        return f"{self._title}\n\n{tables}"

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        return notebook_html(self._title, *(notebook_table(*self.table(part)) for part in self.parts))

    @property
    def _title(self) -> str:
        return f"Where {self.model} errs: {self.rows:,} test rows, RMSE {self.rmse:.4g} over all"


def breakdown(test: Ratings, prediction: Any, train: Ratings, *, model: str = "the model") -> Breakdown:
    """Break the error of predictions down by training support, rating, time and predicted value.

    Parameters
    ----------
    test : Ratings
        The test set.
    prediction : array-like, shape (n,)
        Predictions for the rows of ``test``, in rating units.
    train : Ratings
        The training set of the model.
    model : str
        Name of the model.

    Raises
    ------
    DataError
        If ``test`` is empty, or ``prediction`` does not hold one finite number per row.
    """
    y_pred = np.asarray(prediction, np.float64)
    if len(test) == 0:
        raise DataError("the test set is empty")
    if y_pred.shape != (len(test),) or not np.isfinite(y_pred).all():
        raise DataError(
            f"prediction has shape {y_pred.shape}; it must hold one finite number for each of the "
            f"{len(test)} rows of test",
            hint="breakdown(test, model.predict(test), train)",
        )
    user = _count_support(train.users, train.user, test.users)[test.user]
    item = _count_support(train.items, train.item, test.items)[test.item]
    return _make_breakdown(
        _EvaluatedRows(test.value.astype(np.float64), y_pred, user, item, test.timestamp), model
    )


def breakdown_from_plan(plan: EvaluationPlan, predictions: Sequence[Float32Array], model: str) -> Breakdown:
    """Break the error of predictions down, given one array per fold of a plan."""
    if plan.test is not None:
        return breakdown(plan.test, predictions[0], plan.ratings, model=model)
    ratings = plan.ratings
    columns = []
    for (train_rows, test_rows), values in zip(plan.fold_rows, predictions, strict=True):
        user = np.bincount(ratings.user[train_rows], minlength=len(ratings.users))
        item = np.bincount(ratings.item[train_rows], minlength=len(ratings.items))
        columns.append((test_rows, values, user[ratings.user[test_rows]], item[ratings.item[test_rows]]))
    rows, values, user, item = (np.concatenate(column) for column in zip(*columns, strict=True))
    timestamp = None if ratings.timestamp is None else ratings.timestamp[rows]
    y_true = ratings.value[rows].astype(np.float64)
    return _make_breakdown(_EvaluatedRows(y_true, values.astype(np.float64), user, item, timestamp), model)


def _count_support(train_ids: IdIndex, codes: IndexArray, test_ids: IdIndex) -> Int64Array:
    """Return the number of training rows of each id of the test set."""
    counts = np.append(np.bincount(codes, minlength=len(train_ids)), 0)
    # An unknown id has index -1, which is the appended 0.
    return np.asarray(counts[train_ids.indices_of(test_ids.ids)], np.int64)


def _make_breakdown(evaluated: _EvaluatedRows, model: str) -> Breakdown:
    parts = {
        "user_support": _bin_by_support(evaluated, evaluated.user_support),
        "item_support": _bin_by_support(evaluated, evaluated.item_support),
        "rating": _bin_by_rating(evaluated),
    }
    if evaluated.timestamp is not None:
        parts["time"] = _bin_by_edges(
            evaluated, evaluated.timestamp, _quantile_edges(evaluated.timestamp, _N_PERIODS), _format_date
        )
    parts["prediction"] = _bin_by_edges(
        evaluated, evaluated.y_pred, _quantile_edges(evaluated.y_pred, _N_BINS), _format_number
    )
    error = evaluated.y_true - evaluated.y_pred
    return Breakdown(model, len(error), float(np.sqrt(np.mean(error**2))), parts)


def _bin_by_support(evaluated: _EvaluatedRows, support: Int64Array) -> list[Bin]:
    bin_index = np.searchsorted(SUPPORT_EDGES, support, side="right") - 1
    bounds = []
    for low, next_low in zip(SUPPORT_EDGES, (*SUPPORT_EDGES[1:], None), strict=True):
        last = None if next_low is None else next_low - 1
        name = "0 (cold)" if low == 0 else f"{low} or more" if last is None else f"{low} to {last}"
        bounds.append((name, low, last))
    return _bin_metrics(evaluated, bin_index, bounds)


def _bin_by_rating(evaluated: _EvaluatedRows) -> list[Bin]:
    values = np.unique(evaluated.y_true)
    if len(values) <= _MAX_DISTINCT_VALUES:
        bounds = [(_format_number(value), float(value), float(value)) for value in values]
        return _bin_metrics(evaluated, np.searchsorted(values, evaluated.y_true), bounds)
    return _bin_by_edges(
        evaluated, evaluated.y_true, np.linspace(values[0], values[-1], _N_BINS + 1), _format_number
    )


def _quantile_edges(values: AnyArray, n: int) -> AnyArray:
    """Return edges of ``n`` bins with about the same number of values; equal values share a bin."""
    sorted_values = np.sort(values)
    inner_edges = sorted_values[[(len(sorted_values) * bin_index) // n for bin_index in range(1, n)]]
    return np.unique(np.concatenate([sorted_values[:1], inner_edges, sorted_values[-1:]]))


def _bin_by_edges(
    evaluated: _EvaluatedRows, values: AnyArray, edges: AnyArray, format_value: Any
) -> list[Bin]:
    """Bin values by half-open intervals ``[edge, next edge)``; the last one is closed."""
    inner_edges = edges[1:-1]
    bin_index = np.searchsorted(inner_edges, values, side="right")
    bounds = []
    for index in range(len(inner_edges) + 1):
        low, high = edges[index], edges[min(index + 1, len(edges) - 1)]
        name = (
            format_value(low)
            if low == high or format_value(low) == format_value(high)
            else f"{format_value(low)} to {format_value(high)}"
        )
        bounds.append((name, low.item(), high.item()))
    return _bin_metrics(evaluated, bin_index, bounds)


def _bin_metrics(
    evaluated: _EvaluatedRows, bin_index: AnyArray, bounds: list[tuple[str, Any, Any]]
) -> list[Bin]:
    """Return the metrics of each non-empty bin."""
    error = evaluated.y_true - evaluated.y_pred
    rows = np.bincount(bin_index, minlength=len(bounds))

    def bin_mean(values: Float64Array) -> Float64Array:
        return group_mean(bin_index, values, len(bounds))

    columns = (
        np.sqrt(bin_mean(error**2)),
        bin_mean(np.abs(error)),
        bin_mean(evaluated.y_true),
        bin_mean(evaluated.y_pred),
    )
    keys = ("rmse", "mae", "mean_rating", "mean_prediction")
    return [
        {"bin": name, "low": low, "high": high, "rows": int(rows[index])}
        | {key: float(column[index]) for key, column in zip(keys, columns, strict=True)}
        for index, (name, low, high) in enumerate(bounds)
        if rows[index]
    ]


def _format_number(value: Any) -> str:
    return f"{value:.4g}"


def _format_date(value: Any) -> str:
    return datetime.fromtimestamp(int(value), UTC).strftime("%Y-%m-%d")
