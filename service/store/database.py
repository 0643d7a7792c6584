"""One database, SQLite or PostgreSQL, safe to share between processes; its transactions and column types."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVarTuple, overload

from sqlalchemy import (
    Connection,
    CursorResult,
    DateTime,
    Engine,
    Executable,
    MetaData,
    String,
    Table,
    TypeDecorator,
    create_engine,
    event,
    make_url,
    text,
)
from sqlalchemy.dialects.postgresql import insert as insert_postgresql
from sqlalchemy.dialects.sqlite import insert as insert_sqlite
from sqlalchemy.sql.selectable import TypedReturnsRows

BUSY_TIMEOUT_S = 60.0
"""How long a writer waits for another one (SQLite has one writer at a time; each transaction here takes milliseconds)."""


UID = String(64)
WORD = String(64)
"""Short enumerations, AE titles and names."""

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)


class UtcDateTime(TypeDecorator[datetime]):
    """An aware time, kept as UTC: SQLite has no zones and would hand back naive times."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Any) -> datetime | None:
        return value.astimezone(UTC) if value else None

    def process_result_value(self, value: Any, dialect: Any) -> datetime | None:
        if value is None:
            return None
        moment: datetime = value
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


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
    # FULL: a row that a C-STORE Success depends on survives a power cut; NORMAL does not promise that in WAL mode.
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("PRAGMA foreign_keys=ON")


def _begin_sqlite(connection: Connection) -> None:
    # A transaction that reads first and writes later cannot wait for another writer (SQLite answers "database is locked" at
    # once, without regard to the timeout): writers take the write lock at the start.
    writes = connection.get_execution_options().get("writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


_Ts = TypeVarTuple("_Ts")


@dataclass(frozen=True)
class Transaction:
    """A running transaction: what repositories hand to each other when one step of work touches several of them."""

    connection: Connection
    now: datetime
    """The time of everything that this transaction writes."""

    @property
    def dialect(self) -> str:
        """`sqlite` or `postgresql`."""
        return self.connection.dialect.name

    @overload
    def execute(self, statement: TypedReturnsRows[*_Ts]) -> CursorResult[*_Ts]: ...
    @overload
    def execute(self, statement: Executable) -> CursorResult[*tuple[Any, ...]]: ...
    def execute(self, statement: Executable) -> CursorResult[*tuple[Any, ...]]:
        """Run one statement."""
        return self.connection.execute(statement)

    def insert_once(self, table: Table, **values: Any) -> bool:
        """Insert a row unless its key is taken.

        Returns
        -------
        Whether the row was inserted. Another process may insert the same row at the same moment.
        """
        insert = insert_postgresql if self.dialect == "postgresql" else insert_sqlite
        once = insert(table).values(**values).on_conflict_do_nothing().returning(*table.primary_key)
        return self.execute(once).first() is not None


class Database:
    """Opens transactions on one database.

    Parameters
    ----------
    database_url
        As for `open_engine`; connections are opened when first used.
    clock
        Returns the current time; tests give their own.
    """

    def __init__(self, database_url: str, clock: Callable[[], datetime] = now) -> None:
        self.engine = open_engine(database_url)
        self.clock = clock

    def ping(self) -> None:
        """Prove that the database answers and has its tables; raises SQLAlchemyError otherwise."""
        with self.read() as tx:
            tx.execute(text("SELECT count(*) FROM (SELECT study_instance_uid FROM studies LIMIT 1) AS one"))

    def close(self) -> None:
        """Close every pooled connection; a later call opens new ones."""
        self.engine.dispose()

    @contextmanager
    def read(self) -> Iterator[Transaction]:
        """Open a transaction that only reads."""
        with self.engine.connect() as connection, connection.begin():
            yield Transaction(connection, self.clock())

    @contextmanager
    def write(self) -> Iterator[Transaction]:
        """Open a transaction that may write. It is committed at the end of the `with` block and rolled back on an exception."""
        with self.engine.connect().execution_options(writes=True) as connection, connection.begin():
            yield Transaction(connection, self.clock())
