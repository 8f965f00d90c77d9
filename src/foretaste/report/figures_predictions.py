"""Charts of one model: test predictions, training curves, and the explanation of a prediction."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

import numpy as np

from foretaste._utils.formatting import format_count, format_minus, format_share, format_sig, join_words
from foretaste._utils.html import truncate
from foretaste.errors import InvalidParameterError
from foretaste.metrics.rating import rmse
from foretaste.models import Model
from foretaste.recommendation import Explanation
from foretaste.report.chart import LINE_CLASSES, Chart
from foretaste.report.refit import HeldOutPredictions
from foretaste.report.svg import Axis, Plot, categorical_axis, format_number, linear_axis
from foretaste.typing import BoolArray, Int64Array

_BINS = 40
_GROUP_BOUNDS = (0, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 10_000)  # lower bounds of groups by support
_MIN_GROUP_ROWS = 20  # of a group that is drawn
_MAX_NAME_CHARS = 30
_CURVES = {"train_rmse_": "the training rows", "valid_rmse_": "the validation rows"}
_MAX_POINTS = 160  # of a curve, about one per pixel
_TABLE_ROWS = 20
_MAX_BAR_CHARS = 34  # so that it fits on a phone
_ROW_HEIGHT = 26  # pixels of a bar and its gap
_VALUE_WIDTH = 52  # pixels for its value


def prediction_charts(held_out: HeldOutPredictions) -> Iterator[Chart]:
    """Yield the charts of the test predictions of the best model, and of the training curves."""
    yield _residuals(held_out)
    for name, entity, counts in (
        ("by-user", "user", held_out.user_counts),
        ("by-item", "item", held_out.item_counts),
    ):
        chart = _by_support(held_out, name, entity, counts)
        if chart is not None:
            yield chart
    if held_out.curves:
        yield _training_curves(held_out)


def _residuals(held_out: HeldOutPredictions) -> Chart:
    errors = held_out.errors
    absolute = np.abs(errors)
    median, ninth_decile = np.quantile(absolute, (0.5, 0.9))
    model, mean_error = truncate(held_out.model, _MAX_NAME_CHARS), float(errors.mean())
    title = f"How far the predictions of {model} miss"
    caption = f"Half of the predictions miss by {format_sig(median)} or less, one in ten by more than "
    caption += f"{format_sig(ninth_decile)}; "
    if abs(mean_error) > 0.02 * float(held_out.true.std()):
        direction = "high" if mean_error > 0 else "low"
        caption += f"on average they are {format_sig(abs(mean_error))} too {direction}."
    else:
        caption += "they lean to no side."
    edge = float(np.ceil(absolute.max() * 1000) / 1000) or 1.0
    x = linear_axis(-edge, edge, "predicted minus given rating", round_ends=False)
    counts, edges = np.histogram(errors, _BINS, range=(-edge, edge))
    plot = Plot("residuals", title, caption, x, linear_axis(0, int(counts.max()), "held-out ratings"))
    table = []
    for count, (low, high) in zip(counts.tolist(), itertools.pairwise(edges.tolist()), strict=True):
        label = format_minus(f"{low:.3g} to {high:.3g}")
        plot.bar(low, high, count, 0, "bar", f"{label}: {count:,}")
        table.append([label, f"{count:,}", f"{100 * count / len(errors):.1f} %"])
    plot.line((0, 0), (0, plot.y.high), "reference")
    headers = ["predicted minus given", "ratings", "share"]
    legend = [("reference", "neither too low nor too high")]
    return Chart(
        "residuals", title, caption, plot.render(), headers, table, "rrr", legend, _fold_note(held_out)
    )


def _by_support(held_out: HeldOutPredictions, name: str, entity: str, counts: Int64Array) -> Chart | None:
    groups = [
        (low, high - 1, rows)
        for low, high in itertools.pairwise((*_GROUP_BOUNDS, np.iinfo(np.int64).max))
        if (rows := (counts >= low) & (counts < high)).any()
    ]
    errors = [rmse(held_out.true[rows], held_out.predicted[rows]) for _, _, rows in groups]
    baseline_errors = [
        rmse(held_out.true[rows], np.full(int(rows.sum()), held_out.mean)) for _, _, rows in groups
    ]
    selected = [index for index, (_, _, rows) in enumerate(groups) if rows.sum() >= _MIN_GROUP_ROWS]
    if len(selected) < 2:
        return None
    title = f"Error by how many ratings of the {entity} are known"
    caption = _describe_support(entity, groups, errors, baseline_errors, selected)
    values = [*(errors[index] for index in selected), *(baseline_errors[index] for index in selected)]
    x = categorical_axis(
        [_format_count(groups[index][0]) for index in selected],
        f"training ratings of the {entity}, at least",
    )
    plot = Plot(name, title, caption, x, linear_axis(0, max(values), "RMSE, in rating units"))
    plot.curve([(position, baseline_errors[index]) for position, index in enumerate(selected)], "curve faint")
    plot.curve([(position, errors[index]) for position, index in enumerate(selected)], "curve first")
    for position, index in enumerate(selected):
        label = _describe_group(groups[index])
        error, baseline_error = errors[index], baseline_errors[index]
        plot.dot(position, baseline_error, "mark", f"{label}: guessing the mean {format_sig(baseline_error)}")
        plot.dot(position, error, "mark best", f"{label}: {format_sig(error)}")
    table = [
        [_format_range(group), f"{int(group[2].sum()):,}", format_sig(error), format_sig(baseline_error)]
        for group, error, baseline_error in zip(groups, errors, baseline_errors, strict=True)
    ]
    headers = [f"ratings of the {entity}", "held-out ratings", "RMSE", "guessing the mean"]
    note = _fold_note(held_out)
    if len(selected) < len(groups):
        note += f" Groups of under {_MIN_GROUP_ROWS} are not drawn."
    legend = [("mark best", truncate(held_out.model, _MAX_NAME_CHARS)), ("mark", "always guessing the mean")]
    return Chart(name, title, caption, plot.render(), headers, table, "rrrr", legend, note)


def _describe_support(
    entity: str,
    groups: list[tuple[int, int, BoolArray]],
    errors: list[float],
    baseline_errors: list[float],
    selected: list[int],
) -> str:
    first, last = selected[0], selected[-1]
    text = f"With {_describe_group(groups[first])} of the {entity} RMSE is {format_sig(errors[first])}, "
    text += f"with {_format_range(groups[last])} it is {format_sig(errors[last])}."
    no_better = [index for index in selected if errors[index] >= baseline_errors[index]]
    if no_better:
        rows = sum(int(groups[index][2].sum()) for index in no_better)
        total = sum(int(rows.sum()) for _, _, rows in groups)
        description = join_words([_describe_group(groups[index]) for index in no_better])
        text += (
            f" With {description} ({format_share(rows / total)} of the rows) guessing the mean is as good."
        )
    return text


def _describe_group(group: tuple[int, int, object]) -> str:
    return {"0": "no rating", "1": "1 rating"}.get(_format_range(group), f"{_format_range(group)} ratings")


def _format_range(group: tuple[int, int, object]) -> str:
    low, high, _ = group
    if low == high:
        return f"{low:,}"
    return f"{low:,} and more" if high > _GROUP_BOUNDS[-1] else f"{low:,} to {high:,}"


def _format_count(n: int) -> str:
    return f"{n // 1000}k" if n >= 1000 else str(n)


def _training_curves(held_out: HeldOutPredictions) -> Chart:
    label, errors = next(iter(held_out.curves.items()))
    test_error = rmse(held_out.true, held_out.predicted)
    curves = [*held_out.curves.values()]
    values = [test_error, *(error for curve in curves for error in curve)]
    title = "Training, epoch by epoch"
    name = truncate(label, _MAX_NAME_CHARS)
    caption = f"{name} starts at an error of {format_sig(errors[0])} on the training rows and ends at "
    caption += f"{format_sig(errors[-1])} after {len(errors)} epochs"
    is_best = label == held_out.model
    caption += f"; on held-out rows it is then {format_sig(test_error)}." if is_best else "."
    x = epoch_axis(max(map(len, curves)))
    plot = Plot(
        "training-curves", title, caption, x, linear_axis(min(values), max(values), "RMSE, in rating units")
    )
    if is_best:
        plot.line((x.low, x.high), (test_error, test_error), "reference")
    draw_curves(plot, curves)
    names = [truncate(name, _MAX_NAME_CHARS) for name in held_out.curves]
    legend = list(zip(LINE_CLASSES, names, strict=False))
    legend += [("reference", f"{name} on held-out rows, at the end")] if is_best else []
    headers = ["epoch", *names]
    note = "Errors on the training rows, as measured during each epoch. " + _fold_note(held_out)
    return Chart(
        "training-curves", title, caption, plot.render(), headers, curve_table(curves), "r" * len(headers),
        legend, note,
    )  # fmt: skip


def _fold_note(held_out: HeldOutPredictions) -> str:
    rows = f"{len(held_out.true):,} held-out ratings"
    return f"Of {rows}, the first of {held_out.folds} folds." if held_out.folds > 1 else f"Of {rows}."


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


def explanation_chart(explanation: Explanation) -> Chart:
    """Return the chart of the contributions that are added to the mean of all ratings.

    Parameters
    ----------
    explanation : Explanation
    """
    signed_rows = [row for row in explanation.signed_rows() if row[0] != "mean of all ratings"]
    mean = explanation.prediction - sum(value for _, value in signed_rows)
    title = f"Why {explanation.prediction:.3g} for item {truncate(str(explanation.item), _MAX_BAR_CHARS)}"
    caption = f"From {mean:.3g} on average to {explanation.prediction:.3g}: {explanation.sentence()}."
    names = [truncate(label, _MAX_BAR_CHARS) for label, _ in signed_rows][::-1]
    bounds = [0.0, *(value for _, value in signed_rows)]
    x = linear_axis(min(bounds), max(bounds), "adds to the prediction, in rating units", 5)
    n = max(1, len(names))
    y = Axis(-0.5, n - 0.5, range(len(names)), tick_names=names)
    plot = Plot("why", title, caption, x, y, height=_ROW_HEIGHT * n, right_margin=_VALUE_WIDTH)
    for index, (label, value) in enumerate(signed_rows[::-1]):
        css_class = "bar" if value >= 0 else "bar down"
        left, right, tooltip = min(0.0, value), max(0.0, value), f"{label}: {value:+.3f}"
        plot.bar(left, right, index + 0.36, index - 0.36, css_class, tooltip)
        plot.right_label(index, f"{value:+.2f}", "small", dy=4)
    plot.line((0, 0), (y.low, y.high), "base")
    rows = [
        ["mean of all ratings", f"{mean:.3f}"],
        *([label, f"{value:+.3f}"] for label, value in signed_rows),
    ]
    rows.append(["prediction", f"{explanation.prediction:.3f}"])
    note = f"By {explanation.model}." + (f" {explanation.note}." if explanation.note else "")
    return Chart("why", title, caption, plot.render(), ["what", "adds"], rows, "lr", note=note)
