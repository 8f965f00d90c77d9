"""Available memory, checks before large allocations, and the peak memory of a piece of work."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from foretaste.errors import Hint, NotEnoughMemoryError

Result = TypeVar("Result")

_PROC_SELF = Path("/proc/self")
_MEASUREMENT = threading.Lock()  # held by the one that reset the peak of this process
_CGROUPS = (
    ("sys/fs/cgroup/memory.max", "sys/fs/cgroup/memory.current"),
    ("sys/fs/cgroup/memory/memory.limit_in_bytes", "sys/fs/cgroup/memory/memory.usage_in_bytes"),
)


def available_bytes(root: Path = Path("/")) -> int | None:
    """Return the available memory in bytes, or None where the system does not report it.

    Parameters
    ----------
    root : path
        The folder in which the system has ``proc`` and ``sys``.
    """
    try:
        lines = (root / "proc/meminfo").read_text().splitlines()
    except OSError:
        return None
    available = next((int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable")), None)
    for limit_file, used_file in _CGROUPS:
        try:
            limit, used = (root / limit_file).read_text().strip(), (root / used_file).read_text().strip()
        except OSError:
            continue
        if available is not None and limit.isdigit():
            available = min(available, max(0, int(limit) - int(used)))
    return available


def format_bytes(size: float) -> str:
    """Format a size in bytes: ``1.5 GB``."""
    for unit in ("bytes", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "bytes" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} TB"


def check_available(size: int, purpose: str, hint: Hint | str) -> None:
    """Raise if an operation needs more memory than is available.

    Parameters
    ----------
    size : int
        Peak memory in bytes.
    purpose : str
        The operation, for the message.
    hint : Hint or str
        An alternative that needs less memory.

    Raises
    ------
    NotEnoughMemoryError
        With the required and the available memory, and the alternative.
    """
    available = available_bytes()
    if available is not None and size > 0.9 * available:
        raise NotEnoughMemoryError(
            f"{purpose} needs {format_bytes(size)} of memory; {format_bytes(available)} are available",
            hint=hint,
        )


def run_with_peak(work: Callable[[], Result], proc: Path = _PROC_SELF) -> tuple[Result, float | None]:
    """Return the result of ``work``, and by how much the memory of this process rose at its peak.

    Linux resets the peak of the resident memory on request. What other threads allocate meanwhile counts,
    too. Memory that was freed before is first returned to the system, as far as the allocator can, so that
    ``work`` cannot use it unnoticed.

    Parameters
    ----------
    work : callable
        Called without arguments.
    proc : path
        Where the system describes this process.

    Returns
    -------
    result : object
        What ``work`` returns.
    peak : float or None
        In MB (10**6 bytes), at least 0; None where the peak cannot be reset (other systems, no permission)
        and while another measurement is running.
    """
    if not _MEASUREMENT.acquire(blocking=False):
        return work(), None
    try:
        gc.collect()
        with contextlib.suppress(OSError, AttributeError):  # not glibc
            ctypes.CDLL(None).malloc_trim(0)
        try:
            (proc / "clear_refs").write_text("5")  # see proc(5)
        except OSError:
            return work(), None
        before = _peak_mb(proc)
        result = work()
        after = _peak_mb(proc)
    finally:
        _MEASUREMENT.release()
    return result, None if before is None or after is None else max(0.0, after - before)


def _peak_mb(proc: Path) -> float | None:
    """Return the peak of the resident memory since its last reset."""
    try:
        lines = (proc / "status").read_text().splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) * 1024 / 1e6 for line in lines if line.startswith("VmHWM:")), None)
