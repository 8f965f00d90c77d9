"""The page of visitors without script: forms, cookies, what is stored, shown, hidden, forgotten."""

from __future__ import annotations

import re
from contextlib import ExitStack

import numpy as np
import pytest
import serving_rig
import sqlalchemy as sa
from page_rig import Browser, Screen
from serving_rig import prepared
from starlette.testclient import TestClient

from foretaste import Ratings
from foretaste.errors import BadData, NotFound
from foretaste.models import UserKNN
from foretaste.models.specs import as_spec
from foretaste.service import kept_ratings, page_people, starting
from foretaste.service.answers import can_fold
from foretaste.service.app import create_app
from foretaste.service.schema import ratings as ratings_table
from foretaste.service.schema import visitors
from foretaste.service.settings import Settings
from foretaste.tables import Catalogue


@pytest.fixture
def browser(client):
    return Browser(client.inner)


@pytest.fixture
def other_service(tmp_path, monkeypatch):
    """Return a function that makes a browser at a service of other ratings, titles, or another model."""
    with ExitStack() as open_until_the_end:

        def make(given, catalogue=None, model=None):
            if model is not None:
                monkeypatch.setattr(serving_rig, "SPEC", as_spec(model))
            settings = Settings(str(tmp_path / "other"), rate="")
            prepared(settings, given, catalogue)
            inner = TestClient(create_app(settings), base_url="http://127.0.0.1")
            return Browser(open_until_the_end.enter_context(inner))

        yield make


def rows_of(client, user=None):
    store = client.inner.app.state.house.store
    query = sa.select(*(ratings_table.c[name] for name in ("user", "item", "value", "shown")))
    with store.reading() as connection:
        found = connection.execute(query).all()
    return [row for row in found if user is None or row.user == str(user)]


def test_from_nothing_to_suggestions_and_reasons(client, browser):
    first = browser.get()
    assert first.status == 200
    assert first.suggested == []
    assert "Rate one, and suggestions appear here" in first.text
    second = browser.rate(6)
    assert re.search(r"You gave \+6\.00 \( ?loved it\)", second.text)
    assert "By what most people like, we would have said" in second.text
    assert len(second.suggested) == 5
    assert "Not enough to know you yet (1 rating)" in second.text
    third = browser.rate(-6)
    assert "We had guessed" in third.text
    assert re.search(r"[1-5] of 5 suggestions changed", third.text)
    assert re.search(r"was [+−]\d\.\d", third.text)
    fourth = browser.rate(5)
    assert "From your 3 ratings." in fourth.text
    assert "because" in fourth.text
    user = browser.kept()["user"]
    assert [row.value for row in rows_of(client, user)].count(6.0) == 1
    asked = client.get(f"/recommendations?user={user}&n=40")
    told = {str(one["item"]): one["prediction"] for one in asked["items"]}
    assert fourth.suggested == [item for item in told if item != fourth.asked][:5]
    assert f"{told[fourth.suggested[0]]:+.2f}" in fourth.text.replace("−", "-")


def test_it_asks_what_tells_most(client, browser):
    for value in (6, -6, 5):
        screen = browser.get()
        user = browser.kept()["user"]
        shown = browser.kept()["shown_predictions"]
        skip = "".join(f"&skip={item}" for item in shown)
        wanted = client.get(f"/questions?user={-1 if user is None else user}{skip}")["item"]
        assert screen.asked == str(wanted)
        browser.rate(value)


def test_the_sum_of_a_reason_is_the_prediction(browser):
    for value in (6, -6, 5, 2):
        screen = browser.rate(value)
    tables = re.findall(r'<table class="sum">.*?</table>', screen.html, re.S)
    assert len(tables) == 5
    for table in tables:
        values = [
            float(text.replace("−", "-").replace("±", "")) for text in re.findall(r"<td>(.+?)</td>", table)
        ]
        assert len(values) >= 4
        assert abs(sum(values[:-1]) - values[-1]) <= 0.005 * len(values) + 1e-9


def test_what_is_no_answer_is_never_stored(client, browser):
    before = rows_of(client)
    fields = browser.get().form("/rate")
    assert fields["value"] == ""  # as the form stands before anybody touches it
    for value in ("", " ", "much", "9", "-8.1", "nan", "inf", "1e999", "5,5"):
        screen = browser.send("/rate", fields | {"value": value})
        assert screen.status == 422
        assert re.search(r'role="alert"[^>]*>Error: [A-Z]', screen.html)
        assert screen.asked == fields["item"]
        assert screen.html.count("<title>Error: ") == 1
    del fields["value"]
    assert browser.send("/rate", fields).status == 422
    assert rows_of(client) == before


def test_the_prediction_of_what_is_asked_about_is_not_there(client, browser):
    for value in (6, -6, 5):
        screen = browser.rate(value)
        assert screen.asked not in screen.suggested
    wanted = screen.suggested[0]
    screen = browser.get(f"/?item={wanted}")
    assert screen.asked == wanted
    assert wanted not in screen.suggested
    user = browser.kept()["user"]
    told = client.good("POST", "/predictions", json={"user": user, "items": [int(wanted)]})
    guess = f"{told['items'][0]['prediction']:+.2f}".replace("-", "−")
    item_part = screen.html.partition('<section class="best"')[0]
    assert f">{guess}<" not in item_part
    assert browser.get("/").asked not in browser.kept()["shown_predictions"]


def test_what_was_shown_is_stored_beside_the_rating(client, browser):
    for value in (6, -6, 5):
        screen = browser.rate(value)
    wanted, asked = screen.suggested[1], screen.asked
    user = browser.kept()["user"]
    told = client.good("POST", "/predictions", json={"user": user, "items": [int(wanted)]})["items"][0]
    browser.rate(3, asked)
    told = client.good("POST", "/predictions", json={"user": user, "items": [int(wanted)]})["items"][0]
    browser.rate(4, wanted)
    shown = {row.item: row.shown for row in rows_of(client, user)}
    assert shown[asked] is None
    assert shown[wanted] is not None
    listed = {str(one["item"]): one["shown_prediction"] for one in browser.kept()["ratings"]}
    assert listed == shown
    if wanted in screen.suggested:
        assert shown[wanted] == pytest.approx(told["prediction"])


def test_on_its_own_page_an_item_is_shown_too(client, browser):
    browser.rate(6)
    screen = browser.rate(-6)
    other = next(
        str(one["item"])
        for one in client.get("/items")["items"]
        if str(one["item"]) not in {*screen.suggested, *browser.kept()["shown_predictions"], screen.asked}
        and str(one["item"]) not in {str(r["item"]) for r in browser.kept()["ratings"]}
    )
    about = browser.get(f"/about?item={other}")
    assert re.search(r"We guess [+−]\d\.\d", about.text)
    assert "What the guess is made of" in about.text
    assert len(about.suggested) == 6  # what is like it
    alike = client.get(f"/similar?item={other}&n=6")["items"]
    assert about.suggested == [str(one["item"]) for one in alike if one["similarity"] > 0]
    browser.rate(1, other)
    assert next(
        row.shown for row in rows_of(client) if row.user == str(browser.kept()["user"]) and row.item == other
    )


def test_skip_undo_change_and_bring_back(client, browser):
    first = browser.get()
    fields = first.form("/rate")
    skipped = browser.send("/skip", fields)
    assert "Skipped" in skipped.text
    assert skipped.asked != first.asked
    assert browser.kept()["skipped"] == [first.asked]
    assert browser.get().asked != first.asked
    back = browser.send("/bring-back", skipped.form("/bring-back"))
    assert back.asked == first.asked
    assert browser.kept()["skipped"] == []
    done = browser.rate(3, first.asked)
    undone = browser.send("/undo", done.form("/undo"))
    assert undone.asked == first.asked
    assert browser.kept()["ratings"] == []
    browser.rate(3, first.asked)
    changed = browser.rate(-2, first.asked)
    assert changed.form("/undo")["before"] == "3.0"
    browser.send("/undo", changed.form("/undo"))
    assert [one["value"] for one in browser.kept()["ratings"]] == [3.0]
    mine = browser.get("/mine")
    assert "+3.00" in mine.text
    browser.send("/undo", mine.form("/undo", item=first.asked))
    assert browser.kept()["ratings"] == []


def test_all_can_be_rated_and_skipped_to_the_end(browser):
    seen = set()
    for number in range(60):
        screen = browser.get()
        if not screen.has_form("/rate"):
            break
        assert screen.asked not in seen
        seen.add(screen.asked)
        if number % 2:
            browser.send("/skip", screen.form("/rate"))
        else:
            browser.rate(number % 8 - 4)
    assert len(seen) == 40
    assert "There is nothing left to rate" in screen.text
    assert browser.get("/mine").text.count("Bring back") == 20


def test_hidden_items_are_nowhere(make_client, client):
    browser = Browser(client.inner)
    browser.rate(6)
    hidden = (browser.get().asked, *browser.get().suggested)
    browser = Browser(make_client(hidden=hidden).inner)
    assert browser.get().asked not in hidden
    for value in (6, -6, 5, 4):
        screen = browser.rate(value)
        assert screen.asked not in hidden
        assert not set(screen.suggested) & set(hidden)
        about = browser.get(f"/about?item={screen.suggested[0]}")
        assert not set(about.suggested) & set(hidden)
    for path in (f"/?item={hidden[0]}", f"/about?item={hidden[0]}", "/about?item=no", "/?item=7777"):
        assert browser.get(path).status in (404, 422)
    fields = screen.form("/rate") | {"item": hidden[0], "value": "1"}
    assert browser.send("/rate", fields).status == 404
    assert hidden[0] not in {str(one["item"]) for one in browser.kept()["ratings"]}


def test_visitors_are_people_of_their_own(client, make_client):
    one = Browser(client.inner)
    one.rate(6)
    first = one.kept()["user"]
    two = Browser(make_client().inner)
    two.rate(-6)
    second = two.kept()["user"]
    assert first != second
    assert first < 0
    assert second < 0
    assert [row["value"] for row in one.kept()["ratings"]] == [6.0]
    assert [row["value"] for row in two.kept()["ratings"]] == [-6.0]


def test_an_id_that_is_taken_is_not_given(client, monkeypatch):
    taken, free = "41", "-41"
    ids = iter([taken, taken, free])
    monkeypatch.setattr(page_people, "_new_id", lambda kinds: next(ids))
    browser = Browser(client.inner)
    browser.rate(6)
    assert browser.kept()["user"] == int(free)


def test_forget_me(client, browser):
    browser.rate(6)
    screen = browser.rate(-6)
    browser.send("/skip", screen.form("/rate"))
    user = browser.kept()["user"]
    assert len(client.get(f"/people?user={user}")["ratings"]) == 2
    mine = browser.get("/mine")
    gone = browser.send("/forget", mine.form("/forget"))
    assert "All is deleted: 2 ratings" in gone.text
    assert not browser.client.cookies
    assert rows_of(client, user) == []
    store = client.inner.app.state.house.store
    with store.reading() as connection:
        assert connection.execute(sa.select(visitors)).all() == []
        assert kept_ratings.history(connection, str(user)) == []
    assert browser.kept() == {"user": None, "ratings": [], "skipped": [], "shown_predictions": {}}


def test_the_operator_deletes_a_visitor_as_anybody(client, browser):
    browser.rate(6)
    user = browser.kept()["user"]
    assert client.good("DELETE", f"/people?user={user}")["ratings"] == 1
    assert browser.kept()["user"] is None
    browser.rate(5)
    assert browser.kept()["user"] != user


def test_the_cookie(client, browser):
    response = browser.get().response
    (cookie,) = response.headers.get_list("set-cookie")
    assert re.fullmatch(
        r"foretaste_[0-9a-f]{8}=[\w-]{43}\.[0-9a-f]{64}; HttpOnly; Max-Age=15552000; Path=/; SameSite=lax",
        cookie,
    )
    assert "set-cookie" not in browser.get().response.headers  # it has one now
    token = cookie.partition("=")[2].partition(".")[0]
    assert token not in response.text
    browser.rate(6)
    store = client.inner.app.state.house.store
    with store.reading() as connection:
        assert token not in str(connection.execute(sa.select(visitors)).all())


def test_a_cookie_that_is_not_ours_is_nobody(client, browser):
    browser.rate(6)
    ((name, value),) = browser.client.cookies.items()
    token, _, seal = value.partition(".")
    browser.client.cookies.clear()
    for wrong in (f"{'A' * 43}.{seal}", f"{token}.{'0' * 64}", "", "\xe9.x" * 9, token, f"{token}.{seal}0"):
        headers = {"Cookie": f"{name}={wrong}".encode("latin-1")}
        assert client.inner.get("/mine.json", headers=headers).json()["user"] is None
        client.inner.cookies.clear()
    assert client.inner.get("/mine.json", headers={"Cookie": f"{name}={value}"}).json()["user"] is not None


def test_forms_from_elsewhere_change_nothing(client, browser):
    browser.rate(6)
    before = browser.kept()
    good = browser.get().form("/rate") | {"value": "1", "key": client.key}
    for headers, fields in (
        ({"Origin": "https://evil.example"}, {}),
        ({"Origin": "null"}, {}),
        ({"Origin": "http://127.0.0.1:9"}, {}),
        ({"Sec-Fetch-Site": "cross-site"}, {}),
        ({"Sec-Fetch-Site": "same-site"}, {}),
        ({}, {"form_token": ""}),
        ({}, {"form_token": "0" * 64}),
        ({}, {"form_token": "é"}),
    ):
        for path in ("/rate", "/skip", "/undo", "/forget", "/bring-back", "/admin/sign-in"):
            screen = browser.send(path, good | fields, **headers)
            assert screen.status == 403, (path, headers, fields)
            assert "Nothing was changed" in screen.text
            assert screen.response.headers["content-type"].startswith("text/html")
    assert browser.kept() == before
    assert browser.send("/rate", good).status == 200


def test_a_form_without_its_cookie_changes_nothing(client, browser):
    fields = browser.get().form("/rate") | {"value": "1"}
    before = rows_of(client)
    browser.client.cookies.clear()
    assert browser.send("/rate", fields).status == 403
    assert rows_of(client) == before


def test_a_form_must_be_a_form(client, browser):
    fields = browser.get().form("/rate") | {"value": "1"}
    assert client.inner.post("/rate", json=fields).status_code == 415
    typed = {"Content-Type": "application/x-www-form-urlencoded"}
    assert client.inner.post("/rate", content=b"value=%ff", headers=typed).status_code == 422
    many = "&".join(f"a{i}=1" for i in range(40)).encode()
    assert client.inner.post("/rate", content=many, headers=typed).status_code == 422
    long = b"value=" + b"1" * 70_000
    response = client.inner.post("/rate", content=long, headers=typed)
    assert response.status_code == 413
    assert "too large" in Screen(response).text


def test_headers_and_nothing_from_elsewhere(client, browser):
    browser.rate(6)
    for path in (
        "/",
        "/mine",
        "/admin",
        f"/about?item={browser.get().asked}",
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


def test_files_come_with_the_package(client, browser):
    from importlib.resources import files

    package = files("foretaste.service")
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


def test_titles_are_text_and_never_markup(other_service, ratings):
    titles = np.full(len(ratings.items), "<script>alert(1)</script>\" onx='&", object)
    browser = other_service(ratings, Catalogue(ratings.items, {"title": titles}, "title"))
    for value in (6, -6, 5):
        screen = browser.rate(value)
    for path in ("/", "/mine", f"/about?item={screen.suggested[0]}"):
        found = browser.get(path)
        assert "<script>" not in found.html
        assert "&lt;script&gt;" in found.html


def test_long_titles_are_texts_and_not_headings(other_service, ratings):
    titles = np.full(len(ratings.items), "A line.\nAnd another, " + "very " * 30 + "long.", object)
    browser = other_service(ratings, Catalogue(ratings.items, {"title": titles}, "title"))
    screen = browser.rate(6)
    assert f">Item {screen.asked}</h2>" in screen.html
    assert '<p class="text">A line.\nAnd another' in screen.html
    assert "very long.</a>" not in screen.html  # cut in lists


def test_who_gets_the_page(make_client):
    local = make_client(hosts=("ours.example",)).inner
    assert local.get("/").status_code == 200
    for headers in (
        {"Host": "ours.example"},
        {"X-Forwarded-For": "1.2.3.4"},
        {"Forwarded": "for=1.2.3.4"},
        {"Via": "1.1 x"},
    ):
        for path in ("/", "/mine", "/admin", "/static/page.css"):
            assert local.get(path, headers=headers).status_code == 404
    open_to_all = make_client(hosts=("ours.example",), page="on").inner
    response = open_to_all.get("/", headers={"Host": "ours.example"})
    assert response.status_code == 200
    assert "; Secure" in response.headers["set-cookie"]
    off = make_client(page="off").inner
    response = off.get("/")
    assert response.status_code == 404
    assert response.json()["error"]["code"] == "not_found"


def test_errors_look_like_the_page_and_api_errors_do_not(make_client, monkeypatch):
    client = make_client(rate="4/minute")
    browser = Browser(client.inner)
    missing = browser.get("/nowhere")
    assert missing.status == 404
    assert "There is nothing here" in missing.text
    assert client.inner.get("/api/v1/nowhere").json()["error"]["code"] == "not_found"
    assert browser.get("/", Host="evil.example").status == 400
    while (screen := browser.get()).status == 200:
        pass
    assert screen.status == 429
    assert re.search(r"Try again in \d+ s", screen.text)
    assert int(screen.response.headers["retry-after"]) >= 1
    assert client.inner.get("/api/v1/items").json()["error"]["code"] == "too_many"


def test_without_a_database_and_without_a_model(client, browser, monkeypatch):
    from foretaste.service.store import StorageFull, Unavailable

    browser.rate(6)
    fields = browser.get().form("/rate") | {"value": "2"}
    house = client.inner.app.state.house

    def fail(*_):
        raise Unavailable("the database does not answer; nothing was stored")

    def full(*_):
        raise StorageFull("there is no room left to store this; nothing of it was stored")

    monkeypatch.setattr(house.store, "reading", fail)
    screen = browser.get()
    assert screen.status == 503
    assert "The database does not answer; nothing was stored. Try again in a moment." in screen.text
    monkeypatch.undo()
    monkeypatch.setattr(house.store, "writing", full)
    screen = browser.send("/rate", fields)
    assert screen.status == 507
    assert "no room left" in screen.text
    monkeypatch.undo()
    monkeypatch.setattr(client.inner.app.state.page.views, "standing", lambda *_: 1 / 0)
    screen = browser.get()
    assert screen.status == 500
    assert "division" not in screen.text


def test_text_ids_with_all_kinds_of_signs(other_service, ratings):
    items = [f"a/b&c=?#{item} 'x'" for item in ratings.item_ids]
    texts = Ratings.from_columns([f"ü{user}" for user in ratings.user_ids], items, ratings.value)
    browser = other_service(texts)
    for value in (3, -3, 2):
        screen = browser.send("/rate", browser.get().form("/rate") | {"value": str(value)})
        assert screen.status == 200
    assert browser.kept()["user"].startswith("visitor-")
    links = [link for link in screen.links if link.startswith("/about")]
    assert browser.get(links[0]).status == 200
    asked = screen.asked
    assert browser.send("/skip", screen.form("/rate")).status == 200
    assert browser.kept()["skipped"] == [asked]


def test_a_model_that_cannot_take_people_in(other_service, ratings):
    assert not can_fold(UserKNN())
    browser = other_service(ratings, model=UserKNN())
    assert browser.get().status == 200
    browser.rate(1)
    screen = browser.rate(2)
    assert "This model does not know you yet" in screen.text
    assert screen.status == 200
    assert browser.get(f"/about?item={screen.suggested[0]}").status == 200


def test_hidden_items_come_from_a_file(place, tmp_path, ratings):
    store = starting.open_store(Settings(str(place)))
    first, second = (int(item) for item in list(ratings.items)[:2])
    path = tmp_path / "ids.txt"
    path.write_text(f"\ufeff{first}\n\n  {second} \n{first}\n", encoding="utf-8")
    assert starting.hidden_items(store, str(path)) == (str(first), str(second))
    for text, error, words in (
        ("7777", NotFound, "line 1: there is no item '7777'"),
        (f"{first}\nseven", BadData, "line 2: item ids of these ratings are whole numbers"),
    ):
        path.write_text(text)
        with pytest.raises(error, match=re.escape(f"{path}, {words}")):
            starting.hidden_items(store, str(path))
    path.write_bytes(b"\xff\xfe1")
    with pytest.raises(BadData, match="is no text in UTF-8"):
        starting.hidden_items(store, str(path))
    with pytest.raises(NotFound, match="cannot read"):
        starting.hidden_items(store, str(tmp_path / "nothing.txt"))
    store.close()


def test_the_command_hides_and_says_where_the_page_is(start, tmp_path, ratings):
    import httpx2

    item = int(next(iter(ratings.items)))
    path = tmp_path / "ids.txt"
    path.write_text(str(item))
    service = start("--hide", str(path))
    assert httpx2.get(f"{service.url}/").status_code == 200
    assert httpx2.get(f"{service.url}/about?item={item}").status_code == 404
    assert any("to rate in a browser" in line for line in service.lines)
    service.stop()
    without = start("--page", "off")
    assert httpx2.get(f"{without.url}/").json()["ok"] is False
    assert not any("to rate in a browser" in line for line in without.lines)


@pytest.mark.postgres
def test_visitors_in_postgres(postgres_settings, ratings):
    key = prepared(postgres_settings, ratings.replace(scale=(-8.0, 8.0)))
    with TestClient(create_app(postgres_settings), base_url="http://127.0.0.1") as inner:
        browser = Browser(inner)
        for value in (6, -6, 5):
            screen = browser.rate(value)
        browser.send("/skip", screen.form("/rate"))
        kept = browser.kept()
        assert len(kept["ratings"]) == 3
        assert len(kept["skipped"]) == 1
        assert len(kept["shown_predictions"]) >= 5
        assert browser.sign_in(key).status == 200
        assert "Signed in" in browser.get("/admin").text
        mine = browser.get("/mine")
        assert "All is deleted" in browser.send("/forget", mine.form("/forget")).text
