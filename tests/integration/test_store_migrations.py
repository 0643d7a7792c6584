"""The migrations make what the models say, on an empty database, once, whoever is first."""

from __future__ import annotations

import multiprocessing
from concurrent.futures import ProcessPoolExecutor

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from service.store.database import open_engine
from service.store.ledger import Ledger
from service.store.migrate import migrate
from service.store.tables import metadata


def test_the_migrated_schema_is_the_modelled_one(database_url: str) -> None:
    migrate(database_url)
    engine = open_engine(database_url)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []
    engine.dispose()


def test_a_migrated_database_is_left_alone(database_url: str) -> None:
    migrate(database_url)
    migrate(database_url)
    with_tables = Ledger(database_url)
    with_tables.ping()
    with_tables.close()


def test_processes_that_start_together_migrate_once(database_url: str) -> None:
    with ProcessPoolExecutor(3, mp_context=multiprocessing.get_context("spawn")) as processes:
        for done in [processes.submit(migrate, database_url) for _ in range(3)]:
            done.result(timeout=60)
    ledger = Ledger(database_url)
    assert ledger.counts()["instances"]["received"] == 0
    ledger.close()


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:", "mysql://u@h/d"])
def test_a_database_that_cannot_be_shared_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="SQLite file or a PostgreSQL"):
        open_engine(url)
