"""Check the C++ code: its layout by clang-format, and clang-tidy's rules over every file that is compiled.

Run it as ``python tools/check_native.py``. Layout is fixed by ``clang-format -i FILE``. The rules and
the reason of each exception stand in ``.clang-tidy``.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import nanobind

ROOT = Path(__file__).resolve().parents[1]
NATIVE = ROOT / "native"
FLAGS = [
    "-std=c++20", "-Wall", "-Wextra", "-I", str(NATIVE), "-isystem", nanobind.include_dir(),
    "-isystem", sysconfig.get_path("include"),
]  # fmt: skip
# The kernels are the same for every instruction set.
PLAIN = ["-DFORETASTE_ISA=plain", "-DFORETASTE_VECTOR_BYTES=16"]


def run(tool: str, *arguments: str) -> str:
    """Return what a tool of this environment has found; empty if nothing."""
    command = shutil.which(tool, path=str(Path(sys.executable).parent)) or tool
    done = subprocess.run([command, *arguments], capture_output=True, text=True, check=False, cwd=ROOT)
    return done.stdout + done.stderr if done.returncode else ""


def check_file(source: Path) -> str:
    """Return clang-tidy's findings in one file that is compiled, and in the headers that it includes."""
    flags = [*FLAGS, *PLAIN] if source.name == "isa.cpp" else FLAGS
    return run("clang-tidy", "-quiet", str(source), "--", *flags)


def main() -> int:
    """Print all findings; 1 if there are any."""
    sources = sorted(NATIVE.rglob("*.cpp"))
    files = [str(file) for file in (*sources, *NATIVE.rglob("*.hpp"))]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        findings = [run("clang-format", "--dry-run", "--Werror", *files), *pool.map(check_file, sources)]
    print("".join(findings), end="")
    return int(any(findings))


if __name__ == "__main__":
    sys.exit(main())
