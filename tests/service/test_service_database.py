"""The service's database, SQLite and PostgreSQL: round trips and consistency."""

from __future__ import annotations

import dataclasses
import threading
import time

import numpy as np
import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from foretaste.errors import DataError, InvalidParameterError, MissingDependencyError, NotFoundError
from foretaste.features import ItemCatalog
from foretaste.fingerprint import fingerprint
from foretaste.ids import IdIndex
from foretaste.ratings import Ratings
from foretaste.service import api_keys, bootstrap
from foretaste.service.db import model_store, rating_store
from foretaste.service.db.database import Database, DatabaseUnavailableError, StorageFullError
from foretaste.service.db.rating_store import StoredRating
from foretaste.service.db.schema import metadata
from foretaste.service.id_codec import IdCodec, check_id_text
from foretaste.service.response_cache import cache_version

TEXTS = Ratings.from_columns(
    ["ü 1", "ü 1", "Ω/?&#", "O'Brien; DROP TABLE ratings"], ["a", "b%_", "a", "c\\"], [0.9, 5, 1, 0],
    scale=(0, 5),
)  # fmt: skip


def column(texts):
    made = np.empty(len(texts), object)
    made[:] = texts
    return made


def titles(*pairs):
    ids, texts = zip(*sorted(pairs), strict=True)
    return ItemCatalog(IdIndex(column(ids)), {"title": column(texts)}, "title")


def test_schema_equals_the_migrations(store):
    with store.read_connection() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []


def test_migrating_again_changes_nothing(store):
    store.migrate()
    assert store.is_ready()


def test_a_newer_database_is_refused(store):
    with store.write_transaction() as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(DataError, match="newer"):
        store.migrate()
    assert not store.is_ready()


@pytest.mark.parametrize("given", ["numbers", "texts", "timed"])
def test_ratings_round_trip(store, ratings, given):
    if given == "texts":
        ratings = TEXTS
    if given == "timed":
        ratings = ratings.replace(timestamp=np.arange(len(ratings), dtype=np.int64))
    bootstrap.fill_database(store, ratings, None, "given")
    found = rating_store.load_training_ratings(store)
    assert fingerprint(found) == fingerprint(ratings)
    assert found.scale == ratings.scale
    assert found.users == ratings.users
    assert rating_store.load_id_codec(store).user_dtype == ratings.users.dtype
    assert bootstrap.dataset_name(store) == "given"


def test_values_are_stored_exactly(store):
    bootstrap.fill_database(store, TEXTS, None, "given")
    with store.read_connection() as connection:
        assert [one.value for one in rating_store.get_user_ratings(connection, "ü 1")] == [0.9, 5.0]


def test_empty_database_raises(store):
    with pytest.raises(DataError, match="no ratings"):
        rating_store.load_id_codec(store)


def test_put_is_idempotent_and_changes_the_cache_version(store):
    bootstrap.fill_database(store, TEXTS, None, "given")

    def current_version():
        with store.read_connection() as connection:
            return cache_version(connection, "new")

    def put(value, at):
        with store.write_transaction() as connection:
            return rating_store.put_rating(connection, "new", StoredRating("a", value, at, None))

    before = current_version()
    assert put(2.5, 100) == (True, True)
    first = current_version()
    assert first != before
    assert put(2.5, 200) == (False, False)
    assert current_version() == first
    assert put(3.5, 300) == (False, True)
    assert current_version().user_version > first.user_version
    with store.read_connection() as connection:
        assert rating_store.get_user_ratings(connection, "new") == [StoredRating("a", 3.5, 300, None)]


def test_repeated_rating_keeps_its_timestamp(store):
    bootstrap.fill_database(store, TEXTS, None, "given")
    for at in (100, 200):
        with store.write_transaction() as connection:
            rating_store.put_rating(connection, "new", StoredRating("a", 2.5, at, 1.5))
    with store.read_connection() as connection:
        assert rating_store.get_user_ratings(connection, "new") == [StoredRating("a", 2.5, 100, 1.5)]


def test_ratings_with_a_shown_prediction_are_not_training_data(store):
    bootstrap.fill_database(store, TEXTS, None, "given")
    with store.write_transaction() as connection:
        rating_store.put_rating(connection, "new", StoredRating("a", 2.5, 100, 1.5))
        rating_store.put_rating(connection, "new", StoredRating("b%_", 3.5, 100, None))
        rating_store.put_rating(connection, "ü 1", StoredRating("a", 2.0, 100, 0.0))
    found = rating_store.load_training_ratings(store)
    assert len(found) == len(TEXTS)  # one more of each kind
    pairs = set(zip(found.user_ids.tolist(), found.item_ids.tolist(), strict=True))
    assert ("new", "b%_") in pairs
    assert not pairs & {("new", "a"), ("ü 1", "a")}
    with store.read_connection() as connection:
        assert rating_store.count_excluded_ratings(connection) == 2
    with store.write_transaction() as connection:
        connection.execute(sa.text("UPDATE ratings SET shown_prediction = 1"))
    with pytest.raises(DataError, match="followed a shown prediction"):
        rating_store.load_training_ratings(store)


def test_delete_rating_and_delete_user(store):
    bootstrap.fill_database(store, TEXTS, None, "given")
    with store.write_transaction() as connection:
        assert rating_store.delete_rating(connection, "ü 1", "a")
        assert not rating_store.delete_rating(connection, "ü 1", "a")
    with store.read_connection() as connection:
        before = cache_version(connection, "ü 1")
    with store.write_transaction() as connection:
        assert rating_store.delete_user(connection, "ü 1") == 1
    with store.read_connection() as connection:
        assert rating_store.get_user_ratings(connection, "ü 1") == []
        after = cache_version(connection, "ü 1")
        assert (after.user_version, after.deletion_count) == (0, before.deletion_count + 1)
        assert len(rating_store.get_user_ratings(connection, "Ω/?&#")) == 1
        mentions = [
            connection.execute(sa.select(sa.func.count()).select_from(t).where(t.c.user == "ü 1")).scalar()
            for t in (metadata.tables["user_versions"], metadata.tables["ratings"])
        ]
    assert mentions == [0, 0]


def test_concurrent_deletions_are_all_counted(store):
    bootstrap.fill_database(store, TEXTS, None, "given")
    together, failed = threading.Barrier(4), []

    def erase(user):
        try:
            together.wait(10)
            for _ in range(5):
                with store.write_transaction() as connection:
                    rating_store.delete_user(connection, user)
        except Exception as error:
            failed.append(error)

    threads = [threading.Thread(target=erase, args=(user,)) for user in ("a", "b", "c", "ü 1")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert failed == []
    with store.read_connection() as connection:
        assert cache_version(connection, "a").deletion_count == 20


def row(name):
    return {
        "file": name, "sha256": name, "spec": {}, "origin": "trained", "n_ratings": 1, "checks": {},
    }  # fmt: skip


def test_roll_backs_go_in_order_and_ids_are_never_reused(store):
    with store.write_transaction() as connection:
        numbers = [model_store.add_model(connection, row(name)) for name in "abc"]
        seen = [model_store.activate_model(connection, number, "chosen") for number in numbers]
        with pytest.raises(InvalidParameterError, match="is active"):
            model_store.delete_model(connection, numbers[2])
        model_store.delete_model(connection, numbers[1])
        seen.append(model_store.get_active_model(connection)[0])
    with store.write_transaction() as connection:
        assert model_store.roll_back(connection) == numbers[0]
        seen.append(model_store.get_active_model(connection)[0])
        seen.append(model_store.activate_model(connection, numbers[2], "chosen"))
        model_store.roll_back(connection)
        model_store.delete_model(connection, numbers[2])  # the one with the greatest number
        seen.append(model_store.get_active_model(connection)[0])
        assert model_store.get_active_model(connection)[1].id == numbers[0]
        with pytest.raises(InvalidParameterError, match="no previous model"):
            model_store.roll_back(connection)
        assert model_store.add_model(connection, row("d")) > numbers[2]
    assert len(set(seen)) == len(seen)
    assert seen == sorted(seen)


@pytest.mark.postgres
def test_model_deletion_waits_for_activation(postgres_settings):
    store = bootstrap.open_database(postgres_settings)
    with store.write_transaction() as connection:
        first, second = (model_store.add_model(connection, row(name)) for name in "ab")
        model_store.activate_model(connection, first, "first")
    said = []

    def remove():
        try:
            with store.write_transaction() as connection:
                model_store.delete_model(connection, second)
        except InvalidParameterError as error:
            said.append(error.message)

    with store.write_transaction() as connection:
        model_store.activate_model(connection, second, "chosen")
        thread = threading.Thread(target=remove)
        thread.start()
        thread.join(0.5)
        assert thread.is_alive()  # it waits for the end of this transaction
    thread.join(30)
    assert said == ["this model is active; activate another one first"]
    store.close()


def test_failed_transaction_is_rolled_back(store):
    bootstrap.fill_database(store, TEXTS, None, "given")

    def failing():
        with store.write_transaction() as connection:
            rating_store.put_rating(connection, "new", StoredRating("a", 2.5, 1, None))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        failing()
    with store.read_connection() as connection:
        assert rating_store.get_user_ratings(connection, "new") == []


def test_search_treats_wildcards_literally(store):
    named = titles(("a", "Straße 100%"), ("b%_", "A_B c"), ("d", "nobody rated this"))
    bootstrap.fill_database(store, TEXTS, named, "given")

    def found(words, after=-1, limit=10):
        with store.read_connection() as connection:
            return [row[1] for row in rating_store.search_items(connection, words, after, limit)]

    assert found("") == ["a", "b%_", "c\\", "d"]
    assert found("STRASSE") == ["a"]
    assert found("100%") == ["a"]
    assert found("%") == ["a", "b%_"]
    assert found("_") == ["b%_"]
    assert found("\\") == ["c\\"]
    assert found("this nobody") == ["d"]
    assert found("", after=1, limit=1) == ["c\\"]
    assert found("' OR 1=1 --") == []


def test_titles_with_ids_of_another_type_raise(store):
    other = ItemCatalog(IdIndex(np.array([1, 2])), {"title": column(["x", "y"])}, "title")
    with pytest.raises(InvalidParameterError, match="str in the ratings and int in the titles"):
        bootstrap.fill_database(store, TEXTS, other, "given")


@pytest.mark.parametrize("id_", ["", "a\x00b", "a\nb", "x" * 201, "\ud800"])
def test_unstorable_ids_raise(id_):
    with pytest.raises(DataError, match="item id"):
        check_id_text(id_, "item")


def test_id_codec_round_trips():
    kinds = IdCodec("int", "str", 1, 5)
    assert kinds.to_text(7, "user") == kinds.to_text("7", "user") == "7"
    assert kinds.to_text(-7, "user") == "-7"
    assert kinds.from_text("-7", "user") == -7
    assert kinds.to_text(7, "item") == "7"
    assert kinds.from_text("7", "item") == "7"
    for wrong in ("x", "07", "-0", "7.0", " 7", "٧", "9" * 19):
        with pytest.raises(DataError, match="integers"):
            kinds.to_text(wrong, "user")


def test_keys_are_stored_as_digests(store):
    with store.write_transaction() as connection:
        key, known = api_keys.create_key(connection, "shop", "write")
    assert len(key.removeprefix("foretaste_")) == 64
    with store.read_connection() as connection:
        rows = connection.execute(sa.select(metadata.tables["keys"])).all()
    assert api_keys.hash_token(key) in rows[0]
    assert key not in repr(rows)
    ring = api_keys.Keyring(store)
    assert ring.lookup(key) == known
    assert ring.lookup(key + "0") is None
    assert [known.allows(role) for role in api_keys.ROLES] == [True, True, False]
    with store.write_transaction() as connection:
        api_keys.revoke_key(connection, known.id)
    assert ring.get_cached(key) == known  # for two seconds, without asking
    ring.clear()
    assert ring.lookup(key) is None


def test_cached_key_expires(store):
    with store.write_transaction() as connection:
        key, known = api_keys.create_key(connection, "shop", "write")
    keyring = api_keys.Keyring(store, trust_seconds=0.2)
    assert keyring.lookup(key) == known
    with store.write_transaction() as connection:
        api_keys.revoke_key(connection, known.id)
    assert keyring.get_cached(key) == known
    time.sleep(0.2)
    assert keyring.get_cached(key) is None
    assert keyring.was_valid(key)
    assert keyring.lookup(key) is None
    assert not keyring.was_valid(key)


def test_invalid_key_operations_raise(store):
    with store.write_transaction() as connection:
        _, admin = api_keys.create_key(connection, "first", "admin")
        with pytest.raises(InvalidParameterError, match='role="owner"'):
            api_keys.create_key(connection, "shop", "owner")
        with pytest.raises(InvalidParameterError, match="last admin"):
            api_keys.revoke_key(connection, admin.id)
        with pytest.raises(NotFoundError, match="no key 99"):
            api_keys.revoke_key(connection, 99)
        api_keys.create_key(connection, "second", "admin")
        api_keys.revoke_key(connection, admin.id)
        assert (
            dataclasses.replace(admin, revoked_at=api_keys.list_keys(connection)[0].revoked_at)
            == api_keys.list_keys(connection)[0]
        )


# Databases that cannot --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "kind", "words"),
    [
        ("nonsense", InvalidParameterError, "not valid"),
        ("mysql://u:secret@127.0.0.1/x", InvalidParameterError, "not mysql"),
        ("postgresql+pg8000://u:secret@127.0.0.1/x", MissingDependencyError, "driver pg8000"),
    ],
)
def test_unsupported_databases_raise(url, kind, words):
    with pytest.raises(kind, match=words) as caught:
        Database(url)
    assert "secret" not in str(caught.value)


def test_unreachable_server_raises():
    store = Database("postgresql://nobody:secret@127.0.0.1:1/none")
    with pytest.raises(DatabaseUnavailableError, match="does not respond") as caught, store.read_connection():
        pass
    assert "secret" not in str(caught.value)


def test_full_disk_raises_and_stores_nothing(tmp_path):
    from foretaste.service.settings import Settings

    store = bootstrap.open_database(Settings(str(tmp_path / "full")))
    bootstrap.fill_database(store, TEXTS, None, "given")
    with store.write_transaction() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar()
        connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")
    stored = 0

    def fill_up():
        nonlocal stored
        for number in range(10_000):
            with store.write_transaction() as connection:
                rating_store.put_rating(
                    connection, "full" * 40 + str(number), StoredRating("a", 1.0, 1, None)
                )
            stored += 1

    with pytest.raises(StorageFullError, match="disk is full"):
        fill_up()
    with store.read_connection() as connection:
        kept = connection.execute(sa.text("SELECT count(*) FROM ratings WHERE user LIKE 'full%'")).scalar()
    assert kept == stored > 0
    store.close()


def test_commits_are_durable(tmp_path):
    from foretaste.service.settings import Settings

    store = bootstrap.open_database(Settings(str(tmp_path / "durable")))
    with store.read_connection() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2
        assert connection.exec_driver_sql("PRAGMA secure_delete").scalar() == 1
    store.close()
