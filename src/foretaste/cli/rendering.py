"""Renders tables: with rich on a terminal, as plain text elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from foretaste._utils.formatting import format_text_table
from foretaste.cli.framework import is_plain_terminal


def render_table(
    headers: Sequence[str], rows: Sequence[Sequence[str]], align: str, *, highlight_row: int | None = None
) -> str:
    """Return a table as text for standard output.

    Parameters
    ----------
    headers, rows, align
        As for ``foretaste._utils.formatting.text_table``.
    highlight_row : int, optional
        The row in bold on a terminal.
    """
    plain_text = format_text_table(headers, rows, align)
    if not sys.stdout.isatty() or is_plain_terminal():
        return plain_text
    from rich.console import Console
    from rich.text import Text

    lines = [Text(line) for line in plain_text.splitlines()]
    lines[0].stylize("bold")
    lines[1].stylize("dim")
    if highlight_row is not None:
        lines[2 + highlight_row].stylize("bold")
    console = Console()
    with console.capture() as capture:
        for line in lines:
            console.print(line, soft_wrap=True)
    return capture.get().rstrip("\n")
