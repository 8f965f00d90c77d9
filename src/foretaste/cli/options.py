"""The options that commands share: how ratings are read, titles, and which of them were given."""

from __future__ import annotations

import re
from typing import Any

import click

from foretaste.cli.suggestions import InvalidValueError
from foretaste.errors import InvalidParameterError

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


_USER_COLUMN = click.option(
    "--user-column", metavar="NAME", help="Column of user ids: its name, or its position from 0."
)
_ITEM_COLUMN = click.option("--item-column", metavar="NAME", help="Column of item ids.")
_SOURCE_OPTIONS = (
    click.option(
        "--separator", metavar="TEXT", help="Field separator; also tab, whitespace.  [default: detected]"
    ),
    click.option(
        "--header/--no-header",
        default=None,
        help="Whether the first line holds column names.  [default: detected]",
    ),
    click.option("--encoding", default="utf-8", show_default=True, help="Encoding of text files."),
    click.option("--member", metavar="NAME", help="File inside a zip archive."),
    click.option("--sheet", metavar="NAME", help="Sheet of a workbook: its name, or its position from 0."),
    click.option("--table", metavar="NAME", help="Table of a database."),
    click.option("--query", metavar="SQL", help="SELECT statement for a database."),
)
PAIRS_OPTIONS = (_USER_COLUMN, _ITEM_COLUMN, *_SOURCE_OPTIONS)
READ_OPTIONS = (
    _USER_COLUMN,
    _ITEM_COLUMN,
    click.option("--rating-column", metavar="NAME", help="Column of ratings."),
    click.option("--timestamp-column", metavar="NAME", help="Column of timestamps."),
    *_SOURCE_OPTIONS,
    click.option(
        "--decimal",
        type=click.Choice([".", ","]),
        default=".",
        show_default=True,
        help="Decimal separator of the ratings.",
    ),
    click.option(
        "--layout",
        type=click.Choice(["long", "wide"]),
        default="long",
        show_default=True,
        help="long: one row per rating; wide: one row per user, one column per item.",
    ),
    click.option(
        "--missing",
        metavar="TEXT",
        help='Value that means "no rating" in the wide layout.  [default: blank]',
    ),
    click.option(
        "--first-column-is-count/--no-first-column-is-count",
        default=None,
        help="Whether the first column of a wide table counts ratings.  [default: detected]",
    ),
    click.option(
        "--scale",
        metavar="LOW,HIGH",
        callback=_parse_scale,
        help="Lowest and highest rating allowed.",
    ),
    click.option(
        "--duplicates",
        type=click.Choice(["raise", "last", "first", "mean"]),
        default="raise",
        show_default=True,
        help="What to do with a pair of user and item that was rated more than once.",
    ),
    click.option(
        "--on-error",
        type=click.Choice(["raise", "skip"]),
        default="raise",
        show_default=True,
        help="raise: stop at a row that cannot be used; skip: drop such rows and report them.",
    ),
    click.option("--where", metavar="EXPR", help='SQL condition on the rows: "userId <= 4000".'),
)


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
