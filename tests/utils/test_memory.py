"""Available memory, refusal of work that would not fit, and the peak of a piece of work."""

from __future__ import annotations

import pytest

from foretaste._utils import memory
from foretaste.errors import NotEnoughMemoryError

MEMINFO = "MemTotal:       16000000 kB\nMemFree:         100 kB\nMemAvailable:    8000000 kB\n"


V2 = {"sys/fs/cgroup/memory.max": "1000000000\n", "sys/fs/cgroup/memory.current": "400000000\n"}
V1 = {
    "sys/fs/cgroup/memory/memory.limit_in_bytes": "2000000000",
    "sys/fs/cgroup/memory/memory.usage_in_bytes": "500000000",
}


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        ({"proc/meminfo": MEMINFO}, 8_192_000_000),
        ({"proc/meminfo": MEMINFO} | V2, 600_000_000),
        ({"proc/meminfo": MEMINFO} | V1, 1_500_000_000),
        ({"proc/meminfo": MEMINFO} | V2 | {"sys/fs/cgroup/memory.max": "max\n"}, 8_192_000_000),
        ({"proc/meminfo": MEMINFO} | V2 | {"sys/fs/cgroup/memory.current": "1000000001"}, 0),
        ({"proc/meminfo": "MemTotal: 5 kB\n"}, None),
        ({}, None),
    ],
)
def test_available_is_the_least_of_the_machine_and_its_limits(tmp_path, texts, expected):
    for name, text in texts.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    assert memory.available_bytes(tmp_path) == expected


def test_available_bytes_of_this_machine_are_plausible():
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
def test_format_bytes_in_decimal_units(size, words):
    assert memory.format_bytes(size) == words


def test_check_available_raises_with_sizes_and_an_alternative(monkeypatch):
    monkeypatch.setattr(memory, "available_bytes", lambda: 1_000_000_000)
    memory.check_available(900_000_000, "this", "that")
    with pytest.raises(
        NotEnoughMemoryError, match=r"a matrix needs 900\.0 MB of memory; 1\.0 GB are available"
    ) as caught:
        memory.check_available(900_000_001, "a matrix", "fewer users")
    assert caught.value.hint == "fewer users"
    assert isinstance(caught.value, MemoryError)
    monkeypatch.setattr(memory, "available_bytes", lambda: None)
    memory.check_available(10**30, "where nothing is known, anything", "")


def test_peak_is_how_far_memory_rose(tmp_path):
    """Files of a made-up process: the peak is reset to 300 MB, and the work raises it to 500 MB."""
    status, reset = tmp_path / "status", tmp_path / "clear_refs"
    status.write_text("Name: python\nVmHWM:\t  300000 kB\nVmRSS:\t  300000 kB\n")

    def work():
        assert reset.read_text() == "5"
        status.write_text("VmHWM:\t  500000 kB\nVmRSS:\t  310000 kB\n")
        return "done"

    assert memory.run_with_peak(work, tmp_path) == ("done", 200_000 * 1024 / 1e6)


def test_peak_is_absent_where_it_cannot_be_reset(tmp_path):
    assert memory.run_with_peak(lambda: 5, tmp_path / "absent") == (5, None)
    (tmp_path / "status").write_text("VmSize: 5 kB\n")  # without a peak
    assert memory.run_with_peak(lambda: 5, tmp_path) == (5, None)


def test_peaks_are_measured_one_at_a_time(tmp_path):
    (tmp_path / "status").write_text("VmHWM: 1000 kB\n")
    inner = []
    outer = memory.run_with_peak(lambda: inner.append(memory.run_with_peak(lambda: 5, tmp_path)), tmp_path)
    assert inner == [(5, None)]
    assert outer == (None, 0.0)
    with pytest.raises(ZeroDivisionError):
        memory.run_with_peak(lambda: 1 / 0, tmp_path)
    assert memory.run_with_peak(lambda: 5, tmp_path) == (5, 0.0)  # after an error, too
