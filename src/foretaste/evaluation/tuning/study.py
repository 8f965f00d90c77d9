"""The trials of a search, kept in an SQLite file fold by fold, so that a search can go on where it was.

A table of our own and not optuna's: it keeps each fold as soon as it is judged, serves the searches that
need no optuna, and opens in a millisecond.
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from foretaste.errors import BadData, InvalidParameter, NotFound

_OURS = 0x46545354  # SQLite's application_id
_TABLES = """
CREATE TABLE about (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE trials (part TEXT, number INTEGER, params TEXT NOT NULL, state TEXT, reason TEXT,
                     PRIMARY KEY (part, number));
CREATE TABLE folds (part TEXT, number INTEGER, fold INTEGER, score REAL NOT NULL, seconds REAL NOT NULL,
                    PRIMARY KEY (part, number, fold));
CREATE TABLE judged (part TEXT, params TEXT, score REAL NOT NULL, seconds REAL NOT NULL,
                     PRIMARY KEY (part, params));
"""
# What makes a study another one, and how to say so.
_OTHERS = {
    "format": "in a format of another version of foretaste",
    "fingerprint": "of other ratings",
    "order": "of the same ratings in another order, so that its folds are others",
    "scale": "of ratings with another declared scale",
    "model": "of another model",
    "space": "over another space",
    "method": "by another method",
    "seed": "with another seed",
    "split": "on other folds",
    "metric": "by another metric",
    "prune": "with other rules of pruning",
}

COMPLETE, PRUNED, REFUSED = "complete", "pruned", "refused"


@dataclass
class Trial:
    """One setting, and what came of it so far."""

    number: int
    params: dict[str, Any]  # as JSON holds them
    scores: list[float] = field(default_factory=list)  # one a fold
    seconds: float = 0.0
    state: str | None = None  # None: not finished
    reason: str | None = None

    @property
    def mean(self) -> float:
        """The mean of the folds judged."""
        return sum(self.scores) / len(self.scores)


class Study:
    """What is kept of a search; each call is on the disk when it returns.

    Parameters
    ----------
    path : path or None
        The file; None keeps nothing longer than the object.
    about : dict
        What the search is about: a file about something else is refused.

    Raises
    ------
    InvalidParameter
        If the file is a study of something else.
    BadData
        If the file is no study, or in use.
    NotFound
        If there is no such folder.
    """

    def __init__(self, path: str | os.PathLike[str] | None, about: dict[str, Any]) -> None:
        self.path = None if path is None else str(path)
        if path is not None and not Path(path).resolve().parent.is_dir():
            raise NotFound(
                f"cannot keep a study in {path}: there is no folder {Path(path).resolve().parent}",
                hint=f"mkdir -p {Path(path).parent}",
            )
        with self._explained():
            self._base = sqlite3.connect(self.path or ":memory:", isolation_level=None, timeout=1)
        try:
            with self._explained():
                self._begin(about)
        except BaseException:
            self._base.close()
            raise

    def _begin(self, about: dict[str, Any]) -> None:
        self._base.execute("PRAGMA locking_mode = EXCLUSIVE")  # two searches would run the same trials
        self._base.execute("BEGIN EXCLUSIVE")
        (ours,), (tables,) = (
            self._base.execute(query).fetchone()
            for query in ("PRAGMA application_id", "SELECT count(*) FROM sqlite_master")
        )
        if tables and ours != _OURS:
            raise BadData(f"{self.path} is a database, but no study of foretaste", hint=self._elsewhere())
        if tables:
            self._check(about)
        else:
            for statement in _TABLES.split(";"):
                self._base.execute(statement)
            self._base.execute(f"PRAGMA application_id = {_OURS}")
            rows = [(name, json.dumps(value)) for name, value in about.items()]
            self._base.executemany("INSERT INTO about VALUES (?, ?)", rows)
        self._base.execute("COMMIT")

    def _check(self, about: dict[str, Any]) -> None:
        kept = {
            name: json.loads(value) for name, value in self._base.execute("SELECT name, value FROM about")
        }
        wanted = json.loads(json.dumps(about))
        for name, words in _OTHERS.items():
            if kept.get(name) != wanted[name]:
                raise InvalidParameter(
                    f"{self.path} is a study {words}: {_short(kept.get(name))} there, "
                    f"{_short(wanted[name])} here",
                    hint=self._elsewhere(),
                )

    def _elsewhere(self) -> str:
        """Return the hint to keep the study in a file that is not there yet."""
        path = Path(self.path or "tune.db")
        names = (path.with_name(f"{path.stem}-{n}{path.suffix or '.db'}") for n in range(2, 1000))
        return f'study="{next(name for name in names if not name.exists())}"'

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """Turn what SQLite says into errors of ours."""
        try:
            yield
        except sqlite3.DatabaseError as error:
            if "locked" in str(error):
                raise BadData(
                    f"{self.path} is in use by another search", hint=f"wait for it, or {self._elsewhere()}"
                ) from None
            if "not a database" in str(error):
                raise BadData(f"{self.path} is no study of foretaste", hint=self._elsewhere()) from None
            raise BadData(f"cannot keep the study in {self.path}: {error}", hint=self._elsewhere()) from None

    def close(self) -> None:
        """Let go of the file."""
        self._base.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # What is kept --------------------------------------------------------------------------------------

    def trials(self, part: str) -> list[Trial]:
        """Return the trials of one search, in their order; only the last may be unfinished."""
        found = {}
        with self._explained():
            for number, params, state, reason in self._base.execute(
                "SELECT number, params, state, reason FROM trials WHERE part = ? ORDER BY number", (part,)
            ):
                found[number] = Trial(number, json.loads(params), state=state, reason=reason)
            for number, score, seconds in self._base.execute(
                "SELECT number, score, seconds FROM folds WHERE part = ? ORDER BY number, fold", (part,)
            ):
                found[number].scores.append(score)
                found[number].seconds += seconds
        return list(found.values())

    def begin(self, part: str, trial: Trial) -> None:
        """Keep what a trial is going to try."""
        self._write(
            "INSERT INTO trials VALUES (?, ?, ?, NULL, NULL)", part, trial.number, json.dumps(trial.params)
        )

    def add_fold(self, part: str, trial: Trial, score: float, seconds: float) -> None:
        """Keep the score of the next fold of a trial."""
        self._write(
            "INSERT INTO folds VALUES (?, ?, ?, ?, ?)", part, trial.number, len(trial.scores), score, seconds
        )
        trial.scores.append(score)
        trial.seconds += seconds

    def finish(self, part: str, trial: Trial, state: str, reason: str | None = None) -> None:
        """Keep how a trial ended."""
        self._write(
            "UPDATE trials SET state = ?, reason = ? WHERE part = ? AND number = ?",
            state, reason, part, trial.number,
        )  # fmt: skip
        trial.state, trial.reason = state, reason

    def judged(self, part: str, params: dict[str, Any]) -> float | None:
        """Return the score of a setting on the outer fold of a part, if it is there."""
        with self._explained():
            row = self._base.execute(
                "SELECT score FROM judged WHERE part = ? AND params = ?", (part, key_of(params))
            ).fetchone()
        return None if row is None else float(row[0])

    def add_judged(self, part: str, params: dict[str, Any], score: float, seconds: float) -> None:
        """Keep the score of a setting on an outer fold."""
        self._write("INSERT INTO judged VALUES (?, ?, ?, ?)", part, key_of(params), score, seconds)

    def seconds(self, part: str = "") -> float:
        """Return how long one search took with its outer fold; without a name, all of them."""
        total = 0.0
        for table in ("folds", "judged"):
            query = f"SELECT coalesce(sum(seconds), 0) FROM {table} WHERE ? IN (part, '')"  # noqa: S608 - ours
            with self._explained():
                total += float(self._base.execute(query, (part,)).fetchone()[0])
        return total

    def _write(self, statement: str, *values: Any) -> None:
        with self._explained():
            self._base.execute(statement, values)


def key_of(params: dict[str, Any]) -> str:
    """Return a setting as text, equal for equal settings."""
    return json.dumps(params, sort_keys=True)


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    return text if len(text) <= 90 else text[:87] + "..."
