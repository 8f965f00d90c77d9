"""Progress reporting: none, bars (terminal, notebook), or a line per finished task, on standard error.

Interrupting (Ctrl-C) needs no support from here: native calls poll for signals, and files are written
atomically.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TextIO


class ProgressTask:
    """A task whose steps are counted; this one shows nothing."""

    def step(self, n: int = 1, note: str = "") -> None:
        """Report ``n`` more completed steps, with a short note (the current error, a name)."""


class Progress:
    """Shows nothing: the default of the library."""

    @contextmanager
    def start_task(self, label: str, total: int, unit: str = "") -> Iterator[ProgressTask]:
        """Start a task of ``total`` steps (0: unknown), which ends with the ``with`` block.

        Steps whose ``unit`` is ``"bytes"`` are shown as sizes, others as counts.
        """
        yield ProgressTask()


class _LineTask(ProgressTask):
    def __init__(self) -> None:
        self.note = ""

    def step(self, n: int = 1, note: str = "") -> None:
        self.note = note or self.note


class LineProgress(Progress):
    """Prints one line per finished task, for pipes and logs."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self.stream = stream

    @contextmanager
    def start_task(self, label: str, total: int, unit: str = "") -> Iterator[ProgressTask]:
        """Start a task and print one line when it is done."""
        task, start = _LineTask(), time.perf_counter()
        yield task
        stream = self.stream or sys.stderr
        note = f"  {task.note}" if task.note else ""
        print(f"{label}  {time.perf_counter() - start:.1f} s{note}", file=stream, flush=True)


class _RichTask(ProgressTask):
    def __init__(self, bars: Any, task_id: Any, total: int, unit: str) -> None:
        self.bars, self.task_id = bars, task_id
        self.total, self.unit, self.completed = total, unit, 0

    def step(self, n: int = 1, note: str = "") -> None:
        self.completed += n
        completed = _format_completed(self.completed, self.total, self.unit)
        self.bars.update(self.task_id, advance=n, done=completed, **({"note": note} if note else {}))


def _format_completed(completed: int, total: int, unit: str) -> str:
    """Format the progress: ``3 of 20``, ``1.2 MB of 4.9 MB``."""
    from rich.filesize import decimal

    texts = [decimal(size) if unit == "bytes" else str(size) for size in (completed, total)]
    return " of ".join(texts if total else texts[:1])


class RichProgress(Progress):
    """Transient rich progress bars, in a terminal or a notebook."""

    def __init__(self) -> None:
        self.bars: Any = None

    @contextmanager
    def start_task(self, label: str, total: int, unit: str = "") -> Iterator[ProgressTask]:
        """Start a task and show its bar below those of the enclosing tasks."""
        outermost = self.bars is None
        if outermost:
            self.bars = _rich_bars()
            self.bars.start()
        task_id = self.bars.add_task(
            label, total=total or None, note="", done=_format_completed(0, total, unit)
        )
        try:
            yield _RichTask(self.bars, task_id, total, unit)
        finally:
            self.bars.remove_task(task_id)
            if outermost:
                self.bars.stop()
                self.bars = None


def _rich_bars() -> Any:
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as RichDisplay

    console = None if in_notebook() else Console(stderr=True)
    return RichDisplay(
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=24),
        TextColumn("{task.fields[done]}"),
        TimeRemainingColumn(elapsed_when_finished=True),
        TextColumn("{task.fields[note]}", markup=False),
        console=console,
        transient=True,
    )


def in_notebook() -> bool:
    """Whether the code runs in a Jupyter kernel."""
    shell = sys.modules.get("IPython")
    active = shell.get_ipython() if shell is not None else None
    return active is not None and hasattr(active, "kernel")


def get_progress(progress: bool | Progress) -> Progress:
    """Return the progress reporter: none for False, bars or lines for True, or the one given."""
    if isinstance(progress, Progress):
        return progress
    if not progress:
        return Progress()
    return RichProgress() if in_notebook() or sys.stderr.isatty() else LineProgress()
