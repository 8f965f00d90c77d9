"""HTML and SVG as trees, so that every text is escaped because nothing else is possible."""

from __future__ import annotations

import re
from collections.abc import Sequence
from xml.etree import ElementTree

from foretaste._utils.formatting import Cells

Node = ElementTree.Element
Child = Node | str | None

CELL = 160  # characters of a cell of a table
LONGEST = 300  # characters of an id, a name or a message: a page must not grow with them
# What must not reach a page: control characters, halves of surrogate pairs, and what turns the direction
# of the text around it.
_UNSEEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def element(tag: str, *children: Child, **attributes: str | int | float | None) -> Node:
    """Return an element.

    Parameters
    ----------
    tag : str
    *children : Node, str or None
        What is in it, in order; texts are made safe, None is left out.
    **attributes
        ``class_`` is class and ``aria_label`` is aria-label; what is None is left out.
    """
    node = Node(tag)
    for name, value in attributes.items():
        if value is not None:
            node.set(name.rstrip("_").replace("_", "-"), clean(str(value)))
    return add(node, *children)


def add(node: Node, *children: Child) -> Node:
    """Put elements and texts at the end of an element, and return it."""
    for child in children:
        if child is None:
            continue
        if isinstance(child, Node):
            node.append(child)
        elif len(node):
            node[-1].tail = (node[-1].tail or "") + clean(child)
        else:
            node.text = (node.text or "") + clean(child)
    return node


def clean(text: str) -> str:
    """Return a text with a sign in the place of each character that cannot be shown as what it is."""
    return _UNSEEN.sub("\N{REPLACEMENT CHARACTER}", text)


def short(text: str, longest: int = LONGEST) -> str:
    """Return a text, cut where it is longer than anybody reads, with three dots."""
    return text if len(text) <= longest else text[: longest - 3] + "..."


def raw(tag: str, text: str) -> Node:
    """Return a ``style`` element of a text of our own, which is not escaped."""
    node = Node(tag)
    node.text = text
    return node


def written(node: Node) -> str:
    """Return an element as HTML."""
    return ElementTree.tostring(node, encoding="unicode", method="html")


def table(
    headers: Sequence[str], rows: Cells, align: str, caption: str, *, strong: int | None = None
) -> Node:
    """Return a table; a row shorter than the headers lets its last cell span the rest.

    Parameters
    ----------
    headers : sequence of str
    rows : sequences of str
        The first cell of a row is its heading.
    align : str
        One letter a column: ``l`` left, ``r`` right.
    caption : str
        What is in the table, read by those who do not see it.
    strong : int, optional
        The row to be set off.
    """
    sides = ["number" if side == "r" else None for side in align]
    head = element(
        "tr",
        *(element("th", name, scope="col", class_=side) for name, side in zip(headers, sides, strict=True)),
    )
    body = element("tbody")
    for place, row in enumerate(rows):
        first = element("th", short(row[0], CELL), scope="row", class_=sides[0])
        line = element("tr", first, class_="best" if place == strong else None)
        for column, cell in enumerate(row[1:], 1):
            span = len(headers) - column if column == len(row) - 1 else 1
            wide = span > 1
            line.append(
                element(
                    "td",
                    short(cell, CELL),
                    class_=None if wide else sides[column],
                    colspan=span if wide else None,
                )
            )
        body.append(line)
    title = element("caption", element("span", caption, class_="unseen"))
    whole = element("table", title, element("thead", head), body)
    # What is too wide is scrolled by itself, also by keyboard, and never the page.
    return element("div", whole, class_="scroll", role="region", tabindex=0, aria_label=caption)
