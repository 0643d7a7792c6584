"""Accept uploaded files by the same code as C-STORE: `service.receive.accept`."""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pydicom.dataset import Dataset

from models.errors import FileUnparsable, ModelsError
from models.foreign_parsers import read_dicom, translate_errors
from service.api.http.multipart_upload import Part
from service.errors import InstanceTooLarge, NotReceived, ServiceError, StudyMismatch
from service.receive.accept import Receipt, ReceiveContext, accept

CALLING_AE = "HTTP"
"""Recorded in the ledger in place of a calling AE title."""

_IDENTITY = ("SOPClassUID", "SOPInstanceUID", "StudyInstanceUID")

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class InstanceUids:
    """UIDs of an uploaded file, '' where they cannot be read."""

    sop_class_uid: str = ""
    sop_instance_uid: str = ""
    study_instance_uid: str = ""


@dataclass(frozen=True)
class Refusal:
    """A file that was not accepted, and why."""

    part: int
    error: ServiceError
    identity: InstanceUids


@dataclass
class UploadResult:
    """Receipts and refusals of a request's files."""

    receipts: list[Receipt] = field(default_factory=list)
    refusals: list[Refusal] = field(default_factory=list)

    @property
    def study_instance_uids(self) -> list[str]:
        """Studies that something was accepted for, in order of arrival."""
        return list(dict.fromkeys(receipt.study_instance_uid for receipt in self.receipts))


def accept_upload(parts: Sequence[Part], context: ReceiveContext, study_instance_uid: str = "") -> UploadResult:
    """Accept each spooled file; a refused one does not stop the others. Nothing of the request stays in the spool.

    Parameters
    ----------
    study_instance_uid
        Instances of any other study are refused; empty for a request that names no study.
    """
    result = UploadResult()
    try:
        for number, part in enumerate(parts):
            # Before accept(), which moves the file: a refusal must name its instance.
            identity = identify(part.path)
            try:
                if part.is_too_large:
                    raise InstanceTooLarge(f"larger than {context.settings.max_instance_bytes} bytes")
                if study_instance_uid and identity.study_instance_uid not in ("", study_instance_uid):
                    raise StudyMismatch("the instance belongs to another study than the request")
                result.receipts.append(accept(part.path, CALLING_AE, context, announced=False))
            except ServiceError as error:
                result.refusals.append(Refusal(number, error, identity))
            except Exception as error:  # whatever one file provokes, the others are received and the client learns of it
                log.error("an uploaded file was not received", extra={"cause": type(error).__name__})
                result.refusals.append(Refusal(number, NotReceived("an unexpected error: the log names it"), identity))
    finally:
        for part in parts:
            part.path.unlink(missing_ok=True)
    return result


def identify(path: Path) -> InstanceUids:
    """Read the UIDs that a STOW-RS answer names a refused instance by, and its study."""
    try:
        with translate_errors(FileUnparsable, "the file cannot be read"):
            header = read_dicom(path, stop_before_pixels=True, specific_tags=list(_IDENTITY))
            return InstanceUids(*(_uid(header, keyword) for keyword in _IDENTITY))
    except (ModelsError, MemoryError, OSError):  # accept() says what is wrong with the file
        return InstanceUids()


def _uid(header: Dataset, keyword: str) -> str:
    text = str(header.get(keyword, ""))
    return text if re.fullmatch(r"[0-9.]{1,64}", text) else ""
