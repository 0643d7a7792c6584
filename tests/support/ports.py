"""TCP ports for tests that several processes, and several test runs, use at the same time on one machine."""

from __future__ import annotations

import secrets
import socket
import sys

FIRST, LAST = 15_000, 30_000
"""Below the ports that Linux gives to outgoing connections (32768 and above), so that no connection takes one in between."""

_reservations: list[socket.socket] = []


def free_port() -> int:
    """A TCP port of loopback where nothing listens; no other test is given it while this process runs."""
    start = secrets.randbelow(LAST - FIRST)
    for offset in range(LAST - FIRST):
        port = FIRST + (start + offset) % (LAST - FIRST)
        if _reserve(port) and _is_free(port):
            return port
    raise RuntimeError("no free TCP port")


def is_listening(port: int) -> bool:
    """Tell whether a connection to the port of loopback is accepted."""
    try:
        with socket.create_connection(("127.0.0.1", port), 5):
            return True
    except OSError:
        return False


def _reserve(port: int) -> bool:
    """Note the port under a name in the kernel (abstract Unix socket), which ends with this process."""
    if not sys.platform.startswith("linux"):
        return True
    note = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        note.bind(f"\0mammotriage-test-port-{port}")
    except OSError:
        note.close()
        return False
    _reservations.append(note)
    return True


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
