"""How many threads native work may use; never which result it gives."""

from __future__ import annotations

import os

from foretaste.errors import InvalidParameter


def thread_count(threads: int | None = None) -> int:
    """Return how many threads to use.

    Parameters
    ----------
    threads : int, optional
        As asked; None takes the environment variable FORETASTE_THREADS, else every core that this
        process may use.

    Raises
    ------
    InvalidParameter
        If FORETASTE_THREADS is no whole number above 0.
    """
    if threads is not None:
        return int(threads)
    wanted = os.environ.get("FORETASTE_THREADS")
    if wanted is not None:
        if not wanted.isdigit() or int(wanted) < 1:
            raise InvalidParameter(
                f"FORETASTE_THREADS={wanted!r} is not allowed; it must be a whole number above 0",
                hint="unset FORETASTE_THREADS",
            )
        return int(wanted)
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
