"""Text tables, and numbers and lists as text for readers."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

TableRows = Sequence[Sequence[str]]

_MAX_ENTRIES = 30  # entries of a list in a sentence


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


def count_decimals(values: Iterable[float], significant_digits: int = 4) -> int:
    """Return the number of decimals that shows the largest value to the given significant digits."""
    largest = max((abs(value) for value in values), default=0.0)
    return 3 if largest == 0 else min(8, max(0, significant_digits - 1 - math.floor(math.log10(largest))))


def format_count(n: int, word: str) -> str:
    """Format a count with its noun: ``1 row``, ``28,272 rows``."""
    return f"{n:,} {word}{'' if n == 1 else 's'}"


def format_sig(value: float) -> str:
    """Format a number with three significant digits: 4.52, 0.871, 1,230."""
    if abs(value) < 0.001:
        return "0"
    text = f"{value:,.0f}" if abs(value) >= 1000 else f"{value:#,.3g}"
    return format_minus(text.rstrip("."))


def format_minus(text: str) -> str:
    """Replace hyphens by minus signs."""
    return text.replace("-", "\N{MINUS SIGN}")


def format_seconds(seconds: float) -> str:
    """Format a duration: 3.2 ms, 0.5 s, 12 s, 5 minutes."""
    if seconds < 0.0005:
        return "under 1 ms"
    if seconds < 0.0995:
        return f"{1000 * seconds:.2g} ms"
    return f"{seconds:.2g} s" if seconds < 99.5 else f"{seconds / 60:.2g} minutes"


def format_share(fraction: float) -> str:
    """Format a fraction as a percentage: 9 %, 0.4 %, under 0.1 %."""
    if fraction == 0:
        return "none"
    if fraction < 0.001:
        return "under 0.1 %"
    return f"{100 * fraction:.2g} %" if fraction < 0.995 else f"{100 * fraction:.3g} %"


def truncate_list(entries: Sequence[str]) -> str:
    """Join entries by commas, with the number of those omitted."""
    n_omitted = len(entries) - _MAX_ENTRIES
    return ", ".join(entries[:_MAX_ENTRIES]) + (f" and {n_omitted} more" if n_omitted > 0 else "")


def join_words(entries: Sequence[str]) -> str:
    """Join entries for a sentence: ``a``, ``a and b``, ``a, b and c``."""
    return entries[0] if len(entries) == 1 else f"{', '.join(entries[:-1])} and {entries[-1]}"
