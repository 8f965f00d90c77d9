"""The database: opening it, bringing it up to date, transactions, and its failures in our words.

SQLite writes ahead (WAL) and waits for the disk at every commit; PostgreSQL does so by itself. A transaction
that is over without an error is on disk.
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

from foretaste.errors import DataError, ForetasteError, InvalidParameterError, MissingDependencyError
from foretaste.service.db.schema import settings

Connection = sa.Connection

_TIMEOUT = 5  # seconds for a lock, a connection, an answer to a question
_HEAD_REVISION = "0001"


class DatabaseUnavailableError(ForetasteError):
    """The database does not answer; nothing was stored."""

    code = "unavailable"
    exit_code = 3


class StorageFullError(ForetasteError):
    """There is no room for what was to be stored; nothing of it was."""

    code = "storage_full"
    exit_code = 3


class Database:
    """A database of ratings.

    Parameters
    ----------
    url : str
        ``sqlite:///...`` or ``postgresql+psycopg://...``

    Raises
    ------
    InvalidParameterError
        If it is another kind of database, or no URL.
    MissingDependencyError
        If the driver is not installed.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.engine = _create_engine(url)
        self.is_sqlite = self.engine.dialect.name == "sqlite"
        self._nowait_local, self._nowait_connections = threading.local(), list[sqlite3.Connection]()
        self._writer_lock = threading.Lock()  # SQLite's own waiting sleeps up to a tenth of a second

    def migrate(self) -> None:
        """Take the steps that the database has not taken yet.

        Raises
        ------
        DataError
            If a newer version of foretaste made it.
        Unavailable, StorageFull
            As ``write_transaction``.
        """
        from alembic import command
        from alembic.config import Config
        from alembic.migration import MigrationContext

        with self.write_transaction() as connection:
            if not self.is_sqlite:  # two services that start at once
                connection.execute(sa.text("SELECT pg_advisory_xact_lock(hashtext('foretaste'))"))
            revision = MigrationContext.configure(connection).get_current_revision()
            if revision is not None and revision > _HEAD_REVISION:
                raise DataError(
                    f"the database has revision {revision}, made by a newer foretaste; this one knows {_HEAD_REVISION}",
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
        """Open a connection that only reads.

        What it reads is of one moment in SQLite, and not older than what it has read before in PostgreSQL.

        Raises
        ------
        Unavailable
            If the database does not answer.
        """
        with _translate_errors(), self.engine.connect() as connection:
            yield connection

    @contextmanager
    def write_transaction(self) -> Iterator[Connection]:
        """Open a transaction, which is on disk when the block is over, or undone if it raises.

        Raises
        ------
        Unavailable, StorageFull
            If the database does not answer, or has no room.
        """
        if not self.is_sqlite:
            with _translate_errors(), self.engine.begin() as connection:
                yield connection
            return
        if not self._writer_lock.acquire(timeout=_TIMEOUT):
            raise DatabaseUnavailableError("the database is busy", hint="the same again in a moment")
        try:
            with (
                _translate_errors(),
                self.engine.connect() as connection,
                connection.execution_options(writing=True).begin(),
            ):
                yield connection
        finally:
            self._writer_lock.release()

    def fetch_nowait(self, query: str, values: tuple[Any, ...]) -> Any:
        """Return the first row of a query that SQLite answers at once, on a connection for such alone.

        None where it is another database, or something is wrong: then it is to be asked in the usual way.
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
        """Return what is known of the ratings as a whole, by name."""
        with self.read_connection() as connection:
            return {row.name: row.value for row in connection.execute(sa.select(settings))}

    def is_ready(self) -> bool:
        """Whether the database answers, and has taken all steps."""
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
    """Set a fact.

    Parameters
    ----------
    connection : Connection
        Of ``writing``.
    name, value : str
    """
    connection.execute(sa.delete(settings).where(settings.c.name == name))
    connection.execute(sa.insert(settings).values(name=name, value=value))


def upsert(connection: Connection, table: sa.Table, values: dict[str, Any], keys: tuple[str, ...]) -> None:
    """Insert a row, or change the one that has these keys."""
    updates = {name: value for name, value in values.items() if name not in keys}
    statement = _dialect_insert(connection, table, values)
    connection.execute(statement.on_conflict_do_update(index_elements=list(keys), set_=updates))


def insert_if_absent(connection: Connection, table: sa.Table, values: dict[str, Any]) -> None:
    """Insert a row, unless there is such a one already."""
    connection.execute(_dialect_insert(connection, table, values).on_conflict_do_nothing())


def _dialect_insert(connection: Connection, table: sa.Table, values: dict[str, Any]) -> Any:
    """Return an insert in the words of the database, which knows what to do in case of a conflict."""
    from sqlalchemy.dialects import postgresql, sqlite

    insert: Any = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    return insert(table).values(**values)


def _create_engine(url: str) -> sa.Engine:
    try:
        parsed_url = sa.make_url(url)
    except exc.ArgumentError:
        raise InvalidParameterError(
            "the database is given by no URL", hint='database="postgresql+psycopg://user@127.0.0.1/name"'
        ) from None
    backend = parsed_url.get_backend_name()
    if backend not in ("sqlite", "postgresql"):
        raise InvalidParameterError(
            f"the service keeps ratings in SQLite or PostgreSQL, not in {backend}",
            hint='database="postgresql+psycopg://user@127.0.0.1/name"',
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
            # Small: a server has a hundred connections for all workers and all else.
            parsed_url, pool_size=8, max_overflow=8, pool_timeout=_TIMEOUT, pool_pre_ping=True,
            isolation_level="READ COMMITTED", connect_args=options,
        )  # fmt: skip
    except ModuleNotFoundError as error:
        raise MissingDependencyError(
            f"PostgreSQL needs the driver {error.name}", hint='pip install "psycopg[binary]"'
        ) from None


def _prepare_sqlite(connection: Any, _: Any) -> None:
    connection.isolation_level = None  # transactions begin where we say so, not where the driver guesses
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "secure_delete=ON"):
        connection.execute(f"PRAGMA {pragma}").fetchall()


def _begin_sqlite(connection: Connection) -> None:
    is_write = connection.get_execution_options().get("writing", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if is_write else "BEGIN")


@contextmanager
def _translate_errors() -> Iterator[None]:
    """Turn what databases say when they cannot into two errors of ours; the rest are faults."""
    try:
        yield
    except (exc.OperationalError, exc.InterfaceError, exc.TimeoutError, exc.InternalError) as error:
        message = str(getattr(error, "orig", None) or error).lower()
        if "disk is full" in message or "no space left" in message or "diskfull" in message:
            raise StorageFullError(
                "there is no room left to store this; nothing of it was stored", hint="make room on the disk"
            ) from error
        raise DatabaseUnavailableError(
            "the database does not answer; nothing was stored", hint="the same again in a moment"
        ) from error
