"""The admin page: signing in and out, audit, models, jobs, and refused requests."""

from __future__ import annotations

import re
import time

import pytest
import sqlalchemy as sa

from foretaste.service.db.schema import sessions
from foretaste.service.web import admin_queries


@pytest.fixture
def admin(client, browser):
    assert browser.sign_in(client.key).status == 200
    return browser


ACTIONS = ("train", "cancel", "activate", "roll-back", "delete", "audit", "sign-out")


def run_action(browser, action, **fields):
    form = browser.get("/admin").form("/admin/sign-out")
    return browser.send(f"/admin/{action}", form | fields)


def test_signing_in_and_out(client, browser):
    assert browser.get("/admin").has_form("/admin/sign-in")
    response = browser.sign_in(client.key).response
    cookie = response.history[0].headers["set-cookie"]
    assert re.fullmatch(
        r"foretaste_\w{8}_admin=[\w-]{43}\.[\w-]{43}; HttpOnly; Path=/admin; SameSite=strict", cookie
    )
    page = browser.get("/admin")
    assert "Signed in with the key “first”" in page.text
    token = cookie.partition("=")[2].partition(".")[0]
    for secret in (client.key, token):
        assert secret not in page.html
        assert secret not in str(response.url)
    store = client.inner.app.state.app_state.database
    with store.read_connection() as connection:
        kept = connection.execute(sa.select(sessions)).all()
    assert len(kept) == 1
    assert token not in str(kept)
    old = dict(browser.client.cookies)
    assert "You are signed out." in run_action(browser, "sign-out").text
    browser.client.cookies.update(old)
    assert browser.get("/admin").has_form("/admin/sign-in")  # the cookie is worth nothing any more


def test_actions_require_sign_in(client, browser):
    fields = browser.get("/admin").form("/admin/sign-in")
    for action in ACTIONS:
        screen = browser.send(f"/admin/{action}", fields | {"id": "1"})
        assert screen.status == 401
        assert "Sign in" in screen.text
        assert screen.response.headers["content-type"].startswith("text/html")
    assert browser.get("/admin/jobs").status == 401
    assert client.get("/jobs") == []


@pytest.mark.parametrize("role", ["read", "write"])
def test_only_admin_keys_may_sign_in(client, browser, role):
    key = client.call("POST", "/keys", json={"name": role, "role": role})["key"]
    screen = browser.sign_in(key)
    assert screen.status == 403
    assert f"This key has the role {role}." in screen.text
    assert browser.get("/admin").has_form("/admin/sign-in")
    assert key not in screen.html


def test_failed_sign_ins_are_rate_limited(client, browser):
    statuses = [browser.sign_in(key).status for key in ("", "x", "é" * 50, "x" * 5000, *"1234567")]
    assert statuses == [401] * 10 + [429]
    screen = browser.sign_in(client.key)  # the right one too late
    assert screen.status == 429
    assert re.search(r"too many wrong keys\. Try again in \d+ s", screen.text)
    assert 1 <= int(screen.response.headers["retry-after"]) <= 60


def test_a_session_ends_with_its_key_and_with_time(client, browser, monkeypatch):
    made = client.call("POST", "/keys", json={"name": "second", "role": "admin"})
    browser.sign_in(made["key"])
    assert "“second”" in browser.get("/admin").text
    client.call("DELETE", f"/keys/{made['id']}")
    assert browser.get("/admin").has_form("/admin/sign-in")
    browser.sign_in(client.key)
    assert browser.get("/admin").has_form("/admin/train")
    now = time.time()
    monkeypatch.setattr("foretaste.service.web.sessions.time.time", lambda: now + 9 * 3600)
    assert browser.get("/admin").has_form("/admin/sign-in")


def test_cross_site_admin_actions_are_refused(client, admin):
    own = admin.get("/admin").form("/admin/sign-out")
    for action in ACTIONS:
        for headers in ({"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "same-site"}, {}):
            assert admin.send(f"/admin/{action}", own | {"id": "1"}, headers).status == 403
    assert client.get("/jobs") == []
    assert admin.get("/admin").has_form("/admin/train")


def test_audit_is_run_and_shown(client, admin, ratings):
    assert "They were not audited yet" in admin.get("/admin").text
    screen = run_action(admin, "audit")
    assert "The ratings were audited just now." in screen.text
    assert (
        f"{len(ratings):,} ratings of {len(ratings.users)} people for {len(ratings.items)} items"
        in screen.text
    )
    kept = admin_queries.load_audit(client.inner.app.state.app_state.database)
    for finding in kept["findings"]:
        assert finding["severity"] in screen.text
    assert kept["summary"]["ratings"] == len(ratings)
    client.rate(5, client.get("/items?limit=1")["items"][0]["item"], 1.0)
    assert run_action(admin, "audit").status == 200
    assert admin_queries.load_audit(client.inner.app.state.app_state.database)["summary"]["ratings"] >= len(
        ratings
    )


def test_models_are_listed_with_scores(client, admin):
    (model,) = client.get("/models")
    screen = admin.get("/admin")
    assert (
        f"RMSE {model['checks']['rmse']:#.3g} on {model['checks']['n_test']} held-out ratings" in screen.text
    )
    assert f"always guessing the mean: {model['checks']['rmse_global_mean']:#.3g}" in screen.text
    assert "SVD(factors=4, epochs=20)" in screen.text
    assert "active" in screen.text
    for action, fields, words in (
        ("roll-back", {}, "There is no previous model."),
        ("activate", {"id": "x"}, "The form contains no valid id."),
        ("delete", {"id": "1"}, "This model is active; activate another one first."),
        ("train", {"model": "Nothing"}, "Nothing"),
    ):
        refused = run_action(admin, action, **fields)
        assert refused.status in (409, 422), action
        assert re.search(r'role="alert"[^>]*>Error: ', refused.html)
        assert words in refused.text
    for action in ("activate", "cancel", "delete"):
        assert run_action(admin, action, id="99").status == 404
    assert run_action(admin, "dance").status == 404


def test_retraining_from_the_admin_page(client, admin):
    admin.rate(6)
    begun = run_action(admin, "train", model="Bias")
    assert "The training has started" in begun.text
    assert begun.has_form("/admin/cancel")
    assert "<progress" in begun.html
    assert run_action(admin, "train").status == 409
    number = client.get("/jobs")[0]["id"]
    assert "Bias()" in admin.get("/admin/jobs").text
    job = client.finished_job(number)
    assert job["state"] in ("done", "rejected"), job
    after = admin.get("/admin")
    assert job["state"] in after.text
    assert job["note"] in after.text.replace("&#39;", "'")
    assert not after.has_form("/admin/cancel")


def test_cancel_roll_back_activate_and_delete(client, admin):
    run_action(admin, "train")
    number = client.get("/jobs")[0]["id"]
    assert client.finished_job(number)["state"] == "done"
    assert [model["is_active"] for model in client.get("/models")] == [True, False]
    assert "The previous model is active again." in run_action(admin, "roll-back").text
    assert [model["is_active"] for model in client.get("/models")] == [False, True]
    assert "The model is active now." in run_action(admin, "activate", id="2").text
    assert "The model is deleted." in run_action(admin, "delete", id="1").text
    assert [model["id"] for model in client.get("/models")] == [2]
    run_action(admin, "train", model="SVDpp")
    number = client.get("/jobs")[0]["id"]
    screen = run_action(admin, "cancel", id=str(number))
    assert "is being stopped" in screen.text
    assert client.finished_job(number)["state"] in ("cancelled", "done", "rejected")
