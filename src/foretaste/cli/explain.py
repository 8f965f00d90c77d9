"""``explain``: the parts of a prediction, and the ratings that contributed to it."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import click

from foretaste._utils.checks import check_int
from foretaste.cli.framework import CommandResult, command
from foretaste.cli.inputs import convert_id_types, load_catalog, load_model, load_ratings
from foretaste.cli.options import ITEMS_OPTION, READ_OPTIONS, check_unused_options
from foretaste.cli.rendering import render_table

if TYPE_CHECKING:
    from foretaste.models import Model
    from foretaste.ratings import Ratings
    from foretaste.recommendation import Explanation

log = logging.getLogger("foretaste")


@command(
    click.argument("model_file", metavar="MODEL_FILE"),
    click.option("--user", metavar="ID", required=True, help="User of the prediction."),
    click.option("--item", metavar="ID", required=True, help="Item of the prediction."),
    click.option("--ratings", metavar="RATINGS", help="Ratings of the user: a file, -, or a data set."),
    ITEMS_OPTION,
    click.option("-n", "--n", default=8, show_default=True, help="Number of single ratings shown."),
    *READ_OPTIONS,
    name="explain",
    short_help="Explain a prediction.",
)
def explain(
    model_file: str, user: str, item: str, ratings: str | None, items: str | None, n: int, **read_options: Any
) -> CommandResult:
    """Explain the prediction of the model in MODEL_FILE for a user and an item.

    The parts add up to the prediction. With --ratings, factor models also attribute it to single ratings,
    and a user who is new to the model is folded in. The reading options apply to --ratings.
    """
    from foretaste.recommendation import explain

    check_int("n", n, low=1, suggestion=8)
    check_unused_options("--ratings", ratings, items, read_options)
    model = load_model(model_file)
    user_ratings = None if ratings is None else convert_id_types(model, load_ratings(ratings, read_options))
    model = _fold_in_user(model, user, user_ratings)
    catalog = None if items is None else load_catalog(items, items, read_options)
    explanation = explain(model, user, item, ratings=user_ratings, catalog=catalog)
    return CommandResult(explanation.to_dict(), _render_text(explanation, n))


def _fold_in_user(model: Model, user: str, ratings: Ratings | None) -> Model:
    """Fold in a user who is new to the model, if the ratings contain some of theirs."""
    if ratings is None or model.users_.indices_of(model.users_.parse([user]))[0] >= 0:
        return model
    import numpy as np

    from foretaste.recommendation import fold_in

    user_index = ratings.users.indices_of(ratings.users.parse([user]))[0]
    rows = np.flatnonzero(ratings.user == user_index) if user_index >= 0 else np.empty(0, np.intp)
    if len(rows) == 0:
        return model  # which raises for the unknown user
    log.info("user %s is new to the model: folded in with %d ratings", user, len(rows))
    return fold_in(model, users=ratings[rows])


def _render_text(explanation: Explanation, n: int) -> str:
    rows = explanation.table_rows(n)
    table = render_table(["what", "adds"], rows, "lr", highlight_row=len(rows) - 1)
    note = f"\n\n{explanation.note} (--ratings RATINGS)" if explanation.note else ""
    return f"{explanation.headline()}\n{explanation.sentence()}\n\n{table}{note}"
