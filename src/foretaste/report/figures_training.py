"""Training curves: errors of a model epoch by epoch."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from foretaste._utils.formatting import format_count
from foretaste.errors import InvalidParameterError
from foretaste.models import Model
from foretaste.report.chart import LINE_CLASSES, Chart
from foretaste.report.svg import Axis, Plot, format_number, linear_axis
from foretaste.report.text import format_sig

_CURVES = {"train_rmse_": "the training rows", "valid_rmse_": "the validation rows"}
_MAX_POINTS = 160  # of a curve, about one per pixel
_TABLE_ROWS = 20


def training_chart(model: Model) -> Chart:
    """Return the chart of a fitted model's training and validation errors per epoch.

    Raises
    ------
    InvalidParameterError
        If the model does not record them, or is not fitted.
    """
    curves = {
        label: [float(error) for error in history]
        for name, label in _CURVES.items()
        if (history := getattr(model, name, None)) is not None and len(history)
    }
    if not curves:
        raise InvalidParameterError(
            f"this {type(model).__name__} has no training curve",
            hint="a fitted model that is trained in epochs, such as SVD or TorchMF",
        )
    values = [error for curve in curves.values() for error in curve]
    title = f"Training of {type(model).__name__}, epoch by epoch"
    best = _best_epoch(model, curves)
    caption = _describe_curves(curves, best)
    y = linear_axis(min(values), max(values), "RMSE, in rating units")
    plot = Plot("training", title, caption, epoch_axis(max(map(len, curves.values()))), y)
    draw_curves(plot, [*curves.values()])
    if best is not None:
        error = curves[_CURVES["valid_rmse_"]][best]
        plot.dot(best + 1.0, error, "mark second", f"epoch {best + 1}: {format_sig(error)}")
    legend = list(zip(LINE_CLASSES, curves, strict=False))
    legend += [("mark second", "the best epoch")] if best is not None else []
    rows = curve_table([*curves.values()])
    headers = ["epoch", *curves]
    note = f"RMSE after each epoch, of ratings that {type(model).__name__} was fitted to."
    return Chart("training", title, caption, plot.render(), headers, rows, "r" * len(headers), legend, note)


def epoch_axis(max_epoch: int) -> Axis:
    """Return an axis of epochs from 1, with ticks at integers."""
    if max_epoch == 1:
        return Axis(0.5, 1.5, (1.0,), "epoch")
    x = linear_axis(1, max_epoch, "epoch", round_ends=False)
    ticks = {1.0, *(tick for tick in x.ticks if tick == int(tick) and tick > max_epoch / 8)}
    return Axis(x.low, x.high, sorted(ticks), "epoch")


def draw_curves(plot: Plot, curves: Sequence[Sequence[float]]) -> None:
    """Draw a line for each curve of values per epoch."""
    for css_class, curve in zip(LINE_CLASSES, curves, strict=False):
        indices = np.unique(np.linspace(0, len(curve) - 1, _MAX_POINTS).round().astype(int)).tolist()
        plot.curve([(index + 1.0, curve[index]) for index in indices], f"curve {css_class}")


def curve_table(curves: Sequence[Sequence[float]]) -> list[list[str]]:
    """Return the values of some epochs, a column for each curve."""
    epochs = np.unique(np.linspace(1, max(map(len, curves)), _TABLE_ROWS).round().astype(int)).tolist()
    return [
        [format_number(epoch), *(format_sig(c[epoch - 1]) if epoch <= len(c) else "" for c in curves)]
        for epoch in epochs
    ]


def _best_epoch(model: Model, curves: dict[str, list[float]]) -> int | None:
    """Return the epoch that the model selected, from 0: that of the lowest validation loss."""
    return int(model.epochs_) - 1 if _CURVES["valid_rmse_"] in curves else None  # type: ignore[attr-defined]


def _describe_curves(curves: dict[str, list[float]], best: int | None) -> str:
    label, errors = next(iter(curves.items()))
    epochs = format_count(len(errors), "epoch")
    text = f"On {label} the error goes from {format_sig(errors[0])} to {format_sig(errors[-1])} in {epochs}"
    if best is None or len(curves) == 1:
        return text + "."
    valid_errors = curves[_CURVES["valid_rmse_"]]
    error, label = format_sig(valid_errors[best]), _CURVES["valid_rmse_"]
    if best == int(np.argmin(valid_errors)):
        return text + f"; on {label} it is least after {best + 1}: {error}."
    return text + f"; on {label} it is {error} after epoch {best + 1}, whose loss on these is least."
