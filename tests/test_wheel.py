"""The built wheel in an empty environment, from a ratings file to recommendations and to a service."""

from __future__ import annotations

import http.client
import json
import os
import re
import shlex
import subprocess
import venv
from pathlib import Path

import pytest

from foretaste import load_dataset

ROOT = Path(__file__).parents[1]
WHEELS = sorted((ROOT / ".venv" / "wheel").glob("foretaste-*.whl"))

pytestmark = [
    pytest.mark.nightly,
    pytest.mark.skipif(not WHEELS, reason="make demo builds the wheel that this test installs"),
]


@pytest.fixture(scope="module")
def installation(tmp_path_factory):
    """Return the scripts of an environment that holds the wheel and what it depends on, and nothing else."""
    folder = tmp_path_factory.mktemp("wheel")
    venv.create(folder / "venv", with_pip=True)
    scripts = folder / "venv" / "bin"
    install = [scripts / "pip", "install", "--quiet", "--disable-pip-version-check", f"{WHEELS[-1]}[serve]"]
    subprocess.run(install, check=True, cwd=folder)
    return scripts


@pytest.fixture(scope="module")
def ratings_file(tmp_path_factory):
    """Return a CSV file with a header."""
    ratings = load_dataset("sample")
    path = tmp_path_factory.mktemp("ratings") / "ratings.csv"
    rows = zip(ratings.user_ids, ratings.item_ids, ratings.value, strict=True)
    path.write_text("user,item,rating\n" + "".join(f"{user},{item},{value}\n" for user, item, value in rows))
    return path


def run(installation, folder, *arguments):
    """Run the installed command in a folder, without this checkout in sight, and return its JSON."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    command = [installation / "foretaste", *map(str, arguments), "--json"]
    result = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr + result.stdout
    answer = json.loads(result.stdout)
    assert answer["ok"] is True
    return answer["data"]


def test_file_to_recommendations(installation, ratings_file, tmp_path):
    comparison = run(installation, tmp_path, "compare", ratings_file)
    scores = {row["model"]: row["rmse"] for row in comparison["results"] if "rmse" in row}
    assert scores["SVD"] < scores["GlobalMean"]
    assert any(row.get("peak_memory_mb", 0) > 0 for row in comparison["results"])
    run(installation, tmp_path, "fit", "SVD", ratings_file, "-o", "svd.foretaste")
    program = (
        "import sys, foretaste as ft\n"
        f"ratings = ft.read_ratings({str(ratings_file)!r})\n"
        "model = ft.load('svd.foretaste')\n"
        "lists = ft.recommend(model, [ratings.user_ids[0]], n=3, exclude=ratings)\n"
        "assert abs(ft.rmse(ratings.value, model.predict(ratings))) < ratings.value.std()\n"
        "print(int(ratings.user_ids[0]), *[int(item) for item in lists.ids])\n"
    )
    python = [installation / "python", "-I", "-c", program]
    user, *items = subprocess.run(
        python, cwd=tmp_path, capture_output=True, text=True, check=True
    ).stdout.split()
    assert len(set(items)) == 3
    options = ["--user", user, "--n", 3, "--exclude", ratings_file]
    found = run(installation, tmp_path, "recommend", "svd.foretaste", *options)
    assert items == re.findall(r'"item": (\d+)', json.dumps(found))


def test_printed_fix_of_a_repeated_row_runs(installation, ratings_file, tmp_path):
    lines = ratings_file.read_text().splitlines()
    (tmp_path / "repeated.csv").write_text("\n".join([*lines, lines[1]]) + "\n")
    refused = subprocess.run(
        [installation / "foretaste", "fit", "Bias", "repeated.csv", "-o", "bias.foretaste"],
        cwd=tmp_path, capture_output=True, text=True,
    )  # fmt: skip
    assert refused.returncode == 3
    fix = re.search(r"^try: foretaste (.*--duplicates last)$", refused.stderr, re.MULTILINE)
    assert fix, refused.stderr
    run(installation, tmp_path, *shlex.split(fix[1]))
    assert run(installation, tmp_path, "show", "bias.foretaste")["model"] == "Bias"


def test_file_to_service(installation, ratings_file, tmp_path):
    environment = {name: value for name, value in os.environ.items() if not name.startswith("FORETASTE_")}
    environment.pop("PYTHONPATH", None)
    command = [installation / "foretaste", "serve", str(ratings_file), "--port", "0", "--folder", "service"]
    with subprocess.Popen(
        command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as service:
        try:
            lines, address = [], None
            for line in service.stdout:
                lines.append(line)
                address = address or re.search(r"http://127\.0\.0\.1:\d+", line)
                if address:
                    break
            assert address, "".join(lines)
            key = (tmp_path / "service" / "admin.key").read_text().strip()
            connection = http.client.HTTPConnection(
                "127.0.0.1", int(address[0].rsplit(":", 1)[1]), timeout=60
            )
            user = ratings_file.read_text().splitlines()[1].split(",")[0]
            path = f"/api/v1/recommendations?user={user}&n=3"
            connection.request("GET", path, headers={"Authorization": f"Bearer {key}"})
            answer = json.load(connection.getresponse())
            assert answer["ok"] is True
            assert len({row["item"] for row in answer["data"]["items"]}) == 3
            connection.request("GET", "/")
            assert b"<form" in connection.getresponse().read()
            connection.close()
        finally:
            service.terminate()
            service.wait(30)
