"""``similar``: the items most similar to one."""

from __future__ import annotations

from typing import Any

import click

from foretaste.cli.framework import CommandResult, command
from foretaste.cli.inputs import is_dataset, load_catalog, load_model, load_ratings
from foretaste.cli.options import ITEMS_OPTION, READ_OPTIONS
from foretaste.cli.rendering import render_table
from foretaste.cli.suggestions import is_model_file
from foretaste.errors import NotSupportedError, to_python


@command(
    click.argument("file"),
    click.option("--item", metavar="ID", required=True, help="Item to compare with."),
    click.option("-n", "--n", default=5, show_default=True, help="Number of items."),
    click.option(
        "--metric",
        type=click.Choice(["cosine", "pearson", "adjusted_cosine"]),
        default="cosine",
        show_default=True,
        help="Similarity measure.",
    ),
    ITEMS_OPTION,
    *READ_OPTIONS,
    name="similar",
    short_help="List the items most similar to one.",
)
def similar(
    file: str, item: str, n: int, metric: str, items: str | None, **read_options: Any
) -> CommandResult:
    """List the items most similar to one, by the ratings in FILE, a model file, or a data set."""
    from foretaste.recommendation import similar_items

    source: Any = load_model(file) if _is_model_source(file) else load_ratings(file, read_options)
    index = source.items if hasattr(source, "items") else source.items_
    item_id = index.ids[index.index_of(item, "item")]
    catalog = load_catalog(file, items, read_options)
    try:
        result = similar_items(source, item_id, n, metric, catalog)
    except NotSupportedError as error:
        models = (error.hint or "").partition("or a model that can: ")[2]
        error.hint = f"foretaste similar RATINGS_FILE --item {item}" + (
            f", or a model that can: {models}" if models else ""
        )
        raise
    titles = result.titles or [None] * len(result.ids)
    item_title = None if catalog is None else catalog.titles(index.ids[[index.index_of(item, "item")]])[0]
    rows: list[dict[str, Any]] = [
        {"item": to_python(i), "similarity": float(s), "title": title}
        for i, s, title in zip(result.ids, result.similarity, titles, strict=True)
    ]
    basis = f"{type(source).__name__} in {file}" if _is_model_source(file) else f"the ratings in {file}"
    data = {
        "item": to_python(item_id),
        "title": item_title,
        "metric": metric,
        "basis": basis,
        "similar": rows,
    }
    lines = [[str(r["item"]), f"{r['similarity']:.4f}", str(r["title"] or "")] for r in rows]
    table = render_table(["item", metric, "title" if catalog else ""], lines, "lrl")
    about = f"most similar to item {item}{f': {item_title}' if item_title else ''}   ({metric}, {basis})"
    return CommandResult(data, f"{about}\n\n{table}")


def _is_model_source(path: str) -> bool:
    """Whether a file is a model rather than ratings: by its name, or by its first bytes."""
    if path == "-" or is_dataset(path):
        return False
    return path.endswith(".foretaste") or is_model_file(path)
