"""Charts of the ratings: how they are spread over the scale, over users and over items."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from foretaste._utils.formatting import plural
from foretaste.ratings import Ratings
from foretaste.report.chart import Chart
from foretaste.report.formatting import share, three
from foretaste.report.svg import Axis, Plot, linear, logarithmic, number

Array = npt.NDArray[Any]

_POINTS = 160  # of a curve: as many as there are pixels to tell them apart
_TABLE = 21  # rows of the table of a curve


def histogram(facts: dict[str, Any]) -> Chart | None:
    """Return the chart of the ratings over their scale, from the facts of an audit."""
    bars = facts["histogram"]
    if not bars:
        return None
    total = sum(bar["count"] for bar in bars)
    single = all(bar["low"] == bar["high"] for bar in bars)
    half = _half_width(bars)
    x = linear(bars[0]["low"] - half, bars[-1]["high"] + half, "rating", round_ends=False)
    if single and len(bars) <= 11:
        x = Axis(x.low, x.high, [bar["low"] for bar in bars], "rating")
    y = linear(0, max(bar["count"] for bar in bars), "ratings")
    low, high = facts["declared_scale"] or (facts["min"], facts["max"])
    title = "How the ratings are spread"
    finding = _histogram_in_words(bars, low, high, facts["mean"])
    plot = Plot("ratings", title, finding, x, y)
    table = []
    for bar in bars:
        pad = half if bar["low"] == bar["high"] else 0.0
        says = number(bar["low"]) if pad else f"{number(bar['low'])} to {number(bar['high'])}"
        plot.bar(bar["low"] - pad, bar["high"] + pad, bar["count"], 0, "bar", f"{says}: {bar['count']:,}")
        table.append([says, f"{bar['count']:,}", f"{100 * bar['count'] / total:.1f} %"])
    plot.line((facts["mean"],) * 2, (0, y.high), "reference")
    return Chart(
        "ratings", title, finding, plot.drawn(), ["rating", "ratings", "share"], table, "rrr",
        [("reference", f"the mean, {three(facts['mean'])}")],
    )  # fmt: skip


def _half_width(bars: list[dict[str, Any]]) -> float:
    """Return half the width of a bar that stands for a single rating."""
    lows = [bar["low"] for bar in bars]
    if any(bar["low"] != bar["high"] for bar in bars):
        return 0.01 * float(bars[-1]["high"] - bars[0]["low"])
    return 0.5 * float(min(np.diff(lows), default=1.0))


def _histogram_in_words(bars: list[dict[str, Any]], low: float, high: float, mean: float) -> str:
    middle = (low + high) / 2
    total = sum(bar["count"] for bar in bars)
    upper = sum(bar["count"] for bar in bars if (bar["low"] + bar["high"]) / 2 > middle)
    most = max(bars, key=lambda bar: bar["count"])
    often = number(most["low"])
    if most["low"] != most["high"]:
        often = f"from {often} to {number(most['high'])}"
    return (
        f"{share(upper / total).capitalize()} of the ratings lie in the upper half of the scale, above "
        f"{number(middle)}; most often they are {often}."
    )


def tails(ratings: Ratings) -> Iterator[Chart]:
    """Yield how many ratings users gave and items have."""
    if not len(ratings):
        return
    yield _tail(np.bincount(ratings.user), "user", "users", "gave")
    yield _tail(np.bincount(ratings.item), "item", "items", "have")


def _tail(counts: Array, role: str, roles: str, verb: str) -> Chart:
    ordered = np.sort(counts)[::-1]
    n, total = len(ordered), int(ordered.sum())
    title = f"Ratings of each {role}"
    median = int(ordered[(n - 1) // 2])
    top = float(ordered[: max(1, round(0.2 * n))].sum() / total)
    one = float(np.mean(ordered == 1))
    finding = f"Half of the {roles} {verb} {plural(median, 'rating')} or fewer"
    finding += f", {share(one)} only one" if one else ""
    finding += f"; the fifth with most holds {share(top)} of all."
    x = Axis(0, 100, (0, 20, 40, 60, 80, 100), f"% of the {roles}, most ratings first")
    y = logarithmic(float(ordered[-1]), float(ordered[0]), "ratings (logarithmic scale)")
    plot = Plot(f"of-{roles}", title, finding, x, y)
    places = np.unique(np.linspace(0, n - 1, _POINTS).round().astype(int))
    points = [(_along(place, n), float(ordered[place])) for place in places]
    points = points if n > 1 else [(0.0, float(ordered[0])), (100.0, float(ordered[0]))]
    plot.curve(points, "area", is_area=True)
    plot.curve(points, "curve first")
    plot.dot(50, median, "mark best", f"median: {median:,}")
    table = []
    for place in np.unique(np.linspace(0, n - 1, _TABLE).round().astype(int)):
        table.append([f"{_along(place, n):.3g} %", f"{ordered[place]:,}"])
    headers = [f"share of the {roles}", "ratings"]
    key = [("mark best", f"the {role} in the middle, {median:,}")]
    return Chart(f"of-{roles}", title, finding, plot.drawn(), headers, table, "rr", key)


def _along(place: int, n: int) -> float:
    return 100 * float(place) / max(1, n - 1)
