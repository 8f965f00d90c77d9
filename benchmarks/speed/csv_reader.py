"""Reading a large CSV file into sorted ids and arrays, against pandas; each run in a subprocess.

``python -m benchmarks.speed.csv_reader --quick`` reads a small file.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from benchmarks.speed.rows import Row, measure, row
from benchmarks.speed.subprocess_run import memory_bytes
from benchmarks.timing import is_missing, peer_label
from foretaste.typing import AnyArray

ROOT = Path(__file__).parents[2]
USERS, ITEMS, ROWS = (
    138_365,
    26_744,
    20_000_000,
)  # the shape of MovieLens 20M
BYTES_PER_ROW = 4 + 4 + 4 + 8  # two codes, a rating, a timestamp


class EncodedColumns(NamedTuple):
    """Ratings with sorted ids: codes and ratings have shape (rows,), ids shape (users,) and (items,)."""

    user: AnyArray
    user_ids: AnyArray
    item: AnyArray
    item_ids: AnyArray
    value: AnyArray
    timestamp: AnyArray


def write_files(folder: Path, rows: int) -> None:
    """Write the same ratings with integer ids and with text ids, grouped by user as in MovieLens."""
    import polars as pl

    from benchmarks.data import generate_ratings

    share = rows / ROWS
    ratings = generate_ratings(max(50, int(USERS * share)), max(50, int(ITEMS * min(1, 4 * share))), rows)
    rng = np.random.default_rng(7)
    users = np.sort(rng.choice(138_493, len(ratings.users), replace=False)) + 1
    items = np.sort(rng.choice(131_262, len(ratings.items), replace=False)) + 1
    frame = pl.DataFrame(
        {
            "userId": users[ratings.user],
            "movieId": items[ratings.item],
            "rating": ratings.value - rng.integers(0, 2, len(ratings)).astype(np.float32) / 2,
            "timestamp": rng.integers(789_652_009, 1_427_784_002, len(ratings)),
        }
    )
    frame.write_csv(folder / "numbers.csv")
    texts = frame.with_columns(
        userId=pl.Series([f"u{user:06d}" for user in users]).gather(ratings.user),
        movieId=pl.Series([f"tt{item:07d}" for item in items]).gather(ratings.item),
    )
    texts.write_csv(folder / "texts.csv")


def read_by_pandas(path: Path) -> EncodedColumns:
    """Read by pandas and sort the ids; duplicates are not checked."""
    import pandas as pd

    frame = pd.read_csv(path, dtype={"rating": np.float32, "timestamp": np.int64})
    user, users = pd.factorize(frame["userId"], sort=True)
    item, items = pd.factorize(frame["movieId"], sort=True)
    return EncodedColumns(user, users, item, items, frame["rating"].to_numpy(), frame["timestamp"].to_numpy())


def read_by_foretaste(path: Path) -> EncodedColumns:
    """Read by foretaste, which also checks every line and duplicates."""
    from foretaste import read_ratings

    ratings = read_ratings(path)
    assert ratings.timestamp is not None
    users, items = ratings.users.ids, ratings.items.ids
    return EncodedColumns(ratings.user, users, ratings.item, items, ratings.value, ratings.timestamp)


READERS = {"pandas": read_by_pandas, "foretaste": read_by_foretaste}


def run_alone(reader: str, path: Path) -> dict[str, Any]:
    """Read once in this process and return seconds, peak memory and a checksum."""
    import pandas  # noqa: F401  # imports are not timed
    import polars  # noqa: F401

    import foretaste  # noqa: F401

    start = time.perf_counter()
    columns = READERS[reader](path)
    seconds, peak = time.perf_counter() - start, memory_bytes("VmHWM")
    total = hashlib.sha256()
    for column, dtype in zip(columns, (np.int32, None, np.int32, None, np.float32, np.int64), strict=True):
        bare = np.asarray(column) if dtype is None else np.asarray(column).astype(dtype)
        total.update("\n".join(map(str, bare.tolist())).encode() if dtype is None else bare.tobytes())
    return {"seconds": seconds, "peak": peak, "checksum": total.hexdigest(), "rows": len(columns[0])}


def rows(quick: bool, repeats: int) -> list[Row]:
    if is_missing("reading", "pandas"):
        return []
    return against_pandas(repeats, 100_000 if quick else ROWS)


def run_in_child(*arguments: str) -> str:
    command = [sys.executable, "-m", "benchmarks.speed.csv_reader", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout


def against_pandas(repeats: int, rows: int = ROWS) -> list[Row]:
    """Read both files in turns with each library."""
    results = []
    with tempfile.TemporaryDirectory() as folder:
        run_in_child("--write", folder, "--rows", str(rows))
        for kind in ("numbers", "texts"):
            path = Path(folder) / f"{kind}.csv"
            runs: dict[str, list[dict[str, Any]]] = {reader: [] for reader in READERS}
            for _ in range(repeats):
                for reader, done in runs.items():
                    done.append(json.loads(run_in_child("--read", reader, str(path))))
            results.append(_row(kind, path, runs))
    return results


def _row(kind: str, path: Path, runs: dict[str, list[dict[str, Any]]]) -> Row:
    checksums = {run["checksum"] for done in runs.values() for run in done}
    assert len(checksums) == 1, f"the readers disagree on {kind}"
    seconds = {reader: statistics.median(run["seconds"] for run in done) for reader, done in runs.items()}
    rows, size = runs["foretaste"][0]["rows"], path.stat().st_size
    peaks = {
        reader: max(run["peak"] for run in done) / (rows * BYTES_PER_ROW) for reader, done in runs.items()
    }
    return row(
        f"a CSV of {rows:,} ratings ({size / 1e6:,.0f} MB), ids {kind}, to sorted codes",
        seconds["foretaste"],
        peer=peer_label("pandas", "read_csv, factorize(sort=True); looks for no duplicates"),
        peer_seconds=seconds["pandas"],
        equality={"same_codes_ids_and_values": 1, "their_peak": peaks["pandas"]},
        min_ratio=1.5 if kind == "numbers" else 1,
        also={"peak_of_memory_over_finished_arrays": (peaks["foretaste"], 4)},
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a small file; nothing is written")
    parser.add_argument("--rows", type=int, default=ROWS, help="with --write, of the files")
    parser.add_argument("--repeats", type=int, default=None)
    parser.add_argument("--write", metavar="FOLDER", help="write the files and no more")
    parser.add_argument("--read", nargs=2, metavar=("READER", "FILE"), help="read one file once, here")
    options = parser.parse_args()
    if options.write:
        write_files(Path(options.write), options.rows)
    elif options.read:
        print(json.dumps(run_alone(options.read[0], Path(options.read[1]))))
    else:
        measure({"csv_reader": rows}, options.quick, options.repeats or (1 if options.quick else 3))


if __name__ == "__main__":
    main()
