"""Charts as SVG that follows the width of the page: places along it are per cent, letters keep their size.

A viewBox would shrink the letters with the chart; on a phone nobody could read them.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from foretaste.report.html import Node, add, element

Point = tuple[float, float]

_WIDE = 1000  # of the drawing that curves are stretched from
_LETTER = 7.4  # pixels of a digit of the labels of an axis, generously
_MIDDLING = 360  # pixels that a chart is wide, more on a desk and less on a phone
_BESIDE = ((9, 0), (-9, 0), (0, -14), (0, 14), (8, -10), (-8, -10), (8, 10), (-8, 10))


@dataclass(frozen=True)
class Axis:
    """From values to places between 0 and 1.

    Parameters
    ----------
    low, high : float
        Of the values that are drawn.
    ticks : sequence of float
    label : str
        What is measured, with its unit.
    is_log : bool
        Whether equal ratios are equally far apart.
    names : sequence of str
        What stands at the ticks; by default the numbers.
    """

    low: float
    high: float
    ticks: Sequence[float]
    label: str = ""
    is_log: bool = False
    names: Sequence[str] = ()

    def place(self, value: float) -> float:
        """Return where a value is, 0 at the low end and 1 at the high end."""
        low, high, here = self.low, self.high, value
        if self.is_log:
            low, high, here = math.log(low), math.log(high), math.log(max(value, self.low))
        return (here - low) / (high - low)

    def named(self) -> list[tuple[float, str]]:
        """Return the places of the ticks and what stands there."""
        names = self.names or [number(tick) for tick in self.ticks]
        return [(self.place(tick), name) for tick, name in zip(self.ticks, names, strict=True)]


def number(value: float) -> str:
    """Write a number for people: 1,000 and \N{MINUS SIGN}2.5."""
    text = f"{value:,.6g}" if abs(value) < 100_000 else f"{value:,.0f}"
    return text.replace("-", "\N{MINUS SIGN}")


def linear(low: float, high: float, label: str = "", most: int = 6, *, round_ends: bool = True) -> Axis:
    """Return an axis with round ticks that covers values; ``most`` ticks at most."""
    if not high > low:
        pad = abs(low) / 10 or 1.0
        low, high = low - pad, high + pad
    rough = (high - low) / max(1, most - 1)
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * nice for nice in (1, 2, 2.5, 5, 10) if power * nice >= rough * (1 - 1e-9))
    if round_ends:
        low, high = math.floor(low / step + 1e-9) * step, math.ceil(high / step - 1e-9) * step
    first = math.ceil(low / step - 1e-9)
    count = math.floor(high / step + 1e-9) - first + 1
    ticks = [round((first + n) * step, 12) + 0.0 for n in range(count)]
    return Axis(low, high, ticks, label)


def logarithmic(low: float, high: float, label: str = "", most: int = 7) -> Axis:
    """Return an axis of equal ratios that covers values above 0, with ticks at 1, 2, 5, 10, ..."""
    powers = range(math.floor(math.log10(low)) - 1, math.ceil(math.log10(high)) + 2)
    nice = [round(digit * 10.0**power, 12) for power in powers for digit in (1, 2, 5)]
    first = max(place for place, tick in enumerate(nice) if tick <= low * (1 + 1e-9))
    last = max(first + 1, min(place for place, tick in enumerate(nice) if tick >= high * (1 - 1e-9)))
    ticks = nice[first : last + 1]
    if len(ticks) > most:
        tens = [tick for place, tick in enumerate(nice) if place % 3 == 0 and ticks[0] <= tick <= ticks[-1]]
        ticks = tens[:: max(1, math.ceil(len(tens) / most))]
    return Axis(nice[first], nice[last], ticks, label, is_log=True)


def steps(names: Sequence[str], label: str = "") -> Axis:
    """Return an axis of names, one beside the other."""
    return Axis(-0.5, len(names) - 0.5, range(len(names)), label, names=names)


@dataclass
class Plot:
    """A chart while it is drawn.

    Parameters
    ----------
    name : str
        Of the chart, for the ids in the page.
    title, described : str
        What it shows, for those who do not see it.
    x, y : Axis
    height : int
        Pixels of the plotting area.
    right : int
        Pixels beside it, for what ``beside`` writes there.
    """

    name: str
    title: str
    described: str
    x: Axis
    y: Axis
    height: int = 220
    right: int = 14
    marks: list[Node] = field(default_factory=list)

    def down(self, value: float) -> float:
        """Return how many pixels below the top a value of y is."""
        return round((1 - self.y.place(value)) * self.height, 1)

    def across(self, value: float) -> str:
        """Return how far from the left a value of x is, in per cent."""
        return percent(self.x.place(value))

    def bar(self, left: float, right: float, top: float, bottom: float, kind: str, hint: str = "") -> None:
        """Draw a bar, a pixel apart from the next one."""
        start, end = self.x.place(left), self.x.place(right)
        high, low = self.down(top), self.down(bottom)
        rect = element(
            "rect", x=percent(start), width=percent(end - start), y=high,
            height=round(max(low - high, 0.0), 1), class_=kind,
        )  # fmt: skip
        self.marks.append(_hinted(rect, hint))

    def dot(self, x: float, y: float, kind: str, hint: str = "", size: float = 5) -> None:
        """Draw a dot."""
        self.marks.append(
            _hinted(element("circle", cx=self.across(x), cy=self.down(y), r=size, class_=kind), hint)
        )

    def line(self, x: tuple[float, float], y: tuple[float, float], kind: str) -> None:
        """Draw a straight line between two points."""
        across, down = [self.across(value) for value in x], [self.down(value) for value in y]
        drawn = element("line", x1=across[0], x2=across[1], y1=down[0], y2=down[1], class_=kind)
        self.marks.append(drawn)

    def curve(self, points: Iterable[Point], kind: str, *, is_area: bool = False) -> None:
        """Draw a curve through points; an area reaches down to the low end of y."""
        places = [(round(self.x.place(x) * _WIDE, 1), self.down(y)) for x, y in points]
        path = "M" + "L".join(f"{across:g} {down:g}" for across, down in places)
        if is_area:
            path += f"L{places[-1][0]:g} {self.height}L{places[0][0]:g} {self.height}Z"
        drawn = element("path", d=path, class_=kind, vector_effect="non-scaling-stroke")
        stretched = element(
            "svg", drawn, viewBox=f"0 0 {_WIDE} {self.height}", preserveAspectRatio="none",
            width="100%", height=self.height, class_="stretched",
        )  # fmt: skip
        self.marks.append(stretched)

    def text(self, x: float, y: float, words: str, kind: str = "", *, dx: float = 0, dy: float = 0) -> None:
        """Write beside a point; ``kind`` may hold start, middle or end."""
        self.marks.append(
            element("text", words, x=self.across(x), y=self.down(y), dx=dx, dy=dy, class_=kind or None)
        )

    def beside(self, y: float, words: str, kind: str = "", *, dy: float = 0) -> None:
        """Write to the right of the plotting area."""
        side = f"end {kind}".strip()
        self.marks.append(element("text", words, x="100%", dx=self.right, y=self.down(y), dy=dy, class_=side))

    def label(self, points: Sequence[Point], words: Sequence[str]) -> None:
        """Write beside points, each where least is in the way on a chart of middling width."""
        taken = [self._spot(point, 0, 0, "") for point in points]
        for point, word in zip(points, words, strict=True):
            spots = [self._spot(point, dx, dy, word) for dx, dy in _BESIDE]
            best = min(range(len(spots)), key=lambda place: sum(_overlap(spots[place], t) for t in taken))
            taken.append(spots[best])
            dx, dy = _BESIDE[best]
            side = "start" if dx > 0 else "end" if dx < 0 else "middle"
            self.text(*point, word, f"{side} small", dx=dx, dy=dy + 4)

    def _spot(self, point: Point, dx: float, dy: float, word: str) -> tuple[float, float, float, float]:
        """Return the middle of a word (or dot) beside a point, and half its width and height, in pixels."""
        half = _LETTER * len(word) / 2 if word else 6.0
        shift = dx + half * ((dx > 0) - (dx < 0))
        across = self.x.place(point[0]) * _MIDDLING + shift
        return across, self.down(point[1]) + dy, half, 6.0

    def drawn(self) -> Node:
        """Return the chart with its axes."""
        names = [name for _, name in self.y.named()]
        left = round(max(map(len, names), default=0) * _LETTER) + (10 if names else 0)
        svg = element(
            "svg",
            element("title", self.title, id=f"{self.name}-title"),
            element("desc", self.described, id=f"{self.name}-desc"),
            class_="plot", role="img", height=self.height,
            aria_labelledby=f"{self.name}-title", aria_describedby=f"{self.name}-desc",
            style=f"--left:{left}px;--right:{self.right}px",
        )  # fmt: skip
        for place, name in self.y.named():
            down = round((1 - place) * self.height, 1)
            add(
                svg,
                element("line", x1=0, x2="100%", y1=down, y2=down, class_="grid"),
                element("text", name, x=-8, y=down, dy="0.32em", class_="end"),
            )
        base = element("line", x1=0, x2="100%", y1=self.height, y2=self.height, class_="base")
        add(svg, *self.marks, base)
        for place, name in self.x.named():
            if name:
                svg.append(element("text", name, x=percent(place), y=self.height + 19, class_="middle"))
        if self.x.label:
            svg.append(element("text", self.x.label, x="100%", y=self.height + 39, class_="end quiet"))
        if self.y.label:
            svg.append(element("text", self.y.label, x=-left, y=-14, class_="quiet"))
        return svg


def percent(place: float) -> str:
    """Write a place between 0 and 1 as SVG does."""
    return f"{round(100 * place, 3):g}%"


def _hinted(node: Node, hint: str) -> Node:
    return add(node, element("title", hint) if hint else None)


def _overlap(a: tuple[float, float, float, float], b: tuple[float, float, float, float]) -> float:
    """Return the area that two boxes share."""
    wide = max(0.0, a[2] + b[2] - abs(a[0] - b[0]))
    return wide * max(0.0, a[3] + b[3] - abs(a[1] - b[1]))
