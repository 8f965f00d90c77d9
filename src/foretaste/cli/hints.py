"""Writes the arguments in hints and messages as options: ``user="reader"`` is ``--user-column reader``."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping, Sequence

import click

from foretaste.errors import Hint, format_argument


def option_notation(params: Sequence[click.Parameter]) -> Callable[[str, object], str]:
    """Return a function that writes an argument as an option of a command, in Python if it has none.

    Parameters
    ----------
    params : sequence of click.Parameter
        Of the running command.
    """
    options = _options_by_argument(params)

    def format_option(name: str, value: object) -> str:
        option = _find_option(options, name)
        return format_argument(name, value) if option is None else _write_option(option, value)

    return format_option


def hint_to_command(
    hint: Hint, params: Sequence[click.Parameter], args: Sequence[str], *, replace_condition: bool = False
) -> str | None:
    """Return the command line that was typed, with the arguments of a hint.

    Parameters
    ----------
    hint : Hint
        Of the library.
    params : sequence of click.Parameter
        Of the running command.
    args : sequence of str
        The command line after ``foretaste``.
    replace_condition : bool
        Whether a condition in the hint replaces the one given, instead of being combined with it by AND.

    Returns
    -------
    str or None
        The command, with the note of the hint in a second line; None if the command lacks one of the
        arguments, or only the user knows its value.
    """
    options = _options_by_argument(params)
    new_args, new_options = list(args), []
    for name, value in hint.arguments.items():
        option = _find_option(options, name)
        if option is None or value is ...:
            return None
        previous = _remove_option(new_args, option)
        if name == "where" and previous is not None and not replace_condition and value is not None:
            value = f"({previous}) AND {value}"
        if value is not None:
            new_options.append(_write_option(option, value))
    command = " ".join([shell_join(new_args), *new_options])
    return f"{command}\n  ({hint.note.removeprefix('(').removesuffix(')')})" if hint.note else command


def fix_formatter(params: Sequence[click.Parameter]) -> Callable[[Hint | str], str]:
    """Return a function that writes the fix of a finding: arguments as options, Python marked as such."""
    notation = option_notation(params)

    def format_fix(fix: Hint | str) -> str:
        if isinstance(fix, Hint):
            return fix.format(notation)
        return f"in Python: {fix}" if fix.startswith(("ratings.", "ratings[")) else fix

    return format_fix


def shell_join(args: Sequence[str]) -> str:
    """Return a command line, quoted for a shell."""
    return " ".join(["foretaste", *map(_quote_text, args)])


def _options_by_argument(params: Sequence[click.Parameter]) -> dict[str, click.Option]:
    return {str(param.name): param for param in params if isinstance(param, click.Option)}


def _find_option(options: dict[str, click.Option], name: str) -> click.Option | None:
    return options.get(f"{name}_column") or options.get(name)


def _write_option(option: click.Option, value: object) -> str:
    if option.is_flag:
        on_flag, off_flag = option.opts[0], (*option.secondary_opts, f"no {option.opts[0]}")[0]
        return f"{on_flag} or {off_flag}" if value is ... else on_flag if value else off_flag
    if value is None:
        return f"no {option.opts[-1]}"
    return f"{option.opts[-1]} {_quote_value(value)}"


def _quote_value(value: object) -> str:
    if value is ...:
        return "..."
    if isinstance(value, Mapping):  # a search space
        return shlex.quote(",".join(f"{name}={_write_values(values)}" for name, values in value.items()))
    if isinstance(value, tuple | list):
        return ",".join(_quote_value(part) for part in value)
    return _quote_text(value) if isinstance(value, str) else f"{value}"


def _write_values(values: object) -> str:
    """Write the values of one parameter: a range as ``16..64`` or ``0.001..0.1:log``, others as ``A|B``."""
    if isinstance(values, tuple):
        scale = f":{values[0]}" if len(values) == 3 else ""
        return f"{values[-2]}..{values[-1]}{scale}"
    return "|".join(map(str, values)) if isinstance(values, list) else "..."


def _quote_text(text: str) -> str:
    is_safe = not set(text) & set('"$`\\!')
    return f'"{text}"' if "'" in text and is_safe else shlex.quote(text)


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
