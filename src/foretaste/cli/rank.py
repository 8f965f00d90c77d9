"""``rank``: evaluate models by top-N ranking metrics."""

from __future__ import annotations

from typing import Any

import click

from foretaste.cli.compare import raise_if_all_failed
from foretaste.cli.framework import INTERRUPTED, CommandResult, command, progress_setting
from foretaste.cli.inputs import display_name, load_ratings, parse_models, training_source
from foretaste.cli.options import MODELS_OPTION, READ_OPTIONS, TEST_OPTION, TRAIN_OPTION, RankingMetricOption
from foretaste.cli.rendering import render_table


@command(
    click.argument("file", required=False),
    MODELS_OPTION,
    click.option("-n", "n", default=10, show_default=True, help="Length of the lists."),
    click.option(
        "--relevant",
        default="4",
        show_default=True,
        metavar="RATING",
        help='Lowest rating of a relevant item; or "all", or "above_user_mean".',
    ),
    click.option(
        "--candidates",
        default="all",
        show_default=True,
        metavar="WHICH",
        help="Candidate items: all, test, or sampled:100 (biased; see the notes).",
    ),
    click.option("--metrics", cls=RankingMetricOption, metavar="A,B", help="Models are sorted by the first"),
    click.option(
        "--gain",
        default="binary",
        show_default=True,
        metavar="WHAT",
        help="Gain of nDCG: binary, linear or exponential.",
    ),
    click.option(
        "--test-size", type=float, default=0.25, show_default=True, help="Fraction of the rows held out."
    ),
    click.option("--seed", default=0, show_default=True, help="Random seed of the split and of the models."),
    TRAIN_OPTION,
    TEST_OPTION,
    *READ_OPTIONS,
    name="rank",
    short_help="Evaluate models by top-N ranking metrics.",
)
def rank(
    file: str | None, models: str | None, n: int, relevant: str, candidates: str, metrics: str | None,
    gain: str, test_size: float, seed: int, train: str | None, test: str | None, **read_options: Any,
) -> CommandResult:  # fmt: skip
    """Evaluate models by top-N ranking metrics on the ratings in FILE (or in a data set: "sample").

    Models are fitted on the training rows and rank, for each user, the items that the user has not rated
    there; the lists are compared with the test rows. The most popular items are always among the models,
    as the baseline.
    """
    from foretaste.evaluation import evaluate_ranking
    from foretaste.splits import HoldOut

    source = training_source(file, train, test)
    selected_models = None if models is None else parse_models(models)
    ratings = load_ratings(source, read_options)
    if test is None:
        ((train_rows, test_rows),) = HoldOut(test_size, seed).split(ratings)
        train_ratings, test_ratings = ratings[train_rows], ratings[test_rows]
    else:
        train_ratings, test_ratings = ratings, load_ratings(test, read_options)
    results = evaluate_ranking(
        train_ratings,
        selected_models,
        test=test_ratings,
        n=n,
        relevant=_parse_relevant(relevant),
        candidates=_parse_candidates(candidates),
        metrics=None if metrics is None else [name.strip() for name in metrics.split(",")],
        gain=gain,
        seed=seed,
        progress=progress_setting(),
        name=display_name(source),
    )
    raise_if_all_failed(results)
    best = None if results.best_row is None else results.rows.index(results.best_row)
    text = "\n".join(
        [results.headline, *results.summary_lines, "", render_table(*results.table(), highlight_row=best)]
    )
    return CommandResult(results.to_dict(), text, INTERRUPTED if results.interrupted else 0)


def _parse_relevant(text: str) -> float | str:
    """Return a text as a rating, or as it is."""
    try:
        return float(text)
    except ValueError:
        return text


def _parse_candidates(text: str) -> Any:
    """Return ``("sampled", 100)`` for ``sampled:100``; the library checks other words."""
    policy, colon, count = text.partition(":")
    if policy == "sampled":
        if not colon or not count.isdecimal():
            raise click.UsageError(
                f"--candidates {text}: the number is missing, as in --candidates sampled:100",
                click.get_current_context(),
            )
        return policy, int(count)
    return text
