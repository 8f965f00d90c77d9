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

from foretaste.errors import BadData, ForetasteError, InvalidParameter, MissingExtra
from foretaste.service.db.schema import facts

Connection = sa.Connection

_WAIT = 5  # seconds for a lock, a connection, an answer to a question
_NEWEST = "0001"


class Unavailable(ForetasteError):
    """The database does not answer; nothing was stored."""

    code = "unavailable"
    exit_code = 3


class StorageFull(ForetasteError):
    """There is no room for what was to be stored; nothing of it was."""

    code = "storage_full"
    exit_code = 3


class Store:
    """A database of ratings.

    Parameters
    ----------
    url : str
        ``sqlite:///...`` or ``postgresql+psycopg://...``

    Raises
    ------
    InvalidParameter
        If it is another kind of database, or no URL.
    MissingExtra
        If the driver is not installed.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.engine = _engine(url)
        self.is_sqlite = self.engine.dialect.name == "sqlite"
        self._glancing, self._opened = threading.local(), list[sqlite3.Connection]()
        self._one_writer = threading.Lock()  # SQLite's own waiting sleeps up to a tenth of a second

    def migrate(self) -> None:
        """Take the steps that the database has not taken yet.

        Raises
        ------
        BadData
            If a newer version of foretaste made it.
        Unavailable, StorageFull
            As ``writing``.
        """
        from alembic import command
        from alembic.config import Config
        from alembic.migration import MigrationContext

        with self.writing() as connection:
            if not self.is_sqlite:  # two services that start at once
                connection.execute(sa.text("SELECT pg_advisory_xact_lock(hashtext('foretaste'))"))
            at = MigrationContext.configure(connection).get_current_revision()
            if at is not None and at > _NEWEST:
                raise BadData(
                    f"the database has revision {at}, made by a newer foretaste; this one knows {_NEWEST}",
                    hint="pip install --upgrade foretaste",
                )
            if at == _NEWEST:
                return
            config = Config()
            config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
            config.attributes["connection"] = connection
            command.upgrade(config, "head")

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Open a connection that only reads.

        What it reads is of one moment in SQLite, and not older than what it has read before in PostgreSQL.

        Raises
        ------
        Unavailable
            If the database does not answer.
        """
        with _in_our_words(), self.engine.connect() as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """Open a transaction, which is on disk when the block is over, or undone if it raises.

        Raises
        ------
        Unavailable, StorageFull
            If the database does not answer, or has no room.
        """
        if not self.is_sqlite:
            with _in_our_words(), self.engine.begin() as connection:
                yield connection
            return
        if not self._one_writer.acquire(timeout=_WAIT):
            raise Unavailable("the database is busy", hint="the same again in a moment")
        try:
            with (
                _in_our_words(),
                self.engine.connect() as connection,
                connection.execution_options(writing=True).begin(),
            ):
                yield connection
        finally:
            self._one_writer.release()

    def glance(self, query: str, values: tuple[Any, ...]) -> Any:
        """Return the first row of a query that SQLite answers at once, on a connection for such alone.

        None where it is another database, or something is wrong: then it is to be asked in the usual way.
        """
        if not self.is_sqlite:
            return None
        try:
            connection = getattr(self._glancing, "connection", None)
            if connection is None:
                path = str(self.engine.url.database)
                connection = sqlite3.connect(path, isolation_level=None, timeout=0.1, check_same_thread=False)
                self._glancing.connection = connection
                self._opened.append(connection)
            return connection.execute(query, values).fetchone()
        except sqlite3.Error:
            return None

    def facts(self) -> dict[str, str]:
        """Return what is known of the ratings as a whole, by name."""
        with self.reading() as connection:
            return {row.name: row.value for row in connection.execute(sa.select(facts))}

    def is_ready(self) -> bool:
        """Whether the database answers, and has taken all steps."""
        with self.reading() as connection:
            found = connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalar()
        return found == _NEWEST

    def close(self) -> None:
        """Close all connections."""
        self.engine.dispose()
        for connection in self._opened:
            connection.close()
        self._opened.clear()
        self._glancing = threading.local()


def put_fact(connection: Connection, name: str, value: str) -> None:
    """Set a fact.

    Parameters
    ----------
    connection : Connection
        Of ``writing``.
    name, value : str
    """
    connection.execute(sa.delete(facts).where(facts.c.name == name))
    connection.execute(sa.insert(facts).values(name=name, value=value))


def upsert(connection: Connection, table: sa.Table, values: dict[str, Any], keys: tuple[str, ...]) -> None:
    """Insert a row, or change the one that has these keys."""
    rest = {name: value for name, value in values.items() if name not in keys}
    added = _insert(connection, table, values)
    connection.execute(added.on_conflict_do_update(index_elements=list(keys), set_=rest))


def insert_once(connection: Connection, table: sa.Table, values: dict[str, Any]) -> None:
    """Insert a row, unless there is such a one already."""
    connection.execute(_insert(connection, table, values).on_conflict_do_nothing())


def _insert(connection: Connection, table: sa.Table, values: dict[str, Any]) -> Any:
    """Return an insert in the words of the database, which knows what to do in case of a conflict."""
    from sqlalchemy.dialects import postgresql, sqlite

    make: Any = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    return make(table).values(**values)


def _engine(url: str) -> sa.Engine:
    try:
        parsed = sa.make_url(url)
    except exc.ArgumentError:
        raise InvalidParameter(
            "the database is given by no URL", hint='database="postgresql+psycopg://user@127.0.0.1/name"'
        ) from None
    kind = parsed.get_backend_name()
    if kind not in ("sqlite", "postgresql"):
        raise InvalidParameter(
            f"the service keeps ratings in SQLite or PostgreSQL, not in {kind}",
            hint='database="postgresql+psycopg://user@127.0.0.1/name"',
        )
    if kind == "sqlite":
        engine = sa.create_engine(parsed, pool_size=16, max_overflow=48, connect_args={"timeout": _WAIT})
        sa.event.listen(engine, "connect", _prepare_sqlite)
        sa.event.listen(engine, "begin", _begin_sqlite)
        return engine
    if parsed.drivername == "postgresql":
        parsed = parsed.set(drivername="postgresql+psycopg")
    options = {
        "connect_timeout": _WAIT,
        "options": f"-c statement_timeout=60000 -c lock_timeout={1000 * _WAIT} -c synchronous_commit=on",
    }
    try:
        return sa.create_engine(
            # Small: a server has a hundred connections for all workers and all else.
            parsed, pool_size=8, max_overflow=8, pool_timeout=_WAIT, pool_pre_ping=True,
            isolation_level="READ COMMITTED", connect_args=options,
        )  # fmt: skip
    except ModuleNotFoundError as error:
        raise MissingExtra(
            f"PostgreSQL needs the driver {error.name}", hint='pip install "psycopg[binary]"'
        ) from None


def _prepare_sqlite(connection: Any, _: Any) -> None:
    connection.isolation_level = None  # transactions begin where we say so, not where the driver guesses
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "secure_delete=ON"):
        connection.execute(f"PRAGMA {pragma}").fetchall()


def _begin_sqlite(connection: Connection) -> None:
    writing = connection.get_execution_options().get("writing", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")


@contextmanager
def _in_our_words() -> Iterator[None]:
    """Turn what databases say when they cannot into two errors of ours; the rest are faults."""
    try:
        yield
    except (exc.OperationalError, exc.InterfaceError, exc.TimeoutError, exc.InternalError) as error:
        said = str(getattr(error, "orig", None) or error).lower()
        if "disk is full" in said or "no space left" in said or "diskfull" in said:
            raise StorageFull(
                "there is no room left to store this; nothing of it was stored", hint="make room on the disk"
            ) from error
        raise Unavailable(
            "the database does not answer; nothing was stored", hint="the same again in a moment"
        ) from error
