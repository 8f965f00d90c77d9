"""Error, time and memory of our models beside those of scikit-surprise, on the same folds in one run.

Each model is judged in a process of its own. What is finished is written at once to the dated JSON in
benchmarks/results and to the page benchmarks/quality/README.md; --resume skips it the next time. Needs
real ratings in the folder named in FORETASTE_DATA.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import foretaste
from benchmarks.quality.data import DATA
from benchmarks.quality.page import line, page, tables
from benchmarks.quality.peers import ALL_PEERS, FAMILIES, family_of
from benchmarks.quality.store import Cell, Store, grounds, write_whole
from benchmarks.timing import RESULTS, machine
from foretaste.models import MODELS

ROOT = Path(__file__).parents[2]
README = Path(__file__).parent / "README.md"


def options_of(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.quality", description=__doc__)
    parser.add_argument(
        "--data", type=_names(DATA, "data set"), default=list(DATA), help="some of " + ", ".join(DATA)
    )
    parser.add_argument(
        "--models",
        type=_names(MODELS, "model"),
        default=list(MODELS),
        help="some of our models, and with them the peers of their families; default: all",
    )
    parser.add_argument("--folds", type=int, help="judge by the first folds only, this many")
    parser.add_argument("--peers", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument("--resume", action="store_true", help="skip what the newest JSON holds already")
    parser.add_argument(
        "--patience",
        type=float,
        default=150.0,
        help="a peer that takes longer for its first fold is judged by that one alone (seconds)",
    )
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder of the dated JSON")
    parser.add_argument("--page", type=Path, default=README, help="the page to write")
    options = parser.parse_args(arguments)
    options.said = sys.argv[1:] if arguments is None else list(arguments)
    if options.folds is not None and options.folds < 1:
        parser.error(f"--folds {options.folds}: at least 1")
    if options.peers:
        try:
            version("scikit-surprise")
        except PackageNotFoundError:
            parser.error('scikit-surprise is not installed: pip install "foretaste[peers]", or --no-peers')
    return options


def _names(known: Sequence[str] | dict[str, Any], what: str) -> Any:
    """Return a reader of names between commas."""

    def read(text: str) -> list[str]:
        names = [name.strip() for name in text.split(",") if name.strip()]
        for name in names:
            if name not in known:
                raise argparse.ArgumentTypeError(f'no {what} "{name}"; one of {", ".join(known)}')
        return names

    return read


def work_of(options: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """Yield what is to be judged, ours and theirs of a family after one another."""
    everything = len(options.models) == len(MODELS)
    families = dict.fromkeys([*FAMILIES, *(family_of(name) for name in options.models)])
    for data in options.data:
        folds = DATA[data].n_folds
        planned = folds if options.folds is None else min(folds, options.folds)
        for family in families:
            ours = [name for name in options.models if family_of(name) == family]
            _, theirs = FAMILIES.get(family, ((), ()))
            # Without a choice, families of which we have no model yet are judged too.
            peers = theirs if options.peers and (ours or everything) else ()
            for library, names in (("foretaste", ours), ("surprise", [peer.name for peer in peers])):
                for name in names:
                    yield {"data": data, "library": library, "model": name, "planned": planned}


def judge_apart(job: dict[str, Any]) -> dict[str, Any]:
    """Judge in a process of its own, which is over when this returns."""
    with tempfile.TemporaryDirectory(prefix="foretaste-") as folder:
        asked, told = Path(folder) / "job.json", Path(folder) / "result.json"
        asked.write_text(json.dumps(job))
        package = str(Path(foretaste.__file__).parents[1])
        known = os.environ.get("PYTHONPATH")
        paths = [str(ROOT), package, *([known] if known else [])]
        code = subprocess.run(
            [sys.executable, "-m", "benchmarks.quality.cell", str(asked), str(told)],
            cwd=ROOT,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(paths)},
            stdin=subprocess.DEVNULL,
            stdout=sys.stderr.fileno(),  # whatever a library prints is no result
            check=False,
        ).returncode
        if code in (130, -signal.SIGINT):
            raise KeyboardInterrupt
        if code == -signal.SIGKILL:
            return {"folds": [], "slow": False, "refused": "its process was killed, most likely for memory"}
        if code:
            return {"failed": f"the process ended with exit code {code}"}
        found: dict[str, Any] = json.loads(told.read_text())
        return found


def run(options: argparse.Namespace, store: Store) -> list[str]:
    """Judge all that is asked for, and return what failed."""
    for data in options.data:
        DATA[data].paths()
    about = machine() | {"command": shlex.join(["python", "-m", "benchmarks.quality", *options.said])}
    store.begin(about)
    failed = []
    for job in work_of(options):
        resting_on = grounds(job["library"], about)
        label = f"{job['data']:<9} {job['library']:<9} {job['model']}"
        if options.resume and store.finished(job, resting_on):
            print(f"{label}: judged already", file=sys.stderr)
            continue
        found = judge_apart({**job, "patience": options.patience})
        if "failed" in found:
            failed.append(label)
            print(f"{label}: FAILED\n{found['failed']}", file=sys.stderr)
            continue
        cell: Cell = {**job, **found, "call": _call(job), "grounds": resting_on}
        store.put(cell)
        print(f"{label:<46} {line(cell)}", flush=True)
    return failed


def _call(job: dict[str, Any]) -> str:
    """Return the call that makes the model of a job."""
    name = job["model"]
    return repr(MODELS[name]()) if job["library"] == "foretaste" else ALL_PEERS[name].code


def main(arguments: Sequence[str] | None = None) -> int:
    """Run, and write the page of whatever is judged, interrupted or not."""
    options = options_of(arguments)
    store = Store(options.results, resume=options.resume)
    failed, code = [], 0
    try:
        failed = run(options, store)
    except KeyboardInterrupt:
        print("\nstopped; what is finished is kept: --resume goes on", file=sys.stderr)
        code = 130
    if store.cells:
        write_whole(options.page, page(store.content, store.path.name))
        print(tables(store.cells, options.data))
        print(f"written: {store.path} and {options.page}")
    if failed:
        print("FAILED: " + "; ".join(failed), file=sys.stderr)
    return code or int(bool(failed))


if __name__ == "__main__":
    sys.exit(main())
