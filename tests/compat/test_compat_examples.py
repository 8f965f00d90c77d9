"""Programs of scikit-surprise's documentation, run on it and on foretaste: equal numbers.

A program in ``programs`` stores its result in ``result``. It is run unchanged, with every ``surprise``
in its import statements replaced, and with the one added line that registers the alias.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from real_data import VARIABLE

PROGRAMS = sorted((Path(__file__).parent / "programs").glob("*.py"))
USERS = 60  # of MovieLens 100K, to be quick
SGD = {  # fits whose order of additions is not fixed by their definition
    "basic_usage",
    "splitting",
    "predefined_folds",
    "iterating_folds",
    "grid_search",
    "top_n",
    "precision_recall",
    "dump_and_load",
    "benchmark",
    "unbiased_estimate",
    "command_line",
    "custom_file",
    "randomized_search",
}
RUN_ALL = """
import {line}
import contextlib, io, json, sys
import numpy as np
found = {{}}
for path in sys.argv[1:]:
    np.random.seed(0)
    space = {{"__name__": "program"}}
    with contextlib.redirect_stdout(io.StringIO()):
        exec(compile(open(path, encoding="utf-8").read(), path, "exec"), space)
    found[path] = space["result"]
json.dump(found, sys.stdout, default=lambda value: value.tolist())
"""


def replace_imports(text: str) -> str:
    """Return a program with every ``surprise`` of its import statements changed."""
    return re.sub(r"^(from|import) surprise\b", r"\1 foretaste.compat.surprise", text, flags=re.MULTILINE)


def run(path: Path, text: str) -> tuple[object, list[str]]:
    """Run a program here; return its result as JSON has it, and the lines that it printed, without times."""
    np.random.seed(0)
    space: dict[str, object] = {"__name__": "program"}
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        exec(compile(text, str(path), "exec"), space)  # noqa: S102 - our own programs
    # Similarities are computed here when they are first asked for: lines about that have another place.
    other = re.compile(r"time | s$|similarity matrix", re.IGNORECASE)
    lines = [line for line in said.getvalue().splitlines() if not other.search(line)]
    return json.loads(json.dumps(space["result"], default=lambda value: value.tolist())), lines


def assert_same(wanted: object, found: object, tolerance: float, where: str) -> None:
    """Fail if two results of JSON differ; numbers by more than the tolerance."""
    if isinstance(wanted, dict):
        assert isinstance(found, dict), where
        assert list(wanted) == list(found), where
        for key in wanted:
            assert_same(wanted[key], found[key], tolerance, f"{where}[{key!r}]")
    elif isinstance(wanted, list):
        assert isinstance(found, list), where
        assert len(wanted) == len(found), where
        for place, pair in enumerate(zip(wanted, found, strict=True)):
            assert_same(*pair, tolerance, f"{where}[{place}]")
    elif isinstance(wanted, float):
        assert found == pytest.approx(wanted, abs=tolerance, rel=0), where
    else:
        assert found == wanted, where


def _rows(folder: str | None) -> list[tuple[int, int, int]]:
    """Return the ratings of some users of MovieLens 100K, or made-up ones where it is not."""
    real = Path(folder or "") / "ml-100k" / "u.data"
    if folder and real.exists():
        rows = [tuple(map(int, line.split()[:3])) for line in real.read_text().splitlines()]
        return [row for row in rows if row[0] <= USERS]
    rng = np.random.RandomState(3)
    pairs = rng.permutation(USERS * 300)[:5000]
    taste, charm = rng.normal(0, 0.5, USERS), rng.normal(3.5, 0.7, 300)
    rows = []
    for pair in pairs.tolist():
        user, item = divmod(pair, 300)
        value = round(float(np.clip(charm[item] + taste[user] + rng.normal(0, 0.8), 1, 5)))
        rows.append((user + 1, item + 1, value))
    return rows


@pytest.fixture(scope="module", params=["made", "real"])
def folder(request, peer, tmp_path_factory):
    """Return a dataset folder in scikit-surprise's layout that both packages read."""
    real = os.environ.get(VARIABLE)
    if request.param == "real" and not (real and (Path(real) / "ml-100k" / "u.data").exists()):
        pytest.skip(f"needs MovieLens 100K in the folder that {VARIABLE} names")
    rows = _rows(real if request.param == "real" else None)
    place = tmp_path_factory.mktemp(request.param)
    inside = place / "ml-100k" / "ml-100k"
    inside.mkdir(parents=True)
    lines = [f"{user}\t{item}\t{value}\t880000000\n" for user, item, value in rows]
    (inside / "u.data").write_text("".join(lines))
    for number in (1, 2):
        tested = set(range(number, len(lines), 5))
        parts = {"base": [], "test": []}
        for place_, line in enumerate(lines):
            parts["test" if place_ in tested else "base"].append(line)
        for kind, part in parts.items():
            (inside / f"u{number}.{kind}").write_text("".join(part))
    items = sorted({item for _, item, _ in rows})
    (inside / "u.item").write_text("".join(f"{item}|Film number {item}|\n" for item in items))
    known = peer.builtin_datasets.BUILTIN_DATASETS  # paths there were fixed when the package was imported
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SURPRISE_DATA_FOLDER", str(place))
        patch.setitem(known, "ml-100k", known["ml-100k"]._replace(path=str(inside / "u.data")))
        yield place


@pytest.fixture(scope="module")
def aliased(folder):
    """Run all programs in one process with the line added; return their results."""
    code = RUN_ALL.format(line="foretaste.compat.surprise.install")
    command = [sys.executable, "-W", "error::UserWarning", "-c", code, *map(str, PROGRAMS)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_all_examples_are_found():
    assert len(PROGRAMS) >= 17
    assert {path.stem for path in PROGRAMS} >= SGD
    for path in PROGRAMS:
        text = path.read_text(encoding="utf-8")
        assert "surprise" in text
        assert replace_imports(text).count("foretaste.compat.surprise") >= 1


@pytest.mark.peer
@pytest.mark.filterwarnings(
    "ignore:unclosed file:ResourceWarning"
)  # which the installed package's dump leaves
@pytest.mark.parametrize("path", PROGRAMS, ids=lambda path: path.stem)
def test_examples_give_the_numbers_of_the_peer(folder, path):
    text = path.read_text(encoding="utf-8")
    wanted, printed = run(path, text)
    found, said = run(path, replace_imports(text))
    assert_same(wanted, found, 1e-6 if path.stem in SGD else 1e-9, path.stem)
    assert said == printed


@pytest.mark.peer
@pytest.mark.parametrize("path", PROGRAMS, ids=lambda path: path.stem)
def test_install_line_equals_changed_imports(folder, aliased, path):
    found, _ = run(path, replace_imports(path.read_text(encoding="utf-8")))
    assert_same(found, aliased[str(path)], 0, path.stem)
