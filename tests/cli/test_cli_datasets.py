"""The command ``datasets``, and datasets by name in every command that reads ratings."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from click.testing import CliRunner, Result
from dataset_archives import csv_members, write_archive

from foretaste import datasets
from foretaste.cli import cli
from foretaste.errors import DownloadError

SMALL = "movielens-latest-small"


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """Work in an empty folder; nothing is fetched yet, and a mirror holds one small archive."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FORETASTE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("FORETASTE_MIRROR", str(tmp_path / "mirror"))
    made = write_archive(tmp_path / "made", SMALL, csv_members("ml-latest-small", rows(), films()))
    Path("mirror").mkdir()
    made.rename(Path("mirror") / made.name)
    return tmp_path


def films() -> list[tuple[int, str, str]]:
    return [(n, f"Film, the {n} ({1950 + n})", "Comedy" if n % 2 else "Drama|War") for n in range(1, 21)]


def rows() -> list[tuple[int, int, float, int]]:
    rng = np.random.default_rng(0)
    taste, kind = rng.normal(size=(40, 1)), rng.normal(size=(1, 20))
    full = np.clip(np.round(6 + 2 * taste + 2 * kind) / 2, 0.5, 5)
    user, film = np.nonzero(rng.random(full.shape) < 0.6)
    return [
        (u + 1, f + 1, float(full[u, f]), 1000 + u) for u, f in zip(user.tolist(), film.tolist(), strict=True)
    ]


def run(*args: str, code: int = 0) -> Result:
    result = CliRunner().invoke(cli, args)
    assert result.exit_code == code, result.output
    return result


def data(*args: str):
    return json.loads(run(*args, "--json").stdout)["data"]


# list, fetch, path ---------------------------------------------------------------------------------------


def test_list_shows_every_dataset_and_its_download_status():
    lines = run("datasets", "list").stdout.splitlines()
    assert lines[0].split() == [
        "name",
        "ratings",
        "users",
        "items",
        "scale",
        "downloaded",
        "license",
    ]
    here = {
        line.split()[0]: line.partition(" to ")[2].split()[1] for line in lines[2 : 2 + len(datasets.names())]
    }
    assert here == {name: "yes" if name == "sample" else "no" for name in datasets.names()}
    assert any(line.startswith(SMALL) and "about 100,836" in line for line in lines)
    run("datasets", "fetch", SMALL)
    assert {e["name"] for e in data("datasets", "list") if e["downloaded"]} == {"sample", SMALL}


def test_list_json_has_every_field():
    found = {entry["name"]: entry for entry in data("datasets", "list")}
    assert list(found) == list(datasets.names())
    entry = found["jester-2"]
    assert (entry["ratings"], entry["scale"], entry["is_verified"]) == (1_761_439, [-10, 10], False)
    assert entry["archives"][0]["sha256"] == datasets.info("jester-2").archives[0].sha256
    assert entry["citation"].startswith("Ken Goldberg")


def test_fetch_prints_path_and_license(folder):
    result = run("datasets", "fetch", SMALL)
    place = folder / "cache" / "datasets" / SMALL
    assert f"{SMALL} is in {place}" in result.stdout
    assert "ml-latest-small.zip" in result.stdout
    assert f"foretaste compare {SMALL}" in result.stdout
    assert f"note: {SMALL}: Research use with acknowledgement" in result.stderr
    again = run("datasets", "fetch", SMALL)
    assert again.stdout == result.stdout
    assert again.stderr == ""
    found = data("datasets", "fetch", SMALL)
    size = (place / "ml-latest-small.zip").stat().st_size
    assert found["folder"] == str(place)
    assert found["files"] == [{"file": "ml-latest-small.zip", "bytes": size}]
    assert run("datasets", "path", SMALL).stdout == f"{place}\n"
    assert data("datasets", "path", SMALL) == {"name": SMALL, "folder": str(place)}


def test_quiet_prints_nothing_to_stderr(folder):
    assert run("datasets", "fetch", SMALL, "-q").stderr == ""


def test_sample_needs_no_download(folder):
    assert "bundled with foretaste" in run("datasets", "fetch", "sample").stdout
    assert (Path(run("datasets", "path", "sample").stdout.strip()) / "sample_items.csv").is_file()


WRONG = [
    ("datasets path jester-1", 4, "not_found", "is not downloaded", "datasets fetch jester-1"),
    ("datasets fetch jester-1", 4, "not_found", "has no jester_dataset_1_1.zip", "copy it there"),
    (
        "datasets fetch jester1",
        4,
        "not_found",
        'did you mean "jester-1"?',
        "foretaste datasets fetch jester-1",
    ),
    ("datasets lst", 2, "usage", 'no command "lst"; did you mean "list"?', "foretaste datasets list"),
    ("compare jester2", 4, "not_found", 'of this name; did you mean "jester-2"?', "compare jester-2"),
    (f"compare {SMALL} --header", 2, "invalid_parameter", "--header applies to files", f"./{SMALL}"),
    (f"compare {SMALL} --scale 1,5", 2, "invalid_parameter", "declares its scale, 0.5 to 5", "no --scale"),
    (
        f"compare {SMALL} --where rating>9",
        3,
        "bad_data",
        "condition 'rating>9'",
        "a wider condition",
    ),
    (f"compare {SMALL} --where genre=1", 2, "invalid_parameter", 'no column "genre"', ""),
    (f"similar {SMALL} --item 99", 4, "not_found", "item '99' is unknown", ""),
    (f"similar {SMALL} --item 1 --items -", 2, "invalid_parameter", "or the name of a data set", ""),
]


@pytest.mark.parametrize(("line", "code", "kind", "message", "hint"), WRONG, ids=[line for line, *_ in WRONG])
def test_mistakes_have_hints(line, code, kind, message, hint):
    result = run(*line.split(), code=code)
    assert result.stdout == ""
    error = result.stderr[result.stderr.index("error: ") :]
    assert message in error
    assert hint in error
    found = json.loads(run(*line.split(), "--json", code=code).stdout)["error"]
    assert found["code"] == kind


def test_network_failure_has_its_own_exit_code(monkeypatch):
    def nothing(*_, **__):
        raise DownloadError("no network", hint="FORETASTE_MIRROR")

    monkeypatch.setattr(datasets, "fetch_archives", nothing)
    result = run("compare", SMALL, "--json", code=4)
    assert json.loads(result.stdout)["error"]["code"] == "not_fetched"


# By name in other commands -------------------------------------------------------------------------------


def test_compare_downloads_and_applies_where():
    args = ["compare", SMALL, "--models", "Bias", "--no-memory", "--where", "userId <= 20 AND movieId > 2"]
    found = data(*args)["dataset"]
    assert found["name"] == SMALL
    assert found["ratings"] == sum(user <= 20 and film > 2 for user, film, *_ in rows())


def test_fit_and_evaluate_on_a_named_dataset():
    run("fit", "Bias", SMALL, "-o", "bias.foretaste")
    found = data("evaluate", "bias.foretaste", SMALL)
    assert found["same_rows_as_training"]
    assert found["rows"] == len(rows())


def test_audit_accepts_a_dataset_name():
    found = data("audit", SMALL)
    assert found["name"] == SMALL
    assert found["summary"]["ratings"] == len(datasets.load(SMALL))


def test_similar_shows_titles_by_default():
    found = data("similar", SMALL, "--item", "3", "-n", "2")
    assert found["title"] == "Film, the 3 (1953)"
    assert all(row["title"] == f"Film, the {row['item']} ({1950 + row['item']})" for row in found["similar"])
    run("fit", "SVD", SMALL, "-o", "svd.foretaste", "--epochs", "2")
    found = data("similar", "svd.foretaste", "--item", "3", "--items", SMALL)
    assert found["similar"][0]["title"].startswith("Film, the")


def test_similar_works_without_titles(monkeypatch):
    run("datasets", "fetch", SMALL)

    def nothing(*_, **__):
        raise DownloadError("the server of the titles is gone")

    monkeypatch.setattr(datasets, "load_items", nothing)
    result = run("similar", SMALL, "--item", "3")
    assert "warning: no titles: the server of the titles is gone" in result.stderr
    assert "most similar to item 3" in result.stdout


def test_data_prints_any_dataset():
    table = pl.read_csv(io.StringIO(run("data", SMALL).stdout))
    assert table.columns == ["userId", "movieId", "rating", "timestamp"]
    assert table.rows() == rows()
    titles = pl.read_csv(
        io.StringIO(run("data", SMALL, "--items").stdout), schema_overrides={"year": pl.String}
    )
    assert titles.columns == ["item", "title", "year", "genres", "imdbId", "tmdbId"]
    assert titles["title"].to_list() == [title for _, title, _ in films()]
    columns = data("data", SMALL)["columns"]
    assert columns["movieId"] == [film for _, film, *_ in rows()]
    assert data("data", SMALL, "--items")["columns"]["year"][0] == "1951"


@pytest.mark.parametrize("name", ["sample", SMALL])
def test_file_with_a_dataset_name_is_logged(name):
    Path(name).write_text("userId,movieId,rating\n1,2,3\n")
    result = run("compare", name, "--models", "Bias", "--no-memory")
    assert f"note: {name} is the" in result.stderr
    assert f"(the file here is ./{name})" in result.stderr


def test_scale_option_for_datasets_without_a_scale(folder, monkeypatch):
    pytest.importorskip("python_calamine", reason='needs pip install "foretaste[test]"')
    pytest.importorskip("openpyxl", reason='needs pip install "foretaste[test]"')
    from dataset_archives import add_count_column, make_workbook

    whole = np.full((30, 158), np.nan)
    whole[:, :6] = np.random.default_rng(0).uniform(-10, 10, (30, 6))
    whole[3, 4] = 20.0
    write_archive(folder / "cache", "jester-4", {"ratings.xlsx": make_workbook(add_count_column(whole))})
    args = ["compare", "jester-4", "--models", "Bias", "--no-memory", "--metrics", "nmae"]
    refused = run(*args, "--scale=-10,10", code=3)
    assert "1 ratings lie outside the declared scale -10 to 10" in refused.stderr
    assert "1 ratings lie outside the published scale" in refused.stderr
    hint = refused.stderr.partition("(override: --where '")[2].partition("')")[0]
    assert hint == "rating >= -10 AND rating <= 10"
    assert "nmae" in data(*args, "--where", hint, "--scale=-10,10")["results"][0]
