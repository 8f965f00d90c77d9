"""``read_items``: what items are called, from a file or a frame."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np

from foretaste.column_roles import guess_roles, role_of
from foretaste.errors import BadData, plain
from foretaste.features import Catalogue
from foretaste.ids import IdIndex
from foretaste.io.column_mapping import named_column, squeezed, unique_names
from foretaste.io.frame_table import FrameTable, column_values, text_cells
from foretaste.io.table_source import Opened, Written, open_source
from foretaste.io.text_parser import check_ids, typed_ids

log = logging.getLogger("foretaste")

# Squeezed to lower-case letters, the best first.
_TITLES = (
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
_OTHERS = (*_TITLES, "id", "genre", "genres", "description", "year", "author", "url", "category")


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
) -> Catalogue:
    """Read what items are called from a text file or a data frame.

    Parameters
    ----------
    source : str, Path, open binary file, or data frame
        One row an item.
    item, title : str or int, optional
        The column of item ids and the one that people read: a name, or a position from 0. Else the usual
        names are looked for, then the first column and the first other column are taken; either is said.
        A sheet or frame of one column holds titles, its items are numbered from 1 by row.
    separator, header, encoding, member, sheet, table, query
        As in ``read_ratings``.

    Returns
    -------
    Catalogue
        All columns beside the ids are text, as it stands in the file; a missing cell is empty.

    Raises
    ------
    BadData
        If an item stands twice or has no id, or there is nothing beside the ids.
    NotFound
        If there is no such file.
    """
    opened = open_source(
        source, Written(separator, header, encoding, ".", member, sheet, table, query), least=2, known=_OTHERS
    )
    names = unique_names(opened.header if opened.header is not None else [""] * opened.width)
    if isinstance(opened, FrameTable) and len(names) == 1 and item is None and role_of(names[0]) is None:
        return _numbered(opened, names[0])
    item_name, title_name = _choose(names, item, title, opened.name, by_name=opened.header is not None)
    texts = dict(zip(names, texts_of(opened), strict=True))
    if isinstance(opened, FrameTable):
        ids = column_values(opened.columns[list(opened.columns)[names.index(item_name)]])
        del texts[item_name]
        if not opened.typed:
            ids = typed_ids(opened, text_cells(ids), "item")
    else:
        cells = texts.pop(item_name)
        check_ids(opened, cells, "item", item_name, "give that item an id, or drop the line")
        ids = typed_ids(opened, cells, "item")
    return _catalogue(ids, texts, title_name, opened)


def _numbered(opened: FrameTable, title: str) -> Catalogue:
    """Return the titles of a table that has nothing else, numbered."""
    log.warning("%s: one column only; taken for the titles, and items numbered from 1 by row", opened.name)
    texts = {title or "title": texts_of(opened)[0]}
    return _catalogue(np.arange(1, len(opened) + 1), texts, title or "title", opened)


def texts_of(opened: Opened) -> list[Any]:
    """Return all columns of a table as polars series of text."""
    if isinstance(opened, FrameTable):
        return [text_cells(column) for column in opened.columns.values()]
    columns: list[Any] = opened.texts().get_columns()
    return columns


def _choose(
    names: list[str], item: str | int | None, title: str | int | None, source: str, by_name: bool = True
) -> tuple[str, str]:
    """Decide which columns hold the ids and the titles, and say so."""
    said = {"item": named_column(names, "item", item), "title": named_column(names, "title", title)}
    found = guess_roles(names, {role: name for role, name in said.items() if name is not None})
    if "item" not in found:
        ids = [name for name in names if role_of(name) == "item" and name != found.get("title")]
        ids = [name for name in ids if squeezed(name).endswith("id")] or ids
        ids = ids or [name for name in names if squeezed(name) == "id"]
        found["item"] = ids[0] if ids else next(name for name in names if name != found.get("title"))
    others = [name for name in names if name != found["item"]]
    if not others:
        raise BadData(
            f"{source} has ids only, nothing that items are called", where=f"columns are: {names[0]}"
        )
    if found.get("title") == found["item"]:
        raise BadData(
            f'the column "{found["item"]}" cannot be both item and title', hint=f'title="{others[0]}"'
        )
    if "title" not in found:
        usual = [name for name in others if squeezed(name) in _TITLES]
        found["title"] = min(usual, key=lambda name: _TITLES.index(squeezed(name))) if usual else others[0]
    if item is None or title is None:
        level, heading = (
            (logging.INFO, "columns:") if by_name else (logging.WARNING, f"{source}: no header; columns:")
        )
        log.log(
            level, "%s item=%s title=%s   (say otherwise: item=..., title=...)",
            heading, found["item"], found["title"],
        )  # fmt: skip
    return found["item"], found["title"]


def _catalogue(ids: Any, texts: dict[str, Any], title: str, opened: Opened) -> Catalogue:
    """Put the rows into the order of their ids."""
    index, codes = IdIndex.from_column(ids, "item")
    if len(index) != len(codes):
        code = int(np.flatnonzero(np.bincount(codes) > 1)[0])
        rows = np.flatnonzero(codes == code)
        problem = f"item {plain(index.ids[code])!r} stands {len(rows)} times"
        raise opened.refusal(rows, problem, "keep one row an item")
    order = np.argsort(codes)
    columns = {}
    for name, cells in texts.items():
        column = np.empty(len(codes), dtype=object)
        column[:] = cells.fill_null("").gather(order).to_list()
        columns[name] = column
    return Catalogue(index, columns, title)
