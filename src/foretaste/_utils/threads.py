"""How many threads native work may use; never which result it gives."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from foretaste.errors import InvalidParameter

_SHARE: ContextVar[int | None] = ContextVar("share", default=None)


def thread_count(threads: int | None = None) -> int:
    """Return how many threads to use.

    Parameters
    ----------
    threads : int, optional
        As asked; None takes the share of work that runs beside other work (``sharing``), else the
        environment variable FORETASTE_THREADS, else every core that this process may use.

    Raises
    ------
    InvalidParameter
        If FORETASTE_THREADS is no whole number above 0.
    """
    if threads is not None:
        return int(threads)
    share = _SHARE.get()
    if share is not None:
        return share
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


@contextmanager
def sharing(threads: int) -> Iterator[None]:
    """Let work begun here, by this thread, use so many threads unless it is told otherwise."""
    before = _SHARE.set(threads)
    try:
        yield
    finally:
        _SHARE.reset(before)
