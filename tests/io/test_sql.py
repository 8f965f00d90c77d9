"""Databases: tables and queries as typed frames, read-only, without passwords in messages."""

from __future__ import annotations

import datetime as dt
import decimal
import logging
import os
import sqlite3
import sys
import uuid

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from foretaste.errors import (
    DataError,
    ForetasteError,
    InvalidParameterError,
    MissingDependencyError,
    NotEnoughMemoryError,
    NotFoundError,
)
from foretaste.io import sql_types
from foretaste.io.sql import is_database, mask_passwords, read_table
from foretaste.io.sql_types import collect_frame

sqlalchemy = pytest.importorskip("sqlalchemy", reason='needs pip install "foretaste[sql]"')

SQL = """
CREATE TABLE ratings (user INTEGER, item TEXT, rating REAL);
INSERT INTO ratings VALUES (1, '007', 3.5), (2, '8', NULL), (3, 'x', 4);
"""
FRAME = pl.DataFrame({"user": [1, 2, 3], "item": ["007", "8", "x"], "rating": [3.5, None, 4.0]})


@pytest.fixture
def database(tmp_path):
    def make(script: str = SQL, name: str = "shop.sqlite"):
        with sqlite3.connect(tmp_path / name) as connection:
            connection.executescript(script)
        connection.close()
        return tmp_path / name

    return make


@pytest.fixture
def said(caplog):
    caplog.set_level(logging.INFO, logger="foretaste")
    return lambda: [record.getMessage() for record in caplog.records]


def refused(source, kind: type[ForetasteError] = DataError, **options) -> ForetasteError:
    with pytest.raises(kind) as caught:
        read_table(source, **options)
    return caught.value


# Sources -------------------------------------------------------------------------------------------


def sources(path):
    engine = sqlalchemy.create_engine(f"sqlite+pysqlite:///{path}", poolclass=sqlalchemy.pool.NullPool)
    yield path
    yield str(path)
    yield f"sqlite:///{path}"
    yield f"sqlite+pysqlite:///{path}"
    yield path.read_bytes()
    connection = sqlite3.connect(path)
    yield connection
    connection.close()
    yield engine
    with engine.connect() as opened:
        yield opened
    engine.dispose()


def test_every_kind_of_database_source(database):
    for source in sources(database()):
        assert_frame_equal(read_table(source, table="ratings").frame, FRAME)
        assert_frame_equal(read_table(source, query="SELECT * FROM ratings WHERE user < 3;").frame, FRAME[:2])
        assert_frame_equal(read_table(source).frame, FRAME)


def test_table_names_and_row_labels(database):
    path = database()
    assert read_table(path, table="ratings").name == "shop.sqlite: table ratings"
    assert read_table(path, query="SELECT 1 AS a").name == "shop.sqlite: query"
    assert read_table(path).row_label(0) == "row 1"


def test_database_detection():
    for source in ("sqlite:///x", "postgresql+psycopg://h/d", sqlite3.connect(":memory:")):
        assert is_database(source)
    assert is_database(sqlalchemy.create_engine("sqlite://"))
    for source in ("ratings.csv", "C:/x.csv", b"SQLite format 3\0", FRAME, 7):
        assert not is_database(source)
    assert "int is not a database" in refused(7, InvalidParameterError).message


def test_path_with_url_characters(database, tmp_path):
    path = database(name="a b#c%20?mode=rwc.sqlite")
    assert_frame_equal(read_table(path).frame, FRAME)


def test_missing_files_are_not_created(tmp_path):
    (tmp_path / "shop.sqlite").touch()
    error = refused(tmp_path / "shop.sqlit", NotFoundError)
    assert 'did you mean "shop.sqlite"?' in error.message
    assert "there is no database" in refused(f"sqlite:///{tmp_path}/no.db", NotFoundError).message
    assert [path.name for path in tmp_path.iterdir()] == ["shop.sqlite"]
    assert "has no tables" in refused(tmp_path / "shop.sqlite").message


def test_non_database_files_raise(tmp_path):
    path = tmp_path / "x.sqlite"
    path.write_bytes(b"user,item,rating\n" * 100)
    assert refused(path).message == "x.sqlite: SQLite error: file is not a database"


def test_corrupt_database_raises(database):
    path = database("CREATE TABLE t (a); " + "INSERT INTO t VALUES (zeroblob(3000) || 'x'); " * 9)
    path.write_bytes(path.read_bytes()[:9000])
    assert "SQLite error: database disk image is malformed" in refused(path, table="t").message


# Tables --------------------------------------------------------------------------------------------


def test_only_table_is_selected_and_logged(database, said):
    read_table(database())
    assert said() == ["shop.sqlite: table=ratings   (override: table=..., query=...)"]


def test_several_tables_are_listed(database):
    path = database(
        SQL + "CREATE TABLE items (a INTEGER PRIMARY KEY AUTOINCREMENT); CREATE VIEW seen AS SELECT 1;"
    )
    error = refused(path)
    assert "has 3 tables; choose one" in error.message
    assert error.where == "tables are: ratings, items, seen"
    assert error.hint == 'table="ratings"'
    assert 'did you mean "ratings"?' in refused(path, NotFoundError, table="rating").message
    assert read_table(path, table="seen").frame.row(0) == (1,)


@pytest.mark.parametrize("name", ['a "b" c', "x; DROP TABLE ratings", "main.x", "select", "ü", "a:b%s"])
def test_unusual_names_are_quoted(database, name):
    path = database(SQL + f'CREATE TABLE "{name.replace(chr(34), chr(34) * 2)}" (v); ')
    for source in (path, f"sqlite+pysqlite:///{path}"):
        assert read_table(source, table=name).frame.columns == ["v"]
        assert len(read_table(source, table="ratings").frame) == 3


def test_tables_of_a_schema(database, tmp_path):
    database(name="other.sqlite")
    connection = sqlite3.connect(":memory:")
    connection.execute("ATTACH ? AS shop", (str(tmp_path / "other.sqlite"),))
    assert_frame_equal(read_table(connection, table="shop.ratings").frame, FRAME)
    error = refused(connection, NotFoundError, table="shop.rating")
    assert 'did you mean "ratings"?' in error.message
    engine = sqlalchemy.create_engine(f"sqlite+pysqlite:///{tmp_path}/other.sqlite")
    assert_frame_equal(read_table(engine, table="main.ratings").frame, FRAME)
    assert 'did you mean "ratings"?' in refused(engine, NotFoundError, table="main.rating").message
    engine.dispose()


def test_table_and_query_are_exclusive(database):
    path = database()
    assert (
        "both a table and a query"
        in refused(path, InvalidParameterError, table="a", query="SELECT 1").message
    )
    for options in ({"table": ""}, {"query": " "}, {"table": 7}):
        refused(path, InvalidParameterError, **options)


# Queries -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "query",
    ["DROP TABLE ratings", "-- SELECT\nDELETE FROM ratings", "(UPDATE x", "PRAGMA x", "selection", "/* */"],
)
def test_only_a_select_is_sent(database, query):
    assert "only a SELECT" in refused(database(), InvalidParameterError, query=query).message


@pytest.mark.parametrize(
    "query",
    [
        "WITH t AS (SELECT user FROM ratings) SELECT * FROM t",
        "-- a word first\n /* SELECT */ select user from ratings;  ",
        "SELECT user FROM ratings WHERE item LIKE '%' AND ':x' <> '%s'",
    ],
)
def test_queries_are_passed_unchanged(database, query):
    path = database()
    for source in (path, f"sqlite+pysqlite:///{path}"):
        assert read_table(source, query=query).frame["user"].to_list() == [1, 2, 3]


def test_database_errors_are_reported(database):
    path = database()
    assert (
        refused(path, query="SELECT x FROM ratings").message == "shop.sqlite: SQLite error: no such column: x"
    )
    error = refused(f"sqlite+pysqlite:///{path}", query="SELECT x FROM ratings")
    assert "database error: no such column: x" in error.message


def test_database_is_never_written(database):
    path = database()
    before = path.read_bytes()
    write = "WITH t AS (SELECT 1) INSERT INTO ratings SELECT 9, 'y', 1"
    assert "readonly database" in refused(path, query=write).message
    for source in sources(path):
        with pytest.raises(ForetasteError):
            read_table(source, query=write)
    assert path.read_bytes() == before


def test_open_connection_is_unchanged(database):
    connection = sqlite3.connect(database())
    connection.row_factory = sqlite3.Row
    connection.execute("INSERT INTO ratings VALUES (4, 'z', 1)")
    assert len(read_table(connection).frame) == 4
    refused(connection, query="SELECT nothing")
    assert connection.in_transaction
    connection.execute("INSERT INTO ratings VALUES (5, 'z', 1)")
    connection.rollback()
    assert len(read_table(connection).frame) == 3
    connection.close()


def test_sqlalchemy_transaction_stays_open(database):
    engine = sqlalchemy.create_engine(f"sqlite+pysqlite:///{database()}", poolclass=sqlalchemy.pool.NullPool)
    with engine.connect() as connection:
        connection.execute(sqlalchemy.text("INSERT INTO ratings VALUES (4, 'z', 1)"))
        assert len(read_table(connection).frame) == 4
        assert connection.in_transaction()
        connection.rollback()
        assert len(read_table(connection).frame) == 3
        assert not connection.in_transaction()


# Types ---------------------------------------------------------------------------------------------


def test_mixed_column_raises_with_the_fix(database):
    path = database(
        "CREATE TABLE r (user, item, rating REAL); INSERT INTO r VALUES (1, 2, 3.5), ('1', 2, 4);"
    )
    error = refused(path)
    assert error.message == 'shop.sqlite: table r: column "user" mixes numbers and text'
    assert error.where == "1 in row 1, '1' in row 2"
    assert error.hint == 'in the query: CAST("user" AS TEXT) AS "user"'  # user is a word of SQL
    assert refused(path, query="SELECT * FROM r").hint == error.hint


def test_printed_hint_works(database):
    path = database("CREATE TABLE r (who, item, rating REAL); INSERT INTO r VALUES (1, 2, 3.5), ('1', 2, 4);")
    hint = refused(path).hint
    assert hint == 'query="SELECT CAST(who AS TEXT) AS who, item, rating FROM r"'
    assert read_table(path, query=hint.split('"')[1]).frame["who"].to_list() == ["1", "1"]


def test_mixed_column_across_batches(database, monkeypatch):
    monkeypatch.setattr(sql_types, "BATCH_SIZE", 2)
    rows = ", ".join("(NULL, 1, 2)" for _ in range(3)) + ", (1, 2, 2.5), (2, 'x', NULL)"
    path = database(f"CREATE TABLE r (a, b, c); INSERT INTO r VALUES {rows};")
    assert refused(path).where == "1 in row 1, 'x' in row 5"
    frame = read_table(path, query="SELECT a, c FROM r").frame
    assert frame["a"].to_list() == [None, None, None, 1, 2]
    assert frame["c"].to_list() == [2.0, 2.0, 2.0, 2.5, None]
    assert frame.dtypes == [pl.Int64, pl.Float64]


def test_blobs_repeated_names_and_no_rows(database):
    path = database("CREATE TABLE r (a); INSERT INTO r VALUES (NULL), (x'00');")
    error = refused(path)
    assert 'column "a" holds bytes' in error.message
    assert "row 2" in error.where
    assert 'two columns are called "a"' in refused(path, query="SELECT a, a FROM r").message
    empty = read_table(path, query="SELECT a, 1 AS b FROM r WHERE 0").frame
    assert (empty.columns, len(empty)) == (["a", "b"], 0)
    assert read_table(path, query="SELECT a FROM r WHERE a IS NULL").frame["a"].to_list() == [None]


def test_driver_types_are_converted():
    number, when = decimal.Decimal, dt.datetime(2020, 1, 2, 12, tzinfo=dt.timezone(dt.timedelta(hours=2)))
    row = (number("12345678901234567"), number("2.5"), when, dt.date(2020, 1, 2), True, uuid.UUID(int=7))
    frame = collect_frame(list("abcdef"), [[row, (None,) * 6]], "r", None)
    assert frame.dtypes == [pl.Int64, pl.Float64, pl.Datetime("us"), pl.Datetime("us"), pl.Boolean, pl.String]
    assert frame.row(0) == (
        12345678901234567, 2.5, dt.datetime(2020, 1, 2, 10), dt.datetime(2020, 1, 2), True, str(row[-1]),
    )  # fmt: skip
    assert frame.row(1) == (None,) * 6
    assert collect_frame(["a"], [[(number(1),)], [(number("1.5"),)]], "r", None)["a"].to_list() == [1, 1.5]


@pytest.mark.parametrize("large", [2**63, -(2**64), decimal.Decimal(2**70)])
def test_integers_beyond_64_bits(large):
    with pytest.raises(DataError, match=r'column "a" holds numbers beyond 64 bits'):
        collect_frame(["a"], [[(None,), (1,), (large,)]], "r", None)


def test_query_beyond_memory_raises(database, monkeypatch):
    path = database()
    monkeypatch.setattr("foretaste._utils.memory.available_bytes", lambda: 1)
    assert "reading shop.sqlite: table ratings needs" in refused(path, NotEnoughMemoryError).message


KINDS = {
    "INTEGER": st.integers(-(2**63), 2**63 - 1),
    "REAL": st.floats(allow_nan=False),
    "TEXT": st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=5),
}


@given(st.data())
def test_sqlite_values_round_trip(data):
    kinds = data.draw(st.lists(st.sampled_from(sorted(KINDS)), min_size=1, max_size=4))
    rows = data.draw(st.lists(st.tuples(*(st.none() | KINDS[kind] for kind in kinds)), max_size=9))
    connection = sqlite3.connect(":memory:")
    connection.execute(f"CREATE TABLE t ({', '.join(f'c{n} {kind}' for n, kind in enumerate(kinds))})")
    connection.executemany(f"INSERT INTO t VALUES ({', '.join('?' * len(kinds))})", rows)
    assert read_table(connection).frame.rows() == rows
    connection.close()


# Passwords, drivers --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "url",
    [
        "postgresql+psycopg://ann:s3cret@h/d",
        "postgresql+psycopg://ann:s3c@s3cret@h/d",
        "mysql://ann:s3/c:ret@h:1/d?password=s3cret&x=1",
        "x://h/d?user=ann&sslPassword=s3cret",
        "x://h/d?access_token=s3cret;",
    ],
)
def test_passwords_are_masked(url):
    shown = mask_passwords(url)
    assert "s3" not in shown
    assert shown.startswith(url[:6])
    assert mask_passwords("postgresql://ann@h/d") == "postgresql://ann@h/d"


@pytest.mark.parametrize(
    "url",
    [
        "postgresql+psycopg://ann:s3cret@127.0.0.1:1/d",
        "nosuch://ann:s3cret@h/d",
        "postgresql+psycopg://ann:s3cret@h:x/d",
        "oracle+oracledb://ann:s3cret@h/d",
    ],
)
def test_no_password_in_any_error(url, caplog):
    caplog.set_level(logging.DEBUG)
    with pytest.raises(ForetasteError) as caught:
        read_table(url)
    assert "s3cret" not in str(caught.value) + caplog.text
    assert caught.value.__suppress_context__
    assert caught.value.hint


def test_missing_drivers_name_their_package(monkeypatch, database):
    for driver in ("psycopg2", "pymysql"):
        monkeypatch.setitem(sys.modules, driver, None)
    error = refused("postgresql+psycopg2://ann:s3cret@h/d", MissingDependencyError)
    assert error.message == "postgresql+psycopg2://ann:***@h/d needs the driver psycopg2"
    assert "postgresql+psycopg://" in error.hint
    assert refused("mysql+pymysql://h/d", MissingDependencyError).hint == "pip install pymysql"
    error = refused("postgers+psycopg://h/d", InvalidParameterError)
    assert 'did you mean "postgresql+psycopg"?' in error.message
    monkeypatch.setitem(sys.modules, "sqlalchemy", None)
    assert refused("postgresql://h/d", MissingDependencyError).hint == 'pip install "foretaste[sql]"'
    assert_frame_equal(read_table(f"sqlite:///{database()}").frame, FRAME)  # which needs nothing


# PostgreSQL ----------------------------------------------------------------------------------------

postgres = pytest.mark.postgres


@pytest.fixture(scope="module")
def server():
    url = os.environ.get("FORETASTE_POSTGRES")
    if not url:
        pytest.skip(
            'needs a server: export FORETASTE_POSTGRES="$(.ci/postgres start /tmp/foretaste-postgres)"'
        )
    engine = sqlalchemy.create_engine(url, poolclass=sqlalchemy.pool.NullPool)
    schema = f"t{uuid.uuid4().hex}"
    with engine.begin() as connection:
        connection.exec_driver_sql(f"CREATE SCHEMA {schema}")
        connection.exec_driver_sql(f"CREATE SEQUENCE {schema}.counter")
        connection.exec_driver_sql(
            f'CREATE TABLE {schema}.ratings ("user" bigint, item text, rating real, price numeric(20), '
            '"when" timestamptz, flag boolean, id uuid)'
        )
        connection.exec_driver_sql(
            f"INSERT INTO {schema}.ratings SELECT n, 'i' || mod(n, 7), mod(n, 9) / 2.0, n, "
            "timestamptz '2020-01-01 00:00+02' + "
            "n * interval '1 second', mod(n, 2) = 0, gen_random_uuid() FROM generate_series(1, 120000) n"
        )
    yield url, schema
    with engine.begin() as connection:
        connection.exec_driver_sql(f"DROP SCHEMA {schema} CASCADE")
    engine.dispose()


@postgres
def test_postgresql_table(server):
    url, schema = server
    rows = read_table(url, table=f"{schema}.ratings")
    password = sqlalchemy.make_url(url).password
    assert rows.name.endswith(f"table {schema}.ratings")
    assert password not in rows.name
    frame = rows.frame.sort("user")
    assert frame.shape == (120_000, 7)
    assert frame.dtypes == [
        pl.Int64, pl.String, pl.Float64, pl.Int64, pl.Datetime("us"), pl.Boolean, pl.String,
    ]  # fmt: skip
    assert frame.row(6)[:6] == (7, "i0", 3.5, 7, dt.datetime(2019, 12, 31, 22, 0, 7), False)
    assert 'did you mean "ratings"?' in refused(url, NotFoundError, table=f"{schema}.rating").message


@postgres
def test_postgresql_query(server):
    url, schema = server
    query = f"SELECT \"user\"::text AS u, '50%' AS v FROM {schema}.ratings WHERE item LIKE 'i3%'"
    query += ' AND "user" < 20'
    assert sorted(read_table(url, query=query).frame.rows()) == [("10", "50%"), ("17", "50%"), ("3", "50%")]


@postgres
def test_postgresql_is_not_written_to(server):
    url, schema = server
    error = refused(url, query=f"SELECT nextval('{schema}.counter')")
    assert "cannot execute nextval() in a read-only transaction" in error.message
    engine = sqlalchemy.create_engine(url, poolclass=sqlalchemy.pool.NullPool)
    with engine.connect() as connection:
        write = f"WITH t AS (DELETE FROM {schema}.ratings RETURNING 1) SELECT * FROM t"
        assert "must not contain data-modifying" in refused(connection, query=write).message
        assert read_table(connection, query="SELECT 1 AS n").frame.item() == 1
        connection.commit()
    assert read_table(url, query=f"SELECT count(*) AS n FROM {schema}.ratings").frame.item() == 120_000
    engine.dispose()


@postgres
def test_postgresql_errors_are_reported(server):
    url, _ = server
    error = refused(url, query="SELECT nothing FROM nowhere")
    assert 'database error: relation "nowhere" does not exist' in error.message
    assert "LINE 1" in error.where
    wrong = sqlalchemy.make_url(url).set(password="s3cret-and-wrong")  # noqa: S106 - it is none
    wrong = wrong.render_as_string(hide_password=False)
    error = refused(wrong)
    assert "password authentication failed" in str(error)
    assert "s3cret" not in str(error)
