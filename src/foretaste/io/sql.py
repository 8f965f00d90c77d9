"""Reads tables and queries of databases: SQLite directly, all others through SQLAlchemy.

Nothing is written: SQLite is opened read-only; elsewhere the transaction is read-only, if the database
supports that, and is rolled back if it was started here.
"""

from __future__ import annotations

import logging
import re
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from foretaste.errors import (
    DataError,
    Hint,
    InvalidParameterError,
    MissingDependencyError,
    NotFoundError,
)
from foretaste.io.sql_types import BATCH_SIZE, collect_frame, iter_batches

log = logging.getLogger("foretaste")

_URL = re.compile(r"[A-Za-z][\w+.-]*://")
_MAX_LISTED = 20


@dataclass(frozen=True, eq=False)
class QueryResult:
    """Result of a table or query.

    Parameters
    ----------
    frame : polars.DataFrame
        Columns of Int64, Float64, String, Boolean or Datetime (in UTC if it had a zone); NULL is null.
    name : str
        For messages: ``shop.sqlite: table ratings``.
    """

    frame: Any
    name: str

    def row_label(self, row: int) -> str:
        """Return the label of a row of the result, from 1."""
        return f"row {row + 1:,}"


def is_database(source: Any) -> bool:
    """Whether a source is a database URL, or an open connection or engine."""
    if isinstance(source, str):
        return bool(_URL.match(source))
    return isinstance(source, sqlite3.Connection) or type(source).__module__.split(".")[0] == "sqlalchemy"


def mask_passwords(url: str) -> str:
    """Return a URL with its passwords masked."""
    url = re.sub(r"://([^:/?#@]*):.*@", r"://\1:***@", url)
    return re.sub(r"((?:password|passwd|pwd|token|secret)\w*=)[^&\s]*", r"\1***", url, flags=re.IGNORECASE)


def read_table(source: Any, *, table: str | None = None, query: str | None = None) -> QueryResult:
    """Read a table, or the result of a query.

    Parameters
    ----------
    source : path, str, bytes, sqlite3.Connection, or SQLAlchemy Engine or Connection
        An SQLite database: its file, its bytes, ``sqlite:///path`` or an open connection; or any SQLAlchemy
        URL, engine or connection. Open connections stay open.
    table : str, optional
        A table or view, or ``schema.table``. With neither a table nor a query, the only table is read,
        which is logged.
    query : str, optional
        A ``SELECT``.

    Returns
    -------
    QueryResult

    Raises
    ------
    InvalidParameterError
        If both ``table`` and ``query`` are set, the query is not a ``SELECT``, or the source is not a
        database.
    NotFoundError
        If the file or the table does not exist.
    DataError
        If the database raises an error (its message, without passwords), or if a column mixes numbers and
        text, which SQLite allows.
    MissingDependencyError
        If SQLAlchemy or the driver is not installed.
    """
    if table is not None and query is not None:
        raise InvalidParameterError("both a table and a query are given", hint="drop table or query")
    for name, value in (("table", table), ("query", query)):
        if value is not None and (not isinstance(value, str) or not value.strip()):
            raise InvalidParameterError(f"{name}={value!r} is not a text", hint=f'{name}="..."')
    if query is not None:
        query = _check_query(query)
    if isinstance(source, str) and not source.lower().startswith("sqlite:///") and _URL.match(source):
        return _read_url(source, table, query)
    if isinstance(source, str | Path | bytes | sqlite3.Connection):
        with _connect_sqlite(source) as (connection, name):
            return _read_sqlite(connection, name, table, query)
    if type(source).__module__.split(".")[0] == "sqlalchemy":
        return _read_sqlalchemy(source, table, query)
    raise InvalidParameterError(
        f"source={type(source).__name__} is not a database",
        hint="an SQLite file, a URL, or an SQLAlchemy connection or engine",
    )


def _check_query(query: str) -> str:
    text = re.sub(r"\A(?:\s|\(|--[^\n]*(?:\n|\Z)|/\*.*?\*/)*", "", query, flags=re.DOTALL)
    if not re.match(r"(?:select|with|values|table)\b", text, re.IGNORECASE):
        word = text.split(maxsplit=1)[0] if text else "nothing"
        raise InvalidParameterError(
            f"the query starts with {word[:20]}; only a SELECT is sent to the database",
            hint=Hint({"query": "SELECT user, item, rating FROM ratings"}),
        )
    return query.strip().rstrip(";").rstrip()


def _select_table(names: Sequence[str], source: str, table: str | None) -> str:
    """Return the requested table, or the only one."""
    listing = "tables are: " + ", ".join(names[:_MAX_LISTED]) + (", ..." if len(names) > _MAX_LISTED else "")
    if table is None:
        if len(names) == 1:
            log.info("%s: table=%s   (override: %s)", source, names[0], Hint({"table": ..., "query": ...}))
            return names[0]
        if not names:
            raise DataError(f"{source} has no tables", hint="another database")
        likely = next((name for name in names if "rating" in name.lower()), names[0])
        raise DataError(
            f"{source} has {len(names)} tables; choose one", where=listing, hint=Hint({"table": likely})
        )
    if table not in names:
        raise NotFoundError(
            f"{source} has no table {table!r}",
            misspelled=(table, names),
            where=listing if names else None,
            hint=Hint({"table": names[0]}) if names else "another database",
        )
    return table


# SQLite --------------------------------------------------------------------------------------------


@contextmanager
def _connect_sqlite(
    source: str | Path | bytes | sqlite3.Connection,
) -> Iterator[tuple[sqlite3.Connection, str]]:
    """Open an SQLite database read-only, or make an open connection read-only for a while."""
    if isinstance(source, sqlite3.Connection):
        (previous,) = source.cursor().execute("PRAGMA query_only").fetchone()
        source.execute("PRAGMA query_only = ON")
        try:
            yield source, "the SQLite database"
        finally:
            source.execute(f"PRAGMA query_only = {int(previous)}")
        return
    if isinstance(source, bytes):
        connection, name = sqlite3.connect(":memory:"), "the SQLite database"
        connection.deserialize(source)
        connection.execute("PRAGMA query_only = ON")
    else:
        path = Path(re.sub(r"\Asqlite:///", "", str(source), flags=re.IGNORECASE).partition("?")[0])
        path = path if isinstance(source, str) else Path(source)
        if not path.is_file():
            candidates = [entry.name for entry in path.parent.iterdir()] if path.parent.is_dir() else []
            raise NotFoundError(
                f"there is no database {path}", misspelled=(path.name, candidates), hint=f"ls {path.parent}"
            )
        connection, name = sqlite3.connect(path.resolve().as_uri() + "?mode=ro", uri=True), path.name
    try:
        yield connection, name
    finally:
        connection.close()


def _read_sqlite(
    connection: sqlite3.Connection, name: str, table: str | None, query: str | None
) -> QueryResult:
    cursor = connection.cursor()
    cursor.row_factory = None
    try:
        quoted_table = None
        if query is None:
            quoted_table = _select_sqlite_table(cursor, name, table)
            query = f"SELECT * FROM {quoted_table}"  # noqa: S608 - a name in quotes
            label = f"{name}: table {quoted_table}".replace('"', "")
        else:
            label = f"{name}: query"
        cursor.execute(query)
        names = [column[0] for column in cursor.description]
        return QueryResult(collect_frame(names, iter_batches(cursor.fetchmany), label, quoted_table), label)
    except sqlite3.Error as error:
        raise DataError(f"{name}: SQLite error: {error}", hint=f'sqlite3 {name} ".schema"') from None
    finally:
        cursor.close()


def _select_sqlite_table(cursor: sqlite3.Cursor, name: str, table: str | None) -> str:
    """Return the quoted name of a table."""

    def list_tables(schema: str) -> list[str]:
        query = f"SELECT name FROM {_quote(schema)}.sqlite_master WHERE type IN ('table', 'view')"  # noqa: S608 - quoted
        names = [row[0] for row in cursor.execute(query).fetchall()]
        return [name for name in names if not name.startswith("sqlite_")]

    names = list_tables("main")
    schema, has_schema, bare_name = (table or "").partition(".")
    if has_schema and table not in names:
        schemas = [row[1] for row in cursor.execute("PRAGMA database_list").fetchall()]
        if schema in schemas:
            selected = _select_table(list_tables(schema), f"{name}, {schema}", bare_name)
            return f"{_quote(schema)}.{_quote(selected)}"
    return _quote(_select_table(names, name, table))


def _quote(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


# SQLAlchemy ----------------------------------------------------------------------------------------


def _import_sqlalchemy(purpose: str) -> Any:
    try:
        import sqlalchemy
    except ImportError:
        raise MissingDependencyError(
            f"{purpose} needs SQLAlchemy", hint='pip install "foretaste[sql]"'
        ) from None
    return sqlalchemy


def _read_url(url: str, table: str | None, query: str | None) -> QueryResult:
    safe_url = mask_passwords(url)
    sqlalchemy = _import_sqlalchemy(f"reading {safe_url}")
    try:
        engine = sqlalchemy.create_engine(url, poolclass=sqlalchemy.pool.NullPool)
    except ModuleNotFoundError as error:
        hint = f"pip install {error.name}"
        if error.name == "psycopg2":
            hint = 'pip install "psycopg[binary]", and write postgresql+psycopg://'
        raise MissingDependencyError(f"{safe_url} needs the driver {error.name}", hint=hint) from None
    except sqlalchemy.exc.NoSuchModuleError:
        dialect = url.partition(":")[0]
        known = ["sqlite", "postgresql", "postgresql+psycopg", "mysql", "mysql+pymysql", "mssql", "oracle"]
        raise InvalidParameterError(
            f"SQLAlchemy has no dialect {dialect!r}",
            misspelled=(dialect, known),
            hint="postgresql+psycopg://user@server/database",
        ) from None
    except (sqlalchemy.exc.ArgumentError, ValueError):
        raise InvalidParameterError(
            f"{safe_url} is not a database URL", hint="postgresql+psycopg://user@server/database"
        ) from None
    return _read_sqlalchemy(engine, table, query)


def _read_sqlalchemy(source: Any, table: str | None, query: str | None) -> QueryResult:
    sqlalchemy = _import_sqlalchemy("reading through SQLAlchemy")
    url = source.engine.url
    safe_url = mask_passwords(url.render_as_string(hide_password=True))
    try:
        if not isinstance(source, sqlalchemy.engine.Engine):
            return _run_query(sqlalchemy, source, safe_url, table, query)
        with source.connect() as connection:
            if connection.dialect.name == "postgresql":
                connection = connection.execution_options(postgresql_readonly=True)
            return _run_query(sqlalchemy, connection, safe_url, table, query)
    except sqlalchemy.exc.SQLAlchemyError as error:
        message = str(getattr(error, "orig", None) or error).strip()
        if url.password:
            message = message.replace(str(url.password), "***")
        lines = message.splitlines() or [type(error).__name__]
        raise DataError(
            f"{safe_url}: database error: {mask_passwords(lines[0])}",
            where="\n  ".join(map(mask_passwords, lines[1:4])) or None,
            hint="check the query" if query else "check the URL and the name of the table",
        ) from None


def _run_query(
    sqlalchemy: Any, connection: Any, safe_url: str, table: str | None, query: str | None
) -> QueryResult:
    """Run a query over a connection, leaving its transactions unchanged."""
    starts_transaction = not connection.in_transaction()
    label, quoted_table, previous = f"{safe_url}: query", None, None
    try:
        if connection.dialect.name == "sqlite":  # its driver may commit statements that no INSERT starts
            previous = connection.exec_driver_sql("PRAGMA query_only").scalar()
            connection.exec_driver_sql("PRAGMA query_only = ON")
        if query is None:
            quoted_table, plain_name = _select_sqlalchemy_table(sqlalchemy, connection, safe_url, table)
            query, label = f"SELECT * FROM {quoted_table}", f"{safe_url}: table {plain_name}"  # noqa: S608 - quoted
        # The text goes to the driver unchanged: neither a colon nor a percent sign means a parameter.
        result = connection.exec_driver_sql(
            query,
            execution_options={"stream_results": True, "max_row_buffer": BATCH_SIZE, "no_parameters": True},
        )
        try:
            return QueryResult(
                collect_frame(list(result.keys()), iter_batches(result.fetchmany), label, quoted_table), label
            )
        finally:
            result.close()
    finally:
        if previous is not None:
            connection.exec_driver_sql(f"PRAGMA query_only = {int(previous)}")
        if starts_transaction:
            connection.rollback()


def _select_sqlalchemy_table(
    sqlalchemy: Any, connection: Any, safe_url: str, table: str | None
) -> tuple[str, str]:
    """Return the name of a table, quoted for its database, and plain."""
    inspector = sqlalchemy.inspect(connection)

    def list_tables(schema: str | None) -> list[str]:
        return [*inspector.get_table_names(schema=schema), *inspector.get_view_names(schema=schema)]

    quote = connection.dialect.identifier_preparer.quote_identifier
    names = list_tables(None)
    schema, has_schema, bare_name = (table or "").partition(".")
    if has_schema and table not in names and schema in inspector.get_schema_names():
        selected = _select_table(list_tables(schema), f"{safe_url}, {schema}", bare_name)
        return f"{quote(schema)}.{quote(selected)}", f"{schema}.{selected}"
    selected = _select_table(names, safe_url, table)
    return quote(selected), selected
