"""The command ``rank``: text, JSON, and its errors."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from foretaste.cli import cli
from foretaste.cli.inputs import parse_models
from foretaste.errors import ForetasteError
from foretaste.evaluation import evaluate_ranking
from foretaste.ratings import Ratings
from foretaste.splits import HoldOut


@pytest.fixture
def folder(tmp_path: Path, ratings: Ratings, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in a folder that holds ratings.csv, train.csv and test.csv."""
    monkeypatch.chdir(tmp_path)
    ((train, test),) = HoldOut(0.25, 0).split(ratings)
    for name, part in (("ratings", ratings), ("train", ratings[train]), ("test", ratings[test])):
        rows = zip(part.user_ids, part.item_ids, part.value, strict=True)
        lines = ["userId,itemId,rating", *(f"{user},{item},{value!r}" for user, item, value in rows)]
        Path(f"{name}.csv").write_text("\n".join(lines).replace("np.float32(", "").replace(")", "") + "\n")
    return tmp_path


def run(*args: str, code: int = 0) -> Result:
    result = CliRunner().invoke(cli, ["rank", *args])
    assert result.exit_code == code, f"{result.output}\n{result.exception!r}"
    return result


def data(*args: str) -> Any:
    answer = json.loads(run(*args, "--json", "-q").stdout)
    assert answer["ok"]
    return answer["data"]


def test_output_equals_evaluate_ranking(folder, ratings):
    ((train, test),) = HoldOut(0.25, 0).split(ratings)
    wanted = evaluate_ranking(ratings[train], ["EASE", "Bias"], test=ratings[test], n=5, relevant=1.0)
    found = data("ratings.csv", "--models", "EASE,Bias", "-n", "5", "--relevant", "1")
    assert [row["name"] for row in found["results"]] == [row["name"] for row in wanted.rows]
    for one, other in zip(found["results"], wanted.rows, strict=True):
        assert [one[name] for name in wanted.metrics] == pytest.approx(
            [other[name] for name in wanted.metrics]
        )
    assert found["protocol"] == wanted.protocol
    text = run("ratings.csv", "--models", "EASE,Bias", "-n", "5", "--relevant", "1").stdout
    assert wanted.headline in text
    assert "nDCG@5" in text
    assert "candidates: all training items that the user has not rated" in text


def test_separate_train_and_test_files(folder):
    options = ("--models", "SVD", "--relevant", "above_user_mean", "--metrics", "recall,ndcg")
    one, other = data("ratings.csv", *options), data("--train", "train.csv", "--test", "test.csv", *options)
    assert one["metrics"] == {"recall": "recall@10", "ndcg": "nDCG@10"}
    assert one["results"][0]["recall"] == pytest.approx(other["results"][0]["recall"])


def test_sampled_candidates_are_labeled(folder):
    result = run("ratings.csv", "--models", "SVD", "--relevant", "1", "--candidates", "sampled:10")
    assert "nDCG@10 (sampled)" in result.stdout
    assert "note: sampled candidates mislead" in result.stderr
    found = data("ratings.csv", "--models", "SVD", "--relevant", "1", "--candidates", "sampled:10")
    assert found["candidates"]["negatives"] == 10
    assert {row["candidates"] for row in found["results"]} == {"sampled"}


def test_models_with_parameters():
    found = parse_models("EASE(target='binary', regularization=50), SVD,Popularity(rank_by=\"mean\")")
    assert [repr(model) for model in found] == [
        "EASE(target='binary', regularization=50)", "SVD()", "Popularity(rank_by='mean')",
    ]  # fmt: skip
    assert [repr(model) for model in parse_models("user-mean, svd")] == ["UserMean()", "SVD()"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("EASE(target=", "cannot be parsed"),
        ("EASE('binary')", "cannot be parsed"),
        ("EASE(target=open('x'))", "cannot be parsed"),
        ("__import__('os').system('x')", "cannot be parsed"),
        ("EASE(**{'target': 'binary'})", "cannot be parsed"),
        ("EASE(targt='binary')", 'did you mean "target"'),
        ("EASE(target='binry')", "binry"),
        ("EASI(target='binary')", 'did you mean "EASE"'),
    ],
)
def test_unparsable_models_raise(text, message):
    with pytest.raises(ForetasteError, match=message.replace("(", r"\(")):
        parse_models(text)


@pytest.mark.parametrize(
    ("args", "code", "message"),
    [
        ((), 2, "missing FILE"),
        (("--train", "train.csv"), 2, "--train and --test go together"),
        (("ratings.csv", "--train", "train.csv", "--test", "test.csv"), 2, "replace FILE"),
        (("ratings.csv", "--candidates", "sampled"), 2, "--candidates sampled:100"),
        (("ratings.csv", "--candidates", "sampled:x"), 2, "--candidates sampled:100"),
        (("ratings.csv", "--candidates", "al"), 2, "--candidates all"),
        (("ratings.csv", "--relevant", "many"), 2, "relevant many is not allowed"),
        (("ratings.csv", "--relevant", "99"), 3, "no test item is relevant"),
        (("ratings.csv", "--metrics", "rmse"), 2, 'no ranking metric "rmse"'),
        (("ratings.csv", "--relevant", "1", "-n", "0"), 2, "-n 0"),
        (
            ("--train", "ratings.csv", "--test", "test.csv", "--relevant", "1"),
            3,
            "also occur in the training data",
        ),
    ],
)
def test_errors_have_exit_codes_and_no_traceback(folder, args, code, message):
    result = run(*args, code=code)
    assert message in result.stderr
    assert "Traceback" not in result.stderr
    assert result.stdout == ""
