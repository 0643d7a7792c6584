"""Ledgers that are ready for use: one migration for each kind of database and process, and copies of it."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from functools import cache
from pathlib import Path

from sqlalchemy import event, inspect, make_url
from sqlalchemy.pool import Pool

from service.store.database import open_engine
from service.store.migrate import migrate


@cache
def migrated_file() -> Path:
    """An empty SQLite ledger of the newest schema, to copy."""
    folder = Path(tempfile.mkdtemp(prefix="mammotriage-ledger-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    template = folder / "ledger.sqlite"
    migrate(f"sqlite:///{template}")
    return template


def prepare_ledger(database_url: str) -> None:
    """Bring the database to the newest schema, as `migrate` does, but by a copy where it is an SQLite file that does not exist."""
    url = make_url(database_url)
    if url.get_backend_name() == "sqlite" and url.database:
        path = Path(url.database)
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(migrated_file(), path)
        return
    engine = open_engine(database_url)
    try:
        is_empty = not inspect(engine).has_table("alembic_version")
    finally:
        engine.dispose()
    if is_empty:
        migrate(database_url)


def stop_waiting_for_the_disk() -> None:
    """SQLite writes of this process are no longer flushed to the disk; a power cut is tested elsewhere."""
    event.listen(Pool, "checkout", _set_synchronous_off)


def _set_synchronous_off(connection: object, record: object, _: object) -> None:
    if type(connection).__module__ == "sqlite3" and not record.info.get("synchronous-off"):  # type: ignore[attr-defined]
        connection.execute("PRAGMA synchronous=OFF")  # type: ignore[attr-defined]
        record.info["synchronous-off"] = True  # type: ignore[attr-defined]
