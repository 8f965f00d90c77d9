"""Training in the background: one job at a time, in a process of its own that ends with the service."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from foretaste.errors import InvalidParameterError, NotFoundError
from foretaste.models.spec import as_spec, from_spec
from foretaste.service.db import model_store
from foretaste.service.db.database import Connection, Database
from foretaste.service.db.schema import jobs
from foretaste.service.settings import Settings

log = logging.getLogger("foretaste.service")

JOB_SLOT = "retrain"
_HEARTBEAT_TIMEOUT = 30  # seconds without a sign of life after which a job is lost


class JobRunningError(InvalidParameterError):
    """Another job is at work."""

    code = "busy"


@dataclass(frozen=True)
class Job:
    """A training, as it stands."""

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


_COLUMNS = tuple(column for column in jobs.c if column.name != "slot")


def _from_row(row: Any) -> Job:
    values = dict(row._mapping)
    return Job(**values | {"spec": json.loads(values["spec"])})


def list_jobs(connection: Connection, limit: int = 50) -> list[Job]:
    """Return the last jobs, the newest first."""
    rows = connection.execute(sa.select(*_COLUMNS).order_by(jobs.c.number.desc()).limit(limit))
    return [_from_row(row) for row in rows]


def get_job(connection: Connection, job_id: int) -> Job:
    """Return a job by its number.

    Raises
    ------
    NotFoundError
        If there is none.
    """
    row = connection.execute(sa.select(*_COLUMNS).where(jobs.c.number == job_id)).one_or_none()
    if row is None:
        raise NotFoundError(f"there is no job {job_id}", hint="GET /api/v1/jobs")
    return _from_row(row)


def create_job(connection: Connection, spec: dict[str, Any] | None) -> int:
    """Take the only place for a job at work; return its number.

    Parameters
    ----------
    connection : Connection
        Of ``writing``.
    spec : dict, optional
        The model to learn; default: the settings of the active one.

    Raises
    ------
    Busy
        If one is at work.
    """
    mark_lost_jobs(connection)
    if spec is None:
        active = model_store.get_active_model(connection)
        if active is None:
            raise InvalidParameterError(
                "there is no active model whose settings to take", hint='"model": "SVD"'
            )
        spec = active[1].spec
    spec = as_spec(from_spec(spec))
    now = int(time.time())
    values = {
        "slot": JOB_SLOT, "state": "running", "spec": json.dumps(spec), "started_at": now, "seen_at": now,
        "label": "starting", "done": 0, "total": 0, "note": "", "cancel": False,
    }  # fmt: skip
    try:
        with connection.begin_nested():
            statement = sa.insert(jobs).values(**values).returning(jobs.c.number)
            return int(connection.execute(statement).scalar_one())
    except sa.exc.IntegrityError:
        raise JobRunningError("a training is at work", hint="GET /api/v1/jobs, or cancel it") from None


def mark_lost_jobs(connection: Connection) -> None:
    """Mark a job as lost whose process has given no sign of life for half a minute."""
    is_stale = (jobs.c.slot == JOB_SLOT) & (jobs.c.seen_at < int(time.time()) - _HEARTBEAT_TIMEOUT)
    connection.execute(
        sa.update(jobs).where(is_stale).values(slot=None, state="lost", ended_at=int(time.time()))
    )


def request_cancel(connection: Connection, job_id: int) -> None:
    """Ask a job to stop, which takes a second or two; one that is over stays as it is."""
    get_job(connection, job_id)
    is_running = (jobs.c.number == job_id) & (jobs.c.slot == JOB_SLOT)
    connection.execute(sa.update(jobs).where(is_running).values(cancel=True))


def heartbeat(connection: Connection, job_id: int, label: str, done: int, total: int, note: str) -> bool:
    """Say how far a job is; return whether it is to go on."""
    is_running = (jobs.c.number == job_id) & (jobs.c.slot == JOB_SLOT)
    values = {"seen_at": int(time.time()), "label": label, "done": done, "total": total, "note": note[:500]}
    cancel_requested = connection.execute(
        sa.update(jobs).where(is_running).values(**values).returning(jobs.c.cancel)
    ).scalar_one_or_none()
    return cancel_requested is False


def finish_job(
    connection: Connection, job_id: int, state: str, note: str, model_id: int | None = None
) -> bool:
    """Record how a job ended; return False if it was given up for lost before."""
    is_running = (jobs.c.number == job_id) & (jobs.c.slot == JOB_SLOT)
    values = {
        "slot": None,
        "state": state,
        "ended_at": int(time.time()),
        "note": note[:500],
        "model": model_id,
    }
    return connection.execute(sa.update(jobs).where(is_running).values(**values)).rowcount == 1


class JobRunner:
    """Starts the processes of jobs, and ends them with the service.

    Parameters
    ----------
    settings : Settings
    database : Store
    """

    def __init__(self, settings: Settings, database: Database) -> None:
        self.settings, self.database = settings, database
        self._processes: dict[int, subprocess.Popen[bytes]] = {}

    def start(self, spec: dict[str, Any] | None) -> int:
        """Start a job; return its number.

        Raises
        ------
        Busy
            If one is at work.
        """
        self._reap_processes()
        with self.database.write_transaction() as connection:
            job_id = create_job(connection, spec)
        process = subprocess.Popen(
            [sys.executable, "-m", "foretaste.service.training.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C is for the service; the job ends when its input does
        )
        assert process.stdin is not None  # noqa: S101 - for the type checker
        process.stdin.write(
            (json.dumps({"job": job_id, "settings": self.settings.to_json()}) + "\n").encode()
        )
        process.stdin.flush()
        self._processes[job_id] = process
        return job_id

    def _reap_processes(self) -> None:
        """Let go of the processes that have ended."""
        for job_id, process in list(self._processes.items()):
            if process.poll() is not None:
                if process.stdin is not None:
                    process.stdin.close()
                del self._processes[job_id]

    def close(self) -> None:
        """End all jobs and wait for them."""
        for process in self._processes.values():
            if process.stdin is not None:
                process.stdin.close()
        for process in self._processes.values():
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
