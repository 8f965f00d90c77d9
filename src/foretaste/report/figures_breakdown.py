"""Charts of an error taken apart by the evaluation: whether predictions hold, and how they age."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from foretaste.report.chart import Chart
from foretaste.report.formatting import three
from foretaste.report.html import short
from foretaste.report.svg import Plot, linear, steps

_NAME = 30
_FITS = 10  # letters of all dates below a chart, each, so that they fit on a phone
_HOLDS = 0.05  # standard deviations: a gap that is none to anybody

Bins = Sequence[dict[str, Any]]


def breakdown_charts(parts: dict[str, Bins], model: str, spread: float) -> Iterator[Chart]:
    """Yield the charts of an error in parts.

    Parameters
    ----------
    parts : dict of lists of dict
        Those of ``foretaste.Breakdown``.
    model : str
        As it is called in the results.
    spread : float
        The standard deviation of the ratings, in rating units.
    """
    tenths, periods, values = (parts.get(name, ()) for name in ("prediction", "time", "rating"))
    if len(values) > 2:
        yield _by_value(values, model)
    if len(tenths) > 1:
        yield _calibration(tenths, model, spread)
    if len(periods) > 1:
        yield _ageing(periods, model)


def _calibration(tenths: Bins, model: str, spread: float) -> Chart:
    points = [(one["mean_prediction"], one["mean_rating"]) for one in tenths]
    title = f"What is given where {short(model, _NAME)} predicts"
    worst = max(tenths, key=lambda one: abs(one["mean_prediction"] - one["mean_rating"]))
    gap = worst["mean_prediction"] - worst["mean_rating"]
    if abs(gap) <= _HOLDS * spread:
        finding = f"Predictions hold: no tenth of them is off by more than {three(abs(gap))} on average."
    else:
        side = "more" if gap < 0 else "less"
        finding = f"Where it predicts {three(worst['mean_prediction'])} on average, people gave "
        finding += f"{three(worst['mean_rating'])}, {three(abs(gap))} {side}; elsewhere it is closer."
    ends = [end for point in points for end in point]
    x = linear(min(ends), max(ends), "mean prediction")
    plot = Plot("calibration", title, finding, x, linear(min(ends), max(ends), "mean rating given"))
    plot.line((x.low, x.high), (x.low, x.high), "reference")
    for one, (predicted, given) in zip(tenths, points, strict=True):
        plot.dot(predicted, given, "mark best", f"{one['bin']}: {one['rows']:,} ratings")
    key = [("mark best", "a tenth of the predictions"), ("reference", "given as predicted")]
    rows = [
        [one["bin"], f"{one['rows']:,}", three(one["mean_prediction"]), three(one["mean_rating"])]
        for one in tenths
    ]
    headers = ["prediction", "ratings", "mean prediction", "mean rating given"]
    return Chart("calibration", title, finding, plot.drawn(), headers, rows, "lrrr", key)


def _by_value(values: Bins, model: str) -> Chart:
    title = "Error by the rating that was given"
    order = sorted(values, key=lambda one: float(one["rmse"]))
    best, worst = order[0], order[-1]
    finding = (
        f"It is smallest where people gave {best['bin']} (RMSE {three(best['rmse'])}) and largest where "
    )
    finding += f"they gave {worst['bin']} ({three(worst['rmse'])})."
    few = range(0, len(values), -(-len(values) // 6))
    names = [str(one["bin"]).split(" ")[0] if place in few else "" for place, one in enumerate(values)]
    given = "rating given, from" if values[0]["low"] < values[0]["high"] else "rating given"
    plot = Plot(
        "by-value", title, finding, steps(names, given),
        linear(0, max(one["rmse"] for one in values), "RMSE, in rating units"),
    )  # fmt: skip
    for place, one in enumerate(values):
        plot.bar(place - 0.4, place + 0.4, one["rmse"], 0, "bar", f"{one['bin']}: {three(one['rmse'])}")
    headers = ["rating given", "ratings", "RMSE", "MAE", "mean prediction"]
    rows = [
        [
            one["bin"], f"{one['rows']:,}", three(one["rmse"]), three(one["mae"]),
            three(one["mean_prediction"]),
        ]
        for one in values
    ]  # fmt: skip
    note = f"Of {short(model, _NAME)}. A model that leans to the mean errs most at both ends of the scale."
    return Chart("by-value", title, finding, plot.drawn(), headers, rows, "lrrrr", (), note)


def _ageing(periods: Bins, model: str) -> Chart:
    title = "Error over time"
    first, last = periods[0], periods[-1]
    finding = f"On the ratings of {first['bin']} RMSE is {three(first['rmse'])}, on those of {last['bin']} "
    finding += f"it is {three(last['rmse'])}."
    # The year is the same or said in the table; eight whole dates have no room below a chart.
    dates = [str(one["bin"])[:_FITS] for one in periods]
    names = [date if place in (0, len(dates) - 1) else "" for place, date in enumerate(dates)]
    y = linear(0, max(one["rmse"] for one in periods), "RMSE, in rating units")
    plot = Plot("ageing", title, finding, steps(names, "periods with equally many ratings, from"), y)
    plot.curve([(float(place), one["rmse"]) for place, one in enumerate(periods)], "curve first")
    for place, one in enumerate(periods):
        plot.dot(place, one["rmse"], "mark best", f"{one['bin']}: {three(one['rmse'])}")
    rows = [[one["bin"], f"{one['rows']:,}", three(one["rmse"]), three(one["mae"])] for one in periods]
    key = [("mark best", short(model, _NAME))]
    headers = ["time", "ratings", "RMSE", "MAE"]
    return Chart("ageing", title, finding, plot.drawn(), headers, rows, "lrrr", key)
