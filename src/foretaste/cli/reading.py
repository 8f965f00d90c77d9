"""Reading ratings for a command: the options that all of them share, and the bundled sample by its name."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from foretaste.errors import InvalidParameter

if TYPE_CHECKING:
    from foretaste.ratings import Ratings

SAMPLE = "sample"
_SEPARATORS = {"tab": "\t", "\\t": "\t", "space": " "}


def _scale(_: click.Context, __: click.Parameter, text: str | None) -> tuple[float, float] | None:
    if text is None:
        return None
    try:
        low, high = (float(end) for end in text.split(","))
    except ValueError:
        raise click.BadParameter(f"{text!r} is not LOW,HIGH: two numbers, for example 1,5") from None
    return low, high


_USER = click.option("--user-column", metavar="NAME", help="The column of user ids, or its place from 0.")
_ITEM = click.option("--item-column", metavar="NAME", help="The column of item ids.")
_WRITTEN = (
    click.option(
        "--separator", metavar="TEXT", help="What separates fields; also tab, whitespace.  [default: guessed]"
    ),
    click.option(
        "--header/--no-header",
        default=None,
        help="Whether the first line holds names.  [default: guessed]",
    ),
    click.option("--encoding", default="utf-8", show_default=True, help="Of text files."),
    click.option("--member", metavar="NAME", help="Which file of a zip archive."),
    click.option("--sheet", metavar="NAME", help="Which sheet of a workbook, or its place from 0."),
)
PAIRS_OPTIONS = (_USER, _ITEM, *_WRITTEN)
READING_OPTIONS = (
    _USER,
    _ITEM,
    click.option("--rating-column", metavar="NAME", help="The column of ratings."),
    click.option("--timestamp-column", metavar="NAME", help="The column of times."),
    *_WRITTEN,
    click.option(
        "--decimal",
        type=click.Choice([".", ","]),
        default=".",
        show_default=True,
        help="What stands before the fraction of a rating.",
    ),
    click.option(
        "--layout",
        type=click.Choice(["long", "wide"]),
        default="long",
        show_default=True,
        help="One row a rating, or one row a user and one column an item.",
    ),
    click.option(
        "--missing",
        metavar="TEXT",
        help='What means "no rating" in the wide layout.  [default: blank]',
    ),
    click.option(
        "--counts/--no-counts",
        default=None,
        help="Whether the first column of a wide table counts ratings.  [default: guessed]",
    ),
    click.option(
        "--scale", metavar="LOW,HIGH", callback=_scale, help="The lowest and the highest rating allowed."
    ),
    click.option(
        "--duplicates",
        type=click.Choice(["refuse", "last", "first", "mean"]),
        default="refuse",
        show_default=True,
        help="When a user rated an item twice.",
    ),
    click.option(
        "--on-error",
        type=click.Choice(["raise", "skip"]),
        default="raise",
        show_default=True,
        help="Whether a row that cannot be used is refused, or left out and reported.",
    ),
    click.option("--where", metavar="EXPR", help='Keep only some rows: "userId <= 4000".'),
)


def read(source: str, options: dict[str, Any]) -> Ratings:
    """Read ratings from a file, from standard input (``-``), or the bundled sample.

    Parameters
    ----------
    source : str
    options : dict
        The values of ``READING_OPTIONS``.
    """
    if source == SAMPLE:
        return _sample(options)
    from foretaste.io import read_ratings

    ratings: Ratings = read_ratings(source, **as_arguments(options))
    return ratings


def _sample(options: dict[str, Any]) -> Ratings:
    given = [name for name, value in options.items() if name != "where" and _is_given(name)]
    if given:
        option = "--" + given[0].replace("_", "-")
        raise InvalidParameter(
            f"{option} says how to read a file; the bundled sample is read already", hint="./sample"
        )
    if Path(SAMPLE).exists():
        logging.getLogger("foretaste").info("sample is the bundled one   (the file here is ./sample)")
    from foretaste.datasets import load

    ratings: Ratings = load(SAMPLE)
    return ratings if options["where"] is None else ratings.where(options["where"])


def _is_given(name: str) -> bool:
    source = click.get_current_context().get_parameter_source(name)
    return source is not None and source.name == "COMMANDLINE"


def as_arguments(options: dict[str, Any]) -> dict[str, Any]:
    """Return reading options as the arguments of ``read_ratings`` or ``read_pairs``."""
    arguments: dict[str, Any] = {}
    for name, value in options.items():
        role = name.removesuffix("_column")
        may_be_place = role != name or name == "sheet"
        is_place = may_be_place and value is not None and value.isdigit()
        arguments[role] = int(value) if is_place else value
    separator = arguments["separator"]
    return arguments | {"separator": _SEPARATORS.get(separator, separator)}


def name_of(source: str) -> str:
    """Return what ratings are called in results."""
    return {"-": "standard input", SAMPLE: "the bundled sample"}.get(source, source)
