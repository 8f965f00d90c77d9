"""``report``: a comparison as one page, and what ``compare --html`` shares with it."""

from __future__ import annotations

import dataclasses
import logging
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from foretaste._utils.files import atomic_write
from foretaste.cli.framework import Outcome, command, wants_progress
from foretaste.cli.hint_translation import as_options, shown
from foretaste.cli.options import READING_OPTIONS, as_arguments, is_data_set, is_given, name_of, read
from foretaste.cli.split_options import SPLIT_OPTIONS, SPLIT_PARAMS, split_of
from foretaste.errors import InvalidParameter

if TYPE_CHECKING:
    from foretaste.evaluation import Results
    from foretaste.ratings import Ratings

log = logging.getLogger("foretaste")

_DEFAULTS = {
    "encoding": "utf-8",
    "decimal": ".",
    "layout": "long",
    "duplicates": "refuse",
    "on_error": "raise",
}


@command(
    click.argument("source", metavar="RESULTS.json|FILE"),
    click.option("-o", "--output", metavar="FILE", required=True, help="The page to be written."),
    click.option(
        "--ratings", "ratings_file", metavar="FILE", help="The ratings that RESULTS.json comes from."
    ),
    click.option("--models", metavar="A,B", help="Compare some models only.  [default: all]"),
    *SPLIT_OPTIONS,
    *READING_OPTIONS,
    name="report",
    short_help="Write a comparison as one page for a browser.",
)
def report(
    source: str,
    output: str,
    ratings_file: str | None,
    models: str | None,
    kind: str | None,
    test_size: float,
    folds: int | None,
    seed: int,
    warm_only: bool,
    **reading: Any,
) -> Outcome:
    """Write a comparison as one page for a browser: RESULTS.json, or FILE of ratings, compared anew.

    RESULTS.json is what "compare --json RESULTS.json" wrote. With --ratings, and the options that say how
    rows were held out, it is completed by what only the ratings tell.
    """
    from foretaste.report.saved_results import read_results

    check_path(output)
    split = split_of(kind, test_size, folds, seed, warm_only)
    if source.endswith(".json"):
        if models is not None:
            raise InvalidParameter(
                f"models={models!r}: {source} holds its models already",
                hint="no --models, or a file of ratings",
            )
        results = read_results(source)
        ratings = None if ratings_file is None else read(ratings_file, reading)
        chosen = split if any(map(is_given, SPLIT_PARAMS)) else None
        written = write_page(results, output, ratings_file, reading, ratings, chosen, None)
    else:
        if ratings_file is not None:
            raise InvalidParameter(
                "--ratings stands beside RESULTS.json; what is given here is read as ratings",
                hint=f"foretaste report {ratings_file} -o {output}",
            )
        ratings = read(source, reading)
        results = _compared(models, ratings, split, name_of(source))
        written = write_page(results, output, source, reading, ratings, split, None)
    size = written.stat().st_size
    data = {"report": output, "bytes": size, "headline": results.headline}
    return Outcome(data, f"{results.headline}\n{output}: {size / 1000:.0f} kB, to be opened in a browser")


def _compared(models: str | None, ratings: Ratings, split: Any, name: str) -> Results:
    from foretaste.evaluation import compare
    from foretaste.evaluation.comparison import named

    chosen = None if models is None else [named(one.strip()) for one in models.split(",") if one.strip()]
    return compare(chosen, ratings, split=split, progress=wants_progress(), name=name)


class _Checked(Exception):
    """Ends the trial of a path."""


def check_path(path: str) -> None:
    """Fail before the work, not after it, if the page cannot be written.

    Parameters
    ----------
    path : str
    """
    with suppress(_Checked), atomic_write(path):
        raise _Checked  # which leaves an older file as it is


def write_page(
    results: Results,
    path: str,
    source: str | None,
    reading: dict[str, Any],
    ratings: Ratings | None,
    split: Any,
    test: Ratings | None,
) -> Path:
    """Write the report of a comparison, with the command at work and the Python that make it again.

    Parameters
    ----------
    results : Results
    path : str
        Of the page.
    source : str or None
        What the ratings were read from.
    reading : dict
        The values of ``READING_OPTIONS``.
    ratings : Ratings or None
    split : Split or None
    test : Ratings or None
        What the models were judged by, if it was given apart.
    """
    from foretaste.data_audit import audit as audited
    from foretaste.report import write_report

    audit = None
    if ratings is not None:
        params = click.get_current_context().command.params
        audit = audited(ratings)
        # Mends are written as what would be typed, as `foretaste audit` writes them.
        said = tuple(
            dataclasses.replace(
                found, mend=found.mend if _only_python(found.mend) else as_options(found.mend, params)
            )
            for found in audit.findings
        )
        audit = dataclasses.replace(audit, name=str(results.dataset["name"]), findings=said)
    again = _again(click.get_current_context().obj or ())
    origin = None if source is None or ratings is None else _origin(source, reading)
    written = write_report(
        results, path, ratings=ratings, split=split, test=test, audit=audit, command=again, origin=origin,
        progress=wants_progress() if sys.stderr.isatty() else False,
    )  # fmt: skip
    log.info("wrote %s", path)
    return written


def _only_python(mend: str) -> bool:
    return mend.startswith(("ratings.", "ratings["))


def _again(args: Any) -> str | None:
    """Return the command at work as it was typed, a password in it masked."""
    from foretaste.io.sql import masked

    return shown([masked(arg) if "://" in arg else arg for arg in args]) if args else None


def _origin(source: str, reading: dict[str, Any]) -> str:
    """Return the Python expression that reads the ratings in the same way."""
    if is_data_set(source):
        where = reading.get("where")
        return f"load_dataset({source!r})" + (f".where({where!r})" if where is not None else "")
    from foretaste.io.sql import masked

    given = {
        name: value
        for name, value in as_arguments(reading).items()
        if value is not None and value != _DEFAULTS.get(name)
    }
    place = masked(source) if "://" in source else source
    arguments = [repr(place), *(f"{name}={value!r}" for name, value in given.items())]
    return f"read_ratings({', '.join(arguments)})"
