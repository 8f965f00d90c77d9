"""Security of the pages: cookies, CSRF, headers, static files, allowed hosts, error pages."""

from __future__ import annotations

import re

import numpy as np
import pytest
import sqlalchemy as sa
from page_fixtures import SAME_ORIGIN, Browser, Screen, stored_rows

from foretaste.features import ItemCatalog
from foretaste.service.db.schema import visitors
from foretaste.service.web.sessions import CookieSigner, find_visitor, get_or_create_visitor, new_token


def test_visitors_are_separate_users(client, make_client):
    one = Browser(client.inner)
    one.rate(6)
    first = one.export()["user"]
    two = Browser(make_client().inner)
    two.rate(-6)
    second = two.export()["user"]
    assert first != second
    assert first < 0
    assert second < 0
    assert [row["value"] for row in one.export()["ratings"]] == [6.0]
    assert [row["value"] for row in two.export()["ratings"]] == [-6.0]


def test_new_visitor_id_avoids_existing_ids(client):
    app_state, ids = client.inner.app.state.app_state, iter(["41", "41", "-41"])
    with app_state.database.write_transaction() as connection:
        visitor = get_or_create_visitor(
            connection, app_state.model_server.id_codec, "token", make_user_id=lambda codec: next(ids)
        )
        assert visitor.user == "-41"
        assert find_visitor(connection, "token") == visitor


def test_cookie_attributes(client, browser):
    response = browser.get().response
    (cookie,) = response.headers.get_list("set-cookie")
    assert re.fullmatch(
        r"foretaste_[0-9a-f]{8}=[\w-]{43}\.[\w-]{43}; HttpOnly; Max-Age=15552000; Path=/; SameSite=lax",
        cookie,
    )
    assert "set-cookie" not in browser.get().response.headers  # it has one now
    token = cookie.partition("=")[2].partition(".")[0]
    assert token not in response.text
    browser.rate(6)
    store = client.inner.app.state.app_state.database
    with store.read_connection() as connection:
        assert token not in str(connection.execute(sa.select(visitors)).all())


def test_tampered_cookie_is_ignored(client, browser):
    browser.rate(6)
    ((name, value),) = browser.client.cookies.items()
    token, _, signature = value.partition(".")
    browser.client.cookies.clear()
    tampered = [
        f"{'A' * 43}.{signature}", f"{token}.{'0' * 64}", "", "\xe9.x" * 9, token, f"{token}.",
        f".{signature}",
        f"{token}.{signature}0", f"{token}.{signature[:-2]}", f"{token[:-1]}.{signature}", f"{token}.{token}",
        value.swapcase(),
    ]  # fmt: skip
    for wrong in tampered:
        headers = {"Cookie": f"{name}={wrong}".encode("latin-1")}
        response = client.inner.get("/mine.json", headers=headers)
        assert response.json()["user"] is None, wrong
        client.inner.cookies.clear()
    assert client.inner.get("/mine.json", headers={"Cookie": f"{name}={value}"}).json()["user"] is not None


def test_cookie_of_another_service_is_ignored():
    signed = CookieSigner(b"a" * 32).sign(new_token())
    assert CookieSigner(b"a" * 32).unsign(signed) is not None
    assert CookieSigner(b"b" * 32).unsign(signed) is None


CROSS_SITE = [
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
    {"Sec-Fetch-Site": ""},
    {"Sec-Fetch-Site": "cross-site", "Origin": "http://127.0.0.1"},
    {"Origin": "https://evil.example"},
    {"Origin": "null"},
    {"Origin": "http://127.0.0.1:9"},
    {"Origin": "http://127.0.0.1.evil.example"},
    {"Origin": "http://["},
    {"Origin": "https://evil.example", "Referer": "http://127.0.0.1/"},
    {"Referer": "https://evil.example/http://127.0.0.1/"},
    {"Referer": "http://127.0.0.1@evil.example/"},
    {},
]
WEB_POSTS = (
    "/rate", "/skip", "/undo", "/forget", "/restore", "/admin/sign-in", "/admin/sign-out", "/admin/train",
    "/admin/delete",
)  # fmt: skip


@pytest.mark.parametrize("headers", CROSS_SITE, ids=str)
def test_cross_site_forms_are_refused(client, browser, headers):
    browser.rate(6)
    browser.sign_in(client.key)
    before = browser.export()
    fields = browser.get().form("/rate") | {"value": "1", "key": client.key, "id": "1"}
    for path in WEB_POSTS:
        screen = browser.send(path, fields, headers)
        assert screen.status == 403, path
        assert "Nothing was changed" in screen.text
        assert screen.response.headers["content-type"].startswith("text/html")
    assert browser.export() == before
    assert browser.get("/admin").has_form("/admin/sign-out")


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "same-origin"},
        {"Sec-Fetch-Site": "none"},
        {"Sec-Fetch-Site": "same-origin", "Origin": "http://inside.a.proxy"},
        {"Origin": "http://127.0.0.1"},
        {"Referer": "http://127.0.0.1/?item=5"},
    ],
    ids=str,
)
def test_same_origin_forms_are_accepted(client, browser, headers):
    fields = browser.get().form("/rate") | {"value": "1"}
    assert browser.send("/rate", fields, headers).status == 200
    assert [row["value"] for row in browser.export()["ratings"]] == [1.0]
    assert "csrf" not in browser.get().html


def test_form_without_its_cookie_is_refused(client, browser):
    fields = browser.get().form("/rate") | {"value": "1"}
    before = stored_rows(client)
    for path in ("/rate", "/skip", "/undo", "/restore", "/forget"):
        browser.client.cookies.clear()
        screen = browser.send(path, fields)
        assert screen.status == 403
        assert "your browser keeps no cookies" in screen.text
    assert stored_rows(client) == before


def test_malformed_forms_are_refused(client, browser):
    browser.get()

    def post(**content):
        headers = SAME_ORIGIN | content.pop("headers", {})
        return client.inner.post("/rate", headers=headers, **content)

    form_type = {"Content-Type": "application/x-www-form-urlencoded"}
    assert post(json={"value": "1"}).status_code == 415
    assert post(content=b"value=%ff", headers=form_type).status_code == 422
    many = "&".join(f"a{i}=1" for i in range(40)).encode()
    assert post(content=many, headers=form_type).status_code == 422
    response = post(content=b"value=" + b"1" * 70_000, headers=form_type)
    assert response.status_code == 413
    assert "too large" in Screen(response).text


def test_security_headers_and_no_external_resources(client, browser):
    browser.rate(6)
    for path in (
        "/",
        "/mine",
        "/admin",
        f"/item?item={browser.get().asked_item}",
        "/nowhere",
        "/mine?" + "x" * 99,
    ):
        response = browser.get(path).response
        policy = response.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "script-src 'self';" in policy
        assert "unsafe" not in policy
        assert response.headers["x-content-type-options"] == "nosniff"
        assert response.headers["cache-control"] == "no-store"
        assert response.headers["referrer-policy"] == "same-origin"
        assert "http://" not in response.text
        assert "https://" not in response.text
        assert not re.search(r"<script(?![^>]*src=)|<style|style=|\son\w+=", response.text)


def test_static_files_are_in_the_package(client, browser):
    from importlib.resources import files

    package = files("foretaste.service.web")
    for name in ("page.css", "page.js", "icon.svg"):
        assert package.joinpath("static", name).is_file()
    assert package.joinpath("templates", "base.html").is_file()
    addresses = re.findall(r'"(/static/[^"]+)"', browser.get().html)
    assert len(addresses) == 3
    for address in addresses:
        response = client.inner.get(address)
        assert response.status_code == 200
        assert "immutable" in response.headers["cache-control"]
        assert response.headers["x-content-type-options"] == "nosniff"
    for name in ("../app.py", "..%2fapp.py", "nothing.css", "templates"):
        assert client.inner.get(f"/static/{name}").status_code == 404
    assert client.inner.get("/favicon.ico").headers["content-type"] == "image/svg+xml"


def test_titles_are_escaped(browse_other_service, ratings):
    titles = np.full(len(ratings.items), "<script>alert(1)</script>\" onx='&", object)
    browser = browse_other_service(ratings, ItemCatalog(ratings.items, {"title": titles}, "title"))
    for value in (6, -6, 5):
        screen = browser.rate(value)
    for path in ("/", "/mine", f"/item?item={screen.suggested_items[0]}"):
        found = browser.get(path)
        assert "<script>" not in found.html
        assert "&lt;script&gt;" in found.html


def test_page_is_served_on_loopback_only_by_default(make_client):
    local = make_client(allowed_hosts=("ours.example",)).inner
    assert local.get("/").status_code == 200
    for headers in (
        {"Host": "ours.example"},
        {"X-Forwarded-For": "1.2.3.4"},
        {"Forwarded": "for=1.2.3.4"},
        {"Via": "1.1 x"},
    ):
        for path in ("/", "/mine", "/admin", "/static/page.css"):
            assert local.get(path, headers=headers).status_code == 404
    open_to_all = make_client(allowed_hosts=("ours.example",), web="on").inner
    response = open_to_all.get("/", headers={"Host": "ours.example"})
    assert response.status_code == 200
    assert "; Secure" in response.headers["set-cookie"]
    off = make_client(web="off").inner
    response = off.get("/")
    assert response.status_code == 404
    assert response.json()["error"]["code"] == "not_found"


def test_page_errors_are_html_and_api_errors_json(make_client, monkeypatch):
    client = make_client(rate_limit="6/minute")
    browser = Browser(client.inner)
    missing = browser.get("/nowhere")
    assert missing.status == 404
    assert "There is nothing here No page has this address." in missing.text
    assert "This address is for forms alone." in browser.get("/rate").text
    assert client.inner.get("/api/v1/nowhere").json()["error"]["code"] == "not_found"
    assert browser.get("/", Host="evil.example").status == 400
    while (screen := browser.get()).status == 200:
        pass
    assert screen.status == 429
    assert re.search(r"Try again in \d+ s", screen.text)
    assert int(screen.response.headers["retry-after"]) >= 1
    assert client.inner.get("/api/v1/items").json()["error"]["code"] == "rate_limited"


def test_missing_database_or_model_is_reported(client, browser, monkeypatch):
    from foretaste.service.db.database import DatabaseUnavailableError, StorageFullError

    browser.rate(6)
    fields = browser.get().form("/rate") | {"value": "2"}
    app_state = client.inner.app.state.app_state

    def fail(*_):
        raise DatabaseUnavailableError("the database does not respond; nothing was stored")

    def full(*_):
        raise StorageFullError("the disk is full; nothing was stored")

    monkeypatch.setattr(app_state.database, "read_connection", fail)
    screen = browser.get()
    assert screen.status == 503
    assert "The database does not respond; nothing was stored. Try again in a moment." in screen.text
    monkeypatch.undo()
    monkeypatch.setattr(app_state.database, "write_transaction", full)
    screen = browser.send("/rate", fields)
    assert screen.status == 507
    assert "disk is full" in screen.text
    monkeypatch.undo()
    monkeypatch.setattr(client.inner.app.state.web.views, "visitor_state", lambda *_: 1 / 0)
    screen = browser.get()
    assert screen.status == 500
    assert "division" not in screen.text
