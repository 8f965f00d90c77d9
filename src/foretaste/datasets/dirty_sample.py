"""A dirty copy of the bundled data set: the same ratings with twelve known defects, for testing audits.

Each defect has its own kind and rows; ``DEFECTS`` says what was changed and how often. User ids are ``p1``,
``p2``, ..., since some defects need letters.
"""

from __future__ import annotations

import gzip
from collections.abc import Callable, Collection
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from importlib.resources import as_file, files
from pathlib import Path

from foretaste.datasets import sample

_FILE = "sample_dirty.csv.gz"
_HEADER = "userId,jokeId,rating,timestamp"
USER, JOKE, RATING, TIMESTAMP = range(4)


@dataclass
class _Row:
    """One line: its sort key and its fields, which a defect may change."""

    timestamp: int
    fields: list[str] = field(default_factory=list)


DefectFunction = Callable[[list[_Row]], list[_Row]]


@dataclass(frozen=True)
class Defect:
    """One kind of defect.

    Parameters
    ----------
    description : str
        What is wrong with the rows.
    count : int
        Number that an audit should find: rows, ids or users.
    n_rows : int
        Number of rows selected for it.
    apply : function of list of _Row
        Changes the selected rows and returns rows to add.
    """

    description: str
    count: int
    n_rows: int
    apply: DefectFunction


def _edit_field(column: int, *edits: Callable[[str], str]) -> DefectFunction:
    """Return a defect that edits one field of the selected rows, with the edits in turn."""

    def apply(rows: list[_Row]) -> list[_Row]:
        for index, row in enumerate(rows):
            row.fields[column] = edits[index % len(edits)](row.fields[column])
        return []

    return apply


def _make_ragged(rows: list[_Row]) -> list[_Row]:
    for index, row in enumerate(rows):
        if index % 2:
            row.fields.append("1")
        else:
            del row.fields[TIMESTAMP]
    return []


def _repeat_rows(rows: list[_Row]) -> list[_Row]:
    """Repeat the rows one second later: every fourth with the same rating, the others with another."""
    repeats = []
    for index, row in enumerate(rows):
        user, joke, rating, _ = row.fields
        new_rating = rating if index % 4 == 3 else "-5.0" if float(rating) > 0 else "5.0"
        repeats.append(_Row(row.timestamp + 1, [user, joke, new_rating, str(row.timestamp + 1)]))
    return repeats


def _add_burst(rows: list[_Row]) -> list[_Row]:
    """Add a user who rates all jokes in the same second."""
    timestamp = rows[0].timestamp
    return [
        _Row(timestamp, ["p900", str(n), f"{7 * n % 41 / 2 - 10:.1f}", str(timestamp)]) for n in range(1, 61)
    ]


def _add_constant_users(rows: list[_Row]) -> list[_Row]:
    """Add a user per selected row who gives every joke the best rating."""
    return [
        _Row(row.timestamp + 20 * n, [f"p{901 + index}", str(5 * n), "10.0", str(row.timestamp + 20 * n)])
        for index, row in enumerate(rows)
        for n in range(1, 13)
    ]


DEFECTS: dict[str, Defect] = {
    "ragged": Defect("rows with a field too few or too many", 4, 4, _make_ragged),
    "missing_id": Defect("rows without a user", 3, 3, _edit_field(USER, lambda _: "")),
    "not_a_number": Defect("ratings that are N/A", 5, 5, _edit_field(RATING, lambda _: "N/A")),
    "duplicate": Defect("pairs rated again, six otherwise and two the same", 8, 8, _repeat_rows),
    "missing_marker": Defect("ratings of 99 for none", 7, 7, _edit_field(RATING, lambda _: "99.0")),
    "stray_spaces": Defect(
        "users written with a blank, a no-break space or a zero-width space",
        3,
        3,
        _edit_field(USER, lambda u: f"{u} ", lambda u: f"\u00a0{u}", lambda u: f"{u}\u200b"),
    ),
    "leading_zeros": Defect("jokes written with a zero before", 3, 3, _edit_field(JOKE, lambda j: f"0{j}")),
    "case_variants": Defect("users written with a capital letter", 3, 3, _edit_field(USER, str.upper)),
    "look_alikes": Defect(
        "users written with a Cyrillic letter", 2, 2, _edit_field(USER, lambda u: u.replace("p", "\u0440"))
    ),
    "zero_time": Defect("times that are 0", 5, 5, _edit_field(TIMESTAMP, lambda _: "0")),
    "burst": Defect("ratings by one user in one second", 60, 1, _add_burst),
    "constant_users": Defect("users who give one and the same rating", 4, 4, _add_constant_users),
}


def generate(exclude: Collection[str] = ()) -> str:
    """Generate the dirty ratings, as CSV text.

    Parameters
    ----------
    exclude : collection of str
        Keys of ``DEFECTS`` to omit; the bundled file has all of them.
    """
    lines = sample.generate().splitlines()[1:]
    rows = [
        _Row(int(fields[TIMESTAMP]), [f"p{fields[USER]}", *fields[1:]])
        for fields in (x.split(",") for x in lines)
    ]
    added_rows: list[_Row] = []
    for index, (kind, defect) in enumerate(DEFECTS.items()):
        # No row has two defects; the first hundred rows, which format detection reads, have none.
        selected = rows[120 + 43 * index :: 600][: defect.n_rows]
        if kind not in exclude:
            added_rows += defect.apply(selected)
    rows = sorted(rows + added_rows, key=lambda row: row.timestamp)
    return "\n".join([_HEADER, *(",".join(row.fields) for row in rows), ""])


def read_text() -> str:
    """Return the text of the bundled file."""
    compressed = (files("foretaste.datasets") / "data" / _FILE).read_bytes()
    return gzip.decompress(compressed).decode()


def as_path() -> AbstractContextManager[Path]:
    """Return a context manager that yields the path of the bundled file."""
    return as_file(files("foretaste.datasets") / "data" / _FILE)


def write_file(folder: Path) -> None:
    """Write the bundled file."""
    (folder / _FILE).write_bytes(gzip.compress(generate().encode(), mtime=0))
