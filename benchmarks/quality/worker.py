"""Evaluates one model on one dataset in a subprocess: ``python -m benchmarks.quality.worker JOB RESULT``.

Both are paths of JSON files: the job and its result.
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
from benchmarks.quality.peers import ALL_PEERS, RatingColumns, Subject, make_subject
from foretaste import Ratings
from foretaste.errors import ForetasteError
from foretaste.metrics.rating import mae, rmse

WARM_UP_ROWS = 300


def evaluate(job: dict[str, Any]) -> dict[str, Any]:
    """Evaluate one model on the first ``job["planned"]`` folds.

    Returns
    -------
    dict
        ``folds`` (metrics of each), ``slow`` (whether a peer took longer than ``job["patience"]`` seconds for
        the first fold and is evaluated on it alone) and ``refused`` (why there are no metrics, or None).
    """
    data = DATA[job["data"]]
    protocol = data.folds()
    model = make_subject(job["library"], job["model"], data.scale)
    result: dict[str, Any] = {"folds": [], "slow": False, "refused": None}
    is_peer = job["library"] != "foretaste"
    for fold in range(min(job["planned"], len(protocol))):
        train, test = protocol.train_test(fold)
        if is_peer and fold == 0 and (reason := ALL_PEERS[job["model"]].shortage(train)):
            return result | {"refused": reason}
        if fold == 0:
            warm_up(model, train, test)
        try:
            metrics = evaluate_fold(model, train, test)
        except Exception as error:
            if not is_peer and not isinstance(error, ForetasteError | MemoryError):
                raise  # a bug of ours
            return {"folds": [], "slow": False, "refused": describe_error(error)}
        result["folds"].append(metrics)
        seconds = metrics["fit_seconds"] + metrics["test_seconds"]
        if is_peer and fold == 0 and job["planned"] > 1 and seconds > job["patience"]:
            return result | {"slow": True}
    return result


def warm_up(model: Subject, train: Ratings, test: Ratings) -> None:
    """Use the model on a few rows, so that lazily loaded code counts neither as time nor as memory."""
    with contextlib.suppress(Exception):  # an error shows again on the whole fold
        model.prepare(train[:WARM_UP_ROWS], test[:WARM_UP_ROWS])
        model.fit()
        model.predict()


def evaluate_fold(model: Subject, train: Ratings, test: Ratings) -> dict[str, Any]:
    """Fit on the training set, predict the test set, and measure."""
    model.prepare(train, test)
    seconds: list[float] = []

    def work() -> Any:
        start = time.perf_counter()
        model.fit()
        fit_end = time.perf_counter()
        predictions = model.predict()
        seconds.extend([fit_end - start, time.perf_counter() - fit_end])
        return predictions

    predictions, memory_mb = run_with_peak(work)
    if not np.isfinite(predictions).all():
        raise FloatingPointError(f"{np.sum(~np.isfinite(predictions)):,} predictions are not finite")
    return {
        "rmse": rmse(test.value, predictions),
        "mae": mae(test.value, predictions),
        "fit_seconds": seconds[0],
        "test_seconds": seconds[1],
        "memory_mb": memory_mb,
        "train_rows": len(train),
        "test_rows": len(test),
        "rows": fingerprint(*model.rows()),
    }


def fingerprint(*parts: RatingColumns) -> str:
    """Return a hash of the rows of each part, independent of their order."""
    sums = hashlib.sha256()
    for user, item, value in parts:
        order = np.lexsort((item, user))
        for column, kind in ((user, "<i8"), (item, "<i8"), (value, "<f4")):
            sums.update(np.ascontiguousarray(column[order], dtype=kind).tobytes())
        sums.update(b"|")
    return sums.hexdigest()[:16]


def run_with_peak(work: Callable[[], Any]) -> tuple[Any, float]:
    """Return the result of work, and by how many MB (10**6 bytes) memory rose above its start.

    ``ru_maxrss`` starts from the peak of reading the data, so Linux is asked to reset the peak.
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
    """Return the peak memory since it was last reset."""
    status = Path("/proc/self/status")
    if status.exists():
        lines = status.read_text().splitlines()
        return next(int(line.split()[1]) * 1024 / 1e6 for line in lines if line.startswith("VmHWM:"))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1e6 if sys.platform == "darwin" else peak * 1024 / 1e6  # macOS counts bytes


def describe_error(error: BaseException) -> str:
    """Return in one line why a model was not evaluated."""
    if isinstance(error, ForetasteError):
        return error.message
    if isinstance(error, MemoryError):
        return "out of memory"
    return f"{type(error).__name__}: {' '.join(str(error).split())}"


def main() -> None:
    """Run the job of the first path and write its result to the second."""
    job, result = Path(sys.argv[1]), Path(sys.argv[2])
    try:
        outcome = evaluate(json.loads(job.read_text()))
    except KeyboardInterrupt:
        sys.exit(130)
    except Exception:
        outcome = {"failed": traceback.format_exc()}
    assert all(math.isfinite(fold["rmse"]) for fold in outcome.get("folds", []))
    result.write_text(json.dumps(outcome, allow_nan=False))


if __name__ == "__main__":
    main()
