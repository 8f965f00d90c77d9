"""How long a person waits before anything happens: whole processes, bytecode compiled."""

from __future__ import annotations

import compileall
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import foretaste
from benchmarks.timing import interleaved
from foretaste import SVD, load_dataset, save


def start_up(repeats: int) -> list[dict[str, Any]]:
    """Time --help, the import, and the prediction of one pair, beside a bare Python."""
    compileall.compile_dir(Path(foretaste.__file__).parent, quiet=1)
    command = str(Path(sys.executable).parent / "foretaste")
    with tempfile.TemporaryDirectory() as folder:
        model = str(Path(folder) / "model.foretaste")
        save(SVD(factors=16, epochs=5).fit(load_dataset("sample")), model)
        work = {
            "python -c pass": [sys.executable, "-c", "pass"],
            "import click": [sys.executable, "-c", "import click"],
            "foretaste --help": [command, "--help"],
            "import foretaste": [sys.executable, "-c", "import foretaste"],
            "foretaste predict, one pair": [command, "predict", model, "--user", "1", "--item", "2"],
        }
        runs = {
            name: lambda arguments=arguments: subprocess.run(arguments, check=True, capture_output=True)
            for name, arguments in work.items()
        }
        for run in runs.values():
            run()
        seconds = interleaved(runs, repeats)
    return [{"work": name, "seconds": value} for name, value in seconds.items()]
