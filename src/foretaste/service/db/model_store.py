"""Stored models: their rows and files, activation and rollback."""

from __future__ import annotations

import hashlib
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from foretaste.errors import NotFoundError
from foretaste.service.db.database import ConflictError, Connection
from foretaste.service.db.schema import activations, jobs, models


@dataclass(frozen=True)
class StoredModel:
    """A row of the models table: a model file that passed its checks."""

    id: int
    file: str
    sha256: str
    spec: dict[str, Any]
    origin: str
    created_at: int
    n_ratings: int
    checks: dict[str, Any]


def list_models(connection: Connection) -> list[StoredModel]:
    """Return all models, the newest first."""
    return [StoredModel(*row) for row in connection.execute(sa.select(models).order_by(models.c.id.desc()))]


def get_model(connection: Connection, model_id: int) -> StoredModel:
    """Return a model by its id.

    Raises
    ------
    NotFoundError
        If there is no such model.
    """
    row = connection.execute(sa.select(models).where(models.c.id == model_id)).one_or_none()
    if row is None:
        raise NotFoundError(f"there is no model {model_id}", hint="GET /api/v1/models")
    return StoredModel(*row)


def get_active_model(connection: Connection) -> tuple[int, StoredModel] | None:
    """Return the id of the latest activation and its model; None if no model was ever activated."""
    query = sa.select(activations.c.id, models).join(models, models.c.id == activations.c.model_id)
    row = connection.execute(query.order_by(activations.c.id.desc()).limit(1)).one_or_none()
    return None if row is None else (row[0], StoredModel(*row[1:]))


def add_model(connection: Connection, row: dict[str, Any]) -> int:
    """Insert a row for a model file that is already in the models folder; return the model's id."""
    values = row | {"created_at": int(time.time())}
    return int(connection.execute(sa.insert(models).values(**values).returning(models.c.id)).scalar_one())


def _lock_activations(connection: Connection) -> None:
    """Serialize changes of activations, without blocking readers; SQLite has one writer anyway."""
    if connection.dialect.name == "postgresql":
        connection.execute(sa.text("LOCK TABLE activations IN EXCLUSIVE MODE"))


def activate_model(connection: Connection, model_id: int, reason: str) -> int:
    """Activate a model; return the id of the activation."""
    _lock_activations(connection)
    get_model(connection, model_id)
    current = get_active_model(connection)
    if current is not None and current[1].id == model_id:
        return current[0]
    return _insert_activation(connection, model_id, reason)


def _insert_activation(connection: Connection, model_id: int, reason: str) -> int:
    values = {"model_id": model_id, "created_at": int(time.time()), "reason": reason}
    statement = sa.insert(activations).values(**values).returning(activations.c.id)
    return int(connection.execute(statement).scalar_one())


def roll_back(connection: Connection) -> int:
    """Activate the previously active model; return its id.

    Activations form a stack: rolling back twice goes back two models.

    Raises
    ------
    ConflictError
        If there is no previous model.
    """
    _lock_activations(connection)
    stack = _activation_stack(connection)
    if len(stack) < 2:
        raise ConflictError("there is no previous model", hint="GET /api/v1/models")
    _insert_activation(connection, stack[-2], "rolled back")
    return stack[-2]


def delete_model(connection: Connection, model_id: int) -> None:
    """Delete a model and its activations; its jobs stay, without a model.

    Raises
    ------
    ConflictError
        If the model is active.
    """
    _lock_activations(connection)
    current = get_active_model(connection)
    if current is not None and current[1].id == model_id:
        raise ConflictError("this model is active; activate another one first")
    connection.execute(sa.update(jobs).where(jobs.c.model_id == model_id).values(model_id=None))
    stack = _activation_stack(connection)
    connection.execute(sa.delete(activations))
    for remaining_id in stack:  # with new ids, which are never reused: workers detect a change by them
        if remaining_id != model_id:
            _insert_activation(connection, remaining_id, "chosen")
    connection.execute(sa.delete(models).where(models.c.id == model_id))


def _activation_stack(connection: Connection) -> list[int]:
    """Return the ids of the models that a rollback can reach, the active one last."""
    query = sa.select(activations.c.model_id, activations.c.reason).order_by(activations.c.id)
    stack: list[int] = []
    for model_id, reason in connection.execute(query):
        if reason == "rolled back":
            stack.pop()
        else:
            stack.append(model_id)
    return stack


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of a file as hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def delete_orphan_files(connection: Connection, directory: Path, *, min_age: float = 3600.0) -> list[str]:
    """Delete model files without a row, left behind by a killed upload or job; return their names.

    Parameters
    ----------
    connection : Connection
    directory : Path
    min_age : float
        Seconds since the last write: a younger file may belong to a running upload or job.
    """
    known = {model.file for model in list_models(connection)}
    deleted_names = []
    for path in directory.iterdir():
        if path.name not in known and time.time() - path.stat().st_mtime > min_age:
            path.unlink(missing_ok=True)
            deleted_names.append(path.name)
    return deleted_names


def fsync_directory(directory: Path) -> None:
    """Flush a directory's entries to disk."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
