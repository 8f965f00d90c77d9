"""Subprocess of one training job: ``python -m foretaste.service.training.worker``, with the job on stdin.

It stops at the end of its stdin, that is with the service that started it, and when the job is cancelled.
"""

from __future__ import annotations

import json
import os
import secrets
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from foretaste._utils.progress import Progress, ProgressTask
from foretaste.errors import ForetasteError
from foretaste.service.db import model_store, rating_store
from foretaste.service.db.database import Database
from foretaste.service.settings import Settings
from foretaste.service.training import jobs
from foretaste.service.training.train import QualityGateError, train

_HEARTBEAT_INTERVAL = 0.5  # seconds


class _JobProgress(Progress):
    """Remembers the latest task, for the heartbeat thread."""

    def __init__(self) -> None:
        self.label, self.total, self.task = "reading ratings", 0, ProgressTask()

    @contextmanager
    def start_task(self, label: str, total: int, unit: str = "") -> Iterator[ProgressTask]:
        """Start a task."""
        self.label, self.total, self.task = label, total, ProgressTask()
        yield self.task


_interrupt_lock = threading.Lock()


def _interrupt() -> None:
    """Raise KeyboardInterrupt in the main thread, once; native code checks for signals, too."""
    if _interrupt_lock.acquire(blocking=False):
        os.kill(os.getpid(), signal.SIGINT)


def _watch_job(database: Database, job_id: int, progress: _JobProgress, stop_event: threading.Event) -> None:
    """Send heartbeats, and interrupt the job when it is cancelled or lost."""
    while not stop_event.wait(_HEARTBEAT_INTERVAL):
        task = progress.task
        try:
            with database.write_transaction() as connection:
                should_continue = jobs.heartbeat(
                    connection, job_id, progress.label, task.completed, progress.total, task.note
                )
        except ForetasteError:  # training continues while the database is unavailable
            continue
        if not should_continue:
            _interrupt()
            return


def _exit_with_parent(stop_event: threading.Event) -> None:
    while os.read(0, 4096):  # nothing more is written: end of file means that the service has ended
        pass
    if not stop_event.is_set():
        _interrupt()


def main() -> int:
    """Run the job in the first line of stdin; return the exit code."""
    line = b""
    while not line.endswith(b"\n"):
        line += os.read(0, 1)
    request = json.loads(line)
    settings, job_id = Settings.from_json(request["settings"]), int(request["job"])
    os.nice(10)  # requests have priority over training
    database, progress, stop_event = Database(settings.database_url), _JobProgress(), threading.Event()
    path = settings.models_dir / f"model-{secrets.token_hex(8)}.foretaste"
    try:
        # Inside the try block: each thread may interrupt this one as soon as it runs.
        threading.Thread(
            target=_watch_job, args=(database, job_id, progress, stop_event), daemon=True
        ).start()
        threading.Thread(target=_exit_with_parent, args=(stop_event,), daemon=True).start()
        state, note = _run_job(database, job_id, path, progress, stop_event)
    except KeyboardInterrupt:
        state, note = "cancelled", "cancelled; the active model stays"
    except QualityGateError as error:
        state, note = "rejected", error.message
    except ForetasteError as error:
        state, note = "failed", error.message
    except OSError as error:
        state, note = "failed", f"the model could not be saved: {error.strerror}"
    except Exception as error:
        state, note = "failed", f"internal error: {type(error).__name__}"
        import traceback

        traceback.print_exc()
    stop_event.set()
    if state != "done":
        path.unlink(missing_ok=True)
        with database.write_transaction() as connection:
            jobs.finish_job(connection, job_id, state, note)
    database.close()
    return 0 if state == "done" else 1


def _run_job(
    database: Database, job_id: int, path: Path, progress: _JobProgress, stop_event: threading.Event
) -> tuple[str, str]:
    ratings = rating_store.load_training_ratings(database)
    with database.read_connection() as connection:
        spec = jobs.get_job(connection, job_id).spec
        active = model_store.get_active_model(connection)
        n_excluded = rating_store.count_excluded_ratings(connection)
    result = train(ratings, spec, None if active is None else active[1].spec, path, progress)
    stop_event.set()  # no interruption between saving and activating
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with database.write_transaction() as connection:
        model_id = model_store.add_model(connection, result.to_row("trained"))
        model_store.activate_model(connection, model_id, "retrained")
        note = f"RMSE {result.checks['rmse']:.4g} on {result.checks['n_test']:,} test ratings"
        if n_excluded:
            note += f"; excluded from training, as their predictions were shown: {n_excluded:,}"
        if not jobs.finish_job(connection, job_id, "done", note, model_id):
            raise QualityGateError("the job was marked as lost")
    return "done", note


if __name__ == "__main__":
    sys.exit(main())
