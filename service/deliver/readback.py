"""Proof of delivery: ask the archive for the object, and compare what matters with what was sent.

A C-STORE answered with Success proves nothing: Orthanc keeps an older copy under the same UID and says Success.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from pydicom.dataset import Dataset
from pydicom.uid import UID
from pynetdicom import build_role, evt
from pynetdicom.association import Association
from pynetdicom.events import Event
from pynetdicom.sop_class import (  # type: ignore[attr-defined]
    StudyRootQueryRetrieveInformationModelFind as StudyRootFind,
)
from pynetdicom.sop_class import (  # type: ignore[attr-defined]
    StudyRootQueryRetrieveInformationModelGet as StudyRootGet,
)

from service.deliver.dimse import NATIVE, associate, storage_contexts
from service.destinations import Destination

IDENTITY = ("SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID")
REPORT = (
    "CompletionFlag",
    "VerificationFlag",
    "PreliminaryFlag",
    "ConceptNameCodeSequence",
    "ContentSequence",
    "PredecessorDocumentsSequence",
)
IMAGE = (
    "ImageType",
    "ViewPosition",
    "ImageLaterality",
    "ViewCodeSequence",
    "PatientOrientation",
    "SeriesDescription",
    "SourceImageSequence",
    "OriginalAttributesSequence",
    "Rows",
    "Columns",
)
"""Archives rightly change patient and study attributes; these they must not."""


@dataclass(frozen=True)
class Verified:
    """The archive holds the object as it was sent."""


@dataclass(frozen=True)
class NotApplied:
    """The archive holds another object under this UID; `attributes` are the keywords that differ."""

    attributes: tuple[str, ...]


@dataclass(frozen=True)
class Missing:
    """The archive does not know the UID."""


@dataclass(frozen=True)
class Unproven:
    """The archive did not let us look."""

    reason: str


Proof = Verified | NotApplied | Missing | Unproven


def verify(dataset: Dataset, destination: Destination, our_ae: str) -> Proof:
    """Find the object with C-FIND and fetch it with C-GET (PS3.4 C.4.1, C.4.3) over one association.

    Raises
    ------
    Unreachable
        The peer does not answer.
    Refused
        The peer rejects the association.
    """
    arrived: list[Dataset] = []

    def keep(event: Event) -> int:
        received = event.dataset
        received.file_meta = event.file_meta
        arrived.append(received)
        return 0x0000

    contexts = [(StudyRootFind, list(NATIVE)), (StudyRootGet, list(NATIVE)), *storage_contexts(dataset)]
    role = build_role(UID(dataset.SOPClassUID), scp_role=True)
    with associate(destination, our_ae, contexts, [role], [(evt.EVT_C_STORE, keep)]) as association:
        offered = {context.abstract_syntax for context in association.accepted_contexts}
        try:
            if StudyRootFind in offered and _find(association, dataset) == 0:
                return Missing()
            if StudyRootGet not in offered:
                return Unproven("the peer offers no C-GET: the object cannot be read back")
            failure = _get(association, dataset)
        except RuntimeError:
            # Orthanc, for one, hangs up on those who are not allowed to ask.
            return Unproven("the peer ended the association during the read-back: allow C-FIND and C-GET for our AE title")
    if arrived:
        different = differences(dataset, arrived[0])
        return NotApplied(tuple(different)) if different else Verified()
    if failure is None and StudyRootFind not in offered:
        return Missing()
    return Unproven(f"C-GET gave no object (status 0x{failure or 0:04X}): allow C-FIND and C-GET for our AE title")


def differences(sent: Dataset, held: Dataset) -> list[str]:
    """Keywords of the attributes that matter and are not equal."""
    wanted = (*IDENTITY, *(IMAGE if "PixelData" in sent else REPORT))
    different = [keyword for keyword in wanted if _comparable(sent, keyword) != _comparable(held, keyword)]
    if "PixelData" in sent and not _pixels_equal(sent, held):
        different.append("PixelData")
    return different


def _find(association: Association, dataset: Dataset) -> int | None:
    """Number of matches; None where the peer refuses to search."""
    matches = 0
    for status, identifier in association.send_c_find(_identifier(dataset), StudyRootFind):
        code = status.get("Status")
        if code is None:
            raise RuntimeError("no answer")
        if code in (0xFF00, 0xFF01) and identifier is not None:
            matches += identifier.get("SOPInstanceUID", dataset.SOPInstanceUID) == dataset.SOPInstanceUID
        elif code != 0x0000:
            return None
    return matches


def _get(association: Association, dataset: Dataset) -> int | None:
    """Fetch the object; the handler keeps it. Returns the status of a failure."""
    for status, _ in association.send_c_get(_identifier(dataset), StudyRootGet):
        code = status.get("Status")
        if code is None:
            raise RuntimeError("no answer")
        if code not in (0xFF00, 0x0000):
            return int(code)
    return None


def _identifier(dataset: Dataset) -> Dataset:
    identifier = Dataset()
    identifier.QueryRetrieveLevel = "IMAGE"
    for keyword in IDENTITY[1:]:
        setattr(identifier, keyword, dataset[keyword].value)
    return identifier


def _comparable(dataset: Dataset, keyword: str) -> object:
    """A value free of how it was encoded: lengths of sequences, padding, character set."""
    if keyword not in dataset or dataset[keyword].is_empty:
        return None
    alone = Dataset()
    alone.add(dataset[keyword])
    return alone.to_json_dict()


def _pixels_equal(sent: Dataset, held: Dataset) -> bool:
    """Compare bytes; where the archive encodes otherwise, compare what they decode to."""
    if "PixelData" not in held:
        return False
    if sent.file_meta.TransferSyntaxUID == held.file_meta.TransferSyntaxUID:
        return bytes(sent.PixelData) == bytes(held.PixelData)
    try:
        return np.array_equal(sent.pixel_array, held.pixel_array)
    except (RuntimeError, ValueError, AttributeError, NotImplementedError):
        return False
