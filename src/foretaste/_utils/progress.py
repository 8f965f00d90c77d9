"""One way to show long work: nothing, a bar (terminal, notebook), or a line for each finished part.

All of it goes to standard error. Interrupting (Ctrl-C) needs nothing from here: native calls poll for
signals themselves, and files are written beside and renamed.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TextIO


class Task:
    """One piece of work whose parts are counted; this one shows nothing."""

    def step(self, n: int = 1, note: str = "") -> None:
        """Say that ``n`` more parts are done, with a short note (an error so far, a name)."""


class Progress:
    """Shows nothing: the default inside the library."""

    @contextmanager
    def task(self, label: str, total: int, unit: str = "") -> Iterator[Task]:
        """Open a piece of work of ``total`` parts (0: unknown); it is over when the ``with`` block ends.

        Parts whose ``unit`` is ``"bytes"`` are shown as sizes, others are counted.
        """
        yield Task()


class _LineTask(Task):
    def __init__(self) -> None:
        self.note = ""

    def step(self, n: int = 1, note: str = "") -> None:
        self.note = note or self.note


class Lines(Progress):
    """One line for each finished piece of work, for pipes and logs."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self.stream = stream

    @contextmanager
    def task(self, label: str, total: int, unit: str = "") -> Iterator[Task]:
        """Open a piece of work and print one line when it is done."""
        task, start = _LineTask(), time.perf_counter()
        yield task
        stream = self.stream or sys.stderr
        note = f"  {task.note}" if task.note else ""
        print(f"{label}  {time.perf_counter() - start:.1f} s{note}", file=stream, flush=True)


class _BarTask(Task):
    def __init__(self, bars: Any, number: Any, total: int, unit: str) -> None:
        self.bars, self.number = bars, number
        self.total, self.unit, self.parts = total, unit, 0

    def step(self, n: int = 1, note: str = "") -> None:
        self.parts += n
        done = _done(self.parts, self.total, self.unit)
        self.bars.update(self.number, advance=n, done=done, **({"note": note} if note else {}))


def _done(parts: int, total: int, unit: str) -> str:
    """Say how much is done: ``3 of 20``, ``1.2 MB of 4.9 MB``."""
    from rich.filesize import decimal

    shown = [decimal(size) if unit == "bytes" else str(size) for size in (parts, total)]
    return " of ".join(shown if total else shown[:1])


class Bar(Progress):
    """Bars that vanish when the work is done, by rich, in a terminal or a notebook."""

    def __init__(self) -> None:
        self.bars: Any = None

    @contextmanager
    def task(self, label: str, total: int, unit: str = "") -> Iterator[Task]:
        """Open a piece of work and draw a bar for it, below the bars of the work it is part of."""
        outermost = self.bars is None
        if outermost:
            self.bars = _rich_bars()
            self.bars.start()
        number = self.bars.add_task(label, total=total or None, note="", done=_done(0, total, unit))
        try:
            yield _BarTask(self.bars, number, total, unit)
        finally:
            self.bars.remove_task(number)
            if outermost:
                self.bars.stop()
                self.bars = None


def _rich_bars() -> Any:
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as RichProgress

    console = None if in_notebook() else Console(stderr=True)
    return RichProgress(
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=24),
        TextColumn("{task.fields[done]}"),
        TimeRemainingColumn(elapsed_when_finished=True),
        TextColumn("{task.fields[note]}", markup=False),
        console=console,
        transient=True,
    )


def in_notebook() -> bool:
    """Whether this runs in a Jupyter kernel."""
    shell = sys.modules.get("IPython")
    active = shell.get_ipython() if shell is not None else None
    return active is not None and hasattr(active, "kernel")


def progress_for(wanted: bool | Progress) -> Progress:
    """Return what shows progress: False nothing, True bars or lines as fits the place, or one's own."""
    if isinstance(wanted, Progress):
        return wanted
    if not wanted:
        return Progress()
    return Bar() if in_notebook() or sys.stderr.isatty() else Lines()
