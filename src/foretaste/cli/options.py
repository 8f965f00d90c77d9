"""Reading ratings for a command: the options that all of them share, and data sets by their names."""

from __future__ import annotations

import difflib
import logging
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from foretaste.cli.framework import progress_setting
from foretaste.cli.hint_translation import shell_join
from foretaste.cli.suggestions import InvalidValueError, is_model_file, suggest_for_missing_model
from foretaste.errors import DataError, ForetasteError, InvalidParameterError, NotFoundError, did_you_mean

if TYPE_CHECKING:
    from foretaste.models import Model
    from foretaste.ratings import Ratings

SAMPLE = "sample"
DIRTY_SAMPLE = "sample-dirty"
_SEPARATORS = {"tab": "\t", "\\t": "\t", "space": " "}


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
    "--user-column", metavar="NAME", help="The column of user ids, or its place from 0."
)
_ITEM_COLUMN = click.option("--item-column", metavar="NAME", help="The column of item ids.")
_SOURCE_OPTIONS = (
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
PAIRS_OPTIONS = (_USER_COLUMN, _ITEM_COLUMN, *_SOURCE_OPTIONS)
READ_OPTIONS = (
    _USER_COLUMN,
    _ITEM_COLUMN,
    click.option("--rating-column", metavar="NAME", help="The column of ratings."),
    click.option("--timestamp-column", metavar="NAME", help="The column of times."),
    *_SOURCE_OPTIONS,
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
        "--first-column-is-count/--no-first-column-is-count",
        default=None,
        help="Whether the first column of a wide table counts ratings.  [default: guessed]",
    ),
    click.option(
        "--scale",
        metavar="LOW,HIGH",
        callback=_parse_scale,
        help="The lowest and the highest rating allowed.",
    ),
    click.option(
        "--duplicates",
        type=click.Choice(["raise", "last", "first", "mean"]),
        default="raise",
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


def load_ratings(source: str, options: dict[str, Any]) -> Ratings:
    """Read ratings from a file, from standard input (``-``), or a data set by its name.

    Parameters
    ----------
    source : str
    options : dict
        The values of ``READ_OPTIONS``.
    """
    if is_dataset(source):
        return _load_dataset(source, options)
    _check_misspelled_dataset(source)
    if is_model_file(source):
        raise DataError(
            f"{source} is a fitted model; ratings are wanted here", hint=shell_join(["show", source])
        )
    from foretaste.io import read_ratings

    ratings: Ratings = read_ratings(source, **to_read_arguments(options))
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
        error.hint = suggest_for_missing_model(path, click.get_current_context().obj or ()) or error.hint
        raise


def is_dataset(source: str) -> bool:
    """Whether this is the name of a data set, which goes before a file of the same name."""
    from foretaste.datasets import names

    return source in names()


def _check_misspelled_dataset(source: str) -> None:
    """Refuse what is no file but nearly the name of a data set."""
    from foretaste.datasets import names

    closest = difflib.get_close_matches(source, names(), n=1)
    if closest and source != "-" and not {"/", "."} & set(source) and not Path(source).exists():
        raise NotFoundError(
            f"there is no file {source}, and no data set of this name{did_you_mean(source, names())}",
            hint="foretaste datasets list",
            replacement=(source, closest[0]),
        )


def _load_dataset(name: str, options: dict[str, Any]) -> Ratings:
    """Load a data set; of the options of reading only those that make sense for it are taken."""
    from foretaste.column_roles import check_scale
    from foretaste.datasets import info, load

    allowed = ("where",) if info(name).scale_is_declared else ("where", "scale")
    not_allowed = [
        option for option, value in options.items() if option not in allowed and is_option_set(option)
    ]
    if not_allowed == ["scale"]:
        low, high = info(name).scale
        raise InvalidParameterError(
            f"{display_name(name)} has declared its scale, {low:g} to {high:g}", hint="no --scale"
        )
    if not_allowed:
        option = "--" + not_allowed[0].replace("_", "-")
        raise InvalidParameterError(
            f"{option} says how to read a file; {display_name(name)} is read already",
            hint=f"no {option}; if you mean a file of this name: ./{name}",
        )
    log_dataset_choice(name)
    ratings: Ratings = load(name, progress=progress_setting())
    where = options.get("where")
    if where is not None:
        ratings = ratings.where(where)
        if len(ratings) == 0:
            raise DataError(f"{name}: no row fulfils where={where!r}", hint="a wider condition")
    if options.get("scale") is None:
        return ratings
    check_scale(options["scale"], ratings.value)
    return ratings.replace(scale=options["scale"])


def log_dataset_choice(name: str) -> None:
    """Say that a data set is taken where there is a file of its name, too."""
    if Path(name).exists():
        description = "bundled one" if name == SAMPLE else "data set"
        logging.getLogger("foretaste").info("%s is the %s   (the file here is ./%s)", name, description, name)


def is_option_set(name: str) -> bool:
    """Whether an option of the command at work was typed."""
    source = click.get_current_context().get_parameter_source(name)
    return source is not None and source.name == "COMMANDLINE"


def to_read_arguments(options: dict[str, Any]) -> dict[str, Any]:
    """Return reading options as the arguments of ``read_ratings`` or ``read_pairs``."""
    arguments: dict[str, Any] = {}
    for name, value in options.items():
        argument = name.removesuffix("_column")
        may_be_position = argument != name or name == "sheet"
        is_position = may_be_position and value is not None and value.isdigit()
        arguments[argument] = int(value) if is_position else value
    separator = arguments["separator"]
    return arguments | {"separator": _SEPARATORS.get(separator, separator)}


def display_name(source: str) -> str:
    """Return what ratings are called in results."""
    if "://" in source:
        from foretaste.io.sql import mask_passwords

        return mask_passwords(source)
    return {"-": "standard input", SAMPLE: "the bundled sample"}.get(source, source)
