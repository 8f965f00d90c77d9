"""Model files and their rows: what there is, which one is active, and which were before it."""

from __future__ import annotations

import hashlib
import json
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from foretaste.errors import InvalidParameter, NotFound
from foretaste.service.db.database import Connection
from foretaste.service.db.schema import activations, jobs, models

_COLUMNS = tuple(models.c)


@dataclass(frozen=True)
class KeptModel:
    """A model file that passed its checks."""

    number: int
    file: str
    sha256: str
    spec: dict[str, Any]
    origin: str
    made_at: int
    ratings: int
    checks: dict[str, Any]


def _from_row(row: Any) -> KeptModel:
    return _from_values(dict(row._mapping))


def _from_values(values: dict[str, Any]) -> KeptModel:
    return KeptModel(**values | {name: json.loads(values[name]) for name in ("spec", "checks")})


def listed(connection: Connection) -> list[KeptModel]:
    """Return all models, the newest first."""
    return [
        _from_row(row) for row in connection.execute(sa.select(*_COLUMNS).order_by(models.c.number.desc()))
    ]


def one(connection: Connection, number: int) -> KeptModel:
    """Return a model by its number.

    Raises
    ------
    NotFound
        If there is none.
    """
    row = connection.execute(sa.select(*_COLUMNS).where(models.c.number == number)).one_or_none()
    if row is None:
        raise NotFound(f"there is no model {number}", hint="GET /api/v1/models")
    return _from_row(row)


def active(connection: Connection) -> tuple[int, KeptModel] | None:
    """Return the number of the activation in force and its model; None if there is none."""
    query = sa.select(activations.c.number.label("activation"), *_COLUMNS)
    query = query.join(models, models.c.number == activations.c.model)
    row = connection.execute(query.order_by(activations.c.number.desc()).limit(1)).one_or_none()
    if row is None:
        return None
    values = dict(row._mapping)
    activation = values.pop("activation")
    return activation, _from_values(values)


def add(connection: Connection, kept: dict[str, Any]) -> int:
    """Add a row for a model file that is in its place; return its number."""
    values = kept | {"made_at": int(time.time())}
    values |= {name: json.dumps(values[name], allow_nan=False) for name in ("spec", "checks")}
    return int(connection.execute(sa.insert(models).values(**values).returning(models.c.number)).scalar_one())


def _one_at_a_time(connection: Connection) -> None:
    """Wait for others who change activations; SQLite has one writer anyway. Reading goes on."""
    if connection.dialect.name == "postgresql":
        connection.execute(sa.text("LOCK TABLE activations IN EXCLUSIVE MODE"))


def activate(connection: Connection, number: int, reason: str) -> int:
    """Let a model serve from now on; return the number of the activation."""
    _one_at_a_time(connection)
    one(connection, number)
    now = active(connection)
    if now is not None and now[1].number == number:
        return now[0]
    values = {"model": number, "at": int(time.time()), "reason": reason}
    added = sa.insert(activations).values(**values).returning(activations.c.number)
    return int(connection.execute(added).scalar_one())


def roll_back(connection: Connection) -> int:
    """Let the model serve that did before the active one; return its number.

    Going back twice goes back two models: what was rolled back from is not come back to.

    Raises
    ------
    InvalidParameter
        If there is none before it.
    """
    _one_at_a_time(connection)
    stack = _in_turn(connection)
    if len(stack) < 2:
        raise InvalidParameter("there is no model before the active one", hint="GET /api/v1/models")
    values = {"model": stack[-2], "at": int(time.time()), "reason": "rolled back"}
    connection.execute(sa.insert(activations).values(**values))
    return stack[-2]


def remove(connection: Connection, number: int) -> None:
    """Remove a model and its activations; its trainings stay, without it.

    Raises
    ------
    InvalidParameter
        If it is active.
    """
    _one_at_a_time(connection)
    now = active(connection)
    if now is not None and now[1].number == number:
        raise InvalidParameter("this model is active", hint="activate another one first")
    connection.execute(sa.update(jobs).where(jobs.c.model == number).values(model=None))
    kept = [model for model in _in_turn(connection) if model != number]
    connection.execute(sa.delete(activations))
    for model in kept:  # under new numbers, which never come twice: workers know activations by them
        values = {"model": model, "at": int(time.time()), "reason": "chosen"}
        connection.execute(sa.insert(activations).values(**values))
    connection.execute(sa.delete(models).where(models.c.number == number))


def _in_turn(connection: Connection) -> list[int]:
    """Return the models that can be gone back to, the active one last."""
    query = sa.select(activations.c.model, activations.c.reason).order_by(activations.c.number)
    stack: list[int] = []
    for model, reason in connection.execute(query):
        if reason == "rolled back":
            stack.pop()
        else:
            stack.append(model)
    return stack


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sweep(connection: Connection, folder: Path, *, older_than: float = 3600.0) -> list[str]:
    """Remove model files that no row knows: what an upload or a job left that was killed.

    Parameters
    ----------
    connection : Connection
    folder : Path
    older_than : float
        Seconds since the file was last written: younger ones may be at work.
    """
    known = {kept.file for kept in listed(connection)}
    gone = []
    for path in folder.iterdir():
        if path.name not in known and time.time() - path.stat().st_mtime > older_than:
            path.unlink(missing_ok=True)
            gone.append(path.name)
    return gone


def sync_folder(folder: Path) -> None:
    """Wait until the names in a folder are on disk."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
