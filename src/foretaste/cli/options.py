"""Reading ratings for a command: the options that all of them share, and data sets by their names."""

from __future__ import annotations

import difflib
import logging
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from foretaste.cli.framework import wants_progress
from foretaste.cli.hint_translation import shown
from foretaste.cli.suggestions import WrongValue, for_no_model, is_model
from foretaste.errors import BadData, ForetasteError, InvalidParameter, NotFound, did_you_mean

if TYPE_CHECKING:
    from foretaste.models import Model
    from foretaste.ratings import Ratings

SAMPLE = "sample"
DIRTY = "sample-dirty"
_SEPARATORS = {"tab": "\t", "\\t": "\t", "space": " "}


def _scale(_: click.Context, __: click.Parameter, text: str | None) -> tuple[float, float] | None:
    if text is None:
        return None
    try:
        low, high = (float(end) for end in text.split(","))
    except ValueError:
        top = text if re.fullmatch(r"\d+(\.\d+)?", text) and float(text) > 1 else "5"
        raise WrongValue(
            f"{text!r} is not LOW,HIGH: two numbers, for example 1,5", (text, f"1,{top}")
        ) from None
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
    click.option("--table", metavar="NAME", help="Which table of a database."),
    click.option("--query", metavar="SQL", help="A SELECT for a database to answer."),
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
    """Read ratings from a file, from standard input (``-``), or a data set by its name.

    Parameters
    ----------
    source : str
    options : dict
        The values of ``READING_OPTIONS``.
    """
    if is_data_set(source):
        return _data_set(source, options)
    _refuse_near_name(source)
    if is_model(source):
        raise BadData(f"{source} is a fitted model; ratings are wanted here", hint=shown(["show", source]))
    from foretaste.io import read_ratings

    ratings: Ratings = read_ratings(source, **as_arguments(options))
    return ratings


def load_model(path: str) -> Model:
    """Load a model; where the file is none, the hint is the command that was meant.

    Parameters
    ----------
    path : str
    """
    from foretaste.persistence import load

    try:
        return load(path)
    except ForetasteError as error:
        error.hint = for_no_model(path, click.get_current_context().obj or ()) or error.hint
        raise


def is_data_set(source: str) -> bool:
    """Whether this is the name of a data set, which goes before a file of the same name."""
    from foretaste.datasets import names

    return source in names()


def _refuse_near_name(source: str) -> None:
    """Refuse what is no file but nearly the name of a data set."""
    from foretaste.datasets import names

    near = difflib.get_close_matches(source, names(), n=1)
    if near and source != "-" and not {"/", "."} & set(source) and not Path(source).exists():
        raise NotFound(
            f"there is no file {source}, and no data set of this name{did_you_mean(source, names())}",
            hint="foretaste datasets list",
            instead=(source, near[0]),
        )


def _data_set(name: str, options: dict[str, Any]) -> Ratings:
    """Load a data set; of the options of reading only those that make sense for it are taken."""
    from foretaste.column_roles import check_scale
    from foretaste.datasets import info, load

    taken = ("where",) if info(name).declared else ("where", "scale")
    given = [option for option, value in options.items() if option not in taken and is_given(option)]
    if given == ["scale"]:
        low, high = info(name).scale
        raise InvalidParameter(
            f"{name_of(name)} has declared its scale, {low:g} to {high:g}", hint="no --scale"
        )
    if given:
        option = "--" + given[0].replace("_", "-")
        raise InvalidParameter(
            f"{option} says how to read a file; {name_of(name)} is read already",
            hint=f"no {option}; if you mean a file of this name: ./{name}",
        )
    say_which(name)
    ratings: Ratings = load(name, progress=wants_progress())
    where = options.get("where")
    if where is not None:
        ratings = ratings.where(where)
        if len(ratings) == 0:
            raise BadData(f"{name}: no row fulfils where={where!r}", hint="a wider condition")
    if options.get("scale") is None:
        return ratings
    check_scale(options["scale"], ratings.value)
    return ratings.replace(scale=options["scale"])


def say_which(name: str) -> None:
    """Say that a data set is taken where there is a file of its name, too."""
    if Path(name).exists():
        which = "bundled one" if name == SAMPLE else "data set"
        logging.getLogger("foretaste").info("%s is the %s   (the file here is ./%s)", name, which, name)


def is_given(name: str) -> bool:
    """Whether an option of the command at work was typed."""
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
    if "://" in source:
        from foretaste.io.sql import masked

        return masked(source)
    return {"-": "standard input", SAMPLE: "the bundled sample"}.get(source, source)
