"""``rank``: whose lists hold what people go on to rate."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Any

import click

from foretaste.cli.compare import raise_if_all_failed
from foretaste.cli.framework import INTERRUPTED, CommandResult, command, progress_setting
from foretaste.cli.options import READ_OPTIONS, display_name, load_ratings
from foretaste.cli.rendering import render_table
from foretaste.errors import InvalidParameterError, NotFoundError, did_you_mean

if TYPE_CHECKING:
    from foretaste.models import Model

_METRICS = "ndcg, map, precision, recall, mrr, hit_rate, coverage, novelty, diversity, gini."


@command(
    click.argument("file", required=False),
    click.option(
        "--models",
        metavar="A,B",
        help="Some of foretaste models, with parameters if need be: \"EASE(target='binary'),SVD\".",
    ),
    click.option("-n", "n", default=10, show_default=True, help="How long the lists are."),
    click.option(
        "--relevant",
        default="4",
        show_default=True,
        metavar="RATING",
        help='From which rating on an item is relevant; or "all", or "above_user_mean".',
    ),
    click.option(
        "--candidates",
        default="all",
        show_default=True,
        metavar="WHICH",
        help="Which items compete: all, test, or sampled:100 (misleading; see the notes).",
    ),
    click.option("--metrics", metavar="A,B", help=f"The first orders the models: {_METRICS}"),
    click.option(
        "--gain",
        default="binary",
        show_default=True,
        metavar="WHAT",
        help="What counts for nDCG: binary, linear or exponential.",
    ),
    click.option(
        "--test-size", type=float, default=0.25, show_default=True, help="The share of the rows held out."
    ),
    click.option(
        "--seed", default=0, show_default=True, help="Chooses the rows held out, and all else that is random."
    ),
    click.option("--train", metavar="FILE", help="Learn from this file, and judge by --test."),
    click.option("--test", metavar="FILE", help="Judge by this file."),
    *READ_OPTIONS,
    name="rank",
    short_help="Find out whose lists hold what people go on to rate.",
)
def rank(
    file: str | None, models: str | None, n: int, relevant: str, candidates: str, metrics: str | None,
    gain: str, test_size: float, seed: int, train: str | None, test: str | None, **read_options: Any,
) -> CommandResult:  # fmt: skip
    """Find out whose lists of n items hold what people went on to rate.

    Models learn from a part of the ratings in FILE (or in a data set: "sample"), make a list for each user
    out of what the user has not rated there, and are judged by the ratings held out. The list of the most
    popular items is always among them: the line to beat.
    """
    from foretaste.evaluation import evaluate_ranking
    from foretaste.splits import HoldOut

    source = _training_source(file, train, test)
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


def parse_models(text: str) -> list[Model]:
    """Return the models that a text names, with their parameters: ``EASE(target='binary'),SVD``.

    Raises
    ------
    InvalidParameterError
        If it cannot be understood, or a parameter is not allowed.
    NotFoundError
        If there is no model of a name.
    """
    from foretaste.evaluation.comparison import model_from_name

    if "(" not in text:
        return [model_from_name(name.strip()) for name in text.split(",") if name.strip()]
    try:
        parsed = ast.parse(f"[{text}]", mode="eval").body
        elements = parsed.elts if isinstance(parsed, ast.List) else []
        calls = [node if isinstance(node, ast.Call) else ast.Call(node, [], []) for node in elements]
        model_specs = [
            (node.func.id, {key.arg: ast.literal_eval(key.value) for key in node.keywords})
            for node in calls
            if isinstance(node.func, ast.Name) and not node.args
        ]
        if len(model_specs) != len(calls) or not calls:
            raise ValueError
    except (SyntaxError, ValueError):
        raise InvalidParameterError(
            f"models={text!r} cannot be understood", hint="models=\"EASE(target='binary'),SVD\""
        ) from None
    return [_make_model(type(model_from_name(name)), params) for name, params in model_specs]


def _make_model(model: type[Model], params: dict[Any, Any]) -> Model:
    known = model.param_specs()
    for name in params:
        if name not in known:
            raise NotFoundError(
                f"{model.__name__} has no parameter {name!r}{did_you_mean(name, known)}",
                hint=f"foretaste models {model.__name__}",
            )
    instance = model(**params)
    instance.check_params()
    return instance


def _training_source(file: str | None, train: str | None, test: str | None) -> str:
    if (train is None) != (test is None):
        raise click.UsageError("--train and --test go together", click.get_current_context())
    if train is not None and file is not None:
        raise click.UsageError("--train and --test stand instead of FILE", click.get_current_context())
    source = file or train
    if source is None:
        raise click.UsageError(
            "missing FILE: a file of ratings, or a data set (sample)", click.get_current_context()
        )
    return source


def _parse_relevant(text: str) -> float | str:
    """Return the rating that a text is, or the text."""
    try:
        return float(text)
    except ValueError:
        return text


def _parse_candidates(text: str) -> Any:
    """Return ``("sampled", 100)`` for ``sampled:100``; other words are judged by the library."""
    policy, colon, count = text.partition(":")
    if policy == "sampled":
        if not colon or not count.isdecimal():
            raise click.UsageError(
                f"--candidates {text}: how many are sampled? For 100 write --candidates sampled:100",
                click.get_current_context(),
            )
        return policy, int(count)
    return text
