"""Runs a command: result rendering, JSON envelope, error handling, exit codes."""

from __future__ import annotations

import functools
import json
import logging
import os
import sys
from collections.abc import Callable, Iterable, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import click

from foretaste.cli.hints import hint_to_command, option_notation
from foretaste.cli.suggestions import UnknownCommandError, suggest_command
from foretaste.errors import ForetasteError, Hint, InvalidParameterError, did_you_mean

INTERNAL_ERROR, INTERRUPTED = 70, 130


@dataclass(frozen=True)
class CommandResult:
    """Result of a command.

    Parameters
    ----------
    data : object
        Data of ``--json``: JSON types only.
    text : str
        Text for standard output, without the final newline.
    exit_code : int
        Exit code.
    """

    data: Any
    text: str
    exit_code: int = 0


class CliLogHandler(logging.Handler):
    """Writes the library's log records to standard error: info as notes, the rest as warnings."""

    def emit(self, record: logging.LogRecord) -> None:
        """Print one record; hints among its arguments are written as options."""
        ctx = click.get_current_context(silent=True)
        notation = option_notation(ctx.command.params if ctx else ())
        if isinstance(record.args, tuple):
            record.args = tuple(arg.format(notation) if isinstance(arg, Hint) else arg for arg in record.args)
        text = record.getMessage()
        level = "note" if record.levelno < logging.WARNING else "warning"
        click.echo(f"{level}: {text}", err=True)


@contextmanager
def _cli_logging(*, quiet: bool) -> Any:
    log, handler = logging.getLogger("foretaste"), CliLogHandler()
    previous = log.level, log.propagate
    log.setLevel(logging.CRITICAL if quiet else logging.INFO)
    log.propagate = False
    log.addHandler(handler)
    try:
        yield
    finally:
        log.removeHandler(handler)
        log.setLevel(previous[0])
        log.propagate = previous[1]


# Commands ------------------------------------------------------------------------------------------------


class Command(click.Command):
    """A command with ``--json``, whose value is optional."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Join ``--json`` and its value, if it has one."""
        return super().parse_args(ctx, join_json(args))


def join_json(args: Iterable[str]) -> list[str]:
    """Write ``--json`` as ``--json=TARGET``: only ``-`` and names that end in .json count as its value.

    So ``show --json model.foretaste`` reads a model; other targets need ``--json=NAME``.
    """
    joined: list[str] = []
    remaining = iter(args)
    for arg in remaining:
        if joined and joined[-1] == "--json":
            is_value = arg == "-" or arg.endswith(".json")
            joined[-1] = f"--json={arg}" if is_value else "--json=-"
            if is_value:
                continue
        if arg == "--":
            return [*joined, arg, *remaining]
        joined.append("--json" if arg == "-j" else arg)
    if joined and joined[-1] == "--json":
        joined[-1] = "--json=-"
    return joined


def common_options() -> list[click.Parameter]:
    """Return the options of every command."""
    return [
        click.Option(
            ["--json", "json_target"],
            metavar="[-|FILE.json]",
            help="Write JSON to standard output or to a file (-j).",
        ),
        click.Option(["-q", "--quiet"], is_flag=True, help="Suppress notes and progress."),
        click.Option(["--debug"], is_flag=True, help="Print the traceback of an error."),
    ]


def as_callback(function: Callable[..., CommandResult]) -> Callable[..., int]:
    """Turn a function that returns a ``CommandResult`` into a click callback that prints it."""

    @functools.wraps(function)
    def run(*, json_target: str | None, quiet: bool, debug: bool, **values: Any) -> int:
        with _cli_logging(quiet=quiet):
            try:
                result = function(**values)
            except ForetasteError as error:
                _use_options(error, click.get_current_context())
                raise
            return _emit(result, json_target)

    return run


def command(
    *options: Callable[[Any], Any], **attributes: Any
) -> Callable[[Callable[..., CommandResult]], click.Command]:
    """Make a command of a function that returns a ``CommandResult`` (a decorator)."""

    def wrap(function: Callable[..., CommandResult]) -> click.Command:
        callback: Any = as_callback(function)
        for option in reversed(options):
            callback = option(callback)
        result = click.command(cls=Command, **attributes)(callback)
        result.params += common_options()
        return result

    return wrap


def progress_setting() -> Any:
    """Return the ``progress`` argument: off if quiet, plain lines where escape codes are unwanted."""
    if click.get_current_context().params.get("quiet", False):
        return False
    from foretaste._utils.progress import LineProgress

    return LineProgress() if is_plain_terminal() else True


def is_plain_terminal() -> bool:
    """Whether colors and progress bars are unwanted."""
    return "NO_COLOR" in os.environ or os.environ.get("TERM") == "dumb"


def _use_options(error: ForetasteError, ctx: click.Context) -> None:
    """Write the arguments in a library error as options of the running command."""
    notation = option_notation(ctx.command.params)
    error.message = error.format_message(notation)
    if error.fix is not None:
        # An invalid condition is replaced; a valid one stays beside the suggested one.
        replace_condition = isinstance(error, InvalidParameterError)
        command = hint_to_command(
            error.fix, ctx.command.params, ctx.obj or (), replace_condition=replace_condition
        )
        error.hint = command if command and ctx.obj else error.fix.format(notation)


# Success and failure -------------------------------------------------------------------------------------


def _emit(result: CommandResult, json_target: str | None) -> int:
    envelope = {"ok": True, "data": result.data}
    if json_target is not None:
        _write_json(envelope, json_target)
    if json_target != "-":
        _echo(result.text)
    return result.exit_code


def _write_json(envelope: dict[str, Any], target: str) -> None:
    text = json.dumps(envelope, indent=2, allow_nan=False)
    if target == "-":
        _echo(text)
        return
    from foretaste._utils.files import atomic_write

    with atomic_write(target) as partial:
        partial.write_text(text + "\n", encoding="utf-8")
    logging.getLogger("foretaste").info("wrote %s", target)


def _echo(text: str) -> None:
    try:
        click.echo(text)
        sys.stdout.flush()
    except BrokenPipeError:  # the reader closed the pipe, as head does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def unknown_command_error(ctx: click.Context, name: str, known: Iterable[str]) -> click.UsageError:
    """Return the error for an unknown command, with the closest name."""
    return UnknownCommandError(ctx, name, tuple(known), f'no command "{name}"{did_you_mean(name, known)}')


class RootGroup(click.Group):
    """The group of all commands; turns every exception into a three-part error and an exit code."""

    def main(
        self, args: Sequence[str] | None = None, prog_name: str | None = None, *extra_args: Any, **kwargs: Any
    ) -> Any:
        """Run one command and exit with its code."""
        args = list(sys.argv[1:] if args is None else args)
        for stream in (sys.stdout, sys.stderr):
            if hasattr(stream, "reconfigure"):
                stream.reconfigure(errors="backslashreplace")  # titles may not be encodable
        try:
            kwargs |= {"standalone_mode": False, "obj": args}
            code = super().main(args, prog_name or "foretaste", *extra_args, **kwargs)
        except (Exception, KeyboardInterrupt) as error:
            code = report_error(error, args)
        sys.exit(code if isinstance(code, int) else 0)


def report_error(error: BaseException, args: list[str]) -> int:
    """Print an error (and its envelope if JSON was requested); return the exit code."""
    if "--debug" in args:
        import traceback

        click.echo("".join(traceback.format_exception(error)), err=True, nl=False)
    code, message, where, hint, exit_code = _describe_error(error)
    hint = suggest_command(error, args) or hint
    full_message = f"{message}\n{where}" if where else message
    target = next((arg.removeprefix("--json=") for arg in join_json(args) if arg.startswith("--json=")), None)
    if target is not None:
        try:
            _write_json({"ok": False, "error": {"code": code, "message": full_message, "hint": hint}}, target)
        except ForetasteError as write_error:  # the JSON target may be unwritable, too
            click.echo(f"error: {write_error.message}", err=True)
    headline = "stopped" if exit_code == INTERRUPTED else f"error: {message}"
    lines = [headline, *([f"  {where}"] if where else []), *([f"try: {hint}"] if hint else [])]
    click.echo("\n".join(lines), err=True)
    return exit_code


def _describe_error(error: BaseException) -> tuple[str, str, str | None, str | None, int]:
    """Return code, message, location, hint and exit code of an error."""
    if isinstance(error, ForetasteError):
        return error.code, error.message, error.where, error.hint, error.exit_code
    if isinstance(error, click.Abort | KeyboardInterrupt):
        return "interrupted", "stopped", None, None, INTERRUPTED
    if isinstance(error, click.ClickException):
        ctx = getattr(error, "ctx", None)
        usage = None if ctx is None else "usage: " + " ".join(ctx.get_usage().split()[1:])
        hint = f"{ctx.command_path if ctx else 'foretaste'} --help"
        return "usage", error.format_message(), usage, hint, 2
    file = _save_traceback(error)
    message = f"internal error: {type(error).__name__}: {error}"
    return (
        "internal_error",
        message.split("\n")[0],
        f"the traceback is in {file}",
        "report it with this file",
        INTERNAL_ERROR,
    )


def _save_traceback(error: BaseException) -> str:
    import platform
    import tempfile
    import traceback

    from foretaste._version import version

    handle, name = tempfile.mkstemp(prefix="foretaste-error-", suffix=".txt", text=True)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(f"foretaste {version()}, Python {sys.version}, {platform.platform()}\n\n")
        file.write("".join(traceback.format_exception(error)))
    return name
