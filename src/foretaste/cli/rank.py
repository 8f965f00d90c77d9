"""``rank``: whose lists hold what people go on to rate."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Any

import click

from foretaste.cli.compare import check_judged
from foretaste.cli.framework import INTERRUPTED, Outcome, command, wants_progress
from foretaste.cli.options import READING_OPTIONS, name_of, read
from foretaste.cli.rendering import drawn
from foretaste.errors import InvalidParameter, NotFound, did_you_mean

if TYPE_CHECKING:
    from foretaste.models import Model

_METRICS = "ndcg, map, precision, recall, mrr, hit_rate, coverage, novelty, diversity, gini."


@command(
    click.argument("file", required=False),
    click.option(
        "--models",
        metavar="A,B",
        help="Some of foretaste models, with parameters if need be: \"EASE(values='binary'),SVD\".",
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
    *READING_OPTIONS,
    name="rank",
    short_help="Find out whose lists hold what people go on to rate.",
)
def rank(
    file: str | None, models: str | None, n: int, relevant: str, candidates: str, metrics: str | None,
    gain: str, test_size: float, seed: int, train: str | None, test: str | None, **reading: Any,
) -> Outcome:  # fmt: skip
    """Find out whose lists of n items hold what people went on to rate.

    Models learn from a part of the ratings in FILE (or in a data set: "sample"), make a list for each user
    out of what the user has not rated there, and are judged by the ratings held out. The list of the most
    popular items is always among them: the line to beat.
    """
    from foretaste.evaluation import evaluate_ranking
    from foretaste.splits import HoldOut

    source = _source(file, train, test)
    chosen = None if models is None else as_models(models)
    ratings = read(source, reading)
    if test is None:
        ((rows, held_out),) = HoldOut(test_size, seed).split(ratings)
        learned, judged = ratings[rows], ratings[held_out]
    else:
        learned, judged = ratings, read(test, reading)
    results = evaluate_ranking(
        chosen,
        learned,
        judged,
        n=n,
        relevant=_relevant(relevant),
        candidates=_candidates(candidates),
        metrics=None if metrics is None else [name.strip() for name in metrics.split(",")],
        gain=gain,
        seed=seed,
        progress=wants_progress(),
        name=name_of(source),
    )
    check_judged(results)
    best = None if results.best is None else results.rows.index(results.best)
    text = "\n".join([results.headline, *results.about, "", drawn(*results.table(), strong=best)])
    return Outcome(results.to_dict(), text, INTERRUPTED if results.stopped else 0)


def as_models(text: str) -> list[Model]:
    """Return the models that a text names, with their parameters: ``EASE(values='binary'),SVD``.

    Raises
    ------
    InvalidParameter
        If it cannot be understood, or a parameter is not allowed.
    NotFound
        If there is no model of a name.
    """
    from foretaste.evaluation.comparison import named

    if "(" not in text:
        return [named(name.strip()) for name in text.split(",") if name.strip()]
    try:
        parsed = ast.parse(f"[{text}]", mode="eval").body
        wanted = parsed.elts if isinstance(parsed, ast.List) else []
        calls = [one if isinstance(one, ast.Call) else ast.Call(one, [], []) for one in wanted]
        named_so = [
            (one.func.id, {key.arg: ast.literal_eval(key.value) for key in one.keywords})
            for one in calls
            if isinstance(one.func, ast.Name) and not one.args
        ]
        if len(named_so) != len(calls) or not calls:
            raise ValueError
    except (SyntaxError, ValueError):
        raise InvalidParameter(
            f"models={text!r} cannot be understood", hint="models=\"EASE(values='binary'),SVD\""
        ) from None
    return [_with(type(named(name)), params) for name, params in named_so]


def _with(model: type[Model], params: dict[Any, Any]) -> Model:
    known = model.declarations()
    for name in params:
        if name not in known:
            raise NotFound(
                f"{model.__name__} has no parameter {name!r}{did_you_mean(name, known)}",
                hint=f"foretaste models {model.__name__}",
            )
    made = model(**params)
    made.check_params()
    return made


def _source(file: str | None, train: str | None, test: str | None) -> str:
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


def _relevant(text: str) -> float | str:
    """Return the rating that a text is, or the text."""
    try:
        return float(text)
    except ValueError:
        return text


def _candidates(text: str) -> Any:
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
