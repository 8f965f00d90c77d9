"""Where a model errs: by how much it knew, by rating, by time, and whether its predictions hold."""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
import numpy.typing as npt

from foretaste._utils.formatting import decimals_for, html_table, text_table
from foretaste.errors import BadData
from foretaste.evaluation.plan import Protocol
from foretaste.ids import IdIndex
from foretaste.ratings import Ratings

Floats = npt.NDArray[np.float64]
Bin = dict[str, Any]

SUPPORT = (0, 1, 5, 10, 20, 50, 100, 500)  # where bins of training ratings begin
_MOST_VALUES = 21  # so many different ratings stand for themselves; more are put into bins
_BINS = 10
_PERIODS = 8
_TITLES = {
    "user_support": "ratings of the user learned from",
    "item_support": "ratings of the item learned from",
    "rating": "rating",
    "time": "time",
    "prediction": "prediction",
}


@dataclass(frozen=True)
class _Judged:
    """Columns of the rows judged, of all folds, shape (n,) each."""

    true: Floats
    predicted: Floats
    user_support: npt.NDArray[np.int64]
    item_support: npt.NDArray[np.int64]
    when: npt.NDArray[np.int64] | None


@dataclass(frozen=True, eq=False, repr=False)
class Breakdown:
    """The error of one model in parts; made by ``breakdown`` or ``Results.breakdown``.

    Parameters
    ----------
    model : str
        What was judged.
    rows : int
        How many ratings were judged.
    rmse : float
        Of all of them, in rating units.
    parts : dict of list of dict
        ``user_support`` and ``item_support``: by the number of training ratings of the user, of the item
        (bins beginning at 0, which is cold, 1, 5, 10, 20, 50, 100, 500); ``rating``: by the true rating,
        each for itself if there are at most 21, else 10 bins equally wide; ``time``, if there are times: 8
        periods with about equally many rows; ``prediction``: by tenths of the predictions, for calibration.
        Each bin has ``bin`` (words), ``low``, ``high``, ``rows``, ``rmse``, ``mae``, ``mean_rating`` and
        ``mean_prediction``; the last two are equal where a model is calibrated. Empty bins are left out.
    """

    model: str
    rows: int
    rmse: float
    parts: dict[str, list[Bin]]

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON can hold it."""
        parts = {name: [dict(one) for one in bins] for name, bins in self.parts.items()}
        return {"model": self.model, "rows": self.rows, "rmse": self.rmse, "parts": parts}

    def to_frame(self) -> Any:
        """Return a polars frame: one row a bin, ``part`` in front."""
        import polars as pl

        return pl.DataFrame([{"part": part} | one for part, bins in self.parts.items() for one in bins])

    def table(self, part: str) -> tuple[list[str], list[list[str]], str]:
        """Return headers, rows of text and alignment of one part, as they are shown."""
        keys = ("rmse", "mae", "mean_rating", "mean_prediction")
        bins = self.parts[part]
        places = decimals_for(abs(one[key]) for one in bins for key in keys)
        rows = [[one["bin"], f"{one['rows']:,}", *(f"{one[key]:.{places}f}" for key in keys)] for one in bins]
        return [_TITLES[part], "rows", "RMSE", "MAE", "mean rating", "mean prediction"], rows, "lrrrrr"

    def __str__(self) -> str:
        tables = "\n\n".join(text_table(*self.table(part)) for part in self.parts)
        return f"{self._head}\n\n{tables}"

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        tables = "".join(html_table(*self.table(part)) for part in self.parts)
        return f"<p>{html.escape(self._head)}</p>{tables}"

    @property
    def _head(self) -> str:
        return f"Where {self.model} errs: {self.rows:,} rows judged, RMSE {self.rmse:.4g} over all"


def breakdown(test: Ratings, prediction: Any, train: Ratings, *, model: str = "the model") -> Breakdown:
    """Take the error of predictions apart: cold to warm, by rating, by time, and calibration.

    Parameters
    ----------
    test : Ratings
        The ratings judged by.
    prediction : array-like, shape (n,)
        What a model predicts for them, in rating units.
    train : Ratings
        What the model learned from.
    model : str
        What it is called.

    Raises
    ------
    BadData
        If there is nothing to judge by, or not one finite prediction for each row.
    """
    predicted = np.asarray(prediction, np.float64)
    if len(test) == 0:
        raise BadData("there are no ratings to judge by")
    if predicted.shape != (len(test),) or not np.isfinite(predicted).all():
        raise BadData(
            f"prediction has the shape {predicted.shape}; it must hold one finite number for each of the "
            f"{len(test)} rows of test",
            hint="breakdown(test, model.predict(test), train)",
        )
    user = _support(train.users, train.user, test.users)[test.user]
    item = _support(train.items, train.item, test.items)[test.item]
    return _taken_apart(_Judged(test.value.astype(np.float64), predicted, user, item, test.when), model)


def breakdown_of(protocol: Protocol, predicted: Sequence[npt.NDArray[np.float32]], model: str) -> Breakdown:
    """Take the error of predictions apart, one array a fold of a protocol."""
    if protocol.test is not None:
        return breakdown(protocol.test, predicted[0], protocol.ratings, model=model)
    ratings = protocol.ratings
    columns = []
    for (train_rows, test_rows), values in zip(protocol.rows, predicted, strict=True):
        user = np.bincount(ratings.user[train_rows], minlength=len(ratings.users))
        item = np.bincount(ratings.item[train_rows], minlength=len(ratings.items))
        columns.append((test_rows, values, user[ratings.user[test_rows]], item[ratings.item[test_rows]]))
    rows, values, user, item = (np.concatenate(column) for column in zip(*columns, strict=True))
    when = None if ratings.when is None else ratings.when[rows]
    true = ratings.value[rows].astype(np.float64)
    return _taken_apart(_Judged(true, values.astype(np.float64), user, item, when), model)


def _support(known: IdIndex, codes: npt.NDArray[np.int32], wanted: IdIndex) -> npt.NDArray[np.int64]:
    """Return how many rows learned from each wanted id has."""
    counts = np.append(np.bincount(codes, minlength=len(known)), 0)
    return np.asarray(counts[known.remap(wanted.ids)], np.int64)  # -1, unknown, is the 0 at the end


def _taken_apart(judged: _Judged, model: str) -> Breakdown:
    parts = {
        "user_support": _by_support(judged, judged.user_support),
        "item_support": _by_support(judged, judged.item_support),
        "rating": _by_rating(judged),
    }
    if judged.when is not None:
        parts["time"] = _by_edges(judged, judged.when, _tiles(judged.when, _PERIODS), _date)
    parts["prediction"] = _by_edges(judged, judged.predicted, _tiles(judged.predicted, _BINS), _number)
    error = judged.true - judged.predicted
    return Breakdown(model, len(error), float(np.sqrt(np.mean(error**2))), parts)


def _by_support(judged: _Judged, support: npt.NDArray[np.int64]) -> list[Bin]:
    place = np.searchsorted(SUPPORT, support, side="right") - 1
    names = []
    for low, after in zip(SUPPORT, (*SUPPORT[1:], None), strict=True):
        last = None if after is None else after - 1
        name = "0 (cold)" if low == 0 else f"{low} or more" if last is None else f"{low} to {last}"
        names.append((name, low, last))
    return _bins(judged, place, names)


def _by_rating(judged: _Judged) -> list[Bin]:
    values = np.unique(judged.true)
    if len(values) <= _MOST_VALUES:
        names = [(_number(value), float(value), float(value)) for value in values]
        return _bins(judged, np.searchsorted(values, judged.true), names)
    return _by_edges(judged, judged.true, np.linspace(values[0], values[-1], _BINS + 1), _number)


def _tiles(values: npt.NDArray[Any], n: int) -> npt.NDArray[Any]:
    """Return edges between which about equally many values lie; equal values stay together."""
    ordered = np.sort(values)
    inner = ordered[[(len(ordered) * place) // n for place in range(1, n)]]
    return np.unique(np.concatenate([ordered[:1], inner, ordered[-1:]]))


def _by_edges(judged: _Judged, values: npt.NDArray[Any], edges: npt.NDArray[Any], word: Any) -> list[Bin]:
    """Bin by edges, each bin from its edge up to the next, the last one closed."""
    inner = edges[1:-1]
    place = np.searchsorted(inner, values, side="right")
    names = []
    for number in range(len(inner) + 1):
        low, high = edges[number], edges[min(number + 1, len(edges) - 1)]
        name = word(low) if low == high or word(low) == word(high) else f"{word(low)} to {word(high)}"
        names.append((name, low.item(), high.item()))
    return _bins(judged, place, names)


def _bins(judged: _Judged, place: npt.NDArray[Any], names: list[tuple[str, Any, Any]]) -> list[Bin]:
    """Return the figures of each bin that has rows."""
    error = judged.true - judged.predicted
    rows = np.bincount(place, minlength=len(names))

    def mean(values: Floats) -> Floats:
        return np.bincount(place, values, len(names)) / np.maximum(rows, 1)

    columns = np.sqrt(mean(error**2)), mean(np.abs(error)), mean(judged.true), mean(judged.predicted)
    keys = ("rmse", "mae", "mean_rating", "mean_prediction")
    return [
        {"bin": name, "low": low, "high": high, "rows": int(rows[number])}
        | {key: float(column[number]) for key, column in zip(keys, columns, strict=True)}
        for number, (name, low, high) in enumerate(names)
        if rows[number]
    ]


def _number(value: Any) -> str:
    return f"{value:.4g}"


def _date(value: Any) -> str:
    return datetime.fromtimestamp(int(value), UTC).strftime("%Y-%m-%d")
