"""Translates hints of the library into command-line options: ``user="u"`` is ``--user-column u``."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence

import click

_CALL = re.compile(r"\bread_\w+\(\.\.\., (.*?)\)$")
_ARGUMENT = re.compile(r"\b([a-z_]+)=('[^']*'|\"[^\"]*\"|\([^()]*\)|\.\.\.|[\w.+-]*[\w+-])")
_LEADING_ARGUMENTS = re.compile(
    rf"(?:[^=:]*: )?(?P<arguments>{_ARGUMENT.pattern}(?:, {_ARGUMENT.pattern})*)(?P<rest>.*)$", re.S
)


def python_hint_to_options(text: str, params: Sequence[click.Parameter]) -> str:
    """Replace the Python arguments in a text by options, where the running command has them.

    Parameters
    ----------
    text : str
        A message or hint of the library: ``duplicates="last"``.
    params : sequence of click.Parameter
        Of the running command.
    """
    options = {param.name: param for param in params if isinstance(param, click.Option)}

    def replace_argument(match: re.Match[str]) -> str:
        name, value = match.groups()
        click_option = options.get(f"{name}_column") or options.get(name)
        if click_option is None:
            return match.group()
        if click_option.secondary_opts and value in ("True", "False", "..."):
            on_flag, off_flag = click_option.opts[0], click_option.secondary_opts[0]
            return {"True": on_flag, "False": off_flag, "...": f"{on_flag} or {off_flag}"}[value]
        return f"{click_option.opts[-1]} {_quote_value(value)}"

    if options:
        text = _CALL.sub(r"\1", text)
    return _ARGUMENT.sub(replace_argument, text)


def python_hint_to_command(
    hint: str, params: Sequence[click.Parameter], args: Sequence[str], *, replace_condition: bool = False
) -> str | None:
    """Turn a hint that begins with arguments into the full command with these options.

    Parameters
    ----------
    hint : str
        Of the library: ``duplicates="last" (or "first", "mean")``, ``name the column: user="reader"``.
    params : sequence of click.Parameter
        Of the running command.
    args : sequence of str
        The command line after ``foretaste``.
    replace_condition : bool
        Whether a condition in the hint replaces the one given, instead of being combined with it by AND.

    Returns
    -------
    str or None
        The command, with the rest of the hint in a second line; None if the hint has no arguments.
    """
    options = {param.name: param for param in params if isinstance(param, click.Option)}
    match = _LEADING_ARGUMENTS.match(_CALL.sub(r"\1", hint))
    if match is None or not args:
        return None
    new_args, new_options = list(args), []
    for name, value in _ARGUMENT.findall(match["arguments"]):
        option = options.get(f"{name}_column") or options.get(name)
        if option is None or value == "...":
            return None
        previous = _remove_option(new_args, option)
        if name == "where" and previous is not None and not replace_condition and value != "None":
            value = f'"({previous}) AND {value[1:-1]}"'
        if value != "None":
            new_options.append(python_hint_to_options(f"{name}={value}", params))
    remark = python_hint_to_options(match["rest"].strip().removeprefix("; "), params)
    command = " ".join([shell_join(new_args), *new_options])
    remark = remark.lstrip(",; ")
    if remark.startswith("(") and remark.endswith(")"):
        remark = remark[1:-1]
    return f"{command}\n  ({remark})" if remark else command


def _remove_option(args: list[str], option: click.Option) -> str | None:
    """Remove an option and its value from the arguments; return the value."""
    for position, arg in enumerate(args):
        name, equals, inline_value = arg.partition("=")
        if name in (*option.opts, *option.secondary_opts):
            has_value = not equals and not option.is_flag
            value = args[position + 1] if has_value else inline_value
            del args[position : position + 1 + has_value]
            return value
    return None


def shell_join(args: Sequence[str]) -> str:
    """Return a command line, quoted for a shell."""
    return " ".join(["foretaste", *(_quote_value(f"'{arg}'") for arg in args)])


def _quote_value(value: str) -> str:
    if value[0] in "'\"":
        text = value[1:-1]
        is_safe = not set(text) & set('"$`\\!')
        return f'"{text}"' if "'" in text and is_safe else shlex.quote(text)
    if value[0] == "(":
        return ",".join(part.strip() for part in value[1:-1].split(","))
    return value
