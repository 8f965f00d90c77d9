"""The service on the loopback address under wrk: answers, durable writes, memory; and top 10 for all users.

One worker, 16 keep-alive connections, wrk with one thread: both processes share the machine. Every run is
limited in requests and in seconds. It needs wrk (Debian: ``apt-get install wrk``).
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.data import movielens_1m
from benchmarks.speed.rows import Row, main, row
from benchmarks.timing import is_missing, time_in_turns
from foretaste import Ratings, load, recommend

CONNECTIONS, SECONDS, REQUESTS = 16, 120, 50_000
_SCRIPT = """
local ffi = require("ffi")
ffi.cdef("int getpid(void); int kill(int, int);")
local seed, most, kind = tonumber(KIND_SEED), tonumber(KIND_MOST), "KIND_NAME"
local users, items = {USERS}, {ITEMS}
local headers = {["Authorization"] = "Bearer KEY", ["Content-Type"] = "application/json"}
local asked, answered = 0, 0
function init(args) math.randomseed(seed) end
function request()
  asked = asked + 1
  if kind == "each" then
    return wrk.format("GET", "/api/v1/recommendations?user=" .. users[(asked - 1) % #users + 1], headers)
  elseif kind == "some" then
    return wrk.format("GET", "/api/v1/recommendations?user=" .. users[math.random(#users)], headers)
  end
  local body = string.format('{"user": %d, "item": %d, "value": %d}',
    users[math.random(#users)], items[math.random(#items)], math.random(5))
  return wrk.format("PUT", "/api/v1/ratings", headers, body)
end
function response(status, headers, body)
  answered = answered + 1
  if answered == most then ffi.C.kill(ffi.C.getpid(), 2) end -- as Ctrl-C: it stops and reports
end
function done(summary, latency, requests)
  io.write(string.format("FOUND %d %d %d %d %d %d\\n", summary.requests, summary.duration,
    latency:percentile(50), latency:percentile(99), summary.errors.status,
    summary.errors.connect + summary.errors.read + summary.errors.write + summary.errors.timeout))
end
"""


@dataclass(frozen=True)
class Load:
    """Result of wrk: answers per second, latency percentiles in ms, and processor time."""

    requests: int
    per_second: float
    p50: float
    p99: float
    processor: float

    def figures(self) -> dict[str, float]:
        return {
            "a_second": self.per_second, "p50_ms": self.p50, "processor_ms": self.processor,
            "requests": self.requests,
        }  # fmt: skip


@dataclass(frozen=True)
class ServiceProcess:
    """A running service: its address, key, process and folder."""

    url: str
    key: str
    process: int
    folder: Path

    def memory(self) -> float:
        """Return the resident memory of the process in MB."""
        status = Path(f"/proc/{self.process}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+)", status).group(1)) / 1024  # type: ignore[union-attr]

    def processor(self) -> float:
        """Return the processor seconds of the process."""
        ticks = Path(f"/proc/{self.process}/stat").read_text().rpartition(")")[2].split()[11:13]
        return sum(map(int, ticks)) / os.sysconf("SC_CLK_TCK")

    def load(self, kind: str, ratings: Ratings, most: int, seconds: int = SECONDS) -> Load:
        """Run wrk: recommendations for ``each`` user in turn or ``some`` at random, or random ``ratings``."""
        words = {
            "KIND_SEED": "7", "KIND_MOST": str(most), "KIND_NAME": kind, "KEY": self.key,
            "USERS": ",".join(map(str, ratings.users)), "ITEMS": ",".join(map(str, ratings.items)),
        }  # fmt: skip
        text = _SCRIPT
        for word, value in words.items():
            text = text.replace(word, value)
        script = self.folder / "load.lua"
        script.write_text(text)
        script.chmod(0o600)
        before = self.processor()
        done = subprocess.run(
            ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "--timeout", "30s", "-s", script, self.url],
            capture_output=True, text=True, check=True, timeout=seconds + 60,
        )  # fmt: skip
        measured = re.search(r"FOUND ([\d ]+)", done.stdout)
        assert measured is not None, done.stdout
        count, micros, half, most_of, refused, broken = map(int, measured.group(1).split())
        assert refused == broken == 0, f"{refused} answers were refusals, {broken} connections broke"
        processor = 1000 * (self.processor() - before) / count
        return Load(count, count / micros * 1e6, half / 1000, most_of / 1000, processor)


@contextmanager
def run_service(ratings: Ratings, folder: Path) -> Iterator[ServiceProcess]:
    """Start the service as users do, with its log in a file."""
    table = folder / "ratings.csv"
    rows = zip(ratings.user_ids.tolist(), ratings.item_ids.tolist(), ratings.value.tolist(), strict=True)
    table.write_text("user,item,rating\n" + "".join(f"{u},{i},{value:g}\n" for u, i, value in rows))
    command = "serve", str(table), "--folder", str(folder / "service"), "--port", "0", "--rate-limit", "none"
    command += "--scale", "1,5"
    with (folder / "log").open("w+") as log:
        process = subprocess.Popen([sys.executable, "-m", "foretaste", *command], stderr=log)
        try:
            url = _address(process, folder / "log")
            key = (folder / "service" / "admin.key").read_text().strip()
            yield ServiceProcess(url, key, process.pid, folder)
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(60)


def _address(process: subprocess.Popen[bytes], log: Path) -> str:
    end = time.monotonic() + 600
    while time.monotonic() < end and process.poll() is None:
        measured = re.search(r"http://127\.0\.0\.1:\d+", log.read_text())
        if measured:
            with urllib.request.urlopen(f"{measured.group()}/api/v1/ready", timeout=60):  # noqa: S310 - ours
                return measured.group()
        time.sleep(0.1)
    raise RuntimeError("the service did not start:\n" + log.read_text())


def rows(quick: bool, repeats: int) -> list[Row]:
    if shutil.which("wrk") is None:
        print("left out: the service under load: wrk is not installed (Debian: apt-get install wrk)")
        return []
    if is_missing("the service under load", "fastapi", "uvicorn"):
        return []
    ratings, name = movielens_1m(20_000 if quick else 1_000_000)
    most = 2_000 if quick else REQUESTS
    with tempfile.TemporaryDirectory() as folder, run_service(ratings, Path(folder)) as service:
        measured = under_load(service, ratings, name, most)
        model = load(next((Path(folder) / "service" / "models").iterdir()), memory_map=True)
        measured.append(everything(model, ratings, name, repeats))
    return measured


def under_load(service: ServiceProcess, ratings: Ratings, name: str, most: int) -> list[Row]:
    """Request recommendations once per user, then at random; measure memory; write ratings."""
    how = f"the service, {name}, SVD, one worker, {CONNECTIONS} connections"
    first = service.load("each", ratings, len(ratings.users))
    service.load("some", ratings, most // 5)
    before = service.memory()
    warm = service.load("some", ratings, most)
    added = service.memory() - before
    writes = service.load("ratings", ratings, most // 5)
    return [
        row(
            f"{how}: recommendations, warm", 1 / warm.per_second, max_seconds=1 / 1500,
            equality=warm.figures() | {"MB_before": before},
            also={"p99_ms": (warm.p99, 20.0), "MB_added": (added, 5.0)},
        ),
        row(
            f"{how}: recommendations, each user for the first time", 1 / first.per_second,
            equality=first.figures() | {"p99_ms": first.p99},
        ),
        row(
            f"{how}: ratings written, each on disk before it is answered", 1 / writes.per_second,
            equality=writes.figures() | {"p99_ms": writes.p99},
        ),
    ]  # fmt: skip


def everything(model: object, ratings: Ratings, name: str, repeats: int) -> Row:
    """Rank all items for all users of a loaded model."""
    work = {"all": lambda: recommend(model, n=10, exclude=ratings, threads=2)}
    assert np.isfinite(work["all"]().scores).all()
    shape = f"{len(ratings.users):,} users, {len(ratings.items):,} items"
    seconds = time_in_turns(work, 2 * repeats)["all"]
    return row(
        f"top 10 of all, {shape} ({name}), the service's own model, 2 threads", seconds, max_seconds=0.1
    )


if __name__ == "__main__":
    main("service", rows, __doc__)
