"""The battery itself: each planted fault is found by the check meant for it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent


@pytest.mark.nightly
def test_every_planted_fault_is_found():
    names = re.findall(r'^@fault\("(\w+)"\)\nclass (\w+)\(', (HERE / "planted_faults.py").read_text(), re.M)
    assert len(names) > 20
    path = os.pathsep.join([str(HERE), *filter(None, sys.path)])
    chosen = " or ".join(f"(test_{check} and {model})" for check, model in names)
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "planted_faults", "-p", "no:cacheprovider", "-q", "-rf",
         "--tb=no", "-k", chosen, str(HERE)],
        env=os.environ | {"PYTHONPATH": path, "COLUMNS": "200"}, cwd=HERE.parent.parent,
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    failed = set(re.findall(r"^FAILED \S+::test_(\w+)\[(?:\S+-)?(\w+)\]", run.stdout, re.M))
    assert [pair for pair in names if pair not in failed] == [], run.stdout + run.stderr
