"""The chart of how one model learned: its errors epoch by epoch."""

from __future__ import annotations

from typing import Any

import numpy as np

from foretaste._utils.formatting import format_count
from foretaste.errors import InvalidParameterError
from foretaste.models import Model
from foretaste.report.chart import LINE_CLASSES, Chart
from foretaste.report.formatting import format_sig
from foretaste.report.svg import Axis, Plot, format_number, linear_axis

_CURVES = {"train_rmse_": "the rows learned from", "valid_rmse_": "the rows held out"}
_MAX_POINTS = 160


def training_chart(model: Model) -> Chart:
    """Return the errors of a fitted model after each epoch, on the rows learned from and on those held out.

    Raises
    ------
    InvalidParameterError
        If the model does not keep them, or is not fitted.
    """
    curves = {
        label: [float(error) for error in history]
        for name, label in _CURVES.items()
        if (history := getattr(model, name, None)) is not None and len(history)
    }
    if not curves:
        raise InvalidParameterError(
            f"this {type(model).__name__} has nothing to show of how it learned",
            hint="a fitted model that learns in epochs, such as SVD or TorchMF",
        )
    max_epoch = max(map(len, curves.values()))
    values = [error for curve in curves.values() for error in curve]
    title = f"How {type(model).__name__} learned, epoch by epoch"
    best = _best_epoch(model, curves)
    caption = _describe_curves(curves, best)
    plot = Plot(
        "learned",
        title,
        caption,
        _epoch_axis(max_epoch),
        linear_axis(min(values), max(values), "RMSE, in rating units"),
    )
    for css_class, curve in zip(LINE_CLASSES, curves.values(), strict=False):
        indices = np.unique(np.linspace(0, len(curve) - 1, _MAX_POINTS).round().astype(int)).tolist()
        plot.curve([(index + 1.0, curve[index]) for index in indices], f"curve {css_class}")
    if best is not None:
        error = curves[_CURVES["valid_rmse_"]][best]
        plot.dot(best + 1.0, error, "mark second", f"epoch {best + 1}: {format_sig(error)}")
    legend = list(zip(LINE_CLASSES, curves, strict=False)) + (
        [("mark second", "the best epoch")] if best is not None else []
    )
    rows: Any = [
        [
            format_number(epoch),
            *(format_sig(column[epoch - 1]) if epoch <= len(column) else "" for column in curves.values()),
        ]
        for epoch in np.unique(np.linspace(1, max_epoch, 20).round().astype(int)).tolist()
    ]
    headers = ["epoch", *curves]
    note = f"RMSE after each epoch, of ratings that {type(model).__name__} was given to learn from."
    return Chart("learned", title, caption, plot.render(), headers, rows, "r" * len(headers), legend, note)


def _epoch_axis(max_epoch: int) -> Axis:
    x = (
        linear_axis(1, max_epoch, "epoch", round_ends=False)
        if max_epoch > 1
        else Axis(0.5, 1.5, (1,), "epoch")
    )
    return Axis(
        x.low,
        x.high,
        sorted({1.0, *(tick for tick in x.ticks if tick == int(tick) and tick > max_epoch / 8)}),
        "epoch",
    )


def _best_epoch(model: Model, curves: dict[str, list[float]]) -> int | None:
    """Return the epoch that the model chose, from 0; by its loss, which need not be this error."""
    return int(model.epochs_) - 1 if _CURVES["valid_rmse_"] in curves else None  # type: ignore[attr-defined]


def _describe_curves(curves: dict[str, list[float]], best: int | None) -> str:
    label, errors = next(iter(curves.items()))
    epochs = format_count(len(errors), "epoch")
    text = f"On {label} the error goes from {format_sig(errors[0])} to {format_sig(errors[-1])} in {epochs}"
    if best is None or len(curves) == 1:
        return text + "."
    valid_errors = curves[_CURVES["valid_rmse_"]]
    if best == int(np.argmin(valid_errors)):
        return (
            text + f"; on the rows held out it is least after {best + 1}: {format_sig(valid_errors[best])}."
        )
    reason = f"after epoch {best + 1}, whose loss on these is least"
    return text + f"; on the rows held out it is {format_sig(valid_errors[best])} {reason}."
