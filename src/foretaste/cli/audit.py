"""``audit``: what is in a file of ratings, and what is wrong with it."""

from __future__ import annotations

import dataclasses
import shutil
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from foretaste.cli.framework import CommandResult, command, is_plain_terminal, progress_setting
from foretaste.cli.hint_translation import python_hint_to_options
from foretaste.cli.options import (
    DIRTY_SAMPLE,
    READ_OPTIONS,
    display_name,
    is_dataset,
    load_ratings,
    to_read_arguments,
)

if TYPE_CHECKING:
    from foretaste.data_audit import Audit

_MAX_WIDTH = 100  # columns: longer lines are hard to read
_STYLES: dict[str, dict[str, Any]] = {
    "strong": {"bold": True},
    "faint": {"dim": True},
    "warning": {"fg": "yellow", "bold": True},
    "note": {"bold": True},
}


@command(
    click.argument("file"),
    click.option("--seed", default=0, show_default=True, help="Chooses the rows that are held out."),
    *READ_OPTIONS,
    name="audit",
    short_help="Say what is in ratings and what is wrong with them.",
)
def audit(file: str, seed: int, **read_options: Any) -> CommandResult:
    """Look over the ratings in FILE (or a data set by its name, or "sample-dirty"); nothing is mended.

    Rows that cannot be used are counted, not refused. The exit code is 1 if there are warnings.
    """
    result = _run_audit(file, seed, read_options)
    format_fix = _make_fix_formatter(click.get_current_context().command.params)
    data = result.to_dict()
    for finding in data["findings"]:
        finding["fix"] = format_fix(finding["fix"])
    return CommandResult(data, _render(result, format_fix), 1 if result.warnings else 0)


def _run_audit(file: str, seed: int, read_options: dict[str, Any]) -> Audit:
    from foretaste.data_audit import audit as audit_source

    progress = (
        progress_setting() if sys.stderr.isatty() else False
    )  # a line that says it is over says nothing
    if is_dataset(file):
        result = audit_source(load_ratings(file, read_options), seed=seed, progress=progress)
        return dataclasses.replace(result, name=display_name(file))
    arguments = to_read_arguments(read_options)
    if file == DIRTY_SAMPLE:
        from foretaste.datasets import dirty_sample

        with dirty_sample.as_path() as path:
            result = audit_source(path, seed=seed, progress=progress, **arguments)
        return dataclasses.replace(result, name="the bundled dirty sample")
    return audit_source(file, seed=seed, progress=progress, **arguments)


def _make_fix_formatter(params: list[click.Parameter]) -> Callable[[str], str]:
    """Return what writes arguments of reading as options, and says what only Python can do."""

    def format_fix(fix: str) -> str:
        return (
            f"in Python: {fix}"
            if fix.startswith(("ratings.", "ratings["))
            else python_hint_to_options(fix, params)
        )

    return format_fix


def _render(result: Audit, format_fix: Callable[[str], str]) -> str:
    """Return the text for standard output: as wide as the terminal, with colours where they are wanted."""
    from foretaste.data_audit.rendering import WIDTH, lines

    is_terminal = sys.stdout.isatty()
    width = min(_MAX_WIDTH, shutil.get_terminal_size((WIDTH, 24)).columns) if is_terminal else WIDTH
    encoding = getattr(sys.stdout, "encoding", None) or "ascii"
    styled_lines = lines(result, width, _bar(encoding), format_fix)
    if not is_terminal or is_plain_terminal():
        return "\n".join(line for line, _ in styled_lines)
    return "\n".join(click.style(line, **_STYLES[style]) if style else line for line, style in styled_lines)


def _bar(encoding: str) -> str:
    """Return what bars are made of: a block, where the terminal can show one."""
    try:
        "█".encode(encoding)
    except (UnicodeError, LookupError):
        return "#"
    return "█"
