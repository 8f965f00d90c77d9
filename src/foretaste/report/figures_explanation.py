"""The chart of an explanation: a bar for what pushed a prediction up, and for what pushed it down."""

from __future__ import annotations

from foretaste.recommendation import Explanation
from foretaste.report.chart import Chart
from foretaste.report.html import short
from foretaste.report.svg import Axis, Plot, linear

_NAME = 34  # letters beside a bar, so that it fits on a phone
_ROW = 26  # pixels of a bar and its gap
_ROOM = 52  # pixels for its figure


def explanation_chart(told: Explanation) -> Chart:
    """Return the chart of what is added to the mean of all ratings.

    Parameters
    ----------
    told : Explanation
    """
    pushes = [push for push in told.pushes() if push[0] != "mean of all ratings"]
    mean = told.prediction - sum(value for _, value in pushes)
    title = f"Why {told.prediction:.3g} for item {short(str(told.item), _NAME)}"
    finding = f"From {mean:.3g} on average to {told.prediction:.3g}: {told.sentence()}."
    names = [short(what, _NAME) for what, _ in pushes][::-1]
    ends = [0.0, *(value for _, value in pushes)]
    x = linear(min(ends), max(ends), "adds to the prediction, in rating units", 5)
    n = max(1, len(names))
    y = Axis(-0.5, n - 0.5, range(len(names)), names=names)
    plot = Plot("why", title, finding, x, y, height=_ROW * n, right=_ROOM)
    for place, (what, value) in enumerate(pushes[::-1]):
        kind = "bar" if value >= 0 else "bar down"
        plot.bar(min(0.0, value), max(0.0, value), place + 0.36, place - 0.36, kind, f"{what}: {value:+.3f}")
        plot.beside(place, f"{value:+.2f}", "small", dy=4)
    plot.line((0, 0), (y.low, y.high), "base")
    rows = [["mean of all ratings", f"{mean:.3f}"], *([what, f"{value:+.3f}"] for what, value in pushes)]
    rows.append(["prediction", f"{told.prediction:.3f}"])
    note = f"By {told.basis}." + (f" {told.note}." if told.note else "")
    return Chart("why", title, finding, plot.drawn(), ["what", "adds"], rows, "lr", note=note)
