"""What a look into an archive can say, and the comparison of what it holds with what was sent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from pydicom.dataset import Dataset

from models.errors import ModelsError, Undecodable
from models.foreign_parsers import translate_errors

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
"""Of structured reports, key object selections and presentation states."""
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
GROWING = frozenset({"OriginalAttributesSequence", "ContributingEquipmentSequence"})
"""Histories: an archive may add items of its own (PS3.3 C.12.1.1.9), but none of ours may be gone."""


class Changes(Protocol):
    """New values of an image that the archive itself is asked to write, by keyword; None removes an attribute.

    `record` is an Original Attributes item that tells of it, for an archive that writes none by itself.
    """

    @property
    def study_instance_uid(self) -> str: ...
    @property
    def series_instance_uid(self) -> str: ...
    @property
    def sop_instance_uid(self) -> str: ...
    @property
    def sop_class_uid(self) -> str: ...
    @property
    def values(self) -> Mapping[str, object]: ...
    @property
    def reason(self) -> str: ...
    @property
    def record(self) -> Dataset: ...


@dataclass(frozen=True)
class InstanceReference:
    """The UIDs of an object, and the transfer syntax it was sent in; '' where that is not known."""

    study_instance_uid: str
    series_instance_uid: str
    sop_instance_uid: str
    sop_class_uid: str
    transfer_syntax_uid: str = ""


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


@dataclass(frozen=True)
class Held:
    """The object as the archive gives it out."""

    dataset: Dataset


Proof = Verified | NotApplied | Missing | Unproven
Look = Held | Missing | Unproven


def seek(payload: Dataset | Changes) -> InstanceReference:
    """Say what to look for."""
    if isinstance(payload, Dataset):
        syntax = str(payload.file_meta.TransferSyntaxUID)
        return InstanceReference(
            str(payload.StudyInstanceUID), str(payload.SeriesInstanceUID), str(payload.SOPInstanceUID), str(payload.SOPClassUID), syntax
        )
    return InstanceReference(payload.study_instance_uid, payload.series_instance_uid, payload.sop_instance_uid, payload.sop_class_uid)


def judge(payload: Dataset | Changes, look: Look) -> Proof:
    """Compare what is held with what should be."""
    if not isinstance(look, Held):
        return look
    different = differences(payload, look.dataset) if isinstance(payload, Dataset) else unchanged(payload, look.dataset)
    return NotApplied(tuple(different)) if different else Verified()


def differences(sent: Dataset, held: Dataset) -> list[str]:
    """Keywords of the attributes that matter and are not equal."""
    wanted = (*IDENTITY, *(IMAGE if "PixelData" in sent else REPORT))
    different = [keyword for keyword in wanted if not _is_kept(sent, held, keyword)]
    if "PixelData" in sent and not _pixels_equal(sent, held):
        different.append("PixelData")
    return different


def unchanged(changes: Changes, held: Dataset) -> list[str]:
    """Keywords of the attributes that do not have the value that they should have by now."""
    wanted = as_dataset(changes.values)
    different = [keyword for keyword in changes.values if not _is_kept(wanted, held, keyword)]
    found = seek_held(held)
    if (found.study_instance_uid, found.series_instance_uid, found.sop_instance_uid) != (
        changes.study_instance_uid,
        changes.series_instance_uid,
        changes.sop_instance_uid,
    ):
        different.append("SOPInstanceUID")
    return different


def seek_held(held: Dataset) -> InstanceReference:
    """The UIDs of an object that an archive gave out; '' for what it lacks."""
    study, series, sop = (str(held.get(keyword, "")) for keyword in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"))
    return InstanceReference(study, series, sop, str(held.get("SOPClassUID", "")))


def as_dataset(values: Mapping[str, object]) -> Dataset:
    """New values as DICOM elements; an attribute that is to go is not among them."""
    dataset = Dataset()
    for keyword, value in values.items():
        if value is not None:
            setattr(dataset, keyword, list(value) if isinstance(value, tuple) else value)
    return dataset


def pixels_equal(one: Dataset, other: Dataset) -> bool:
    """Compare pixel data byte for byte; an object without any equals another one without."""
    return bool(one.get("PixelData") == other.get("PixelData"))


def _is_kept(sent: Dataset, held: Dataset, keyword: str) -> bool:
    try:
        wanted, found = _comparable(sent, keyword), _comparable(held, keyword)
    except Exception:  # pydicom raises whatever the bytes of a malformed value provoke: such a value is kept as it lies, or not
        return _as_it_lies(sent, keyword) == _as_it_lies(held, keyword)
    if keyword in GROWING and wanted is not None and found is not None:
        return all(item in found for item in wanted)
    return wanted == found


def _as_it_lies(dataset: Dataset, keyword: str) -> object:
    element = dataset.get_item(keyword) if keyword in dataset else None
    value = element.value if element is not None else None
    return value.rstrip(b"\0 ") if isinstance(value, bytes) else value


def _comparable(dataset: Dataset, keyword: str) -> list[object] | None:
    """Values free of how they were encoded: lengths of sequences, padding, character set."""
    if keyword not in dataset or dataset[keyword].is_empty:
        return None
    alone = Dataset()
    alone.add(dataset[keyword])
    (element,) = _as_encoded(alone.to_json_dict()).values()
    return list(element.get("Value", [element.get("InlineBinary")]))


def _as_encoded(attributes: dict[str, Any]) -> dict[str, Any]:
    """Numbers as the file holds them: FL has 32 bits, Python has 64."""
    for element in attributes.values():
        if element["vr"] == "SQ":
            for item in element.get("Value", []):
                _as_encoded(item)
        elif element["vr"] == "FL" and "Value" in element:
            element["Value"] = [float(np.float32(value)) for value in element["Value"]]
    return attributes


def _pixels_equal(sent: Dataset, held: Dataset) -> bool:
    """Compare bytes; where the archive encodes otherwise, compare what they decode to."""
    if "PixelData" not in held:
        return False
    if sent.file_meta.TransferSyntaxUID == held.file_meta.TransferSyntaxUID:
        return bytes(sent.PixelData) == bytes(held.PixelData)
    try:
        with translate_errors(Undecodable, "the pixels cannot be decoded"):
            return np.array_equal(sent.pixel_array, held.pixel_array)
    except ModelsError:
        return False
