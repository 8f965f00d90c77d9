"""Charts of the distribution of ratings: over the scale, over users and over items."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from foretaste._utils.formatting import format_count, format_share, format_sig
from foretaste.ratings import Ratings
from foretaste.report.chart import Chart
from foretaste.report.svg import Axis, Plot, format_number, linear_axis, log_axis
from foretaste.typing import AnyArray

_MAX_POINTS = 160  # of a curve, about one per pixel
_TABLE_ROWS = 21


def rating_histogram(facts: dict[str, Any]) -> Chart | None:
    """Return the histogram of the ratings, from the summary of an audit."""
    bars = facts["histogram"]
    if not bars:
        return None
    total = sum(bar["count"] for bar in bars)
    is_discrete = all(bar["low"] == bar["high"] for bar in bars)
    half_width = _half_width(bars)
    x = linear_axis(bars[0]["low"] - half_width, bars[-1]["high"] + half_width, "rating", round_ends=False)
    if is_discrete and len(bars) <= 11:
        x = Axis(x.low, x.high, [bar["low"] for bar in bars], "rating")
    y = linear_axis(0, max(bar["count"] for bar in bars), "ratings")
    low, high = facts["declared_scale"] or (facts["min"], facts["max"])
    title = "How the ratings are spread"
    caption = _describe_histogram(bars, low, high, facts["mean"])
    plot = Plot("ratings", title, caption, x, y)
    table = []
    for bar in bars:
        pad = half_width if bar["low"] == bar["high"] else 0.0
        label = format_number(bar["low"]) if pad else _format_range(bar)
        plot.bar(bar["low"] - pad, bar["high"] + pad, bar["count"], 0, "bar", f"{label}: {bar['count']:,}")
        table.append([label, f"{bar['count']:,}", f"{100 * bar['count'] / total:.1f} %"])
    plot.line((facts["mean"],) * 2, (0, y.high), "reference")
    return Chart(
        "ratings", title, caption, plot.render(), ["rating", "ratings", "share"], table, "rrr",
        [("reference", f"the mean, {format_sig(facts['mean'])}")],
    )  # fmt: skip


def _half_width(bars: list[dict[str, Any]]) -> float:
    """Return half the width of a bar of a single rating value."""
    lows = [bar["low"] for bar in bars]
    if any(bar["low"] != bar["high"] for bar in bars):
        return 0.01 * float(bars[-1]["high"] - bars[0]["low"])
    return 0.5 * float(min(np.diff(lows), default=1.0))


def _describe_histogram(bars: list[dict[str, Any]], low: float, high: float, mean: float) -> str:
    middle = (low + high) / 2
    total = sum(bar["count"] for bar in bars)
    upper = sum(bar["count"] for bar in bars if (bar["low"] + bar["high"]) / 2 > middle)
    mode = max(bars, key=lambda bar: bar["count"])
    is_single = mode["low"] == mode["high"]
    mode_label = format_number(mode["low"]) if is_single else f"from {_format_range(mode)}"
    return (
        f"{format_share(upper / total).capitalize()} of the ratings lie in the upper half of the scale, "
        f"above {format_number(middle)}; most often they are {mode_label}."
    )


def _format_range(bar: dict[str, Any]) -> str:
    return f"{format_number(bar['low'])} to {format_number(bar['high'])}"


def rating_count_charts(ratings: Ratings) -> Iterator[Chart]:
    """Yield the charts of the number of ratings per user and per item."""
    if not len(ratings):
        return
    yield _rating_counts(np.bincount(ratings.user), "user", "users", "gave")
    yield _rating_counts(np.bincount(ratings.item), "item", "items", "have")


def _rating_counts(counts: AnyArray, entity: str, plural_name: str, verb: str) -> Chart:
    ordered = np.sort(counts)[::-1]
    n, total = len(ordered), int(ordered.sum())
    title = f"Ratings of each {entity}"
    median = int(ordered[(n - 1) // 2])
    top_share = float(ordered[: max(1, round(0.2 * n))].sum() / total)
    single_share = float(np.mean(ordered == 1))
    caption = f"Half of the {plural_name} {verb} {format_count(median, 'rating')} or fewer"
    caption += f", {format_share(single_share)} only one" if single_share else ""
    caption += f"; the fifth with most holds {format_share(top_share)} of all."
    x = Axis(0, 100, (0, 20, 40, 60, 80, 100), f"% of the {plural_name}, most ratings first")
    y = log_axis(float(ordered[-1]), float(ordered[0]), "ratings (logarithmic scale)")
    plot = Plot(f"of-{plural_name}", title, caption, x, y)
    indices = np.unique(np.linspace(0, n - 1, _MAX_POINTS).round().astype(int))
    points = [(_position_percent(index, n), float(ordered[index])) for index in indices]
    points = points if n > 1 else [(0.0, float(ordered[0])), (100.0, float(ordered[0]))]
    plot.curve(points, "area", is_area=True)
    plot.curve(points, "curve first")
    plot.dot(50, median, "mark best", f"median: {median:,}")
    table = []
    for index in np.unique(np.linspace(0, n - 1, _TABLE_ROWS).round().astype(int)):
        table.append([f"{_position_percent(index, n):.3g} %", f"{ordered[index]:,}"])
    headers = [f"share of the {plural_name}", "ratings"]
    legend = [("mark best", f"the {entity} in the middle, {median:,}")]
    return Chart(f"of-{plural_name}", title, caption, plot.render(), headers, table, "rr", legend)


def _position_percent(index: int, n: int) -> float:
    return 100 * float(index) / max(1, n - 1)
