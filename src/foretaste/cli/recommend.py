"""``recommend``: the top items of some or all users, by a saved model."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import click

from foretaste.cli.framework import CommandResult, command, progress_setting
from foretaste.cli.inputs import convert_id_types, load_catalog, load_model, load_ratings
from foretaste.cli.options import ITEMS_OPTION, READ_OPTIONS, check_unused_options
from foretaste.cli.rendering import render_table
from foretaste.errors import InvalidParameterError

if TYPE_CHECKING:
    from foretaste.models import Model
    from foretaste.ratings import Ratings
    from foretaste.recommendation import Recommendations

log = logging.getLogger("foretaste")


@command(
    click.argument("model_file", metavar="MODEL_FILE"),
    click.option("--user", "users", metavar="ID,ID...", multiple=True, help="User ids; may be repeated."),
    click.option("--all", "all_users", is_flag=True, help="All users of the model; needs -o."),
    click.option("-n", "--n", default=10, show_default=True, help="Number of items per user."),
    click.option(
        "--exclude", metavar="RATINGS", help="Exclude items already rated here: a file, -, or a data set."
    ),
    ITEMS_OPTION,
    click.option(
        "--unknown-users",
        type=click.Choice(["raise", "fallback"]),
        default="raise",
        show_default=True,
        help="How to treat unknown users.",
    ),
    click.option("-o", "--output", metavar="FILE", help="Write to FILE.parquet or FILE.csv."),
    *READ_OPTIONS,
    name="recommend",
    short_help="Recommend items to users.",
)
def recommend(
    model_file: str, users: tuple[str, ...], all_users: bool, n: int, exclude: str | None, items: str | None,
    unknown_users: str, output: str | None, **read_options: Any,
) -> CommandResult:  # fmt: skip
    """List the items with the highest ratings predicted by the model in MODEL_FILE, for each user.

    The reading options apply to the ratings of --exclude.
    """
    from foretaste.recommendation import recommend

    ctx = click.get_current_context()
    if bool(users) == all_users:
        raise click.UsageError("give either --user ID,ID or --all", ctx)
    if all_users and output is None:
        raise click.UsageError("--all needs -o FILE.parquet or -o FILE.csv", ctx)
    check_unused_options("--exclude", exclude, items, read_options)
    model = load_model(model_file)
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


def _parse_user_ids(users: tuple[str, ...], model: Model) -> list[str]:
    """Return the user ids: the parts between commas, except where a known id contains one."""
    ids: list[str] = []
    for text in users:
        is_known_id = model.users_.indices_of(model.users_.parse([text]))[0] >= 0
        ids += [text] if is_known_id else [part for part in text.split(",") if part]
    if not ids:
        raise InvalidParameterError("--user names no user", hint="--user ID,ID")
    return ids


def _read_excluded(exclude: str | None, model: Model, read_options: dict[str, Any]) -> Ratings | None:
    """Read the ratings whose items are excluded, with ids of the model's types."""
    if exclude is None:
        log.info(
            "a model file does not contain the ratings of the users, so the lists may repeat rated items"
            "   (exclude them: --exclude RATINGS)"
        )
        return None
    return convert_id_types(model, load_ratings(exclude, read_options))


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
        note = f"   ({fallback}: the model's fallback)" if fallback else ""
        table = render_table(headers, lines, "rrrl") if lines else "no items left"
        sections.append(f"user {user}{note}\n\n{table}")
    data = {"model": result.model, "exclude": exclude, "recommendations": lists}
    header = f"by {result.model}" + (f", excluding the items rated in {exclude}" if exclude else "")
    return CommandResult(data, "\n\n".join([header, *sections]))
