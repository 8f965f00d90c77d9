"""The surprise command: its options and numbers, clear errors; no argument is evaluated."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest

from foretaste.compat.surprise import __main__ as command

READER = "Reader(line_format='user item rating timestamp', sep='\\t')"
SMALL = ("-n-folds", "3", "-seed", "4", "-reader", READER)


def run(module, arguments, folder):
    environment = os.environ | {"SURPRISE_DATA_FOLDER": str(folder)}
    return subprocess.run(
        [sys.executable, "-m", module, *map(str, arguments)], capture_output=True, text=True, env=environment
    )


def parse_numbers(text):
    """Return the table without times."""
    return [line.split() for line in text.splitlines() if re.match(r"(RMSE|MAE|Evaluating)", line)]


@pytest.mark.peer
@pytest.mark.parametrize(
    ("algo", "params"), [("BaselineOnly", "{'verbose': False}"), ("SVD", "{'n_epochs': 3, 'n_factors': 5}")]
)
def test_table_equals_the_peer(ratings_file, tmp_path, algo, params):
    pytest.importorskip("surprise", reason='needs a peer: pip install "foretaste[peers]"')
    arguments = ["-algo", algo, "-params", params, "-load-custom", ratings_file, *SMALL]
    theirs, ours = (run(name, arguments, tmp_path) for name in ("surprise", "foretaste.compat.surprise"))
    assert ours.returncode == 0, ours.stderr
    assert parse_numbers(ours.stdout) == parse_numbers(theirs.stdout)
    assert len(parse_numbers(ours.stdout)) == 3


def test_folds_in_files_and_dumps(ratings_file, tmp_path):
    from foretaste.compat.surprise import dump

    arguments = ["-algo", "SlopeOne", "-folds-files", f"{ratings_file} {ratings_file}", "-reader", READER]
    done = run(
        "foretaste.compat.surprise", [*arguments, "--with-dump", "-dump-dir", tmp_path / "kept"], tmp_path
    )
    assert done.returncode == 0, done.stderr
    predictions, algo = dump.load(tmp_path / "kept" / "SlopeOne-fold1")
    assert len(predictions) == algo.trainset.n_ratings == 300


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        ([], 2, "No algorithm was specified"),
        (["-algo", "SDV"], 2, "invalid choice: 'SDV'; did you mean \"SVD\"? (choose from NormalPredictor"),
        (["-algo", "SVD", "-load-custom", "x"], 2, "-reader parameter is needed"),
        (["-algo", "SVD", "-folds-files", "x y"], 2, "-reader parameter is needed"),
        (["-algo", "SVD", "-n-folds", "x"], 2, "invalid int value"),
        (["-algo", "SVD", "-params", "[1]"], 2, "is no dictionary"),
        (["-algo", "SVD", "-params", "__import__('os').getcwd()"], 2, "is not allowed"),
        (["-algo", "SVD", "-params", "{"], 2, "is not allowed"),
    ],
)
def test_missing_and_invalid_options_are_errors(monkeypatch, capsys, arguments, code, words):
    monkeypatch.setattr(sys, "argv", ["surprise", *arguments])
    with pytest.raises(SystemExit) as caught:
        command.main()
    assert caught.value.code == code
    assert words in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("open('x')", "no call of Reader"),
        ("Reader(name=open('x'))", "malformed node"),
        ("Reader(colour=1)", "unexpected keyword"),
        ("Reader(", "was never closed"),
        ("Reader('nonsense')", "unknown reader nonsense"),
    ],
)
def test_reader_argument_is_parsed_not_evaluated(text, words):
    args = command._make_parser().parse_args(["-reader", text])
    with pytest.raises(ValueError, match=words):
        command._parse_reader(command._make_parser(), args)


def test_reader_accepts_positional_and_keyword_arguments():
    args = command._make_parser().parse_args(
        ["-reader", "Reader(None, 'item user rating', sep=';', rating_scale=(0, 9))"]
    )
    reader = command._parse_reader(command._make_parser(), args)
    assert (reader.indexes, reader.sep, reader.rating_scale) == ([1, 0, 2], ";", (0, 9))


@pytest.mark.peer
def test_options_equal_the_peer(tmp_path):
    pytest.importorskip("surprise", reason='needs a peer: pip install "foretaste[peers]"')
    theirs, ours = (run(name, ["-h"], tmp_path) for name in ("surprise", "foretaste.compat.surprise"))
    wanted = set(re.findall(r"^  (-[-\w]+)", theirs.stdout, re.MULTILINE))
    assert len(wanted) >= 12
    assert wanted == set(re.findall(r"^  (-[-\w]+)", ours.stdout, re.MULTILINE))


def test_clean_removes_the_folder_and_version_is_printed(tmp_path):
    folder = tmp_path / "data"
    done = run("foretaste.compat.surprise", ["--clean"], folder)
    assert (done.returncode, done.stdout) == (0, f"Removed {folder}\n")
    assert not folder.exists()
    assert run("foretaste.compat.surprise", ["--version"], folder).stdout == "1.1.5\n"
