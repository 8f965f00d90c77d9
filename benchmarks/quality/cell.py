"""One model on one data set, in a process of its own: ``python -m benchmarks.quality.cell JOB RESULT``.

Both are paths of JSON files: what to judge, and what came of it.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import hashlib
import json
import math
import resource
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.quality.data import DATA
from benchmarks.quality.peers import ALL_PEERS, Columns, Subject, subject
from foretaste import Ratings
from foretaste.errors import ForetasteError
from foretaste.metrics.rating import mae, rmse

WARM_UP_ROWS = 300


def judge(job: dict[str, Any]) -> dict[str, Any]:
    """Judge one model on the first ``job["planned"]`` folds.

    Returns
    -------
    dict
        ``folds`` (figures of each), ``slow`` (a peer that took longer than ``job["patience"]`` seconds for
        the first fold is judged by it alone) and ``refused`` (why there are no figures, or None).
    """
    data = DATA[job["data"]]
    protocol = data.folds()
    one = subject(job["library"], job["model"], data.scale)
    result: dict[str, Any] = {"folds": [], "slow": False, "refused": None}
    theirs = job["library"] != "foretaste"
    for fold in range(min(job["planned"], len(protocol))):
        train, test = protocol.train_test(fold)
        if theirs and fold == 0 and (reason := ALL_PEERS[job["model"]].shortage(train)):
            return result | {"refused": reason}
        if fold == 0:
            warm_up(one, train, test)
        try:
            figures = judge_fold(one, train, test)
        except Exception as error:
            if not theirs and not isinstance(error, ForetasteError | MemoryError):
                raise  # a fault of ours, not a refusal
            return {"folds": [], "slow": False, "refused": in_words(error)}
        result["folds"].append(figures)
        seconds = figures["fit_seconds"] + figures["test_seconds"]
        if theirs and fold == 0 and job["planned"] > 1 and seconds > job["patience"]:
            return result | {"slow": True}
    return result


def warm_up(one: Subject, train: Ratings, test: Ratings) -> None:
    """Use the model on a few rows, so that code loaded at first use counts neither as time nor as memory."""
    with contextlib.suppress(Exception):  # what is wrong shows again on the whole fold
        one.prepare(train[:WARM_UP_ROWS], test[:WARM_UP_ROWS])
        one.fit()
        one.predict()


def judge_fold(one: Subject, train: Ratings, test: Ratings) -> dict[str, Any]:
    """Fit on one part, judge by the other, and measure."""
    one.prepare(train, test)
    seconds: list[float] = []

    def work() -> Any:
        start = time.perf_counter()
        one.fit()
        middle = time.perf_counter()
        predicted = one.predict()
        seconds.extend([middle - start, time.perf_counter() - middle])
        return predicted

    predicted, memory_mb = with_peak(work)
    if not np.isfinite(predicted).all():
        raise FloatingPointError(f"{np.sum(~np.isfinite(predicted)):,} predictions are not finite")
    return {
        "rmse": rmse(test.value, predicted),
        "mae": mae(test.value, predicted),
        "fit_seconds": seconds[0],
        "test_seconds": seconds[1],
        "memory_mb": memory_mb,
        "train_rows": len(train),
        "test_rows": len(test),
        "rows": fingerprint(*one.rows()),
    }


def fingerprint(*parts: Columns) -> str:
    """Return a hash of the rows of each part, whatever their order in it."""
    sums = hashlib.sha256()
    for user, item, value in parts:
        order = np.lexsort((item, user))
        for column, kind in ((user, "<i8"), (item, "<i8"), (value, "<f4")):
            sums.update(np.ascontiguousarray(column[order], dtype=kind).tobytes())
        sums.update(b"|")
    return sums.hexdigest()[:16]


def with_peak(work: Callable[[], Any]) -> tuple[Any, float]:
    """Return what work returns, and by how many MB (10**6 bytes) memory in use rose above that before it.

    ``ru_maxrss`` alone begins with the peak of reading the data, so Linux is asked to forget that one.
    """
    gc.collect()
    with contextlib.suppress(OSError, AttributeError):  # not glibc
        ctypes.CDLL(None).malloc_trim(0)
    with contextlib.suppress(OSError):  # not Linux: the peak includes that of reading
        Path("/proc/self/clear_refs").write_text("5")
    before = peak_mb()
    result = work()
    return result, max(0.0, peak_mb() - before)


def peak_mb() -> float:
    """Return the peak of the memory in use since it was last forgotten."""
    status = Path("/proc/self/status")
    if status.exists():
        lines = status.read_text().splitlines()
        return next(int(line.split()[1]) * 1024 / 1e6 for line in lines if line.startswith("VmHWM:"))
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most / 1e6 if sys.platform == "darwin" else most * 1024 / 1e6  # macOS counts bytes


def in_words(error: BaseException) -> str:
    """Say on one line why a model was not judged."""
    if isinstance(error, ForetasteError):
        return error.message
    if isinstance(error, MemoryError):
        return "it ran out of memory"
    return f"{type(error).__name__}: {' '.join(str(error).split())}"


def main() -> None:
    """Run the job of the first path, and write what came of it to the second."""
    job, result = Path(sys.argv[1]), Path(sys.argv[2])
    try:
        found = judge(json.loads(job.read_text()))
    except KeyboardInterrupt:
        sys.exit(130)
    except Exception:
        found = {"failed": traceback.format_exc()}
    assert all(math.isfinite(fold["rmse"]) for fold in found.get("folds", []))
    result.write_text(json.dumps(found, allow_nan=False))


if __name__ == "__main__":
    main()
