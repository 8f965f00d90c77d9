"""``explain``: what a prediction is made of, and which ratings moved it."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import click

from foretaste.cli.evaluate import load_catalog
from foretaste.cli.framework import CommandResult, command
from foretaste.cli.options import READ_OPTIONS, load_model, load_ratings
from foretaste.cli.recommend import check_unused_options, convert_id_types
from foretaste.cli.rendering import render_table
from foretaste.errors import InvalidParameterError

if TYPE_CHECKING:
    from foretaste.models import Model
    from foretaste.ratings import Ratings
    from foretaste.recommendation import Explanation

log = logging.getLogger("foretaste")


@command(
    click.argument("model_file", metavar="MODEL_FILE"),
    click.argument("user"),
    click.argument("item"),
    click.option(
        "--ratings", metavar="RATINGS", help="Where the user's own ratings are: a file, -, or a data set."
    ),
    click.option("--items", metavar="FILE", help="A file of items (or a data set), for their titles."),
    click.option("-n", "--n", default=8, show_default=True, help="How many single ratings are shown."),
    *READ_OPTIONS,
    name="explain",
    short_help="Say why a prediction is what it is.",
)
def explain(
    model_file: str, user: str, item: str, ratings: str | None, items: str | None, n: int, **read_options: Any
) -> CommandResult:
    """Say what the prediction for USER and ITEM by the model in MODEL_FILE is made of.

    The parts add up to the prediction. With --ratings, models of factors tell which ratings moved it, too,
    and a user whom the model does not know is taken in by them. The options of reading are about --ratings.
    """
    from foretaste.recommendation import explain

    if n < 1:
        raise InvalidParameterError(f"n={n} is not allowed; it must be a whole number at least 1", hint="n=8")
    check_unused_options("--ratings", ratings, items, read_options)
    model = load_model(model_file)
    user_ratings = None if ratings is None else convert_id_types(model, load_ratings(ratings, read_options))
    model = _fold_in_user(model, user, user_ratings)
    catalog = None if items is None else load_catalog(items, items, read_options)
    explanation = explain(model, user, item, ratings=user_ratings, catalog=catalog)
    return CommandResult(explanation.to_dict(), _render_text(explanation, n))


def _fold_in_user(model: Model, user: str, ratings: Ratings | None) -> Model:
    """Take a user in whom the model does not know, if the ratings hold some of theirs."""
    if ratings is None or model.users_.indices_of(model.users_.parse([user]))[0] >= 0:
        return model
    import numpy as np

    from foretaste.recommendation import fold_in

    user_index = ratings.users.indices_of(ratings.users.parse([user]))[0]
    rows = np.flatnonzero(ratings.user == user_index) if user_index >= 0 else np.empty(0, np.intp)
    if len(rows) == 0:
        return model  # and it will say that it does not know the user
    log.info("user %s is new to the model, and taken in by %d ratings", user, len(rows))
    return fold_in(model, users=ratings[rows])


def _render_text(explanation: Explanation, n: int) -> str:
    rows = explanation.table_rows(n)
    table = render_table(["what", "adds"], rows, "lr", highlight_row=len(rows) - 1)
    note = f"\n\n{explanation.note.replace('ratings=...', '--ratings RATINGS')}" if explanation.note else ""
    return f"{explanation.headline()}\n{explanation.sentence()}\n\n{table}{note}"
