"""Number of threads of native kernels; results never depend on it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from foretaste.errors import InvalidParameterError

_THREAD_LIMIT: ContextVar[int | None] = ContextVar("thread_limit", default=None)


def resolve_threads(threads: int | None = None) -> int:
    """Return the number of threads to use.

    Parameters
    ----------
    threads : int, optional
        An explicit number; None is the limit of the context (``thread_limit``), else the environment variable
        FORETASTE_THREADS, else all cores available to this process.

    Raises
    ------
    InvalidParameterError
        If FORETASTE_THREADS is not a positive integer.
    """
    if threads is not None:
        return int(threads)
    limit = _THREAD_LIMIT.get()
    if limit is not None:
        return limit
    env_value = os.environ.get("FORETASTE_THREADS")
    if env_value is not None:
        if not env_value.isdigit() or int(env_value) < 1:
            raise InvalidParameterError(
                f"FORETASTE_THREADS={env_value!r} is not allowed; it must be a positive integer",
                hint="unset FORETASTE_THREADS",
            )
        return int(env_value)
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@contextmanager
def thread_limit(threads: int) -> Iterator[None]:
    """Limit the default number of threads of the code in this context."""
    token = _THREAD_LIMIT.set(threads)
    try:
        yield
    finally:
        _THREAD_LIMIT.reset(token)
