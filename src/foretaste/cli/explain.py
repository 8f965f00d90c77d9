"""``explain``: what a prediction is made of, and which ratings moved it."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import click

from foretaste.cli.evaluate import catalogue_of
from foretaste.cli.framework import Outcome, command
from foretaste.cli.options import READING_OPTIONS, load_model, read
from foretaste.cli.recommend import in_types_of, refuse_idle_options
from foretaste.cli.rendering import drawn
from foretaste.errors import InvalidParameter

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
    *READING_OPTIONS,
    name="explain",
    short_help="Say why a prediction is what it is.",
)
def explain(
    model_file: str, user: str, item: str, ratings: str | None, items: str | None, n: int, **reading: Any
) -> Outcome:
    """Say what the prediction for USER and ITEM by the model in MODEL_FILE is made of.

    The parts add up to the prediction. With --ratings, models of factors tell which ratings moved it, too,
    and a user whom the model does not know is taken in by them. The options of reading are about --ratings.
    """
    from foretaste.recommendation import explain

    if n < 1:
        raise InvalidParameter(f"n={n} is not allowed; it must be a whole number at least 1", hint="n=8")
    refuse_idle_options("--ratings", ratings, items, reading)
    model = load_model(model_file)
    own = None if ratings is None else in_types_of(model, read(ratings, reading))
    model = _with_user(model, user, own)
    catalogue = None if items is None else catalogue_of(items, items, reading)
    told = explain(model, user, item, ratings=own, catalogue=catalogue)
    return Outcome(told.to_dict(), _text(told, n))


def _with_user(model: Model, user: str, ratings: Ratings | None) -> Model:
    """Take a user in whom the model does not know, if the ratings hold some of theirs."""
    if ratings is None or model.users_.remap(model.users_.parse([user]))[0] >= 0:
        return model
    import numpy as np

    from foretaste.recommendation import fold_in

    place = ratings.users.remap(ratings.users.parse([user]))[0]
    rows = np.flatnonzero(ratings.user == place) if place >= 0 else np.empty(0, np.intp)
    if len(rows) == 0:
        return model  # and it will say that it does not know the user
    log.info("user %s is new to the model, and taken in by %d ratings", user, len(rows))
    return fold_in(model, users=ratings[rows])


def _text(told: Explanation, n: int) -> str:
    rows = told.rows(n)
    table = drawn(["what", "adds"], rows, "lr", strong=len(rows) - 1)
    note = f"\n\n{told.note.replace('ratings=...', '--ratings RATINGS')}" if told.note else ""
    return f"{told.headline()}\n{told.sentence()}\n\n{table}{note}"
