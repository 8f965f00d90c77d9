"""A chart with its caption, its legend and the table of its data."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.resources import files

from foretaste._utils.formatting import TableRows
from foretaste._utils.html import Node, element, raw_element, scroll_box, table_element, to_html

LINE_CLASSES = ("first", "second", "third", "fourth")  # CSS classes of distinguishable curves


@dataclass(frozen=True, eq=False, repr=False)
class Chart:
    """A chart of a report.

    Parameters
    ----------
    name : str
        Id of the chart in the page.
    title : str
    caption : str
        The finding in one sentence, computed from the data.
    drawing : Node
        SVG element.
    headers, rows, align
        Data table, as for ``foretaste._utils.html.table_element``.
    legend : sequence of (str, str)
        CSS class and label of each kind of mark.
    note : str
        How to read the chart.
    """

    name: str
    title: str
    caption: str
    drawing: Node
    headers: Sequence[str]
    rows: TableRows
    align: str
    legend: Sequence[tuple[str, str]] = ()
    note: str = ""

    def to_figure(self) -> Node:
        """Return the HTML ``figure``: title, caption, legend, drawing, note and data table."""
        head = element("h3", self.title, id=self.name)
        caption = f"Figures of the chart: {self.title}"
        data_table = scroll_box(table_element(self.headers, self.rows, self.align, caption), caption)
        hidden_suffix = element("span", f" of {self.title}", class_="unseen")  # for screen readers
        # Always five children, so that the rows of neighboring charts align in the CSS grid.
        return element(
            "figure",
            element("figcaption", head, element("p", self.caption)),
            _legend(self.legend) if self.legend else element("div"),
            self.drawing,
            element("p", self.note, class_="note"),
            element("details", element("summary", "Figures", hidden_suffix), data_table),
        )

    def _repr_html_(self) -> str:
        return Charts((self,))._repr_html_()

    def __repr__(self) -> str:
        return f"{self.title}: {self.caption}"


@dataclass(frozen=True, eq=False, repr=False)
class Charts:
    """Charts for a notebook; made by ``plot``.

    Parameters
    ----------
    charts : tuple of Chart
    """

    charts: tuple[Chart, ...]

    def __len__(self) -> int:
        return len(self.charts)

    def __iter__(self) -> Iterator[Chart]:
        return iter(self.charts)

    def __getitem__(self, name: str) -> Chart:
        """Return a chart by its name."""
        from foretaste.errors import NotFoundError

        for chart in self.charts:
            if chart.name == name:
                return chart
        names = [chart.name for chart in self.charts]
        raise NotFoundError(f'no chart "{name}"', misspelled=(name, names), hint="one of " + ", ".join(names))

    def _repr_html_(self) -> str:
        figures = element("div", *(chart.to_figure() for chart in self.charts), class_="charts")
        return to_html(
            element("div", raw_element("style", read_stylesheet("charts.css")), figures, class_="foretaste")
        )

    def __repr__(self) -> str:
        return "\n".join(map(repr, self.charts))


def read_stylesheet(name: str) -> str:
    """Return a style sheet of this package."""
    return (files("foretaste.report") / name).read_text(encoding="utf-8")


def _legend(entries: Sequence[tuple[str, str]]) -> Node:
    """Return the legend of a chart."""
    legend = element("ul", class_="key")
    for css_class, label in entries:
        if css_class in LINE_CLASSES:
            symbol = element("line", x1=0, x2=22, y1=6, y2=6, class_=f"curve {css_class}")
        elif css_class == "reference":
            symbol = element("line", x1=0, x2=22, y1=6, y2=6, class_=css_class)
        else:
            symbol = element("circle", cx=11, cy=6, r=5, class_=css_class)
        icon = element("svg", symbol, width=22, height=12, aria_hidden="true")
        legend.append(element("li", icon, f" {label}"))
    return legend
