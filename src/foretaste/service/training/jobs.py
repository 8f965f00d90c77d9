"""Background training jobs: one at a time, each in a subprocess that ends with the service."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from foretaste.errors import InvalidParameterError, ModelFileError, NotFoundError
from foretaste.models.spec import as_spec, from_spec
from foretaste.service.db import model_store
from foretaste.service.db.database import ConflictError, Connection, Database
from foretaste.service.db.schema import jobs
from foretaste.service.settings import Settings

log = logging.getLogger("foretaste.service")

JOB_SLOT = "retrain"
_HEARTBEAT_TIMEOUT = 30  # seconds without a heartbeat after which a job is lost


class JobRunningError(ConflictError):
    """Another training job is running."""

    code = "job_running"


@dataclass(frozen=True)
class Job:
    """A row of the jobs table."""

    id: int
    state: str
    spec: dict[str, Any]
    started_at: int
    heartbeat_at: int
    finished_at: int | None
    label: str
    done: int
    total: int
    note: str
    cancel_requested: bool
    model_id: int | None


_QUERY = sa.select(*(column for column in jobs.c if column.name != "slot"))


def list_jobs(connection: Connection, limit: int = 50) -> list[Job]:
    """Return the latest jobs, newest first."""
    return [Job(*row) for row in connection.execute(_QUERY.order_by(jobs.c.id.desc()).limit(limit))]


def get_job(connection: Connection, job_id: int) -> Job:
    """Return a job by its id.

    Raises
    ------
    NotFoundError
        If there is no such job.
    """
    row = connection.execute(_QUERY.where(jobs.c.id == job_id)).one_or_none()
    if row is None:
        raise NotFoundError(f"there is no job {job_id}", hint="GET /api/v1/jobs")
    return Job(*row)


def create_job(connection: Connection, spec: dict[str, Any] | None) -> int:
    """Create a running job in the only slot; return its id.

    Parameters
    ----------
    connection : Connection
        From ``write_transaction``.
    spec : dict, optional
        The model to train; default: the spec of the active model.

    Raises
    ------
    JobRunningError
        If a job is running.
    """
    mark_lost_jobs(connection)
    if spec is None:
        active = model_store.get_active_model(connection)
        if active is None:
            raise InvalidParameterError("no active model whose spec could be used", hint='"model": "SVD"')
        spec = active[1].spec
    spec = as_spec(from_spec(spec))
    now = int(time.time())
    values = {
        "slot": JOB_SLOT, "state": "running", "spec": spec, "started_at": now,
        "heartbeat_at": now, "label": "starting", "done": 0, "total": 0, "note": "",
        "cancel_requested": False,
    }  # fmt: skip
    try:
        with connection.begin_nested():
            statement = sa.insert(jobs).values(**values).returning(jobs.c.id)
            return int(connection.execute(statement).scalar_one())
    except sa.exc.IntegrityError:
        raise JobRunningError("a training job is running", hint="GET /api/v1/jobs, or cancel it") from None


def mark_lost_jobs(connection: Connection) -> None:
    """Mark a job as lost if its process sent no heartbeat for half a minute."""
    is_stale = (jobs.c.slot == JOB_SLOT) & (jobs.c.heartbeat_at < int(time.time()) - _HEARTBEAT_TIMEOUT)
    connection.execute(
        sa.update(jobs).where(is_stale).values(slot=None, state="lost", finished_at=int(time.time()))
    )


def request_cancel(connection: Connection, job_id: int) -> None:
    """Request that a job stops, which takes a second or two; a finished one does not change."""
    get_job(connection, job_id)
    is_running = (jobs.c.id == job_id) & (jobs.c.slot == JOB_SLOT)
    connection.execute(sa.update(jobs).where(is_running).values(cancel_requested=True))


def heartbeat(connection: Connection, job_id: int, label: str, done: int, total: int, note: str) -> bool:
    """Record a job's progress; return whether it should continue."""
    is_running = (jobs.c.id == job_id) & (jobs.c.slot == JOB_SLOT)
    values = {
        "heartbeat_at": int(time.time()),
        "label": label,
        "done": done,
        "total": total,
        "note": note[:500],
    }
    cancel_requested = connection.execute(
        sa.update(jobs).where(is_running).values(**values).returning(jobs.c.cancel_requested)
    ).scalar_one_or_none()
    return cancel_requested is False


def finish_job(
    connection: Connection, job_id: int, state: str, note: str, model_id: int | None = None
) -> bool:
    """Record how a job ended; return False if it was marked as lost before."""
    is_running = (jobs.c.id == job_id) & (jobs.c.slot == JOB_SLOT)
    values = {
        "slot": None, "state": state, "finished_at": int(time.time()), "note": note[:500],
        "model_id": model_id,
    }  # fmt: skip
    return connection.execute(sa.update(jobs).where(is_running).values(**values)).rowcount == 1


def validate_spec(name: str, params: dict[str, Any]) -> dict[str, Any]:
    """Return the spec of a model with all its hyperparameters.

    Raises
    ------
    InvalidParameterError
        If there is no such model, or a hyperparameter is not allowed.
    """
    try:
        return as_spec(from_spec({"model": name, "params": params}))
    except ModelFileError as error:
        raise InvalidParameterError(error.message, hint="foretaste models") from None


class JobRunner:
    """Starts the subprocesses of jobs, and ends them with the service.

    Parameters
    ----------
    settings : Settings
    database : Database
    """

    def __init__(self, settings: Settings, database: Database) -> None:
        self.settings, self.database = settings, database
        self._processes: dict[int, subprocess.Popen[bytes]] = {}

    def start(self, spec: dict[str, Any] | None) -> int:
        """Start a job; return its id.

        Raises
        ------
        JobRunningError
            If a job is running.
        """
        self._reap_processes()
        with self.database.write_transaction() as connection:
            job_id = create_job(connection, spec)
        process = subprocess.Popen(
            [sys.executable, "-m", "foretaste.service.training.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C is for the service; the job ends with its stdin
        )
        assert process.stdin is not None  # noqa: S101 - for the type checker
        process.stdin.write(
            (json.dumps({"job": job_id, "settings": self.settings.to_json()}) + "\n").encode()
        )
        process.stdin.flush()
        self._processes[job_id] = process
        return job_id

    def _reap_processes(self) -> None:
        """Close the pipes of processes that have ended."""
        for job_id, process in list(self._processes.items()):
            if process.poll() is not None:
                if process.stdin is not None:
                    process.stdin.close()
                del self._processes[job_id]

    def close(self) -> None:
        """Stop all jobs and wait for them."""
        for process in self._processes.values():
            if process.stdin is not None:
                process.stdin.close()
        for process in self._processes.values():
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
