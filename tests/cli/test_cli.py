"""The command line: every command works, in text and in JSON."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result
from synthetic import write_csv

import foretaste
from foretaste.cli import cli
from foretaste.metrics import METRICS, RANKING_METRICS
from foretaste.metrics.rating import rmse
from foretaste.models import MODELS, Bias
from foretaste.persistence import load
from foretaste.ratings import Ratings
from foretaste.splits import HoldOut, KFold

ROOT = str(Path(foretaste.__file__).parent.parent)


@pytest.fixture
def folder(tmp_path: Path, ratings: Ratings, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in a folder that holds ratings.csv and a model of it, bias.foretaste."""
    monkeypatch.chdir(tmp_path)
    write_csv(ratings)
    foretaste.save(Bias().fit(foretaste.read_ratings("ratings.csv")), "bias.foretaste")
    return tmp_path


def run(*args: str, code: int = 0) -> Result:
    result = CliRunner().invoke(cli, args)
    assert result.exit_code == code, result.output
    assert "\x1b" not in result.output
    return result


def data(*args: str) -> Any:
    envelope = json.loads(run(*args, "--json").stdout)
    assert set(envelope) == {"ok", "data"}
    assert envelope["ok"] is True
    return envelope["data"]


def process(*args: str, **options: Any) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([ROOT, os.environ.get("PYTHONPATH", "")])}
    command = [sys.executable, "-m", "foretaste", *args]
    return subprocess.run(command, capture_output=True, text=True, env=environment, check=False, **options)


# Alone, help, version ------------------------------------------------------------------------------------


def test_without_command_it_prints_a_short_overview() -> None:
    lines = run().stdout.splitlines()
    assert len(lines) <= 10
    assert sum("foretaste " in line for line in lines) >= 6


def test_help_lists_every_command_and_every_exit_code() -> None:
    text = run("--help").stdout
    for name in (
        "demo",
        "compare",
        "fit",
        "evaluate",
        "predict",
        "similar",
        "show",
        "models",
        "data",
        "doctor",
    ):
        assert re.search(rf"^  {name} ", text, re.MULTILINE)
        assert run(name, "--help").stdout.startswith("Usage:")
    assert "130 interrupted" in " ".join(text.split())


def test_version() -> None:
    assert run("--version").stdout == f"foretaste {foretaste.__version__}\n"


@pytest.mark.parametrize("name", [None, *cli.list_commands(None)])
def test_h_is_help(name: str | None) -> None:
    command = () if name is None else (name,)
    assert run(*command, "-h").stdout == run(*command, "--help").stdout
    assert run(*command, "-h").stdout.startswith("Usage:")


@pytest.mark.parametrize("name", ["recommend", "predict", "explain", "similar"])
def test_ids_are_named_by_user_and_item(name: str) -> None:
    command = cli.get_command(None, name)
    assert command is not None
    options = {option for parameter in command.params for option in parameter.opts}
    assert {"recommend": {"--user"}, "similar": {"--item"}}.get(name, {"--user", "--item"}) <= options
    assert not options & {"--users", "--uid", "--iid"}


# compare -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["compare", "rank"])
def test_compare_and_rank_take_models_with_parameters(folder: Path, command: str) -> None:
    relevant = ("--relevant", "1") if command == "rank" else ()
    rows = data(command, "ratings.csv", "--models", "SVD(factors=3, epochs=2), user-mean", *relevant)[
        "results"
    ]
    params = {row["model"]: row["params"] for row in rows}
    assert {"SVD", "UserMean"} <= set(params)  # and the baseline
    assert (params["SVD"]["factors"], params["SVD"]["epochs"]) == (3, 2)


def test_compare_prints_the_table_and_logs_inferences(folder: Path) -> None:
    result = run("compare", "ratings.csv", "--models", "bias,UserMean", "--seed", "3")
    first, *_ = result.stdout.splitlines()
    assert "better than always guessing the mean" in first
    assert "protocol: hold-out, 20 % of the rows, seed 3: 720 train, 180 test rows" in result.stdout
    assert "peak MB" in result.stdout
    assert "note: columns: user=userId item=itemId rating=rating   (override: --user-column" in result.stderr
    assert "note: GlobalMean added" in result.stderr


def test_compare_json(folder: Path) -> None:
    found = data("compare", "ratings.csv", "--models", "Bias", "--test-size", "0.3", "--no-memory")
    assert list(found) == ["dataset", "protocol", "sentences", "results"]
    ratings = foretaste.read_ratings("ratings.csv")
    train_rows, test_rows = next(HoldOut(0.3, 0).split(ratings))
    wanted = rmse(ratings.value[test_rows], Bias().fit(ratings[train_rows]).predict(ratings[test_rows]))
    assert found["results"][0]["model"] == "Bias"
    assert found["results"][0]["rmse"] == wanted
    assert found["dataset"]["name"] == "ratings.csv"


def test_compare_folds_writes_json_and_saves_the_best(folder: Path) -> None:
    args = ["compare", "ratings.csv", "--models", "Bias", "--folds", "2", "--no-memory"]
    result = run(*args, "--save-best", "best.foretaste", "--json", "out.json")
    assert "+-" in result.stdout
    found = json.loads(Path("out.json").read_text())["data"]
    assert len(found["results"][0]["folds"]) == KFold(2).get_n_splits()
    best = load("best.foretaste")
    assert best.n_ratings_ == 900
    assert "wrote best.foretaste: Bias() fitted on all 900 rows" in result.stderr


def test_compare_with_train_and_test_files(folder: Path) -> None:
    lines = Path("ratings.csv").read_text().splitlines()
    Path("a.csv").write_text("\n".join(lines[:700]))
    Path("b.csv").write_text("\n".join([lines[0], *lines[700:]]))
    args = ["compare", "--train", "a.csv", "--test", "b.csv", "--models", "Bias", "--no-memory"]
    assert data(*args)["protocol"] == "external test set: 699 train, 201 test rows"
    run(*args, "--save-best", "best.foretaste")
    assert load("best.foretaste").n_ratings_ == 699


def test_compare_overlap_option(folder: Path) -> None:
    lines = Path("ratings.csv").read_text().splitlines()
    Path("a.csv").write_text("\n".join(lines[:700]))
    Path("b.csv").write_text("\n".join([lines[0], *lines[690:]]))
    args = ["compare", "--train", "a.csv", "--test", "b.csv", "--models", "Bias", "--no-memory"]
    refused = run(*args, code=3).stderr
    assert "10 of 211 test rows also occur in the training data (leakage)" in refused
    assert f"try: foretaste {' '.join(args)} --overlap drop_from_train" in refused
    judged = data(*args, "--overlap", "drop_from_train")["protocol"]
    assert judged.endswith("(10 shared pairs dropped from the training set): 689 train, 211 test rows")
    assert "699 train, 201" in data(*args, "--overlap", "drop_from_test")["protocol"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ("holdout --test-size 0.3", "hold-out, 30 % of the rows, seed 0:"),
        ("folds", "5-fold cross-validation, seed 0:"),
        ("folds --folds 2 --seed 4", "2-fold cross-validation, seed 4:"),
        ("leave-one-out", "leave one out: 1 rating of each user who has more held out, seed 0:"),
        ("cold-users --test-size 0.5", "50 % of the users held out entirely, seed 0:"),
        ("cold-items --seed 2", "20 % of the items held out entirely, seed 2:"),
        ("by-time", "the latest 20 % of the rows held out:"),
        ("by-time --warm-only", "the latest 20 % of the rows held out, only test rows with known user and"),
    ],
)
def test_compare_accepts_every_split(folder: Path, options: str, words: str) -> None:
    lines = Path("ratings.csv").read_text().splitlines()
    timed = [f"{line},{number}" for number, line in enumerate(lines[1:])]
    Path("timed.csv").write_text("\n".join([f"{lines[0]},timestamp", *timed]))
    args = ["compare", "timed.csv", "--models", "Bias", "--no-memory", "--split", *options.split()]
    assert data(*args)["protocol"].startswith(words)


def test_compare_breakdown(folder: Path) -> None:
    args = ["compare", "ratings.csv", "--models", "Bias", "--no-memory", "--breakdown"]
    text = run(*args).stdout
    assert text.index("GlobalMean") < text.index("Where Bias errs: 180 test rows, RMSE ")
    assert "training ratings of the user" in text
    parts = data(*args)["breakdown"]["parts"]
    assert sum(one["rows"] for one in parts["item_support"]) == 180
    assert "breakdown" not in data(*args[:-1])


def test_compare_prints_intervals(folder: Path) -> None:
    args = ["compare", "ratings.csv", "--models", "Bias", "--no-memory"]
    said = run(*args).stdout.splitlines()
    assert said[1].startswith("95 % confidence interval of the best RMSE: ")
    assert said[2].startswith("Runner-up: GlobalMean, worse by ")
    assert data(*args)["sentences"] == said[:3]


def test_compare_where_and_scale(folder: Path) -> None:
    args = ["compare", "ratings.csv", "--models", "Bias", "--no-memory", "--where", "userId < 100"]
    found = data(*args, "--scale", "-8,8", "--metrics", "nmae,mae")
    ratings = foretaste.read_ratings("ratings.csv")
    assert found["dataset"]["ratings"] == np.count_nonzero(ratings.user_ids < 100)
    row = found["results"][0]
    assert row["nmae"] == pytest.approx(row["mae"] / 16)


def test_compare_reads_standard_input(folder: Path) -> None:
    args = ["compare", "-", "--models", "Bias", "--no-memory", "--json", "-"]
    done = process(*args, input=Path("ratings.csv").read_text())
    assert json.loads(done.stdout)["data"]["dataset"]["name"] == "standard input"
    assert done.returncode == 0


# fit, show, evaluate -------------------------------------------------------------------------------------


def test_fit_options_are_the_declared_parameters(folder: Path) -> None:
    options = ["--factors", "3", "--epochs", "2", "--schedule", "cosine", "--no-clip", "--threads", "1"]
    result = run("fit", "svd", "ratings.csv", "-o", "svd.foretaste", *options, "--learning_rate", "0.01")
    model = load("svd.foretaste")
    assert repr(model).startswith(
        "SVD(clip=False, factors=3, epochs=2, learning_rate=0.01, schedule='cosine'"
    )
    assert "(global mean: " in result.stdout
    assert (
        run("fit", "SVD", "ratings.csv", "-o", "svd.foretaste", "--threads", "none", "--epochs=1").exit_code
        == 0
    )
    assert load("svd.foretaste").get_params()["threads"] is None


@pytest.mark.parametrize("name", list(MODELS))
def test_every_model_has_an_option_for_each_parameter_and_can_be_fitted(folder: Path, name: str) -> None:
    text = run("fit", name, "--help").stdout
    for parameter in MODELS[name].param_specs():
        assert f"--{parameter.replace('_', '-')}" in text
    file = "ratings.csv"
    if "timestamp" in MODELS[name].requires:
        lines = Path(file).read_text().splitlines()
        timed = [f"{line},{place}" for place, line in enumerate(lines[1:])]
        file = "timed.csv"
        Path(file).write_text("\n".join([f"{lines[0]},timestamp", *timed]) + "\n")
    assert data("fit", name, file, "-o", "m.foretaste", "-q")["model"] == name
    assert type(load("m.foretaste")) is MODELS[name]


def test_fit_help_lists_the_models() -> None:
    text = run("fit", "--help").stdout
    assert all(f"  {name} " in text for name in MODELS)


def test_show_describes_a_model(folder: Path) -> None:
    found = data("show", "bias.foretaste")
    assert found["repr"] == "Bias()"
    assert found["ratings"] == 900
    assert found["params"]["user_damping"] == 5.0
    assert "  900 ratings (fingerprint" in run("show", "bias.foretaste").stdout


def test_evaluate_has_a_baseline_and_detects_training_data(folder: Path) -> None:
    ratings = foretaste.read_ratings("ratings.csv")
    found = data("evaluate", "bias.foretaste", "ratings.csv")
    assert found["rmse"] == rmse(ratings.value, load("bias.foretaste").predict(ratings))
    assert found["baseline"]["rmse"] == pytest.approx(ratings.value.std(dtype=float))
    assert found["same_rows_as_training"] is True
    assert ", the same rows" in run("evaluate", "bias.foretaste", "ratings.csv").stdout
    part = data("evaluate", "bias.foretaste", "ratings.csv", "--where", "rating > 0")
    assert part["same_rows_as_training"] is False
    assert part["rows"] == np.count_nonzero(ratings.value > 0)


def test_evaluate_reads_ids_as_the_model_type(folder: Path) -> None:
    text = Path("ratings.csv").read_text()
    Path("odd.csv").write_text(text + "nobody,5,1\n")  # now user ids are text in this file
    found = data("evaluate", "bias.foretaste", "odd.csv")
    assert found["rows"] == 901
    assert found["fallback_rows"] == 1


# predict -------------------------------------------------------------------------------------------------


def test_predict_preserves_the_id_text(folder: Path) -> None:
    ratings = foretaste.read_ratings("ratings.csv")
    expected = load("bias.foretaste").predict(ratings)
    found = data("predict", "bias.foretaste", "ratings.csv", "-o", "out.csv")
    assert found == {"model": "Bias", "rows": 900, "fallback_rows": 0, "file": "out.csv"}
    rows = list(csv.DictReader(io.StringIO(Path("out.csv").read_text())))
    assert list(rows[0]) == ["userId", "itemId", "prediction", "fallback"]
    np.testing.assert_allclose([float(row["prediction"]) for row in rows], expected, rtol=1e-5)
    assert [row["userId"] for row in rows] == [str(user) for user in ratings.user_ids]


def test_predict_to_standard_output_and_from_standard_input(folder: Path) -> None:
    pairs = "user,item\n11,5\n99999,5\n007,5\n"
    done = process("predict", "bias.foretaste", "-", input=pairs)
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    assert [row["user"] for row in rows] == ["11", "99999", "007"]
    assert [row["fallback"] for row in rows] == ["", "user unknown", "user unknown"]
    Path("pairs.csv").write_text(pairs)
    found = data("predict", "bias.foretaste", "pairs.csv")
    assert [p["fallback"] for p in found["predictions"]] == [None, "user unknown", "user unknown"]
    assert found["fallback_rows"] == 2


def test_predict_one_pair(folder: Path) -> None:
    model = load("bias.foretaste")
    found = data("predict", "bias.foretaste", "--user", "11", "--item", "5")
    assert found["prediction"] == float(model.predict([(11, 5)])[0])
    assert (found["user"], found["item"], found["fallback"]) == (11, 5, None)
    assert "user unknown" in run("predict", "bias.foretaste", "--user", "x", "--item", "5").stdout


# similar, models, data, doctor ---------------------------------------------------------------------------


def test_similar_from_ratings_and_from_a_model(folder: Path) -> None:
    ratings = foretaste.read_ratings("ratings.csv")
    item = int(ratings.items.ids[3])
    found = data("similar", "ratings.csv", "--item", str(item), "-n", "4", "--metric", "pearson")
    expected = foretaste.similar_items(ratings, item, 4, "pearson")
    assert [row["item"] for row in found["similar"]] == expected.ids.tolist()
    np.testing.assert_allclose([row["similarity"] for row in found["similar"]], expected.similarity)
    run("fit", "SVD", "ratings.csv", "-o", "svd.foretaste", "--factors=4", "--epochs=5")
    by_model = data("similar", "svd.foretaste", "--item", str(item))
    expected = foretaste.similar_items(load("svd.foretaste"), item)
    assert [row["item"] for row in by_model["similar"]] == expected.ids.tolist()
    titles = "itemId,title\n" + "".join(f"{i},The {i}\n" for i in ratings.items.ids)
    Path("titles.csv").write_text(titles)
    text = run("similar", "ratings.csv", "--item", str(item), "--items", "titles.csv").stdout
    assert text.startswith(f"most similar to item {item}: The {item}   (cosine, the ratings in ratings.csv)")


def test_models_lists_all_and_describes_one() -> None:
    assert [model["model"] for model in data("models")] == MODELS.names()
    text = run("models").stdout
    assert all(MODELS[name].summary in text for name in MODELS.names())
    found = data("models", "svd")
    assert found["model"] == "SVD"
    factors = next(p for p in found["params"] if p["name"] == "factors")
    assert factors["default"] == 64
    assert "at least 1" in factors["allowed"]


def test_data_prints_the_bundled_ratings(folder: Path) -> None:
    bundled = foretaste.load_dataset("sample")
    Path("sample.csv").write_text(run("data", "sample").stdout)
    read = foretaste.read_ratings("sample.csv")
    assert read.users == bundled.users
    np.testing.assert_array_equal(read.user, bundled.user)
    np.testing.assert_array_equal(read.value, bundled.value)
    np.testing.assert_array_equal(read.timestamp, bundled.timestamp)
    Path("items.csv").write_text(run("data", "sample", "--items").stdout)
    assert foretaste.read_items("items.csv").items == foretaste.load_items("sample").items


def test_doctor_finds_the_dependencies(monkeypatch: pytest.MonkeyPatch) -> None:
    found = data("doctor")
    assert found["instruction_set"] in found["instruction_sets"]
    assert found["threads"] >= 1
    assert found["dependencies"]["numpy"] == np.__version__
    from foretaste.cli import doctor

    monkeypatch.setattr(
        doctor.metadata, "requires", lambda _: ["numpy>=2", "no-such-thing", "nor-this>=1 ; extra == 'tune'"]
    )
    text = run("doctor", code=1).stdout
    assert 'missing: pip install "no-such-thing"' in text
    assert 'nor-this missing: pip install "foretaste[tune]"' in text


# demo ----------------------------------------------------------------------------------------------------


@pytest.mark.nightly
def test_demo_prints_a_table_and_working_commands(folder: Path) -> None:
    result = run("demo")
    assert "better than always guessing the mean" in result.stdout
    assert all(name in result.stdout for name in MODELS)
    steps = [line for line in result.stdout.splitlines() if line.startswith("  foretaste ")]
    assert 4 <= len(steps) <= 5
    Path("ratings.csv").unlink()
    script = f'foretaste() {{ "{sys.executable}" -m foretaste "$@"; }}\nset -e\n' + "\n".join(steps)
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([ROOT, os.environ.get("PYTHONPATH", "")])}
    subprocess.run(["bash", "-c", script], check=True, env=environment, capture_output=True)


@pytest.mark.parametrize(
    ("command", "names"), [("compare", METRICS), ("tune", METRICS), ("rank", RANKING_METRICS)]
)
def test_help_names_every_metric(command: str, names: dict[str, object]) -> None:
    help_text = " ".join(run(command, "-h").stdout.split())
    assert ", ".join(names).replace("nmae", "nmae (with --scale)") in help_text
