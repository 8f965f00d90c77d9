"""Tables as plain text and as HTML, and numbers as people write them."""

from __future__ import annotations

import html
import math
from collections.abc import Iterable, Sequence

Cells = Sequence[Sequence[str]]


def text_table(headers: Sequence[str], rows: Cells, align: str) -> str:
    """Lay out a table in plain text, two spaces between columns.

    Parameters
    ----------
    headers : sequence of str
    rows : sequence of sequences of str
        A row shorter than the headers lets its last cell run on to the right.
    align : str
        One letter a column: ``l`` left, ``r`` right.
    """
    whole = [headers, *(row for row in rows if len(row) == len(headers))]
    widths = [max(len(row[place]) for row in whole) for place in range(len(headers))]
    for row in rows:  # a short row still needs room for all its cells but the last
        for place, cell in enumerate(row[:-1]):
            widths[place] = max(widths[place], len(cell))
    lines = []
    for row in [headers, *rows]:
        cells = [
            cell.rjust(width) if side == "r" and len(row) == len(headers) else cell.ljust(width)
            for cell, width, side in zip(row, widths, align, strict=False)
        ]
        lines.append("  ".join(cells).rstrip())
    lines.insert(1, "  ".join("-" * width for width in widths))
    return "\n".join(lines)


def html_table(headers: Sequence[str], rows: Cells, align: str, caption: str = "") -> str:
    """Lay out a table in HTML; a row shorter than the headers lets its last cell span the rest."""

    def cell(tag: str, text: str, place: int, span: int) -> str:
        wide = f" colspan='{span}'" if span > 1 else ""
        side = "left" if align[place] == "l" or span > 1 else "right"
        return f"<{tag}{wide} style='text-align:{side}'>{html.escape(text)}</{tag}>"

    def line(tag: str, row: Sequence[str]) -> str:
        spans = [1] * (len(row) - 1) + [len(headers) - len(row) + 1]
        cells = (cell(tag, text, place, spans[place]) for place, text in enumerate(row))
        return f"<tr>{''.join(cells)}</tr>"

    body = "".join(line("td", row) for row in rows)
    title = f"<caption>{html.escape(caption)}</caption>" if caption else ""
    return f"<table>{title}<thead>{line('th', headers)}</thead><tbody>{body}</tbody></table>"


def decimals_for(values: Iterable[float], figures: int = 4) -> int:
    """Return how many decimals show the largest of some numbers to so many significant figures."""
    largest = max((abs(value) for value in values), default=0.0)
    return 3 if largest == 0 else min(8, max(0, figures - 1 - math.floor(math.log10(largest))))


def plural(n: int, word: str) -> str:
    """Write a count: ``1 row``, ``28,272 rows``."""
    return f"{n:,} {word}{'' if n == 1 else 's'}"
