"""The options that commands share: how ratings are read, titles, and which of them were given."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import click

from foretaste.cli.suggestions import InvalidValueError
from foretaste.errors import InvalidParameterError
from foretaste.read_options import OptionSpec, PairsOptions, ReadOptions, SourceOptions, option_specs

_SEPARATORS = {"tab": "\t", "\\t": "\t", "space": " "}


class MetricOption(click.Option):
    """An option whose help ends with the names of the metrics, which are imported when it is shown."""

    def get_help_record(self, ctx: click.Context) -> tuple[str, str] | None:
        """Return names and help of the option."""
        record = super().get_help_record(ctx)
        return record and (record[0], record[1].replace(self.help or "", f"{self.help}: {self._names()}.", 1))

    def _names(self) -> str:
        from foretaste.metrics import METRICS

        return ", ".join(
            f"{name} (with --scale)" if metric.requires == "scale" else name
            for name, metric in METRICS.items()
        )


class RankingMetricOption(MetricOption):
    """The same for metrics of ranked lists."""

    def _names(self) -> str:
        from foretaste.metrics import RANKING_METRICS

        return ", ".join(RANKING_METRICS)


def _parse_scale(_: click.Context, __: click.Parameter, text: str | None) -> tuple[float, float] | None:
    if text is None:
        return None
    try:
        low, high = (float(end) for end in text.split(","))
    except ValueError:
        upper = text if re.fullmatch(r"\d+(\.\d+)?", text) and float(text) > 1 else "5"
        raise InvalidValueError(
            f"{text!r} is not LOW,HIGH: two numbers, for example 1,5", (text, f"1,{upper}")
        ) from None
    return low, high


def _click_option(spec: OptionSpec) -> Callable[[Any], Any]:
    """Return the option of the command line for a reading option."""
    flag = "--" + spec.name.replace("_", "-") + ("-column" if spec.is_column else "")
    default = f"  [default: {spec.default_text}]" if spec.default_text else ""
    help_text = f"{spec.doc}.{default}"
    if spec.is_switch:
        return click.option(f"{flag}/--no-{flag[2:]}", default=None, help=help_text)
    if spec.choices:
        choice = click.Choice(spec.choices)
        return click.option(flag, type=choice, default=spec.default, show_default=True, help=help_text)
    callback = _parse_scale if spec.name == "scale" else None
    return click.option(
        flag,
        metavar=spec.metavar or None,
        default=spec.default,
        show_default=spec.default is not None,
        callback=callback,
        help=help_text,
    )


def _click_options(options: type[SourceOptions]) -> tuple[Callable[[Any], Any], ...]:
    return tuple(_click_option(spec) for spec in option_specs(options) if spec.on_command_line)


PAIRS_OPTIONS = _click_options(PairsOptions)
READ_OPTIONS = _click_options(ReadOptions)


TRAIN_OPTION = click.option("--train", metavar="FILE", help="Training ratings; needs --test.")
TEST_OPTION = click.option("--test", metavar="FILE", help="Test ratings; needs --train.")
MODELS_OPTION = click.option(
    "--models",
    metavar="A,B",
    help='Models, with parameters if needed: "SVD(factors=20),Bias".  [default: all]',
)
ITEMS_OPTION = click.option("--items", metavar="FILE", help="File of items (or a data set), for titles.")
_ITEM_OPTIONS = ("encoding",)  # reading options that --items uses as well


def is_option_set(name: str) -> bool:
    """Whether an option of the running command was given."""
    source = click.get_current_context().get_parameter_source(name)
    return source is not None and source.name == "COMMANDLINE"


def check_unused_options(
    option: str, source: str | None, items: str | None, read_options: dict[str, Any]
) -> None:
    """Raise for reading options where nothing is read.

    Parameters
    ----------
    option : str
        The option that names the ratings: ``--exclude``.
    source, items : str, optional
        Its value, and that of ``--items``.
    read_options : dict
        The values of ``READ_OPTIONS``.

    Raises
    ------
    InvalidParameterError
        If one of them was given without the ratings.
    """
    if source is not None:
        return
    for name in read_options:
        if is_option_set(name) and not (items is not None and name in _ITEM_OPTIONS):
            unused = "--" + name.replace("_", "-")
            raise InvalidParameterError(
                f"{unused} applies to the ratings of {option}, and there is no {option}",
                hint=f"no {unused}, or {option} RATINGS",
            )


def to_read_arguments(options: dict[str, Any]) -> dict[str, Any]:
    """Return reading options as arguments of ``read_ratings`` or ``read_pairs``."""
    arguments: dict[str, Any] = {}
    for name, value in options.items():
        argument = name.removesuffix("_column")
        may_be_position = argument != name or name == "sheet"
        is_position = may_be_position and value is not None and value.isdigit()
        arguments[argument] = int(value) if is_position else value
    separator = arguments["separator"]
    return arguments | {"separator": _SEPARATORS.get(separator, separator)}
