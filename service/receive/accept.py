"""Receiving one instance, whichever way it came: stored, entered, then queued. C-STORE, STOW-RS and uploads end here."""

from __future__ import annotations

import errno
import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import NamedTemporaryFile

from sqlalchemy.exc import SQLAlchemyError

from service.deliver.retrieve_inbox import RetrieveInbox
from service.destinations.routing import prioritise
from service.domain.findings import Priority
from service.domain.header import read_header
from service.domain.patient import read_patient
from service.errors import DiskFull, InstanceTooLarge, SopClassMismatch, StoreDown
from service.receive.part10 import Part10, copy_with_meta, read_part10
from service.settings import Settings
from service.store.files import FileStore
from service.store.instances import Accepted
from service.store.ledger import Ledger

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ReceiveContext:
    """What receiving needs; `publish` tells the workers of an instance and may fail."""

    store: FileStore
    ledger: Ledger
    settings: Settings
    publish: Callable[[str, Priority], None]


@dataclass(frozen=True)
class Receipt:
    sop_instance_uid: str
    study_instance_uid: str
    accepted: Accepted


def accept(path: Path, calling_ae: str, context: ReceiveContext, priority: Priority = Priority.ROUTINE) -> Receipt:
    """Take a DICOM file of the spool over. When this returns, it is on the disk and in the ledger.

    Parameters
    ----------
    path
        A file of `FileStore.spool_dir`, preamble and file meta included. It is gone afterwards, whatever happened.
    calling_ae
        The sender's AE title; empty where it has none.

    Raises
    ------
    NotReceived
        Unparsable, SopClassMismatch, InstanceTooLarge, DiskFull or StoreDown: nothing was kept.
    """
    try:
        # Some senders pad their title with NULs, which neither a file meta nor PostgreSQL takes.
        title = "".join(character for character in calling_ae if character.isprintable()).strip()
        return _accept(path, title, context, priority)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise DiskFull("out of disk space: try again later") from error
        log.error("the disk failed", extra={"cause": errno.errorcode.get(error.errno or 0, "unknown")})
        raise StoreDown("storage failed: try again later") from error
    except SQLAlchemyError as error:
        log.error("the ledger failed", extra={"cause": type(error).__name__})
        raise StoreDown("the ledger failed: try again later") from error
    finally:
        path.unlink(missing_ok=True)


def _accept(path: Path, calling_ae: str, context: ReceiveContext, priority: Priority) -> Receipt:
    store, settings = context.store, context.settings
    if store.free_bytes() < settings.disk_free_min_bytes:
        raise DiskFull("free disk space is below the watermark: try again later")
    if path.stat().st_size > settings.max_instance_bytes:
        raise InstanceTooLarge(f"larger than {settings.max_instance_bytes} bytes")
    part10 = read_part10(path, settings.max_instance_bytes)
    _check_announced(part10)
    part10.dataset.file_meta = part10.meta
    header = read_header(part10.dataset)
    if RetrieveInbox(settings.data_dir).offer_object(path, header.sop_instance_uid, calling_ae):
        log.info("an archive moved to us what we asked it for", extra={"sop_instance_uid": header.sop_instance_uid})
        return Receipt(header.sop_instance_uid, header.study_instance_uid, Accepted.OWN)
    if context.ledger.deliveries.is_own_object(header.sop_instance_uid):
        log.info("a result of ours came back", extra={"sop_instance_uid": header.sop_instance_uid})
        return Receipt(header.sop_instance_uid, header.study_instance_uid, Accepted.OWN)
    with NamedTemporaryFile(dir=store.spool_dir, suffix=".dcm", delete=False) as rewritten:
        try:
            sha256 = copy_with_meta(path, part10, rewritten, calling_ae)
            rewritten.flush()
            size = rewritten.tell()
            place = store.commit(Path(rewritten.name), header.sop_instance_uid, sha256)
        finally:
            Path(rewritten.name).unlink(missing_ok=True)
    priority = prioritise(settings.rules, [header], calling_ae, priority)
    accepted = context.ledger.instances.add(header, sha256, place, size, calling_ae, priority, read_patient(part10.dataset))
    if accepted is Accepted.NEW:
        _publish(context, header.sop_instance_uid, priority)
    elif accepted is Accepted.CONFLICT:
        log.warning("other bytes under a known UID: both are kept", extra={"sop_instance_uid": header.sop_instance_uid})
    return Receipt(header.sop_instance_uid, header.study_instance_uid, accepted)


def _check_announced(part10: Part10) -> None:
    """Compare the data set with the file meta, which for a C-STORE holds what the request announced (PS3.7 9.1.1)."""
    announced_class = part10.meta.get("MediaStorageSOPClassUID")
    if announced_class and announced_class != part10.dataset.SOPClassUID:
        raise SopClassMismatch("the data set is of another SOP class than announced")
    announced_instance = part10.meta.get("MediaStorageSOPInstanceUID")
    if announced_instance and announced_instance != part10.dataset.SOPInstanceUID:
        raise SopClassMismatch("the data set is another instance than announced")


def _publish(context: ReceiveContext, sop_instance_uid: str, priority: Priority) -> None:
    try:
        context.publish(sop_instance_uid, priority)
    except Exception as error:
        # Whatever the broker's client raises: received is received, and the sweeper queues it.
        log.warning("not queued, the sweeper will", extra={"sop_instance_uid": sop_instance_uid, "cause": type(error).__name__})
