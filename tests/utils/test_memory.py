"""Available memory, and refusal of work that would not fit."""

from __future__ import annotations

import pytest

from foretaste._utils import memory
from foretaste.errors import NotEnoughMemoryError

MEMINFO = "MemTotal:       16000000 kB\nMemFree:         100 kB\nMemAvailable:    8000000 kB\n"


class Files:
    """A stand-in for Path that reads from a dictionary."""

    def __init__(self, texts: dict[str, str]) -> None:
        self.texts = texts

    def __call__(self, name: str) -> Files:
        self.name = name
        return self

    def read_text(self) -> str:
        if self.name not in self.texts:
            raise FileNotFoundError(self.name)
        return self.texts[self.name]


V2 = {"/sys/fs/cgroup/memory.max": "1000000000\n", "/sys/fs/cgroup/memory.current": "400000000\n"}
V1 = {
    "/sys/fs/cgroup/memory/memory.limit_in_bytes": "2000000000",
    "/sys/fs/cgroup/memory/memory.usage_in_bytes": "500000000",
}


@pytest.mark.parametrize(
    ("texts", "wanted"),
    [
        ({"/proc/meminfo": MEMINFO}, 8_192_000_000),
        ({"/proc/meminfo": MEMINFO} | V2, 600_000_000),
        ({"/proc/meminfo": MEMINFO} | V1, 1_500_000_000),
        ({"/proc/meminfo": MEMINFO} | V2 | {"/sys/fs/cgroup/memory.max": "max\n"}, 8_192_000_000),
        ({"/proc/meminfo": MEMINFO} | V2 | {"/sys/fs/cgroup/memory.current": "1000000001"}, 0),
        ({"/proc/meminfo": "MemTotal: 5 kB\n"}, None),
        ({}, None),
    ],
)
def test_available_is_the_least_of_the_machine_and_its_limits(monkeypatch, texts, wanted):
    monkeypatch.setattr(memory, "Path", Files(texts))
    assert memory.available_bytes() == wanted


def test_this_machine_has_some():
    free = memory.available_bytes()
    assert free is None or free > 10_000_000


@pytest.mark.parametrize(
    ("size", "words"),
    [
        (0, "0 bytes"),
        (999, "999 bytes"),
        (1000, "1.0 kB"),
        (1_500_000, "1.5 MB"),
        (2.5e9, "2.5 GB"),
        (7e15, "7000.0 TB"),
    ],
)
def test_format_bytes(size, words):
    assert memory.format_bytes(size) == words


def test_check_available_raises_with_sizes_and_an_alternative(monkeypatch):
    monkeypatch.setattr(memory, "available_bytes", lambda: 1_000_000_000)
    memory.check_available(900_000_000, "this", "that")
    with pytest.raises(
        NotEnoughMemoryError, match=r"a matrix needs 900\.0 MB of memory; 1\.0 GB are available"
    ) as refused:
        memory.check_available(900_000_001, "a matrix", "fewer users")
    assert refused.value.hint == "fewer users"
    assert isinstance(refused.value, MemoryError)
    monkeypatch.setattr(memory, "available_bytes", lambda: None)
    memory.check_available(10**30, "where nothing is known, anything", "")
