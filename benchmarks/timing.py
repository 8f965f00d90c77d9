"""Timing in turns, and the dated record of a run."""

from __future__ import annotations

import datetime
import json
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import foretaste
from foretaste import _native

RESULTS = Path(__file__).parent / "results"
LIBRARIES = (
    "numpy", "scipy", "polars", "pandas", "scikit-learn", "scikit-surprise", "numba", "implicit", "lenskit",
    "cmfrec", "torch",
)  # fmt: skip


def is_installed(library: str) -> bool:
    """Return whether a distribution is installed."""
    try:
        version(library)
    except PackageNotFoundError:
        return False
    return True


def is_missing(what: str, *libraries: str, models: tuple[str, ...] = ()) -> bool:
    """Return whether something that a row needs is missing, and print why the row is left out."""
    from foretaste.models import MODELS

    reasons = [
        f"{name} is not installed (pip install '.[bench]')" for name in libraries if not is_installed(name)
    ]
    reasons += [f"foretaste has no model {name} here" for name in models if name not in MODELS]
    for reason in reasons:
        print(f"left out: {what}: {reason}", flush=True)
    return bool(reasons)


def peer_label(library: str, what: str = "") -> str:
    """Return the name of a peer with its version."""
    return f"{library} {version(library)}" + (f" {what}" if what else "")


def time_in_turns(work: dict[str, Callable[[], object]], repeats: int) -> dict[str, float]:
    """Run each piece of work in turn, several times, and return its median seconds."""
    seconds: dict[str, list[float]] = {name: [] for name in work}
    for _ in range(repeats):
        for name, one in work.items():
            start = time.perf_counter()
            one()
            seconds[name].append(time.perf_counter() - start)
    return {name: statistics.median(times) for name, times in seconds.items()}


def machine() -> dict[str, Any]:
    """Return a description of the machine and of the versions measured."""
    versions = {name: version(name) for name in LIBRARIES if is_installed(name)}
    model = next(
        (
            line.split(":")[1].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        platform.processor(),
    )
    return {
        "processor": model,
        "cores": os.cpu_count(),
        "instruction_set": _native.isa(),
        "load_at_start": os.getloadavg()[0],
        "python": platform.python_version(),
        "foretaste": foretaste.__version__,
        "versions": versions,
        "command": " ".join(["python", *sys.argv]).replace(f"{Path(__file__).parents[1]}/", ""),
    }


def record(name: str, content: dict[str, Any]) -> Path:
    """Write a dated JSON file and return its path."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{datetime.datetime.now(datetime.UTC).date().isoformat()}-{name}.json"
    path.write_text(json.dumps(content, indent=1) + "\n")
    return path
