"""Public functions ``write_report`` and ``plot``."""

from __future__ import annotations

import dataclasses
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from foretaste._utils.files import atomic_write
from foretaste._utils.progress import Progress, get_progress
from foretaste.data_audit import Audit
from foretaste.data_audit import audit as run_audit
from foretaste.errors import InvalidParameterError
from foretaste.evaluation import Results
from foretaste.models import Model
from foretaste.ratings import Ratings
from foretaste.recommendation import Explanation
from foretaste.report.chart import Charts
from foretaste.report.figures_predictions import explanation_chart, training_chart
from foretaste.report.figures_ratings import rating_histogram
from foretaste.report.figures_results import results_charts
from foretaste.report.page import ReportData, render_page
from foretaste.report.refit import check_ratings, get_plan, refit_for_report
from foretaste.report.reproduce import to_python_code


def write_report(
    results: Results,
    path: str | os.PathLike[str],
    *,
    ratings: Ratings | None = None,
    split: Any = None,
    test: Ratings | None = None,
    audit: Audit | None = None,
    command: str | None = None,
    origin: str | None = None,
    progress: bool | Progress = False,
) -> Path:
    """Write a comparison as one HTML page: summary, table of models, charts, audit, and how to reproduce it.

    The page loads nothing from the network, runs no script and is at most 300 kB, however many ratings there
    are. With ratings at hand, the best model and models with a training curve are refitted on the first fold,
    for charts of single predictions. An existing file is replaced atomically.

    Parameters
    ----------
    results : Results
        From ``compare``.
    path : str or path
        Output file.
    ratings : Ratings, optional
        The ratings passed to ``compare``; needed for results read from a file. Without them there are no
        charts of the ratings, of single predictions and of training.
    split : Split, optional
        The split passed to ``compare``, if any.
    test : Ratings, optional
        The test set passed to ``compare``, if any.
    audit : Audit, optional
        Audit of the ratings; by default it is run here, if there are ratings.
    command : str, optional
        Shell command that reproduces the page, to be shown in it.
    origin : str, optional
        Python expression that reproduces the ratings, such as ``'read_ratings("ratings.csv")'``.
    progress : bool or Progress

    Returns
    -------
    Path
        Path of the page.

    Raises
    ------
    InvalidParameterError
        If ``results`` is not the result of a comparison, ``ratings``, ``split`` or ``test`` do not belong to
        it, or the file cannot be written.
    NotFoundError
        If there is no such folder.

    Examples
    --------
    >>> from foretaste import compare, load_dataset, write_report
    >>> ratings = load_dataset("sample")
    >>> results = compare(ratings, ["Bias", "SVD"])
    >>> write_report(results, "report.html", ratings=ratings)  # doctest: +SKIP
    """
    _check_results(results)
    if ratings is None and (split is not None or test is not None):
        raise InvalidParameterError(
            "split and test describe a split of ratings, and ratings is missing", hint="ratings=ratings"
        )
    plan = get_plan(results)
    if plan is not None:
        ratings = plan.ratings
    elif ratings is not None:
        check_ratings(results, ratings)
    with atomic_write(path) as partial:  # before refitting, so that a wrong path fails at once
        held_out, omission_reason = refit_for_report(results, ratings, split, test, get_progress(progress))
        if ratings is not None and audit is None:
            audit = dataclasses.replace(run_audit(ratings), name=results.dataset["name"])
        data = ReportData(
            results, ratings, audit, held_out, omission_reason, command,
            to_python_code(results, origin, split, test is not None) if origin else None, datetime.now(UTC),
        )  # fmt: skip
        partial.write_text(render_page(data), encoding="utf-8", newline="\n")
    return Path(path)


def plot(source: Results | Audit | Explanation | Model) -> Charts:
    """Return the charts of a comparison, an audit, an explanation or a model, for a notebook.

    Parameters
    ----------
    source : Results, Audit, Explanation or Model

    Returns
    -------
    Charts
        For results ``errors`` and ``time``; for an audit ``ratings``; for an explanation ``why``; for a model
        trained in epochs ``training``. Their ``repr`` is titles and captions.

    Raises
    ------
    InvalidParameterError
        If ``source`` is none of these, or a model without a training curve.
    """
    if isinstance(source, Model):
        return Charts((training_chart(source),))
    if isinstance(source, Audit):
        chart = rating_histogram(source.summary)
        return Charts(() if chart is None else (chart,))
    if isinstance(source, Explanation):
        return Charts((explanation_chart(source),))
    _check_results(source)
    return Charts(tuple(results_charts(source)))


def _check_results(results: Any) -> None:
    if not isinstance(results, Results):
        raise InvalidParameterError(
            f"{type(results).__name__} is not the result of a comparison",
            hint="results = compare(ratings)",
        )
