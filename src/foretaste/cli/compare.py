"""``demo`` and ``compare``."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import click

from foretaste.cli.framework import INTERRUPTED, CommandResult, command, progress_setting
from foretaste.cli.options import READ_OPTIONS, SAMPLE, display_name, load_ratings
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
    click.option("--seed", default=0, show_default=True, help="Chooses the rows that are held out."),
    name="demo",
    short_help="Compare all models on the bundled ratings.",
)
def demo(seed: int) -> CommandResult:
    """Compare all models on the bundled ratings, and say what to try next."""
    from foretaste.datasets import load
    from foretaste.evaluation import compare as compare_models
    from foretaste.splits import HoldOut

    ratings = load(SAMPLE)
    low, high = ratings.value.min(), ratings.value.max()
    log.info(
        f"{len(ratings):,} ratings from {low:g} to {high:g}, by {len(ratings.users)} people of "
        f"{len(ratings.items)} jokes; generated, bundled with foretaste"
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
    """Return commands that work as printed, with the model that was best."""
    names = [row["model"] for row in results.rows if "error" not in row]
    best = names[0]
    unrated = set(ratings.items.ids) - set(ratings.item_ids[ratings.user == 0])
    item = min(unrated, default=ratings.items.ids[0])
    file = f"{best.lower()}.foretaste"
    steps = [
        ("data sample > ratings.csv", "these ratings as a file; then take your own"),
        (f"compare ratings.csv --models {','.join(names[:3])} --folds 3", "how sure the order is"),
        (f"fit {best} ratings.csv -o {file}", "learn the best from all ratings"),
        (
            f"predict {file} --user {ratings.users.ids[0]} --item {item}",
            "what one person would give one joke",
        ),
        (f"similar sample {item}", "the jokes most like one"),
    ]
    width = max(len(step) for step, _ in steps)
    return "\n".join(
        ["", "try next:", *(f"  foretaste {step.ljust(width)}   # {comment}" for step, comment in steps)]
    )


@command(
    click.argument("file", required=False),
    click.option("--models", metavar="A,B", help="Some of foretaste models.  [default: all]"),
    *SPLIT_OPTIONS,
    click.option("--train", metavar="FILE", help="Learn from this file, and judge by --test."),
    click.option("--test", metavar="FILE", help="Judge by this file."),
    click.option(
        "--overlap",
        type=click.Choice(("error", "drop_from_train", "drop_from_test")),
        default="error",
        show_default=True,
        help="What to do with rows that are in both --train and --test.",
    ),
    click.option(
        "--metrics",
        default="rmse,mae",
        show_default=True,
        help="rmse, rmse_per_user, mae, nmae (with --scale), r2, fcp.",
    ),
    click.option("--breakdown", is_flag=True, help="Show where the best model errs."),
    click.option(
        "--memory/--no-memory", default=True, help="Whether each model runs in a process of its own."
    ),
    click.option("--html", metavar="FILE", help="Write a report, as one page to be read in a browser."),
    click.option("--save-best", metavar="FILE", help="Fit the best model on all rows and keep it in a file."),
    *READ_OPTIONS,
    name="compare",
    short_help="Find out which model predicts ratings best.",
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
    """Find out which model predicts the ratings in FILE best (or in a data set: "sample").

    Every model learns from the same rows and is judged by the same other rows.
    """
    source = _training_source(file, train, test, folds or split_name)
    split = None if test is not None else make_split(split_name, test_size, folds, seed, warm_only)
    if html is not None:
        from foretaste.cli.report import check_writable, write_page

        check_writable(html)
    from foretaste.evaluation import compare as compare_models
    from foretaste.evaluation.comparison import model_from_name

    selected_models = (
        None
        if models is None
        else [model_from_name(name.strip()) for name in models.split(",") if name.strip()]
    )
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
    """Refuse results in which every model refused the ratings."""
    if results.best_row is None and not results.interrupted:
        error = results.rows[0]["error"]
        raise DataError(f"no model could be judged: {error['message']}", hint=error["hint"])


def _training_source(file: str | None, train: str | None, test: str | None, split: str | int | None) -> str:
    """Return where the ratings to learn from are, after checking which options go together."""
    if (train is None) != (test is None):
        raise click.UsageError("--train and --test go together", click.get_current_context())
    if train is not None and (file is not None or split is not None):
        raise click.UsageError(
            "--train and --test stand instead of FILE, --split and --folds", click.get_current_context()
        )
    source = file or train
    if source is None:
        raise click.UsageError(
            "missing FILE: a file of ratings, or a data set (sample)", click.get_current_context()
        )
    return source


def _save_best_model(results: Results, ratings: Ratings, path: str, rows_label: str) -> None:
    from foretaste.models.spec import from_spec
    from foretaste.persistence import save

    best = results.best_row
    if best is None:
        return
    model = from_spec({"model": best["model"], "params": best["params"]}).fit(ratings)
    save(model, path)
    log.info(f"wrote {path}: {best['repr']} fitted on all {len(ratings):,} {rows_label}")
