"""Runs work in a subprocess, so that its peak memory is its own."""

from __future__ import annotations

import gc
import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]


def memory_bytes(kind: str) -> int:
    """Return VmRSS, the current memory of this process, or VmHWM, its peak.

    Not ``ru_maxrss`` of getrusage, which starts from the memory of the parent and cannot be reset.
    """
    status = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in status if line.startswith(kind))


def measure_memory(work: Callable[[], object]) -> dict[str, Any]:
    """Run work once in this process; return seconds, bytes before, and the peak added to these."""
    gc.collect()
    before = memory_bytes("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # the peak counts from here
    start = time.perf_counter()
    work()
    seconds = time.perf_counter() - start
    return {"seconds": seconds, "before": before, "added": max(0, memory_bytes("VmHWM") - before)}


def run_in_child(module: str, *arguments: str, limit: float | None = None) -> dict[str, Any]:
    """Run ``python -m module ...`` and return the JSON on its last line.

    Raises
    ------
    subprocess.TimeoutExpired
        After ``limit`` seconds.
    RuntimeError
        If it failed, with the end of its output.
    """
    command = [sys.executable, "-m", module, *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=limit, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command[2:])} failed:\n{done.stderr[-2000:]}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found
