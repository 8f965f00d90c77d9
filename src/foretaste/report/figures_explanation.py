"""Chart of an explanation: a bar per contribution, up or down."""

from __future__ import annotations

from foretaste.recommendation import Explanation
from foretaste.report.chart import Chart
from foretaste.report.html import truncate
from foretaste.report.svg import Axis, Plot, linear_axis

_MAX_NAME_CHARS = 34  # of the label of a bar, so that it fits on a phone
_ROW_HEIGHT = 26  # pixels of a bar and its gap
_VALUE_WIDTH = 52  # pixels for its value


def explanation_chart(explanation: Explanation) -> Chart:
    """Return the chart of the contributions that are added to the mean of all ratings.

    Parameters
    ----------
    explanation : Explanation
    """
    signed_rows = [row for row in explanation.signed_rows() if row[0] != "mean of all ratings"]
    mean = explanation.prediction - sum(value for _, value in signed_rows)
    title = f"Why {explanation.prediction:.3g} for item {truncate(str(explanation.item), _MAX_NAME_CHARS)}"
    caption = f"From {mean:.3g} on average to {explanation.prediction:.3g}: {explanation.sentence()}."
    names = [truncate(label, _MAX_NAME_CHARS) for label, _ in signed_rows][::-1]
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
