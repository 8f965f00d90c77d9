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


def _value(value: str) -> str:
    if value[0] in "'\"":
        text = value[1:-1]
        plain = not set(text) & set('"$`\\!')
        return f'"{text}"' if "'" in text and plain else shlex.quote(text)
    if value[0] == "(":
        return ",".join(part.strip() for part in value[1:-1].split(","))
    return value
