"""Accept one received instance: store it, enter it in the ledger, queue it. C-STORE, STOW-RS and uploads all end here."""

from __future__ import annotations

import errno
import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import NamedTemporaryFile

from sqlalchemy.exc import SQLAlchemyError

from service.deliver.retrieve_inbox import RetrieveInbox
from service.destinations.routing import prioritise, source_of
from service.domain.findings import Priority
from service.domain.header import read_header
from service.domain.patient import read_patient
from service.errors import DiskFull, InstanceTooLarge, PatientMismatch, SopClassMismatch, StoreDown
from service.receive.part10 import Part10, copy_with_meta, read_part10
from service.settings import Settings
from service.store.files import FileStore
from service.store.instances import Accepted
from service.store.ledger import Ledger

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ReceiveContext:
    """What receiving needs; `publish` queues an instance for the workers and may fail."""

    store: FileStore
    ledger: Ledger
    settings: Settings
    publish: Callable[[str, Priority], None]


@dataclass(frozen=True)
class Receipt:
    """The outcome for one instance."""

    sop_instance_uid: str
    study_instance_uid: str
    accepted: Accepted


def accept(path: Path, calling_ae: str, context: ReceiveContext, priority: Priority = Priority.ROUTINE, announced: bool = True) -> Receipt:
    """Accept a DICOM file of the spool. When this returns, the instance is on the disk and in the ledger.

    Parameters
    ----------
    path
        A file of `FileStore.spool_dir` with preamble and file meta. It is deleted in any case.
    calling_ae
        The sender's AE title; empty if it has none.
    announced
        The file meta holds what a C-STORE request announced. That of a file counts for nothing: anonymisers leave the former UID there.

    Raises
    ------
    NotReceived
        Unparsable, SopClassMismatch, InstanceTooLarge, DiskFull or StoreDown: nothing was kept.
    """
    try:
        # Some senders pad their title with NULs, which neither a file meta nor PostgreSQL accepts.
        title = "".join(character for character in calling_ae if character.isprintable()).strip()
        return _accept(path, title, context, priority, announced)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise DiskFull("out of disk space: try again later") from error
        log.error("instance not accepted: the disk failed", extra={"cause": errno.errorcode.get(error.errno or 0, "unknown")})
        raise StoreDown("storage failed: try again later") from error
    except SQLAlchemyError as error:
        log.error("instance not accepted: the ledger failed", extra={"cause": type(error).__name__})
        raise StoreDown("the ledger failed: try again later") from error
    finally:
        path.unlink(missing_ok=True)


def _accept(path: Path, calling_ae: str, context: ReceiveContext, priority: Priority, announced: bool) -> Receipt:
    # 1. Check free disk space and the size of the file.
    _check_size(path, context)
    # 2. Read the header; the pixels stay on the disk.
    part10 = read_part10(path, context.settings.max_instance_bytes)
    if announced:
        _check_announced(part10)
    part10.dataset.file_meta = part10.meta
    header = read_header(part10.dataset)
    # 3. An object of our own is no new instance: a worker asked an archive for it, or an archive routed it back.
    if _is_own(path, header.sop_instance_uid, calling_ae, context):
        return Receipt(header.sop_instance_uid, header.study_instance_uid, Accepted.OWN)
    # 4. Write the file into the file store.
    sha256, size, stored = _store(path, part10, header.sop_instance_uid, calling_ae, context.store)
    # 5. Enter the instance in the ledger.
    priority = prioritise(context.settings.rules, [header], calling_ae, priority)
    source = source_of(context.settings.sources, calling_ae)
    try:
        accepted = context.ledger.instances.add(
            header, sha256, stored, size, calling_ae, priority, read_patient(part10.dataset), source.mixed_patients
        )
    except PatientMismatch:
        context.store.path(stored).unlink(missing_ok=True)
        raise
    # 6. Queue it for the workers.
    if accepted is Accepted.NEW:
        _publish(context, header.sop_instance_uid, priority)
    elif accepted is Accepted.CONFLICT:
        log.warning("other bytes under a known UID: both files are kept", extra={"sop_instance_uid": header.sop_instance_uid})
    return Receipt(header.sop_instance_uid, header.study_instance_uid, accepted)


def _check_size(path: Path, context: ReceiveContext) -> None:
    if context.store.free_bytes() < context.settings.disk_free_min_bytes:
        raise DiskFull("free disk space is below the watermark: try again later")
    if path.stat().st_size > context.settings.max_instance_bytes:
        raise InstanceTooLarge(f"larger than {context.settings.max_instance_bytes} bytes")


def _is_own(path: Path, sop_instance_uid: str, calling_ae: str, context: ReceiveContext) -> bool:
    """Give a file to the worker that waits for it; tell whether a worker did, or whether this service produced the object."""
    if RetrieveInbox(context.settings.data_dir).offer_object(path, sop_instance_uid, calling_ae):
        log.info("archive sent an object that a worker asked for", extra={"sop_instance_uid": sop_instance_uid})
        return True
    if context.ledger.deliveries.is_own_object(sop_instance_uid):
        log.info("archive sent back an object that this service produced", extra={"sop_instance_uid": sop_instance_uid})
        return True
    return False


def _store(path: Path, part10: Part10, sop_instance_uid: str, calling_ae: str, store: FileStore) -> tuple[str, int, Path]:
    """Write the file with our file meta into the store; returns sha256 of its data set, size in bytes and path in the store."""
    with NamedTemporaryFile(dir=store.spool_dir, suffix=".dcm", delete=False) as rewritten:
        try:
            sha256 = copy_with_meta(path, part10, rewritten, calling_ae)
            rewritten.flush()
            return sha256, rewritten.tell(), store.commit(Path(rewritten.name), sop_instance_uid, sha256)
        finally:
            Path(rewritten.name).unlink(missing_ok=True)


def _check_announced(part10: Part10) -> None:
    """Compare the data set with the file meta, which holds what the C-STORE request announced (PS3.7 9.1.1)."""
    announced_class = part10.meta.get("MediaStorageSOPClassUID")
    if announced_class and announced_class != part10.dataset.SOPClassUID:
        raise SopClassMismatch("the data set has another SOP class than the announced one")
    announced_instance = part10.meta.get("MediaStorageSOPInstanceUID")
    if announced_instance and announced_instance != part10.dataset.SOPInstanceUID:
        raise SopClassMismatch("the data set has another SOP Instance UID than the announced one")


def _publish(context: ReceiveContext, sop_instance_uid: str, priority: Priority) -> None:
    try:
        context.publish(sop_instance_uid, priority)
    except Exception as error:
        # The instance is received, whatever the broker's client raises; the sweeper queues it.
        log.warning(
            "instance not queued: the sweeper will queue it", extra={"sop_instance_uid": sop_instance_uid, "cause": type(error).__name__}
        )
