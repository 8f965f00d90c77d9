"""Models through the API: upload, activation, rollback, background training."""

from __future__ import annotations

import time

import numpy as np
import pytest

from foretaste.models import SVD, Bias
from foretaste.persistence import save


def test_training_ignores_ratings_with_a_shown_prediction(client, ratings):
    for item in (5, 7):
        given = {"user": 10_001, "item": item, "value": 8.0, "shown_prediction": 7.5}
        client.call("PUT", "/ratings", json=given)
    assert client.get("/recommendations?user=10001")["n_ratings_used"] == 2  # their own answers rest on them
    bias = {"model": "Bias"}
    job = client.finished_job(client.call("POST", "/jobs", json=bias)["id"])
    assert job["note"].endswith("excluded from training, as their predictions were shown: 2")
    kept = client.get("/models")[0]
    assert (kept["id"], kept["n_ratings"]) == (job["model_id"], len(ratings))
    assert client.get("/users?user=10001")["model_ids"] == []
    client.rate(10_001, 5, 7.0)
    job = client.finished_job(client.call("POST", "/jobs", json=bias)["id"])
    assert client.get("/models")[0]["n_ratings"] == len(ratings) + 1
    assert client.get("/users?user=10001")["model_ids"] == [job["model_id"]]


def upload(client, data, **headers):
    return client.request(
        "POST", "/models", content=data, headers={"Content-Type": "application/octet-stream"} | headers
    )


def test_upload_activate_and_roll_back(client, service_folder, ratings, tmp_path):
    model = Bias().fit(ratings)
    save(model, tmp_path / "bias.foretaste")
    response = upload(client, (tmp_path / "bias.foretaste").read_bytes())
    assert response.status_code == 201
    kept = response.json()["data"]
    assert (kept["id"], kept["model"], kept["is_active"], kept["origin"]) == (2, "Bias", False, "uploaded")
    assert kept["checks"]["rmse"] < kept["checks"]["rmse_global_mean"]
    assert client.get("/recommendations?user=41")["model_id"] == 1
    assert client.call("POST", "/models/2/activate")["is_active"]
    found = client.call("POST", "/predictions", json={"user": 41, "items": [5]})
    assert found["model_id"] == 2
    assert np.float32(found["items"][0]["prediction"]) == model.predict([(41, 5)])[0]
    assert client.call("POST", "/models/rollback")["id"] == 1
    assert client.get("/recommendations?user=41")["model_id"] == 1
    client.call_error("POST", "/models/rollback", 409)


@pytest.mark.parametrize("name", ["numbers", "texts", "blend"])
def test_refused_uploads_leave_nothing(client, service_folder, model_bytes, name):
    data = model_bytes[name]
    before = sorted((service_folder / "models").iterdir())
    hostile = {
        "empty": b"", "pickle": b"\x80\x04cos\nsystem\n(S'id'\ntR.", "cut": data[: len(data) // 2],
        "longer": data + b"x", "huge header": (2**40).to_bytes(8, "little") + data[8:],
        "other": data.replace(b"Bias", b"Bios").replace(b"Blend", b"Blond"),
    }  # fmt: skip
    if name == "texts":
        hostile["of other ids"] = data
    for what, bytes_ in hostile.items():
        response = upload(client, bytes_)
        assert response.status_code == 422, what
        assert str(service_folder) not in response.text
        assert "model-" not in response.text
    assert sorted((service_folder / "models").iterdir()) == before
    assert [kept["id"] for kept in client.get("/models")] == [1]


def test_upload_of_another_type_or_too_large(make_client, model_bytes):
    client = make_client(max_upload_bytes=1000)
    assert upload(client, b"x", **{"Content-Type": "multipart/form-data; boundary=x"}).status_code == 415
    assert upload(client, b"x" * 1001).status_code == 413
    assert upload(client, (b"x" * 100 for _ in range(20))).status_code == 413


def test_retraining_includes_new_ratings(client):
    client.rate(10_001, 5, 8.0)
    assert client.get("/users?user=10001")["model_ids"] == []
    started = client.request("POST", "/jobs", json={"model": "SVD", "params": {"factors": 3, "epochs": 15}})
    assert started.status_code == 202
    assert client.get("/recommendations?user=41")["model_id"] == 1  # the old one serves
    job = client.finished_job(started.json()["data"]["id"])
    assert job["state"] == "done", job
    assert client.get("/recommendations?user=41")["model_id"] == job["model_id"] == 2
    kept = client.get("/models")[0]
    assert (kept["is_active"], kept["params"]["factors"], kept["origin"]) == (True, 3, "trained")
    assert kept["checks"]["rmse"] < kept["checks"]["rmse_global_mean"]
    assert client.get("/users?user=10001")["model_ids"] == [2]


def test_model_below_the_quality_gate_is_rejected(client, service_folder):
    job = client.finished_job(client.call("POST", "/jobs", json={"model": "NormalRandom"})["id"])
    assert job["state"] == "rejected"
    assert "the global mean" in job["note"]
    job = client.finished_job(client.call("POST", "/jobs", json={"model": "UserMean"})["id"])
    assert job["state"] == "rejected"
    assert "active model's spec" in job["note"]
    assert client.get("/recommendations?user=41")["model_id"] == 1
    assert len(list((service_folder / "models").iterdir())) == 1


def test_one_job_at_a_time_and_cancellation(client, service_folder):
    slow = {"model": "SVD", "params": {"factors": 200, "epochs": 100_000}}
    number = client.call("POST", "/jobs", json=slow)["id"]
    assert client.call_error("POST", "/jobs", 409, json={})["code"] == "job_running"
    end = time.monotonic() + 30
    while (job := client.get(f"/jobs/{number}"))["done"] == 0 and time.monotonic() < end:
        time.sleep(0.1)
    assert job["total"] == 100_000
    assert job["label"] == "SVD"
    client.call("POST", f"/jobs/{number}/cancel")
    assert client.finished_job(number, 15)["state"] == "cancelled"
    assert client.get("/recommendations?user=41")["model_id"] == 1
    assert len(list((service_folder / "models").iterdir())) == 1
    job = client.finished_job(client.call("POST", "/jobs", json={})["id"])
    assert job["state"] == "done"


def test_corrupt_model_file_does_not_stop_the_active_model(client, service_folder, ratings, tmp_path):
    save(SVD(factors=2).fit(ratings), tmp_path / "m")
    assert upload(client, (tmp_path / "m").read_bytes()).status_code == 201
    client.get("/recommendations?user=41")
    newest = max((service_folder / "models").iterdir(), key=lambda path: path.stat().st_mtime_ns)
    newest.write_bytes(newest.read_bytes()[:-1] + b"\x00")
    client.call_error("POST", "/models/2/activate", 422)
    assert client.get("/recommendations?user=41")["model_id"] == 1
