"""``compare``: which model predicts ratings best; ``demo``: the same on the bundled ratings."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import click

from foretaste.cli.framework import INTERRUPTED, CommandResult, command, progress_setting
from foretaste.cli.inputs import SAMPLE, display_name, load_ratings, parse_models, training_source
from foretaste.cli.options import MODELS_OPTION, READ_OPTIONS, TEST_OPTION, TRAIN_OPTION, MetricOption
from foretaste.cli.rendering import render_table
from foretaste.cli.split_options import SPLIT_OPTIONS, make_split
from foretaste.errors import DataError

if TYPE_CHECKING:
    from foretaste.evaluation import RankingResults, Results
    from foretaste.ratings import Ratings

log = logging.getLogger("foretaste")


def _render_results(results: Results) -> str:
    lines = [*results.sentences, f"data: {results.dataset_summary}", f"protocol: {results.protocol}", ""]
    best = None if results.best_row is None else results.rows.index(results.best_row)
    return "\n".join([*lines, render_table(*results.table(), highlight_row=best)])


@command(
    click.option("--seed", default=0, show_default=True, help="Random seed of the split."),
    name="demo",
    short_help="Compare all models on the bundled ratings.",
)
def demo(seed: int) -> CommandResult:
    """Compare all models on the bundled ratings and suggest what to try next."""
    from foretaste.datasets import load
    from foretaste.evaluation import compare as compare_models
    from foretaste.splits import HoldOut

    ratings = load(SAMPLE)
    low, high = ratings.value.min(), ratings.value.max()
    log.info(
        f"{len(ratings):,} ratings from {low:g} to {high:g}, by {len(ratings.users)} users of "
        f"{len(ratings.items)} jokes; synthetic, bundled with foretaste"
    )
    results = compare_models(
        ratings,
        split=HoldOut(0.2, seed),
        measure_memory=True,
        progress=progress_setting(),
        name=display_name(SAMPLE),
    )
    text = _render_results(results)
    if results.best_row is not None and not results.interrupted:
        text += "\n" + _next_steps(results, ratings)
    return CommandResult(results.to_dict(), text, INTERRUPTED if results.interrupted else 0)


def _next_steps(results: Results, ratings: Ratings) -> str:
    """Return commands that run as printed, with the best model."""
    names = [row["model"] for row in results.rows if "error" not in row]
    best = names[0]
    unrated = set(ratings.items.ids) - set(ratings.item_ids[ratings.user == 0])
    item = min(unrated, default=ratings.items.ids[0])
    file = f"{best.lower()}.foretaste"
    steps = [
        ("data sample > ratings.csv", "these ratings as a file; then use your own"),
        (f"compare ratings.csv --models {','.join(names[:3])} --folds 3", "how certain the order is"),
        (f"fit {best} ratings.csv -o {file}", "fit the best model on all ratings"),
        (
            f"predict {file} --user {ratings.users.ids[0]} --item {item}",
            "predict one rating",
        ),
        (f"similar sample --item {item}", "the most similar jokes"),
    ]
    width = max(len(step) for step, _ in steps)
    return "\n".join(
        ["", "try next:", *(f"  foretaste {step.ljust(width)}   # {comment}" for step, comment in steps)]
    )


@command(
    click.argument("file", required=False),
    MODELS_OPTION,
    *SPLIT_OPTIONS,
    TRAIN_OPTION,
    TEST_OPTION,
    click.option(
        "--overlap",
        type=click.Choice(("error", "drop_from_train", "drop_from_test")),
        default="error",
        show_default=True,
        help="What to do with rows that are in both --train and --test.",
    ),
    click.option(
        "--metrics",
        cls=MetricOption,
        metavar="A,B",
        default="rmse,mae",
        show_default=True,
        help="Metrics to compute",
    ),
    click.option(
        "--breakdown", is_flag=True, help="Break the error of the best model down by groups of ratings."
    ),
    click.option(
        "--memory/--no-memory", default=True, help="Measure peak memory (Linux; one fold after another)."
    ),
    click.option("--html", metavar="FILE", help="Write an HTML report."),
    click.option("--save-best", metavar="FILE", help="Fit the best model on all rows and save it."),
    *READ_OPTIONS,
    name="compare",
    short_help="Compare models by rating prediction error.",
)
def compare(
    file: str | None,
    models: str | None,
    split_name: str | None,
    test_size: float,
    folds: int | None,
    seed: int,
    warm_only: bool,
    train: str | None,
    test: str | None,
    overlap: str,
    metrics: str,
    breakdown: bool,
    memory: bool,
    html: str | None,
    save_best: str | None,
    **read_options: Any,
) -> CommandResult:
    """Compare models by their prediction error on the ratings in FILE (or in a data set: "sample").

    All models are fitted on the same training rows and evaluated on the same test rows.
    """
    source = training_source(file, train, test, has_split=bool(folds or split_name))
    split = None if test is not None else make_split(split_name, test_size, folds, seed, warm_only)
    if html is not None:
        from foretaste.cli.report import check_writable, write_page

        check_writable(html)
    from foretaste.evaluation import compare as compare_models

    selected_models = None if models is None else parse_models(models)
    ratings = load_ratings(source, read_options)
    test_ratings = None if test is None else load_ratings(test, read_options)
    results = compare_models(
        ratings,
        selected_models,
        split=split,
        test=test_ratings,
        metrics=[name.strip() for name in metrics.split(",")],
        warm_only=warm_only and test is not None,
        overlap=overlap,
        measure_memory=memory,
        progress=progress_setting(),
        name=display_name(source),
    )
    raise_if_all_failed(results)
    if html is not None:
        write_page(results, html, source, read_options, ratings, split, test_ratings)
    if save_best is not None and results.best_row is not None and not results.interrupted:
        _save_best_model(results, ratings, save_best, "rows of --train" if train else "rows")
    data, text = results.to_dict(), _render_results(results)
    if breakdown and results.best_row is not None:
        breakdown_result = results.breakdown()
        data["breakdown"] = breakdown_result.to_dict()
        text += f"\n\n{breakdown_result}"
    return CommandResult(data, text, INTERRUPTED if results.interrupted else 0)


def raise_if_all_failed(results: Results | RankingResults) -> None:
    """Raise the error of the first model if all of them failed."""
    if results.best_row is None and not results.interrupted:
        error = results.rows[0]["error"]
        raise DataError(f"no model could be evaluated: {error['message']}", hint=error["hint"])


def _save_best_model(results: Results, ratings: Ratings, path: str, rows_label: str) -> None:
    from foretaste.models.spec import from_spec
    from foretaste.persistence import save

    best = results.best_row
    if best is None:
        return
    model = from_spec({"model": best["model"], "params": best["params"]}).fit(ratings)
    save(model, path)
    log.info(f"wrote {path}: {best['repr']} fitted on all {len(ratings):,} {rows_label}")
