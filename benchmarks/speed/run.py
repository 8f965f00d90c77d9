"""Speed against other libraries, in one run on this machine: ``make bench``.

``--quick`` leaves out the work at 20 million ratings and at 59,132 rows.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

from benchmarks.speed import imputation, reading, sgd, startup, top_items
from benchmarks.timing import machine, record

README = Path(__file__).parent / "README.md"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    about = machine()
    rows: list[dict[str, Any]] = []
    steps = [
        lambda: sgd.against_surprise(options.repeats),
        lambda: imputation.small(max(2, options.repeats // 2)),
        lambda: reading.against_pandas(options.repeats, 1_000_000 if options.quick else reading.ROWS),
        lambda: top_items.against_numpy_and_implicit(4 * options.repeats),
    ]
    if not options.quick:
        steps += [lambda: sgd.against_numba(options.repeats), imputation.large]
    for step in steps:
        for row in step():
            rows.append(row)
            print(line(row), flush=True)
    starts = startup.start_up(3 * options.repeats)
    for row in starts:
        print(f"{row['seconds']:8.3f} s  {row['work']}", flush=True)
    path = record("speed", {"machine": about, "ratios": rows, "start_up": starts})
    README.write_text(page(about, rows, starts, path.name))
    print(f"written: {path.name} and speed/README.md")


def line(row: dict[str, Any]) -> str:
    equality = ", ".join(f"{name.replace('_', ' ')} {value:.4g}" for name, value in row["equality"].items())
    return (
        f"{row['ratio']:6.1f}x  {row['seconds']:.4f} s against {row['peer_seconds']:.4f} s  "
        f"{row['work']}; {row['peer']}; {row['objective']} objective; {equality}"
    )


def page(about: dict[str, Any], rows: list[dict[str, Any]], starts: list[dict[str, Any]], source: str) -> str:
    versions = ", ".join(f"{name} {value}" for name, value in about["versions"].items())
    text = [
        "# Speed",
        "",
        f"Written by `make bench` from `results/{source}`; medians of interleaved runs in one process.",
        f"{about['processor']}, {about['cores']} cores, instruction set {about['instruction_set']}, "
        f"Python {about['python']}, foretaste {about['foretaste']}; {versions}.",
        "",
        "| work | against | objective | theirs, s | ours, s | ratio | equality |",
        "|---|---|---|--:|--:|--:|---|",
    ]
    for row in rows:
        equality = "; ".join(
            f"{name.replace('_', ' ')} {value:.4g}" for name, value in row["equality"].items()
        )
        text.append(
            f"| {row['work']} | {row['peer']} | {row['objective']} | {row['peer_seconds']:.3f} | "
            f"{row['seconds']:.4f} | **{row['ratio']:.1f}x** | {equality} |"
        )
    text += ["", "| whole process, bytecode compiled | s |", "|---|--:|"]
    text += [f"| {row['work']} | {row['seconds']:.3f} |" for row in starts]
    return "\n".join(text) + "\n"


if __name__ == "__main__":
    main()
