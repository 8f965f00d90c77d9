"""Charts of test predictions: residuals, error by number of ratings, and training curves."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np

from foretaste.metrics.rating import rmse
from foretaste.report.chart import LINE_CLASSES, Chart
from foretaste.report.figures_training import curve_table, draw_curves, epoch_axis
from foretaste.report.html import truncate
from foretaste.report.refit import HeldOutPredictions
from foretaste.report.svg import Plot, categorical_axis, linear_axis
from foretaste.report.text import format_minus, format_share, format_sig, join_words
from foretaste.typing import BoolArray, Int64Array

_BINS = 40
_GROUP_BOUNDS = (0, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 10_000)  # lower bounds of groups by support
_MIN_GROUP_ROWS = 20  # of a group that is drawn
_MAX_NAME_CHARS = 30


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
