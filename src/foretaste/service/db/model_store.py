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

from foretaste.errors import InvalidParameterError, NotFoundError
from foretaste.service.db.database import Connection
from foretaste.service.db.schema import activations, jobs, models

_COLUMNS = tuple(models.c)


@dataclass(frozen=True)
class StoredModel:
    """A model file that passed its checks."""

    id: int
    file: str
    sha256: str
    spec: dict[str, Any]
    origin: str
    created_at: int
    n_ratings: int
    checks: dict[str, Any]


def _from_row(row: Any) -> StoredModel:
    return _from_values(dict(row._mapping))


def _from_values(values: dict[str, Any]) -> StoredModel:
    return StoredModel(**values | {name: json.loads(values[name]) for name in ("spec", "checks")})


def list_models(connection: Connection) -> list[StoredModel]:
    """Return all models, the newest first."""
    return [
        _from_row(row) for row in connection.execute(sa.select(*_COLUMNS).order_by(models.c.number.desc()))
    ]


def get_model(connection: Connection, model_id: int) -> StoredModel:
    """Return a model by its number.

    Raises
    ------
    NotFoundError
        If there is none.
    """
    row = connection.execute(sa.select(*_COLUMNS).where(models.c.number == model_id)).one_or_none()
    if row is None:
        raise NotFoundError(f"there is no model {model_id}", hint="GET /api/v1/models")
    return _from_row(row)


def get_active_model(connection: Connection) -> tuple[int, StoredModel] | None:
    """Return the number of the activation in force and its model; None if there is none."""
    query = sa.select(activations.c.number.label("activation"), *_COLUMNS)
    query = query.join(models, models.c.number == activations.c.model)
    row = connection.execute(query.order_by(activations.c.number.desc()).limit(1)).one_or_none()
    if row is None:
        return None
    values = dict(row._mapping)
    activation_id = values.pop("activation")
    return activation_id, _from_values(values)


def add_model(connection: Connection, row: dict[str, Any]) -> int:
    """Add a row for a model file that is in its place; return its number."""
    values = row | {"made_at": int(time.time())}
    values |= {name: json.dumps(values[name], allow_nan=False) for name in ("spec", "checks")}
    return int(connection.execute(sa.insert(models).values(**values).returning(models.c.number)).scalar_one())


def _lock_activations(connection: Connection) -> None:
    """Wait for others who change activations; SQLite has one writer anyway. Reading goes on."""
    if connection.dialect.name == "postgresql":
        connection.execute(sa.text("LOCK TABLE activations IN EXCLUSIVE MODE"))


def activate_model(connection: Connection, model_id: int, reason: str) -> int:
    """Let a model serve from now on; return the number of the activation."""
    _lock_activations(connection)
    get_model(connection, model_id)
    current = get_active_model(connection)
    if current is not None and current[1].id == model_id:
        return current[0]
    values = {"model": model_id, "at": int(time.time()), "reason": reason}
    statement = sa.insert(activations).values(**values).returning(activations.c.number)
    return int(connection.execute(statement).scalar_one())


def roll_back(connection: Connection) -> int:
    """Let the model serve that did before the active one; return its number.

    Going back twice goes back two models: what was rolled back from is not come back to.

    Raises
    ------
    InvalidParameterError
        If there is none before it.
    """
    _lock_activations(connection)
    stack = _activation_stack(connection)
    if len(stack) < 2:
        raise InvalidParameterError("there is no model before the active one", hint="GET /api/v1/models")
    values = {"model": stack[-2], "at": int(time.time()), "reason": "rolled back"}
    connection.execute(sa.insert(activations).values(**values))
    return stack[-2]


def delete_model(connection: Connection, model_id: int) -> None:
    """Remove a model and its activations; its trainings stay, without it.

    Raises
    ------
    InvalidParameterError
        If it is active.
    """
    _lock_activations(connection)
    current = get_active_model(connection)
    if current is not None and current[1].id == model_id:
        raise InvalidParameterError("this model is active", hint="activate another one first")
    connection.execute(sa.update(jobs).where(jobs.c.model == model_id).values(model=None))
    remaining_ids = [
        remaining_id for remaining_id in _activation_stack(connection) if remaining_id != model_id
    ]
    connection.execute(sa.delete(activations))
    for (
        remaining_id
    ) in remaining_ids:  # under new numbers, which never come twice: workers know activations by them
        values = {"model": remaining_id, "at": int(time.time()), "reason": "chosen"}
        connection.execute(sa.insert(activations).values(**values))
    connection.execute(sa.delete(models).where(models.c.number == model_id))


def _activation_stack(connection: Connection) -> list[int]:
    """Return the models that can be gone back to, the active one last."""
    query = sa.select(activations.c.model, activations.c.reason).order_by(activations.c.number)
    stack: list[int] = []
    for model_id, reason in connection.execute(query):
        if reason == "rolled back":
            stack.pop()
        else:
            stack.append(model_id)
    return stack


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def delete_orphan_files(connection: Connection, directory: Path, *, min_age: float = 3600.0) -> list[str]:
    """Remove model files that no row knows: what an upload or a job left that was killed.

    Parameters
    ----------
    connection : Connection
    directory : Path
    min_age : float
        Seconds since the file was last written: younger ones may be at work.
    """
    known = {model.file for model in list_models(connection)}
    deleted_names = []
    for path in directory.iterdir():
        if path.name not in known and time.time() - path.stat().st_mtime > min_age:
            path.unlink(missing_ok=True)
            deleted_names.append(path.name)
    return deleted_names


def fsync_directory(directory: Path) -> None:
    """Wait until the names in a folder are on disk."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
