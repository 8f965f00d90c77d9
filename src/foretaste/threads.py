"""How many threads native work uses."""

from __future__ import annotations

import numbers
import os

from foretaste.errors import InvalidParameter

VARIABLE = "FORETASTE_THREADS"


def thread_count(threads: int | None) -> int:
    """Return how many threads to use; no native result depends on it.

    Parameters
    ----------
    threads : int or None
        As wanted. None: what the environment variable ``FORETASTE_THREADS`` says, else one for each
        processor that this process may use.

    Raises
    ------
    InvalidParameter
        If ``threads`` or the environment variable is not a whole number of at least 1.
    """
    if threads is not None:
        if isinstance(threads, bool) or not isinstance(threads, numbers.Integral) or threads < 1:
            raise InvalidParameter(
                f"threads={threads!r} is not allowed; it must be a whole number at least 1, or None",
                hint="threads=None (all)",
            )
        return int(threads)
    wanted = os.environ.get(VARIABLE, "")
    if not wanted:
        return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if not (wanted.isascii() and wanted.isdigit()) or int(wanted) < 1:
        raise InvalidParameter(
            f"the environment variable {VARIABLE} is {wanted!r}; it must be a whole number at least 1",
            hint=f"unset {VARIABLE}, or export {VARIABLE}=1",
        )
    return int(wanted)
