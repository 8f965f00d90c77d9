"""The rating page without script: forms, cookies, stored data, hidden items, deletion."""

from __future__ import annotations

import re

import numpy as np
import pytest
import sqlalchemy as sa
from page_fixtures import Browser, stored_rows
from service_fixtures import prepare_service
from starlette.testclient import TestClient

from foretaste import Ratings
from foretaste.errors import DataError, NotFoundError
from foretaste.features import ItemCatalog
from foretaste.models import Bias, Blend, NormalRandom
from foretaste.service import bootstrap
from foretaste.service.app import create_app
from foretaste.service.db import rating_store
from foretaste.service.db.schema import visitors
from foretaste.service.settings import Settings


def test_from_nothing_to_suggestions_and_reasons(client, browser):
    first = browser.get()
    assert first.status == 200
    assert first.suggested_items == []
    assert "Rate one, and suggestions appear here" in first.text
    second = browser.rate(6)
    assert re.search(r"You gave \+6\.00 \( ?loved it\)", second.text)
    assert "By what most people like, we would have said" in second.text
    assert len(second.suggested_items) == 5
    assert "Not enough to know you yet (1 rating)" in second.text
    third = browser.rate(-6)
    assert "We had guessed" in third.text
    assert re.search(r"[1-5] of 5 suggestions changed", third.text)
    assert re.search(r"was [+−]\d\.\d", third.text)
    fourth = browser.rate(5)
    assert "From your 3 ratings." in fourth.text
    assert "because" in fourth.text
    user = browser.export()["user"]
    assert [row.value for row in stored_rows(client, user)].count(6.0) == 1
    asked = client.get(f"/recommendations?user={user}&n=40")
    body = {str(one["item"]): one["prediction"] for one in asked["items"]}
    assert fourth.suggested_items == [item for item in body if item != fourth.asked_item][:5]
    assert f"{body[fourth.suggested_items[0]]:+.2f}" in fourth.text.replace("−", "-")


def test_page_asks_the_most_informative_item(client, browser):
    for value in (6, -6, 5):
        screen = browser.get()
        user = browser.export()["user"]
        shown = browser.export()["shown_predictions"]
        skip = "".join(f"&skip={item}" for item in shown)
        wanted = client.get(f"/next-item?user={-1 if user is None else user}{skip}")["item"]
        assert screen.asked_item == str(wanted)
        browser.rate(value)


def test_explanation_table_sums_to_the_prediction(browser):
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


def test_invalid_answers_are_never_stored(client, browser):
    before = stored_rows(client)
    fields = browser.get().form("/rate")
    assert fields["value"] == ""  # as the form stands before anybody touches it
    for value in ("", " ", "much", "9", "-8.1", "nan", "inf", "1e999", "5,5"):
        screen = browser.send("/rate", fields | {"value": value})
        assert screen.status == 422
        assert re.search(r'role="alert"[^>]*>Error: [A-Z]', screen.html)
        assert screen.asked_item == fields["item"]
        assert screen.html.count("<title>Error: ") == 1
    del fields["value"]
    assert browser.send("/rate", fields).status == 422
    assert stored_rows(client) == before


def test_prediction_of_the_asked_item_is_not_shown(client, browser):
    for value in (6, -6, 5):
        screen = browser.rate(value)
        assert screen.asked_item not in screen.suggested_items
    wanted = screen.suggested_items[0]
    screen = browser.get(f"/?item={wanted}")
    assert screen.asked_item == wanted
    assert wanted not in screen.suggested_items
    user = browser.export()["user"]
    body = client.call("POST", "/predictions", json={"user": user, "items": [int(wanted)]})
    guess = f"{body['items'][0]['prediction']:+.2f}".replace("-", "−")
    item_part = screen.html.partition('<section class="best"')[0]
    assert f">{guess}<" not in item_part
    assert browser.get("/").asked_item not in browser.export()["shown_predictions"]


def test_shown_prediction_is_stored_with_the_rating(client, browser):
    for value in (6, -6, 5):
        screen = browser.rate(value)
    wanted, asked = screen.suggested_items[1], screen.asked_item
    user = browser.export()["user"]
    body = client.call("POST", "/predictions", json={"user": user, "items": [int(wanted)]})["items"][0]
    browser.rate(3, asked)
    body = client.call("POST", "/predictions", json={"user": user, "items": [int(wanted)]})["items"][0]
    browser.rate(4, wanted)
    shown = {row.item: row.shown_prediction for row in stored_rows(client, user)}
    assert shown[asked] is None
    assert shown[wanted] is not None
    listed = {str(one["item"]): one["shown_prediction"] for one in browser.export()["ratings"]}
    assert listed == shown
    if wanted in screen.suggested_items:
        assert shown[wanted] == pytest.approx(body["prediction"])


def test_item_page_counts_as_shown(client, browser):
    browser.rate(6)
    screen = browser.rate(-6)
    other = next(
        str(one["item"])
        for one in client.get("/items")["items"]
        if str(one["item"])
        not in {*screen.suggested_items, *browser.export()["shown_predictions"], screen.asked_item}
        and str(one["item"]) not in {str(r["item"]) for r in browser.export()["ratings"]}
    )
    about = browser.get(f"/item?item={other}")
    assert re.search(r"We guess [+−]\d\.\d", about.text)
    assert "What the guess is made of" in about.text
    assert len(about.suggested_items) == 6  # what is like it
    alike = client.get(f"/similar?item={other}&n=6")["items"]
    assert about.suggested_items == [str(one["item"]) for one in alike if one["similarity"] > 0]
    browser.rate(1, other)
    assert next(
        row.shown_prediction
        for row in stored_rows(client)
        if row.user == str(browser.export()["user"]) and row.item == other
    )


def test_skip_undo_change_and_unskip(client, browser):
    first = browser.get()
    fields = first.form("/rate")
    skipped = browser.send("/skip", fields)
    assert "Skipped" in skipped.text
    assert skipped.asked_item != first.asked_item
    assert browser.export()["skipped_items"] == [first.asked_item]
    assert browser.get().asked_item != first.asked_item
    back = browser.send("/restore", skipped.form("/restore"))
    assert back.asked_item == first.asked_item
    assert browser.export()["skipped_items"] == []
    done = browser.rate(3, first.asked_item)
    undone = browser.send("/undo", done.form("/undo"))
    assert undone.asked_item == first.asked_item
    assert browser.export()["ratings"] == []
    browser.rate(3, first.asked_item)
    changed = browser.rate(-2, first.asked_item)
    assert changed.form("/undo")["previous"] == "3.0"
    browser.send("/undo", changed.form("/undo"))
    assert [one["value"] for one in browser.export()["ratings"]] == [3.0]
    mine = browser.get("/mine")
    assert "+3.00" in mine.text
    browser.send("/undo", mine.form("/undo", item=first.asked_item))
    assert browser.export()["ratings"] == []


def test_every_item_can_be_rated_or_skipped(browser):
    seen = set()
    for number in range(60):
        screen = browser.get()
        if not screen.has_form("/rate"):
            break
        assert screen.asked_item not in seen
        seen.add(screen.asked_item)
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
    hidden = (browser.get().asked_item, *browser.get().suggested_items)
    browser = Browser(make_client(excluded_items=hidden).inner)
    assert browser.get().asked_item not in hidden
    for value in (6, -6, 5, 4):
        screen = browser.rate(value)
        assert screen.asked_item not in hidden
        assert not set(screen.suggested_items) & set(hidden)
        about = browser.get(f"/item?item={screen.suggested_items[0]}")
        assert not set(about.suggested_items) & set(hidden)
    for path in (f"/?item={hidden[0]}", f"/item?item={hidden[0]}", "/item?item=no", "/?item=7777"):
        assert browser.get(path).status in (404, 422)
    fields = screen.form("/rate") | {"item": hidden[0], "value": "1"}
    assert browser.send("/rate", fields).status == 404
    assert hidden[0] not in {str(one["item"]) for one in browser.export()["ratings"]}


def test_visitor_deletes_own_data(client, browser):
    browser.rate(6)
    screen = browser.rate(-6)
    browser.send("/skip", screen.form("/rate"))
    user = browser.export()["user"]
    assert len(client.get(f"/users?user={user}")["ratings"]) == 2
    mine = browser.get("/mine")
    gone = browser.send("/forget", mine.form("/forget"))
    assert "All is deleted: 2 ratings" in gone.text
    assert not browser.client.cookies
    assert stored_rows(client, user) == []
    store = client.inner.app.state.app_state.database
    with store.read_connection() as connection:
        assert connection.execute(sa.select(visitors)).all() == []
        assert rating_store.get_user_ratings(connection, str(user)) == []
    assert browser.export() == {"user": None, "ratings": [], "skipped_items": [], "shown_predictions": {}}


def test_operator_deletes_a_visitor_like_any_user(client, browser):
    browser.rate(6)
    user = browser.export()["user"]
    assert client.call("DELETE", f"/users?user={user}")["n_ratings"] == 1
    assert browser.export()["user"] is None
    browser.rate(5)
    assert browser.export()["user"] != user


def test_long_titles_are_text_and_not_headings(browse_other_service, ratings):
    titles = np.full(len(ratings.items), "A line.\nAnd another, " + "very " * 30 + "long.", object)
    browser = browse_other_service(ratings, ItemCatalog(ratings.items, {"title": titles}, "title"))
    screen = browser.rate(6)
    assert f">Item {screen.asked_item}</h2>" in screen.html
    assert '<p class="text">A line.\nAnd another' in screen.html
    assert "very long.</a>" not in screen.html  # cut in lists


def test_text_ids_with_special_characters(browse_other_service, ratings):
    items = [f"a/b&c=?#{item} 'x'" for item in ratings.item_ids]
    texts = Ratings.from_columns([f"ü{user}" for user in ratings.user_ids], items, ratings.value)
    browser = browse_other_service(texts)
    for value in (3, -3, 2):
        screen = browser.send("/rate", browser.get().form("/rate") | {"value": str(value)})
        assert screen.status == 200
    assert browser.export()["user"].startswith("visitor-")
    links = [link for link in screen.links if link.startswith("/item")]
    assert browser.get(links[0]).status == 200
    asked = screen.asked_item
    assert browser.send("/skip", screen.form("/rate")).status == 200
    assert browser.export()["skipped_items"] == [asked]


def test_model_without_fold_in(browse_other_service, ratings):
    browser = browse_other_service(ratings, model=Blend(models=[Bias(), NormalRandom()]))
    assert browser.get().status == 200
    browser.rate(1)
    screen = browser.rate(2)
    assert "This model does not know you yet" in screen.text
    assert screen.status == 200
    assert browser.get(f"/item?item={screen.suggested_items[0]}").status == 200


def test_hidden_items_come_from_a_file(service_folder, tmp_path, ratings):
    store = bootstrap.open_database(Settings(str(service_folder)))
    first, second = (int(item) for item in list(ratings.items)[:2])
    path = tmp_path / "ids.txt"
    path.write_text(f"\ufeff{first}\n\n  {second} \n{first}\n", encoding="utf-8")
    assert bootstrap.read_excluded_items(store, str(path)) == (str(first), str(second))
    for text, error, words in (
        ("7777", NotFoundError, "line 1: there is no item '7777'"),
        (f"{first}\nseven", DataError, "line 2: item ids of these ratings are integers"),
    ):
        path.write_text(text)
        with pytest.raises(error, match=re.escape(f"{path}, {words}")):
            bootstrap.read_excluded_items(store, str(path))
    path.write_bytes(b"\xff\xfe1")
    with pytest.raises(DataError, match="is not UTF-8 text"):
        bootstrap.read_excluded_items(store, str(path))
    with pytest.raises(NotFoundError, match="cannot read"):
        bootstrap.read_excluded_items(store, str(tmp_path / "nothing.txt"))
    store.close()


@pytest.mark.nightly
def test_serve_excludes_items_and_prints_the_page_address(start, tmp_path, ratings):
    import httpx2

    item = int(next(iter(ratings.items)))
    path = tmp_path / "ids.txt"
    path.write_text(str(item))
    service = start("--exclude-items", str(path))
    assert httpx2.get(f"{service.url}/").status_code == 200
    assert httpx2.get(f"{service.url}/item?item={item}").status_code == 404
    assert any("rating page" in line for line in service.lines)
    service.stop()
    without = start("--web", "off")
    assert httpx2.get(f"{without.url}/").json()["ok"] is False
    assert not any("rating page" in line for line in without.lines)


@pytest.mark.postgres
def test_visitors_in_postgres(postgres_settings, ratings):
    key = prepare_service(postgres_settings, ratings.replace(scale=(-8.0, 8.0)))
    with TestClient(create_app(postgres_settings), base_url="http://127.0.0.1") as inner:
        browser = Browser(inner)
        for value in (6, -6, 5):
            screen = browser.rate(value)
        browser.send("/skip", screen.form("/rate"))
        kept = browser.export()
        assert len(kept["ratings"]) == 3
        assert len(kept["skipped_items"]) == 1
        assert len(kept["shown_predictions"]) >= 5
        assert browser.sign_in(key).status == 200
        assert "Signed in" in browser.get("/admin").text
        mine = browser.get("/mine")
        assert "All is deleted" in browser.send("/forget", mine.form("/forget")).text
