"""Evaluates one model in a subprocess, so that its peak memory can be measured; the child's end.

Started as ``python -m foretaste.evaluation.subprocess_worker FOLDER``. Reads ``job.json`` and ``data.npz`` of
the folder, reports JSON lines on standard output and saves the predictions of each fold to a file; anything
else that is printed goes to standard error.
"""

from __future__ import annotations

import json
import os
import sys
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

import numpy as np

from foretaste._utils.progress import Progress, ProgressTask
from foretaste.errors import ForetasteError
from foretaste.evaluation.fit_and_score import error_entry, fit_and_score
from foretaste.evaluation.plan_files import PREDICTIONS_FILE, load_plan
from foretaste.models.spec import from_spec

REPORT_INTERVAL = 0.1  # seconds between progress reports


class _JsonReporter:
    """Writes JSON lines."""

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream

    def __call__(self, **message: Any) -> None:
        self.stream.write(json.dumps(message) + "\n")
        self.stream.flush()


class _JsonTask(ProgressTask):
    """A task that reports its steps in batches."""

    def __init__(self, report: _JsonReporter) -> None:
        super().__init__()
        self.report = report
        self.pending_steps, self.last_report = 0, 0.0

    def step(self, n: int = 1, note: str = "") -> None:
        self.pending_steps += n
        if time.monotonic() - self.last_report >= REPORT_INTERVAL:
            self.report(step=self.pending_steps, note=note)
            self.pending_steps, self.last_report = 0, time.monotonic()


class JsonProgress(Progress):
    """Progress as JSON lines, shown by the parent process."""

    def __init__(self, report: _JsonReporter) -> None:
        self.report = report

    @contextmanager
    def start_task(self, label: str, total: int, unit: str = "") -> Iterator[ProgressTask]:
        """Report the start of a task, its steps and its end."""
        self.report(task=label, total=total)
        try:
            yield _JsonTask(self.report)
        finally:
            self.report(task_end=True)


def resident_memory_mb(*, peak: bool) -> float | None:
    """Return the resident memory of this process in MB (10**6 bytes), current or peak.

    ``ru_maxrss`` is used only without /proc: it starts from the peak of the parent process.
    """
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return _peak_memory_from_rusage()
    field = "VmHWM:" if peak else "VmRSS:"
    return next((int(line.split()[1]) * 1024 / 1e6 for line in lines if line.startswith(field)), None)


def _peak_memory_from_rusage() -> float | None:
    try:
        import resource
    except ImportError:  # Windows
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1e6 if sys.platform == "darwin" else peak * 1024 / 1e6  # macOS counts bytes


def run_job(folder: Path, report: _JsonReporter) -> None:
    """Evaluate the model of ``job.json`` on every fold of ``data.npz``."""
    job = json.loads((folder / "job.json").read_text(encoding="utf-8"))
    plan = load_plan(folder / "data.npz")
    model = from_spec(job["spec"])
    report(data_memory_mb=resident_memory_mb(peak=False))
    progress = JsonProgress(report) if job["progress"] else Progress()
    try:
        for fold in range(len(plan)):
            train, test = plan.train_test(fold)
            result = fit_and_score(model, train, test, job["metrics"], progress)
            np.save(folder / PREDICTIONS_FILE.format(fold), result.predictions, allow_pickle=False)
            report(metrics=result.metrics)
    except (ForetasteError, MemoryError) as error:
        report(error=error_entry(error))
    report(peak_memory_mb=resident_memory_mb(peak=True))


def main() -> None:
    """Run one job; an unexpected exception is reported with its traceback."""
    report = _JsonReporter(os.fdopen(os.dup(1), "w", encoding="utf-8"))
    os.dup2(2, 1)
    try:
        run_job(Path(sys.argv[1]), report)
    except KeyboardInterrupt:
        sys.exit(130)
    except Exception:
        report(traceback=traceback.format_exc())


if __name__ == "__main__":
    main()
