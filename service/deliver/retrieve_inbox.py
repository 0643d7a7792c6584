"""What archives hand back: objects that we asked them to move to us, and their word on storage commitment.

The listener is one process and the worker that waits is another one, so they meet in a folder: whoever waits puts a tray there,
and what comes for it is laid into the tray instead of being entered as a new instance.
"""

from __future__ import annotations

import json
import re
import shutil
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import NamedTemporaryFile
from urllib.parse import quote

FORGOTTEN_S = 600.0
"""A tray that old belongs to a worker that died: no wait is that long."""
LOOK_EVERY_S = 0.02
_UID = re.compile(r"[0-9.]{1,64}")


@dataclass(frozen=True)
class CommitmentReport:
    """What an archive says of a request to keep objects (PS3.4 J.3.3): SOP Instance UIDs, and reasons of those it does not keep."""

    committed: frozenset[str]
    failed: dict[str, int]


@dataclass(frozen=True)
class PendingRetrieve:
    """A place where something is awaited."""

    folder: Path

    def files(self) -> list[Path]:
        """Objects that came, oldest first; they vanish with the tray."""
        return sorted(self.folder.glob("*.dcm"), key=lambda path: path.stat().st_mtime)

    def report(self, timeout_s: float) -> CommitmentReport | None:
        """The archive's word, or None where it does not come within `timeout_s`."""
        path = self.folder / "report.json"
        deadline = time.monotonic() + timeout_s
        while not path.exists():
            if time.monotonic() >= deadline:
                return None
            time.sleep(LOOK_EVERY_S)
        said = json.loads(path.read_text())
        return CommitmentReport(frozenset(said["committed"]), said["failed"])


class RetrieveInbox:
    """The folder of trays.

    Parameters
    ----------
    data_dir
        That of the settings: a rename from the spool must stay on one file system.
    """

    def __init__(self, data_dir: Path) -> None:
        self._folder = data_dir.absolute() / "returns"

    @contextmanager
    def expect_object(self, sop_instance_uid: str, caller: str) -> Iterator[PendingRetrieve]:
        """Wait for an instance that the archive with AE title `caller` is asked to send.

        From anybody else, and at any other time, the same instance is received like every other.
        """
        with self._tray(f"{sop_instance_uid}@{quote(caller.strip(), safe='')}") as tray:
            yield tray

    @contextmanager
    def expect_report(self, transaction_uid: str) -> Iterator[PendingRetrieve]:
        """Wait for the outcome of a storage commitment. A transaction's UID is drawn by chance, so it needs no other proof."""
        with self._tray(transaction_uid) as tray:
            yield tray

    def offer_object(self, path: Path, sop_instance_uid: str, caller: str) -> bool:
        """Lay a received file into the tray that waits for it; False where nobody does, and the file stays where it was."""
        tray = self._waiting(sop_instance_uid, f"@{quote(caller.strip(), safe='')}")
        if tray is None:
            return False
        try:
            path.replace(tray / f"{uuid.uuid4().hex}.dcm")
        except FileNotFoundError:
            if path.exists():
                return False  # the tray was taken away at this moment
            raise
        return True

    def offer_report(self, transaction_uid: str, report: CommitmentReport) -> bool:
        """Lay an archive's word on a transaction into its tray; False where nobody waits for it."""
        tray = self._waiting(transaction_uid)
        if tray is None:
            return False
        said = json.dumps({"committed": sorted(report.committed), "failed": report.failed})
        with NamedTemporaryFile("w", dir=tray, suffix=".part", delete=False) as part:
            part.write(said)
        Path(part.name).replace(tray / "report.json")
        return True

    @contextmanager
    def _tray(self, name: str) -> Iterator[PendingRetrieve]:
        self._sweep()
        folder = self._folder / name
        folder.mkdir(parents=True, exist_ok=True)
        try:
            yield PendingRetrieve(folder)
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def _waiting(self, uid: str, suffix: str = "") -> Path | None:
        # What a peer names must not become a path of its own choice.
        if not _UID.fullmatch(uid) or uid.strip(".") == "":
            return None
        tray = self._folder / f"{uid}{suffix}"
        return tray if tray.is_dir() and not _is_forgotten(tray) else None

    def _sweep(self) -> None:
        if self._folder.is_dir():
            for tray in self._folder.iterdir():
                if _is_forgotten(tray):
                    shutil.rmtree(tray, ignore_errors=True)


def _is_forgotten(tray: Path) -> bool:
    try:
        return time.time() - tray.stat().st_mtime > FORGOTTEN_S
    except OSError:
        return True
