"""Parses an HTML page: elements, tables by caption, text."""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path

VOID = {"meta", "br", "wbr", "hr", "img", "input", "link"}


class Page(HTMLParser):
    """Takes a page apart; fails if elements are not closed in the order in which they were opened."""

    def __init__(self, source: str | Path) -> None:
        super().__init__()
        self.source = source.read_text(encoding="utf-8") if isinstance(source, Path) else source
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.tables: dict[str, list[list[str]]] = {}
        self.open: list[str] = []
        self.pieces: list[str] = []
        self.styles: list[str] = []
        self.rows: list[list[str]] = []
        self.caption = ""
        self.feed(self.source)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag in VOID:
            return
        self.open.append(tag)
        if tag == "table":
            self.rows, self.caption = [], ""
        elif tag == "tr":
            self.rows.append([])
        elif tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag
        if tag == "table":
            assert self.caption == "" or self.caption not in self.tables
            self.tables[self.caption] = self.rows

    def handle_data(self, data: str) -> None:
        if "style" in self.open:
            self.styles.append(data)
            return
        self.pieces.append(data)
        if "caption" in self.open:
            self.caption += data
        elif "td" in self.open or ("th" in self.open and "table" in self.open):
            self.rows[-1][-1] += data

    @property
    def text(self) -> str:
        """All that is read, blanks as one."""
        return " ".join("".join(self.pieces).split())

    def named(self, tag: str) -> list[dict[str, str | None]]:
        """Return the attributes of all elements of a name."""
        return [attributes for name, attributes in self.elements if name == tag]

    def figures(self, title: str) -> list[list[str]]:
        """Return the rows of the table of a chart, without its headings."""
        return self.tables[f"Figures of the chart: {title}"][1:]
