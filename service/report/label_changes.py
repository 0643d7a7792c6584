"""The new attribute values of one corrected image, shared by all correction modes.

Rules: docs/dicom.md, section 1. `service.domain.policy` decides whether an image may be corrected; this module turns a decision into
values. `corrected_instance` builds objects from them, an archive's own API receives them, and the read-back compares with them.
"""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType

from pydicom.dataset import Dataset
from pydicom.uid import DigitalMammographyXRayImageStorageForPresentation

from models.attributes import read, read_items, read_text
from models.vocabulary import READABLE_SCHEMES, VIEW_CODES, Laterality, View
from service.domain.attribute_changes import AttributeChanges, AttributeValue
from service.domain.findings import Agreement, CorrectionKind, LabelCorrection, ModelIdentity
from service.domain.instance_reference import InstanceReference
from service.errors import Irreversible, NothingToCorrect
from service.report.coding import code_item
from service.report.orientation import correct_patient_orientation
from service.report.original_attributes import is_readable_sequence, put, record_former, shallow_copy, stored_bytes

LABELS = ("ViewCodeSequence", "ViewPosition", "ImageLaterality", "Laterality", "PatientOrientation")
"""The attributes that declare view, side and orientation; no correction changes another attribute of an image."""


@dataclass(frozen=True)
class Decision:
    """What a person or a policy decided about a correction: to write it, or to revert it."""

    actor: str
    """A person's name, or the word for the policy."""
    reason: str
    at: datetime
    """With its zone. Every object of this decision carries this time, so that each attempt builds the same object."""


@dataclass(frozen=True)
class DecidedCorrection:
    """A correction with the decision to write it and what the pixels of its image show."""

    correction: LabelCorrection
    decision: Decision
    models: tuple[ModelIdentity, ...]
    """The networks that read the pixels."""
    chest_wall_right: bool | None
    """The chest wall is at the right edge of the pixel matrix; None if the pixels do not show it."""
    keeps_orientation: bool = False
    """The image is rotated or mirrored as its Patient Orientation declares, which therefore stays."""


def changes_to_correct(decided: DecidedCorrection, source: Dataset) -> AttributeChanges:
    """The attributes that an archive has to change in the image that it holds under the UID of `source`.

    Raises
    ------
    NothingToCorrect
        The correction may not be written, or the image already has the new labels.
    Irreversible
        A present value is so malformed that no archive could be asked to put it back.
    """
    values = new_labels(decided, source)
    for keyword in values:
        if not _is_restorable(source, keyword):
            raise Irreversible(f"{keyword} is malformed: an archive could not be asked to put it back")
    return _changes(shallow_copy(source), values, decided.decision)


def changes_to_revert(decided: DecidedCorrection, source: Dataset, reverting: Decision) -> AttributeChanges:
    """The attributes that an archive has to change so that the image has the labels again that it was received with.

    Parameters
    ----------
    decided, source
        The correction to revert, and the instance as received, before it.
    reverting
        The decision to revert it; gives the record its time.

    Raises
    ------
    NothingToCorrect
        The correction never changed anything.
    """
    corrected, values = shallow_copy(source), new_labels(decided, source)
    set_labels(corrected, values)
    return _changes(corrected, {keyword: declared_label(source, keyword) for keyword in values}, reverting)


def new_labels(decided: DecidedCorrection, source: Dataset) -> Mapping[str, AttributeValue]:
    """The attributes that the correction changes, with their new values; the source is not changed.

    Parameters
    ----------
    decided
        Missing and contradicted labels are written. Labels that agree are completed: a code is added to a text, a text to a code.
        Labels that could not be compared stay. A mirrored image keeps its labels: only its orientation is written.
    source
        The instance as received.

    Raises
    ------
    NothingToCorrect
        The correction may not be written, or the image already has the new labels.
    """
    # Reading a value decodes it in place.
    source = shallow_copy(source)
    correction = decided.correction
    if correction.blocked_reason:
        raise NothingToCorrect(f"reported only: {correction.blocked_reason}")
    if correction.kind in (None, CorrectionKind.VIEW_UNKNOWN, CorrectionKind.HEADER_CONTRADICTS_ITSELF):
        raise NothingToCorrect(f"no labels can be written for {correction.kind or 'labels that agree'}")
    values: dict[str, AttributeValue] = {}
    if correction.kind is not CorrectionKind.MIRRORED:
        if correction.new_view is not View.UNKNOWN and correction.view is not Agreement.UNSURE:
            values |= _view(source, correction.new_view)
        if correction.new_laterality is not Laterality.UNKNOWN and correction.laterality is not Agreement.UNSURE:
            values |= _laterality(source, correction.new_laterality)
    if not decided.keeps_orientation:
        values |= _orientation(source, correction, decided.chest_wall_right)
    if not values:
        raise NothingToCorrect("the image already declares what its pixels show")
    return MappingProxyType(values)


def declared_label(source: Dataset, keyword: str) -> AttributeValue:
    """The value that the image has under a keyword, as far as it can be read."""
    if keyword not in source:
        return None
    source = shallow_copy(source)
    return tuple(deepcopy(item) for item in read_items(source, keyword)) if keyword == "ViewCodeSequence" else read_text(source, keyword)


def _is_restorable(source: Dataset, keyword: str) -> bool:
    """Tell whether the readable value is the whole stored value, so that an archive that gets it writes the same bytes again."""
    if keyword not in source:
        return True
    value = declared_label(source, keyword)
    if isinstance(value, tuple):
        # pydicom reads bytes that the character set cannot decode as replacement characters.
        return is_readable_sequence(source, keyword) and "\N{REPLACEMENT CHARACTER}" not in str(value)
    received = [part.strip(b" \0") for part in stored_bytes(source, keyword).split(b"\\")]
    return value is not None and [part.encode("ascii", "replace") for part in value.split("\\")] == received


def set_labels(dataset: Dataset, values: Mapping[str, AttributeValue]) -> None:
    """Write values into a dataset."""
    for keyword, value in values.items():
        if isinstance(value, str) and "\\" in value:
            put(dataset, keyword, value.split("\\"))
        else:
            put(dataset, keyword, list(value) if isinstance(value, tuple) else value)


def _changes(before: Dataset, values: Mapping[str, AttributeValue], decision: Decision) -> AttributeChanges:
    return AttributeChanges(InstanceReference.of(before), values, "CORRECT", record_former(before, values, decision.at))


def _view(source: Dataset, view: View) -> dict[str, AttributeValue]:
    values: dict[str, AttributeValue] = {}
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


def _laterality(source: Dataset, side: Laterality) -> dict[str, AttributeValue]:
    values: dict[str, AttributeValue] = {}
    if read(source, "ImageLaterality") != side.value:
        values["ImageLaterality"] = side.value
    if "Laterality" in source and (values or read_text(source, "Laterality") not in ("", side.value)):
        # An image may not have the laterality of the series together with its own (PS3.3 C.7.3.1; dciodvfy reports an error). It is
        # removed, never changed: the other images of the series would not have the new value.
        values["Laterality"] = None
    return values


def _orientation(source: Dataset, correction: LabelCorrection, chest_wall_right: bool | None) -> dict[str, AttributeValue]:
    declared, view, side = read(source, "PatientOrientation"), correction.new_view, correction.new_laterality
    corrected = correct_patient_orientation(declared, view, side, chest_wall_right, correction.declared_view)
    return {} if corrected is None else {"PatientOrientation": "\\".join(corrected)}
