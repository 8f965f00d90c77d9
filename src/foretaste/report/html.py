"""HTML and SVG as element trees, so that all text is escaped by construction."""

from __future__ import annotations

import re
from collections.abc import Sequence
from xml.etree import ElementTree

from foretaste._utils.formatting import TableRows

Node = ElementTree.Element
Child = Node | str | None

MAX_CELL_CHARS = 160  # of a table cell
MAX_CHARS = 300  # of an id, a name or a message, so that long ones do not blow up a page
# Control characters, lone surrogates and bidirectional overrides, which could disguise the text around them.
_UNSAFE_CHARS = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)


def element(tag: str, *children: Child, **attributes: str | int | float | None) -> Node:
    """Return an element.

    Parameters
    ----------
    tag : str
    *children : Node, str or None
        Content in order; None is skipped.
    **attributes
        ``class_`` sets class and ``aria_label`` sets aria-label; None is skipped.
    """
    node = Node(tag)
    for name, value in attributes.items():
        if value is not None:
            node.set(name.rstrip("_").replace("_", "-"), strip_control_chars(str(value)))
    return append_children(node, *children)


def append_children(node: Node, *children: Child) -> Node:
    """Append elements and texts to an element, and return it."""
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
    """Return a text with control and bidirectional characters replaced by U+FFFD."""
    return _UNSAFE_CHARS.sub("\N{REPLACEMENT CHARACTER}", text)


def truncate(text: str, max_chars: int = MAX_CHARS) -> str:
    """Return a text of at most ``max_chars`` characters, with three dots where it was cut."""
    return text if len(text) <= max_chars else text[: max_chars - 3] + "..."


def raw_element(tag: str, text: str) -> Node:
    """Return a ``style`` or ``script`` element with trusted text, which HTML does not escape."""
    node = Node(tag)
    node.text = text
    return node


def to_html(node: Node) -> str:
    """Return an element as HTML."""
    return ElementTree.tostring(node, encoding="unicode", method="html")


def table_element(
    headers: Sequence[str], rows: TableRows, align: str, caption: str, *, highlighted_row: int | None = None
) -> Node:
    """Return a table; the last cell of a short row spans the remaining columns.

    Parameters
    ----------
    headers : sequence of str
    rows : sequences of str
        The first cell of a row is its header.
    align : str
        One letter per column: ``l`` left, ``r`` right.
    caption : str
        Visually hidden caption, for screen readers.
    highlighted_row : int, optional
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
    # A wide table scrolls by itself, also by keyboard, and not the page.
    return element("div", table_node, class_="scroll", role="region", tabindex=0, aria_label=caption)
