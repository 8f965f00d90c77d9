"""Error, time and memory of our models beside those of scikit-surprise, on the same folds in one run.

Each model is evaluated in a subprocess. Each finished cell is written at once to the dated JSON in
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
from benchmarks.quality.store import Cell, ResultStore, grounds, write_atomically
from benchmarks.timing import RESULTS, machine
from foretaste.models import MODELS

ROOT = Path(__file__).parents[2]
README = Path(__file__).parent / "README.md"


def parse_options(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Parse the command line."""
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
    parser.add_argument("--folds", type=int, help="evaluate on the first folds only, this many")
    parser.add_argument("--peers", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument("--resume", action="store_true", help="skip the cells of the newest JSON")
    parser.add_argument(
        "--patience",
        type=float,
        default=150.0,
        help="a peer that takes longer for its first fold is evaluated on that one alone (seconds)",
    )
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder of the dated JSON")
    parser.add_argument("--page", type=Path, default=README, help="the page to write")
    options = parser.parse_args(arguments)
    options.command_line = sys.argv[1:] if arguments is None else list(arguments)
    if options.folds is not None and options.folds < 1:
        parser.error(f"--folds {options.folds}: at least 1")
    if options.peers:
        try:
            version("scikit-surprise")
        except PackageNotFoundError:
            parser.error('scikit-surprise is not installed: pip install "foretaste[peers]", or --no-peers')
    return options


def _names(known: Sequence[str] | dict[str, Any], what: str) -> Any:
    """Return a parser of comma-separated names."""

    def read(text: str) -> list[str]:
        names = [name.strip() for name in text.split(",") if name.strip()]
        for name in names:
            if name not in known:
                raise argparse.ArgumentTypeError(f'no {what} "{name}"; one of {", ".join(known)}')
        return names

    return read


def list_jobs(options: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """Yield the jobs, ours and the peers' of a family after one another."""
    everything = len(options.models) == len(MODELS)
    families = dict.fromkeys([*FAMILIES, *(family_of(name) for name in options.models)])
    for data in options.data:
        folds = DATA[data].n_folds
        planned = folds if options.folds is None else min(folds, options.folds)
        for family in families:
            ours = [name for name in options.models if family_of(name) == family]
            _, theirs = FAMILIES.get(family, ((), ()))
            # With all models, families of which we have no model are evaluated, too.
            peers = theirs if options.peers and (ours or everything) else ()
            for library, names in (("foretaste", ours), ("surprise", [peer.name for peer in peers])):
                for name in names:
                    yield {"data": data, "library": library, "model": name, "planned": planned}


def evaluate_in_subprocess(job: dict[str, Any]) -> dict[str, Any]:
    """Run a job in a subprocess and return its result."""
    with tempfile.TemporaryDirectory(prefix="foretaste-") as folder:
        job_file, result_file = Path(folder) / "job.json", Path(folder) / "result.json"
        job_file.write_text(json.dumps(job))
        package = str(Path(foretaste.__file__).parents[1])
        known = os.environ.get("PYTHONPATH")
        paths = [str(ROOT), package, *([known] if known else [])]
        code = subprocess.run(
            [sys.executable, "-m", "benchmarks.quality.worker", str(job_file), str(result_file)],
            cwd=ROOT,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(paths)},
            stdin=subprocess.DEVNULL,
            stdout=sys.stderr.fileno(),  # keeps what libraries print out of the result
            check=False,
        ).returncode
        if code in (130, -signal.SIGINT):
            raise KeyboardInterrupt
        if code == -signal.SIGKILL:
            return {"folds": [], "slow": False, "refused": "its process was killed, most likely for memory"}
        if code:
            return {"failed": f"the process ended with exit code {code}"}
        outcome: dict[str, Any] = json.loads(result_file.read_text())
        return outcome


def run(options: argparse.Namespace, store: ResultStore) -> list[str]:
    """Run all jobs and return the labels of those that failed."""
    for data in options.data:
        DATA[data].paths()
    about = machine() | {"command": shlex.join(["python", "-m", "benchmarks.quality", *options.command_line])}
    store.start_run(about)
    failed = []
    for job in list_jobs(options):
        cell_grounds = grounds(job["library"], about)
        label = f"{job['data']:<9} {job['library']:<9} {job['model']}"
        if options.resume and store.is_finished(job, cell_grounds):
            print(f"{label}: finished already", file=sys.stderr)
            continue
        outcome = evaluate_in_subprocess({**job, "patience": options.patience})
        if "failed" in outcome:
            failed.append(label)
            print(f"{label}: FAILED\n{outcome['failed']}", file=sys.stderr)
            continue
        cell: Cell = {**job, **outcome, "call": _call(job), "grounds": cell_grounds}
        store.put(cell)
        print(f"{label:<46} {line(cell)}", flush=True)
    return failed


def _call(job: dict[str, Any]) -> str:
    """Return the call that builds the model of a job."""
    name = job["model"]
    return repr(MODELS[name]()) if job["library"] == "foretaste" else ALL_PEERS[name].code


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark and write the page of all finished cells, after an interruption, too."""
    options = parse_options(arguments)
    store = ResultStore(options.results, resume=options.resume)
    failed, code = [], 0
    try:
        failed = run(options, store)
    except KeyboardInterrupt:
        print("\ninterrupted; finished cells are saved: continue with --resume", file=sys.stderr)
        code = 130
    if store.cells:
        write_atomically(options.page, page(store.content, store.path.name))
        print(tables(store.cells, options.data))
        print(f"written: {store.path} and {options.page}")
    if failed:
        print("FAILED: " + "; ".join(failed), file=sys.stderr)
    return code or int(bool(failed))


if __name__ == "__main__":
    sys.exit(main())
