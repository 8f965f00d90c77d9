"""A browser without a display: keeps cookies, parses forms from pages, and sends them like a browser."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urlencode

import sqlalchemy as sa

from foretaste.service.db.schema import ratings as ratings_table

SAME_ORIGIN = {"Origin": "http://127.0.0.1", "Sec-Fetch-Site": "same-origin"}


class _Forms(HTMLParser):
    """Collects forms, with the fields that a browser without script would send."""

    def __init__(self) -> None:
        super().__init__()
        self.forms: list[dict[str, Any]] = []
        self.links: list[str] = []
        self._hidden = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "template":
            self._hidden += 1
        elif self._hidden:
            return
        elif tag == "form":
            self.forms.append({"action": given["action"], "method": given.get("method"), "fields": {}})
        elif tag == "a":
            self.links.append(given.get("href") or "")
        elif tag == "input" and self.forms and given.get("name"):
            if given.get("type") == "radio" and "checked" not in given:
                return
            self.forms[-1]["fields"][given["name"]] = given.get("value") or ""

    def handle_endtag(self, tag: str) -> None:
        if tag == "template":
            self._hidden -= 1


class Screen:
    """A page that was answered."""

    def __init__(self, response: Any) -> None:
        self.response, self.status, self.html = response, response.status_code, response.text
        self._read = _Forms()
        self._read.feed(self.html)
        self.links = self._read.links
        self.text = " ".join(re.sub(r"<[^>]+>", " ", self.html).split())

    def form(self, action: str, **wanted: str) -> dict[str, str]:
        """Return the fields of the first form that is sent to an address and has some values."""
        for form in self._read.forms:
            fields = form["fields"]
            if form["action"] == action and all(fields.get(name) == value for name, value in wanted.items()):
                assert form["method"] == "post"
                return dict(fields)
        raise AssertionError(f"no form for {action} in {[form['action'] for form in self._read.forms]}")

    def has_form(self, action: str) -> bool:
        """Whether a form is sent to an address."""
        return any(form["action"] == action for form in self._read.forms)

    @property
    def asked_item(self) -> str:
        """The item that is asked about."""
        return self.form("/rate")["item"]

    @property
    def suggested_items(self) -> list[str]:
        """The items that are suggested, in their order."""
        found = re.findall(r'class="line"><a href="/item\?item=([^"]+)"', self.html)
        return list(found)


class Browser:
    """Goes through pages; each has a jar of cookies of its own."""

    def __init__(self, client: Any) -> None:
        self.client = client
        self.client.cookies.clear()

    def get(self, path: str = "/", **headers: str) -> Screen:
        """Open a page."""
        return Screen(self.client.get(path, headers=headers))

    def send(self, path: str, fields: dict[str, str], headers: dict[str, str] | None = None) -> Screen:
        """Send a form; ``headers`` replace those by which browsers say which page sent it."""
        form_type = {"Content-Type": "application/x-www-form-urlencoded"}  # also without any fields
        sent = form_type | (SAME_ORIGIN if headers is None else headers)
        return Screen(self.client.post(path, content=urlencode(fields), headers=sent))

    def rate(self, value: float | str, item: str | None = None) -> Screen:
        """Rate the item that is asked about, or another."""
        screen = self.get("/" if item is None else f"/?item={item}")
        return self.send("/rate", screen.form("/rate") | {"value": str(value)})

    def export(self) -> dict[str, Any]:
        """Return the visitor's exported data."""
        found: dict[str, Any] = json.loads(self.client.get("/mine.json").text)
        return found

    def sign_in(self, key: str) -> Screen:
        """Sign in as an administrator."""
        return self.send("/admin/sign-in", self.get("/admin").form("/admin/sign-in") | {"key": key})


def stored_rows(client: Any, user: Any = None) -> list[Any]:
    """Return the ratings in the database, of one user or of all."""
    store = client.inner.app.state.app_state.database
    query = sa.select(*(ratings_table.c[name] for name in ("user", "item", "value", "shown_prediction")))
    with store.read_connection() as connection:
        found = connection.execute(query).all()
    return [row for row in found if user is None or row.user == str(user)]
