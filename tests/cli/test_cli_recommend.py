"""The command ``recommend``: lists and files, exclusions, and its errors."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from click.testing import CliRunner, Result
from synthetic import write_csv

import foretaste
from foretaste.cli import cli
from foretaste.models import SVD
from foretaste.persistence import load, save
from foretaste.ratings import Ratings

ROOT = str(Path(foretaste.__file__).parent.parent)


@pytest.fixture
def folder(tmp_path: Path, ratings: Ratings, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in a folder that holds ratings.csv, titles.csv and a model, svd.foretaste."""
    monkeypatch.chdir(tmp_path)
    write_csv(ratings)
    titles = ["itemId,title", *(f"{item},The {item}" for item in ratings.items.ids)]
    Path("titles.csv").write_text("\n".join(titles) + "\n")
    save(SVD(factors=4, epochs=5).fit(foretaste.read_ratings("ratings.csv")), "svd.foretaste")
    return tmp_path


def run(*args: str, code: int = 0) -> Result:
    result = CliRunner().invoke(cli, ["recommend", *args])
    assert result.exit_code == code, result.output
    assert "\x1b" not in result.output
    return result


def process(*args: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([ROOT, os.environ.get("PYTHONPATH", "")])}
    command = [sys.executable, "-m", "foretaste", *args]
    return subprocess.run(command, capture_output=True, text=True, env=environment, check=False)


def data(*args: str) -> Any:
    envelope = json.loads(run(*args, "--json").stdout)
    assert set(envelope) == {"ok", "data"}
    assert envelope["ok"] is True
    return envelope["data"]


def test_output_equals_recommend(folder: Path, ratings: Ratings) -> None:
    found = data("svd.foretaste", "--user", "14,11", "-n", "4", "--exclude", "ratings.csv")
    wanted = foretaste.recommend(load("svd.foretaste"), [14, 11], 4, exclude=ratings)
    assert list(found) == ["model", "exclude", "recommendations"]
    assert found["exclude"] == "ratings.csv"
    assert [one["user"] for one in found["recommendations"]] == [14, 11]
    assert {one["user"]: one["items"] for one in found["recommendations"]} == wanted.to_dict()
    result = run("svd.foretaste", "--user", "14", "--user", "11", "-n", "4", "--exclude", "ratings.csv")
    assert result.stdout.startswith(
        "by SVD(factors=4, epochs=5), excluding the items rated in ratings.csv\n\nuser 14\n"
    )
    item = wanted.ids[4]
    assert f"   1  {item:>4}" in result.stdout.split("user 11")[1]
    assert "title" not in result.stdout


def test_titles_are_shown(folder: Path) -> None:
    args = ["svd.foretaste", "--user", "14", "-n", "2", "--items", "titles.csv"]
    first = data(*args)["recommendations"][0]["items"][0]
    assert first["title"] == f"The {first['item']}"
    assert first["title"] in run(*args).stdout


def test_model_alone_logs_that_rated_items_are_not_excluded(folder: Path) -> None:
    alone = run("svd.foretaste", "--user", "14")
    assert "note: a model file does not contain the ratings of the users" in alone.stderr
    assert "--exclude RATINGS" in alone.stderr
    assert "excluding" not in alone.stdout
    assert "a model file" not in run("svd.foretaste", "--user", "14", "--exclude", "ratings.csv").stderr
    assert run("svd.foretaste", "--user", "14", "-q").stderr == ""


def test_reading_options_apply_to_the_excluded_ratings(folder: Path) -> None:
    text = Path("ratings.csv").read_text()
    Path("odd.csv").write_text(text.replace("userId,itemId", "who;what", 1).replace(",", ";"))
    options = ["--separator", ";", "--user-column", "who", "--item-column", "what"]
    part = ["--where", "rating > 0"]
    found = data("svd.foretaste", "--user", "14", "--exclude", "odd.csv", *options, *part)
    ratings = foretaste.read_ratings("ratings.csv").where("rating > 0")
    wanted = foretaste.recommend(load("svd.foretaste"), 14, exclude=ratings)
    assert found["recommendations"][0]["items"] == wanted.to_dict()[14]
    result = run("svd.foretaste", "--user", "14", "--where", "rating > 0", code=2)
    assert "error: --where applies to the ratings of --exclude, and there is no --exclude" in result.stderr


@pytest.mark.parametrize("texts", [True, False])
def test_excluded_ids_have_the_type_of_the_model(folder: Path, ratings: Ratings, texts: bool) -> None:
    lines = Path("ratings.csv").read_text()
    if texts:  # a model of texts, and a file whose ids look like numbers
        of_texts = Ratings.from_columns(
            ratings.user_ids.astype(str), ratings.item_ids.astype(str), ratings.value
        )
        save(SVD(factors=4, epochs=5).fit(of_texts), "svd.foretaste")
    else:  # a model of numbers, and a file in which two users and an item are none
        Path("ratings.csv").write_text(lines + "nobody,5,1\nno one,5,1\n11,nothing,1\n")
    found = data("svd.foretaste", "--user", "14", "-n", "40", "--exclude", "ratings.csv")
    items = {str(row["item"]) for row in found["recommendations"][0]["items"]}
    seen = set(ratings.item_ids[ratings.user_ids == 14].astype(str).tolist())
    assert items == set(ratings.items.ids.astype(str).tolist()) - seen


@pytest.mark.parametrize("name", ["top.parquet", "top.csv"])
def test_all_users_to_a_file(folder: Path, ratings: Ratings, name: str) -> None:
    found = data("svd.foretaste", "--all", "-n", "3", "--exclude", "ratings.csv", "-o", name)
    wanted = foretaste.recommend(load("svd.foretaste"), n=3, exclude=ratings).to_frame()
    users = len(ratings.users)
    assert found == {"model": "SVD", "n": 3, "users": users, "rows": len(wanted), "file": name}
    frame = pl.read_parquet(name) if name == "top.parquet" else pl.read_csv(name)
    assert frame["item"].to_list() == wanted["item"].to_list()
    np.testing.assert_allclose(frame["prediction"], wanted["prediction"], rtol=1e-6)
    result = run("svd.foretaste", "--user", "14,11", "-n", "3", "-o", name)
    assert result.stdout == f"{name}: 6 recommendations for 2 users by SVD\n"


def test_user_id_with_a_comma(folder: Path, ratings: Ratings) -> None:
    texts = Ratings.from_columns([f"a,{u}" for u in ratings.user_ids], ratings.item_ids, ratings.value)
    save(SVD(factors=4, epochs=5).fit(texts), "svd.foretaste")
    assert [one["user"] for one in data("svd.foretaste", "--user", "a,14")["recommendations"]] == ["a,14"]


def test_unknown_user_raises_or_gets_the_fallback(folder: Path) -> None:
    result = run("svd.foretaste", "--user", "x", code=4)
    assert "the model does not know user 'x': its user ids are integers" in result.stderr
    found = data("svd.foretaste", "--user", "14,1400", "--unknown-users", "fallback", "-n", "2")[
        "recommendations"
    ]
    assert [(one["user"], one["fallback"]) for one in found] == [(14, None), (1400, "user unknown")]
    text = run("svd.foretaste", "--user", "1400", "--unknown-users", "fallback").stdout
    assert "user 1400   (user unknown: the model's fallback)" in text


def test_unknown_user_hint_runs_as_printed(folder: Path) -> None:
    near = process("recommend", "svd.foretaste", "--user", "1400")
    assert near.returncode == 4
    assert near.stdout == ""
    assert 'the model does not know user 1400; did you mean "140"?' in near.stderr
    far = process("recommend", "svd.foretaste", "--user", "14,999999")
    assert "the model does not know user 999999\n" in far.stderr
    for done, words in ((near, "--user 140"), (far, "--user 14,999999 --unknown-users fallback")):
        hint = next(line for line in done.stderr.splitlines() if line.startswith("try: foretaste "))
        assert hint.endswith(words)
        assert process(*hint.split()[2:]).returncode == 0


def test_user_who_has_rated_everything(folder: Path, ratings: Ratings) -> None:
    lines = ["userId,itemId,rating", *(f"14,{item},1" for item in ratings.items.ids)]
    Path("all.csv").write_text("\n".join(lines))
    args = ["svd.foretaste", "--user", "14", "--exclude", "all.csv"]
    assert "no items left" in run(*args).stdout
    assert data(*args)["recommendations"][0]["items"] == []


@pytest.mark.parametrize(
    ("args", "code", "words"),
    [
        ([], 2, "give either --user ID,ID or --all"),
        (["--all", "--user", "14"], 2, "give either --user"),
        (["--all"], 2, "--all needs -o FILE"),
        (["--user", ","], 2, "--user names no user"),
        (["--user", "14", "-n", "0"], 2, "-n 0 is not allowed"),
        (["--all", "-o", "top.txt"], 2, "must end in .parquet or .csv"),
        (["--all", "-o", "nowhere/top.csv"], 4, "there is no folder"),
        (["--user", "14", "--exclude", "rating.csv"], 4, 'did you mean "ratings.csv"'),
        (["--user", "14", "--items", "none.csv"], 4, "there is no file none.csv"),
    ],
)
def test_invalid_arguments_raise(folder: Path, args: list[str], code: int, words: str) -> None:
    result = run("svd.foretaste", *args, code=code)
    assert words in result.stderr.replace("--n 0", "-n 0")
    assert result.stdout == ""
