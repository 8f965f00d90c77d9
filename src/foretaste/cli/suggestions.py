"""Suggests the corrected command line after a mistake, ready to run."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from pathlib import Path

import click

from foretaste.cli.hints import shell_join
from foretaste.errors import ForetasteError


class UnknownCommandError(click.UsageError):
    """Unknown command."""

    def __init__(self, ctx: click.Context, name: str, known: Sequence[str], message: str) -> None:
        super().__init__(message, ctx)
        self.name, self.known = name, tuple(known)


class InvalidValueError(click.BadParameter):
    """Invalid value of an option, with one that is allowed."""

    def __init__(self, message: str, replacement: tuple[str, str]) -> None:
        super().__init__(message)
        self.replacement = replacement


def suggest_command(error: BaseException, args: Sequence[str]) -> str | None:
    """Return the corrected command, if there is an obvious one.

    Parameters
    ----------
    error : BaseException
        The error that the command raised.
    args : sequence of str
        The command line after ``foretaste``.
    """
    replacement = getattr(error, "replacement", None)
    if replacement is not None:
        new_args = replace_args(args, dict([replacement]))
        return shell_join(new_args) if new_args != list(args) else None
    if isinstance(error, ForetasteError) and (error.hint or "").startswith("mkdir -p "):
        return f"{error.hint} && {shell_join(args)}"
    if isinstance(error, click.MissingParameter) and error.param is not None and error.ctx is not None:
        if error.param.name == "output":
            return shell_join([*args, "-o", f"{(error.ctx.info_name or 'model').lower()}.foretaste"])
        return None
    return _correct_spelling(error, args)


def _correct_spelling(error: BaseException, args: Sequence[str]) -> str | None:
    """Return the command with the misspelled word replaced by the closest known one."""
    misspelled: str | None = None
    known: tuple[str, ...] = ()
    if isinstance(error, UnknownCommandError):
        misspelled, known = error.name, error.known
    elif isinstance(error, click.NoSuchOption):
        misspelled, known = error.option_name, tuple(error.possibilities or ())
    elif isinstance(error, click.BadParameter) and error.param is not None:
        param_type = error.param.type
        known = tuple(map(str, param_type.choices)) if isinstance(param_type, click.Choice) else ()
        values = [arg.partition("=")[2] or arg for arg in args]
        misspelled = next((value for value in values if f"{value!r}" in error.message), None)
    closest = difflib.get_close_matches(misspelled, known, n=1) if misspelled else []
    return shell_join(replace_args(args, {misspelled or "": closest[0]})) if closest else None


def replace_args(args: Sequence[str], replacements: Mapping[str, str]) -> list[str]:
    """Return arguments with some words replaced: whole ones, ``--option=WORD`` and items of ``A,B,C``."""

    def replace(arg: str) -> str:
        if arg in replacements:
            return replacements[arg]
        name, equals, value = arg.partition("=")
        if arg.startswith("-") and equals:
            return f"{replacements.get(name, name)}={replace(value)}"
        return ",".join(replacements.get(part, part) for part in arg.split(","))

    return [replace(arg) for arg in args]


def swap_args(args: Sequence[str], first: str, second: str) -> list[str]:
    """Return arguments with two words swapped."""
    return replace_args(args, {first: second, second: first})


def is_model_file(path: str) -> bool:
    """Whether a file is a model, by its first bytes: safetensors begins with a length and a brace."""
    file = Path(path)
    if path == "-" or not file.is_file():
        return False
    with file.open("rb") as stream:
        start = stream.read(9)
    return len(start) == 9 and start[5:] == b"\0\0\0{" and int.from_bytes(start[:8], "little") > 0


def suggest_for_missing_model(path: str, args: Sequence[str]) -> str | None:
    """Return the corrected command where a model is expected and this file is none.

    Either the model is another argument, or a model can first be fitted on the file.
    """
    if not Path(path).is_file() or is_model_file(path):
        return None
    model = next((arg for arg in args if arg != path and is_model_file(arg)), None)
    if model is not None:
        return shell_join(swap_args(args, path, model))
    if path.endswith(".foretaste"):
        return None
    if args[:1] == ["show"]:
        return shell_join(["audit", path])
    model_path = f"{Path(path).stem}.foretaste"
    fit = shell_join(["fit", "Bias", path, "-o", model_path])
    return f"{fit} && {shell_join(replace_args(args, {path: model_path}))}"


def suggest_fit_command(name: str, args: Sequence[str], models: Sequence[str]) -> str:
    """Return the corrected command where ``fit`` got a file before the model."""
    new_args = list(args)
    position = new_args.index(name)
    model = next((arg for arg in new_args[position + 1 :] if arg in models), None)
    if model is not None:
        new_args.remove(model)
    else:
        model = "Bias"
    new_args.insert(position, model)
    if not {"-o", "--output"} & {arg.partition("=")[0] for arg in new_args}:
        new_args += ["-o", f"{model.lower()}.foretaste"]
    return shell_join(new_args)
