"""Axes, ticks and marks are drawn at their values."""

from __future__ import annotations

import math
import re

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st
from report_pages import Page

from foretaste._utils.formatting import format_seconds, format_share, format_sig, join_words, truncate_list
from foretaste._utils.html import to_html
from foretaste.report.svg import Axis, Plot, categorical_axis, format_number, linear_axis, log_axis

values = st.floats(-1e9, 1e9, allow_nan=False).map(lambda value: round(value, 6))
positive = st.floats(1e-6, 1e9)


@given(values, values, st.integers(3, 8))
@example(1.0, 1.0, 6)
@example(0.0, 0.0, 6)
@example(-10.0, 10.0, 6)
def test_a_linear_axis_covers_its_values_with_few_round_ticks(a: float, b: float, most: int) -> None:
    low, high = sorted((a, b))
    assume(high == low or high - low > 1e-6 * max(abs(low), abs(high)))
    axis = linear_axis(low, high, max_ticks=most)
    size = axis.high - axis.low
    assert axis.low <= low + 1e-9 * size
    assert axis.high >= high - 1e-9 * size
    assert axis.scale(axis.low) == 0
    assert axis.scale(axis.high) == 1
    assert 2 <= len(axis.ticks) <= most + 1
    gaps = [after - before for before, after in zip(axis.ticks, axis.ticks[1:], strict=False)]
    assert gaps == pytest.approx([gaps[0]] * len(gaps), rel=1e-3)
    digit = float(f"{gaps[0]:e}".partition("e")[0])
    assert min(abs(digit - nice) for nice in (1, 2, 2.5, 5, 10)) < 0.01
    kept = linear_axis(low, high, max_ticks=most, round_ends=False)
    if high > low:
        assert (kept.low, kept.high) == (low, high)
        assert all(low - 1e-9 * size <= tick <= high + 1e-9 * size for tick in kept.ticks)


@given(positive, positive)
@example(1.0, 1.0)
@example(1.0, 737.0)
@example(0.5, 0.5)
def test_a_logarithmic_axis_covers_its_values(a: float, b: float) -> None:
    low, high = sorted((a, b))
    axis = log_axis(low, high)
    assert axis.low <= low * (1 + 1e-6)
    assert axis.high >= high * (1 - 1e-6)
    assert 1 <= len(axis.ticks) <= 7
    assert all(f"{tick:e}"[0] in "125" and axis.low <= tick <= axis.high for tick in axis.ticks)
    assert axis.scale(math.sqrt(axis.low * axis.high)) == pytest.approx(0.5)
    assert axis.scale(0) == 0  # what is no more than nothing lies at the low end


@given(st.floats(0, 10), st.floats(0, 10), st.floats(0, 4), st.floats(0, 4))
@example(2.0, 4.0, 0.0, 3.0)
def test_marks_are_where_the_axes_put_their_values(
    left: float, right: float, low: float, high: float
) -> None:
    plot = Plot("name", "A title", "What it shows", Axis(0, 10, ()), Axis(0, 4, ()), height=200)
    (left, right), (low, high) = sorted((left, right)), sorted((low, high))
    plot.bar(left, right, high, low, "bar", "a tooltip")
    plot.dot(left, high, "mark")
    plot.line((left, right), (low, high), "reference")
    plot.curve([(left, low), (right, high)], "curve first")
    page = Page("".join(map(to_html, plot.elements)))

    def number(text: str | None) -> float:
        return float(str(text).removesuffix("%"))

    x = [pytest.approx(100 * value / 10, abs=0.01) for value in (left, right)]  # percent of the width
    y = [pytest.approx(200 * (1 - value / 4), abs=0.1) for value in (low, high)]  # pixels from the top
    (bar,), (dot,), (line,), (path,) = map(page.named, ("rect", "circle", "line", "path"))
    assert (number(bar["x"]), number(bar["y"])) == (x[0], y[1])
    assert number(bar["x"]) + number(bar["width"]) == pytest.approx(10 * right, abs=0.01)
    assert number(bar["y"]) + number(bar["height"]) == pytest.approx(50 * (4 - low), abs=0.2)
    assert (number(dot["cx"]), number(dot["cy"])) == (x[0], y[1])
    assert [number(line[name]) for name in ("x1", "x2", "y1", "y2")] == [*x, *y]
    points = [float(value) for value in re.findall(r"[\d.]+(?:e-?\d+)?", str(path["d"]))]
    assert [points[0] / 10, points[2] / 10] == [
        pytest.approx(10 * value, abs=0.01) for value in (left, right)
    ]
    assert [points[1], points[3]] == y
    assert "a tooltip" in page.text


def test_an_area_is_closed_at_the_base_line() -> None:
    plot = Plot("name", "A title", "What it shows", Axis(0, 10, ()), Axis(0, 4, ()), height=200)
    plot.curve([(0, 1), (10, 4)], "area", is_area=True)
    (path,) = Page(to_html(plot.elements[0])).named("path")
    assert str(path["d"]).endswith("L1000 200L0 200Z")


def test_a_chart_has_an_accessible_name_ticks_and_labels_that_keep_their_size() -> None:
    plot = Plot("name", "A title", "What it shows", Axis(0, 10, (0, 5, 10), "x"), linear_axis(0, 4, "y"))
    page = Page(to_html(plot.render()))
    svg = page.named("svg")[0]
    assert svg["role"] == "img"
    assert svg["aria-labelledby"] == "name-title"
    assert "viewBox" not in svg  # letters would shrink with it
    assert {"0", "5", "10", "x", "y"} <= set(page.pieces)


def test_adjacent_labels_do_not_overlap() -> None:
    plot = Plot("n", "t", "d", linear_axis(0, 10), linear_axis(0, 10))
    plot.label_points([(5, 5), (5, 5.05), (5, 5.1)], ["1", "2", "3"])
    placed = re.findall(r'dx="(-?\d+)" dy="(-?\d+)"', "".join(map(to_html, plot.elements)))
    assert len(set(placed)) == 3


def test_categorical_axis_and_number_formats() -> None:
    axis = categorical_axis(["a", "", "c"])
    assert [name for _, name in axis.tick_labels()] == ["a", "", "c"]
    assert axis.scale(1) == 0.5
    minus = "\N{MINUS SIGN}"
    assert [format_number(n) for n in (1000, -2.5, 0, 0.1 + 0.2)] == ["1,000", f"{minus}2.5", "0", "0.3"]
    assert [format_number(n) for n in (2_000_000, 100_000.4)] == ["2,000,000", "100,000"]
    assert [format_sig(n) for n in (4.5249, 0.87149, -0.104, 1234.5, 0, 100.2)] == [
        "4.52", "0.871", f"{minus}0.104", "1,234", "0", "100",
    ]  # fmt: skip
    assert [format_seconds(t) for t in (0.0001, 0.0032, 0.5, 12.3, 300)] == [
        "under 1 ms", "3.2 ms", "0.5 s", "12 s", "5 minutes",
    ]  # fmt: skip
    assert [format_share(s) for s in (0, 0.0001, 0.004, 0.09, 0.999, 1)] == [
        "none", "under 0.1 %", "0.4 %", "9 %", "99.9 %", "100 %",
    ]  # fmt: skip
    assert join_words(["a"]) == "a"
    assert join_words(["a", "b", "c"]) == "a, b and c"
    assert truncate_list([str(n) for n in range(33)]).endswith("28, 29 and 3 more")
