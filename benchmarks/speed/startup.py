"""Start-up time as a user sees it: whole processes, bytecode compiled."""

from __future__ import annotations

import compileall
import subprocess
import sys
import tempfile
from pathlib import Path

import foretaste
from benchmarks.speed.rows import Row, main, row
from benchmarks.timing import time_in_turns
from foretaste import SVD, load_dataset, save

AIMS = {"foretaste --help": 0.15, "import foretaste": 0.3, "foretaste predict, one pair": 0.5}


def rows(quick: bool, repeats: int) -> list[Row]:
    return start_up(repeats if quick else 3 * repeats)


def start_up(repeats: int) -> list[Row]:
    """Time --help, the import, and the prediction of one pair, beside a bare Python."""
    compileall.compile_dir(Path(foretaste.__file__).parent, quiet=1)
    command = [sys.executable, "-m", "foretaste"]
    if (script := Path(sys.executable).parent / "foretaste").exists():
        command = [str(script)]
    with tempfile.TemporaryDirectory() as folder:
        model = str(Path(folder) / "model.foretaste")
        save(SVD(factors=16, epochs=5).fit(load_dataset("sample")), model)
        work = {
            "python -c pass": [sys.executable, "-c", "pass"],
            "import click": [sys.executable, "-c", "import click"],
            "foretaste --help": [*command, "--help"],
            "import foretaste": [sys.executable, "-c", "import foretaste"],
            "foretaste predict, one pair": [*command, "predict", model, "--user", "1", "--item", "2"],
        }
        runs = {
            name: lambda arguments=arguments: subprocess.run(arguments, check=True, capture_output=True)
            for name, arguments in work.items()
        }
        for run in runs.values():
            run()
        seconds = time_in_turns(runs, repeats)
    return [
        row(f"{name} (a whole process, bytecode compiled)", value, max_seconds=AIMS.get(name))
        for name, value in seconds.items()
    ]


if __name__ == "__main__":
    main("startup", rows, __doc__)
