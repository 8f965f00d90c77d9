"""``audit``: what is in a file of ratings, and what is wrong with it."""

from __future__ import annotations

import dataclasses
import shutil
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from foretaste.cli.framework import Outcome, command, is_plain, wants_progress
from foretaste.cli.hint_translation import as_options
from foretaste.cli.options import DIRTY, READING_OPTIONS, as_arguments, is_data_set, name_of, read

if TYPE_CHECKING:
    from foretaste.data_audit import Audit

_WIDEST = 100  # columns: longer lines are hard to read
_STYLES: dict[str, dict[str, Any]] = {
    "strong": {"bold": True},
    "faint": {"dim": True},
    "warning": {"fg": "yellow", "bold": True},
    "note": {"bold": True},
}


@command(
    click.argument("file"),
    click.option("--seed", default=0, show_default=True, help="Chooses the rows that are held out."),
    *READING_OPTIONS,
    name="audit",
    short_help="Say what is in ratings and what is wrong with them.",
)
def audit(file: str, seed: int, **reading: Any) -> Outcome:
    """Look over the ratings in FILE (or a data set by its name, or "sample-dirty"); nothing is mended.

    Rows that cannot be used are counted, not refused. The exit code is 1 if there are warnings.
    """
    found = _audited(file, seed, reading)
    said = _as_said(click.get_current_context().command.params)
    data = found.to_dict()
    for finding in data["findings"]:
        finding["mend"] = said(finding["mend"])
    return Outcome(data, _drawn(found, said), 1 if found.warnings else 0)


def _audited(file: str, seed: int, reading: dict[str, Any]) -> Audit:
    from foretaste.data_audit import audit as audit_source

    progress = wants_progress() if sys.stderr.isatty() else False  # a line that says it is over says nothing
    if is_data_set(file):
        found = audit_source(read(file, reading), seed=seed, progress=progress)
        return dataclasses.replace(found, name=name_of(file))
    arguments = as_arguments(reading)
    if file == DIRTY:
        from foretaste.datasets import dirty_sample

        with dirty_sample.path() as path:
            found = audit_source(path, seed=seed, progress=progress, **arguments)
        return dataclasses.replace(found, name="the bundled dirty sample")
    return audit_source(file, seed=seed, progress=progress, **arguments)


def _as_said(params: list[click.Parameter]) -> Callable[[str], str]:
    """Return what writes arguments of reading as options, and says what only Python can do."""

    def said(mend: str) -> str:
        return f"in Python: {mend}" if mend.startswith(("ratings.", "ratings[")) else as_options(mend, params)

    return said


def _drawn(found: Audit, said: Callable[[str], str]) -> str:
    """Return the text for standard output: as wide as the terminal, with colours where they are wanted."""
    from foretaste.data_audit.rendering import WIDTH, lines

    terminal = sys.stdout.isatty()
    width = min(_WIDEST, shutil.get_terminal_size((WIDTH, 24)).columns) if terminal else WIDTH
    encoding = getattr(sys.stdout, "encoding", None) or "ascii"
    styled = lines(found, width, _bar(encoding), said)
    if not terminal or is_plain():
        return "\n".join(line for line, _ in styled)
    return "\n".join(click.style(line, **_STYLES[style]) if style else line for line, style in styled)


def _bar(encoding: str) -> str:
    """Return what bars are made of: a block, where the terminal can show one."""
    try:
        "█".encode(encoding)
    except (UnicodeError, LookupError):
        return "#"
    return "█"
