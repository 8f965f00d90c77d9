"""The command ``explain``: parts, attributions, new users, and its errors."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from synthetic import write_csv

import foretaste
from foretaste.cli import cli
from foretaste.models import SVD, ItemKNN, KNNImputation
from foretaste.persistence import load, save
from foretaste.ratings import Ratings
from foretaste.recommendation import explain, fold_in


@pytest.fixture
def folder(tmp_path: Path, ratings: Ratings, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in a folder that holds ratings.csv, titles.csv, me.csv and models."""
    monkeypatch.chdir(tmp_path)
    write_csv(ratings)
    Path("me.csv").write_text("userId,itemId,rating\n7000,5,3.5\n7000,9,-2\n7001,5,1\n")
    titles = ["itemId,title", *(f"{item},The {item}" for item in ratings.items.ids)]
    Path("titles.csv").write_text("\n".join(titles) + "\n")
    learned = foretaste.read_ratings("ratings.csv")
    save(SVD(factors=4, epochs=5).fit(learned), "svd.foretaste")
    save(ItemKNN().fit(learned), "knn.foretaste")
    save(KNNImputation().fit(learned), "imputed.foretaste")
    return tmp_path


def run(*args: str, code: int = 0) -> Result:
    result = CliRunner().invoke(cli, ["explain", *args], obj=["explain", *args])
    assert result.exit_code == code, result.output
    assert "\x1b" not in result.output
    return result


def data(*args: str) -> Any:
    envelope = json.loads(run(*args, "--json").stdout)
    assert envelope["ok"] is True
    return envelope["data"]


def test_output_equals_explain(folder: Path, ratings: Ratings) -> None:
    told = data(
        "svd.foretaste", "--user", "11", "--item", "5", "--ratings", "ratings.csv", "--items", "titles.csv"
    )
    own = foretaste.read_ratings("ratings.csv")
    known = explain(load("svd.foretaste"), 11, 5, ratings=own, catalog=foretaste.read_items("titles.csv"))
    assert told == json.loads(json.dumps(known.to_dict()))
    assert told["title"] == "The 5"
    assert len(told["reasons"]) == (ratings.user_ids == 11).sum()
    assert sum(part["value"] for part in told["parts"]) == pytest.approx(told["prediction"], abs=1e-5)


def test_n_limits_the_ratings_shown(folder: Path) -> None:
    text = run("knn.foretaste", "--user", "11", "--item", "5", "-n", "2", "-q").stdout
    told = explain(load("knn.foretaste"), 11, 5)
    assert text.startswith(told.headline())
    assert told.sentence() in text
    assert text.count(" to item ") - told.sentence().count(" to item ") == 2
    left = len(told.reasons) - 2
    assert f"{left} more rating" in text
    last = text.strip().splitlines()[-1]
    assert last.split() == ["=", "prediction", f"{told.prediction:.3f}"]


def test_missing_ratings_option_is_suggested(folder: Path) -> None:
    assert "--ratings RATINGS" in run("svd.foretaste", "--user", "11", "--item", "5").stdout
    assert "--ratings" not in run("knn.foretaste", "--user", "11", "--item", "5").stdout


def test_new_user_is_folded_in(folder: Path) -> None:
    result = run("svd.foretaste", "--user", "7000", "--item", "7", "--ratings", "me.csv", "--json")
    told = json.loads(result.stdout)["data"]
    me = foretaste.read_ratings("me.csv")
    known = explain(fold_in(load("svd.foretaste"), users=me[me.user_ids == 7000]), 7000, 7, ratings=me)
    assert told["prediction"] == known.prediction
    assert {row["item"] for row in told["reasons"]} == {5, 9}
    assert "user 7000 is new to the model: folded in with 2 ratings" in result.stderr


@pytest.mark.parametrize(
    ("args", "code", "said"),
    [
        (
            ("svd.foretaste", "--user", "12", "--item", "5"),
            4,
            "try: foretaste explain svd.foretaste --user 11 --item 5",
        ),
        (("svd.foretaste", "--user", "11", "--item", "6"), 4, "item '6' is unknown"),
        (
            ("svd.foretaste", "--user", "9999", "--item", "5", "--ratings", "me.csv"),
            4,
            "user '9999' is unknown",
        ),
        (
            ("imputed.foretaste", "--user", "11", "--item", "5"),
            2,
            "KNNImputation does not support explanations",
        ),
        (("ratings.csv", "--user", "11", "--item", "5"), 3, "foretaste fit Bias ratings.csv"),
        (("svd.foretaste", "--user", "11", "--item", "5", "--scale", "1,5"), 2, "there is no --ratings"),
        (("svd.foretaste", "--user", "11", "--item", "5", "-n", "0"), 2, "--n 0 is not allowed"),
    ],
    ids=str,
)
def test_mistakes_have_hints(
    folder: Path, capsys: pytest.CaptureFixture[str], args: tuple[str, ...], code: int, said: str
) -> None:
    with pytest.raises(SystemExit) as left:
        cli.main(["explain", *args])
    assert left.value.code == code
    shown = capsys.readouterr()
    assert said in shown.err
    assert shown.out == ""
