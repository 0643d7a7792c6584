"""A throw-away PostgreSQL cluster: real server, Unix socket only, gone after the session."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

from service.store.migrate import migrate
from tests.support.eventually import eventually

FOR_TESTS = ("synchronous_commit=off", "full_page_writes=off", "autovacuum=off", "shared_buffers=32MB")
"""Settings for small databases that nobody needs after the session."""


def find_binaries() -> Path | None:
    """Debian keeps the server's programs off the PATH."""
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    on_path = shutil.which("initdb")
    folders = [*debian, *([Path(on_path).resolve().parent] if on_path else [])]
    return next((folder for folder in folders if (folder / "initdb").exists() and (folder / "postgres").exists()), None)


def find_owner() -> str | None:
    """The user to run the server as: initdb refuses root, whose place the package's user takes."""
    if os.geteuid() != 0:
        return pwd.getpwuid(os.geteuid()).pw_name
    return "postgres" if any(user.pw_name == "postgres" for user in pwd.getpwall()) else None


class Cluster:
    """A running server.

    Parameters
    ----------
    socket_folder
        Of its Unix socket (user postgres, no password).
    """

    def __init__(self, socket_folder: Path) -> None:
        self.socket_folder = socket_folder
        self._idle_ledgers: list[str] = []

    @contextmanager
    def new_database(self) -> Iterator[str]:
        """Create a database, yield its URL, drop it."""
        name = self._create()
        try:
            yield self._url(name)
        finally:
            with self._connect() as connection:
                connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')

    @contextmanager
    def new_ledger(self) -> Iterator[str]:
        """A database of the newest schema without rows.

        It is emptied afterwards and given to a later caller: to create, migrate and drop one takes 100 times as long.
        """
        name = self._idle_ledgers.pop() if self._idle_ledgers else ""
        if not name:
            name = self._create()
            migrate(self._url(name))
        try:
            yield self._url(name)
        finally:
            self._empty(name)
            self._idle_ledgers.append(name)

    def is_up(self) -> bool:
        try:
            self._connect().close()
        except psycopg.OperationalError:
            return False
        return True

    def _create(self) -> str:
        name = f"test_{uuid.uuid4().hex}"
        with self._connect() as connection:
            connection.execute(f'CREATE DATABASE "{name}" TEMPLATE template0')
        return name

    def _empty(self, name: str) -> None:
        """Delete all rows, and let all identities begin with 1 again."""
        with self._connect(name) as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s AND pid <> pg_backend_pid()", [name]
            )
            tables = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename <> 'alembic_version'")
            delete = "".join(f'DELETE FROM "{table}";' for (table,) in tables)
            # A replica checks no foreign keys, so the order of the tables does not matter.
            connection.execute(f"SET session_replication_role = replica; {delete}")
            connection.execute("SELECT setval(quote_ident(sequencename)::regclass, start_value, false) FROM pg_sequences")

    def _connect(self, database: str = "postgres") -> psycopg.Connection:
        return psycopg.connect(host=str(self.socket_folder), user="postgres", dbname=database, autocommit=True)

    def _url(self, name: str) -> str:
        return f"postgresql://postgres@/{name}?host={self.socket_folder}"


@contextmanager
def run_cluster(binaries: Path, owner: str, settings: Iterable[str] = ()) -> Iterator[Cluster]:
    """Start a server, which never flushes to the disk, in a folder that is removed afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="mammotriage-pg-"))
    user = owner if os.geteuid() == 0 else None
    try:
        if user:
            shutil.chown(folder, user)
        initialise = ["-D", str(folder / "data"), "-U", "postgres", "-A", "trust", "--no-sync", "-E", "UTF8", "--locale=C"]
        subprocess.run([binaries / "initdb", *initialise], check=True, capture_output=True, user=user, cwd=folder)
        settings = ("listen_addresses=", "fsync=off", f"unix_socket_directories={folder}", *settings)
        options = [part for setting in settings for part in ("-c", setting)]
        with (folder / "server.log").open("wb") as log:
            server = subprocess.Popen(
                [binaries / "postgres", "-D", folder / "data", *options], stdout=log, stderr=log, user=user, cwd=folder
            )
        cluster = Cluster(folder)
        try:
            eventually(lambda: cluster.is_up() or server.poll() is not None, what="PostgreSQL starts")
            if server.poll() is not None:
                raise RuntimeError("PostgreSQL did not start: " + (folder / "server.log").read_text())
            yield cluster
        finally:
            server.terminate()
            server.wait()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
