"""Compare what an archive holds with what was sent to it, and the outcomes that a read-back can have."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from pydicom.dataset import Dataset

from models.errors import ModelsError, Undecodable
from models.foreign_parsers import translate_errors
from service.domain.attribute_changes import AttributeChanges
from service.domain.instance_reference import InstanceReference

IDENTITY = ("SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID")
REPORT = (
    "CompletionFlag",
    "VerificationFlag",
    "PreliminaryFlag",
    "ConceptNameCodeSequence",
    "ContentTemplateSequence",
    "ContentSequence",
    "PredecessorDocumentsSequence",
    "CurrentRequestedProcedureEvidenceSequence",
    "ContentLabel",
    "ReferencedSeriesSequence",
    "GraphicAnnotationSequence",
)
"""Attributes that must be equal in structured reports, key object selections and presentation states."""
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
"""Attributes that must be equal in images. Patient and study attributes are not compared: an archive may correct those."""
GROWING = frozenset({"OriginalAttributesSequence", "ContributingEquipmentSequence"})
"""Histories: an archive may add items of its own (PS3.3 C.12.1.1.9), but it must keep each of ours."""


@dataclass(frozen=True)
class Verified:
    """The archive holds the object as it was sent."""


@dataclass(frozen=True)
class Mismatch:
    """The archive holds another object under this UID."""

    keywords: tuple[str, ...]
    """Of the attributes that differ."""


@dataclass(frozen=True)
class NotFound:
    """The archive holds no object with this UID."""


@dataclass(frozen=True)
class Unverified:
    """The archive did not give the object out, so nothing was compared."""

    reason: str


@dataclass(frozen=True)
class Retrieved:
    """The object as the archive gave it out."""

    dataset: Dataset


Proof = Verified | Mismatch | NotFound | Unverified
RetrieveResult = Retrieved | NotFound | Unverified


def reference_of(payload: Dataset | AttributeChanges) -> InstanceReference:
    """The instance to retrieve from the archive for a payload."""
    if isinstance(payload, AttributeChanges):
        return payload.instance
    return replace(InstanceReference.of(payload), transfer_syntax_uid=str(payload.file_meta.TransferSyntaxUID))


def compare(payload: Dataset | AttributeChanges, result: RetrieveResult) -> Proof:
    """Compare the object that an archive gave out with the one that was sent, or with the values that it was asked to write."""
    if not isinstance(result, Retrieved):
        return result
    if isinstance(payload, AttributeChanges):
        keywords = mismatching_keywords(payload, result.dataset)
    else:
        keywords = differing_keywords(payload, result.dataset)
    return Mismatch(tuple(keywords)) if keywords else Verified()


def differing_keywords(sent: Dataset, held: Dataset) -> list[str]:
    """Keywords of the attributes of `IDENTITY`, `IMAGE` or `REPORT` that are not equal, and PixelData."""
    wanted = (*IDENTITY, *(IMAGE if "PixelData" in sent else REPORT))
    different = [keyword for keyword in wanted if not _is_kept(sent, held, keyword)]
    if "PixelData" in sent and not _pixels_equal(sent, held):
        different.append("PixelData")
    return different


def mismatching_keywords(changes: AttributeChanges, held: Dataset) -> list[str]:
    """Keywords of the attributes that do not have the value which the archive was asked to write."""
    wanted = changes.dataset()
    different = [keyword for keyword in changes.values if not _is_kept(wanted, held, keyword)]
    if replace(InstanceReference.of(held), sop_class_uid=changes.instance.sop_class_uid) != changes.instance:
        different.append("SOPInstanceUID")
    return different


def pixels_equal(one: Dataset, other: Dataset) -> bool:
    """Compare pixel data byte for byte; an object without any equals another one without."""
    return bool(one.get("PixelData") == other.get("PixelData"))


def _is_kept(sent: Dataset, held: Dataset, keyword: str) -> bool:
    try:
        wanted, found = _comparable(sent, keyword), _comparable(held, keyword)
    except Exception:  # pydicom raises whatever the bytes of a malformed value provoke: such a value is compared byte by byte
        return _stored_value(sent, keyword) == _stored_value(held, keyword)
    if keyword in GROWING and wanted is not None and found is not None:
        return all(item in found for item in wanted)
    return wanted == found


def _stored_value(dataset: Dataset, keyword: str) -> object:
    element = dataset.get_item(keyword) if keyword in dataset else None
    value = element.value if element is not None else None
    return value.rstrip(b"\0 ") if isinstance(value, bytes) else value


def _comparable(dataset: Dataset, keyword: str) -> list[object] | None:
    """Values without their encoding: lengths of sequences, padding and character set do not count."""
    if keyword not in dataset or dataset[keyword].is_empty:
        return None
    alone = Dataset()
    alone.add(dataset[keyword])
    (element,) = _as_encoded(alone.to_json_dict()).values()
    return list(element.get("Value", [element.get("InlineBinary")]))


def _as_encoded(attributes: dict[str, Any]) -> dict[str, Any]:
    """Round numbers to what a file holds: FL has 32 bits, Python has 64."""
    for element in attributes.values():
        if element["vr"] == "SQ":
            for item in element.get("Value", []):
                _as_encoded(item)
        elif element["vr"] == "FL" and "Value" in element:
            element["Value"] = [float(np.float32(value)) for value in element["Value"]]
    return attributes


def _pixels_equal(sent: Dataset, held: Dataset) -> bool:
    """Compare bytes; after a change of the transfer syntax, compare the decoded pixels."""
    if "PixelData" not in held:
        return False
    if sent.file_meta.TransferSyntaxUID == held.file_meta.TransferSyntaxUID:
        return bytes(sent.PixelData) == bytes(held.PixelData)
    try:
        with translate_errors(Undecodable, "the pixels cannot be decoded"):
            return np.array_equal(sent.pixel_array, held.pixel_array)
    except ModelsError:
        return False
