"""One model judged in a process of its own, so that its peak memory can be told.

Started as ``python -m foretaste.evaluation.subprocess_worker FOLDER``. It reads ``job.json`` and ``data.npz`` there
and reports JSON lines on standard output, predictions in a file a fold beside; whatever else is printed
goes to standard error.
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

from foretaste._utils.progress import Progress, Task
from foretaste.errors import ForetasteError
from foretaste.evaluation.fit_and_score import judge, refusal
from foretaste.evaluation.plan_files import PREDICTED, unpack
from foretaste.models.spec import from_spec

REPORT_EVERY = 0.1  # seconds between two reports of progress


class _Reporter:
    """Writes JSON lines."""

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream

    def __call__(self, **message: Any) -> None:
        self.stream.write(json.dumps(message) + "\n")
        self.stream.flush()


class _Reported(Task):
    """A task whose steps are reported, some at a time."""

    def __init__(self, report: _Reporter) -> None:
        self.report = report
        self.waiting, self.said = 0, 0.0

    def step(self, n: int = 1, note: str = "") -> None:
        self.waiting += n
        if time.monotonic() - self.said >= REPORT_EVERY:
            self.report(step=self.waiting, note=note)
            self.waiting, self.said = 0, time.monotonic()


class Reported(Progress):
    """Progress as JSON lines, to be shown by the process that waits for them."""

    def __init__(self, report: _Reporter) -> None:
        self.report = report

    @contextmanager
    def task(self, label: str, total: int, unit: str = "") -> Iterator[Task]:
        """Report a piece of work, its steps and its end."""
        self.report(task=label, total=total)
        try:
            yield _Reported(self.report)
        finally:
            self.report(task_over=True)


def resident_mb(*, peak: bool) -> float | None:
    """Return the resident memory of this process in MB (10**6 bytes), now or at its peak so far.

    ``ru_maxrss`` is not used where /proc is there: it begins with the peak of the process that started
    this one.
    """
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return _maximum_mb()
    wanted = "VmHWM:" if peak else "VmRSS:"
    return next((int(line.split()[1]) * 1024 / 1e6 for line in lines if line.startswith(wanted)), None)


def _maximum_mb() -> float | None:
    try:
        import resource
    except ImportError:  # Windows
        return None
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most / 1e6 if sys.platform == "darwin" else most * 1024 / 1e6  # macOS counts bytes


def work(folder: Path, report: _Reporter) -> None:
    """Judge the model of ``job.json`` on every fold of ``data.npz``."""
    job = json.loads((folder / "job.json").read_text(encoding="utf-8"))
    protocol = unpack(folder / "data.npz")
    model = from_spec(job["spec"])
    report(data_memory_mb=resident_mb(peak=False))
    progress = Reported(report) if job["progress"] else Progress()
    try:
        for fold in range(len(protocol)):
            train, test = protocol.parts(fold)
            judgement = judge(model, train, test, job["metrics"], progress)
            np.save(folder / PREDICTED.format(fold), judgement.predicted, allow_pickle=False)
            report(figures=judgement.figures)
    except (ForetasteError, MemoryError) as error:
        report(refused=refusal(error))
    report(peak_memory_mb=resident_mb(peak=True))


def main() -> None:
    """Run one job; an unexpected failure is reported with its traceback."""
    report = _Reporter(os.fdopen(os.dup(1), "w", encoding="utf-8"))
    os.dup2(2, 1)
    try:
        work(Path(sys.argv[1]), report)
    except KeyboardInterrupt:
        sys.exit(130)
    except Exception:
        report(failed=traceback.format_exc())


if __name__ == "__main__":
    main()
