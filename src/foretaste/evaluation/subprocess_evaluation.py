"""Evaluates a model in a subprocess, so that its peak memory can be measured; the parent's end.

multiprocessing is not used, as it would import the user's main module again.
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

from foretaste._utils.progress import Progress, ProgressTask
from foretaste.evaluation.fit_and_score import Metrics
from foretaste.evaluation.plan_files import PREDICTIONS_FILE
from foretaste.models import Model
from foretaste.models.spec import as_spec
from foretaste.typing import Float32Array


@dataclass
class EvaluationOutcome:
    """Result of evaluating one model: metrics and predictions per fold, memory use, or the error."""

    metrics: list[Metrics] = field(default_factory=list)
    predictions: list[Float32Array] = field(default_factory=list)
    memory: dict[str, float] = field(default_factory=dict)
    error: dict[str, str | None] | None = None


def evaluate_in_subprocess(
    model: Model,
    folder: Path,
    metrics: tuple[str, ...],
    progress: Progress,
    on_fold: Callable[[Metrics], None],
) -> EvaluationOutcome:
    """Evaluate one model of ``MODELS`` on the plan saved in ``folder``.

    Raises
    ------
    KeyboardInterrupt
        If this process or the subprocess was interrupted; the subprocess has ended then.
    RuntimeError
        If the subprocess failed unexpectedly, with its traceback.
    """
    show_progress = type(progress) is not Progress
    job = {"spec": as_spec(model), "metrics": metrics, "progress": show_progress}
    (folder / "job.json").write_text(json.dumps(job), encoding="utf-8")
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "foretaste.evaluation.subprocess_worker", str(folder)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        encoding="utf-8",
        env=_child_environment(),
    )
    outcome, relay = EvaluationOutcome(), _ProgressRelay(progress)
    try:
        _read_messages(process, folder, outcome, relay, on_fold)
        code = process.wait()
    finally:
        relay.close()
        if process.poll() is None:
            process.kill()
            process.wait()
        if process.stdout is not None:
            process.stdout.close()
    _check_exit_code(code, outcome)
    return outcome


def _read_messages(
    process: subprocess.Popen[str],
    folder: Path,
    outcome: EvaluationOutcome,
    relay: _ProgressRelay,
    on_fold: Callable[[Metrics], None],
) -> None:
    """Process the messages of the subprocess until it ends."""
    for line in process.stdout or ():
        message: dict[str, Any] = json.loads(line)
        if "metrics" in message:
            file = folder / PREDICTIONS_FILE.format(len(outcome.metrics))
            outcome.predictions.append(np.load(file, allow_pickle=False))
            file.unlink()
            outcome.metrics.append(message["metrics"])
            on_fold(message["metrics"])
        elif "error" in message:
            outcome.error = message["error"]
        elif "traceback" in message:
            raise RuntimeError(f"the evaluation subprocess failed:\n{message['traceback']}")
        elif not relay.handle(message):
            outcome.memory |= {name: value for name, value in message.items() if value is not None}


class _ProgressRelay:
    """Shows the progress of the subprocess in this process."""

    def __init__(self, progress: Progress) -> None:
        self.progress = progress
        self.open_tasks: list[tuple[ExitStack, ProgressTask]] = []

    def handle(self, message: dict[str, Any]) -> bool:
        """Show a message if it reports progress; return whether it does."""
        if "task" in message:
            stack = ExitStack()
            self.open_tasks.append(
                (stack, stack.enter_context(self.progress.start_task(message["task"], message["total"])))
            )
        elif "step" in message:
            self.open_tasks[-1][1].step(message["step"], message["note"])
        elif "task_end" in message:
            self.open_tasks.pop()[0].close()
        else:
            return False
        return True

    def close(self) -> None:
        """Close tasks that the subprocess left open."""
        while self.open_tasks:
            self.open_tasks.pop()[0].close()


def _check_exit_code(code: int, outcome: EvaluationOutcome) -> None:
    if code in (130, -signal.SIGINT):
        raise KeyboardInterrupt
    if code < 0:
        name = signal.Signals(-code).name
        outcome.error = {
            "code": "too_large" if -code == 9 else "stopped",
            "message": f"its process was killed by {name}"
            + (", most likely for lack of memory" if -code == 9 else ""),
            "hint": "a smaller model, or fewer ratings",
        }
    elif code > 0:
        raise RuntimeError(f"the evaluation subprocess ended with exit code {code}")


def _child_environment() -> dict[str, str]:
    """Return environment variables with which the subprocess imports this package, installed or not."""
    environment = dict(os.environ)
    root = str(Path(__file__).resolve().parents[2])
    installed = {str(Path(path).resolve()) for path in [*site.getsitepackages(), site.getusersitepackages()]}
    if root not in installed:
        python_path = environment.get("PYTHONPATH", "")
        environment["PYTHONPATH"] = f"{python_path}{os.pathsep}{root}" if python_path else root
    return environment
