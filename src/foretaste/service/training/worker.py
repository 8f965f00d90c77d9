"""The process of one training: ``python -m foretaste.service.training.worker``, told by its input what to do.

It ends when its input does, that is with the service that started it, and when it is asked to cancel.
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

from foretaste._utils.progress import Progress, Task
from foretaste.errors import ForetasteError
from foretaste.service.db import model_store, rating_store
from foretaste.service.db.database import Store
from foretaste.service.settings import Settings
from foretaste.service.training import jobs
from foretaste.service.training.train import Refused, train

_PAUSE = 0.5  # seconds between reports


class _Told(Progress):
    """Remembers how far the innermost piece of work is, for the thread that reports it."""

    def __init__(self) -> None:
        self.label, self.done, self.total, self.note = "reading ratings", 0, 0, ""

    @contextmanager
    def task(self, label: str, total: int, unit: str = "") -> Iterator[Task]:
        """Open a piece of work."""
        self.label, self.done, self.total, self.note = label, 0, total, ""
        yield _ToldTask(self)


class _ToldTask(Task):
    def __init__(self, told: _Told) -> None:
        self.told = told

    def step(self, n: int = 1, note: str = "") -> None:
        self.told.done += n
        self.told.note = note or self.told.note


_interrupting = threading.Lock()


def _interrupt() -> None:
    """Raise KeyboardInterrupt in the main thread, once: native code asks for signals, too."""
    if _interrupting.acquire(blocking=False):
        os.kill(os.getpid(), signal.SIGINT)


def _watch(store: Store, number: int, told: _Told, over: threading.Event) -> None:
    """Report how far the job is, and interrupt it when it is not to go on."""
    while not over.wait(_PAUSE):
        try:
            with store.writing() as connection:
                goes_on = jobs.report(connection, number, told.label, told.done, told.total, told.note)
        except ForetasteError:  # the database is away: training can go on without it
            continue
        if not goes_on:
            _interrupt()
            return


def _end_with_service(over: threading.Event) -> None:
    while os.read(0, 4096):  # nothing more is written: the end comes when the service has ended
        pass
    if not over.is_set():
        _interrupt()


def main() -> int:
    """Run the job that the first line of the input names; return the exit code."""
    line = b""
    while not line.endswith(b"\n"):
        line += os.read(0, 1)
    given = json.loads(line)
    settings, number = Settings.from_text(given["settings"]), int(given["job"])
    os.nice(10)  # answers go before training
    store, told, over = Store(settings.url), _Told(), threading.Event()
    path = settings.models / f"model-{secrets.token_hex(8)}.foretaste"
    try:
        # Inside, for each of the two may interrupt this thread as soon as it lives.
        threading.Thread(target=_watch, args=(store, number, told, over), daemon=True).start()
        threading.Thread(target=_end_with_service, args=(over,), daemon=True).start()
        state, note = _work(store, number, path, told, over)
    except KeyboardInterrupt:
        state, note = "cancelled", "stopped; the active model goes on serving"
    except Refused as error:
        state, note = "refused", error.message
    except ForetasteError as error:
        state, note = "failed", error.message
    except OSError as error:
        state, note = "failed", f"the model could not be kept: {error.strerror}"
    except Exception as error:
        state, note = "failed", f"a fault in foretaste: {type(error).__name__}"
        import traceback

        traceback.print_exc()
    over.set()
    if state != "done":
        path.unlink(missing_ok=True)
        with store.writing() as connection:
            jobs.end(connection, number, state, note)
    store.close()
    return 0 if state == "done" else 1


def _work(store: Store, number: int, path: Path, told: _Told, over: threading.Event) -> tuple[str, str]:
    ratings = rating_store.all_ratings(store)
    with store.reading() as connection:
        spec = jobs.one(connection, number).spec
        active = model_store.active(connection)
        left_out = rating_store.count_of_shown(connection)
    trained = train(ratings, spec, None if active is None else active[1].spec, path, told)
    over.set()  # from here on it is kept or not, and not interrupted
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with store.writing() as connection:
        model = model_store.add(connection, trained.row("trained"))
        model_store.activate(connection, model, "retrained")
        note = f"RMSE {trained.checks['rmse']:.4g} on {trained.checks['held_out']:,} held-out ratings"
        if left_out:
            note += f"; left out, for their predictions were shown: {left_out:,}"
        if not jobs.end(connection, number, "done", note, model):
            raise Refused("the job was given up for lost")
    return "done", note


if __name__ == "__main__":
    sys.exit(main())
