"""``recommend``: the best items of some or all users, by a kept model."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import click

from foretaste.cli.evaluate import load_catalog
from foretaste.cli.framework import CommandResult, command, progress_setting
from foretaste.cli.options import READ_OPTIONS, is_option_set, load_ratings
from foretaste.cli.rendering import render_table
from foretaste.errors import InvalidParameterError

if TYPE_CHECKING:
    from foretaste.models import Model
    from foretaste.ratings import Ratings
    from foretaste.recommendation import Recommendations

log = logging.getLogger("foretaste")

_ITEM_OPTIONS = ("encoding",)  # reading options that --items takes as well


@command(
    click.argument("model_file", metavar="MODEL_FILE"),
    click.option("--users", metavar="ID,ID...", multiple=True, help="Whom to recommend to."),
    click.option("--all", "all_users", is_flag=True, help="To all whom the model knows; needs -o."),
    click.option("-n", "--n", default=10, show_default=True, help="How many items each."),
    click.option(
        "--exclude", metavar="RATINGS", help="Leave out what users rated here: a file, -, or a data set."
    ),
    click.option("--items", metavar="FILE", help="A file of items (or a data set), for their titles."),
    click.option(
        "--unknown-users",
        type=click.Choice(["raise", "fallback"]),
        default="raise",
        show_default=True,
        help="What a user whom the model does not know gets.",
    ),
    click.option("-o", "--output", metavar="FILE", help="Write to FILE.parquet or FILE.csv."),
    *READ_OPTIONS,
    name="recommend",
    short_help="List the items that users will like best.",
)
def recommend(
    model_file: str, users: tuple[str, ...], all_users: bool, n: int, exclude: str | None, items: str | None,
    unknown_users: str, output: str | None, **read_options: Any,
) -> CommandResult:  # fmt: skip
    """List the items that the model in MODEL_FILE predicts the highest ratings for, user by user.

    The options of reading are about the ratings of --exclude.
    """
    from foretaste.persistence import load
    from foretaste.recommendation import recommend

    ctx = click.get_current_context()
    if bool(users) == all_users:
        raise click.UsageError("give either --users (ids with commas between) or --all", ctx)
    if all_users and output is None:
        raise click.UsageError("--all needs -o FILE, whose name ends in .parquet or .csv", ctx)
    check_unused_options("--exclude", exclude, items, read_options)
    model = load(model_file)
    catalog = None if items is None else load_catalog(items, items, read_options)
    arguments: dict[str, Any] = {
        "users": None if all_users else _parse_user_ids(users, model),
        "exclude": _read_excluded(exclude, model, read_options),
        "catalog": catalog,
        "unknown_users": unknown_users,
    }
    if output is not None:
        return _write_recommendations(model, output, n, arguments)
    return _render_recommendations(recommend(model, n=n, **arguments), exclude)


def check_unused_options(
    option: str, source: str | None, items: str | None, read_options: dict[str, Any]
) -> None:
    """Refuse options of reading where nothing is read, as the option that names the ratings is missing."""
    if source is not None:
        return
    for name in read_options:
        if is_option_set(name) and not (items is not None and name in _ITEM_OPTIONS):
            unused = "--" + name.replace("_", "-")
            raise InvalidParameterError(
                f"{unused} says how to read the ratings of {option}, and there is no {option}",
                hint=f"no {unused}, or {option} RATINGS",
            )


def _parse_user_ids(users: tuple[str, ...], model: Model) -> list[str]:
    """Return the ids that were typed: parts between commas, but for an id that has a comma itself."""
    ids: list[str] = []
    for text in users:
        is_known_id = model.users_.indices_of(model.users_.parse([text]))[0] >= 0
        ids += [text] if is_known_id else [part for part in text.split(",") if part]
    if not ids:
        raise InvalidParameterError("--users names no user", hint="--users ID,ID")
    return ids


def _read_excluded(exclude: str | None, model: Model, read_options: dict[str, Any]) -> Ratings | None:
    """Read the ratings that are left out, their ids as the model's types."""
    if exclude is None:
        log.info(
            "a model file does not hold what users have rated, so that may be among the items"
            "   (leave it out: --exclude RATINGS)"
        )
        return None
    return convert_id_types(model, load_ratings(exclude, read_options))


def convert_id_types(model: Model, ratings: Ratings) -> Ratings:
    """Return ratings with ids of the types that a model knows; what cannot be such an id is left out."""
    if (ratings.users.dtype, ratings.items.dtype) == (model.users_.dtype, model.items_.dtype):
        return ratings
    import numpy as np

    from foretaste.ids import is_plain_integer
    from foretaste.ratings import Ratings

    columns = []
    mask = np.ones(len(ratings), bool)
    for index, model_index, codes in (
        (ratings.users, model.users_, ratings.user),
        (ratings.items, model.items_, ratings.item),
    ):
        texts = [str(id_) for id_ in index]
        if model_index.dtype == "int":
            mask &= np.array([is_plain_integer(text) for text in texts])[codes]
        columns.append(model_index.parse(texts)[codes])
    user, item = (column[mask] for column in columns)
    return Ratings.from_columns(user, item, ratings.value[mask])


def _write_recommendations(model: Model, output: str, n: int, arguments: dict[str, Any]) -> CommandResult:
    from foretaste.recommendation import recommend_all

    rows = recommend_all(model, output, n, progress=progress_setting(), **arguments)
    users = len(model.users_) if arguments["users"] is None else len(arguments["users"])
    name = type(model).__name__
    data = {"model": name, "n": n, "users": users, "rows": rows, "file": output}
    return CommandResult(data, f"{output}: {rows:,} recommendations for {users:,} users by {name}")


def _render_recommendations(result: Recommendations, exclude: str | None) -> CommandResult:
    from foretaste.recommendation.recommendations import FALLBACK_LABELS

    lists, sections = [], []
    headers = ["rank", "item", "prediction", "title"][: 3 if result.titles is None else 4]
    for position, (user, user_list) in enumerate(result):
        fallback = FALLBACK_LABELS[result.fallback[position]]
        rows = user_list.to_dict()[user]
        lists.append({"user": user, "fallback": fallback, "items": rows})
        lines = []
        for rank, row in enumerate(rows, 1):
            title = " ".join((row.get("title") or "").split())
            cells = [str(rank), str(row["item"]), f"{row['prediction']:.4g}", title]
            lines.append(cells[: len(headers)])
        note = f"   ({fallback}: what the model falls back to)" if fallback else ""
        table = render_table(headers, lines, "rrrl") if lines else "no item is left"
        sections.append(f"user {user}{note}\n\n{table}")
    data = {"model": result.model, "exclude": exclude, "recommendations": lists}
    header = f"by {result.model}" + (f", without what is in {exclude}" if exclude else "")
    return CommandResult(data, "\n\n".join([header, *sections]))
