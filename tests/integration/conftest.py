"""Real parts for the tests: databases of both kinds."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.postgres import find_binaries, find_owner, new_database, run_cluster


@pytest.fixture(scope="session")
def postgresql_sockets() -> Iterator[Path]:
    binaries, owner = find_binaries(), find_owner()
    if binaries is None or owner is None:
        pytest.skip("no PostgreSQL server here: apt-get install postgresql")
    with run_cluster(binaries, owner) as folder:
        yield folder


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """An empty database, of each kind in turn."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'ledger.sqlite'}"
    else:
        with new_database(request.getfixturevalue("postgresql_sockets"), f"test_{uuid.uuid4().hex}") as url:
            yield url
