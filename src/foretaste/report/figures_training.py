"""The chart of how one model learned: its errors epoch by epoch."""

from __future__ import annotations

from typing import Any

import numpy as np

from foretaste._utils.formatting import plural
from foretaste.errors import InvalidParameter
from foretaste.models import Model
from foretaste.report.chart import LINES, Chart
from foretaste.report.formatting import three
from foretaste.report.svg import Axis, Plot, linear, number

_CURVES = {"train_rmse_": "the rows learned from", "valid_rmse_": "the rows held out"}
_POINTS = 160


def learning_chart(model: Model) -> Chart:
    """Return the errors of a fitted model after each epoch, on the rows learned from and on those held out.

    Raises
    ------
    InvalidParameter
        If the model does not keep them, or is not fitted.
    """
    curves = {
        words: [float(error) for error in told]
        for name, words in _CURVES.items()
        if (told := getattr(model, name, None)) is not None and len(told)
    }
    if not curves:
        raise InvalidParameter(
            f"this {type(model).__name__} has nothing to show of how it learned",
            hint="a fitted model that learns in epochs, such as SVD or TorchMF",
        )
    most = max(map(len, curves.values()))
    values = [error for curve in curves.values() for error in curve]
    title = f"How {type(model).__name__} learned, epoch by epoch"
    best = _best(model, curves)
    finding = _finding(curves, best)
    plot = Plot(
        "learned", title, finding, _epochs(most), linear(min(values), max(values), "RMSE, in rating units")
    )
    for kind, curve in zip(LINES, curves.values(), strict=False):
        places = np.unique(np.linspace(0, len(curve) - 1, _POINTS).round().astype(int)).tolist()
        plot.curve([(place + 1.0, curve[place]) for place in places], f"curve {kind}")
    if best is not None:
        error = curves[_CURVES["valid_rmse_"]][best]
        plot.dot(best + 1.0, error, "mark second", f"epoch {best + 1}: {three(error)}")
    key = list(zip(LINES, curves, strict=False)) + (
        [("mark second", "the best epoch")] if best is not None else []
    )
    rows: Any = [
        [number(epoch), *(three(c[epoch - 1]) if epoch <= len(c) else "" for c in curves.values())]
        for epoch in np.unique(np.linspace(1, most, 20).round().astype(int)).tolist()
    ]
    headers = ["epoch", *curves]
    note = f"RMSE after each epoch, of ratings that {type(model).__name__} was given to learn from."
    return Chart("learned", title, finding, plot.drawn(), headers, rows, "r" * len(headers), key, note)


def _epochs(most: int) -> Axis:
    x = linear(1, most, "epoch", round_ends=False) if most > 1 else Axis(0.5, 1.5, (1,), "epoch")
    return Axis(x.low, x.high, sorted({1.0, *(t for t in x.ticks if t == int(t) and t > most / 8)}), "epoch")


def _best(model: Model, curves: dict[str, list[float]]) -> int | None:
    """Return the epoch that the model chose, from 0; by its loss, which need not be this error."""
    return int(model.epochs_) - 1 if _CURVES["valid_rmse_"] in curves else None  # type: ignore[attr-defined]


def _finding(curves: dict[str, list[float]], best: int | None) -> str:
    words, first = next(iter(curves.items()))
    epochs = plural(len(first), "epoch")
    text = f"On {words} the error goes from {three(first[0])} to {three(first[-1])} in {epochs}"
    if best is None or len(curves) == 1:
        return text + "."
    held = curves[_CURVES["valid_rmse_"]]
    if best == int(np.argmin(held)):
        return text + f"; on the rows held out it is least after {best + 1}: {three(held[best])}."
    chosen = f"after epoch {best + 1}, whose loss on these is least"
    return text + f"; on the rows held out it is {three(held[best])} {chosen}."
