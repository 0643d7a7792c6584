"""Accept uploaded files by the same code as C-STORE: `service.receive.accept`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from models.errors import FileUnparsable, ModelsError
from models.foreign_parsers import read_dicom, translate_errors
from service.api.http.multipart_upload import Part
from service.errors import ServiceError
from service.receive.accept import Receipt, ReceiveContext, accept

CALLING_AE = "HTTP"
"""Recorded in the ledger in place of a calling AE title."""


@dataclass(frozen=True)
class InstanceUids:
    """SOP class and instance UID of a refused file, '' where they cannot be read."""

    sop_class_uid: str = ""
    sop_instance_uid: str = ""


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


def accept_upload(parts: Sequence[Part], context: ReceiveContext) -> UploadResult:
    """Accept each spooled file; a refused one does not stop the others. Nothing of the request stays in the spool."""
    result = UploadResult()
    for number, part in enumerate(parts):
        # Before accept(), which moves the file: a refusal must name its instance.
        identity = identify(part.path)
        try:
            result.receipts.append(accept(part.path, CALLING_AE, context))
        except ServiceError as error:
            result.refusals.append(Refusal(number, error, identity))
    return result


def identify(path: Path) -> InstanceUids:
    """Read the two UIDs that a STOW-RS answer names a refused instance by."""
    try:
        with translate_errors(FileUnparsable, "the file cannot be read"):
            header = read_dicom(path, stop_before_pixels=True, specific_tags=["SOPClassUID", "SOPInstanceUID"])
            return InstanceUids(str(header.get("SOPClassUID", "")), str(header.get("SOPInstanceUID", "")))
    except (ModelsError, OSError):  # accept() says what is wrong with the file
        return InstanceUids()
