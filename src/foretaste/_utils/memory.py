"""Available memory, and checks before large allocations."""

from __future__ import annotations

from pathlib import Path

from foretaste.errors import NotEnoughMemoryError

_CGROUPS = (
    ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current"),
    ("/sys/fs/cgroup/memory/memory.limit_in_bytes", "/sys/fs/cgroup/memory/memory.usage_in_bytes"),
)


def available_bytes() -> int | None:
    """Return the available memory in bytes, or None where the system does not report it."""
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
    except OSError:
        return None
    available = next((int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable")), None)
    for limit_file, used_file in _CGROUPS:
        try:
            limit, used = Path(limit_file).read_text().strip(), Path(used_file).read_text().strip()
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


def check_available(size: int, purpose: str, hint: str) -> None:
    """Raise if an operation needs more memory than is available.

    Parameters
    ----------
    size : int
        Peak memory in bytes.
    purpose : str
        The operation, for the message.
    hint : str
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
