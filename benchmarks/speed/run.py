"""Speed against other libraries on this machine: ``make bench``, or ``python -m benchmarks.speed.run``.

``--quick`` proves in a few minutes that all of it runs, at small sizes, and writes nothing.
"""

from __future__ import annotations

import argparse
from importlib import import_module

from benchmarks.speed.rows import ORDER, measure


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small sizes; nothing is written")
    parser.add_argument("--repeats", type=int, default=None, help="runs of each (5, or 1 with --quick)")
    parser.add_argument("--only", nargs="+", choices=ORDER, default=list(ORDER), metavar="NAME")
    options = parser.parse_args()
    repeats = options.repeats or (1 if options.quick else 5)
    for name in options.only:  # imported in turn, so that one peer burdens no other's run
        measure({name: import_module(f"benchmarks.speed.{name}").rows}, options.quick, repeats)


if __name__ == "__main__":
    main()
