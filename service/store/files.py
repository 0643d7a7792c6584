"""Files of one data folder: received instances, what was computed from them, and what was produced for others.

Names come from hashes of UIDs, so nothing a sender writes becomes a path. Every file is written under another name, flushed to
the disk and renamed: a file that has its name is complete, also after a power cut.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import time
from pathlib import Path
from tempfile import NamedTemporaryFile


class FileStore:
    """The files of `data_dir`, which is made where it is missing.

    Parameters
    ----------
    data_dir
        On one file system: a rename from the spool must be atomic.
    """

    def __init__(self, data_dir: Path) -> None:
        self.data_dir = data_dir.absolute()
        self.spool_dir = self.data_dir / "spool"
        self.spool_dir.mkdir(parents=True, exist_ok=True)

    def path(self, relative: Path | str) -> Path:
        """The absolute path of a path of the ledger."""
        return self.data_dir / relative

    def commit(self, temp_path: Path, sop_instance_uid: str, sha256: str) -> Path:
        """Move a finished file of the spool to its final path, durably.

        Returns
        -------
        Its path relative to the data folder, as the ledger keeps it. Other bytes under the same UID get another path.
        """
        target = self.data_dir / "instances" / _folder(sop_instance_uid) / f"{sha256}.dcm"
        _sync(temp_path)
        _place(temp_path, target)
        return target.relative_to(self.data_dir)

    def results_dir(self, sop_instance_uid: str) -> Path:
        """The folder of what was computed from an instance: heatmap.png, heatmap.npz, preview.png."""
        return self.data_dir / "results" / _folder(sop_instance_uid)

    def write_result(self, sop_instance_uid: str, name: str, content: bytes) -> Path:
        """Write or replace one file of `results_dir`; a reader sees the old or the new file, never a part."""
        target = self.results_dir(sop_instance_uid) / name
        if target.parent != self.results_dir(sop_instance_uid):
            raise ValueError("a result's name is a plain file name")
        with NamedTemporaryFile(dir=self.spool_dir, delete=False) as spooled:
            spooled.write(content)
        _sync(Path(spooled.name))
        _place(Path(spooled.name), target)
        return target

    def produced_path(self, object_uid: str) -> Path:
        """The path of a DICOM object that this service built; its folder exists."""
        path = self.data_dir / "produced" / _folder(object_uid) / "object.dcm"
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def write_produced(self, object_uid: str, content: bytes) -> Path:
        """Write the file of an object that this service built; a reader sees all of it or nothing."""
        with NamedTemporaryFile(dir=self.spool_dir, delete=False) as spooled:
            spooled.write(content)
        _sync(Path(spooled.name))
        target = self.produced_path(object_uid)
        _place(Path(spooled.name), target)
        return target

    def free_bytes(self) -> int:
        """Free space of the data folder's disk."""
        return shutil.disk_usage(self.data_dir).free

    def sweep_spool(self, older_than_s: float) -> int:
        """Remove the files of interrupted transfers from the spool: those not written to for so long.

        Returns
        -------
        How many were removed.
        """
        oldest = time.time() - older_than_s
        removed = 0
        for left in self.spool_dir.iterdir():
            try:
                if left.stat().st_mtime <= oldest:
                    left.unlink()
                    removed += 1
            except FileNotFoundError:
                pass  # another process moved or removed it
        return removed


def _folder(uid: str) -> Path:
    digest = hashlib.sha256(uid.encode()).hexdigest()
    return Path(digest[:2]) / digest


def _place(source: Path, target: Path) -> None:
    _make_folder(target.parent)
    source.replace(target)
    _sync(target.parent)


def _make_folder(folder: Path) -> None:
    if not folder.is_dir():
        _make_folder(folder.parent)
        folder.mkdir(exist_ok=True)
        _sync(folder.parent)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
