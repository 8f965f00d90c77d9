"""Tables: drawn by rich on a terminal, in plain text everywhere else."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from foretaste._utils.formatting import text_table
from foretaste.cli.framework import is_plain


def drawn(
    headers: Sequence[str], rows: Sequence[Sequence[str]], align: str, *, strong: int | None = None
) -> str:
    """Return a table as text for standard output.

    Parameters
    ----------
    headers, rows, align
        As for ``foretaste._utils.formatting.text_table``.
    strong : int, optional
        The row to be set off on a terminal; it must be plain without, too.
    """
    plain = text_table(headers, rows, align)
    if not sys.stdout.isatty() or is_plain():
        return plain
    from rich.console import Console
    from rich.text import Text

    lines = [Text(line) for line in plain.splitlines()]
    lines[0].stylize("bold")
    lines[1].stylize("dim")
    if strong is not None:
        lines[2 + strong].stylize("bold")
    console = Console()
    with console.capture() as capture:
        for line in lines:
            console.print(line, soft_wrap=True)
    return capture.get().rstrip("\n")
