"""The HTTP API: responses, envelope, and immediate effect of ratings."""

from __future__ import annotations

import io
import json
import logging
import time

import numpy as np
import pytest

from foretaste.persistence import load
from foretaste.ratings import Ratings
from foretaste.recommendation import recommend
from foretaste.recommendation.ann_index import ItemIndex
from foretaste.service.middleware.access_log import JsonFormatter
from foretaste.service.response_cache import cache_version_nowait


def test_health_and_readiness_need_no_key(client):
    assert client.get("/health", key=None) == {"state": "alive", "model_id": None}
    assert client.get("/ready", key=None) == {"state": "ready", "model_id": 1}


def test_recommendations_equal_the_model_on_current_ratings(client, service_folder, ratings):
    model = load(next((service_folder / "models").iterdir()))
    rows = ratings.user_ids == 41
    mine = ratings[np.flatnonzero(rows)]
    wanted = recommend(model.fold_in(mine), 41, 4, exclude=mine)
    found = client.get("/recommendations?user=41&n=4")
    assert [one["item"] for one in found["items"]] == wanted.ids.tolist()
    assert np.float32([one["prediction"] for one in found["items"]]).tolist() == wanted.scores.tolist()
    assert (found["user"], found["model_id"], found["n_ratings_used"]) == (41, 1, int(rows.sum()))


def test_rating_changes_recommendations_at_once(client):
    before = client.get("/recommendations?user=41")["items"]
    first = before[0]["item"]
    kept = client.rate(41, first, -8.0)
    assert kept == {"user": 41, "item": first, "value": -8.0, "created": True, "changed": True}
    after = client.get("/recommendations?user=41")["items"]
    assert first not in [one["item"] for one in after]
    assert [one["prediction"] for one in after] != [one["prediction"] for one in before[1:]]
    assert client.call("DELETE", f"/ratings?user=41&item={first}") == {"deleted": True}
    assert client.get("/recommendations?user=41")["items"] == before
    assert client.call("DELETE", f"/ratings?user=41&item={first}") == {"deleted": False}


def test_rating_is_visible_to_other_workers_at_once(make_client):
    one, other = make_client(), make_client()
    before = other.get("/recommendations?user=41")["items"]
    one.rate(41, before[0]["item"], 8.0)
    assert other.get("/recommendations?user=41") == one.get("/recommendations?user=41")
    assert other.get("/recommendations?user=41")["items"] != before
    one.call("DELETE", "/users?user=41")
    assert other.get("/recommendations?user=41")["basis"] == "what most people like"


def test_put_rating_is_idempotent(client):
    client.rate(10_001, 5, 2.5)
    first = client.get("/ratings?user=10001")
    again = client.rate(10_001, 5, 2.5)
    assert (again["created"], again["changed"]) == (False, False)
    assert client.get("/ratings?user=10001") == first
    assert client.rate(10_001, 5, 3.5)["changed"]
    assert [one["value"] for one in client.get("/ratings?user=10001")["ratings"]] == [3.5]


def test_shown_prediction_is_stored(client):
    given = {"user": 10_001, "item": 5, "value": 2.5, "shown_prediction": 1.25}
    client.call("PUT", "/ratings", json=given)
    assert client.get("/ratings?user=10001")["ratings"][0]["shown_prediction"] == 1.25
    client.rate(10_001, 5, 2.5)  # the same again, which changes nothing
    assert client.get("/ratings?user=10001")["ratings"][0]["shown_prediction"] == 1.25
    client.rate(10_001, 5, 3.0)
    assert client.get("/ratings?user=10001")["ratings"][0]["shown_prediction"] is None
    for wrong in ("1.25", True, [1.25]):
        client.call_error("PUT", "/ratings", 422, json=given | {"shown_prediction": wrong})


def test_ratings_are_paged(client, ratings):
    own = sorted(str(item) for item in ratings.item_ids[ratings.user_ids == 41])
    found, after = [], ""
    while after is not None:
        page = client.get(f"/ratings?user=41&limit=3&after={after}")
        assert len(page["ratings"]) <= 3
        found += [str(one["item"]) for one in page["ratings"]]
        after = page["next"]
    assert found == own


def test_items_are_searched_and_paged(client, ratings):
    every = client.get("/items?limit=1000")
    assert [one["item"] for one in every["items"]] == ratings.items.ids.tolist()
    assert every["next"] is None
    first = client.get("/items?limit=2")
    second = client.get(f"/items?limit=2&after={first['next']}")
    assert [one["item"] for one in first["items"] + second["items"]] == ratings.items.ids[:4].tolist()
    assert {"item": 11, "title": None} in client.get("/items?search=11")["items"]
    assert client.get("/items?search=nothing")["items"] == []


def test_predictions_state_their_basis(client):
    asked = {"user": "10001", "items": [5, "7"]}
    found = client.call("POST", "/predictions", json=asked)
    assert (found["user"], found["basis"], found["n_ratings_used"]) == (10001, "what most people like", 0)
    assert [one["item"] for one in found["items"]] == [5, 7]
    client.rate(10_001, 5, 8)
    found = client.call("POST", "/predictions", json=asked)
    assert (found["basis"], found["n_ratings_used"]) == ("your ratings", 1)


def test_similar_items_endpoint(client):
    found = client.get("/similar?item=5&n=3")
    assert len(found["items"]) == 3
    values = [one["similarity"] for one in found["items"]]
    assert values == sorted(values, reverse=True)
    client.call_error("GET", "/similar?item=999", 404)


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "words"),
    [
        ("PUT", "/ratings", {"user": 1, "item": 5, "value": 99}, 422, "-8 to 8"),
        ("PUT", "/ratings", {"user": 1, "item": 999, "value": 1}, 404, "no such item"),
        ("PUT", "/ratings", {"user": "Ω", "item": 5, "value": 1}, 422, "integers"),
        ("PUT", "/ratings", {"user": True, "item": 5, "value": 1}, 422, "body.user"),
        ("PUT", "/ratings", {"user": 1.5, "item": 5, "value": 1}, 422, "body.user"),
        ("PUT", "/ratings", {"user": 10**30, "item": 5, "value": 1}, 422, "body.user"),
        ("PUT", "/ratings", {"user": 1, "item": 5, "value": "3"}, 422, "body.value"),
        ("PUT", "/ratings", {"user": 1, "item": 5, "value": None}, 422, "body.value"),
        ("PUT", "/ratings", {"user": 1, "item": 5, "value": 1, "more": 1}, 422, "body.more"),
        ("PUT", "/ratings", [1, 2], 422, "body"),
        ("POST", "/predictions", {"user": 1, "items": []}, 422, "body.items"),
        ("POST", "/predictions", {"user": 1, "items": [5] * 1001}, 422, "body.items"),
        ("POST", "/predictions", {"user": 1, "items": [999]}, 404, "'999'"),
        ("GET", "/recommendations", None, 422, "query.user"),
        ("GET", "/recommendations?user=1&n=0", None, 422, "query.n"),
        ("GET", "/recommendations?user=1&n=1e9", None, 422, "query.n"),
        ("GET", "/items?limit=1001", None, 422, "query.limit"),
        ("GET", "/nothing", None, 404, "Not Found"),
        ("GET", "/items/", None, 404, "Not Found"),
        ("PATCH", "/ratings", None, 405, "Not Allowed"),
        ("GET", "/jobs/99", None, 404, "no job 99"),
        ("GET", "/jobs/x", None, 422, "path.job_id"),
        ("POST", "/models/99/activate", None, 404, "no model 99"),
        ("POST", "/models/rollback", None, 409, "no previous model"),
        ("DELETE", "/models/1", None, 409, "active"),
        ("POST", "/jobs", {"model": "SVDD"}, 422, 'did you mean "SVD"'),
        ("POST", "/jobs", {"model": "SVD", "params": {"factors": -1}}, 422, "factors=-1"),
        ("POST", "/jobs", {"params": {"factors": 3}}, 422, "without a model"),
        ("POST", "/keys", {"name": "a\nb", "role": "read"}, 422, "one line"),
        ("POST", "/keys", {"name": "a", "role": "owner"}, 422, "body.role"),
    ],
)
def test_invalid_requests_are_refused_with_a_reason(client, method, path, body, status, words):
    error = client.call_error(method, path, status, **({} if body is None else {"json": body}))
    assert words in error["message"]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b'{"user": 1, "item": 5, "value": NaN}', 422),
        (b'{"user": 1, "item": 5, "value": Infinity}', 422),
        (b'{"user": 1, "item": 5, "value": 1e999}', 422),
        (b'{"user": "\\ud800", "item": 5, "value": 1}', 422),
        (b"\xff\xfe{", 400),
        (b"[" * 60_000, 400),
        (b'{"user": ' * 5_000, 400),
        (b"", 422),
        (b"{", 422),
    ],
)
def test_malformed_bodies_are_refused(client, body, status):
    response = client.request("PUT", "/ratings", content=body, headers={"Content-Type": "application/json"})
    assert response.status_code in {status, 422, 400}
    assert response.json()["ok"] is False


@pytest.mark.parametrize(
    "text", ["Robert'); DROP TABLE ratings;--", '" OR ""="', "%", "_", "\\", "../../etc/passwd", "${jndi:x}"]
)
def test_sql_and_paths_in_parameters_are_plain_text(client, ratings, text):
    count = len(client.get("/ratings?user=41&limit=1000")["ratings"])
    for path in ("/recommendations", "/ratings", "/users"):
        client.call_error("GET", path, 422, params={"user": text})
    client.call_error("GET", "/similar", 422, params={"item": text})
    client.call_error("DELETE", "/ratings", 422, params={"user": "41", "item": text})
    client.call_error("PUT", "/ratings", 422, json={"user": text, "item": 5, "value": 1})
    client.call("GET", "/items", params={"search": text})
    assert len(client.get("/ratings?user=41&limit=1000")["ratings"]) == count


def test_text_ids_with_special_characters(service_folder, make_client, tmp_path, key):
    from service_fixtures import prepare_service

    from foretaste.service.settings import Settings

    odd = ["007", "a/b?c=d&e#f", "Ω ünï ", "👩‍👩‍👧", "'; DROP TABLE items;--", "..", "%2F", " x"]
    rng = np.random.default_rng(0)
    user, item = np.repeat(np.arange(40), 8), np.tile(np.arange(8), 40)
    keep = rng.random(320) < 0.8
    value = rng.normal(size=(40, 1)) + 2 * rng.normal(size=(1, 8)) + np.zeros((40, 8))
    given = Ratings.from_columns(
        [f"u{u}" for u in user[keep]], [odd[i] for i in item[keep]], np.clip(value.ravel()[keep], -4, 4)
    )
    texts = prepare_service(Settings(str(tmp_path / "texts")), given)
    client = make_client(folder=str(tmp_path / "texts"))
    client.key = texts
    for id_ in odd:
        assert client.rate(id_, id_, 1.0)["item"] == id_
        listed = client.call("GET", "/ratings", params={"user": id_})
        assert (listed["user"], listed["ratings"][0]["item"]) == (id_, id_)
        assert client.call("GET", "/recommendations", params={"user": id_})["basis"] == "your ratings"
        assert client.call("DELETE", "/ratings", params={"user": id_, "item": id_}) == {"deleted": True}


def test_explanations_endpoint(client):
    first = client.get("/recommendations?user=41")["items"][0]
    found = client.get(f"/explanations?user=41&item={first['item']}")
    assert found["prediction"] == pytest.approx(first["prediction"], abs=1e-5)
    assert sum(part["value"] for part in found["parts"]) == pytest.approx(found["prediction"], abs=1e-4)
    shares = sum(one["contribution"] for one in found["reasons"]) + found["residual"]
    assert shares == pytest.approx(
        next(p["value"] for p in found["parts"] if p["name"] == found["main_part"])
    )
    assert {one["item"] for one in found["reasons"]} <= {
        one["item"] for one in client.get("/ratings?user=41&limit=1000")["ratings"]
    }
    client.call_error("GET", "/explanations?user=10001&item=5", 404)
    client.call_error("GET", "/explanations?user=41&item=999", 404)


def test_next_item_and_ratings_alternate(client, ratings):
    asked = []
    for number in range(4):
        found = client.get("/next-item?user=10001")
        assert found["n_answered"] == number
        assert found["item"] not in asked
        asked.append(found["item"])
        client.rate(10_001, found["item"], 5.0)
    assert client.get("/recommendations?user=10001")["n_ratings_used"] == 4
    skipped = client.get(
        "/next-item", params={"user": "10001", "skip": [client.get("/next-item?user=10001")["item"]]}
    )
    assert skipped["item"] != client.get("/next-item?user=10001")["item"]
    every = {"user": "10001", "skip": [str(item) for item in ratings.items.ids]}
    client.call_error("GET", "/next-item", 404, params=every)


# Data of one user ------------------------------------------------------------------------------------


def test_export_and_deletion_of_a_user(client, service_folder, ratings):
    count = int((ratings.user_ids == 41).sum())
    client.get("/recommendations?user=41")
    exported = client.get("/users?user=41")
    assert (exported["user"], len(exported["ratings"]), exported["model_ids"]) == (41, count, [1])
    assert client.call("DELETE", "/users?user=41") == {"n_ratings": count, "model_ids": [1]}
    assert client.get("/users?user=41")["ratings"] == []
    assert client.get("/recommendations?user=41")["basis"] == "what most people like"
    job = client.finished_job(client.call("POST", "/jobs", json={})["id"])
    assert client.call("DELETE", "/users?user=41")["model_ids"] == [1]
    assert client.call("DELETE", "/models/1") == {"deleted": True}
    assert client.get("/users?user=41")["model_ids"] == []
    assert [kept["id"] for kept in client.get("/models")] == [job["model_id"]]
    assert len(list((service_folder / "models").iterdir())) == 1


def test_logs_hold_no_personal_data(client):
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonFormatter())
    log = logging.getLogger("foretaste.service")
    log.addHandler(handler)
    before = log.level
    log.setLevel(logging.INFO)
    try:
        client.get("/recommendations?user=41")
        client.rate(987_654_321, 5, 2.25)
        client.call_error("GET", "/recommendations?user=Waldemar", 422)
        client.call_error("GET", "/Waldemar", 404)
        client.call_error("GET", "/recommendations?user=41", 401, key="Waldemar")
    finally:
        log.removeHandler(handler)
        log.setLevel(before)
    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert [line["status"] for line in lines] == [200, 200, 422, 404, 401]
    assert lines[0]["route"] == "/api/v1/recommendations"
    for word in ("41", "987654321", "2.25", "Waldemar", client.key, "testclient", "127.0.0.1"):
        body = [{**line, "time": "", "ms": 0, "request_id": "", "process": 0} for line in lines]
        for line in body:
            line.pop("status")
        assert word not in json.dumps(body)


def test_prometheus_metrics(client):
    client.get("/recommendations?user=41")
    client.rate(41, 5, 8.0)
    text = client.request("GET", "/metrics").text
    assert 'foretaste_requests_total{method="GET",route="/api/v1/recommendations",status="200"} 1.0' in text
    assert "foretaste_ratings_written_total 1.0" in text
    assert "foretaste_model 1" in text


@pytest.mark.peer
def test_ann_index_is_used_above_the_item_limit(make_client, monkeypatch):
    pytest.importorskip("faiss", reason='needs pip install "foretaste[index]"')
    client, other = make_client(), make_client(max_exact_items=39)
    wanted = client.get("/recommendations?user=41")
    assert other.get("/recommendations?user=11")["items"]
    end = time.monotonic() + 30
    while other.active_model().index is None and time.monotonic() < end:
        time.sleep(0.02)
    asked, best = [], ItemIndex.topk
    monkeypatch.setattr(ItemIndex, "topk", lambda *given: asked.append(given) or best(*given))
    assert other.get("/recommendations?user=41") == wanted
    assert len(asked) == 1
    assert client.get("/recommendations?user=11")["items"]  # forty items are not more than the usual limit
    assert client.active_model().index is None
    assert other.get("/recommendations?user=10001")["basis"] == "what most people like"


def test_cached_list_is_served_only_while_nothing_changed(make_client):
    """The quick way, without SQLAlchemy, sees what others have written and activated."""
    client, other = make_client(), make_client()
    app_state = client.inner.app.state.app_state

    def cached(user, n):
        return app_state.responses.lookup(
            user, n, lambda user: cache_version_nowait(app_state.database, user)
        )

    client.get("/recommendations?user=41&n=3")
    body = cached("41", 3)
    assert json.loads(body)["data"] == client.get("/recommendations?user=41&n=3")
    assert cached("41", 4) is None
    assert cached("11", 3) is None
    first = json.loads(body)["data"]["items"][0]["item"]
    other.rate(11, 5, 1.0)
    assert cached("41", 3) == body
    other.rate(41, first, 1.0)
    assert cached("41", 3) is None
    client.get("/recommendations?user=41&n=3")
    assert cached("41", 3) not in (None, body)
    other.call("DELETE", "/users?user=14")
    assert cached("41", 3) is None
    client.get("/recommendations?user=41&n=3")
    other.finished_job(other.call("POST", "/jobs", json={})["id"])
    assert cached("41", 3) is None
    assert client.get("/recommendations?user=41&n=3")["model_id"] == 2
