"""The folder through which the listener hands a waiting worker the objects and commitment reports that the worker asked an archive for.

Listener and worker are different processes. The waiting worker creates a folder; the listener moves the matching file into it instead
of entering it as a new instance.
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

ABANDONED_AFTER_S = 600.0
"""No worker waits this long, so the worker of an older folder has died."""
POLL_S = 0.02
_UID = re.compile(r"[0-9.]{1,64}")


@dataclass(frozen=True)
class CommitmentReport:
    """An archive's answer to a storage commitment request (PS3.4 J.3.3)."""

    committed: frozenset[str]
    """SOP Instance UIDs that the archive keeps."""
    failed: dict[str, int]
    """Failure reason by SOP Instance UID that it does not keep."""


@dataclass(frozen=True)
class PendingRetrieve:
    """The folder in which a worker waits for an object that an archive moves to the listener."""

    folder: Path

    def files(self) -> list[Path]:
        """Received objects, oldest first; they are deleted with the folder."""
        return sorted(self.folder.glob("*.dcm"), key=lambda path: path.stat().st_mtime)


@dataclass(frozen=True)
class PendingCommitment:
    """The folder in which a worker waits for an archive's commitment report."""

    folder: Path

    def wait(self, timeout_s: float) -> CommitmentReport | None:
        """The archive's report; None if it does not come within `timeout_s`."""
        path = self.folder / "report.json"
        deadline = time.monotonic() + timeout_s
        while not path.exists():
            if time.monotonic() >= deadline:
                return None
            time.sleep(POLL_S)
        report = json.loads(path.read_text())
        return CommitmentReport(frozenset(report["committed"]), report["failed"])


class RetrieveInbox:
    """The folders of all waiting workers.

    Parameters
    ----------
    data_dir
        That of the settings: the spool is on the same file system, so that a file moves by renaming.
    """

    def __init__(self, data_dir: Path) -> None:
        self._folder = data_dir.absolute() / "retrieve-inbox"

    @contextmanager
    def expect_object(self, sop_instance_uid: str, caller: str) -> Iterator[PendingRetrieve]:
        """Wait for an instance that the archive with AE title `caller` is asked to send.

        The listener receives the same instance as a new one from any other sender, and at any other time.
        """
        with self._create(f"{sop_instance_uid}@{quote(caller.strip(), safe='')}") as folder:
            yield PendingRetrieve(folder)

    @contextmanager
    def expect_report(self, transaction_uid: str) -> Iterator[PendingCommitment]:
        """Wait for the outcome of a storage commitment. A Transaction UID is random, so it proves by itself who may report."""
        with self._create(transaction_uid) as folder:
            yield PendingCommitment(folder)

    def offer_object(self, path: Path, sop_instance_uid: str, caller: str) -> bool:
        """Move a received file to the worker that waits for it; False if no worker does, and the file stays where it was."""
        folder = self._find(sop_instance_uid, f"@{quote(caller.strip(), safe='')}")
        if folder is None:
            return False
        try:
            path.replace(folder / f"{uuid.uuid4().hex}.dcm")
        except FileNotFoundError:
            if path.exists():
                return False  # the worker removed its folder at this moment
            raise
        return True

    def offer_report(self, transaction_uid: str, report: CommitmentReport) -> bool:
        """Write a commitment report for the worker that waits for it; False if no worker does."""
        folder = self._find(transaction_uid)
        if folder is None:
            return False
        text = json.dumps({"committed": sorted(report.committed), "failed": report.failed})
        with NamedTemporaryFile("w", dir=folder, suffix=".part", delete=False) as part:
            part.write(text)
        Path(part.name).replace(folder / "report.json")
        return True

    @contextmanager
    def _create(self, name: str) -> Iterator[Path]:
        self._remove_abandoned()
        folder = self._folder / name
        folder.mkdir(parents=True, exist_ok=True)
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def _find(self, uid: str, suffix: str = "") -> Path | None:
        # A peer chooses the UID: it must not become a path outside this folder.
        if not _UID.fullmatch(uid) or uid.strip(".") == "":
            return None
        folder = self._folder / f"{uid}{suffix}"
        return folder if folder.is_dir() and not _is_abandoned(folder) else None

    def _remove_abandoned(self) -> None:
        if self._folder.is_dir():
            for folder in self._folder.iterdir():
                if _is_abandoned(folder):
                    shutil.rmtree(folder, ignore_errors=True)


def _is_abandoned(folder: Path) -> bool:
    try:
        return time.time() - folder.stat().st_mtime > ABANDONED_AFTER_S
    except OSError:
        return True
