"""``read_items``: reads the item catalog (ids, titles, other columns) from a file or frame."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np

from foretaste.column_roles import column_role, infer_roles
from foretaste.errors import (
    DataError,
    Hint,
    to_python,
)
from foretaste.features import ItemCatalog
from foretaste.ids import IdIndex
from foretaste.io.column_mapping import deduplicate_names, normalize_name, resolve_column
from foretaste.io.row_errors import Table
from foretaste.io.table_source import open_source
from foretaste.read_options import ItemsOptions, document_options

log = logging.getLogger("foretaste")

# Lower-case letters only, in order of preference.
_TITLE_NAMES = (
    "title",
    "name",
    "text",
    "joketext",
    "movietitle",
    "booktitle",
    "itemtitle",
    "itemname",
    "label",
    "headline",
)
_KNOWN_NAMES = (*_TITLE_NAMES, "id", "genre", "genres", "description", "year", "author", "url", "category")


@document_options(ItemsOptions)
def read_items(
    source: Any,
    *,
    item: str | int | None = None,
    title: str | int | None = None,
    separator: str | None = None,
    header: bool | None = None,
    encoding: str = "utf-8",
    member: str | None = None,
    sheet: str | int | None = None,
    table: str | None = None,
    query: str | None = None,
) -> ItemCatalog:
    """Read item titles and other item columns from a file, data frame or database.

    Parameters
    ----------
    source : str, Path, open binary file, or data frame
        One row per item.
    {options}

    Returns
    -------
    ItemCatalog
        All columns but the ids are text as in the file; a missing cell is the empty string.

    Raises
    ------
    DataError
        If an item occurs twice or has no id, or there is no column but the ids.
    NotFoundError
        If the file does not exist.

    Notes
    -----
    Columns without usual names: the first one holds the ids, the first other one the titles; the choice is
    logged. A sheet or frame of one column holds titles; its items are numbered from 1 by row.
    """
    arguments = dict(locals())
    del arguments["source"]
    source_table = open_source(source, ItemsOptions(**arguments), min_columns=2, known_names=_KNOWN_NAMES)
    names = deduplicate_names(
        source_table.header if source_table.header is not None else [""] * source_table.width
    )
    if len(names) == 1 and item is None and column_role(names[0]) is None:
        return _number_titles(source_table, names[0])
    item_name, title_name = _choose_columns(
        names, item, title, source_table.name, has_header=source_table.header is not None
    )
    texts = {name: source_table.column_text(index) for index, name in enumerate(names) if name != item_name}
    ids = source_table.read_ids(names.index(item_name), "item", item_name)
    return _build_catalog(ids, texts, title_name, source_table)


def _number_titles(source_table: Table, title: str) -> ItemCatalog:
    """Return the catalog of a table that has only titles."""
    log.warning("%s: only one column; read as titles, with items numbered from 1 by row", source_table.name)
    titles = source_table.column_text(0)
    ids = np.arange(1, len(titles) + 1)
    return _build_catalog(ids, {title or "title": titles}, title or "title", source_table)


def _choose_columns(
    names: list[str], item: str | int | None, title: str | int | None, source: str, has_header: bool = True
) -> tuple[str, str]:
    """Choose the columns of ids and titles, and log the choice."""
    requested = {"item": resolve_column(names, "item", item), "title": resolve_column(names, "title", title)}
    name_by_role = infer_roles(names, {role: name for role, name in requested.items() if name is not None})
    if "item" not in name_by_role:
        ids = [name for name in names if column_role(name) == "item" and name != name_by_role.get("title")]
        ids = [name for name in ids if normalize_name(name).endswith("id")] or ids
        ids = ids or [name for name in names if normalize_name(name) == "id"]
        name_by_role["item"] = (
            ids[0] if ids else next(name for name in names if name != name_by_role.get("title"))
        )
    other_names = [name for name in names if name != name_by_role["item"]]
    if not other_names:
        raise DataError(f"{source} has only ids, no titles", where=f"columns are: {names[0]}")
    if name_by_role.get("title") == name_by_role["item"]:
        raise DataError(
            f'the column "{name_by_role["item"]}" cannot be both item and title',
            hint=Hint({"title": other_names[0]}),
        )
    if "title" not in name_by_role:
        known_titles = [name for name in other_names if normalize_name(name) in _TITLE_NAMES]
        name_by_role["title"] = (
            min(known_titles, key=lambda name: _TITLE_NAMES.index(normalize_name(name)))
            if known_titles
            else other_names[0]
        )
    if item is None or title is None:
        level, prefix = (
            (logging.INFO, "columns:") if has_header else (logging.WARNING, f"{source}: no header; columns:")
        )
        log.log(
            level, "%s item=%s title=%s   (override: %s)",
            prefix, name_by_role["item"], name_by_role["title"], Hint({"item": ..., "title": ...}),
        )  # fmt: skip
    return name_by_role["item"], name_by_role["title"]


def _build_catalog(ids: Any, texts: dict[str, Any], title: str, source_table: Table) -> ItemCatalog:
    """Return the catalog, its rows sorted by id."""
    index, codes = IdIndex.from_column(ids, "item")
    if len(index) != len(codes):
        code = int(np.flatnonzero(np.bincount(codes) > 1)[0])
        rows = np.flatnonzero(codes == code)
        problem = f"item {to_python(index.ids[code])!r} occurs {len(rows)} times"
        raise source_table.make_data_error(rows, problem, "keep one row per item")
    order = np.argsort(codes)
    columns = {}
    for name, cells in texts.items():
        column = np.empty(len(codes), dtype=object)
        column[:] = cells.fill_null("").gather(order).to_list()
        columns[name] = column
    return ItemCatalog(index, columns, title)
