"""The number of threads: an argument, the limit of the context, the environment, the cores."""

from __future__ import annotations

import os
from threading import Thread

import pytest

from foretaste._utils.threads import resolve_threads, thread_limit
from foretaste.errors import InvalidParameterError


def test_argument_precedes_limit_precedes_environment(monkeypatch):
    monkeypatch.setenv("FORETASTE_THREADS", "5")
    assert resolve_threads() == 5
    with thread_limit(3):
        assert resolve_threads() == 3
        assert resolve_threads(2) == 2
        with thread_limit(1):
            assert resolve_threads() == 1
        assert resolve_threads() == 3
    assert resolve_threads() == 5


def test_default_is_the_cores_of_this_process(monkeypatch):
    monkeypatch.delenv("FORETASTE_THREADS", raising=False)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    assert resolve_threads() == cores


@pytest.mark.parametrize("value", ["0", "-1", "two", ""])
def test_environment_must_be_a_positive_integer(monkeypatch, value):
    monkeypatch.setenv("FORETASTE_THREADS", value)
    with pytest.raises(InvalidParameterError, match=f"FORETASTE_THREADS='{value}' is not allowed"):
        resolve_threads()


def test_limit_holds_in_its_context_only(monkeypatch):
    monkeypatch.setenv("FORETASTE_THREADS", "5")
    found = []
    with thread_limit(1):
        thread = Thread(target=lambda: found.append(resolve_threads()))
        thread.start()
        thread.join()
    assert found == [5]
