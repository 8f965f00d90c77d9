"""The dirty twin of the bundled data set: the same ratings, with twelve planted defects.

Each defect is of another kind and stands in rows of its own, so that an audit can be judged by it: what is
planted, and how often, is ``PLANTED``. Users are called ``p1``, ``p2``, ..., since some defects need letters.
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
USER, JOKE, RATING, TIME = range(4)


@dataclass
class _Row:
    """One line: where it stands in time, and its fields, which a defect may change."""

    at: int
    fields: list[str] = field(default_factory=list)


Rows = list[_Row]
Plant = Callable[[Rows], Rows]


@dataclass(frozen=True)
class Planted:
    """One defect.

    Parameters
    ----------
    what : str
        What was done to the ratings.
    count : int
        How many of it an audit should find: rows, ids or users.
    rows : int
        How many rows of the sample are chosen for it.
    plant : function of list of rows
        Changes the chosen rows and returns the rows to be added.
    """

    what: str
    count: int
    rows: int
    plant: Plant


def _in_field(place: int, *changes: Callable[[str], str]) -> Plant:
    """Return what changes one field of the chosen rows, by each change in turn."""

    def plant(chosen: Rows) -> Rows:
        for number, row in enumerate(chosen):
            row.fields[place] = changes[number % len(changes)](row.fields[place])
        return []

    return plant


def _ragged(chosen: Rows) -> Rows:
    for number, row in enumerate(chosen):
        if number % 2:
            row.fields.append("1")
        else:
            del row.fields[TIME]
    return []


def _repeated(chosen: Rows) -> Rows:
    """Repeat the rows a second later: every fourth with the same rating, the others with another."""
    again = []
    for number, row in enumerate(chosen):
        user, joke, rating, _ = row.fields
        other = rating if number % 4 == 3 else "-5.0" if float(rating) > 0 else "5.0"
        again.append(_Row(row.at + 1, [user, joke, other, str(row.at + 1)]))
    return again


def _burst(chosen: Rows) -> Rows:
    """Add one user who rates all jokes in the second of the chosen row."""
    at = chosen[0].at
    return [_Row(at, ["p900", str(n), f"{7 * n % 41 / 2 - 10:.1f}", str(at)]) for n in range(1, 61)]


def _constant(chosen: Rows) -> Rows:
    """Add users who give every joke the best rating, one after each chosen row."""
    return [
        _Row(row.at + 20 * n, [f"p{901 + place}", str(5 * n), "10.0", str(row.at + 20 * n)])
        for place, row in enumerate(chosen)
        for n in range(1, 13)
    ]


PLANTED: dict[str, Planted] = {
    "ragged": Planted("rows with a field too few or too many", 4, 4, _ragged),
    "missing_id": Planted("rows without a user", 3, 3, _in_field(USER, lambda _: "")),
    "not_a_number": Planted("ratings that are N/A", 5, 5, _in_field(RATING, lambda _: "N/A")),
    "duplicate": Planted("pairs rated again, six otherwise and two the same", 8, 8, _repeated),
    "missing_marker": Planted("ratings of 99 for none", 7, 7, _in_field(RATING, lambda _: "99.0")),
    "stray_spaces": Planted(
        "users written with a blank, a no-break space or a zero-width space",
        3,
        3,
        _in_field(USER, lambda u: f"{u} ", lambda u: f"\u00a0{u}", lambda u: f"{u}\u200b"),
    ),
    "leading_zeros": Planted("jokes written with a zero before", 3, 3, _in_field(JOKE, lambda j: f"0{j}")),
    "case_twins": Planted("users written with a capital letter", 3, 3, _in_field(USER, str.upper)),
    "look_alikes": Planted(
        "users written with a Cyrillic letter", 2, 2, _in_field(USER, lambda u: u.replace("p", "\u0440"))
    ),
    "zero_time": Planted("times that are 0", 5, 5, _in_field(TIME, lambda _: "0")),
    "burst": Planted("ratings by one user in one second", 60, 1, _burst),
    "constant_users": Planted("users who give one and the same rating", 4, 4, _constant),
}


def generate(leave_out: Collection[str] = ()) -> str:
    """Make the dirty ratings anew, as the text of a CSV file.

    Parameters
    ----------
    leave_out : collection of str
        Keys of ``PLANTED`` that are not planted; the bundled file has them all.
    """
    lines = sample.generate().splitlines()[1:]
    rows = [
        _Row(int(fields[TIME]), [f"p{fields[USER]}", *fields[1:]]) for fields in (x.split(",") for x in lines)
    ]
    added: Rows = []
    for place, (kind, planted) in enumerate(PLANTED.items()):
        # Far apart, so that no row has two defects; the first hundred rows, which are looked at to find out
        # how a file is written, have none.
        chosen = rows[120 + 43 * place :: 600][: planted.rows]
        if kind not in leave_out:
            added += planted.plant(chosen)
    rows = sorted(rows + added, key=lambda row: row.at)
    return "\n".join([_HEADER, *(",".join(row.fields) for row in rows), ""])


def text() -> str:
    """Return the file that comes with the package."""
    packed = (files("foretaste.datasets") / "data" / _FILE).read_bytes()
    return gzip.decompress(packed).decode()


def path() -> AbstractContextManager[Path]:
    """Return the file that comes with the package, as a context that yields its path."""
    return as_file(files("foretaste.datasets") / "data" / _FILE)


def write(folder: Path) -> None:
    """Write the file that comes with the package."""
    (folder / _FILE).write_bytes(gzip.compress(generate().encode(), mtime=0))
