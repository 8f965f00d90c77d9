"""HTML and SVG as trees, so that every text is escaped because nothing else is possible."""

from __future__ import annotations

import re
from collections.abc import Sequence
from xml.etree import ElementTree

from foretaste._utils.formatting import TableRows

Node = ElementTree.Element
Child = Node | str | None

MAX_CELL_CHARS = 160  # characters of a cell of a table
MAX_CHARS = 300  # characters of an id, a name or a message: a page must not grow with them
# What must not reach a page: control characters, halves of surrogate pairs, and what turns the direction
# of the text around it.
_UNSAFE_CHARS = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)


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
            node.set(name.rstrip("_").replace("_", "-"), strip_control_chars(str(value)))
    return append_children(node, *children)


def append_children(node: Node, *children: Child) -> Node:
    """Put elements and texts at the end of an element, and return it."""
    for child in children:
        if child is None:
            continue
        if isinstance(child, Node):
            node.append(child)
        elif len(node):
            node[-1].tail = (node[-1].tail or "") + strip_control_chars(child)
        else:
            node.text = (node.text or "") + strip_control_chars(child)
    return node


def strip_control_chars(text: str) -> str:
    """Return a text with a sign in the place of each character that cannot be shown as what it is."""
    return _UNSAFE_CHARS.sub("\N{REPLACEMENT CHARACTER}", text)


def truncate(text: str, max_chars: int = MAX_CHARS) -> str:
    """Return a text, cut where it is longer than anybody reads, with three dots."""
    return text if len(text) <= max_chars else text[: max_chars - 3] + "..."


def raw_element(tag: str, text: str) -> Node:
    """Return a ``style`` element of a text of our own, which is not escaped."""
    node = Node(tag)
    node.text = text
    return node


def to_html(node: Node) -> str:
    """Return an element as HTML."""
    return ElementTree.tostring(node, encoding="unicode", method="html")


def table_element(
    headers: Sequence[str], rows: TableRows, align: str, caption: str, *, highlighted_row: int | None = None
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
    highlighted_row : int, optional
        The row to be set off.
    """
    column_classes = ["number" if letter == "r" else None for letter in align]
    head = element(
        "tr",
        *(
            element("th", name, scope="col", class_=letter)
            for name, letter in zip(headers, column_classes, strict=True)
        ),
    )
    body = element("tbody")
    for index, row in enumerate(rows):
        first = element("th", truncate(row[0], MAX_CELL_CHARS), scope="row", class_=column_classes[0])
        row_node = element("tr", first, class_="best" if index == highlighted_row else None)
        for column, cell in enumerate(row[1:], 1):
            span = len(headers) - column if column == len(row) - 1 else 1
            is_spanning = span > 1
            row_node.append(
                element(
                    "td",
                    truncate(cell, MAX_CELL_CHARS),
                    class_=None if is_spanning else column_classes[column],
                    colspan=span if is_spanning else None,
                )
            )
        body.append(row_node)
    title = element("caption", element("span", caption, class_="unseen"))
    table_node = element("table", title, element("thead", head), body)
    # What is too wide is scrolled by itself, also by keyboard, and never the page.
    return element("div", table_node, class_="scroll", role="region", tabindex=0, aria_label=caption)
