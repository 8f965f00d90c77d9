"""Progress reporting: none, bars (terminal, notebook), or a line per finished task, on standard error.

Interrupting (Ctrl-C) needs no support from here: native calls poll for signals, and files are written
atomically.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event
from typing import Any, TextIO


class ProgressTask:
    """A task whose steps are counted.

    Parameters
    ----------
    on_step : callable, optional
        Called after each step with the number of steps and the note, to show them.
    """

    def __init__(self, on_step: Callable[[int, str], None] | None = None) -> None:
        self.on_step = on_step
        self.completed, self.note = 0, ""

    def step(self, n: int = 1, note: str = "") -> None:
        """Report ``n`` more completed steps, with a short note (the current error, a name)."""
        self.completed += n
        self.note = note or self.note
        if self.on_step is not None:
            self.on_step(n, note)


class Progress:
    """Shows nothing: the default of the library. Subclasses override ``start_task``."""

    @contextmanager
    def start_task(self, label: str, total: int, unit: str = "") -> Iterator[ProgressTask]:
        """Start a task of ``total`` steps (0: unknown), which ends with the ``with`` block.

        Steps whose ``unit`` is ``"bytes"`` are shown as sizes, others as counts.
        """
        yield ProgressTask()

    @contextmanager
    def start_item(self, label: str) -> Iterator[ProgressTask]:
        """Start one of the items that the steps of the enclosing task count: one model of a comparison.

        Only ``LineProgress`` shows it, by a line of its own.
        """
        yield ProgressTask()

    def inside_item(self) -> Progress:
        """Return the progress of the tasks inside an item: this one, or none if the item has a line."""
        return self


class StoppableProgress(Progress):
    """Forwards to another progress; once ``stop`` is set, the next step of any task is interrupted.

    Python delivers Ctrl-C to the main thread only; this is how it reaches the others.
    """

    def __init__(self, inner: Progress, stop: Event) -> None:
        self.inner, self.stop = inner, stop

    @contextmanager
    def start_task(self, label: str, total: int, unit: str = "") -> Iterator[ProgressTask]:
        """Start a task whose steps raise KeyboardInterrupt once ``stop`` is set."""
        with self.inner.start_task(label, total, unit) as task:

            def forward(n: int, note: str) -> None:
                if self.stop.is_set():
                    raise KeyboardInterrupt
                task.step(n, note)

            yield ProgressTask(forward)


class LineProgress(Progress):
    """Prints one line per finished task, for pipes and logs."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self.stream = stream

    @contextmanager
    def start_task(self, label: str, total: int, unit: str = "") -> Iterator[ProgressTask]:
        """Start a task and print one line when it is done."""
        task, start = ProgressTask(), time.perf_counter()
        yield task
        stream = self.stream or sys.stderr
        note = f"  {task.note}" if task.note else ""
        print(f"{label}  {time.perf_counter() - start:.1f} s{note}", file=stream, flush=True)

    @contextmanager
    def start_item(self, label: str) -> Iterator[ProgressTask]:
        """Start an item and print one line when it is done."""
        with self.start_task(label, 1) as task:
            yield task

    def inside_item(self) -> Progress:
        """Return a progress that shows nothing."""
        return Progress()


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

        def show(n: int, note: str) -> None:
            completed = _format_completed(task.completed, total, unit)
            shown_note = {"note": note} if note else {}
            self.bars.update(task_id, advance=n, done=completed, **shown_note)

        task = ProgressTask(show)
        try:
            yield task
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
