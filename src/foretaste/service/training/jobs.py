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

from foretaste.errors import InvalidParameter, NotFound
from foretaste.models.spec import as_spec, from_spec
from foretaste.service.db import model_store
from foretaste.service.db.database import Connection, Store
from foretaste.service.db.schema import jobs
from foretaste.service.settings import Settings

log = logging.getLogger("foretaste.service")

SLOT = "retrain"
_SILENT = 30  # seconds without a sign of life after which a job is lost


class Busy(InvalidParameter):
    """Another job is at work."""

    code = "busy"


@dataclass(frozen=True)
class Job:
    """A training, as it stands."""

    number: int
    state: str
    spec: dict[str, Any]
    started_at: int
    seen_at: int
    ended_at: int | None
    label: str
    done: int
    total: int
    note: str
    cancel: bool
    model: int | None


_COLUMNS = tuple(column for column in jobs.c if column.name != "slot")


def _from_row(row: Any) -> Job:
    values = dict(row._mapping)
    return Job(**values | {"spec": json.loads(values["spec"])})


def listed(connection: Connection, limit: int = 50) -> list[Job]:
    """Return the last jobs, the newest first."""
    rows = connection.execute(sa.select(*_COLUMNS).order_by(jobs.c.number.desc()).limit(limit))
    return [_from_row(row) for row in rows]


def one(connection: Connection, number: int) -> Job:
    """Return a job by its number.

    Raises
    ------
    NotFound
        If there is none.
    """
    row = connection.execute(sa.select(*_COLUMNS).where(jobs.c.number == number)).one_or_none()
    if row is None:
        raise NotFound(f"there is no job {number}", hint="GET /api/v1/jobs")
    return _from_row(row)


def begin(connection: Connection, spec: dict[str, Any] | None) -> int:
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
    reap(connection)
    if spec is None:
        active = model_store.active(connection)
        if active is None:
            raise InvalidParameter("there is no active model whose settings to take", hint='"model": "SVD"')
        spec = active[1].spec
    spec = as_spec(from_spec(spec))
    now = int(time.time())
    values = {
        "slot": SLOT, "state": "running", "spec": json.dumps(spec), "started_at": now, "seen_at": now,
        "label": "starting", "done": 0, "total": 0, "note": "", "cancel": False,
    }  # fmt: skip
    try:
        with connection.begin_nested():
            added = sa.insert(jobs).values(**values).returning(jobs.c.number)
            return int(connection.execute(added).scalar_one())
    except sa.exc.IntegrityError:
        raise Busy("a training is at work", hint="GET /api/v1/jobs, or cancel it") from None


def reap(connection: Connection) -> None:
    """Mark a job as lost whose process has given no sign of life for half a minute."""
    silent = (jobs.c.slot == SLOT) & (jobs.c.seen_at < int(time.time()) - _SILENT)
    connection.execute(
        sa.update(jobs).where(silent).values(slot=None, state="lost", ended_at=int(time.time()))
    )


def ask_to_cancel(connection: Connection, number: int) -> None:
    """Ask a job to stop, which takes a second or two; one that is over stays as it is."""
    one(connection, number)
    at_work = (jobs.c.number == number) & (jobs.c.slot == SLOT)
    connection.execute(sa.update(jobs).where(at_work).values(cancel=True))


def report(connection: Connection, number: int, label: str, done: int, total: int, note: str) -> bool:
    """Say how far a job is; return whether it is to go on."""
    at_work = (jobs.c.number == number) & (jobs.c.slot == SLOT)
    values = {"seen_at": int(time.time()), "label": label, "done": done, "total": total, "note": note[:500]}
    changed = connection.execute(
        sa.update(jobs).where(at_work).values(**values).returning(jobs.c.cancel)
    ).scalar_one_or_none()
    return changed is False


def end(connection: Connection, number: int, state: str, note: str, model: int | None = None) -> bool:
    """Record how a job ended; return False if it was given up for lost before."""
    at_work = (jobs.c.number == number) & (jobs.c.slot == SLOT)
    values = {"slot": None, "state": state, "ended_at": int(time.time()), "note": note[:500], "model": model}
    return connection.execute(sa.update(jobs).where(at_work).values(**values)).rowcount == 1


class Starter:
    """Starts the processes of jobs, and ends them with the service.

    Parameters
    ----------
    settings : Settings
    store : Store
    """

    def __init__(self, settings: Settings, store: Store) -> None:
        self.settings, self.store = settings, store
        self._processes: dict[int, subprocess.Popen[bytes]] = {}

    def start(self, spec: dict[str, Any] | None) -> int:
        """Start a job; return its number.

        Raises
        ------
        Busy
            If one is at work.
        """
        self._collect()
        with self.store.writing() as connection:
            number = begin(connection, spec)
        process = subprocess.Popen(
            [sys.executable, "-m", "foretaste.service.training.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C is for the service; the job ends when its input does
        )
        assert process.stdin is not None  # noqa: S101 - for the type checker
        process.stdin.write(
            (json.dumps({"job": number, "settings": self.settings.as_text()}) + "\n").encode()
        )
        process.stdin.flush()
        self._processes[number] = process
        return number

    def _collect(self) -> None:
        """Let go of the processes that have ended."""
        for number, process in list(self._processes.items()):
            if process.poll() is not None:
                if process.stdin is not None:
                    process.stdin.close()
                del self._processes[number]

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
