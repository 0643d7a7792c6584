"""A throw-away PostgreSQL cluster: real server, Unix socket only, gone after the session."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg


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


@contextmanager
def run_cluster(binaries: Path, owner: str) -> Iterator[Path]:
    """Start a cluster and yield the folder of its socket (user postgres, no password)."""
    folder = Path(tempfile.mkdtemp(prefix="mammotriage-pg-"))
    user = owner if os.geteuid() == 0 else None
    try:
        if user:
            shutil.chown(folder, user)
        initialise: list[str | Path] = [
            binaries / "initdb",
            "-D",
            folder / "data",
            "-U",
            "postgres",
            "-A",
            "trust",
            "--no-sync",
            "-E",
            "UTF8",
            "--locale=C",
        ]
        subprocess.run(initialise, check=True, capture_output=True, user=user, cwd=folder)
        options = ["-c", "listen_addresses=", "-c", f"unix_socket_directories={folder}", "-c", "fsync=off"]
        with (folder / "server.log").open("wb") as log:
            server = subprocess.Popen(
                [binaries / "postgres", "-D", folder / "data", *options], stdout=log, stderr=log, user=user, cwd=folder
            )
        try:
            _wait_for(server, folder)
            yield folder
        finally:
            server.terminate()
            server.wait(timeout=30)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def new_database(socket_folder: Path, name: str) -> Iterator[str]:
    """Create an empty database and yield its URL."""
    with psycopg.connect(host=str(socket_folder), user="postgres", dbname="postgres", autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
        yield f"postgresql://postgres@/{name}?host={socket_folder}"
        connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


def _wait_for(server: subprocess.Popen[bytes], folder: Path) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and server.poll() is None:
        try:
            psycopg.connect(host=str(folder), user="postgres", dbname="postgres").close()
            return
        except psycopg.OperationalError:
            time.sleep(0.05)
    raise RuntimeError("PostgreSQL did not start: " + (folder / "server.log").read_text())
