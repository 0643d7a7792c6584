"""One database, SQLite or PostgreSQL, safe to share between processes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, Table, create_engine, event, make_url, text
from sqlalchemy.dialects.postgresql import insert as insert_postgresql
from sqlalchemy.dialects.sqlite import insert as insert_sqlite

BUSY_TIMEOUT_S = 60.0
"""How long a writer waits for another one (SQLite has one writer at a time; ours hold it for milliseconds)."""


def now() -> datetime:
    return datetime.now(UTC)


def open_engine(database_url: str) -> Engine:
    """Make an engine for a ledger URL: `sqlite:///file`, or `postgresql://...` (psycopg 3).

    Raises
    ------
    ValueError
        For another kind of database.
    """
    url = make_url(database_url)
    # Parameters stay out of error messages: they hold headers.
    if url.drivername in ("postgresql", "postgres"):
        url = url.set(drivername="postgresql+psycopg")
    if url.get_backend_name() == "postgresql":
        return create_engine(url, pool_pre_ping=True, hide_parameters=True)
    if url.get_backend_name() != "sqlite" or url.database in (None, "", ":memory:"):
        raise ValueError("the ledger is a SQLite file or a PostgreSQL database")
    Path(url.database or "").parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(url, hide_parameters=True, connect_args={"timeout": BUSY_TIMEOUT_S})
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    # The driver must not begin transactions by itself: `_begin_sqlite` does, see there.
    connection.isolation_level = None
    connection.execute("PRAGMA journal_mode=WAL")
    # FULL: a row that a C-STORE Success stands on survives a power cut; NORMAL does not promise that in WAL mode.
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("PRAGMA foreign_keys=ON")


def _begin_sqlite(connection: Connection) -> None:
    # A transaction that reads first and writes later cannot wait for another writer (SQLite answers "database is locked" at
    # once, whatever the timeout says): writers take the write lock at the start.
    writes = connection.get_execution_options().get("writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


class Database:
    """Transactions on one database.

    Parameters
    ----------
    database_url
        As for `open_engine`; connections are opened when first used.
    clock
        Tells the time; tests give their own.
    """

    def __init__(self, database_url: str, clock: Callable[[], datetime] = now) -> None:
        self._engine = open_engine(database_url)
        self._now = clock

    def ping(self) -> None:
        """Prove that the database answers and has its tables; raises SQLAlchemyError otherwise."""
        with self._read() as connection:
            connection.execute(text("SELECT count(*) FROM (SELECT study_instance_uid FROM studies LIMIT 1) AS one"))

    def close(self) -> None:
        """Close every pooled connection; a later call opens new ones."""
        self._engine.dispose()

    @contextmanager
    def _read(self) -> Iterator[Connection]:
        with self._engine.connect() as connection, connection.begin():
            yield connection

    @contextmanager
    def _write(self) -> Iterator[Connection]:
        with self._engine.connect().execution_options(writes=True) as connection, connection.begin():
            yield connection

    def _insert_once(self, connection: Connection, table: Table, **values: Any) -> bool:
        """Insert a row unless its key is taken; tells whether it was inserted. Safe against another process doing the same."""
        insert = insert_postgresql if connection.dialect.name == "postgresql" else insert_sqlite
        once = insert(table).values(**values).on_conflict_do_nothing().returning(*table.primary_key)
        return connection.execute(once).first() is not None
