"""Charts of a comparison: error and training time of each model, and where the best one errs."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from foretaste._utils.formatting import count_decimals, format_seconds, format_sig, join_words, truncate_list
from foretaste._utils.html import truncate
from foretaste.evaluation import Results
from foretaste.report.chart import Chart
from foretaste.report.models_table import Row, evaluated_rows, model_label, rmse_interval
from foretaste.report.svg import Axis, Plot, categorical_axis, linear_axis, log_axis

MAX_MODELS = 30  # in a chart; the table has more
_MAX_NAME_CHARS = 30  # of a model beside its dot, so that it fits on a phone
_ROW_HEIGHT = 38  # pixels of a model
_ERROR_WIDTH = 58  # pixels of the errors in the right margin
_MAX_HEIGHT = 420  # pixels
_LIMIT_FACTOR = 1.1  # times the baseline's error: worse models would squeeze the others together
_ARROW = "\N{RIGHTWARDS ARROW}"
_NEAR_FACTOR = 1.05  # times the error of the best: near enough for time to decide
_QUICK_FACTOR = 0.5  # times the time of the best: quick enough to matter
_DATE_CHARS = 10  # of a tick label, so that it fits on a phone
_NEGLIGIBLE_GAP = 0.05  # standard deviations
Bins = Sequence[dict[str, Any]]


def results_charts(results: Results) -> Iterator[Chart]:
    """Yield the charts of a comparison."""
    rows = evaluated_rows(results)
    if len(rows) > 1:
        yield _error_chart(rows[:MAX_MODELS], results.baseline_row, len(rows))
        timed_rows = [(rank, row) for rank, row in enumerate(rows[:MAX_MODELS], 1) if row.get("fit_seconds")]
        if len(timed_rows) > 1:
            yield _time_chart(timed_rows, _error_limit(rows, results.baseline_row))


def _error_chart(rows: list[Row], baseline: Row | None, total: int) -> Chart:
    spans = [rmse_interval(row) or (row["rmse"], row["rmse"]) for row in rows]
    limit = _error_limit(rows, baseline)
    bounds = [bound for row, span in zip(rows, spans, strict=True) if row["rmse"] <= limit for bound in span]
    x = linear_axis(min(bounds), max(bounds), "RMSE, in rating units")
    n = len(rows)
    title = "Error of each model on held-out ratings"
    caption = _describe_errors(rows, baseline, total)
    plot = Plot(
        "errors", title, caption, x, Axis(0, n, ()), height=_ROW_HEIGHT * n, right_margin=_ERROR_WIDTH
    )
    number_format = f".{count_decimals([row['rmse'] for row in rows])}f"
    if baseline:
        plot.line((baseline["rmse"], baseline["rmse"]), (0, n), "reference")
    for index, (row, span) in enumerate(zip(rows, spans, strict=True)):
        _draw_model(plot, index, row, span, limit, number_format)
    has_spans = any(rmse_interval(row) for row in rows)
    legend = [("mark best", "the best"), ("mark", "the others")]
    legend += [("reference", "always guessing the mean")] if baseline else []
    headers = ["model", "RMSE", *(["from", "to"] if has_spans else [])]
    table = [
        [model_label(row), f"{row['rmse']:.4g}", *([f"{low:.4g}", f"{high:.4g}"] if has_spans else [])]
        for row, (low, high) in zip(rows, spans, strict=True)
    ]
    has_intervals = any("rmse_interval" in row for row in rows)
    bars = "95 % intervals" if has_intervals else "the standard deviation of the folds to either side"
    note = f"Bars: {bars}." if has_spans else ""
    note += f" {_ARROW} stands for what lies further to the right." if rows[-1]["rmse"] > limit else ""
    align = "l" + "r" * (len(headers) - 1)
    return Chart("errors", title, caption, plot.render(), headers, table, align, legend, note.strip())


def _draw_model(
    plot: Plot, index: int, row: Row, span: tuple[float, float], limit: float, number_format: str
) -> None:
    """Draw the row of one model: its name and error, and its dot if it is within the limit."""
    low, high = plot.x.low, plot.x.high
    y = plot.y.high - index - 0.72
    css_class = "strong" if index == 0 else ""
    is_beyond = row["rmse"] > limit
    error = format(row["rmse"], number_format)
    plot.line((low, high), (y, y), "grid")
    name = truncate(model_label(row), _MAX_NAME_CHARS)
    plot.text(low, y, f"{index + 1}  {name}", f"start {css_class}", dy=-11)
    plot.right_label(y, f"{_ARROW} {error}" if is_beyond else error, css_class, dy=4)
    if is_beyond:
        return
    if span[1] > span[0]:
        plot.line(span, (y, y), "span best" if index == 0 else "span")
    plot.dot(row["rmse"], y, "mark best" if index == 0 else "mark", model_label(row))


def _error_limit(rows: list[Row], baseline: Row | None) -> float:
    """Return the error beyond which models are not drawn, so that the others can be distinguished."""
    return _LIMIT_FACTOR * float(max(rows[0]["rmse"], baseline["rmse"] if baseline else rows[-1]["rmse"]))


def _describe_errors(rows: list[Row], baseline: Row | None, total: int) -> str:
    best = rows[0]
    text = f"{truncate(model_label(best), _MAX_NAME_CHARS)} misses least, by {format_sig(best['rmse'])}"
    if baseline is None or baseline is best:
        return text + "."
    better = sum(row["rmse"] < baseline["rmse"] for row in rows)
    scope = "" if total == len(rows) else f" of the {len(rows)} shown here"
    if better == 1:
        return f"{text}; no other model{scope} is better than guessing the mean."
    text += f"; {better} models{scope} are better than always guessing the mean"
    return f"{text} ({format_sig(baseline['rmse'])})."


def _time_chart(timed_rows: list[tuple[int, Row]], limit: float) -> Chart:
    rows = [row for _, row in timed_rows]
    visible = [(rank, row) for rank, row in timed_rows if row["rmse"] <= limit]
    times = [row["fit_seconds"] for _, row in visible]
    x = log_axis(min(times), max(times), "training time (logarithmic scale)")
    x = dataclasses.replace(x, tick_names=[format_seconds(tick) for tick in x.ticks])
    errors = [row["rmse"] for _, row in visible]
    y = linear_axis(min(errors), max(errors), "RMSE, in rating units")
    title, caption = "Error against time", _describe_times(rows)
    plot = Plot("time", title, caption, x, y, height=min(_MAX_HEIGHT, max(260, _ROW_HEIGHT * len(rows))))
    front = _pareto_front(rows)
    for _, row in reversed(visible):
        css_class = "mark best" if id(row) in front else "mark"
        label = f"{model_label(row)}: RMSE {format_sig(row['rmse'])}, {format_seconds(row['fit_seconds'])}"
        plot.dot(row["fit_seconds"], row["rmse"], css_class, label)
    points = [(row["fit_seconds"], row["rmse"]) for _, row in visible]
    plot.label_points(points, [str(rank) for rank, _ in visible])
    legend = [("mark best", "no other is both better and quicker"), ("mark", "some other is")]
    ranked = [f"{rank} {truncate(model_label(row), _MAX_NAME_CHARS)}" for rank, row in timed_rows]
    note = f"Numbers: {truncate_list(ranked)}."
    omitted = [model_label(row) for row in rows if row["rmse"] > limit]
    note += f" Not drawn, above: {truncate(join_words(omitted))}." if omitted else ""
    table = [[model_label(row), f"{row['rmse']:.4g}", f"{row['fit_seconds']:.3g}"] for row in rows]
    headers = ["model", "RMSE", "training seconds"]
    return Chart("time", title, caption, plot.render(), headers, table, "lrr", legend, note)


def _pareto_front(rows: list[Row]) -> set[int]:
    """Return the ``id()`` of the rows that no other row beats in both error and time; rows are best first."""
    front, quickest = set(), float("inf")
    for row in rows:
        if row["fit_seconds"] < quickest:
            front.add(id(row))
            quickest = row["fit_seconds"]
    return front


def _describe_times(rows: list[Row]) -> str:
    best = rows[0]
    fast = min(
        (row for row in rows if row["rmse"] <= _NEAR_FACTOR * best["rmse"]),
        key=lambda row: float(row["fit_seconds"]),
    )
    text = f"{truncate(model_label(best), _MAX_NAME_CHARS)} trains in {format_seconds(best['fit_seconds'])}"
    if fast["fit_seconds"] > _QUICK_FACTOR * best["fit_seconds"]:
        return f"{text}; no model within 5 % of its error takes less than half of that."
    more = 100 * (fast["rmse"] / best["rmse"] - 1)
    name, seconds = truncate(model_label(fast), _MAX_NAME_CHARS), format_seconds(fast["fit_seconds"])
    return f"{text}; {name} takes {seconds} and misses by {more:.2g} % more."


def breakdown_charts(parts: Mapping[str, Bins], model: str, std: float) -> Iterator[Chart]:
    """Yield the charts of an error breakdown.

    Parameters
    ----------
    parts : mapping of lists of dict
        Parts of a ``foretaste.Breakdown``.
    model : str
        Label of the model.
    std : float
        Standard deviation of the ratings, in rating units.
    """
    deciles, periods, values = (parts.get(name, ()) for name in ("prediction", "time", "rating"))
    if len(values) > 2:
        yield _error_by_rating(values, model)
    if len(deciles) > 1:
        yield _calibration(deciles, model, std)
    if len(periods) > 1:
        yield _error_over_time(periods, model)


def _calibration(deciles: Bins, model: str, std: float) -> Chart:
    points = [(group["mean_prediction"], group["mean_rating"]) for group in deciles]
    title = f"What is given where {truncate(model, _MAX_NAME_CHARS)} predicts"
    worst = max(deciles, key=lambda group: abs(group["mean_prediction"] - group["mean_rating"]))
    gap = worst["mean_prediction"] - worst["mean_rating"]
    if abs(gap) <= _NEGLIGIBLE_GAP * std:
        caption = f"Predictions hold: no tenth of them is off by more than {format_sig(abs(gap))} on average."
    else:
        direction = "more" if gap < 0 else "less"
        center, observed = format_sig(worst["mean_prediction"]), format_sig(worst["mean_rating"])
        caption = f"Where it predicts {center} on average, people gave {observed}, "
        caption += f"{format_sig(abs(gap))} {direction}; elsewhere it is closer."
    bounds = [bound for point in points for bound in point]
    x = linear_axis(min(bounds), max(bounds), "mean prediction")
    plot = Plot("calibration", title, caption, x, linear_axis(min(bounds), max(bounds), "mean rating given"))
    plot.line((x.low, x.high), (x.low, x.high), "reference")
    for group, (predicted, rating) in zip(deciles, points, strict=True):
        plot.dot(predicted, rating, "mark best", f"{group['bin']}: {group['rows']:,} ratings")
    legend = [("mark best", "a tenth of the predictions"), ("reference", "given as predicted")]
    means = ("mean_prediction", "mean_rating")
    rows = [
        [group["bin"], f"{group['rows']:,}", *(format_sig(group[mean]) for mean in means)]
        for group in deciles
    ]
    headers = ["prediction", "ratings", "mean prediction", "mean rating given"]
    return Chart("calibration", title, caption, plot.render(), headers, rows, "lrrr", legend)


def _error_by_rating(values: Bins, model: str) -> Chart:
    title = "Error by the rating that was given"
    order = sorted(values, key=lambda group: float(group["rmse"]))
    best, worst = order[0], order[-1]
    caption = f"It is smallest where people gave {best['bin']} (RMSE {format_sig(best['rmse'])}) and "
    caption += f"largest where they gave {worst['bin']} ({format_sig(worst['rmse'])})."
    labeled = range(0, len(values), -(-len(values) // 6))
    names = [
        str(group["bin"]).split(" ")[0] if index in labeled else "" for index, group in enumerate(values)
    ]
    axis_label = "rating given, from" if values[0]["low"] < values[0]["high"] else "rating given"
    plot = Plot(
        "by-value", title, caption, categorical_axis(names, axis_label),
        linear_axis(0, max(group["rmse"] for group in values), "RMSE, in rating units"),
    )  # fmt: skip
    for index, group in enumerate(values):
        tooltip = f"{group['bin']}: {format_sig(group['rmse'])}"
        plot.bar(index - 0.4, index + 0.4, group["rmse"], 0, "bar", tooltip)
    headers = ["rating given", "ratings", "RMSE", "MAE", "mean prediction"]
    metrics = ("rmse", "mae", "mean_prediction")
    rows = [
        [group["bin"], f"{group['rows']:,}", *(format_sig(group[metric]) for metric in metrics)]
        for group in values
    ]
    note = f"Of {truncate(model, _MAX_NAME_CHARS)}. A model that leans to the mean errs most at both ends of "
    note += "the scale."
    return Chart("by-value", title, caption, plot.render(), headers, rows, "lrrrr", (), note)


def _error_over_time(periods: Bins, model: str) -> Chart:
    title = "Error over time"
    first, last = periods[0], periods[-1]
    caption = f"On the ratings of {first['bin']} RMSE is {format_sig(first['rmse'])}, on those of "
    caption += f"{last['bin']} it is {format_sig(last['rmse'])}."
    # Only the first and last date have room below a chart; the table has them all.
    dates = [str(group["bin"])[:_DATE_CHARS] for group in periods]
    names = [date if index in (0, len(dates) - 1) else "" for index, date in enumerate(dates)]
    y = linear_axis(0, max(group["rmse"] for group in periods), "RMSE, in rating units")
    x = categorical_axis(names, "periods with equally many ratings, from")
    plot = Plot("over-time", title, caption, x, y)
    plot.curve([(float(index), group["rmse"]) for index, group in enumerate(periods)], "curve first")
    for index, group in enumerate(periods):
        plot.dot(index, group["rmse"], "mark best", f"{group['bin']}: {format_sig(group['rmse'])}")
    rows = [
        [group["bin"], f"{group['rows']:,}", format_sig(group["rmse"]), format_sig(group["mae"])]
        for group in periods
    ]
    legend = [("mark best", truncate(model, _MAX_NAME_CHARS))]
    headers = ["time", "ratings", "RMSE", "MAE"]
    return Chart("over-time", title, caption, plot.render(), headers, rows, "lrrr", legend)
