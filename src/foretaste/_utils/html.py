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
    headers: Sequence[str],
    rows: TableRows,
    align: str,
    caption: str = "",
    *,
    highlighted_row: int | None = None,
    in_notebook: bool = False,
) -> Node:
    """Return a table; the last cell of a short row spans the remaining columns.

    Parameters
    ----------
    headers : sequence of str
        Empty for a table without a head.
    rows : sequences of str
        The first cell of a row is its header.
    align : str
        One letter per column: ``l`` left, ``r`` right.
    caption : str
    highlighted_row : int, optional
    in_notebook : bool
        Whether it stands without the style sheet of the report: cells carry their alignment, the caption is
        visible (in the report only to screen readers), and long cells are not truncated.
    """

    def cell(tag: str, text: str, column: int, span: int = 1, scope: str | None = None) -> Node:
        is_left = align[column] == "l" or span > 1
        return element(
            tag,
            text if in_notebook else truncate(text, MAX_CELL_CHARS),
            scope=scope,
            class_=None if is_left or in_notebook else "number",
            style=f"text-align:{'left' if is_left else 'right'}" if in_notebook else None,
            colspan=span if span > 1 else None,
        )

    table = element("table")
    if caption:
        title = caption if in_notebook else element("span", caption, class_="unseen")
        table.append(element("caption", title))
    if headers:
        head = (cell("th", name, column, scope="col") for column, name in enumerate(headers))
        table.append(element("thead", element("tr", *head)))
    body = element("tbody")
    for index, row in enumerate(rows):
        last = len(row) - 1
        cells = [
            cell("td" if column else "th", text, column, len(align) - column if column == last else 1,
                 None if column else "row")
            for column, text in enumerate(row)
        ]  # fmt: skip
        body.append(element("tr", *cells, class_="best" if index == highlighted_row else None))
    table.append(body)
    return table


def scroll_box(table: Node, label: str) -> Node:
    """Return a box in which a wide table scrolls, also by keyboard, so that the page does not."""
    return element("div", table, class_="scroll", role="region", tabindex=0, aria_label=label)


def notebook_table(headers: Sequence[str], rows: TableRows, align: str, caption: str = "") -> Node:
    """Return a table that needs no style sheet; parameters as for ``table_element``."""
    return table_element(headers, rows, align, caption, in_notebook=True)


def notebook_html(*parts: Child) -> str:
    """Return the HTML of an object in a notebook: each text is a paragraph; None is skipped."""
    return "".join(
        to_html(part if isinstance(part, Node) else element("p", part)) for part in parts if part is not None
    )
