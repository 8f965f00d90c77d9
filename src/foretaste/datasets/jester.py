"""The four Jester data sets: jokes rated from -10 to 10, as a long table or as workbooks of a row a user."""

from __future__ import annotations

import logging
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import numpy.typing as npt

from foretaste.datasets.archives import members, numbers_in, ratings_in, sheet_in, text_in
from foretaste.datasets.registry import DataSet
from foretaste.errors import BadData
from foretaste.features import Catalogue
from foretaste.ids import IdIndex
from foretaste.ratings import Ratings

log = logging.getLogger("foretaste")

NOT_RATED = 99.0
TITLE = "jokeText"
_JOKE = re.compile(r"<!--\s*begin of joke\s*-->(.*?)<!--\s*end of joke\s*-->", re.DOTALL | re.IGNORECASE)
_NUMBERED = re.compile(r"^(\d+):[ \t]*$", re.MULTILINE)


# Ratings -------------------------------------------------------------------------------------------------


def ratings(data_set: DataSet, folder: Path) -> Ratings:
    """Read the ratings of a Jester data set from its archives.

    Parameters
    ----------
    data_set : DataSet
    folder : Path
        Where its archives are.
    """
    archives = [folder / archive.file for archive in data_set.holding("ratings")]
    scale = data_set.scale if data_set.declared else None
    if data_set.name == "jester-2":
        return ratings_in(
            archives[0], "jester_ratings.dat", user=0, item=1, rating=2, separator="\t\t",
            header=False, scale=scale,
        )  # fmt: skip
    found = from_wide([_wide(archive, data_set.items) for archive in archives], scale)
    return found if data_set.declared else _with_scale_if_inside(found, data_set)


def _wide(archive: Path, jokes: int) -> npt.NDArray[np.float64]:
    """Return the ratings of one workbook, a row a user, after checking them against their count."""
    table = numbers_in(archive)
    if table.shape[1] != jokes + 1:
        raise BadData(
            f"the workbook in {archive.name} has {table.shape[1]} columns, not a count and {jokes} jokes",
            hint=f"rm {archive}, and fetch it again",
        )
    counts = (~_unrated(table[:, 1:])).sum(axis=1)
    wrong = np.flatnonzero(counts != table[:, 0])
    if len(wrong):
        row = int(wrong[0])
        log.warning(
            "%s: in %s rows the first column is not the number of ratings (first: row %s says %g, has %d)",
            archive.name, f"{len(wrong):,}", f"{row + 1:,}", table[row, 0], counts[row],
        )  # fmt: skip
    return table[:, 1:]


def _unrated(table: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
    unrated: npt.NDArray[np.bool_] = (table == NOT_RATED) | np.isnan(table)
    return unrated


def from_wide(parts: list[npt.NDArray[np.float64]], scale: tuple[float, float] | None) -> Ratings:
    """Make ratings of tables with a row a user and a column a joke, 99 or nothing where there is none.

    Parameters
    ----------
    parts : list of float64 array, shape (users of the part, jokes)
        Users are numbered from 1 through all parts, jokes from 1.
    scale : (low, high), optional
    """
    columns: list[tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.float32]]] = []
    start = 1
    for part in parts:
        user, joke = np.nonzero(~_unrated(part))
        columns.append((user + start, joke + 1, part[user, joke].astype(np.float32)))
        start += len(part)
    user, joke, value = (np.concatenate(column) for column in zip(*columns, strict=True))
    return Ratings.from_columns(user, joke, value, scale=scale)


def _with_scale_if_inside(found: Ratings, data_set: DataSet) -> Ratings:
    """Declare the published scale if all ratings lie inside it; else say how many do not."""
    low, high = data_set.scale
    outside = int(((found.value < low) | (found.value > high)).sum())
    if not outside:
        return found.replace(scale=data_set.scale)
    log.warning(
        '%s: %s ratings lie outside the published scale, so none is declared   (say otherwise: '
        'where="rating >= %g AND rating <= %g")',
        data_set.name, f"{outside:,}", low, high,
    )  # fmt: skip
    return found


# Joke texts ----------------------------------------------------------------------------------------------


def items(data_set: DataSet, folder: Path) -> Catalogue:
    """Read the texts of the jokes, each on one line.

    Parameters
    ----------
    data_set : DataSet
    folder : Path
        Where its archives are.
    """
    (archive,) = data_set.holding("items")
    readers = {"jester-1": _from_pages, "jester-2": _from_numbered}
    texts = readers.get(data_set.name, _from_workbook)(folder / archive.file, data_set)
    wanted = list(range(1, data_set.items + 1))
    if sorted(texts) != wanted:
        lost = sorted(set(wanted) ^ set(texts))
        raise BadData(
            f"{archive.file} does not hold the texts of jokes 1 to {data_set.items}",
            where=f"first fault: joke {lost[0]}",
        )
    column = np.empty(len(wanted), dtype=object)
    column[:] = [texts[number] for number in wanted]
    return Catalogue(IdIndex(np.array(wanted, dtype=np.int64)), {TITLE: column}, TITLE)


def _from_pages(archive: Path, _: DataSet) -> dict[int, str]:
    """Read ``init1.html`` and so on, a page a joke."""
    texts = {}
    for name in members(archive):
        number = re.fullmatch(r"init(\d+)\.html", name)
        if number is None:
            continue
        joke = _JOKE.search(text_in(archive, name, "latin-1"))
        if joke is None:
            raise BadData(f"{name} in {archive.name} has no joke between its marks")
        texts[int(number[1])] = plain_text(joke[1])
    return texts


def _from_numbered(archive: Path, _: DataSet) -> dict[int, str]:
    """Read ``jester_items.dat``: a number and a colon on a line, and the joke in the lines below."""
    parts = _NUMBERED.split(text_in(archive, "jester_items.dat", "latin-1").replace("\r\n", "\n"))
    return {int(n): plain_text(text) for n, text in zip(parts[1::2], parts[2::2], strict=True)}


def _from_workbook(archive: Path, data_set: DataSet) -> dict[int, str]:
    """Read a workbook with a joke a row; a row too many is a heading."""
    rows = [str(row[0]) for row in sheet_in(archive) if row and row[0] is not None]
    if len(rows) == data_set.items + 1:
        rows = rows[1:]
    return {number: " ".join(text.split()) for number, text in enumerate(rows, 1)}


class _Words(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []

    def handle_data(self, data: str) -> None:
        self.parts.append(data)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.parts.append(" " if tag in ("br", "p", "li", "ul", "tr", "td", "div") else "")


def plain_text(html: str) -> str:
    """Return the text of a piece of HTML on one line."""
    words = _Words()
    words.feed(html)
    words.close()
    return " ".join("".join(words.parts).split())
