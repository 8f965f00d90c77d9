"""Reads the four Jester data sets: jokes rated from -10 to 10, in a long table or in wide workbooks."""

from __future__ import annotations

import logging
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np

from foretaste.datasets.registry import Dataset
from foretaste.errors import DataError, Hint
from foretaste.features import ItemCatalog
from foretaste.ids import IdIndex
from foretaste.io import read_ratings
from foretaste.io.archive import list_members, read_member
from foretaste.ratings import Ratings
from foretaste.typing import BoolArray, Float32Array, Float64Array, Int64Array

log = logging.getLogger("foretaste")

UNRATED_VALUE = 99.0
TITLE = "jokeText"
_JOKE = re.compile(r"<!--\s*begin of joke\s*-->(.*?)<!--\s*end of joke\s*-->", re.DOTALL | re.IGNORECASE)
_NUMBER_LINE = re.compile(r"^(\d+):[ \t]*$", re.MULTILINE)


# Ratings -------------------------------------------------------------------------------------------------


def load_ratings(dataset: Dataset, folder: Path) -> Ratings:
    """Read the ratings of a Jester data set from its archives.

    Parameters
    ----------
    dataset : Dataset
    folder : Path
        Folder of its archives.
    """
    archives = [folder / archive.file for archive in dataset.archives_with("ratings")]
    scale = dataset.scale if dataset.scale_is_declared else None
    if dataset.name == "jester-2":
        return read_ratings(
            archives[0], member="jester_ratings.dat", user=0, item=1, rating=2, separator="\t\t",
            header=False, scale=scale,
        )  # fmt: skip
    result = from_wide([_read_wide(archive, dataset.items) for archive in archives], scale)
    return result if dataset.scale_is_declared else _declare_scale_if_inside(result, dataset)


def _read_wide(archive: Path, n_jokes: int) -> Float64Array:
    """Return the ratings of one workbook, one row per user, checked against its count column."""
    import polars as pl

    frame = _read_sheet(archive)
    for position, column in enumerate(frame.get_columns(), 1):
        if not (column.dtype.is_numeric() or column.dtype == pl.Null):
            raise DataError(f"the workbook in {archive.name} has text in column {position}, not ratings")
    table = np.asarray(frame.cast(pl.Float64).to_numpy(), dtype=np.float64)
    if table.shape[1] != n_jokes + 1:
        raise DataError(
            f"the workbook in {archive.name} has {table.shape[1]} columns, not a count and {n_jokes} jokes"
        )
    counts = (~_is_unrated(table[:, 1:])).sum(axis=1)
    wrong_rows = np.flatnonzero(counts != table[:, 0])
    if len(wrong_rows):
        row = int(wrong_rows[0])
        log.warning(
            "%s: in %s rows the first column is not the number of ratings (first: row %s says %g, has %d)",
            archive.name, f"{len(wrong_rows):,}", f"{row + 1:,}", table[row, 0], counts[row],
        )  # fmt: skip
    return table[:, 1:]


def _read_sheet(archive: Path) -> Any:
    """Return the first sheet of the only workbook in an archive, as a frame of polars."""
    from foretaste.io.excel import read_sheet

    names = [name for name in list_members(archive) if name.lower().endswith((".xls", ".xlsx"))]
    if len(names) != 1:
        raise DataError(f"{archive} contains {len(names)} workbooks, not one", where=", ".join(names))
    workbook = read_member(archive, names[0])
    return read_sheet(workbook, f"{archive.name}: {names[0]}", 0, header=False).frame


def _is_unrated(table: Float64Array) -> BoolArray:
    mask: BoolArray = (table == UNRATED_VALUE) | np.isnan(table)
    return mask


def from_wide(parts: list[Float64Array], scale: tuple[float, float] | None) -> Ratings:
    """Make ratings from wide tables; 99 or an empty cell means unrated.

    Parameters
    ----------
    parts : list of float64 array, shape (users of the part, jokes)
        User ids count from 1 across all parts, joke ids from 1.
    scale : (low, high), optional
    """
    columns: list[tuple[Int64Array, Int64Array, Float32Array]] = []
    start = 1
    for part in parts:
        user, joke = np.nonzero(~_is_unrated(part))
        columns.append((user + start, joke + 1, part[user, joke].astype(np.float32)))
        start += len(part)
    user, joke, value = (np.concatenate(column) for column in zip(*columns, strict=True))
    return Ratings.from_columns(user, joke, value, scale=scale)


def _declare_scale_if_inside(ratings: Ratings, dataset: Dataset) -> Ratings:
    """Declare the published scale if all ratings lie inside it; else log how many do not."""
    low, high = dataset.scale
    n_outside = int(((ratings.value < low) | (ratings.value > high)).sum())
    if not n_outside:
        return ratings.replace(scale=dataset.scale)
    log.warning(
        '%s: %s ratings lie outside the published scale, so it is not declared   (override: %s)',
        dataset.name, f"{n_outside:,}", Hint({"where": f"rating >= {low:g} AND rating <= {high:g}"}),
    )  # fmt: skip
    return ratings


# Joke texts ----------------------------------------------------------------------------------------------


def load_items(dataset: Dataset, folder: Path) -> ItemCatalog:
    """Read the joke texts, each on one line.

    Parameters
    ----------
    dataset : Dataset
    folder : Path
        Folder of its archives.
    """
    (archive,) = dataset.archives_with("items")
    readers = {"jester-1": _read_pages, "jester-2": _read_numbered_list}
    texts = readers.get(dataset.name, _read_workbook)(folder / archive.file, dataset)
    expected = list(range(1, dataset.items + 1))
    if sorted(texts) != expected:
        mismatched = sorted(set(expected) ^ set(texts))
        raise DataError(
            f"{archive.file} does not contain the texts of jokes 1 to {dataset.items}",
            where=f"first: joke {mismatched[0]}",
        )
    column = np.empty(len(expected), dtype=object)
    column[:] = [texts[number] for number in expected]
    return ItemCatalog(IdIndex(np.array(expected, dtype=np.int64)), {TITLE: column}, TITLE)


def _read_pages(archive: Path, _: Dataset) -> dict[int, str]:
    """Read ``init1.html`` and so on, one page per joke."""
    texts = {}
    for name in list_members(archive):
        number = re.fullmatch(r"init(\d+)\.html", name)
        if number is None:
            continue
        joke = _JOKE.search(read_member(archive, name).decode("latin-1"))
        if joke is None:
            raise DataError(f"{name} in {archive.name} has no joke between its markers")
        texts[int(number[1])] = html_to_text(joke[1])
    return texts


def _read_numbered_list(archive: Path, _: Dataset) -> dict[int, str]:
    """Read ``jester_items.dat``: a line with a number and a colon, followed by the joke."""
    text = read_member(archive, "jester_items.dat").decode("latin-1")
    parts = _NUMBER_LINE.split(text.replace("\r\n", "\n"))
    return {int(n): html_to_text(joke) for n, joke in zip(parts[1::2], parts[2::2], strict=True)}


def _read_workbook(archive: Path, dataset: Dataset) -> dict[int, str]:
    """Read a workbook with one joke per row; an extra row is the header."""
    rows = [str(row[0]) for row in _read_sheet(archive).rows() if row and row[0] is not None]
    if len(rows) == dataset.items + 1:
        rows = rows[1:]
    return {number: " ".join(text.split()) for number, text in enumerate(rows, 1)}


class _TextExtractor(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []

    def handle_data(self, data: str) -> None:
        self.parts.append(data)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.parts.append(" " if tag in ("br", "p", "li", "ul", "tr", "td", "div") else "")


def html_to_text(html: str) -> str:
    """Return the text of a piece of HTML on one line."""
    extractor = _TextExtractor()
    extractor.feed(html)
    extractor.close()
    return " ".join("".join(extractor.parts).split())
