"""The trials of a search, saved to a SQLite file fold by fold, so that an interrupted search can be resumed.

Not optuna's storage: this one commits each fold, serves the samplers that do not need optuna, and opens in a
millisecond.
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

from foretaste.errors import DataError, Hint, InvalidParameterError, NotFoundError

_APPLICATION_ID = 0x46545354  # SQLite's application_id
_SCHEMA = """
CREATE TABLE about (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE trials (search TEXT, number INTEGER, params TEXT NOT NULL, state TEXT, reason TEXT,
                     PRIMARY KEY (search, number));
CREATE TABLE folds (search TEXT, number INTEGER, fold INTEGER, score REAL NOT NULL, seconds REAL NOT NULL,
                    PRIMARY KEY (search, number, fold));
CREATE TABLE outer_scores (search TEXT, params TEXT, score REAL NOT NULL, seconds REAL NOT NULL,
                     PRIMARY KEY (search, params));
"""
# The metadata that must agree for a study to be resumed, and the words for a mismatch.
_MISMATCH_TEXTS = {
    "format": "in a format of another version of foretaste",
    "fingerprint": "of other ratings",
    "order": "of the same ratings in another order, so that its folds differ",
    "scale": "of ratings with another declared scale",
    "model": "of another model",
    "space": "with another space",
    "method": "with another method",
    "seed": "with another seed",
    "split": "on other folds",
    "metric": "with another metric",
    "prune": "with other pruning",
}

COMPLETE, PRUNED, FAILED = "complete", "pruned", "failed"


@dataclass
class Trial:
    """One setting and its result so far."""

    number: int
    params: dict[str, Any]  # in JSON form
    scores: list[float] = field(default_factory=list)  # one per fold
    seconds: float = 0.0
    state: str | None = None  # None: not finished
    reason: str | None = None

    @property
    def mean(self) -> float:
        """Mean score of the evaluated folds."""
        return sum(self.scores) / len(self.scores)


class Study:
    """Storage of searches; each write is on disk when the call returns.

    Parameters
    ----------
    path : path or None
        The file; None stores the study in memory.
    metadata : dict
        What the search depends on; a file with other metadata is refused.

    Raises
    ------
    InvalidParameterError
        If the file is a study of another search.
    DataError
        If the file is not a study, or is in use.
    NotFoundError
        If there is no such folder.
    """

    def __init__(self, path: str | os.PathLike[str] | None, metadata: dict[str, Any]) -> None:
        self.path = None if path is None else str(path)
        if path is not None and not Path(path).resolve().parent.is_dir():
            raise NotFoundError(
                f"cannot create a study in {path}: there is no folder {Path(path).resolve().parent}",
                hint=f"mkdir -p {Path(path).parent}",
            )
        with self._translate_errors():
            self._connection = sqlite3.connect(self.path or ":memory:", isolation_level=None, timeout=1)
        try:
            with self._translate_errors():
                self._open(metadata)
        except BaseException:
            self._connection.close()
            raise

    def _open(self, metadata: dict[str, Any]) -> None:
        self._connection.execute("PRAGMA locking_mode = EXCLUSIVE")  # else two could run the same trials
        self._connection.execute("BEGIN EXCLUSIVE")
        (application_id,), (n_tables,) = (
            self._connection.execute(query).fetchone()
            for query in ("PRAGMA application_id", "SELECT count(*) FROM sqlite_master")
        )
        if n_tables and application_id != _APPLICATION_ID:
            raise DataError(
                f"{self.path} is a database, but not a study of foretaste", hint=self._suggest_path()
            )
        if n_tables:
            self._check_metadata(metadata)
        else:
            for statement in _SCHEMA.split(";"):
                self._connection.execute(statement)
            self._connection.execute(f"PRAGMA application_id = {_APPLICATION_ID}")
            rows = [(name, json.dumps(value)) for name, value in metadata.items()]
            self._connection.executemany("INSERT INTO about VALUES (?, ?)", rows)
        self._connection.execute("COMMIT")

    def _check_metadata(self, metadata: dict[str, Any]) -> None:
        stored = {
            name: json.loads(value)
            for name, value in self._connection.execute("SELECT name, value FROM about")
        }
        expected = json.loads(json.dumps(metadata))
        for name, text in _MISMATCH_TEXTS.items():
            if stored.get(name) != expected[name]:
                raise InvalidParameterError(
                    f"{self.path} is a study {text}: {_shorten(stored.get(name))} there, "
                    f"{_shorten(expected[name])} now",
                    hint=self._suggest_path(),
                )

    def _suggest_path(self, note: str = "") -> Hint:
        """Suggest a file that does not exist yet."""
        path = Path(self.path or "tune.db")
        names = (path.with_name(f"{path.stem}-{n}{path.suffix or '.db'}") for n in range(2, 1000))
        return Hint({"study": str(next(name for name in names if not name.exists()))}, note)

    @contextmanager
    def _translate_errors(self) -> Iterator[None]:
        """Raise the errors of SQLite as errors of foretaste."""
        try:
            yield
        except sqlite3.DatabaseError as error:
            if "locked" in str(error):
                raise DataError(
                    f"{self.path} is in use by another search",
                    hint=self._suggest_path("(or wait for it)"),
                ) from None
            if "not a database" in str(error):
                raise DataError(
                    f"{self.path} is not a study of foretaste", hint=self._suggest_path()
                ) from None
            raise DataError(
                f"cannot use the study in {self.path}: {error}", hint=self._suggest_path()
            ) from None

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # Reading and writing ---------------------------------------------------------------------------------

    def trials(self, search_name: str) -> list[Trial]:
        """Return the trials of one search in order; only the last may be unfinished."""
        trials = {}
        with self._translate_errors():
            for number, params, state, reason in self._connection.execute(
                "SELECT number, params, state, reason FROM trials WHERE search = ? ORDER BY number",
                (search_name,),
            ):
                trials[number] = Trial(number, json.loads(params), state=state, reason=reason)
            for number, score, seconds in self._connection.execute(
                "SELECT number, score, seconds FROM folds WHERE search = ? ORDER BY number, fold",
                (search_name,),
            ):
                trials[number].scores.append(score)
                trials[number].seconds += seconds
        return list(trials.values())

    def start_trial(self, search_name: str, trial: Trial) -> None:
        """Save a new trial."""
        self._execute(
            "INSERT INTO trials VALUES (?, ?, ?, NULL, NULL)",
            search_name,
            trial.number,
            json.dumps(trial.params),
        )

    def add_fold_score(self, search_name: str, trial: Trial, score: float, seconds: float) -> None:
        """Save the score of the next fold of a trial."""
        self._execute(
            "INSERT INTO folds VALUES (?, ?, ?, ?, ?)",
            search_name,
            trial.number,
            len(trial.scores),
            score,
            seconds,
        )
        trial.scores.append(score)
        trial.seconds += seconds

    def finish_trial(self, search_name: str, trial: Trial, state: str, reason: str | None = None) -> None:
        """Save the final state of a trial."""
        self._execute(
            "UPDATE trials SET state = ?, reason = ? WHERE search = ? AND number = ?",
            state, reason, search_name, trial.number,
        )  # fmt: skip
        trial.state, trial.reason = state, reason

    def outer_score(self, search_name: str, params: dict[str, Any]) -> float | None:
        """Return the score of a setting on the outer fold of a search, or None if it is not there."""
        with self._translate_errors():
            row = self._connection.execute(
                "SELECT score FROM outer_scores WHERE search = ? AND params = ?",
                (search_name, params_key(params)),
            ).fetchone()
        return None if row is None else float(row[0])

    def add_outer_score(self, search_name: str, params: dict[str, Any], score: float, seconds: float) -> None:
        """Save the score of a setting on an outer fold."""
        self._execute(
            "INSERT INTO outer_scores VALUES (?, ?, ?, ?)", search_name, params_key(params), score, seconds
        )

    def total_seconds(self, search_name: str = "") -> float:
        """Return the duration of one search with its outer fold; without a name, of all."""
        total = 0.0
        for table in ("folds", "outer_scores"):
            query = f"SELECT coalesce(sum(seconds), 0) FROM {table} WHERE ? IN (search, '')"  # noqa: S608
            with self._translate_errors():
                total += float(self._connection.execute(query, (search_name,)).fetchone()[0])
        return total

    def _execute(self, statement: str, *values: Any) -> None:
        with self._translate_errors():
            self._connection.execute(statement, values)


def params_key(params: dict[str, Any]) -> str:
    """Return a setting as text, equal for equal settings."""
    return json.dumps(params, sort_keys=True)


def _shorten(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    return text if len(text) <= 90 else text[:87] + "..."
