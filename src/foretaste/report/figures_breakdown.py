"""Charts of an error breakdown: calibration, error by rating and error over time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from foretaste.report.chart import Chart
from foretaste.report.html import truncate
from foretaste.report.svg import Plot, categorical_axis, linear_axis
from foretaste.report.text import format_sig

_MAX_NAME_CHARS = 30
_DATE_CHARS = 10  # of a tick label, so that it fits on a phone
_NEGLIGIBLE_GAP = 0.05  # standard deviations

Bins = Sequence[dict[str, Any]]


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
