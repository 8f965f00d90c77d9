"""``foretaste audit``: exit code, JSON, and fixes that run as printed."""

from __future__ import annotations

import gzip
import json
import os
import pty
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

import foretaste
from foretaste.cli import cli
from foretaste.datasets import dirty_sample

ROOT = str(Path(foretaste.__file__).parent.parent)


def run(*args: str, code: int = 0) -> Result:
    result = CliRunner().invoke(cli, args)
    assert result.exit_code == code, result.output
    assert "\x1b" not in result.output
    return result


def found(*args: str, code: int = 0) -> dict[str, Any]:
    envelope = json.loads(run("audit", *args, "--json", code=code).stdout)
    assert envelope["ok"] is True
    return envelope["data"]


def environment(**more: str) -> dict[str, str]:
    kept = {key: value for key, value in os.environ.items() if key not in ("NO_COLOR", "COLUMNS", "TERM")}
    return kept | {"PYTHONPATH": os.pathsep.join([ROOT, os.environ.get("PYTHONPATH", "")])} | more


def test_clean_sample_exits_with_0():
    text = run("audit", "sample").stdout
    assert text.startswith("the bundled sample: 5,946 ratings, 300 users x 60 items; 0 warnings, 1 note.\n")
    assert "mean        1.8907, standard deviation 4.1609\n" in text
    assert "in Python: ratings.k_core(min_user_ratings=2) keeps" in " ".join(text.split())
    data = found("sample", "--where", "userId <= 100")
    assert data["name"] == "the bundled sample"
    assert data["summary"]["users"] == len(foretaste.load_dataset("sample").where("userId <= 100").users)


def test_dirty_sample_reports_every_kind_and_exits_with_1(tmp_path, monkeypatch):
    data = found("sample-dirty", code=1)
    counts = {finding["kind"]: finding["count"] for finding in data["findings"]}
    assert {kind: planted.count for kind, planted in dirty_sample.DEFECTS.items()}.items() <= counts.items()
    text = run("audit", "sample-dirty", code=1).stdout
    assert text.startswith("the bundled dirty sample: ")
    assert "\n11 warnings\n" in text
    assert "\n4 notes\n" in text
    monkeypatch.chdir(tmp_path)
    Path("dirty.csv").write_text(run("data", "sample-dirty").stdout, encoding="utf-8")
    assert Path("dirty.csv").read_text(encoding="utf-8") == dirty_sample.read_text()
    assert found("dirty.csv", code=1)["findings"] == data["findings"]


def test_every_printed_fix_runs_and_all_together_exit_with_0(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("dirty.csv").write_text(dirty_sample.read_text(), encoding="utf-8")
    findings = found("dirty.csv", code=1)["findings"]
    conditions, options = [], []
    for finding in findings:
        fix = finding["fix"]
        if fix.startswith("--"):
            words = shlex.split(fix.partition(" leaves ")[0].partition(" (or")[0])
            after = found("dirty.csv", *words, code=1)["findings"]
            left = [f for f in after if f["kind"] == finding["kind"] and f["severity"] == "warning"]
            assert left == []
            assert len([f for f in after if f["severity"] == "warning"]) < 11 or finding["severity"] == "note"
            conditions += words[1:] if words[0] == "--where" else []
            options += [] if words[0] == "--where" else words
    assert options == ["--on-error", "skip", "--duplicates", "last"]
    result = run("audit", "dirty.csv", "--where", " AND ".join(conditions), *options)
    assert "0 warnings" in result.stdout
    # The fixed file can be trained on.
    run("fit", "Bias", "dirty.csv", "-o", "m.foretaste", "--where", " AND ".join(conditions), *options)


def test_seed_and_reading_options_are_applied(tmp_path):
    path = tmp_path / "r.txt"
    rows = [(n % 7, n // 7, n % 5 + 1) for n in range(40)]
    path.write_text("".join(f"{item};{value};{user}\n" for user, item, value in rows))
    columns = ["--item-column", "0", "--rating-column", "1", "--user-column", "2", "--no-header"]
    data = found(str(path), *columns, "--separator", ";", "--scale", "1,4", code=1)
    assert (data["summary"]["users"], data["summary"]["items"], data["summary"]["rows"]) == (7, 6, 40)
    (finding,) = [f for f in data["findings"] if f["severity"] == "warning"]
    assert (finding["kind"], finding["count"]) == ("outside_scale", 8)
    assert shlex.split(finding["fix"])[:2] == ["--where", "rating BETWEEN 1 AND 4"]
    held_out = {str(found("sample", "--seed", str(seed))["summary"]["cold_start"]) for seed in range(4)}
    assert len(held_out) > 1


def test_errors_have_their_exit_codes(tmp_path):
    run("audit", str(tmp_path / "missing.csv"), code=4)
    (tmp_path / "bad.csv").write_text("a,b\n1,2\n")
    run("audit", str(tmp_path / "bad.csv"), code=3)
    run("audit", "sample", "--separator", ";", code=2)
    run("audit", code=2)


def process(*args: str, **more: Any) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "foretaste", "audit", *args]
    return subprocess.run(command, capture_output=True, check=False, **more)


def test_standard_input_plain_or_compressed():
    text = dirty_sample.read_text().encode()
    for data in (text, gzip.compress(text)):
        done = process("-", "--json", "-q", input=data, env=environment())
        assert done.returncode == 1
        answer = json.loads(done.stdout)["data"]
        assert answer["name"] == "standard input"
        assert answer["summary"]["ratings"] == 6042


def test_bars_are_ascii_without_unicode():
    done = process("sample", env=environment(PYTHONIOENCODING="ascii"))
    assert done.returncode == 0
    assert re.search(rb"^ -1 to  0  #{10,} +518  8\.7 %$", done.stdout, re.MULTILINE)
    done = process("sample", env=environment(PYTHONIOENCODING="utf-8"))
    assert "  █████" in done.stdout.decode()


def on_terminal(columns: int, **more: str) -> str:
    """Run ``audit sample-dirty`` on a terminal of so many columns; return what it shows."""
    master, slave = pty.openpty()
    command = [sys.executable, "-m", "foretaste", "audit", "sample-dirty", "-q"]
    env = environment(COLUMNS=str(columns), PYTHONIOENCODING="utf-8", TERM="xterm") | more
    with subprocess.Popen(command, stdout=slave, stderr=subprocess.DEVNULL, env=env) as started:
        os.close(slave)
        shown = b""
        try:
            while part := os.read(master, 65_536):
                shown += part
        except OSError:  # a terminal whose other side is closed
            pass
    os.close(master)
    assert started.returncode == 1
    return shown.decode().replace("\r\n", "\n")


@pytest.mark.skipif(sys.platform == "win32", reason="there are no pseudo-terminals")
def test_terminal_output_has_color_and_width():
    plain = on_terminal(60, NO_COLOR="1")
    coloured = on_terminal(60)
    assert "\x1b[33m" in coloured
    assert "\x1b" not in plain
    assert re.sub(r"\x1b\[\d*m", "", coloured) == plain
    lines = [line for line in plain.splitlines() if not line.startswith("    fix     ")]
    assert 50 < max(map(len, lines)) <= 60
    wide = on_terminal(300, NO_COLOR="1")
    assert max(len(line) for line in wide.splitlines() if not line.startswith("    fix     ")) <= 100
