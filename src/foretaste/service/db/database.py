"""Database engine, migrations, transactions and error translation, for SQLite and PostgreSQL.

SQLite runs in WAL mode with ``synchronous=FULL``: a committed transaction is on disk, as with PostgreSQL.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import exc

from foretaste.errors import (
    DataError,
    ForetasteError,
    Hint,
    InvalidParameterError,
    MissingDependencyError,
)
from foretaste.service.db.schema import settings

Connection = sa.Connection

_TIMEOUT = 5  # seconds to wait for a lock, a connection or a query
_HEAD_REVISION = "0002"
_DATABASE_HINT = Hint({"database": "postgresql+psycopg://user@127.0.0.1/name"})


class DatabaseUnavailableError(ForetasteError):
    """The database does not respond; nothing was stored."""

    code = "unavailable"
    exit_code = 3


class ConflictError(InvalidParameterError):
    """Not possible in the current state of the database."""

    code = "conflict"


class StorageFullError(ForetasteError):
    """The disk is full; nothing was stored."""

    code = "storage_full"
    exit_code = 3


class Database:
    """The service's database.

    Parameters
    ----------
    url : str
        ``sqlite:///...`` or ``postgresql+psycopg://...``

    Raises
    ------
    InvalidParameterError
        If the URL is invalid or names another database system.
    MissingDependencyError
        If the driver is not installed.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.engine = _create_engine(url)
        self.is_sqlite = self.engine.dialect.name == "sqlite"
        self._nowait_local, self._nowait_connections = threading.local(), list[sqlite3.Connection]()
        self._writer_lock = threading.Lock()  # SQLite's busy handler sleeps up to 100 ms

    def migrate(self) -> None:
        """Run the pending migrations.

        Raises
        ------
        DataError
            If the database was created by a newer version of foretaste.
        DatabaseUnavailableError, StorageFullError
            As ``write_transaction``.
        """
        from alembic import command
        from alembic.config import Config
        from alembic.migration import MigrationContext

        with self.write_transaction() as connection:
            if not self.is_sqlite:  # several services may start at once
                connection.execute(sa.text("SELECT pg_advisory_xact_lock(hashtext('foretaste'))"))
            revision = MigrationContext.configure(connection).get_current_revision()
            if revision is not None and revision > _HEAD_REVISION:
                raise DataError(
                    f"database revision {revision} was created by a newer foretaste; this version supports "
                    f"{_HEAD_REVISION}",
                    hint="pip install --upgrade foretaste",
                )
            if revision == _HEAD_REVISION:
                return
            config = Config()
            config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
            config.attributes["connection"] = connection
            command.upgrade(config, "head")

    @contextmanager
    def read_connection(self) -> Iterator[Connection]:
        """Open a read-only connection.

        It reads a snapshot in SQLite (one transaction), committed data in PostgreSQL (``READ COMMITTED``).

        Raises
        ------
        DatabaseUnavailableError
            If the database does not respond.
        """
        with _translate_errors(), self.engine.connect() as connection:
            yield connection

    @contextmanager
    def write_transaction(self) -> Iterator[Connection]:
        """Open a transaction, committed to disk at the end of the block, rolled back if it raises.

        Raises
        ------
        DatabaseUnavailableError, StorageFullError
            If the database does not respond, or its disk is full.
        """
        if not self.is_sqlite:
            with _translate_errors(), self.engine.begin() as connection:
                yield connection
            return
        if not self._writer_lock.acquire(timeout=_TIMEOUT):
            raise DatabaseUnavailableError("the database is busy", hint="retry in a moment")
        try:
            with (
                _translate_errors(),
                self.engine.connect() as connection,
                connection.execution_options(is_write=True).begin(),
            ):
                yield connection
        finally:
            self._writer_lock.release()

    def fetch_nowait(self, query: str, values: tuple[Any, ...]) -> Any:
        """Return the first row of a query without waiting for a lock, on a connection of its own per thread.

        None with PostgreSQL and on any error: the caller then takes the regular path.
        """
        if not self.is_sqlite:
            return None
        try:
            connection = getattr(self._nowait_local, "connection", None)
            if connection is None:
                path = str(self.engine.url.database)
                connection = sqlite3.connect(path, isolation_level=None, timeout=0.1, check_same_thread=False)
                self._nowait_local.connection = connection
                self._nowait_connections.append(connection)
            return connection.execute(query, values).fetchone()
        except sqlite3.Error:
            return None

    def get_settings(self) -> dict[str, str]:
        """Return all rows of the settings table as a dict."""
        with self.read_connection() as connection:
            return {row.name: row.value for row in connection.execute(sa.select(settings))}

    def is_ready(self) -> bool:
        """Whether the database responds and is at the head revision."""
        with self.read_connection() as connection:
            revision = connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalar()
        return revision == _HEAD_REVISION

    def close(self) -> None:
        """Close all connections."""
        self.engine.dispose()
        for connection in self._nowait_connections:
            connection.close()
        self._nowait_connections.clear()
        self._nowait_local = threading.local()


def put_setting(connection: Connection, name: str, value: str) -> None:
    """Insert or replace a setting.

    Parameters
    ----------
    connection : Connection
        From ``write_transaction``.
    name, value : str
    """
    connection.execute(sa.delete(settings).where(settings.c.name == name))
    connection.execute(sa.insert(settings).values(name=name, value=value))


def upsert(connection: Connection, table: sa.Table, values: dict[str, Any], keys: tuple[str, ...]) -> None:
    """Insert a row, or update the one with the same keys."""
    updates = {name: value for name, value in values.items() if name not in keys}
    statement = _dialect_insert(connection, table, values)
    connection.execute(statement.on_conflict_do_update(index_elements=list(keys), set_=updates))


def insert_if_absent(connection: Connection, table: sa.Table, values: dict[str, Any]) -> None:
    """Insert a row unless its key exists."""
    connection.execute(_dialect_insert(connection, table, values).on_conflict_do_nothing())


def _dialect_insert(connection: Connection, table: sa.Table, values: dict[str, Any]) -> Any:
    """Return an insert of the dialect, which supports ``ON CONFLICT``."""
    from sqlalchemy.dialects import postgresql, sqlite

    insert: Any = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    return insert(table).values(**values)


def _create_engine(url: str) -> sa.Engine:
    try:
        parsed_url = sa.make_url(url)
    except exc.ArgumentError:
        raise InvalidParameterError("the database URL is not valid", hint=_DATABASE_HINT) from None
    backend = parsed_url.get_backend_name()
    if backend not in ("sqlite", "postgresql"):
        raise InvalidParameterError(
            f"the service supports SQLite and PostgreSQL, not {backend}", hint=_DATABASE_HINT
        )
    if backend == "sqlite":
        engine = sa.create_engine(
            parsed_url, pool_size=16, max_overflow=48, connect_args={"timeout": _TIMEOUT}
        )
        sa.event.listen(engine, "connect", _prepare_sqlite)
        sa.event.listen(engine, "begin", _begin_sqlite)
        return engine
    if parsed_url.drivername == "postgresql":
        parsed_url = parsed_url.set(drivername="postgresql+psycopg")
    options = {
        "connect_timeout": _TIMEOUT,
        "options": f"-c statement_timeout=60000 -c lock_timeout={1000 * _TIMEOUT} -c synchronous_commit=on",
    }
    try:
        return sa.create_engine(
            # A small pool: PostgreSQL's default limit is 100 connections for all workers together.
            parsed_url, pool_size=8, max_overflow=8, pool_timeout=_TIMEOUT, pool_pre_ping=True,
            isolation_level="READ COMMITTED", connect_args=options,
        )  # fmt: skip
    except ModuleNotFoundError as error:
        raise MissingDependencyError(
            f"PostgreSQL needs the driver {error.name}", hint='pip install "psycopg[binary]"'
        ) from None


def _prepare_sqlite(connection: Any, _: Any) -> None:
    connection.isolation_level = None  # explicit BEGIN (_begin_sqlite) instead of the driver's implicit one
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "secure_delete=ON"):
        connection.execute(f"PRAGMA {pragma}").fetchall()


def _begin_sqlite(connection: Connection) -> None:
    is_write = connection.get_execution_options().get("is_write", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if is_write else "BEGIN")


@contextmanager
def _translate_errors() -> Iterator[None]:
    """Turn operational errors of the drivers into two errors of foretaste; all others are bugs."""
    try:
        yield
    except (exc.OperationalError, exc.InterfaceError, exc.TimeoutError, exc.InternalError) as error:
        message = str(getattr(error, "orig", None) or error).lower()
        if "disk is full" in message or "no space left" in message or "diskfull" in message:
            raise StorageFullError("the disk is full; nothing was stored", hint="free disk space") from error
        raise DatabaseUnavailableError(
            "the database does not respond; nothing was stored", hint="retry in a moment"
        ) from error
