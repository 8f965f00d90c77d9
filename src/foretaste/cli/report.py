"""``report``: an HTML report of a comparison; shared with ``compare --html``."""

from __future__ import annotations

import dataclasses
import logging
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from foretaste._utils.files import atomic_write
from foretaste.cli.framework import CommandResult, command, progress_setting
from foretaste.cli.hints import fix_formatter, shell_join
from foretaste.cli.inputs import display_name, is_dataset, load_ratings, parse_models
from foretaste.cli.options import MODELS_OPTION, READ_OPTIONS, is_option_set, to_read_arguments
from foretaste.cli.split_options import SPLIT_OPTIONS, SPLIT_PARAMS, make_split
from foretaste.errors import InvalidParameterError

if TYPE_CHECKING:
    from foretaste.evaluation import Results
    from foretaste.ratings import Ratings

log = logging.getLogger("foretaste")

_DEFAULTS = {
    "encoding": "utf-8",
    "decimal": ".",
    "layout": "long",
    "duplicates": "raise",
    "on_error": "raise",
}


@command(
    click.argument("source", metavar="RESULTS.json|FILE"),
    click.option("-o", "--output", metavar="FILE", required=True, help="HTML file to write."),
    click.option("--ratings", "ratings_file", metavar="FILE", help="The ratings that RESULTS.json is about."),
    MODELS_OPTION,
    *SPLIT_OPTIONS,
    *READ_OPTIONS,
    name="report",
    short_help="Write an HTML report of a comparison.",
)
def report(
    source: str,
    output: str,
    ratings_file: str | None,
    models: str | None,
    split_name: str | None,
    test_size: float,
    folds: int | None,
    seed: int,
    warm_only: bool,
    **read_options: Any,
) -> CommandResult:
    """Write an HTML report of RESULTS.json, or of a new comparison on FILE of ratings.

    RESULTS.json is the output of "compare --json RESULTS.json". With --ratings, and the options of its
    split, the report adds the sections that need the ratings.
    """
    from foretaste.report.saved_results import read_results

    check_writable(output)
    split = make_split(split_name, test_size, folds, seed, warm_only)
    if source.endswith(".json"):
        if models is not None:
            raise InvalidParameterError(
                f"--models {models}: {source} already contains its models",
                hint="no --models, or a file of ratings",
            )
        results = read_results(source)
        ratings = None if ratings_file is None else load_ratings(ratings_file, read_options)
        explicit_split = split if any(map(is_option_set, SPLIT_PARAMS)) else None
        page_path = write_page(results, output, ratings_file, read_options, ratings, explicit_split, None)
    else:
        if ratings_file is not None:
            raise InvalidParameterError(
                "--ratings goes with RESULTS.json; FILE is read as ratings itself",
                hint=f"foretaste report {ratings_file} -o {output}",
            )
        ratings = load_ratings(source, read_options)
        results = _run_comparison(models, ratings, split, display_name(source))
        page_path = write_page(results, output, source, read_options, ratings, split, None)
    size = page_path.stat().st_size
    data = {"report": output, "bytes": size, "headline": results.headline}
    return CommandResult(data, f"{results.headline}\n{output}: {size / 1000:.0f} kB, open it in a browser")


def _run_comparison(models: str | None, ratings: Ratings, split: Any, name: str) -> Results:
    from foretaste.evaluation import compare

    selected_models = None if models is None else parse_models(models)
    return compare(ratings, selected_models, split=split, progress=progress_setting(), name=name)


class _WriteProbeError(Exception):
    """Aborts the trial write of a path."""


def check_writable(path: str) -> None:
    """Raise before the work, not after it, if the page cannot be written.

    Parameters
    ----------
    path : str
    """
    with suppress(_WriteProbeError), atomic_write(path):
        raise _WriteProbeError  # an existing file stays as it is


def write_page(
    results: Results,
    path: str,
    source: str | None,
    read_options: dict[str, Any],
    ratings: Ratings | None,
    split: Any,
    test: Ratings | None,
) -> Path:
    """Write the report of a comparison, with the command and the Python code that reproduce it.

    Parameters
    ----------
    results : Results
    path : str
        HTML file.
    source : str or None
        Source of the ratings.
    read_options : dict
        The values of ``READ_OPTIONS``.
    ratings : Ratings or None
    split : Split or None
    test : Ratings or None
        Test ratings, if given separately.
    """
    from foretaste.data_audit import audit as run_audit
    from foretaste.report import write_report

    audit = None
    if ratings is not None:
        format_fix = fix_formatter(click.get_current_context().command.params)
        audit = run_audit(ratings)
        # Fixes are options, as in `foretaste audit`.
        findings = tuple(
            dataclasses.replace(
                finding,
                fix=format_fix(finding.fix),
            )
            for finding in audit.findings
        )
        audit = dataclasses.replace(audit, name=str(results.dataset["name"]), findings=findings)
    command_line = _command_line(click.get_current_context().obj or ())
    source_expression = (
        None if source is None or ratings is None else _source_expression(source, read_options)
    )
    page_path = write_report(
        results, path, ratings=ratings, split=split, test=test, audit=audit,
        command=command_line, origin=source_expression,
        progress=progress_setting() if sys.stderr.isatty() else False,
    )  # fmt: skip
    log.info("wrote %s", path)
    return page_path


def _command_line(args: Any) -> str | None:
    """Return the running command line, with passwords masked."""
    from foretaste.io.sql import mask_passwords

    return shell_join([mask_passwords(arg) if "://" in arg else arg for arg in args]) if args else None


def _source_expression(source: str, read_options: dict[str, Any]) -> str:
    """Return the Python expression that reads the same ratings."""
    if is_dataset(source):
        where = read_options.get("where")
        return f"load_dataset({source!r})" + (f".where({where!r})" if where is not None else "")
    from foretaste.io.sql import mask_passwords

    options = {
        name: value
        for name, value in to_read_arguments(read_options).items()
        if value is not None and value != _DEFAULTS.get(name)
    }
    location = mask_passwords(source) if "://" in source else source
    arguments = [repr(location), *(f"{name}={value!r}" for name, value in options.items())]
    return f"read_ratings({', '.join(arguments)})"
