"""``recommend``: the best items of some or all users, by a kept model."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import click

from foretaste.cli.evaluate import catalogue_of
from foretaste.cli.framework import Outcome, command, wants_progress
from foretaste.cli.options import READING_OPTIONS, is_given, read
from foretaste.cli.rendering import drawn
from foretaste.errors import InvalidParameter

if TYPE_CHECKING:
    from foretaste.models import Model
    from foretaste.ratings import Ratings
    from foretaste.recommendation import Recommendations

log = logging.getLogger("foretaste")

_OF_TITLES = ("encoding",)  # reading options that --items takes as well


@command(
    click.argument("model_file", metavar="MODEL_FILE"),
    click.option("--users", metavar="ID,ID...", multiple=True, help="Whom to recommend to."),
    click.option("--all", "everyone", is_flag=True, help="To all whom the model knows; needs -o."),
    click.option("-n", "--n", default=10, show_default=True, help="How many items each."),
    click.option(
        "--exclude", metavar="RATINGS", help="Leave out what users rated here: a file, -, or a data set."
    ),
    click.option("--items", metavar="FILE", help="A file of items (or a data set), for their titles."),
    click.option(
        "--unknown",
        type=click.Choice(["refuse", "fallback"]),
        default="refuse",
        show_default=True,
        help="What a user whom the model does not know gets.",
    ),
    click.option("-o", "--output", metavar="FILE", help="Write to FILE.parquet or FILE.csv."),
    *READING_OPTIONS,
    name="recommend",
    short_help="List the items that users will like best.",
)
def recommend(
    model_file: str, users: tuple[str, ...], everyone: bool, n: int, exclude: str | None, items: str | None,
    unknown: str, output: str | None, **reading: Any,
) -> Outcome:  # fmt: skip
    """List the items that the model in MODEL_FILE predicts the highest ratings for, user by user.

    The options of reading are about the ratings of --exclude.
    """
    from foretaste.persistence import load
    from foretaste.recommendation import recommend

    ctx = click.get_current_context()
    if bool(users) == everyone:
        raise click.UsageError("give either --users (ids with commas between) or --all", ctx)
    if everyone and output is None:
        raise click.UsageError("--all needs -o FILE, whose name ends in .parquet or .csv", ctx)
    refuse_idle_options("--exclude", exclude, items, reading)
    model = load(model_file)
    catalogue = None if items is None else catalogue_of(items, items, reading)
    arguments: dict[str, Any] = {
        "users": None if everyone else _ids(users, model),
        "exclude": _left_out(exclude, model, reading),
        "catalogue": catalogue,
        "unknown": unknown,
    }
    if output is not None:
        return _into_file(model, output, n, arguments)
    return _shown(recommend(model, n=n, **arguments), exclude)


def refuse_idle_options(option: str, source: str | None, items: str | None, reading: dict[str, Any]) -> None:
    """Refuse options of reading where nothing is read, as the option that names the ratings is missing."""
    if source is not None:
        return
    for name in reading:
        if is_given(name) and not (items is not None and name in _OF_TITLES):
            idle = "--" + name.replace("_", "-")
            raise InvalidParameter(
                f"{idle} says how to read the ratings of {option}, and there is no {option}",
                hint=f"no {idle}, or {option} RATINGS",
            )


def _ids(users: tuple[str, ...], model: Model) -> list[str]:
    """Return the ids that were typed: parts between commas, but for an id that has a comma itself."""
    ids: list[str] = []
    for text in users:
        whole = model.users_.remap(model.users_.parse([text]))[0] >= 0
        ids += [text] if whole else [part for part in text.split(",") if part]
    if not ids:
        raise InvalidParameter("--users names no user", hint="--users ID,ID")
    return ids


def _left_out(exclude: str | None, model: Model, reading: dict[str, Any]) -> Ratings | None:
    """Read the ratings that are left out, their ids as the model's types."""
    if exclude is None:
        log.info(
            "a model file does not hold what users have rated, so that may be among the items"
            "   (leave it out: --exclude RATINGS)"
        )
        return None
    return in_types_of(model, read(exclude, reading))


def in_types_of(model: Model, ratings: Ratings) -> Ratings:
    """Return ratings with ids of the types that a model knows; what cannot be such an id is left out."""
    if (ratings.users.kind, ratings.items.kind) == (model.users_.kind, model.items_.kind):
        return ratings
    import numpy as np

    from foretaste.ids import is_canonical
    from foretaste.ratings import Ratings as Made

    columns = []
    fits = np.ones(len(ratings), bool)
    for own, known, code in (
        (ratings.users, model.users_, ratings.user),
        (ratings.items, model.items_, ratings.item),
    ):
        texts = [str(id_) for id_ in own]
        if known.kind == "number":
            fits &= np.array([is_canonical(text) for text in texts])[code]
        columns.append(known.parse(texts)[code])
    user, item = (column[fits] for column in columns)
    return Made.from_columns(user, item, ratings.value[fits])


def _into_file(model: Model, output: str, n: int, arguments: dict[str, Any]) -> Outcome:
    from foretaste.recommendation import recommend_all

    rows = recommend_all(model, output, n, progress=wants_progress(), **arguments)
    users = len(model.users_) if arguments["users"] is None else len(arguments["users"])
    name = type(model).__name__
    data = {"model": name, "n": n, "users": users, "rows": rows, "file": output}
    return Outcome(data, f"{output}: {rows:,} recommendations for {users:,} users by {name}")


def _shown(found: Recommendations, exclude: str | None) -> Outcome:
    from foretaste.recommendation.recommendations import FALLBACKS

    lists, sections = [], []
    headers = ["rank", "item", "prediction", "title"][: 3 if found.titles is None else 4]
    for number, (user, part) in enumerate(found):
        fallback = FALLBACKS[found.fallback[number]]
        rows = part.to_dict()[user]
        lists.append({"user": user, "fallback": fallback, "items": rows})
        lines = []
        for rank, row in enumerate(rows, 1):
            title = " ".join((row.get("title") or "").split())
            cells = [str(rank), str(row["item"]), f"{row['prediction']:.4g}", title]
            lines.append(cells[: len(headers)])
        note = f"   ({fallback}: what the model falls back to)" if fallback else ""
        table = drawn(headers, lines, "rrrl") if lines else "no item is left"
        sections.append(f"user {user}{note}\n\n{table}")
    data = {"model": found.basis, "exclude": exclude, "recommendations": lists}
    head = f"by {found.basis}" + (f", without what is in {exclude}" if exclude else "")
    return Outcome(data, "\n\n".join([head, *sections]))
