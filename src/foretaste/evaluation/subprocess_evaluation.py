"""Judging a model in a process of its own, seen from the process that waits for it.

Not by multiprocessing, which would import the user's main module again.
"""

from __future__ import annotations

import json
import os
import signal
import site
import subprocess
import sys
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from foretaste._utils.progress import Progress, Task
from foretaste.evaluation.fit_and_score import Figures, Floats
from foretaste.evaluation.plan_files import PREDICTED
from foretaste.models import Model
from foretaste.models.spec import as_spec


@dataclass
class Judged:
    """What came of judging one model: figures and predictions a fold, memory, or why it refused."""

    figures: list[Figures] = field(default_factory=list)
    predicted: list[Floats] = field(default_factory=list)
    memory: dict[str, float] = field(default_factory=dict)
    refused: dict[str, str | None] | None = None


def judge_apart(
    model: Model,
    folder: Path,
    metrics: tuple[str, ...],
    progress: Progress,
    on_fold: Callable[[Figures], None],
) -> Judged:
    """Judge one model of ``BY_NAME`` on the protocol packed in ``folder``.

    Raises
    ------
    KeyboardInterrupt
        If this process or that one was interrupted; that one is over then.
    RuntimeError
        If it failed unexpectedly, with its traceback.
    """
    watched = type(progress) is not Progress
    job = {"spec": as_spec(model), "metrics": metrics, "progress": watched}
    (folder / "job.json").write_text(json.dumps(job), encoding="utf-8")
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "foretaste.evaluation.subprocess_worker", str(folder)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        encoding="utf-8",
        env=_environment(),
    )
    judged, mirror = Judged(), _Mirror(progress)
    try:
        _listen(process, folder, judged, mirror, on_fold)
        code = process.wait()
    finally:
        mirror.close()
        if process.poll() is None:
            process.kill()
            process.wait()
        if process.stdout is not None:
            process.stdout.close()
    _check_end(code, judged)
    return judged


def _listen(
    process: subprocess.Popen[str],
    folder: Path,
    judged: Judged,
    mirror: _Mirror,
    on_fold: Callable[[Figures], None],
) -> None:
    """Take in the lines of the other process until it ends."""
    for line in process.stdout or ():
        message: dict[str, Any] = json.loads(line)
        if "figures" in message:
            file = folder / PREDICTED.format(len(judged.figures))
            judged.predicted.append(np.load(file, allow_pickle=False))
            file.unlink()
            judged.figures.append(message["figures"])
            on_fold(message["figures"])
        elif "refused" in message:
            judged.refused = message["refused"]
        elif "failed" in message:
            raise RuntimeError(f"the process that judges the model failed:\n{message['failed']}")
        elif not mirror.shows(message):
            judged.memory |= {name: value for name, value in message.items() if value is not None}


class _Mirror:
    """Shows here how far the work of the other process is."""

    def __init__(self, progress: Progress) -> None:
        self.progress = progress
        self.open: list[tuple[ExitStack, Task]] = []

    def shows(self, message: dict[str, Any]) -> bool:
        """Show a message, if it is about progress."""
        if "task" in message:
            stack = ExitStack()
            self.open.append(
                (stack, stack.enter_context(self.progress.task(message["task"], message["total"])))
            )
        elif "step" in message:
            self.open[-1][1].step(message["step"], message["note"])
        elif "task_over" in message:
            self.open.pop()[0].close()
        else:
            return False
        return True

    def close(self) -> None:
        """Close what the other process left open."""
        while self.open:
            self.open.pop()[0].close()


def _check_end(code: int, judged: Judged) -> None:
    if code in (130, -signal.SIGINT):
        raise KeyboardInterrupt
    if code < 0:
        name = signal.Signals(-code).name
        judged.refused = {
            "code": "too_large" if -code == 9 else "stopped",
            "message": f"its process was ended by {name}"
            + (", most likely because memory ran out" if -code == 9 else ""),
            "hint": "a smaller model, or fewer ratings",
        }
    elif code > 0:
        raise RuntimeError(f"the process that judges the model ended with exit code {code}")


def _environment() -> dict[str, str]:
    """Return an environment in which this very package is found, installed or not."""
    environment = dict(os.environ)
    root = str(Path(__file__).resolve().parents[2])
    installed = {str(Path(path).resolve()) for path in [*site.getsitepackages(), site.getusersitepackages()]}
    if root not in installed:
        known = environment.get("PYTHONPATH", "")
        environment["PYTHONPATH"] = f"{known}{os.pathsep}{root}" if known else root
    return environment
