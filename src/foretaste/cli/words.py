"""From the words of the library to those of the command line: ``user="u"`` is ``--user-column u``."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence

import click

_CALL = re.compile(r"\bread_\w+\(\.\.\., (.*?)\)$")
_ARGUMENT = re.compile(r"\b([a-z_]+)=('[^']*'|\"[^\"]*\"|\([^()]*\)|\.\.\.|[\w.+-]*[\w+-])")


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
        found = options.get(name) or options.get(f"{name}_column")
        if found is None:
            return match.group()
        if found.is_flag and value in ("True", "False"):
            return (found.opts if value == "True" else found.secondary_opts or found.opts)[0]
        return f"{found.opts[-1]} {_value(value)}"

    if options:
        text = _CALL.sub(r"\1", text)
    return _ARGUMENT.sub(option, text)


def _value(value: str) -> str:
    if value[0] in "'\"":
        return shlex.quote(value[1:-1])
    if value[0] == "(":
        return ",".join(part.strip() for part in value[1:-1].split(","))
    return value
