"""``foretaste report`` and ``compare --html``: pages from files, datasets and saved results."""

from __future__ import annotations

import json
import re
import shlex
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from report_pages import Page

from foretaste import HoldOut, Results, compare, load_dataset, write_report
from foretaste.cli import cli
from foretaste.errors import DataError, NotFoundError
from foretaste.report.saved_results import read_results

MODELS = ("--models", "Bias,SVD,UserMean")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*args: str, code: int = 0) -> Result:
    result = CliRunner().invoke(cli, args)
    assert result.exit_code == code, result.output
    assert "\x1b" not in result.output
    return result


def figures(page: Path) -> list[list[str]]:
    """Return the figures of the models without those that differ from run to run."""
    shown = Page(page).tables["All figures of the models"]
    kept = [place for place, name in enumerate(shown[0]) if not name.endswith((" s", " MB"))]
    return [[row[place] for place in kept] for row in shown]


def commands(page: Path) -> list[str]:
    return [
        unescape(text) for text in re.findall(r"<pre[^>]*><code>(foretaste .*?)</code>", page.read_text())
    ]


def test_compare_html_writes_a_page(folder: Path) -> None:
    result = run("compare", "sample", *MODELS, "--no-memory", "--html", "r.html")
    assert "note: wrote r.html\n" in result.stderr
    assert result.stdout.startswith("SVD is best: ")
    page = Page(folder / "r.html")
    assert {"Bias", "SVD", "UserMean", "GlobalMean"} == {row[0] for row in figures(folder / "r.html")[1:]}
    assert len(page.named("figure")) >= 9
    assert "<h1>The bundled sample</h1>" in page.source


def test_command_in_the_page_reproduces_it(folder: Path) -> None:
    (folder / "my ratings.csv").write_text(run("data", "sample").stdout)
    run("compare", "my ratings.csv", *MODELS, "--no-memory", "--where", "rating > -9", "--html", "r.html")
    before = figures(folder / "r.html")
    (command,) = commands(folder / "r.html")
    assert command == (
        "foretaste compare 'my ratings.csv' --models Bias,SVD,UserMean --no-memory --where 'rating > -9' "
        "--html r.html"
    )
    (folder / "r.html").unlink()
    run(*shlex.split(command)[1:])
    assert figures(folder / "r.html") == before
    code = unescape(re.findall(r"<code>(from foretaste.*?)</code>", (folder / "r.html").read_text(), re.S)[0])
    assert "read_ratings('my ratings.csv', where='rating > -9')" in code
    exec(code, names := {})  # noqa: S102 - code of our own page
    assert isinstance(names["results"], Results)
    assert figures(folder / "report.html") == before


def test_report_with_folds_or_separate_test_rows(folder: Path) -> None:
    run("compare", "sample", "--models", "Bias", "--folds", "3", "--no-memory", "--html", "r.html")
    assert "the first of 3 folds" in Page(folder / "r.html").text
    ratings = load_dataset("sample")
    for name, rows in zip(("train.csv", "test.csv"), next(HoldOut(0.2).split(ratings)), strict=True):
        part = ratings[rows]
        table = zip(part.user_ids, part.item_ids, part.value, strict=True)
        lines = ["user,item,rating", *(f"{user},{item},{value:g}" for user, item, value in table)]
        (folder / name).write_text("\n".join(lines))
    given = ("--train", "train.csv", "--test", "test.csv")
    run("compare", *given, "--models", "Bias", "--no-memory", "--html", "apart.html")
    assert "Of 1,190 held-out ratings." in Page(folder / "apart.html").text


def test_report_of_ratings_compares_them(folder: Path) -> None:
    result = run("report", "sample", "-o", "r.html", *MODELS, "--seed", "7")
    assert re.search(r"^r\.html: \d+ kB, open it in a browser$", result.stdout, re.MULTILINE)
    kept = compare(load_dataset("sample"), ["Bias", "SVD", "UserMean"], split=HoldOut(0.2, seed=7))
    shown = figures(folder / "r.html")
    assert [row[0] for row in shown[1:]] == [row["model"] for row in kept.rows]
    assert shown[1][2] == f"{kept.best_row['rmse']:.3f}"
    assert commands(folder / "r.html") == [
        "foretaste report sample -o r.html --models Bias,SVD,UserMean --seed 7"
    ]
    envelope = json.loads(run("report", "sample", "-o", "r.html", *MODELS, "--json").stdout)
    assert envelope["data"]["report"] == "r.html"
    assert envelope["data"]["bytes"] == (folder / "r.html").stat().st_size


def test_report_of_saved_results_is_equal(folder: Path) -> None:
    run("compare", "sample", *MODELS, "--no-memory", "--json", "r.json", "--html", "whole.html")
    run("report", "r.json", "-o", "bare.html")
    assert figures(folder / "bare.html") == figures(folder / "whole.html")
    assert len(Page(folder / "bare.html").named("figure")) == 2
    run("report", "r.json", "-o", "full.html", "--ratings", "sample")
    full, whole = Page(folder / "full.html"), Page(folder / "whole.html")
    assert len(full.tables) > 12
    assert set(full.tables) <= set(whole.tables)
    for caption, rows in full.tables.items():
        assert whole.tables[caption] == rows
    data = json.loads((folder / "r.json").read_text())["data"]
    (folder / "plain.json").write_text(json.dumps(data))  # as Results.to_dict gives it
    run("report", "plain.json", "-o", "plain.html")
    assert figures(folder / "plain.html") == figures(folder / "bare.html")


def test_fixes_are_printed_as_options(folder: Path) -> None:
    (folder / "dirty.csv").write_text(run("data", "sample-dirty").stdout, encoding="utf-8")
    fixed = ("--on-error", "skip", "--duplicates", "last")
    run("report", "dirty.csv", "-o", "r.html", "--models", "Bias", *fixed)
    page = Page(folder / "r.html")
    assert "warnings: what is wrong there is in all figures of this page" in page.text
    assert '--where "' in page.text
    assert 'where="' not in page.text


def test_other_split_or_ratings_are_detected(folder: Path) -> None:
    run("compare", "sample", "--models", "Bias", "--no-memory", "--json", "r.json")
    result = run("report", "r.json", "-o", "r.html", "--ratings", "sample", "--seed", "5", code=2)
    assert "the results were computed on other rows" in result.stderr
    assert not (folder / "r.html").exists()
    given = ("--ratings", "sample", "--where", "rating > 0")
    result = run("report", "r.json", "-o", "r.html", *given, code=2)
    assert "the results were computed on other ratings: 5,946 ratings" in result.stderr


def test_errors_have_their_exit_codes(folder: Path) -> None:
    run("report", "missing.json", "-o", "r.html", code=4)
    run("report", "missing.csv", "-o", "r.html", code=4)
    run("report", "sample", code=2)
    result = run("report", "sample", "-o", "r.html", "--ratings", "sample", code=2)
    assert "try: foretaste report sample -o r.html" in result.stderr
    (folder / "r.json").write_text("{}")
    run("report", "r.json", "-o", "r.html", "--models", "Bias", code=2)
    result = run("report", "r.json", "-o", "r.html", code=3)
    assert "does not contain the results of a comparison" in result.stderr
    assert "try: foretaste compare ratings.csv --json results.json" in result.stderr
    for command in (("compare", "sample", "--html"), ("report", "sample", "-o")):
        result = run(*command, "no/such/r.html", "--models", "Bias", code=4)
        assert "there is no folder" in result.stderr
        assert "RMSE" not in result.output  # raised before any model was tested
    assert [path.name for path in folder.iterdir()] == ["r.json"]


# Saved results -------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def kept() -> dict[str, Any]:
    return compare(load_dataset("sample").replace(timestamp=None), ["Bias", "TimeSVDpp"]).to_dict()


def changed(kept: dict[str, Any], *path: Any, to: Any) -> dict[str, Any]:
    copy = json.loads(json.dumps(kept))
    place = copy
    for step in path[:-1]:
        place = place[step]
    if to is ...:
        del place[path[-1]]
    else:
        place[path[-1]] = to
    return copy


def test_saved_results_round_trip(kept: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "r.json"
    path.write_text(json.dumps(kept))
    again = read_results(str(path))
    ours = again.to_dict()
    assert {key: ours[key] for key in ("dataset", "protocol", "results")} == {
        key: kept[key] for key in ("dataset", "protocol", "results")
    }
    path.write_text(json.dumps(changed(kept, "interrupted", to=True) | {"results": kept["results"][::-1]}))
    again = read_results(str(path))
    assert again.interrupted
    assert again.to_dict()["results"] == kept["results"]  # in their order, whatever that of the file
    path.write_text(json.dumps(kept | {"sentences": ["One.", "Two."]}))
    page = Page(write_report(read_results(str(path)), tmp_path / "r.html"))
    assert "Two." in page.text


def test_unknown_result_fields_are_skipped_and_logged(kept: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "r.json"
    newer = changed(kept, "results", 0, "serendipity", to=0.5)
    newer["results"][0]["other"] = {"a": [1]}
    path.write_text(json.dumps(newer))
    results = read_results(str(path))
    assert results.notes == ("metrics of another version, not shown: serendipity",)
    page = Page(write_report(results, tmp_path / "r.html"))
    assert "serendipity" in page.text
    assert "0.5" not in page.tables["All figures of the models"][1]


@pytest.mark.parametrize(
    ("path", "to", "why"),
    [
        (("results",), [], "results is missing or not a list"),
        (("results",), {}, "results is missing or not a list"),
        (("results", 0), 7, "result 1: model or repr is missing"),
        (("results", 0, "model"), ..., "result 1: model or repr is missing"),
        (("results", 0, "repr"), 7, "result 1: model or repr is missing"),
        (("results", 0, "params"), [], "result 1: params is missing"),
        (("results", 0, "rmse"), ..., "result 1: rmse is missing or not a number"),
        (("results", 0, "rmse"), True, "result 1: rmse is not a number"),
        (("results", 0, "mae"), "1.0", "result 1: mae is not a number"),
        (("results", 0, "fit_seconds"), ..., "result 1: fit_seconds is missing"),
        (("results", 0, "folds"), [{}], "result 1: folds without rmse"),
        (("results", 0, "rmse_interval"), [1], "rmse_interval is not a pair of numbers"),
        (("results", 2, "error"), {}, "result 3: error.message is missing"),
        (("results", 2, "error"), {"message": "no", "hint": 7}, "error.hint is not text"),
        (("protocol",), None, "protocol is missing"),
        (("dataset",), [], "dataset is missing or not an object"),
        (("dataset", "users"), "many", "dataset.users is missing or has the wrong type"),
        (("dataset", "mean"), None, "dataset.mean is missing or not a number"),
        (("sentences",), [7], "sentences is not a list of texts"),
    ],
)
def test_invalid_results_name_the_location(
    kept: dict[str, Any], tmp_path: Path, path: tuple[Any, ...], to: Any, why: str
) -> None:
    file = tmp_path / "r.json"
    file.write_text(json.dumps(changed(kept, *path, to=to)))
    with pytest.raises(DataError, match=why) as caught:
        read_results(str(file))
    assert caught.value.hint == "foretaste compare ratings.csv --json results.json"


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "not valid JSON"),
        (b"[1, 2", "not valid JSON"),
        (b"[" * 100_000, "not valid JSON"),
        (b'{"results": [NaN]}', "NaN is not valid JSON"),
        (b"\xff\xfe\x00", "not UTF-8 text"),
        (b"[]", "results is missing or not a list"),
        (b'{"ok": false, "error": {"code": "x"}}', "it contains an error"),
    ],
)
def test_corrupt_results_file_raises(tmp_path: Path, content: bytes, why: str) -> None:
    file = tmp_path / "r.json"
    file.write_bytes(content)
    with pytest.raises(DataError, match=why):
        read_results(str(file))
    with pytest.raises(NotFoundError, match="cannot read"):
        read_results(str(tmp_path))


def test_report_uses_the_split_of_compare(folder: Path) -> None:
    run("compare", "sample", *MODELS, "--split", "by-time", "--warm-only", "--no-memory", "--html", "a.html")
    run("report", "sample", *MODELS, "--split", "by-time", "--warm-only", "-o", "b.html")
    assert figures(folder / "a.html") == figures(folder / "b.html")
    assert "split = WarmOnly(splitter=TimeSplit(test_size=0.2))" in unescape((folder / "b.html").read_text())
    run("report", "sample", "--split", "by-time", "--folds", "3", "-o", "c.html", code=2)


def test_separate_test_rows_are_in_the_reproduction_command(folder: Path) -> None:
    ratings = load_dataset("sample")
    for name, rows in (("train.csv", slice(0, 500)), ("test.csv", slice(450, 700))):
        part = ratings[rows]
        lines = [
            f"{u},{i},{v}" for u, i, v in zip(part.user_ids, part.item_ids, part.value.tolist(), strict=True)
        ]
        (folder / name).write_text("\n".join(["user,item,rating", *lines]))
    parts = ("--train", "train.csv", "--test", "test.csv", "--overlap", "drop_from_test", "--warm-only")
    run("compare", *parts, *MODELS, "--metrics", "rmse,rmse_per_user", "--no-memory", "--html", "r.html")
    page = unescape((folder / "r.html").read_text())
    (made,) = re.findall(r"results = compare\(ratings, \[[^\]]*\], (.*)\)", page)
    assert made == (
        "test=test, metrics=['rmse', 'rmse_per_user'], overlap=\"drop_from_test\", warm_only=True"
    )
