"""Which attributes of one image a correction changes, and to what: the words that every road to a destination has in common.

Design notes, dicom.md section 1. Whether an image may be corrected is policy (`service.domain.policy`); here only what a person or a
policy decided is turned into values. Nothing is written from here: `corrected_instance` builds objects of it, an archive's own API
takes it as it is, and a read-back compares with it.
"""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType

from pydicom.dataset import Dataset
from pydicom.uid import DigitalMammographyXRayImageStorageForPresentation

from models.attributes import read, read_items, read_text
from models.vocabulary import READABLE_SCHEMES, VIEW_CODES, Laterality, View
from service.domain.findings import Agreement, CorrectionKind, LabelCorrection, ModelIdentity
from service.errors import Irreversible, NothingToCorrect
from service.report.coding import code_item
from service.report.orientation import correct_patient_orientation
from service.report.original_attributes import is_readable_sequence, put, record_former, shallow_copy, stored_bytes

LABELS = ("ViewCodeSequence", "ViewPosition", "ImageLaterality", "Laterality", "PatientOrientation")
"""The attributes that say view, side and orientation; no correction changes another attribute of a picture."""

Value = str | tuple[Dataset, ...] | None
"""Text (several values joined by backslashes, as in a file), the items of a sequence, or None: the attribute is not there."""


@dataclass(frozen=True)
class Change:
    """A correction that was decided: what, by whom, why and when."""

    correction: LabelCorrection
    actor: str
    """A person's name, or the word for the policy."""
    reason: str
    at: datetime
    """When it was decided, with its zone: the time that every object of this change bears, so it never depends on the try."""
    models: tuple[ModelIdentity, ...]
    """Those that read the pixels."""
    chest_wall_right: bool | None
    """The chest wall is at the right edge of the pixel matrix; None where that was not seen."""


@dataclass(frozen=True)
class Undo:
    """The decision to put the former values back."""

    actor: str
    reason: str
    at: datetime


@dataclass(frozen=True)
class LabelChanges:
    """What an archive is asked to change in one instance that it holds."""

    study_instance_uid: str
    series_instance_uid: str
    sop_instance_uid: str
    sop_class_uid: str
    values: Mapping[str, Value]
    """By keyword, all of `LABELS`; None removes the attribute, "" and () leave it there without a value."""
    reason: str
    """Code of Reason for the Attribute Modification (0400,0565)."""
    record: Dataset = field(default_factory=Dataset, repr=False)
    """An Original Attributes item that tells of it, for an archive that writes none by itself."""

    @property
    def removed(self) -> tuple[str, ...]:
        """Keywords of the attributes to remove."""
        return tuple(keyword for keyword, value in self.values.items() if value is None)

    def dataset(self) -> Dataset:
        """The attributes to set; `to_json_dict` makes DICOM JSON of it (PS3.18 F)."""
        attributes = Dataset()
        set_labels(attributes, self.values)
        return attributes


def label_changes(change: Change, source: Dataset) -> LabelChanges:
    """Tell what an archive has to change in the image it holds under the source's UID.

    Raises
    ------
    NothingToCorrect
        The correction may not be written, or the image already says what it should.
    Irreversible
        What stands there now is so malformed that no archive could be asked to put it back.
    """
    values = new_labels(change, source)
    for keyword in values:
        if not _can_come_back(source, keyword):
            raise Irreversible(f"{keyword} is malformed: an archive could not be asked to put it back")
    return _addressed(shallow_copy(source), values, change.at)


def undo_changes(change: Change, source: Dataset, undone: Undo | None = None) -> LabelChanges:
    """Tell what an archive has to change so that the image says again what it said when it was received.

    Parameters
    ----------
    change, source
        The correction to undo, and the instance as received, before it.
    undone
        The decision: gives the record its time.

    Raises
    ------
    NothingToCorrect
        The correction never changed anything.
    """
    corrected, values = shallow_copy(source), new_labels(change, source)
    set_labels(corrected, values)
    return _addressed(corrected, {keyword: declared_label(source, keyword) for keyword in values}, (undone or change).at)


def new_labels(change: Change, source: Dataset) -> Mapping[str, Value]:
    """The attributes that the correction changes, with their new values; the source is not changed.

    Parameters
    ----------
    change
        Missing and contradicted labels are written; those that agree are completed (a code beside a text, a text beside a code);
        those that could not be compared stay. A mirrored picture keeps its labels: only its orientation is written.
    source
        The instance as received.

    Raises
    ------
    NothingToCorrect
        The correction may not be written, or the image already says what it should.
    """
    # Reading a value decodes it in place.
    source = shallow_copy(source)
    correction = change.correction
    if correction.blocked_reason:
        raise NothingToCorrect(f"reported only: {correction.blocked_reason}")
    if correction.kind in (None, CorrectionKind.VIEW_UNKNOWN):
        raise NothingToCorrect(f"nothing can be written for {correction.kind or 'labels that agree'}")
    values: dict[str, Value] = {}
    if correction.kind is not CorrectionKind.MIRRORED:
        if correction.new_view is not View.UNKNOWN and correction.view is not Agreement.UNSURE:
            values |= _view(source, correction.new_view)
        if correction.new_laterality is not Laterality.UNKNOWN and correction.laterality is not Agreement.UNSURE:
            values |= _laterality(source, correction.new_laterality)
    values |= _orientation(source, correction, change.chest_wall_right)
    if not values:
        raise NothingToCorrect("the image already says what its pixels show")
    return MappingProxyType(values)


def declared_label(source: Dataset, keyword: str) -> Value:
    """What the image says under a keyword, as far as it can be read."""
    if keyword not in source:
        return None
    source = shallow_copy(source)
    return tuple(deepcopy(item) for item in read_items(source, keyword)) if keyword == "ViewCodeSequence" else read_text(source, keyword)


def _can_come_back(source: Dataset, keyword: str) -> bool:
    """Tell whether a value is what can be read of it, so that an archive that is given this writes the same again."""
    if keyword not in source:
        return True
    said = declared_label(source, keyword)
    if isinstance(said, tuple):
        # A replacement character stands for what the character set could not decode.
        return is_readable_sequence(source, keyword) and "\N{REPLACEMENT CHARACTER}" not in str(said)
    received = [value.strip(b" \0") for value in stored_bytes(source, keyword).split(b"\\")]
    return said is not None and [value.encode("ascii", "replace") for value in said.split("\\")] == received


def set_labels(dataset: Dataset, values: Mapping[str, Value]) -> None:
    """Write values into a dataset."""
    for keyword, value in values.items():
        if isinstance(value, str) and "\\" in value:
            put(dataset, keyword, value.split("\\"))
        else:
            put(dataset, keyword, list(value) if isinstance(value, tuple) else value)


def _addressed(before: Dataset, values: Mapping[str, Value], moment: datetime) -> LabelChanges:
    return LabelChanges(
        study_instance_uid=str(before.StudyInstanceUID),
        series_instance_uid=str(before.SeriesInstanceUID),
        sop_instance_uid=str(before.SOPInstanceUID),
        sop_class_uid=str(before.SOPClassUID),
        values=values,
        reason="CORRECT",
        record=record_former(before, values, moment),
    )


def _view(source: Dataset, view: View) -> dict[str, Value]:
    values: dict[str, Value] = {}
    code = VIEW_CODES[view]
    declared = read_items(source, "ViewCodeSequence")
    first = declared[0] if declared else Dataset()
    known = read_text(first, "CodeValue") in (code.value, *code.legacy) and read_text(first, "CodingSchemeDesignator") in READABLE_SCHEMES
    if len(declared) != 1 or not known:
        item = code_item(code.value, code.scheme, code.meaning)
        modifiers = read_items(first, "ViewModifierCodeSequence")
        if modifiers or source.SOPClassUID == DigitalMammographyXRayImageStorageForPresentation:
            # Type 2 in the Mammography Image module (PS3.3 C.8.11.7), never empty elsewhere.
            item.ViewModifierCodeSequence = [deepcopy(modifier) for modifier in modifiers]
        values["ViewCodeSequence"] = (item,)
    if read(source, "ViewPosition") != view.value:
        values["ViewPosition"] = view.value
    return values


def _laterality(source: Dataset, side: Laterality) -> dict[str, Value]:
    values: dict[str, Value] = {}
    if read(source, "ImageLaterality") != side.value:
        values["ImageLaterality"] = side.value
    if "Laterality" in source and (values or read_text(source, "Laterality") not in ("", side.value)):
        # The side of the series may not stand beside that of the image (PS3.3 C.7.3.1, dciodvfy calls it an error). It is taken away,
        # never changed: the other images of the series would not bear the new one.
        values["Laterality"] = None
    return values


def _orientation(source: Dataset, correction: LabelCorrection, chest_wall_right: bool | None) -> dict[str, Value]:
    declared, view, side = read(source, "PatientOrientation"), correction.new_view, correction.new_laterality
    mended = correct_patient_orientation(declared, view, side, chest_wall_right, correction.declared_view)
    return {} if mended is None else {"PatientOrientation": "\\".join(mended)}
