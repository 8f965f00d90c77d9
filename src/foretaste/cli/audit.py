"""``audit``: a summary of ratings, and what is wrong with them."""

from __future__ import annotations

import dataclasses
import shutil
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from foretaste.cli.framework import CommandResult, command, is_plain_terminal, progress_setting
from foretaste.cli.hints import fix_formatter
from foretaste.cli.inputs import DIRTY_SAMPLE, display_name, is_dataset, load_ratings
from foretaste.cli.options import READ_OPTIONS, to_read_arguments
from foretaste.errors import Hint

if TYPE_CHECKING:
    from foretaste.data_audit import Audit

_MAX_WIDTH = 100  # columns
_STYLES: dict[str, dict[str, Any]] = {
    "strong": {"bold": True},
    "faint": {"dim": True},
    "warning": {"fg": "yellow", "bold": True},
    "note": {"bold": True},
}


@command(
    click.argument("file"),
    click.option("--seed", default=0, show_default=True, help="Random seed of the splits."),
    *READ_OPTIONS,
    name="audit",
    short_help="Summarize ratings and find what is wrong with them.",
)
def audit(file: str, seed: int, **read_options: Any) -> CommandResult:
    """Check the ratings in FILE (or in a data set, or "sample-dirty"); nothing is changed.

    Rows that cannot be used are counted, not raised. The exit code is 1 if there are warnings.
    """
    result = _run_audit(file, seed, read_options)
    format_fix = fix_formatter(click.get_current_context().command.params)
    data = result.to_dict()
    for entry, finding in zip(data["findings"], result.findings, strict=True):
        entry["fix"] = format_fix(finding.fix)
    return CommandResult(data, _render(result, format_fix), 1 if result.warnings else 0)


def _run_audit(file: str, seed: int, read_options: dict[str, Any]) -> Audit:
    from foretaste.data_audit import audit as audit_source

    progress = progress_setting() if sys.stderr.isatty() else False  # plain progress lines add nothing here
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


def _render(result: Audit, format_fix: Callable[[Hint | str], str]) -> str:
    """Return the text for standard output, in the width and colors of the terminal."""
    from foretaste.data_audit.rendering import WIDTH, lines

    is_terminal = sys.stdout.isatty()
    width = min(_MAX_WIDTH, shutil.get_terminal_size((WIDTH, 24)).columns) if is_terminal else WIDTH
    encoding = getattr(sys.stdout, "encoding", None) or "ascii"
    styled_lines = lines(result, width, _bar(encoding), format_fix)
    if not is_terminal or is_plain_terminal():
        return "\n".join(line for line, _ in styled_lines)
    return "\n".join(click.style(line, **_STYLES[style]) if style else line for line, style in styled_lines)


def _bar(encoding: str) -> str:
    """Return the character of bars: a block if the terminal can show it."""
    try:
        "█".encode(encoding)
    except (UnicodeError, LookupError):
        return "#"
    return "█"
