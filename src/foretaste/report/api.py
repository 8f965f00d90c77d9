"""``write_report`` and ``plot``: the public names of this room."""

from __future__ import annotations

import dataclasses
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from foretaste._utils.files import atomic_write
from foretaste._utils.progress import Progress, get_progress
from foretaste.data_audit import Audit
from foretaste.data_audit import audit as audited
from foretaste.errors import InvalidParameterError
from foretaste.evaluation import Results
from foretaste.models import Model
from foretaste.ratings import Ratings
from foretaste.recommendation import Explanation
from foretaste.report.chart import Charts
from foretaste.report.figures_explanation import explanation_chart
from foretaste.report.figures_ratings import rating_histogram
from foretaste.report.figures_results import results_charts
from foretaste.report.figures_training import training_chart
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
    """Write a comparison as one HTML page: sentences, the table, charts, the audit, and how to do it again.

    The page fetches nothing, runs no script and is at most 300 kB, however many ratings there are. With
    ``ratings``, the best model, and the models that tell how they learn, are fitted once more on the first
    fold, so that single predictions can be looked at. An older file of the name is replaced when the new
    one is whole.

    Parameters
    ----------
    results : Results
        Of ``compare``.
    path : str or path
        The file to be written.
    ratings : Ratings, optional
        Those that the results come from, if the results do not hold them any more. Without them there are
        no charts of the ratings, of single predictions and of learning.
    split : Split, optional
        The one that the results come from, if it was given to ``compare``.
    test : Ratings, optional
        The same, if the ratings to judge by were given apart.
    audit : Audit, optional
        Of the ratings; by default they are audited here, if they are given.
    command : str, optional
        The command that makes the page again.
    origin : str, optional
        The Python expression that makes the ratings again: ``'read_ratings("ratings.csv")'``.
    progress : bool or Progress

    Returns
    -------
    Path
        Of the page.

    Raises
    ------
    InvalidParameterError
        If ``results`` are none, ``ratings``, ``split`` or ``test`` are not those of the results, or the
        file cannot be written.
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
            "split and test say which ratings were held out; the ratings are missing", hint="ratings=ratings"
        )
    plan = get_plan(results)
    if plan is not None:
        ratings = plan.ratings
    elif ratings is not None:
        check_ratings(results, ratings)
    with atomic_write(path) as partial:  # opened first: hours of fitting must not end in a wrong name
        held_out, omission_reason = refit_for_report(results, ratings, split, test, get_progress(progress))
        if ratings is not None and audit is None:
            audit = dataclasses.replace(audited(ratings), name=results.dataset["name"])
        data = ReportData(
            results, ratings, audit, held_out, omission_reason, command,
            to_python_code(results, origin, split, test is not None) if origin else None, datetime.now(UTC),
        )  # fmt: skip
        partial.write_text(render_page(data), encoding="utf-8", newline="\n")
    return Path(path)


def plot(source: Results | Audit | Explanation | Model) -> Charts:
    """Return the charts of a comparison, an audit, an explanation or a model, to be looked at in a notebook.

    Parameters
    ----------
    source : Results, Audit, Explanation or Model

    Returns
    -------
    Charts
        Of results: ``errors`` and ``time``; of an audit: ``ratings``; of a model that learns in epochs:
        ``fitted``. As text, what each shows.

    Raises
    ------
    InvalidParameterError
        If it is none of these, or a model that has nothing to show of how it learned.
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
            f"{type(results).__name__} is not what a comparison ends in",
            hint="results = compare(ratings)",
        )
