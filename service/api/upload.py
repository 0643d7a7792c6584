"""Uploaded files go through the same door as C-STORE: `service.receive.accept`."""

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
"""Stands in the ledger where a DICOM peer's AE title would."""


@dataclass(frozen=True)
class Identity:
    """The UIDs of a refused file, '' where they cannot be read."""

    sop_class_uid: str = ""
    sop_instance_uid: str = ""


@dataclass(frozen=True)
class Refusal:
    """A file that was not accepted, and why."""

    part: int
    error: ServiceError
    identity: Identity


@dataclass
class Ingest:
    """What became of a request's files."""

    receipts: list[Receipt] = field(default_factory=list)
    refusals: list[Refusal] = field(default_factory=list)

    @property
    def study_instance_uids(self) -> list[str]:
        """Studies that something was accepted for, in order of arrival."""
        return list(dict.fromkeys(receipt.study_instance_uid for receipt in self.receipts))


def accept_upload(parts: Sequence[Part], context: ReceiveContext) -> Ingest:
    """Accept each spooled file; one that is refused does not hold the others up. Nothing of the request stays in the spool."""
    taken = Ingest()
    for number, part in enumerate(parts):
        # Before accept(), which moves the file away: a refusal must be able to name its instance.
        identity = identify(part.path)
        try:
            taken.receipts.append(accept(part.path, CALLING_AE, context))
        except ServiceError as error:
            taken.refusals.append(Refusal(number, error, identity))
    return taken


def identify(path: Path) -> Identity:
    """Read the two UIDs that a STOW-RS answer names a refused instance by."""
    try:
        with translate_errors(FileUnparsable, "the file cannot be read"):
            header = read_dicom(path, stop_before_pixels=True, specific_tags=["SOPClassUID", "SOPInstanceUID"])
            return Identity(str(header.get("SOPClassUID", "")), str(header.get("SOPInstanceUID", "")))
    except (ModelsError, OSError):  # accept() says what is wrong with the file
        return Identity()
