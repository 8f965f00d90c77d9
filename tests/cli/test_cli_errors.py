"""Command-line errors: three parts, the right exit code, and nothing else."""

from __future__ import annotations

import ast
import inspect
import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import click
import numpy as np
import pytest
from click.testing import CliRunner

import foretaste
from foretaste import metrics
from foretaste.cli import cli, show
from foretaste.cli.framework import join_json
from foretaste.cli.hints import hint_to_command, option_notation
from foretaste.compat import surprise
from foretaste.errors import Hint
from foretaste.models import Bias
from foretaste.service import settings

ROOT = str(Path(foretaste.__file__).parent.parent)
ENVIRONMENT = os.environ | {"PYTHONPATH": os.pathsep.join([ROOT, os.environ.get("PYTHONPATH", "")])}
COMMAND = [sys.executable, "-m", "foretaste"]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work in a folder with small files, good and bad."""
    monkeypatch.chdir(tmp_path)
    user, item = np.divmod(np.random.default_rng(0).choice(600, 300, replace=False), 20)
    lines = [f"{u},{i},{(u + i) % 5 + 1}" for u, i in zip(user + 1, item + 1, strict=True)]
    head = "userId,itemId,rating"
    Path("ratings.csv").write_text("\n".join([head, *lines]) + "\n")
    Path("bad.csv").write_text(f"{head}\n1,2,3\n1,3,N/A\n")
    Path("twice.csv").write_text(f"{head}\n1,2,3\n1,2,4\n2,2,4\n")
    Path("empty.csv").write_text("")
    Path("strangers.csv").write_text(f"{head}\n9001,9002,3\n9001,9003,4\n")
    Path("strange.foretaste").write_text("this is no model")
    ratings = foretaste.read_ratings("ratings.csv")
    foretaste.save(Bias().fit(ratings), "bias.foretaste")


WRONG = [
    (
        "comprae ratings.csv",
        2,
        'no command "comprae"; did you mean "compare"?',
        "foretaste compare ratings.csv",
    ),
    ("compare", 2, "missing FILE", "foretaste compare --help"),
    ("compare ratings.csv --foldz 3", 2, "--folds", "foretaste compare ratings.csv --folds 3"),
    ("compare ratings.csv --folds 1", 2, "--folds 1 is not allowed", ""),
    ("compare ratings.csv --folds 3 --split by-time", 2, "--folds goes with --split folds", ""),
    (
        "compare ratings.csv --split cold-users --test-size 20",
        2,
        "--test-size 20.0 is not",
        "--test-size 0.2",
    ),
    ("compare --train ratings.csv --test ratings.csv --split folds", 2, "replace FILE, --split", ""),
    ("compare ratings.csv --split bytime", 2, "is not one of", "--split by-time"),
    ("compare ratings.csv --test-size 1.5", 2, "--test-size 1.5 is not allowed", ""),
    ("compare ratings.csv --train bad.csv", 2, "--train and --test go together", ""),
    ("compare ratings.csv --models Bais", 4, 'no model "Bais"; did you mean "Bias"?', "--models Bias"),
    ("compare ratings.csv --metrics rmsee", 2, 'did you mean "rmse"?', "--metrics rmse"),
    ("compare ratings.csv --scale 5", 2, "not LOW,HIGH", ""),
    ("compare ratings.csv --scale 5,1", 2, "the low end must be below the high end", "--scale 1,5"),
    ("compare ratings.csv --scale 2,3", 3, "outside the declared scale", "--scale 1,5"),
    ("compare ratings.csv --where rating>", 2, "cannot be parsed", "--where 'rating >= 2'"),
    ("compare ratings.csv --where ratting>2", 2, 'no column "ratting"', ""),
    ("compare ratings.csv --rating-column raiting", 3, 'did you mean "rating"?', ""),
    ("compare nothere.csv", 4, "there is no file nothere.csv", ""),
    ("compare bad.csv", 3, 'line 3: rating is "N/A", not a number', "--where"),
    ("compare twice.csv", 3, "more than once", "--duplicates last"),
    ("compare empty.csv", 3, "empty", ""),
    ("compare sample --separator ;", 2, "--separator applies to files", ""),
    ("fit Bais ratings.csv -o m.foretaste", 4, 'did you mean "Bias"?', ""),
    (
        "fit ratings.csv -o m.foretaste",
        4,
        "the model comes before the file",
        "foretaste fit Bias ratings.csv",
    ),
    ("fit Bias ratings.csv", 2, "--output", ""),
    ("fit Bias ratings.csv -o m.foretaste --user-dampin 3", 2, "--user-damping", ""),
    (
        "fit Bias ratings.csv -o m.foretaste --user-damping=-3",
        2,
        "--user-damping -3.0 is not",
        "--user-damping 5.0",
    ),
    ("fit Bias ratings.csv -o m.foretaste --epochs many", 2, "'many' is not a valid integer", ""),
    ("fit Bias ratings.csv -o nofolder/m.foretaste", 4, "there is no folder", "mkdir -p"),
    ("show nothere.foretaste", 4, "there is no file nothere.foretaste", "foretaste show strange.foretaste"),
    ("show strange.foretaste", 3, "no foretaste model", "foretaste fit"),
    ("evaluate bias.foretaste strangers.csv", 3, "occurs in the model", ""),
    ("predict bias.foretaste", 2, "give either PAIRS", ""),
    ("predict bias.foretaste --user 1", 2, "give either PAIRS", ""),
    ("predict bias.foretaste --user 9001 --item 9002", 4, "both unknown", ""),
    ("predict bias.foretaste strangers.csv -o out.csv", 3, "no user and no item", "--user-column"),
    ("similar ratings.csv --item 999", 4, "item '999' is unknown", ""),
    (
        "similar bias.foretaste --item 3",
        2,
        "no item factors or imputed ratings to compare",
        "foretaste similar RATINGS_FILE --item 3, or",
    ),
    ("similar ratings.csv --item 3 --metric cosin", 2, "cosine", ""),
    ("data smaple", 4, 'did you mean "sample"?', ""),
    ("models svdd", 4, 'did you mean "SVD"?', ""),
    ("doctor now", 2, "unexpected extra argument", ""),
]


@pytest.mark.parametrize(("line", "code", "message", "hint"), WRONG, ids=[line for line, *_ in WRONG])
def test_error_has_three_parts_and_stdout_is_empty(line: str, code: int, message: str, hint: str) -> None:
    result = CliRunner().invoke(cli, line.split())
    assert result.exit_code == code, result.output
    assert result.stdout == ""
    said = [text for text in result.stderr.splitlines() if not text.startswith(("note:", "warning:"))]
    start = next(place for place, text in enumerate(said) if text.startswith("error: "))
    text = "\n".join(said[start:])
    assert message in text
    assert hint in text
    assert "Traceback" not in text
    assert "np." not in text
    assert not re.search(r"[a-z_]+=(None|True|False|\()", text)  # no Python in it
    assert not Path("m.foretaste").exists()
    assert not Path("out.csv").exists()


@pytest.mark.parametrize(("line", "code", "message", "hint"), WRONG, ids=[line for line, *_ in WRONG])
def test_error_is_one_json_envelope(line: str, code: int, message: str, hint: str) -> None:
    result = CliRunner().invoke(cli, [*line.split(), "--json"])
    assert result.exit_code == code
    envelope = json.loads(result.stdout)
    assert envelope["ok"] is False
    assert set(envelope) == {"ok", "error"}
    assert set(envelope["error"]) == {"code", "message", "hint"}
    assert message in envelope["error"]["message"]
    assert hint in (envelope["error"]["hint"] or "")


def test_every_duplicates_hint_works_as_printed() -> None:
    run = CliRunner().invoke(cli, ["compare", "twice.csv", "--no-memory"])
    command = re.search(r"try: foretaste (.*--duplicates last)$", run.stderr, re.MULTILINE)
    assert command is not None
    again = CliRunner().invoke(cli, command[1].split())
    assert again.exit_code == 0


def test_json_file_is_written_on_failure() -> None:
    result = CliRunner().invoke(cli, ["compare", "bad.csv", "--json", "out.json"])
    assert result.exit_code == 3
    assert result.stdout == ""
    assert json.loads(Path("out.json").read_text())["error"]["code"] == "bad_data"


def test_debug_shows_the_traceback_and_quiet_only_the_error() -> None:
    assert "Traceback" in CliRunner().invoke(cli, ["compare", "bad.csv", "--debug"]).stderr
    stderr = CliRunner().invoke(cli, ["compare", "bad.csv", "-q"]).stderr
    assert stderr.startswith("error: ")
    done = CliRunner().invoke(cli, ["compare", "ratings.csv", "-q", "--models", "Bias", "--no-memory"])
    assert done.stderr == ""
    assert done.exit_code == 0


def test_internal_error_is_logged_to_a_named_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def broken(*_: object, **__: object) -> str:
        raise ZeroDivisionError("a planted fault")

    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    monkeypatch.setattr(show, "render_table", broken)
    result = CliRunner().invoke(cli, ["models"])
    assert result.exit_code == 70
    assert result.stdout == ""
    assert "a planted fault" in result.stderr
    assert "Traceback" not in result.stderr
    name = re.search(r"the traceback is in (\S+)", result.stderr)
    assert name is not None
    assert "ZeroDivisionError: a planted fault" in Path(name[1]).read_text()


def test_existing_output_survives_a_failed_command() -> None:
    Path("out.csv").write_text("old")
    CliRunner().invoke(cli, ["predict", "bias.foretaste", "strangers.csv", "-o", "out.csv"])
    assert Path("out.csv").read_text() == "old"


# Processes: interruption, pipes, terminals ---------------------------------------------------------------


@pytest.mark.parametrize("memory", ["--memory", "--no-memory"])
def test_ctrl_c_saves_finished_work_and_exits_with_130(memory: str) -> None:
    args = ["compare", "ratings.csv", "--models", "Bias,SVD", "--folds", "100", memory, "--json", "out.json"]
    with subprocess.Popen(
        [*COMMAND, *args], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=ENVIRONMENT
    ) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if line.startswith("GlobalMean"):
                break
        process.send_signal(signal.SIGINT)
        stdout, stderr = process.communicate(timeout=60)
    assert process.returncode == 130, stderr
    found = json.loads(Path("out.json").read_text())["data"]
    assert found["interrupted"] is True
    assert found["results"][-1]["model"] == "GlobalMean"
    assert "interrupted:" in stderr
    assert "GlobalMean" in stdout


def test_closed_pipe_is_no_error() -> None:
    done = subprocess.run(
        ["bash", "-c", f'"{sys.executable}" -m foretaste data sample | head -1; echo ${{PIPESTATUS[0]}}'],
        capture_output=True,
        text=True,
        env=ENVIRONMENT,
        check=True,
    )
    assert done.stdout.splitlines()[-1] == "0"
    assert done.stderr == ""


def on_a_terminal(*args: str, **variables: str) -> str:
    """Return all that a command writes to a terminal."""
    environment = {k: v for k, v in ENVIRONMENT.items() if k not in ("NO_COLOR", "TERM")}
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [*COMMAND, *args], stdout=theirs, stderr=theirs, stdin=theirs, env=environment | variables
    ) as process:
        os.close(theirs)
        written, end = b"", time.monotonic() + 60
        while time.monotonic() < end:
            if select.select([ours], [], [], 0.2)[0]:
                try:
                    part = os.read(ours, 65536)
                except OSError:  # closed on the other side
                    break
                if not part:
                    break
                written += part
            elif process.poll() is not None:
                break
        process.wait(timeout=60)
    os.close(ours)
    assert process.returncode == 0
    return written.decode()


@pytest.mark.parametrize("variables", [{"NO_COLOR": "1", "TERM": "xterm"}, {"TERM": "dumb"}])
def test_no_escape_codes_without_a_terminal(variables: dict[str, str]) -> None:
    text = on_a_terminal("compare", "ratings.csv", "--models", "Bias", "--no-memory", **variables)
    assert "\x1b" not in text
    assert "better than" in text


def test_terminal_gets_the_same_text() -> None:
    text = on_a_terminal(
        "compare", "ratings.csv", "--models", "Bias", "--no-memory", TERM="xterm", COLUMNS="60"
    )
    plain = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", text)
    assert plain != text
    assert "better than" in plain
    assert re.search(r"^Bias +\d+\.\d+", plain, re.MULTILINE)


def test_predict_imports_no_frame_library() -> None:
    code = """
import sys
from foretaste.cli import main
try:
    main(["predict", "bias.foretaste", "--user", "1", "--item", "2"])
except SystemExit:
    pass
print(*[m for m in ("polars", "scipy", "pandas", "rich", "sklearn") if m in sys.modules])
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=ENVIRONMENT, check=True
    )
    assert done.stdout.splitlines()[-1] == ""


# Words ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("args", "joined"),
    [
        (["show", "--json", "m.foretaste"], ["show", "--json=-", "m.foretaste"]),
        (["compare", "--json", "out.json", "f"], ["compare", "--json=out.json", "f"]),
        (["models", "--json"], ["models", "--json=-"]),
        (["models", "-j"], ["models", "--json=-"]),
        (["models", "--json", "-"], ["models", "--json=-"]),
        (["models", "--json", "-q"], ["models", "--json=-", "-q"]),
        (["x", "--", "--json"], ["x", "--", "--json"]),
    ],
)
def test_json_option_accepts_only_valid_targets(args: list[str], joined: list[str]) -> None:
    assert join_json(args) == joined


PARAMS = [
    click.Option(["--user-column"]),
    click.Option(["--user"]),
    click.Option(["--header/--no-header"]),
    click.Option(["--scale"]),
    click.Option(["--separator"]),
    click.Option(["--where"]),
]


@pytest.mark.parametrize(
    ("hint", "words"),
    [
        (Hint({"user": "id"}, lead="name the column"), "name the column: --user-column id"),
        (Hint({"scale": (1, 5)}), "--scale 1,5"),
        (Hint({"header": False}), "--no-header"),
        (Hint({"header": True}, "(or user=0)"), "--header (or user=0)"),
        (Hint({"separator": ..., "header": ...}), "--separator ..., --header or --no-header"),
        (Hint({"separator": "::"}), "--separator ::"),
        (Hint({"separator": "|"}, '(or ";")'), "--separator '|' (or \";\")"),
        (Hint({"where": "rating <> 'x'"}), "--where \"rating <> 'x'\""),
        (Hint({"where": None}), "no --where"),
        (Hint({"damping": 3}), "damping=3"),
    ],
)
def test_hint_arguments_are_written_as_options(hint: Hint, words: str) -> None:
    assert hint.format(option_notation(PARAMS)) == words


def test_hint_without_options_is_python() -> None:
    assert Hint({"scale": (1, 5)}).format(option_notation([])) == "scale=(1, 5)"


@pytest.mark.parametrize(
    ("hint", "command"),
    [
        (Hint({"user": "id"}), "foretaste fit x.csv --where 'rating > 1' --user-column id"),
        (Hint({"where": "user <> 7"}), "foretaste fit x.csv --where '(rating > 1) AND user <> 7'"),
        (Hint({"where": None}, "reads all rows"), "foretaste fit x.csv\n  (reads all rows)"),
        (Hint({"user": ...}), None),
        (Hint({"damping": 3}), None),
    ],
)
def test_hint_becomes_the_typed_command_with_its_arguments(hint: Hint, command: str | None) -> None:
    assert hint_to_command(hint, PARAMS, ["fit", "x.csv", "--where", "rating > 1"]) == command


def _literal_hints() -> set[tuple[str, str]]:
    """Return the file and the name of every argument that a hint in the source names literally."""
    found = set()
    for path in Path(foretaste.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Hint" and node.args:
                keys = node.args[0].keys if isinstance(node.args[0], ast.Dict) else []
                found |= {(path.name, key.value) for key in keys if isinstance(key, ast.Constant)}
    return found


def _argument_names() -> set[str]:
    """Return the parameters of everything public, of the scikit-surprise layer, and of all commands."""
    context = click.Context(cli)
    commands = [cli.get_command(context, name) for name in cli.list_commands(context)]
    names = {str(param.name) for command in commands for param in command.params}
    modules = [foretaste, metrics, surprise, surprise.model_selection, settings]
    callables = [getattr(module, name) for module in modules for name in dir(module) if name[0] != "_"]
    for public in callables:
        members = (
            [getattr(public, name) for name in dir(public) if name[0] != "_"]
            if isinstance(public, type)
            else []
        )
        for function in filter(callable, [public, *members]):
            with suppress(TypeError, ValueError):
                names |= set(inspect.signature(function).parameters)
    return names


def test_every_argument_that_a_hint_names_exists() -> None:
    hints = _literal_hints()
    assert len(hints) > 60
    known = _argument_names()
    assert {(file, name) for file, name in hints if name not in known} == set()
