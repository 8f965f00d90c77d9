"""From the words of the library to those of the command line: ``user="u"`` is ``--user-column u``."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence

import click

_CALL = re.compile(r"\bread_\w+\(\.\.\., (.*?)\)$")
_ARGUMENT = re.compile(r"\b([a-z_]+)=('[^']*'|\"[^\"]*\"|\([^()]*\)|\.\.\.|[\w.+-]*[\w+-])")
_RUN = re.compile(rf"(?:[^=:]*: )?(?P<run>{_ARGUMENT.pattern}(?:, {_ARGUMENT.pattern})*)(?P<rest>.*)$", re.S)


def as_options(text: str, params: Sequence[click.Parameter]) -> str:
    """Write the Python arguments in a text as options, where the command at work has such an option.

    Parameters
    ----------
    text : str
        A message or hint of the library: ``try: duplicates="last"``.
    params : sequence of click.Parameter
        Of the command at work.
    """
    options = {param.name: param for param in params if isinstance(param, click.Option)}

    def option(match: re.Match[str]) -> str:
        name, value = match.groups()
        found = options.get(f"{name}_column") or options.get(name)
        if found is None:
            return match.group()
        if found.secondary_opts and value in ("True", "False", "..."):
            yes, no = found.opts[0], found.secondary_opts[0]
            return {"True": yes, "False": no, "...": f"{yes} or {no}"}[value]
        return f"{found.opts[-1]} {_value(value)}"

    if options:
        text = _CALL.sub(r"\1", text)
    return _ARGUMENT.sub(option, text)


def as_command(
    hint: str, params: Sequence[click.Parameter], args: Sequence[str], *, instead: bool = False
) -> str | None:
    """Write a hint that begins with arguments as the command at work with these options, to be run as it is.

    Parameters
    ----------
    hint : str
        Of the library: ``duplicates="last" (or "first", "mean")``, ``say which it is: user="reader"``.
    params : sequence of click.Parameter
        Of the command at work.
    args : sequence of str
        What was typed after ``foretaste``.
    instead : bool
        Whether a condition in the hint stands instead of one that was typed, rather than beside it.

    Returns
    -------
    str or None
        The command, and what else the hint says in a second line; None if the hint is of another kind.
    """
    options = {param.name: param for param in params if isinstance(param, click.Option)}
    found = _RUN.match(_CALL.sub(r"\1", hint))
    if found is None or not args:
        return None
    typed, added = list(args), []
    for name, value in _ARGUMENT.findall(found["run"]):
        option = options.get(f"{name}_column") or options.get(name)
        if option is None or value == "...":
            return None
        old = _taken_out(typed, option)
        if name == "where" and old is not None and not instead and value != "None":
            value = f'"({old}) AND {value[1:-1]}"'
        if value != "None":
            added.append(as_options(f"{name}={value}", params))
    rest = as_options(found["rest"].strip().removeprefix("; "), params)
    command = " ".join([shown(typed), *added])
    rest = rest.lstrip(",; ")
    if rest.startswith("(") and rest.endswith(")"):
        rest = rest[1:-1]
    return f"{command}\n  ({rest})" if rest else command


def _taken_out(typed: list[str], option: click.Option) -> str | None:
    """Take an option and its value out of what was typed; return the value."""
    for place, arg in enumerate(typed):
        name, equals, old = arg.partition("=")
        if name in (*option.opts, *option.secondary_opts):
            has_value = not equals and not option.is_flag
            value = typed[place + 1] if has_value else old
            del typed[place : place + 1 + has_value]
            return value
    return None


def shown(args: Sequence[str]) -> str:
    """Return a command as it is typed in a shell."""
    return " ".join(["foretaste", *(_value(f"'{arg}'") for arg in args)])


def _value(value: str) -> str:
    if value[0] in "'\"":
        text = value[1:-1]
        plain = not set(text) & set('"$`\\!')
        return f'"{text}"' if "'" in text and plain else shlex.quote(text)
    if value[0] == "(":
        return ",".join(part.strip() for part in value[1:-1].split(","))
    return value
