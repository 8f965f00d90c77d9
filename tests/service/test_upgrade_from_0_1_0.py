"""A service of version 0.1.0, with all that was in its database, is served by this version.

``data/0.1.0/service`` is the folder of a real one with SQLite; ``data/0.1.0/service_postgres.sql`` the dump
of another with PostgreSQL, its model files in ``service_postgres``. ``facts.json`` beside each says what was
in the tables and what 0.1.0 answered.
"""

from __future__ import annotations

import json
import shutil
import time
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from starlette.testclient import TestClient

from foretaste.models.spec import as_spec
from foretaste.persistence import load
from foretaste.service.app import create_app
from foretaste.service.bootstrap import open_database
from foretaste.service.settings import Settings

DATA = Path(__file__).parents[1] / "data" / "0.1.0"
OLD_REVISION = "0001"

# Table of 0.1.0 -> table of now, and the columns that have another name.
TABLES: dict[str, tuple[str, dict[str, str]]] = {
    "facts": ("settings", {}),
    "items": ("items", {"place": "position", "searched": "search_text"}),
    "people": ("user_versions", {}),
    "ratings": ("ratings", {"shown": "shown_prediction"}),
    "visitors": (
        "visitors",
        {"made_at": "created_at", "skipped": "skipped_items", "shown": "shown_predictions"},
    ),
    "keys": ("keys", {"number": "id", "made_at": "created_at"}),
    "sessions": ("sessions", {"key": "key_id", "made_at": "created_at", "ends_at": "expires_at"}),
    "models": ("models", {"number": "id", "made_at": "created_at", "ratings": "n_ratings"}),
    "activations": ("activations", {"number": "id", "model": "model_id", "at": "created_at"}),
    "jobs": (
        "jobs",
        {
            "number": "id", "seen_at": "heartbeat_at", "ended_at": "finished_at",
            "cancel": "cancel_requested", "model": "model_id",
        },
    ),
}  # fmt: skip
PRIMARY_KEYS = {
    "facts": ("name",), "items": ("item",), "people": ("user",), "ratings": ("user", "item"),
    "visitors": ("user",), "keys": ("number",), "sessions": ("sha256",), "models": ("number",),
    "activations": ("number",), "jobs": ("number",),
}  # fmt: skip
SETTINGS = {
    "user_kind": "user_dtype", "item_kind": "item_dtype", "erasures": "deletion_count",
    "page_secret": "cookie_secret",
}  # fmt: skip
SETTING_VALUES = {"number": "int", "text": "str"}  # of user_kind and item_kind
REWRITTEN_SETTINGS = {"audit"}  # dropped, or with other keys inside: the page for administrators shows it
CHECKS = {
    "held_out": "n_test", "rmse_of_the_mean": "rmse_global_mean", "rmse_of_the_active": "rmse_active_spec",
    "compared_with": "n_compared", "items_known": "n_known_items",
}  # fmt: skip
JOB_STATES = {"refused": "rejected"}


class Upgraded:
    """A service of 0.1.0, taken over: settings, what was recorded, a database brought up to date."""

    def __init__(self, settings: Settings, recorded: dict[str, Any]) -> None:
        self.settings, self.recorded = settings, recorded
        open_database(settings).close()
        self.engine = sa.create_engine(settings.database_url)

    def rows(self, table: str) -> list[dict[str, Any]]:
        """Return the rows of a table, by the name that it had."""
        name = TABLES[table][0]
        with self.engine.connect() as connection:
            return [dict(row._mapping) for row in connection.exec_driver_sql(f"SELECT * FROM {name}")]


@pytest.fixture
def sqlite_upgraded(tmp_path):
    """Return the service with SQLite, of which only this test has a copy."""
    shutil.copytree(DATA / "service", tmp_path / "folder")
    return Settings(str(tmp_path / "folder")), recorded_of("service")


def recorded_of(name: str) -> dict[str, Any]:
    return json.loads((DATA / name / "facts.json").read_text(encoding="utf-8"))


@pytest.fixture
def postgres_upgraded(postgres_settings):
    """Return the service with PostgreSQL, the dump of its database in a new one."""
    shutil.copytree(DATA / "service_postgres" / "models", postgres_settings.models_dir)
    engine = sa.create_engine(postgres_settings.database_url)
    with engine.begin() as connection:  # by the driver itself, which takes many statements, and % as it is
        driver: Any = connection.connection.driver_connection
        driver.execute((DATA / "service_postgres.sql").read_text(encoding="utf-8"))
    engine.dispose()
    return postgres_settings, recorded_of("service_postgres")


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def upgraded(request):
    """Return a service of 0.1.0 of either kind, its database brought up to date."""
    service = Upgraded(*request.getfixturevalue(f"{request.param}_upgraded"))
    yield service
    service.engine.dispose()


@pytest.fixture
def client(upgraded):
    """Return a client of the service as this version serves it."""
    with TestClient(create_app(upgraded.settings), base_url="http://127.0.0.1") as client:
        yield client


@pytest.fixture
def ask(client, upgraded):
    """Return a function that asks with one of the old keys, and returns the data of a successful answer."""

    def ask(method: str, path: str, key: str = "admin", **options: Any) -> Any:
        headers = {"Authorization": f"Bearer {upgraded.recorded['keys'][key]}"}
        answer = client.request(method, f"/api/v1{path}", headers=headers, **options)
        assert answer.status_code in (200, 201, 202), answer.text
        return answer.json()["data"]

    return ask


def expected_row(table: str, old: dict[str, Any]) -> dict[str, Any]:
    """Return a row as it must be now."""
    renamed = TABLES[table][1]
    row = {renamed.get(name, name): value for name, value in old.items() if name != "new_spec"}
    if "new_spec" in old:
        row["spec"] = old["new_spec"]
    if table == "models":
        row["checks"] = {CHECKS.get(name, name): value for name, value in json.loads(row["checks"]).items()}
    if table == "jobs":
        row["state"] = JOB_STATES.get(row["state"], row["state"])
    if table == "facts":
        if row["name"] in ("user_kind", "item_kind"):
            row["value"] = SETTING_VALUES.get(row["value"], row["value"])
        row["name"] = SETTINGS.get(row["name"], row["name"])
    return row


def comparable(table: str, row: dict[str, Any]) -> dict[str, Any]:
    """Return a row of the database with JSON read and truth values as such."""
    row = dict(row)
    for name in ("spec", "checks"):
        if isinstance(row.get(name), str):
            row[name] = json.loads(row[name])
    cancel = TABLES["jobs"][1].get("cancel", "cancel")
    if table == "jobs":
        row[cancel] = bool(row[cancel])
    return row


# The database -------------------------------------------------------------------------------------------


def test_the_database_is_brought_up_to_date_once(upgraded):
    with upgraded.engine.connect() as connection:
        revision = connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar()
    assert upgraded.recorded["revision"] == OLD_REVISION
    assert revision != OLD_REVISION
    open_database(upgraded.settings).close()
    with upgraded.engine.connect() as connection:
        again = connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar()
    assert again == revision


def test_tables_and_columns_have_the_names_of_now(upgraded):
    inspector = sa.inspect(upgraded.engine)
    assert set(inspector.get_table_names()) == {new for new, _ in TABLES.values()} | {"alembic_version"}
    for old, (new, renamed) in TABLES.items():
        known = {renamed.get(name, name) for name in upgraded.recorded["tables"][old]["rows"][0]} - {
            "new_spec"
        }
        assert {column["name"] for column in inspector.get_columns(new)} == known


@pytest.mark.parametrize("table", TABLES)
def test_every_row_is_there_under_its_new_names(upgraded, table):
    recorded = upgraded.recorded["tables"][table]
    keys = [TABLES[table][1].get(name, name) for name in PRIMARY_KEYS[table]]
    found = {tuple(row[key] for key in keys): comparable(table, row) for row in upgraded.rows(table)}
    if table == "facts":
        recorded = recorded | {"rows": [r for r in recorded["rows"] if r["name"] not in REWRITTEN_SETTINGS]}
        assert recorded["count"] - len(REWRITTEN_SETTINGS) <= len(found) <= recorded["count"]
    else:
        assert len(found) == recorded["count"]
    for old in recorded["rows"]:
        row = expected_row(table, old)
        assert found[tuple(row[key] for key in keys)] == row


def test_no_rating_is_changed(upgraded):
    total = sum(row["value"] for row in upgraded.rows("ratings"))
    assert total == pytest.approx(upgraded.recorded["sum_of_ratings"])


def test_numbers_go_on_behind_those_there_are(upgraded, ask):
    made = ask("POST", "/keys", json={"name": "new", "role": "read"})
    assert made["id"] == 1 + max(row["number"] for row in upgraded.recorded["tables"]["keys"]["rows"])
    job = ask("POST", "/jobs", json={"model": "UserItemMean"})
    assert job["id"] == 1 + max(row["number"] for row in upgraded.recorded["tables"]["jobs"]["rows"])


# Models -------------------------------------------------------------------------------------------------


def test_every_model_loads_and_is_what_its_row_says(upgraded):
    number = TABLES["models"][1].get("number", "number")
    rows = {row[number]: comparable("models", row) for row in upgraded.rows("models")}
    assert set(upgraded.recorded["models_by_name"].values()) <= set(rows)
    for row in rows.values():
        assert as_spec(load(upgraded.settings.models_dir / row["file"])) == row["spec"]


def test_the_same_model_is_active_and_others_can_be_activated(upgraded, ask):
    models = {row["id"]: row for row in ask("GET", "/models")}
    assert [key for key, row in models.items() if row["is_active"]] == [upgraded.recorded["active_model"]]
    for old in upgraded.recorded["answers"]["models"]:
        assert models[old["number"]]["sha256"] == old["sha256"]
    blend = upgraded.recorded["models_by_name"]["blend"]
    ask("POST", f"/models/{blend}/activate")
    user = str(upgraded.recorded["users"][1])
    assert ask("GET", "/recommendations", params={"user": user})["model_id"] == blend
    assert ask("POST", "/models/rollback")["id"] == upgraded.recorded["active_model"]


def test_a_training_takes_the_settings_of_the_old_active_model(upgraded, ask):
    job = ask("POST", "/jobs", json={})
    rows = {row["number"]: row for row in upgraded.recorded["tables"]["models"]["rows"]}
    active = rows[upgraded.recorded["active_model"]]
    assert job["spec"] == expected_row("models", active)["spec"]
    end = time.monotonic() + 60
    while job["state"] == "running" and time.monotonic() < end:
        time.sleep(0.1)
        job = ask("GET", f"/jobs/{job['id']}")
    assert job["state"] == "done", job


# Answers ------------------------------------------------------------------------------------------------


def assert_same_predictions(found: dict[str, Any], old: dict[str, Any]) -> None:
    assert found["model_id"] == old["model"]
    assert found["n_ratings_used"] == old["ratings_used"]
    assert [one["item"] for one in found["items"]] == [one["item"] for one in old["items"]]
    assert [one["title"] for one in found["items"]] == [one["title"] for one in old["items"]]
    assert [one["prediction"] for one in found["items"]] == pytest.approx(
        [one["prediction"] for one in old["items"]], abs=1e-4
    )


def test_recommendations_and_predictions_are_those_of_0_1_0(upgraded, ask):
    old = upgraded.recorded["answers"]
    for user, expected in zip(upgraded.recorded["users"], old["recommendations"], strict=True):
        found = ask("GET", "/recommendations", "read", params={"user": str(user), "n": 5})
        assert_same_predictions(found, expected)
    asked = {
        "user": old["predictions"]["user"],
        "items": [one["item"] for one in old["predictions"]["items"]],
    }
    assert_same_predictions(ask("POST", "/predictions", "read", json=asked), old["predictions"])


def test_explanations_similar_items_and_the_next_item_are_those_of_0_1_0(upgraded, ask):
    old = upgraded.recorded["answers"]
    explained = old["explanation"]
    pair = {"user": str(explained["user"]), "item": str(explained["item"])}
    found = ask("GET", "/explanations", "read", params=pair)
    assert found["prediction"] == pytest.approx(explained["prediction"], abs=1e-4)
    assert [part["value"] for part in found["parts"]] == pytest.approx(
        [part["value"] for part in explained["parts"]], abs=1e-4
    )
    assert [one["item"] for one in found["reasons"]] == [one["item"] for one in explained["reasons"]]
    alike = ask("GET", "/similar", "read", params={"item": str(old["similar"]["item"]), "n": 4})
    assert [one["item"] for one in alike["items"]] == [one["item"] for one in old["similar"]["items"]]
    asked = ask("GET", "/next-item", "read", params={"user": str(old["question"]["user"])})
    assert (asked["item"], asked["n_answered"]) == (old["question"]["item"], old["question"]["answered"])


def test_ratings_and_items_are_listed_as_before(upgraded, ask):
    old, user = upgraded.recorded["answers"], str(upgraded.recorded["users"][1])
    assert ask("GET", "/ratings", "read", params={"user": user}) == old["ratings"]
    assert ask("GET", "/items", "read", params={"search": "part 1", "limit": 3}) == old["items"]
    export = ask("GET", "/users", params={"user": user})
    assert export["ratings"] == old["export"]["ratings"]
    assert export["model_ids"] == old["export"]["models"]


def test_ratings_can_be_put_and_deleted(upgraded, ask):
    user = upgraded.recorded["users"][1]
    item = ask("GET", "/recommendations", params={"user": str(user), "n": 1})["items"][0]["item"]
    ask("PUT", "/ratings", "write", json={"user": user, "item": item, "value": 4.0})
    after = ask("GET", "/recommendations", params={"user": str(user), "n": 20})["items"]
    assert item not in [one["item"] for one in after]
    assert ask("DELETE", "/ratings", "write", params={"user": str(user), "item": str(item)})["deleted"]
    assert_same_predictions(
        ask("GET", "/recommendations", params={"user": str(user), "n": 5}),
        upgraded.recorded["answers"]["recommendations"][1],
    )


# Keys, visitors, administrators -----------------------------------------------------------------------


def test_old_keys_may_do_what_they_could_and_revoked_ones_nothing(upgraded, client):
    def status(key: str, method: str, path: str) -> int:
        headers = {"Authorization": f"Bearer {upgraded.recorded['keys'][key]}"}
        return client.request(method, f"/api/v1{path}", headers=headers).status_code

    assert status("admin", "GET", "/models") == 200
    assert status("read", "GET", "/items") == 200
    assert status("read", "GET", "/models") == 403
    assert status("write", "GET", "/items") == 200
    assert status("revoked", "GET", "/items") == 401


@pytest.mark.parametrize("who", ["visitor", "skipper"])
def test_a_visitor_is_known_by_their_cookie(upgraded, client, who):
    for name, value in upgraded.recorded["cookies"][who].items():
        client.cookies.set(name, value)
    found, old = json.loads(client.get("/mine.json").text), upgraded.recorded[who]
    assert (found["user"], found["ratings"]) == (old["user"], old["ratings"])
    assert found["skipped_items"] == old["skipped"]
    assert found["shown_predictions"] == old["shown_predictions"]
    assert client.get("/").status_code == 200


def test_an_administrator_is_still_signed_in(upgraded, client):
    ends = TABLES["sessions"][1].get("ends_at", "ends_at")
    with upgraded.engine.begin() as connection:  # as if it were still the same day
        connection.exec_driver_sql(f"UPDATE sessions SET {ends} = {int(time.time()) + 3600}")
    for name, value in upgraded.recorded["cookies"]["admin"].items():
        client.cookies.set(name, value)
    page = client.get("/admin")
    assert page.status_code == 200
    assert 'action="/admin/sign-out"' in page.text


def test_hidden_items_stay_hidden(upgraded):
    hidden = tuple(upgraded.recorded["hidden"])
    settings = Settings(upgraded.settings.folder, upgraded.settings.database, excluded_items=hidden)
    with TestClient(create_app(settings), base_url="http://127.0.0.1") as client:
        for name, value in upgraded.recorded["cookies"]["visitor"].items():
            client.cookies.set(name, value)
        page = client.get("/").text
    assert all(f'/item?item={item}"' not in page for item in hidden)
