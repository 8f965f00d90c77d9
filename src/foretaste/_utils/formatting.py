"""Text and HTML tables, and formatting of numbers."""

from __future__ import annotations

import html
import math
from collections.abc import Iterable, Sequence

TableRows = Sequence[Sequence[str]]


def format_text_table(headers: Sequence[str], rows: TableRows, align: str) -> str:
    """Format a table as plain text, with two spaces between columns.

    Parameters
    ----------
    headers : sequence of str
    rows : sequence of sequences of str
        The last cell of a row shorter than the headers may overflow to the right.
    align : str
        One letter per column: ``l`` left, ``r`` right.
    """
    full_rows = [headers, *(row for row in rows if len(row) == len(headers))]
    widths = [max(len(row[index]) for row in full_rows) for index in range(len(headers))]
    for row in rows:  # of a short row, all cells but the last need room
        for index, cell in enumerate(row[:-1]):
            widths[index] = max(widths[index], len(cell))
    lines = []
    for row in [headers, *rows]:
        cells = [
            cell.rjust(width) if alignment == "r" and len(row) == len(headers) else cell.ljust(width)
            for cell, width, alignment in zip(row, widths, align, strict=False)
        ]
        lines.append("  ".join(cells).rstrip())
    lines.insert(1, "  ".join("-" * width for width in widths))
    return "\n".join(lines)


def format_html_table(headers: Sequence[str], rows: TableRows, align: str, caption: str = "") -> str:
    """Format a table as HTML; the last cell of a row shorter than the headers spans the rest."""

    def render_cell(tag: str, text: str, index: int, span: int) -> str:
        colspan = f" colspan='{span}'" if span > 1 else ""
        alignment = "left" if align[index] == "l" or span > 1 else "right"
        return f"<{tag}{colspan} style='text-align:{alignment}'>{html.escape(text)}</{tag}>"

    def render_row(tag: str, row: Sequence[str]) -> str:
        spans = [1] * (len(row) - 1) + [len(headers) - len(row) + 1]
        cells = (render_cell(tag, text, index, spans[index]) for index, text in enumerate(row))
        return f"<tr>{''.join(cells)}</tr>"

    body = "".join(render_row("td", row) for row in rows)
    title = f"<caption>{html.escape(caption)}</caption>" if caption else ""
    return f"<table>{title}<thead>{render_row('th', headers)}</thead><tbody>{body}</tbody></table>"


def count_decimals(values: Iterable[float], significant_digits: int = 4) -> int:
    """Return the number of decimals that shows the largest value to the given significant digits."""
    largest = max((abs(value) for value in values), default=0.0)
    return 3 if largest == 0 else min(8, max(0, significant_digits - 1 - math.floor(math.log10(largest))))


def format_count(n: int, word: str) -> str:
    """Format a count with its noun: ``1 row``, ``28,272 rows``."""
    return f"{n:,} {word}{'' if n == 1 else 's'}"
