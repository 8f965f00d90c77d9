"""The native tests on an extension built with AddressSanitizer and UndefinedBehaviorSanitizer."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from foretaste import _native

ROOT = Path(__file__).parents[2]
NATIVE_TESTS = sorted(
    map(str, (*ROOT.glob("tests/native/test_native*.py"), *ROOT.glob("tests/compat/test_native*.py")))
)


def runtime_of(name: str) -> str | None:
    """Return the path of a sanitizer's runtime library, which must be loaded before Python."""
    compiler = shutil.which("c++")
    if compiler is None:
        return None
    found = subprocess.run([compiler, f"-print-file-name={name}"], capture_output=True, text=True, check=True)
    path = Path(found.stdout.strip())
    return str(path.resolve()) if path.is_absolute() and path.exists() else None


@pytest.mark.nightly
@pytest.mark.slow
def test_native_tests_are_clean_under_the_sanitizers(tmp_path):
    runtime = runtime_of("libasan.so")
    if runtime is None:
        pytest.skip("needs the sanitizers' runtime of a C++ compiler (Debian: apt-get install g++)")
    build = subprocess.run(
        [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(tmp_path / "site"),
         "-C", "cmake.define.FORETASTE_SANITIZE=ON", "-C", "install.strip=false",
         # Beside the portable kernels only those of this machine: half of the time to build.
         "-C", f"cmake.define.FORETASTE_SANITIZE_ISA={_native.isas()[0]}",
         "-C", f"build-dir={tmp_path / 'build'}", str(ROOT)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert build.returncode == 0, build.stderr[-4000:]
    environment = os.environ | {
        # The runtime first; then the one of C++, or it finds no "throw" to stand in for.
        "LD_PRELOAD": f"{runtime} {runtime_of('libstdc++.so')}",
        "PYTHONPATH": str(tmp_path / "site"),
        "PYTHONMALLOC": "malloc",  # so that the sanitizer sees every allocation
        # Python itself frees little at exit, and leaves signals to its own handlers.
        "ASAN_OPTIONS": "detect_leaks=0:handle_segv=0:abort_on_error=0",
        "UBSAN_OPTIONS": "halt_on_error=1:print_stacktrace=1",
    }
    cores = min(2, os.cpu_count() or 1)
    runs = []
    for part in range(cores):
        output = tmp_path / f"output-{part}.txt"
        command = [sys.executable, "-m", "pytest", "-q", "-x", "-s", "-p", "no:cacheprovider",
                   "-m", "not nightly and not slow and not dataset and not peer",
                   "-k", "not memory_is_linear",  # the sanitizer keeps what is freed
                   *NATIVE_TESTS[part::cores]]  # fmt: skip
        with output.open("w") as file:
            runs.append(
                (subprocess.Popen(command, stdout=file, stderr=file, env=environment, cwd=tmp_path), output)
            )
    codes = [run.wait() for run, _ in runs]
    for code, (_, output) in zip(codes, runs, strict=True):
        report = output.read_text()[-8000:]
        assert code == 0, report
        assert "passed" in report
        assert "Sanitizer" not in report
        assert "runtime error" not in report


@pytest.mark.nightly
@pytest.mark.slow
def test_sanitizers_are_active(tmp_path):
    """A planted overrun must be found, else the test above proves nothing."""
    compiler, source = shutil.which("c++"), tmp_path / "overrun.cpp"
    if compiler is None or runtime_of("libasan.so") is None:
        pytest.skip("needs the sanitizers' runtime of a C++ compiler (Debian: apt-get install g++)")
    source.write_text("int main(int n, char**) { int* a = new int[2]; return a[n + 1]; }\n")
    program = str(tmp_path / "overrun")
    subprocess.run([compiler, "-fsanitize=address,undefined", "-O1", "-o", program, str(source)], check=True)
    run = subprocess.run([program], capture_output=True, text=True, check=False)
    assert run.returncode != 0
    assert "heap-buffer-overflow" in run.stderr
