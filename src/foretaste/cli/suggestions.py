"""The command that was meant: what was typed without the mistake in it, to be run as it is printed."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import click

from foretaste.cli.hint_translation import shown
from foretaste.errors import ForetasteError


class UnknownCommand(click.UsageError):
    """A command that does not exist."""

    def __init__(self, ctx: click.Context, name: str, known: Sequence[str], message: str) -> None:
        super().__init__(message, ctx)
        self.name, self.known = name, tuple(known)


class WrongValue(click.BadParameter):
    """A value of an option that is not allowed, and one that would be."""

    def __init__(self, message: str, instead: tuple[str, str]) -> None:
        super().__init__(message)
        self.instead = instead


def mended(error: BaseException, args: Sequence[str]) -> str | None:
    """Return the command that was meant, where it can be known.

    Parameters
    ----------
    error : BaseException
        What became of the command.
    args : sequence of str
        What was typed after ``foretaste``.
    """
    instead = getattr(error, "instead", None)
    if instead is not None:
        changed = retyped(args, dict([instead]))
        return shown(changed) if changed != list(args) else None
    if isinstance(error, ForetasteError) and (error.hint or "").startswith("mkdir -p "):
        return f"{error.hint} && {shown(args)}"
    if isinstance(error, click.MissingParameter) and error.param is not None and error.ctx is not None:
        if error.param.name == "output":
            return shown([*args, "-o", f"{(error.ctx.info_name or 'model').lower()}.foretaste"])
        return None
    return _respelled(error, args)


def _respelled(error: BaseException, args: Sequence[str]) -> str | None:
    """Return the command with its misspelt word put right, where one is near to a word that is known."""
    wrong: str | None = None
    known: tuple[str, ...] = ()
    if isinstance(error, UnknownCommand):
        wrong, known = error.name, error.known
    elif isinstance(error, click.NoSuchOption):
        wrong, known = error.option_name, tuple(error.possibilities or ())
    elif isinstance(error, click.BadParameter) and error.param is not None:
        kind = error.param.type
        known = tuple(map(str, kind.choices)) if isinstance(kind, click.Choice) else ()
        values = [arg.partition("=")[2] or arg for arg in args]
        wrong = next((value for value in values if f"{value!r}" in error.message), None)
    elif isinstance(error, ForetasteError):
        found = re.search(r"""(\S+?)["']?(?: \([^)]*\))?; did you mean "([^"]+)"\?""", error.message)
        changed = retyped(args, {found[1].strip("\"'"): found[2]}) if found else list(args)
        return shown(changed) if changed != list(args) else None
    near = difflib.get_close_matches(wrong, known, n=1) if wrong else []
    return shown(retyped(args, {wrong or "": near[0]})) if near else None


def retyped(args: Sequence[str], changes: Mapping[str, str]) -> list[str]:
    """Return what was typed with some words replaced: whole ones, ``--option=WORD`` and one of ``A,B,C``."""

    def changed(arg: str) -> str:
        if arg in changes:
            return changes[arg]
        name, equals, value = arg.partition("=")
        if arg.startswith("-") and equals:
            return f"{changes.get(name, name)}={changed(value)}"
        return ",".join(changes.get(part, part) for part in arg.split(","))

    return [changed(arg) for arg in args]


def exchanged(args: Sequence[str], one: str, other: str) -> list[str]:
    """Return what was typed with two words in each other's place."""
    return retyped(args, {one: other, other: one})


def is_model(path: str) -> bool:
    """Whether a file is a model, by its first bytes: those of safetensors are a length and a brace."""
    file = Path(path)
    if path == "-" or not file.is_file():
        return False
    with file.open("rb") as stream:
        start = stream.read(9)
    return len(start) == 9 and start[5:] == b"\0\0\0{" and int.from_bytes(start[:8], "little") > 0


def for_no_model(path: str, args: Sequence[str]) -> str | None:
    """Return the command that was meant where a model was wanted and this file is none.

    The model stands elsewhere in the command; or there is none yet, and it can be learned from the file.
    """
    if not Path(path).is_file() or is_model(path):
        return None
    model = next((arg for arg in args if arg != path and is_model(arg)), None)
    if model is not None:
        return shown(exchanged(args, path, model))
    if path.endswith(".foretaste"):
        return None
    if args[:1] == ["show"]:
        return shown(["audit", path])
    made = f"{Path(path).stem}.foretaste"
    return f"{shown(['fit', 'Bias', path, '-o', made])} && {shown(retyped(args, {path: made}))}"


def for_fit(name: str, args: Sequence[str], models: Sequence[str]) -> str:
    """Return the command that was meant where ``fit`` was given a file and not a model first."""
    typed = list(args)
    place = typed.index(name)
    model = next((arg for arg in typed[place + 1 :] if arg in models), None)
    if model is not None:
        typed.remove(model)
    else:
        model = "Bias"
    typed.insert(place, model)
    if not {"-o", "--output"} & {arg.partition("=")[0] for arg in typed}:
        typed += ["-o", f"{model.lower()}.foretaste"]
    return shown(typed)
