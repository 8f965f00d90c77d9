"""The walks of ``docs/how-it-works.md`` name the files that calls pass, all of them and in their order."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from call_paths import files_entered
from service_fixtures import Client, prepare_service
from starlette.testclient import TestClient

from foretaste import compare, load_dataset, read_ratings, recommend
from foretaste.models import SVD
from foretaste.service.app import create_app
from foretaste.service.settings import Settings

PAGE = Path(__file__).parents[2] / "docs" / "how-it-works.md"


def documented_files(title: str, request_line: str = "") -> list[str]:
    """Return the files that a walk names, in its order."""
    text = PAGE.read_text(encoding="utf-8").split(f"### {title}\n")[1].split("\n## ")[0].split("\n### ")[0]
    if request_line:
        text = text.split(f"`{request_line}`")[1].split("\n`GET ")[0]
    return re.findall(r"`([\w/]+\.py)`", text)


def test_files_from_csv_to_comparison(tmp_path):
    ratings = load_dataset("sample")
    rows = zip(ratings.user_ids, ratings.item_ids, ratings.value, strict=True)
    text = "user,item,rating\n" + "".join(f"{user},{item},{value}\n" for user, item, value in rows)
    (tmp_path / "ratings.csv").write_text(text)

    def run():
        return str(compare(read_ratings(tmp_path / "ratings.csv"), ["Bias", "SVD"]))

    run()  # modules are imported now
    assert files_entered(run) == documented_files("From a CSV file to a comparison")


def test_files_from_ratings_to_recommendations():
    ratings = load_dataset("sample")
    model, user = SVD(epochs=3).fit(ratings), int(ratings.user_ids[0])

    def run():
        return str(recommend(model, [user], exclude=ratings))

    run()
    assert files_entered(run) == documented_files("From ratings to recommendations")


@pytest.fixture
def make_worker(tmp_path):
    """Return a function that makes a client of a new worker of one service."""
    settings = Settings(str(tmp_path / "service"), rate_limit="")
    key = prepare_service(settings, load_dataset("sample"))

    def make():
        client = Client(TestClient(create_app(settings), base_url="http://127.0.0.1"), key)
        client.get("/health")  # the middleware is built by the first request
        return client

    return make


def test_files_from_http_rating_to_changed_recommendation(make_worker):
    ratings = load_dataset("sample")
    user, item = int(ratings.user_ids[0]), int(ratings.item_ids[3])
    title, path = "From a rating over HTTP to a changed recommendation", f"/recommendations?user={user}"
    client = make_worker()
    before = client.get(path)
    client.rate(user, item, 1.0)
    client = make_worker()
    answers = []
    put = files_entered(lambda: client.rate(user, item, 5.0))
    get = files_entered(lambda: answers.append(client.get(path)))
    assert put == documented_files(title, "PUT /api/v1/ratings")
    assert get == documented_files(title, "GET /api/v1/recommendations")
    assert answers[0]["items"] != before["items"]
