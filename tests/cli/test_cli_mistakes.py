"""Command-line mistakes: the message names the cause, and the printed command works."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import click
import mistake_files
import pytest
from click.testing import CliRunner, Result
from mistakes import MENDED, NOT_MENDED, Mistake, fit

import foretaste
from foretaste.cli import cli

ROOT = Path(foretaste.__file__).parent.parent
ENVIRONMENT = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}
# What looks like a mistake, and is none.
WORKS = [fit("bom.csv"), fit("packed.csv"), fit("parquet.csv")]


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("mistakes") / "files"
    folder.mkdir()
    before = Path.cwd()
    os.chdir(folder)
    try:
        mistake_files.write_all()
    finally:
        os.chdir(before)
    return folder


@pytest.fixture(autouse=True)
def folder(shelf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work in a folder of one's own with all files, good and bad."""
    shutil.copytree(shelf, tmp_path / "work")
    monkeypatch.chdir(tmp_path / "work")


def run(line: str) -> Result:
    return CliRunner().invoke(cli, shlex.split(line))


def said(mistake: Mistake) -> str:
    """Return the error of a mistake, after checking that it is one in three parts without Python in it."""
    result = run(mistake.line)
    assert result.exit_code in (2, 3, 4, 5), result.output
    assert result.stdout == ""
    lines = [line for line in result.stderr.splitlines() if not line.startswith(("note:", "warning:"))]
    text = "\n".join(lines[next(at for at, line in enumerate(lines) if line.startswith("error: ")) :])
    for name in mistake.names:
        assert name in text, text
    assert "Traceback" not in text
    assert not re.search(r"\b[a-z_]+=(None|True|False|\(|\"|')|np\.|polars|pandas", text), text
    assert not Path("m.foretaste").exists()
    return text


def printed(text: str) -> str:
    """Return the line after ``try:``, which is to be run as it is."""
    found = re.search(r"^try: (.*)$", text, re.MULTILINE)
    assert found is not None, text
    return found[1]


@pytest.mark.parametrize("mistake", MENDED, ids=[mistake.what for mistake in MENDED])
def test_mistake_is_fixed_by_the_printed_command(mistake: Mistake) -> None:
    text = said(mistake)
    command = printed(text)
    assert mistake.ends in command, text
    if "&&" in command:  # a shell runs it
        script = f'foretaste() {{ "{sys.executable}" -m foretaste "$@"; }}; {command}'
        done = subprocess.run(["bash", "-c", script], env=ENVIRONMENT, capture_output=True, text=True)
        code, output = done.returncode, done.stdout + done.stderr
    else:
        words = shlex.split(command)
        assert words[0] == "foretaste"
        again = CliRunner().invoke(cli, words[1:])
        code, output = again.exit_code, again.output
    assert code == 0, f"{text}\n{output}"
    if " fit " in command:
        learned = re.search(r"fitted on ([\d,]+) ratings", output)
        assert learned is not None
        assert int(learned[1]) == mistake.learned


@pytest.mark.parametrize("mistake", NOT_MENDED, ids=[mistake.what for mistake in NOT_MENDED])
def test_unfixable_mistake_is_named(mistake: Mistake) -> None:
    assert mistake.ends in printed(said(mistake))


@pytest.mark.parametrize("line", WORKS)
def test_valid_command_gives_no_warning(line: str) -> None:
    result = run(line)
    assert result.exit_code == 0
    assert "warning" not in result.stderr
    assert "300 ratings" in result.stdout


def test_nine_in_ten_mistakes_are_fixed() -> None:
    assert len({mistake.line for mistake in [*MENDED, *NOT_MENDED]}) == len(MENDED) + len(NOT_MENDED) >= 40
    assert len(NOT_MENDED) <= 4
    assert len(MENDED) >= 9 * len(NOT_MENDED)


@pytest.mark.parametrize(
    ("line", "module"),
    [
        (fit("book.xlsx"), "python_calamine"),
        (fit("postgresql://nobody@localhost/none", "--table x"), "sqlalchemy"),
    ],
)
def test_missing_dependency_names_its_extra(line: str, module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, module, None)  # an import of it fails
    result = run(line)
    assert result.exit_code == 5, result.output
    extra = re.search(r'^try: pip install "foretaste\[(\w+)\]"$', result.stderr, re.MULTILINE)
    assert extra is not None, result.stderr
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
    needed = " ".join(project["optional-dependencies"][extra[1]]).replace("-", "_").lower()
    assert module in needed


def test_every_option_that_a_command_prints_exists() -> None:
    """A hint that names an option which the command has not would be a mistake of ours."""
    for mistake in [*MENDED, *NOT_MENDED]:
        command = printed(said(mistake))
        for part in command.split(" && "):
            words = shlex.split(part)
            if words[0] == "foretaste" and words[1] != "fit":
                options = {
                    name
                    for param in cli.get_command(click.Context(cli), words[1]).params
                    for name in (*param.opts, *param.secondary_opts)
                }
                assert {word for word in words if word.startswith("--")} <= options, command
