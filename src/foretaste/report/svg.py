"""Responsive SVG charts: x coordinates are percentages of the width, text keeps its size.

A ``viewBox`` would scale the text with the chart, which makes it unreadable on a phone.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from foretaste._utils.html import Node, append_children, element

Point = tuple[float, float]

_CURVE_WIDTH = 1000  # viewBox width of curves, which are stretched to the width of the chart
_DIGIT_WIDTH = 7.4  # pixels of a digit in an axis label, at most
_TYPICAL_WIDTH = 360  # pixels; wider on a desktop, narrower on a phone
_LABEL_OFFSETS = ((9, 0), (-9, 0), (0, -14), (0, 14), (8, -10), (-8, -10), (8, 10), (-8, 10))


@dataclass(frozen=True)
class Axis:
    """Scale of a chart: maps values to positions between 0 and 1.

    Parameters
    ----------
    low, high : float
        Range of the values.
    ticks : sequence of float
    label : str
        Quantity and unit.
    is_log : bool
        Whether the scale is logarithmic.
    tick_names : sequence of str
        Labels of the ticks; by default their numbers.
    """

    low: float
    high: float
    ticks: Sequence[float]
    label: str = ""
    is_log: bool = False
    tick_names: Sequence[str] = ()

    def scale(self, value: float) -> float:
        """Return the position of a value, 0 at the low end and 1 at the high end."""
        low, high, position = self.low, self.high, value
        if self.is_log:
            low, high, position = math.log(low), math.log(high), math.log(max(value, self.low))
        return (position - low) / (high - low)

    def tick_labels(self) -> list[tuple[float, str]]:
        """Return position and label of each tick."""
        names = self.tick_names or [format_number(tick) for tick in self.ticks]
        return [(self.scale(tick), name) for tick, name in zip(self.ticks, names, strict=True)]


def format_number(value: float) -> str:
    """Format a number for readers: 1,000 and \N{MINUS SIGN}2.5."""
    text = f"{value:,.6g}" if abs(value) < 100_000 else f"{value:,.0f}"
    return text.replace("-", "\N{MINUS SIGN}")


def linear_axis(
    low: float, high: float, label: str = "", max_ticks: int = 6, *, round_ends: bool = True
) -> Axis:
    """Return a linear axis over a range, with at most ``max_ticks`` round ticks."""
    if not high > low:
        pad = abs(low) / 10 or 1.0
        low, high = low - pad, high + pad
    min_step = (high - low) / max(1, max_ticks - 1)
    power = 10.0 ** math.floor(math.log10(min_step))
    step = next(
        power * multiple for multiple in (1, 2, 2.5, 5, 10) if power * multiple >= min_step * (1 - 1e-9)
    )
    if round_ends:
        low, high = math.floor(low / step + 1e-9) * step, math.ceil(high / step - 1e-9) * step
    first_tick = math.ceil(low / step - 1e-9)
    count = math.floor(high / step + 1e-9) - first_tick + 1
    ticks = [round((first_tick + k) * step, 12) + 0.0 for k in range(count)]
    return Axis(low, high, ticks, label)


def log_axis(low: float, high: float, label: str = "", max_ticks: int = 7) -> Axis:
    """Return a logarithmic axis over a range above 0, with ticks at 1, 2, 5, 10, ..."""
    powers = range(math.floor(math.log10(low)) - 1, math.ceil(math.log10(high)) + 2)
    candidates = [round(digit * 10.0**power, 12) for power in powers for digit in (1, 2, 5)]
    first = max(index for index, tick in enumerate(candidates) if tick <= low * (1 + 1e-9))
    last = max(first + 1, min(index for index, tick in enumerate(candidates) if tick >= high * (1 - 1e-9)))
    ticks = candidates[first : last + 1]
    if len(ticks) > max_ticks:
        powers_of_ten = [
            tick for index, tick in enumerate(candidates) if index % 3 == 0 and ticks[0] <= tick <= ticks[-1]
        ]
        ticks = powers_of_ten[:: max(1, math.ceil(len(powers_of_ten) / max_ticks))]
    return Axis(candidates[first], candidates[last], ticks, label, is_log=True)


def categorical_axis(names: Sequence[str], label: str = "") -> Axis:
    """Return an axis of categories."""
    return Axis(-0.5, len(names) - 0.5, range(len(names)), label, tick_names=names)


@dataclass
class Plot:
    """A chart under construction: call drawing methods, then ``render``.

    Parameters
    ----------
    name : str
        Prefix of the ids in the page.
    title, description : str
        Accessible name and description.
    x, y : Axis
    height : int
        Height of the plotting area in pixels.
    right_margin : int
        Pixels to the right of it, for ``right_label``.
    """

    name: str
    title: str
    description: str
    x: Axis
    y: Axis
    height: int = 220
    right_margin: int = 14
    elements: list[Node] = field(default_factory=list)

    def y_px(self, value: float) -> float:
        """Return the y coordinate of a value, in pixels from the top."""
        return round((1 - self.y.scale(value)) * self.height, 1)

    def x_percent(self, value: float) -> str:
        """Return the x coordinate of a value, in percent."""
        return format_percent(self.x.scale(value))

    def bar(
        self, left: float, right: float, top: float, bottom: float, css_class: str, tooltip: str = ""
    ) -> None:
        """Draw a bar; the style sheet leaves a pixel between neighbors."""
        start, end = self.x.scale(left), self.x.scale(right)
        high, low = self.y_px(top), self.y_px(bottom)
        rect = element(
            "rect", x=format_percent(start), width=format_percent(end - start), y=high,
            height=round(max(low - high, 0.0), 1), class_=css_class,
        )  # fmt: skip
        self.elements.append(_with_tooltip(rect, tooltip))

    def dot(self, x: float, y: float, css_class: str, tooltip: str = "", size: float = 5) -> None:
        """Draw a dot."""
        self.elements.append(
            _with_tooltip(
                element("circle", cx=self.x_percent(x), cy=self.y_px(y), r=size, class_=css_class), tooltip
            )
        )

    def line(self, x: tuple[float, float], y: tuple[float, float], css_class: str) -> None:
        """Draw a straight line between two points."""
        x1, x2 = (self.x_percent(value) for value in x)
        y1, y2 = (self.y_px(value) for value in y)
        self.elements.append(element("line", x1=x1, x2=x2, y1=y1, y2=y2, class_=css_class))

    def curve(self, points: Iterable[Point], css_class: str, *, is_area: bool = False) -> None:
        """Draw a curve through points; with ``is_area`` fill the area below it."""
        pixels = [(round(self.x.scale(x) * _CURVE_WIDTH, 1), self.y_px(y)) for x, y in points]
        path = "M" + "L".join(f"{x_px:g} {y_px:g}" for x_px, y_px in pixels)
        if is_area:
            path += f"L{pixels[-1][0]:g} {self.height}L{pixels[0][0]:g} {self.height}Z"
        line = element("path", d=path, class_=css_class, vector_effect="non-scaling-stroke")
        stretched = element(
            "svg", line, viewBox=f"0 0 {_CURVE_WIDTH} {self.height}", preserveAspectRatio="none",
            width="100%", height=self.height, class_="stretched",
        )  # fmt: skip
        self.elements.append(stretched)

    def text(
        self, x: float, y: float, text: str, css_class: str = "", *, dx: float = 0, dy: float = 0
    ) -> None:
        """Write text at a point; ``css_class`` may contain start, middle or end, its anchor."""
        self.elements.append(
            element("text", text, x=self.x_percent(x), y=self.y_px(y), dx=dx, dy=dy, class_=css_class or None)
        )

    def right_label(self, y: float, text: str, css_class: str = "", *, dy: float = 0) -> None:
        """Write text in the right margin."""
        classes = f"end {css_class}".strip()
        self.elements.append(
            element("text", text, x="100%", dx=self.right_margin, y=self.y_px(y), dy=dy, class_=classes)
        )

    def label_points(self, points: Sequence[Point], labels: Sequence[str]) -> None:
        """Label points, each on the side with least overlap at the typical width of a chart."""
        boxes = [self._label_box(point, 0, 0, "") for point in points]
        for point, label in zip(points, labels, strict=True):
            candidates = [self._label_box(point, dx, dy, label) for dx, dy in _LABEL_OFFSETS]
            overlaps = [sum(_overlap_area(candidate, box) for box in boxes) for candidate in candidates]
            best = overlaps.index(min(overlaps))
            boxes.append(candidates[best])
            dx, dy = _LABEL_OFFSETS[best]
            anchor = "start" if dx > 0 else "end" if dx < 0 else "middle"
            self.text(*point, label, f"{anchor} small", dx=dx, dy=dy + 4)

    def _label_box(self, point: Point, dx: float, dy: float, label: str) -> tuple[float, float, float, float]:
        """Return center, half width and half height of a label (or of the dot itself), in pixels."""
        half_width = _DIGIT_WIDTH * len(label) / 2 if label else 6.0
        shift = dx + half_width * ((dx > 0) - (dx < 0))
        x_px = self.x.scale(point[0]) * _TYPICAL_WIDTH + shift
        return x_px, self.y_px(point[1]) + dy, half_width, 6.0

    def render(self) -> Node:
        """Return the chart with its axes, as an SVG element."""
        names = [name for _, name in self.y.tick_labels()]
        left_margin = round(max(map(len, names), default=0) * _DIGIT_WIDTH) + (10 if names else 0)
        svg = element(
            "svg",
            element("title", self.title, id=f"{self.name}-title"),
            element("desc", self.description, id=f"{self.name}-desc"),
            class_="plot", role="img", height=self.height,
            aria_labelledby=f"{self.name}-title", aria_describedby=f"{self.name}-desc",
            style=f"--left:{left_margin}px;--right:{self.right_margin}px",
        )  # fmt: skip
        for position, name in self.y.tick_labels():
            y_px = round((1 - position) * self.height, 1)
            append_children(
                svg,
                element("line", x1=0, x2="100%", y1=y_px, y2=y_px, class_="grid"),
                element("text", name, x=-8, y=y_px, dy="0.32em", class_="end"),
            )
        baseline = element("line", x1=0, x2="100%", y1=self.height, y2=self.height, class_="base")
        append_children(svg, *self.elements, baseline)
        for position, name in self.x.tick_labels():
            if name:
                svg.append(
                    element("text", name, x=format_percent(position), y=self.height + 19, class_="middle")
                )
        if self.x.label:
            svg.append(element("text", self.x.label, x="100%", y=self.height + 39, class_="end quiet"))
        if self.y.label:
            svg.append(element("text", self.y.label, x=-left_margin, y=-14, class_="quiet"))
        return svg


def format_percent(position: float) -> str:
    """Format a position between 0 and 1 as an SVG percentage."""
    return f"{round(100 * position, 3):g}%"


def _with_tooltip(node: Node, tooltip: str) -> Node:
    return append_children(node, element("title", tooltip) if tooltip else None)


def _overlap_area(a: tuple[float, float, float, float], b: tuple[float, float, float, float]) -> float:
    """Return the area of intersection of two boxes."""
    width = max(0.0, a[2] + b[2] - abs(a[0] - b[0]))
    return width * max(0.0, a[3] + b[3] - abs(a[1] - b[1]))
