"""``foretaste tune``: the library's search, progress on standard error, a command that fits the winner."""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from real_data import data_file
from synthetic import write_csv

import foretaste
from foretaste.cli import cli
from foretaste.cli.tune import parse_space
from foretaste.evaluation import tune
from foretaste.evaluation.tuning.search import Search
from foretaste.models import SVD, Bias
from foretaste.persistence import load
from foretaste.ratings import Ratings

QUICK = ("--method", "random", "--trials", "8", "--folds", "3")


@pytest.fixture
def folder(tmp_path: Path, ratings: Ratings, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in a folder that holds ratings.csv."""
    monkeypatch.chdir(tmp_path)
    write_csv(ratings)
    return tmp_path


def run(*args: str, code: int = 0) -> Result:
    result = CliRunner().invoke(cli, args, prog_name="foretaste")
    assert result.exit_code == code, result.output
    assert "\x1b" not in result.output
    return result


def test_output_equals_tune(folder: Path) -> None:
    ratings = foretaste.read_ratings("ratings.csv")
    space = "user-damping=0.5..50:log,item_damping=1|5|20"
    envelope = json.loads(
        run("tune", "bias", "ratings.csv", "--space", space, *QUICK, "--outer-folds", "2", "-j").stdout
    )
    given = {"user_damping": ("log", 0.5, 50), "item_damping": [1, 5, 20]}
    tuned = tune(
        "Bias", ratings, given, method="random", trials=8, folds=3, outer_folds=2, name="ratings.csv"
    )
    ours = tuned.to_dict()
    data = envelope["data"]
    assert data["best"]["repr"] == ours["best"]["repr"]
    assert data["nested"] == ours["nested"]
    assert [row["folds"] for row in data["trials"]] == [row["folds"] for row in ours["trials"]]
    text = run("tune", "bias", "ratings.csv", "--space", space, *QUICK, "--outer-folds", "2").stdout
    assert tuned.headline in text
    assert tuned.score_caveat in text
    assert data["command"] in text


def test_printed_command_fits_the_winner(folder: Path) -> None:
    space = "factors=2..9,biased=false,schedule=cosine,epochs=5..9"
    reading = ("--where", "userId <= 40", "--scale", "-10,10", "--user-column", "userId", "--header")
    args = ("tune", "SVD", "ratings.csv", "--space", space, *QUICK, *reading)
    result = run(*args, "-o", "best.foretaste")
    assert "note: wrote best.foretaste: SVD(" in result.stderr
    command = json.loads(run(*args, "--json").stdout)["data"]["command"]
    assert command in run(*args).stdout
    words = shlex.split(command)
    assert words[:6] == ["foretaste", "fit", "SVD", "ratings.csv", "-o", "svd.foretaste"]
    run(*words[1:])
    one, other = load("best.foretaste"), load("svd.foretaste")
    assert repr(one) == repr(other)
    assert one.fingerprint_ == other.fingerprint_
    assert (one.low_, one.high_) == (other.low_, other.high_) == (-10, 10)


def test_missing_outer_folds_are_suggested(folder: Path) -> None:
    assert "(try --outer-folds 5)" in run("tune", "Bias", "ratings.csv", *QUICK).stdout


def test_progress_goes_to_standard_error(folder: Path) -> None:
    result = run("tune", "Bias", "ratings.csv", *QUICK, "--study", "t.db", "--outer-folds", "2")
    assert "outer fold 2 of 2  " in result.stderr
    assert "outer fold 2 of 2  " not in result.stdout
    again = run("tune", "Bias", "ratings.csv", *QUICK, "--study", "t.db", "--outer-folds", "2")
    assert "note: t.db holds 8 trials on all ratings; resuming" in again.stderr
    assert again.stdout == result.stdout  # times and all: nothing was run
    quiet = run("tune", "Bias", "ratings.csv", *QUICK, "-q", "--user-column", "userId")
    assert quiet.stderr == ""


def test_interrupt_prints_the_resume_command(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scores, score = [0], Search.score

    def interrupted(*args: Any) -> float:
        scores[0] += 1
        if scores[0] == 11:
            raise KeyboardInterrupt
        return score(*args)

    monkeypatch.setattr(Search, "score", interrupted)
    args = ("tune", "Bias", "ratings.csv", *QUICK, "--study", "my study.db", "--where", "userId < 50")
    result = run(*args, code=130)
    again = result.stdout.splitlines()[-1].removeprefix("resume with: ")
    assert shlex.split(again) == ["foretaste", *args]
    assert "note: interrupted: 3 trials done, saved in my study.db" in result.stderr
    assert "8 trials: " in run(*shlex.split(again)[1:]).stdout
    scores[0] = 0
    result = run("tune", "Bias", "ratings.csv", *QUICK, "-o", "b.foretaste", code=130)
    assert result.stdout.splitlines()[-1] == "--study FILE saves finished folds"
    assert not Path("b.foretaste").exists()


def test_missing_optuna_names_the_extra(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)
    result = run("tune", "Bias", "ratings.csv", "--method", "tpe", code=5)
    assert "--method tpe needs optuna; by gp, random and grid it does not" in result.stderr
    assert 'try: pip install "foretaste[tune]"' in result.stderr
    assert result.stdout == ""


MISTAKES = [
    (["SVD", "--space", "factor=2..9"], 'no parameter "factor"', "tune SVD ratings.csv --space factors=2..9"),
    (["SVD", "--space", "factors=0..9"], "reaches 0", "--space factors=32..128"),
    (["SVD", "--space", "factors=9..2"], "the lower bound comes first", "--space factors=2..9"),
    (["SVD", "--space", "regularization=0..1:log"], "no logarithm", "--space regularization=0.001..1:log"),
    (["SVD", "--space", "schedule=liner"], "schedule='liner' is not allowed", "constant|linear|cosine"),
    (["SVD", "--space", "factors"], '"factors" is not PARAMETER=VALUES', "factors=16..128"),
    (["SDV"], 'no model "SDV"; did you mean "SVD"?', "tune SVD ratings.csv"),
    (["GlobalMean"], "GlobalMean has no default space: it has no parameters to tune", "one of Bias"),
    (["SVD", "--timeout", "5 minutes"], "'5 minutes' is not a duration", "--timeout 5m"),
    (["Bias", "--trials", "0", "--method", "grid"], "--trials 0 is not allowed", "--trials 50"),
    (["Bias", "--folds", "1", "--method", "grid"], "--folds 1 is not allowed", "--folds 10"),
    (["Bias", "--outer-folds", "1", "--method", "grid"], "--outer-folds 1 is not allowed", "--outer-folds 5"),
    (["Bias", "--method", "tpa"], "'tpa'", "--method tpe"),
]


@pytest.mark.parametrize(("args", "words", "mend"), MISTAKES, ids=[" ".join(m[0]) for m in MISTAKES])
def test_mistakes_have_working_hints(args: list[str], words: str, mend: str, folder: Path) -> None:
    model, *options = args
    result = CliRunner().invoke(cli, ["tune", model, "ratings.csv", *options], prog_name="foretaste")
    assert result.exit_code in (2, 4)
    assert words in result.stderr
    assert mend in result.stderr.splitlines()[-1]
    assert result.stdout == ""


def test_mismatched_study_suggests_another_file(folder: Path) -> None:
    run("tune", "Bias", "ratings.csv", *QUICK, "--study", "t.db")
    args = ["tune", "Bias", "ratings.csv", *QUICK, "--study", "t.db", "--seed", "1"]
    result = run(*args, code=2)
    assert "t.db is a study with another seed: 0 there, 1 now" in result.stderr
    mended = result.stderr.splitlines()[-1].removeprefix("try: foretaste ")
    assert "--study t-2.db" in mended
    run(*shlex.split(mended))


def test_space_option_is_parsed() -> None:
    typed = "factors=16..128,learning-rate=0.001..1e-1:log,schedule=linear|cosine,biased=true,init_std=0|.5"
    assert parse_space(SVD(), typed) == {
        "factors": (16, 128),
        "learning_rate": ("log", 0.001, 0.1),
        "schedule": ["linear", "cosine"],
        "biased": [True],
        "init_std": [0, 0.5],
    }
    more = parse_space(Bias(), "default, epochs=50|100")
    assert set(more) == {"user_damping", "item_damping", "epochs"}


@pytest.mark.slow
@pytest.mark.dataset
def test_outer_score_of_the_defaults_on_movielens(tmp_path: Path) -> None:
    """ML-100K, folds of seed 0: what is printed beside the outer score is what the defaults give there."""
    path = data_file("ml-100k/u.data")
    args = [
        "tune",
        "SVD",
        str(path),
        "--outer-folds",
        "5",
        "--trials",
        "6",
        "--folds",
        "2",
        "--method",
        "random",
    ]
    data = json.loads(run(*args, "--study", str(tmp_path / "t.db"), "-j").stdout)["data"]
    assert data["nested"]["initial"] == pytest.approx(0.9037, abs=0.0003)
    assert len(data["nested"]["folds"]) == 5
    assert all(fold["trials"] == 6 for fold in data["nested"]["folds"])
